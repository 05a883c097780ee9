using Spawngate.Upstreams;

namespace Spawngate.Backends;

/// <summary>Phase of a backend, as the admin API names it in lower case.</summary>
internal enum BackendPhase
{
    /// <summary>Nothing runs.</summary>
    Stopped,

    /// <summary>Launched, not yet ready; requests are held.</summary>
    Starting,

    /// <summary>Requests are admitted.</summary>
    Ready,

    /// <summary>Health checks fail; requests get 503 and a restart is under way.</summary>
    Unhealthy,

    /// <summary>Draining, terminating or being killed.</summary>
    Stopping,
}

/// <summary>Outcome of asking to be admitted to a backend.</summary>
internal enum AdmissionOutcome
{
    /// <summary>A lease was given.</summary>
    Admitted,

    /// <summary>503 BACKEND_START_FAILED.</summary>
    StartFailed,

    /// <summary>503 BACKEND_UNHEALTHY.</summary>
    Unhealthy,

    /// <summary>503 BACKEND_SHUTTING_DOWN.</summary>
    ShuttingDown,

    /// <summary>503 QUEUE_FULL.</summary>
    QueueFull,

    /// <summary>503 NOT_RUNNING: the request does not wake the backend.</summary>
    NotRunning,

    /// <summary>The backend was not ready within the moment that the request would wait.</summary>
    NotYet,

    /// <summary>The waiter was cancelled by its owner (the client left).</summary>
    Cancelled,
}

/// <summary>One start of a backend: what requests need to reach it.</summary>
/// <param name="Generation">Number of the start.</param>
/// <param name="Pool">Connections to it.</param>
internal sealed record BackendRun(int Generation, UpstreamPool Pool)
{
    /// <summary>The steps of its start.</summary>
    public StartSteps Steps { get; init; }
}

/// <summary>Exact times of the steps of a start.</summary>
/// <param name="Woken">When the request or call that woke it arrived.</param>
/// <param name="Spawned">When the process or container was there.</param>
/// <param name="Ready">When it was ready; 0 when there was no start to wait for.</param>
internal readonly record struct StartSteps(long Woken, long Spawned, long Ready);

/// <summary>Answer to a held request.</summary>
/// <param name="Outcome">What was decided.</param>
/// <param name="Run">The run that was entered; only with <see cref="AdmissionOutcome.Admitted"/>, and then <c>Backend.Leave(run)</c> must be called exactly once.</param>
/// <param name="RetryAfterSecs">Seconds until a new start is tried, 0 when unknown.</param>
internal readonly record struct Admission(AdmissionOutcome Outcome, BackendRun? Run, int RetryAfterSecs);
