using Spawngate.Clients.Shared;
using Spawngate.Forwarding;

namespace Spawngate.Clients.Http2;

/// <content>A WebSocket (RFC 8441) whose frames are told apart.</content>
internal sealed partial class StreamExchange
{
    /// <summary>Bytes of the client in a tunnel that is open; within the gate.</summary>
    public void OnTunnelBytes(ReadOnlySpan<byte> data) => _exchange.WebSocket?.OnClientBytes(data);

    /// <summary>The tunnel is about to open, and nothing of it has been sent on; within the gate.</summary>
    private void WatchWebSocket()
    {
        if (_exchange.WatchWebSocket() is { } watch)
        {
            watch.OnFarewell = () => _deadline.Restart(DeadlineKind.Linger, _context.DueIn(ConnectionLimits.LingerMs));
            watch.OnBackendBytes(_exchange.Upstream.Received);
            watch.OnClientBytes(_upload.Gathered);
        }
    }

    /// <summary>The backend sent more, or ended its side; how much there is to be sent on, 0 for the end.</summary>
    private int AfterWatchedInput(WebSocketWatch watch, int received)
    {
        var upstream = _exchange.Upstream;
        if (watch.IsOver)
        {
            // Goodbye was said in the backend's place: what it still sends comes too late.
            upstream.Consume(upstream.ReceivedLength);
            received = 0;
        }
        else if (received >= 0)
        {
            watch.OnBackendBytes(upstream.Received[^received..]);
            received = watch.TakesOver(hasEnded: received == 0) ? upstream.ReceivedLength : received;
        }

        if (received <= 0)
        {
            watch.OnBackendEnded();
        }

        return received;
    }
}
