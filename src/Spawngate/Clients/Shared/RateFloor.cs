using Spawngate.Forwarding;

namespace Spawngate.Clients.Shared;

/// <summary>
/// Whether a client that holds something up moves at least <see cref="ForwardingLimits.RateBytesMin"/> in <see cref="ForwardingLimits.RateWindowMs"/>: one that
/// moves a byte now and then would hold it for ever, as each byte puts the deadline off. On the tick.
/// </summary>
internal struct RateFloor
{
    private long _sinceMs;
    private long _fromBytes;
    private bool _isPaused;

    /// <summary>Something else is moved from now on, and counted anew; from any thread.</summary>
    public void Restart() => Volatile.Write(ref _sinceMs, 0);

    /// <summary>
    /// True when it has moved too little for a whole window, in which it held something up at every look, or at all but single ones.
    /// </summary>
    /// <param name="holdsUp">True while it is the client that everything waits for.</param>
    /// <param name="bytes">Bytes that it has moved, counted from any moment on.</param>
    /// <param name="nowMs">Coarse time.</param>
    public bool IsBelow(bool holdsUp, long bytes, long nowMs)
    {
        if (!holdsUp)
        {
            // What it has just been given the chance to move is on its way at one look, and not at two.
            _sinceMs = _isPaused ? 0 : _sinceMs;
            _isPaused = true;
            return false;
        }

        _isPaused = false;

        bool begins = _sinceMs == 0 || bytes < _fromBytes;
        if (!begins && nowMs - _sinceMs < ForwardingLimits.RateWindowMs)
        {
            return false;
        }

        bool isBelow = !begins && bytes - _fromBytes < ForwardingLimits.RateBytesMin;
        (_sinceMs, _fromBytes) = (nowMs, bytes);
        return isBelow;
    }
}
