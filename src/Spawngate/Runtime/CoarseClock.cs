namespace Spawngate.Runtime;

/// <summary>
/// Milliseconds since the clock was made, advanced by one coarse tick, so that reading the time costs a memory
/// load. Deadlines, the idle clock and pool ages are compared against it; nothing arms a timer per request.
/// </summary>
internal sealed class CoarseClock : IDisposable
{
    private readonly TimeProvider _time;
    private readonly long _startTimestamp;
    private readonly Action _onTimer;
    private readonly ITimer _timer;
    private readonly Lock _gate = new();
    private Action[] _walkers = [];
    private long _nowMs = 1;
    private int _ticking;

    /// <summary>Starts ticking on <paramref name="time"/>.</summary>
    public CoarseClock(TimeProvider time)
    {
        _time = time;
        _startTimestamp = time.GetTimestamp();
        _onTimer = OnTimer;
        var period = TimeSpan.FromMilliseconds(RuntimeLimits.ClockTickMs);
        _timer = time.CreateTimer(
            static state => CallbackGuard.Run(((CoarseClock)state!)._onTimer, nameof(CoarseClock)),
            this,
            period,
            period
        );
    }

    /// <summary>
    /// Raised on every tick, on a pool thread, never overlapping itself. What throws is logged, and called again at the next tick; the
    /// others are called as ever.
    /// </summary>
    public event Action Tick
    {
        add => Change(walkers => [.. walkers, value]);
        remove =>
            Change(walkers =>
                Array.IndexOf(walkers, value) is >= 0 and var place ? [.. walkers[..place], .. walkers[(place + 1)..]] : walkers
            );
    }

    /// <summary>Milliseconds since start, at most <see cref="RuntimeLimits.ClockTickMs"/> old; never 0, so 0 can mean "none".</summary>
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

        foreach (var walker in Volatile.Read(ref _walkers))
        {
            CallbackGuard.Run(walker, nameof(CoarseClock));
        }

        Volatile.Write(ref _ticking, 0);
    }

    private void Change(Func<Action[], Action[]> change)
    {
        lock (_gate)
        {
            Volatile.Write(ref _walkers, change(_walkers));
        }
    }
}
