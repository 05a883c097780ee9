namespace Spawngate.Diagnostics;

/// <summary>
/// Milliseconds since the clock was made, advanced by one coarse tick, so that reading the time costs a memory
/// load. Deadlines, the idle clock and pool ages are compared against it; nothing arms a timer per request.
/// </summary>
internal sealed class CoarseClock : IDisposable
{
    private readonly TimeProvider _time;
    private readonly long _startTimestamp;
    private readonly ITimer _timer;
    private long _nowMs = 1;
    private int _ticking;

    /// <summary>Starts ticking on <paramref name="time"/>.</summary>
    public CoarseClock(TimeProvider time)
    {
        _time = time;
        _startTimestamp = time.GetTimestamp();
        var period = TimeSpan.FromMilliseconds(Limits.ClockTickMs);
        _timer = time.CreateTimer(static state => ((CoarseClock)state!).OnTimer(), this, period, period);
    }

    /// <summary>Raised on every tick, on a pool thread, never overlapping itself.</summary>
    public event Action? Tick;

    /// <summary>Milliseconds since start, at most <see cref="Limits.ClockTickMs"/> old; never 0, so 0 can mean "none".</summary>
    public long NowMs => Volatile.Read(ref _nowMs);

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private void OnTimer()
    {
        Volatile.Write(ref _nowMs, 1 + (long)_time.GetElapsedTime(_startTimestamp).TotalMilliseconds);
        if (Interlocked.Exchange(ref _ticking, 1) != 0)
        {
            return; // The previous tick is still walking; this one's work is done by it or by the next.
        }

        try
        {
            Tick?.Invoke();
        }
        finally
        {
            Volatile.Write(ref _ticking, 0);
        }
    }
}
