using Spawngate.Runtime;
using Spawngate.Workloads.Processes;

namespace Spawngate.Backends;

/// <content>What happens when time has passed.</content>
internal sealed partial class BackendLifecycle
{
    /// <summary>Called by the tick: tells the lifecycle, once, that its earliest deadline has passed.</summary>
    public void PostIfDue(long nowMs)
    {
        var due = Volatile.Read(ref _dueAtMs);
        if (due <= nowMs && Interlocked.CompareExchange(ref _dueAtMs, long.MaxValue, due) == due)
        {
            Mailbox.Post(new LifecycleMessage(LifecycleInput.Due));
        }
    }

    /// <summary>The message could not be posted: it is due at the next tick.</summary>
    public void RemainDue(long nowMs) => Volatile.Write(ref _dueAtMs, nowMs);

    // Time.

    private void OnDue(long nowMs)
    {
        if (_current is not { } current)
        {
            return;
        }

        switch (State.Phase)
        {
            case BackendPhase.Starting:
                OnDueStarting(current, nowMs);
                break;
            case BackendPhase.Ready:
                if (nowMs - current.ReadyAtMs >= ProcessLimits.StableReadyMs)
                {
                    _backoff.Reset();
                }

                current.CheckIfDue(Config.ReadyHealthCheckIntervalMs, nowMs);
                Queue.FailOverdue(nowMs, LifecycleDeadlines.RoomWaitMs(Config), ref _backend.LastUseMs);
                StopIfIdle(current, nowMs);
                break;
            case BackendPhase.Unhealthy:
                // Even if monitoring was switched off meanwhile: the next check is the only way out of this phase.
                current.CheckIfDue(Math.Max(RuntimeLimits.ClockTickMs, Config.ReadyHealthCheckIntervalMs), nowMs);
                StopIfIdleUnhealthy(current, nowMs);
                break;
            case BackendPhase.Stopping when nowMs >= _stop!.DeadlineMs:
                OnStopDeadline(_stop);
                break;
        }
    }

    private void OnDueStarting(BackendInstance current, long nowMs)
    {
        if (current.PortRetryMs != 0)
        {
            if (nowMs >= current.PortRetryMs)
            {
                LaunchWhenPortIsFree(current);
            }
        }
        else if (current.StartDeadlineMs != 0 && nowMs >= current.StartDeadlineMs)
        {
            FailStart(current.TooSlow, null, isSlow: true);
        }
    }
}
