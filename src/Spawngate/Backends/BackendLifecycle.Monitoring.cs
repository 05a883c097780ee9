using Spawngate.Backends.Probing;

namespace Spawngate.Backends;

/// <content>What the health checks of a running instance bring about.</content>
internal sealed partial class BackendLifecycle
{
    private void OnChecked(ProbeResult result)
    {
        var current = _current!;
        current.IsChecking = false;
        current.RefusedSinceMs =
            !result.IsRefused ? 0
            : current.RefusedSinceMs != 0 ? current.RefusedSinceMs
            : NowMs;
        var answers = _backend.KnownTraffic?.Answers ?? 0;
        var isExcused = result.WasAsked && !result.Healthy && IsExcused(current, result, answers);
        current.NoteChecked(answers, NowMs, result.IsSilent);
        if (State.Phase is not (BackendPhase.Ready or BackendPhase.Unhealthy) || !result.WasAsked || isExcused)
        {
            return;
        }

        if (State.Phase == BackendPhase.Ready)
        {
            OnCheckedReady(current, result);
        }
        else if (result.Healthy)
        {
            current.FailedChecks = 0;
            Queue.Recover(current.InstanceNumber);
            Report.Recovered(current);
        }
        else
        {
            current.FailedChecks++;
            if (_backend.EphemeralLifetime is null)
            {
                BeginStop(StopReason.Unhealthy);
            }
        }
    }

    /// <summary>
    /// Whether a failed check does not count: the instance is busy with a client, or it refuses connections because it starts itself anew,
    /// which is waited for like a start.
    /// </summary>
    private bool IsExcused(BackendInstance current, ProbeResult result, long answers)
    {
        var why =
            result.IsSilent && current.IsBusy(RequestsInFlight, Config.RequestTimeoutSecs, answers, NowMs) ? "busy with requests"
            : result.IsRefused && NowMs - current.RefusedSinceMs < Config.StartupTimeoutSecs * 1000L ? "may be starting anew"
            : null;
        if (why is not null)
        {
            LifecycleLog.CheckExcused(_env.Log, _backend.Name, result.Detail, why);
        }

        return why is not null;
    }

    private long RequestsInFlight => State.Read().InFlight - (Queue.Instance?.Tunnels ?? 0);

    private void OnCheckedReady(BackendInstance current, ProbeResult result)
    {
        if (result.Healthy)
        {
            current.FailedChecks = 0;
            return;
        }

        current.FailedChecks++;
        Report.CheckFailed(current, result.Detail);
        BecomeUnhealthyAtThreshold(current, result.Detail);
    }

    private void BecomeUnhealthyAtThreshold(BackendInstance current, string detail)
    {
        if (current.FailedChecks >= Config.UnhealthyThreshold)
        {
            current.UnhealthyAtMs = NowMs;
            Queue.MarkUnhealthy(current.InstanceNumber);
            Report.Unhealthy(current, detail);
        }
    }
}
