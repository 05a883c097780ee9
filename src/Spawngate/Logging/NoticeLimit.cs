namespace Spawngate.Logging;

/// <summary>
/// Lets a few lines of a kind into the log in a period, and counts the rest, so that a fault which comes with every request is told but
/// does not flood it. For cold paths, from any thread.
/// </summary>
internal sealed class NoticeLimit
{
    private readonly Lock _gate = new();
    private long _periodStartMs = long.MinValue / 2;
    private int _passed;
    private int _held;

    /// <summary>True when a line may be written now.</summary>
    /// <param name="nowMs">The time on the coarse clock.</param>
    /// <param name="held">How many have been kept back since one was written.</param>
    public bool TryPass(long nowMs, out int held)
    {
        lock (_gate)
        {
            held = 0;
            if (nowMs - _periodStartMs >= LoggingLimits.NoticePeriodMs)
            {
                _periodStartMs = nowMs;
                _passed = 0;
            }

            if (_passed == LoggingLimits.NoticesPerPeriod)
            {
                _held++;
                return false;
            }

            _passed++;
            held = _held;
            _held = 0;
            return true;
        }
    }
}
