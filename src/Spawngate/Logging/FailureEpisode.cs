using Spawngate.Runtime;

namespace Spawngate.Logging;

/// <summary>
/// Something that fails many times in a row for one reason, as accepting does without descriptors: told when it begins, now and then while
/// it lasts, and when it is over, which is when it has not failed for a while.
/// </summary>
/// <remarks>
/// <code>
///  Quiet ── Add: begins ──▶ Failing ──┬─ Add: counted
///    ▲                       │        └─ look, a minute after the last word: goes on
///    └── look: over ─────────┘  no failure for FailureQuietMs
/// </code>
/// There is a timer only while it lasts.
/// </remarks>
/// <param name="time">The time.</param>
/// <param name="begins">Told with the error.</param>
/// <param name="goesOn">Told with the latest error, the number of failures so far, and the milliseconds since the first.</param>
/// <param name="over">Told with the number of failures and the milliseconds from the first to the last.</param>
internal sealed class FailureEpisode(TimeProvider time, Action<string> begins, Action<string, long, long> goesOn, Action<long, long> over)
{
    private readonly Lock _gate = new();
    private ITimer? _looking;
    private string _error = "";
    private long _failures;
    private long _first;
    private long _last;
    private long _said;

    /// <summary>It has failed.</summary>
    public void Add(string error)
    {
        lock (_gate)
        {
            _last = time.GetTimestamp();
            _error = error;
            _failures++;
            if (_looking is not null)
            {
                return;
            }

            _failures = 1;
            _first = _said = _last;
            var period = TimeSpan.FromMilliseconds(LoggingLimits.FailureLookMs);
            _looking = time.CreateTimer(
                static episode => CallbackGuard.Run(((FailureEpisode)episode!).Look, nameof(FailureEpisode)),
                this,
                period,
                period
            );

            // Who adds is mostly a loop that is to go on.
            CallbackGuard.Run(() => begins(error), nameof(FailureEpisode));
        }
    }

    private void Look()
    {
        lock (_gate)
        {
            if (_looking is null)
            {
                return;
            }

            long now = time.GetTimestamp();
            if (time.GetElapsedTime(_last, now).TotalMilliseconds >= LoggingLimits.FailureQuietMs)
            {
                _looking.Dispose();
                _looking = null;
                over(_failures, Ms(_last));
            }
            else if (time.GetElapsedTime(_said, now).TotalMilliseconds >= LoggingLimits.FailureSayMs)
            {
                _said = now;
                goesOn(_error, _failures, Ms(now));
            }
        }
    }

    private long Ms(long until) => (long)time.GetElapsedTime(_first, until).TotalMilliseconds;
}
