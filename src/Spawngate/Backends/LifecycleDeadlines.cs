using Spawngate.Config;
using Spawngate.Runtime;
using Spawngate.Workloads.Processes;

namespace Spawngate.Backends;

/// <summary>
/// When a lifecycle has to act next, computed anew after every message: numbers on the coarse clock that the shared tick compares.
/// </summary>
internal sealed class LifecycleDeadlines(Backend backend, BackendState state, StartBackoff backoff, CoarseClock clock)
{
    /// <summary>Nothing is due.</summary>
    public const long Never = long.MaxValue;

    /// <summary>The earliest deadline.</summary>
    /// <param name="current">The current start; null when Stopped.</param>
    /// <param name="stop">The stop in progress.</param>
    /// <param name="queue">Who waits.</param>
    public long Next(BackendInstance? current, StopProgress? stop, AdmissionQueue queue)
    {
        if (current is null)
        {
            return Never;
        }

        switch (state.Phase)
        {
            case BackendPhase.Starting:
                var startDue = current.PortRetryMs != 0 ? current.PortRetryMs : current.StartDeadlineMs;
                return startDue == 0 ? Never : startDue;
            case BackendPhase.Ready:
                var stableDue = backoff.Failures == 0 ? Never : current.ReadyAtMs + ProcessLimits.StableReadyMs;
                var checkDue = backend.Config.ReadyHealthCheckIntervalMs == 0 ? Never : current.NextCheckMs;
                return Math.Min(Math.Min(stableDue, checkDue), Math.Min(IdleMs(current, queue, queue.Users), OverdueMs(queue)));
            case BackendPhase.Unhealthy:
                return backend.EphemeralLifetime is null ? current.NextCheckMs : Math.Min(current.NextCheckMs, IdleMs(current, queue, 0));
            case BackendPhase.Stopping:
                return stop?.DeadlineMs ?? Never;
            default:
                return Never;
        }
    }

    /// <summary>A moment so many seconds away; the coarse clock may be a tick behind, so a tick is added: never early.</summary>
    public long InSecs(int secs) => clock.NowMs + (secs * 1000L) + RuntimeLimits.ClockTickMs;

    /// <summary>
    /// How long a request waits for queue at a ready backend: as long as for an answer. The coarse clock may be a tick behind, so a tick is
    /// added.
    /// </summary>
    public static long RoomWaitMs(BackendConfig config) =>
        config.RequestTimeoutSecs == 0 ? Never : (config.RequestTimeoutSecs * 1000L) + RuntimeLimits.ClockTickMs;

    private long OverdueMs(AdmissionQueue queue) =>
        RoomWaitMs(backend.Config) is var waitMs && waitMs != Never && queue.RoomSinceMs is { } sinceMs ? sinceMs + waitMs : Never;

    /// <summary>When nothing may keep it any more, or a tunnel of it may cease to.</summary>
    private long IdleMs(BackendInstance current, AdmissionQueue queue, int waiting) =>
        Math.Min(
            IdleClock.EarliestMs(backend.Config, state.Read().InUse + waiting, current.Lease, ref backend.LastUseMs, clock.NowMs),
            queue.Instance?.Watched?.NextLookMs ?? Never
        );
}
