using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Overload;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;

namespace Spawngate.Clients.Http2;

/// <content>What a stream holds, and how it gives that up.</content>
internal sealed partial class StreamExchange : ISheddable
{
    private HeldMemory _memory;
    private RateFloor _taking;
    private int _serial;
    private int _surveyed;
    private RateFloor _giving;

    /// <summary>Whose request it is; null before it is routed.</summary>
    public ClientAddress? Source => _exchange.Source;

    /// <summary>Length of its request's head; within the gate.</summary>
    public int HeadBytes { get; set; }

    /// <summary>Connections to backends: one, or none.</summary>
    public int Upstreams => _exchange.WatchedUpstream is null ? 0 : 1;

    /// <summary>Bytes that it held at the last tick.</summary>
    public long HeldBytes { get; private set; }

    /// <summary>Bytes that it holds; on the tick, within the gate.</summary>
    public long Measure(long nowMs)
    {
        long buffers = _exchange.WatchedUpstream is { } upstream
            ? _memory.Look(upstream, null, _responding, nowMs, _context.ClientLimits.MemoryIsTight)
            : 0;
        return HeldBytes = OverloadLimits.ClientRequestBytes + _head.Length + _upload.HeldBytes + buffers;
    }

    /// <summary>
    /// Like that of an HTTP/1 connection; here it is the stream's window by which a client takes hardly anything. On the tick, within the
    /// gate.
    /// </summary>
    private void OnRates(long nowMs)
    {
        bool counts = _isBegun && _exchange.TimeoutMs > 0 && !_isTunnel;
        if (_taking.IsBelow(counts && _sender.AwaitsWindow, _sender.BodyBytes, nowMs))
        {
            ForwardingLog.TooSlow(_context, _connection.Identity, _exchange, FailureReasons.TakingTooSlowly);
            _connection.Session.Reset(Slot, ErrorCode.Cancel);
            OnGone();
        }
        else if (
            _giving.IsBelow(
                counts && !_responding && !_awaitsContinue && _upload.AwaitsClient && Request.Framing.Kind == BodyKind.Length,
                _upload.BodyBytes,
                nowMs
            )
        )
        {
            _exchange.Abort(ProxyError.ClientTimeout);
        }
    }

    /// <summary>What it holds now, of the request that it serves now; on the tick, within the gate.</summary>
    public ClientHolding Survey()
    {
        _surveyed = _serial;
        return new ClientHolding(this, HeldBytes, 0, Upstreams, isIdle: false);
    }

    /// <inheritdoc/>
    void ISheddable.CloseIfIdle()
    {
        // It never is.
    }

    /// <inheritdoc/>
    public bool IsEnding { get; private set; }

    /// <inheritdoc/>
    public void Shed()
    {
        lock (_connection.Gate)
        {
            // It may serve another request by now, perhaps another client's.
            if (!_connection.IsServing(this) || _surveyed != _serial)
            {
                return;
            }

            IsEnding = true;
            _exchange.Abort(ProxyError.Overloaded);
            if (!_responding)
            {
                return;
            }

            _connection.Session.Reset(Slot, ErrorCode.EnhanceYourCalm);
            OnGone();
        }

        _connection.Writer.FlushSoon();
    }
}
