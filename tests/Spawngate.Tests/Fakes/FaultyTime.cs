namespace Spawngate.Tests.Fakes;

/// <summary>Time that throws when it is asked, once a test wants it to: a fault in the middle of whatever asks.</summary>
internal sealed class FaultyTime : TimeProvider
{
    private readonly FakeTime _time = new();

    /// <summary>From now on it throws.</summary>
    public bool Fails { get; set; }

    public override long TimestampFrequency => _time.TimestampFrequency;

    public override long GetTimestamp() => Fails ? throw new OutOfMemoryException("injected") : _time.GetTimestamp();

    public override DateTimeOffset GetUtcNow() => _time.GetUtcNow();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        _time.CreateTimer(callback, state, dueTime, period);

    public void AdvanceMs(long ms) => _time.AdvanceMs(ms);
}
