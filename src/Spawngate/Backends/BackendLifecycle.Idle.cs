namespace Spawngate.Backends;

/// <content>What keeps an instance that runs, and when it stops because nothing does.</content>
internal sealed partial class BackendLifecycle
{
    private void StopIfIdle(BackendInstance current, long nowMs)
    {
        Queue.Instance?.Watched?.Look(nowMs);
        var lastUseMs = Volatile.Read(ref _backend.LastUseMs);
        if (nowMs < IdleClock.DueMs(Config, lastUseMs))
        {
            return;
        }

        var isDue = nowMs >= IdleClock.DueMs(Config, IdleClock.UsedUntilMs(lastUseMs, current.Lease));
        if (isDue && Queue.TryBeginIdleStop(current.InstanceNumber, lastUseMs, ref _backend.LastUseMs, out var passiveCount))
        {
            EnterStopping(current, StopReason.Idle, passiveCount);
            Queue.Instance?.Watched?.CloseQuiet();
            return;
        }

        Report.KeptAwake(current, State.Read().InUse + Queue.Users, Config.IdleTimeoutSecs * 1000L);
    }

    /// <summary>
    /// One that starts once is not restarted for its health, so it may stay unhealthy until it is idle. In this phase nobody is admitted,
    /// so nobody can come in between.
    /// </summary>
    private void StopIfIdleUnhealthy(BackendInstance current, long nowMs)
    {
        Queue.Instance?.Watched?.Look(nowMs);
        if (
            _backend.EphemeralLifetime is not null
            && nowMs >= IdleClock.DueMs(Config, IdleClock.UsedUntilMs(Volatile.Read(ref _backend.LastUseMs), current.Lease))
            && State.Read().InUse == 0
        )
        {
            BeginStop(StopReason.Idle);
            Queue.Instance?.Watched?.CloseQuiet();
        }
    }

    /// <summary>
    /// The instance gives, renews or ends its lease. Of a stop it can call off only one that has done nothing to it yet: for idleness, and
    /// still waiting for what does not count as use.
    /// </summary>
    private void OnLease(LeaseCall call)
    {
        try
        {
            var current = _current!;
            var takesBack = _stop is { MayResume: true } && _backend.EphemeralLifetime is null;
            if (State.Phase == BackendPhase.Stopping && call.Secs > 0 && !takesBack)
            {
                call.Complete(LeaseOutcome.Stopping);
                return;
            }

            // The coarse clock may be a tick behind, so a tick is added: it never ends early.
            var untilMs = call.Secs > 0 ? _deadlines.InSecs(call.Secs) : Math.Min(NowMs, current.Lease?.UntilMs ?? 0);
            current.Lease = new LeaseTerm(untilMs, _env.Time.GetUtcNow());
            if (takesBack && call.Secs > 0)
            {
                var resumed = Queue.Resume(current.InstanceNumber, evenForNobody: true);
                Report.Resumed(current, resumed, _stop!.ElapsedMs, new WakeCause(WakeKind.Lease));
                _stop = null;
            }

            call.Complete(LeaseOutcome.Accepted);
        }
        finally
        {
            call.Complete(LeaseOutcome.TooMany); // Only after a fault: whoever asks waits for an answer.
        }
    }
}
