using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>
/// Splices two connections byte for byte after a 101 (RFC 9110 section 7.8), bytes that came along with the heads included. A half-close of
/// one side is passed on to the other; an error of one side ends both.
/// </summary>
internal static class Tunnel
{
    private static readonly BodyFraming UntilClose = new(BodyKind.UntilClose, 0);

    /// <summary>Runs until both directions have ended.</summary>
    /// <param name="client">The client's side.</param>
    /// <param name="upstream">The backend's side.</param>
    /// <param name="up">Pump for the bytes of the client.</param>
    /// <param name="down">Pump for the bytes of the backend.</param>
    /// <param name="cut">Closes both sides at once.</param>
    public static Task RunAsync(SocketChannel client, SocketChannel upstream, BodyPump up, BodyPump down, Action cut)
    {
        upstream.ReleaseOutgoing();
        up.Begin(client, new BodyReader(UntilClose, 0), upstream, chunkedOut: false);
        down.Begin(upstream, new BodyReader(UntilClose, 0), client, chunkedOut: false);
        return Task.WhenAll(SpliceAsync(up, upstream, cut), SpliceAsync(down, client, cut));
    }

    private static async Task SpliceAsync(BodyPump pump, SocketChannel sink, Action cut)
    {
        if (await pump.RunAsync().ConfigureAwait(false) == PumpOutcome.Complete)
        {
            sink.ShutdownSend();
        }
        else
        {
            cut();
        }
    }
}
