using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>
/// A connection that switched protocols: both sides are spliced byte for byte, and no byte is looked at (http1-conformance.md), but in a
/// WebSocket that is watched.
/// </summary>
internal static class Tunnel
{
    private static readonly BodyFraming UntilClose = new(BodyKind.UntilClose, 0);

    /// <summary>Splices both sides until both have ended. A half-close is passed on; an error on either side resets both.</summary>
    /// <param name="client">The client; what it sent behind its head goes first.</param>
    /// <param name="exchange">The exchange that was answered with 101; what the backend sent behind its head goes first.</param>
    /// <param name="up">A free pump for client to backend.</param>
    /// <param name="down">A free pump for backend to client.</param>
    /// <param name="watch">What the exchange says of itself: <see cref="Exchange.WatchWebSocket"/>.</param>
    public static async Task RunAsync(SocketChannel client, Exchange exchange, BodyPump up, BodyPump down, WebSocketWatch? watch = null)
    {
        exchange.BecomeTunnel();
        var upstream = exchange.Upstream;
        upstream.ReleaseOutgoing();
        up.Begin(client, new BodyReader(UntilClose, 0), upstream, chunkedOut: false);
        down.Begin(upstream, new BodyReader(UntilClose, 0), client, chunkedOut: false);
        await Task.WhenAll(SpliceAsync(up, upstream), SpliceAsync(down, client)).ConfigureAwait(false);

        async Task SpliceAsync(BodyPump pump, SocketChannel sink)
        {
            bool isWhole = false;
            try
            {
                var outcome = watch is null ? pump.RunAsync() : pump.RunWatchedAsync(watch, fromBackend: sink == client);
                isWhole = await outcome.ConfigureAwait(false) == PumpOutcome.Complete;
            }
            finally
            {
                if (!isWhole)
                {
                    exchange.CutUpstream();
                    client.Abort(reset: true);
                }
            }

            if (isWhole)
            {
                sink.ShutdownSend();
            }

            if (sink == client)
            {
                watch?.OnBackendEnded();
            }
        }
    }
}
