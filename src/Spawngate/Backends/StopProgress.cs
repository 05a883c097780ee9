using Spawngate.Runtime;
using Spawngate.Workloads;

namespace Spawngate.Backends;

/// <summary>Why a backend is stopped.</summary>
internal enum StopReason
{
    /// <summary>Nobody used it for its idle timeout.</summary>
    Idle,

    /// <summary>Its health checks failed; it is started anew.</summary>
    Unhealthy,

    /// <summary>The admin API asked for a restart.</summary>
    Restart,

    /// <summary>Its start failed and left something to end.</summary>
    StartFailed,

    /// <summary>The admin API asked for a stop.</summary>
    Asked,

    /// <summary>A reload removed it.</summary>
    Removed,

    /// <summary>The gateway stops.</summary>
    GatewayStop,

    /// <summary>It ended by itself.</summary>
    Exited,

    /// <summary>It has lived as long as it may.</summary>
    Lifetime,
}

/// <summary>How far a stop has come.</summary>
internal enum StopStage
{
    /// <summary>The launch was cancelled and its answer is awaited.</summary>
    AwaitingLaunch,

    /// <summary>Requests in flight may finish.</summary>
    Draining,

    /// <summary>SIGTERM was sent.</summary>
    Terminating,

    /// <summary>SIGKILL was sent.</summary>
    Killing,
}

/// <summary>
/// One stop in progress: from leaving Starting, Ready or Unhealthy until Stopped. Every stage has a deadline, so no stop lasts for ever.
/// <code>
///   launch under way ─▶ AwaitingLaunch ── launched too late ──┐
///   in flight ────────▶ Draining ──▶ Terminating ──▶ Killing ◀┘ ──▶ given up
///   otherwise ──────────────────────▶                 each ends at once with the exit
/// </code>
/// </summary>
internal sealed class StopProgress
{
    private readonly BackendInstance _instance;
    private readonly Backend _backend;
    private readonly BackendEnvironment _env;
    private readonly LifecycleReport _report;
    private readonly long _beganMs;

    /// <summary>Makes a stop that has yet to take its first step.</summary>
    public StopProgress(StopReason reason, BackendInstance instance, Backend backend, BackendEnvironment env, LifecycleReport report)
    {
        Reason = reason;
        StartAfter = reason is StopReason.Unhealthy or StopReason.Restart;
        _instance = instance;
        _backend = backend;
        _env = env;
        _report = report;
        _beganMs = env.Clock.NowMs;
    }

    /// <summary>Why it stops; a stop that was asked for takes over from an idle stop, a removal from any.</summary>
    public StopReason Reason { get; set; }

    /// <summary>Whether a start follows even if no request waits.</summary>
    public bool StartAfter { get; set; }

    /// <summary>How far it has come.</summary>
    public StopStage Stage { get; private set; }

    /// <summary>When the stage ends at the latest, on the coarse clock.</summary>
    public long DeadlineMs { get; private set; } = long.MaxValue;

    /// <summary>Milliseconds since it began.</summary>
    public long ElapsedMs => _env.Clock.NowMs - _beganMs;

    /// <summary>
    /// Whether a request that counts as use may call it off: it is an idle stop that only waits for passive requests, so nothing has been
    /// done to the instance yet, and nobody wants another one.
    /// </summary>
    public bool MayResume => Reason == StopReason.Idle && Stage == StopStage.Draining && !StartAfter;

    /// <summary>Whether arriving requests are held for the start that follows, instead of refused.</summary>
    public static bool Holds(StopReason reason) =>
        reason is StopReason.Idle or StopReason.Unhealthy or StopReason.Restart or StopReason.StartFailed;

    /// <summary>Whether such a stop was somebody's will, so that earlier failures are forgotten.</summary>
    public bool IsRegular => Reason is not (StopReason.Unhealthy or StopReason.StartFailed or StopReason.Exited);

    /// <summary>Takes the first step. False when there is nothing to end.</summary>
    /// <param name="inFlight">Requests to wait for.</param>
    /// <param name="killReason">Set when the instance gets no time to end by itself: why.</param>
    public bool Begin(long inFlight, string? killReason = null)
    {
        if (Reason == StopReason.Idle && inFlight > 0)
        {
            // Until it is asked to end the instance keeps its connections and its probe: it may be needed again.
            Enter(StopStage.Draining, _backend.Config.DrainTimeoutSecs * 1000L);
            return true;
        }

        LetGo();
        if (_instance.IsLaunching)
        {
            Enter(StopStage.AwaitingLaunch, WorkloadLimits.KillWaitMs);
            _instance.CancelLaunch();
        }
        else if (_instance.Workload is null)
        {
            return false;
        }
        else if (killReason is not null)
        {
            Kill(killReason);
        }
        else if (inFlight > 0)
        {
            Enter(StopStage.Draining, _backend.Config.DrainTimeoutSecs * 1000L);
        }
        else
        {
            Terminate();
        }

        return true;
    }

    /// <summary>Asks the instance to end.</summary>
    public void Terminate()
    {
        LetGo();
        long graceMs = _backend.Config.ShutdownGracePeriodSecs * 1000L;
        Enter(StopStage.Terminating, graceMs);
        _instance.Workload!.Terminate(graceMs);
    }

    /// <summary>Ends the instance for certain.</summary>
    public void Kill(string reason)
    {
        Enter(StopStage.Killing, WorkloadLimits.KillWaitMs);
        _report.Killing(_instance, reason, ElapsedMs);
        _instance.Workload!.Kill();
    }

    /// <summary>The stage has lasted too long. False when nothing more can be done and the instance is given up.</summary>
    public bool OnDeadline()
    {
        switch (Stage)
        {
            case StopStage.Draining:
                _report.DrainCut(_instance, _backend.Word.InFlight, ElapsedMs);
                _instance.Pool?.Abort();
                Terminate();
                return true;
            case StopStage.Terminating:
                Kill("grace period");
                return true;
            default:
                LifecycleLog.GivenUp(_env.Log, _backend.Name, _instance.Workload?.Description ?? "launch", ElapsedMs);
                return false;
        }
    }

    /// <summary>Cuts what is in flight and kills, unless that was done or the launcher's answer is awaited.</summary>
    public void KillNow()
    {
        if (Stage is StopStage.Draining or StopStage.Terminating)
        {
            _instance.Pool?.Abort();
            Kill("asked to end at once");
        }
    }

    /// <summary>The reason as the log and the admin API name it.</summary>
    public static string Name(StopReason reason) =>
        reason switch
        {
            StopReason.Idle => "idle",
            StopReason.Unhealthy => "unhealthy",
            StopReason.Restart => "restart",
            StopReason.StartFailed => "start failed",
            StopReason.Asked => "asked",
            StopReason.Removed => "removed",
            StopReason.GatewayStop => "gateway stops",
            StopReason.Lifetime => "lifetime limit",
            _ => "exited by itself",
        };

    private void LetGo()
    {
        _instance.StopProbing();
        _instance.Pool?.Retire();
    }

    private void Enter(StopStage stage, long lengthMs)
    {
        Stage = stage;
        // The coarse clock may be a tick behind, so a tick is added: never early.
        DeadlineMs = _env.Clock.NowMs + lengthMs + RuntimeLimits.ClockTickMs;
    }
}
