using Spawngate.Backends;
using Spawngate.Protocols.WebSockets;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>
/// Follows the frames of one WebSocket whose backend is to sleep while nobody says anything in it: data frames keep it in use, and pings
/// do not. At an idle stop it says goodbye to the client in the place of the backend, at the end of a frame.
/// <code>
///   open ── Close (the lifecycle) ──▶ closing ─┬─ backend's side between frames ─▶ Close frame 1001 ──▶ end of our side
///                                              └─ within a frame, or closed already ─────────────────▶ end of our side
///   end of our side ──▶ the client has a moment to end its own, of which OnFarewell sees to the limit
/// </code>
/// Each direction is scanned by whoever pumps it; only <see cref="Close"/> comes from elsewhere.
/// </summary>
/// <param name="upstream">The backend's connection.</param>
/// <param name="quietMs">Milliseconds without a data frame after which it does not count as use.</param>
internal sealed class WebSocketWatch(SocketChannel upstream, long quietMs)
{
    private FrameScanner _fromClient;
    private FrameScanner _fromBackend;
    private volatile bool _isClosing;
    private volatile bool _hasBackendEnded;

    /// <summary>A Close frame that says "going away" (RFC 6455 section 7.4.1), as the backend itself might send it.</summary>
    private static ReadOnlySpan<byte> GoingAway => [0x88, 0x02, 0x03, 0xE9];

    /// <summary>Milliseconds without a data frame after which it does not count as use.</summary>
    public long QuietMs => quietMs;

    /// <summary>How it counts; null before it has begun, or when it never does.</summary>
    public WatchedTunnel? Tunnel { get; private set; }

    /// <summary>
    /// Called when our side towards the client has ended, or is about to, because of <see cref="Close"/>: the client gets a moment. From
    /// any thread, perhaps twice.
    /// </summary>
    public Action? OnFarewell { get; set; }

    /// <summary>True when the backend's side is to end now, whatever it sends: its place in the tunnel has been taken.</summary>
    public bool IsOver { get; private set; }

    /// <summary>The tunnel is open.</summary>
    public void Begin(WatchedTunnel? tunnel) => Tunnel = tunnel;

    /// <summary>The client sent these bytes.</summary>
    public void OnClientBytes(ReadOnlySpan<byte> bytes)
    {
        if (_fromClient.Scan(bytes))
        {
            Tunnel?.OnData();
        }
    }

    /// <summary>The backend sent these bytes.</summary>
    public void OnBackendBytes(ReadOnlySpan<byte> bytes)
    {
        if (_fromBackend.Scan(bytes))
        {
            Tunnel?.OnData();
        }
    }

    /// <summary>
    /// What the backend sent so far has been sent on, and it may have ended. True when it is closing: then what is to be sent yet lies in
    /// the backend's channel, and nothing more is to be received. No receive is armed.
    /// </summary>
    /// <param name="hasEnded">True when the backend, or <see cref="Close"/>, has ended its side.</param>
    public bool TakesOver(bool hasEnded)
    {
        if (!_isClosing || !(hasEnded || _fromBackend.IsBetweenFrames))
        {
            return false;
        }

        IsOver = true;
        if (_fromBackend is { IsBetweenFrames: true, HasClose: false })
        {
            upstream.AppendReceived(GoingAway);
        }

        return true;
    }

    /// <summary>The backend's side has ended, in whatever way.</summary>
    public void OnBackendEnded()
    {
        _hasBackendEnded = true;
        Interlocked.MemoryBarrier();
        if (_isClosing)
        {
            OnFarewell?.Invoke();
        }
    }

    /// <summary>An idle stop has begun: it is to close. Wakes whoever waits for the backend; from any thread.</summary>
    public void Close()
    {
        _isClosing = true;
        Interlocked.MemoryBarrier();
        if (_hasBackendEnded)
        {
            OnFarewell?.Invoke();
        }

        upstream.ShutdownReceive();
    }
}
