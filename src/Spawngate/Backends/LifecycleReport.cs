using System.Globalization;

namespace Spawngate.Backends;

/// <summary>What a lifecycle tells people: one log line per change, and the view that the admin API reads. It decides nothing.</summary>
internal sealed class LifecycleReport(BackendEnvironment env, Backend backend)
{
    private LifecycleView _view = LifecycleView.Initial;

    /// <summary>What the admin API reads, as of the latest message.</summary>
    public LifecycleView View => Volatile.Read(ref _view);

    /// <summary>Brings the view up to date after a message.</summary>
    public void Publish(Incarnation? current, StopProgress? stop, int failures)
    {
        Volatile.Write(ref _view, _view with
        {
            Port = current?.Port ?? 0,
            Pid = current?.Run?.Pid,
            Run = current?.Run?.Description,
            Container = current?.Run?.Container,
            WokenBy = current?.Cause ?? _view.WokenBy,
            Failures = failures,
            FailedChecks = current?.FailedChecks ?? 0,
            Stopping = stop?.Reason,
        });
    }

    /// <summary>A start begins.</summary>
    public void Starting(Incarnation current) =>
        LifecycleLog.Starting(env.Log, backend.Hostname, current.Cause.ToString(), current.Generation);

    /// <summary>It is ready.</summary>
    public void Ready(Incarnation current, StartTimings timings, int held)
    {
        _view = _view with { LastStart = timings };
        LifecycleLog.Ready(
            env.Log, backend.Hostname, timings.Signal == ReadySignal.Health ? "health check" : "callback", current.Run!.Description,
            current.Port, Ms(timings.SpawnMs), Ms(timings.ListenMs), Ms(timings.ReadyMs), held, Ms(timings.ReadyMs));
    }

    /// <summary>A start failed.</summary>
    public void StartFailed(Incarnation current, string reason, int failures, int held, ExitReport? exit)
    {
        _view = _view with { LastFailure = reason };
        LifecycleLog.StartFailed(
            env.Log, backend.Hostname, reason, failures, StartBackoff.WaitSecs(failures), held,
            Ms(current.SinceWokenMs(env.Time.GetTimestamp())));
        Stderr(exit);
    }

    /// <summary>A ready backend ended by itself.</summary>
    public void Crashed(ExitReport exit, int failures, long inFlight, long readyForMs)
    {
        _view = _view with { LastFailure = $"{exit.Description} while it was ready" };
        LifecycleLog.Crashed(
            env.Log, backend.Hostname, exit.Description, failures, StartBackoff.WaitSecs(failures), inFlight, readyForMs);
        Stderr(exit);
    }

    /// <summary>A health check of a ready backend failed.</summary>
    public void CheckFailed(Incarnation current, string detail) =>
        LifecycleLog.CheckFailed(env.Log, backend.Hostname, detail, current.FailedChecks, backend.Config.UnhealthyThreshold);

    /// <summary>So many did that it is unhealthy.</summary>
    public void Unhealthy(Incarnation current, string detail) =>
        LifecycleLog.Unhealthy(env.Log, backend.Hostname, detail, current.FailedChecks, env.Clock.NowMs - current.ReadyAtMs);

    /// <summary>It is healthy again.</summary>
    public void Recovered(Incarnation current) =>
        LifecycleLog.Recovered(env.Log, backend.Hostname, env.Clock.NowMs - current.UnhealthyAtMs);

    /// <summary>A stop begins.</summary>
    public void Stopping(Incarnation current, StopReason reason, long inFlight) =>
        LifecycleLog.Stopping(
            env.Log, backend.Hostname, StopProgress.Name(reason), inFlight, current.ReadyAtMs == 0 ? 0 : env.Clock.NowMs - current.ReadyAtMs);

    /// <summary>A stop is over.</summary>
    public void Stopped(StopProgress stop, string exitText, ExitReport? exit)
    {
        LifecycleLog.Stopped(env.Log, backend.Hostname, StopProgress.Name(stop.Reason), exitText, stop.ElapsedMs);
        if (stop.Reason == StopReason.StartFailed)
        {
            Stderr(exit);
        }
    }

    /// <summary>A run did not even end after being killed.</summary>
    public void GivenUp() => _view = _view with { LastFailure = "did not end after being killed" };

    /// <summary>A start is over, with all that belonged to it.</summary>
    public void Ended(Incarnation current, StopReason reason) => _view = _view with { LastStop = reason, WokenBy = current.Cause };

    private void Stderr(ExitReport? exit)
    {
        var lines = exit?.LastStderrLines ?? [];
        foreach (var line in lines.Skip(Math.Max(0, lines.Count - Limits.FailureStderrLinesMax)))
        {
            LifecycleLog.StderrLine(env.Log, backend.Hostname, line);
        }
    }

    private static string Ms(double? value) => value is { } ms ? ms.ToString("0.##", CultureInfo.InvariantCulture) : "";
}
