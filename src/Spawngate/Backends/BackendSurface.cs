using Spawngate.Telemetry;
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

    /// <summary>It is ready, and as many requests are in flight as may be: one that does not wake it may wait for room.</summary>
    NoRoom,

    /// <summary>504 REQUEST_TIMEOUT: there was no room for it in time.</summary>
    TimedOut,

    /// <summary>The waiter was cancelled by its owner (the client left).</summary>
    Cancelled,
}

/// <summary>One start of a backend: what requests need to reach it.</summary>
/// <param name="instanceNumber">Number of the start.</param>
/// <param name="pool">Connections to it.</param>
internal sealed class ReadyInstance(int instanceNumber, UpstreamPool pool)
{
    private int _tunnels;
    private WatchedTunnels? _watched;

    /// <summary>Number of the start.</summary>
    public int InstanceNumber => instanceNumber;

    /// <summary>Connections to it.</summary>
    public UpstreamPool Pool => pool;

    /// <summary>Those in flight that have become tunnels: they take up no room.</summary>
    public int Tunnels => Volatile.Read(ref _tunnels);

    /// <summary>Adds a tunnel, or takes one off. A full fence: what is looked at next is not older.</summary>
    public void ChangeTunnels(int change) => Interlocked.Add(ref _tunnels, change);

    /// <summary>Those of them that count as use only while data passes; null when there was none.</summary>
    public WatchedTunnels? Watched => Volatile.Read(ref _watched);

    /// <summary>The same, made if need be.</summary>
    public WatchedTunnels Watch(Func<WatchedTunnels> make) =>
        Watched ?? Interlocked.CompareExchange(ref _watched, make(), null) ?? _watched;

    /// <summary>The steps of its start.</summary>
    public StartSteps Steps { get; init; }
}

/// <summary>Answer to a held request.</summary>
/// <param name="Outcome">What was decided.</param>
/// <param name="Instance">
/// The instance that was entered; only with <see cref="AdmissionOutcome.Admitted"/>, and then <c>Backend.Leave(instance)</c> must be called
/// exactly once.
/// </param>
/// <param name="RetryAfterSecs">Seconds until a new start is tried, 0 when unknown.</param>
internal readonly record struct Admission(AdmissionOutcome Outcome, ReadyInstance? Instance, int RetryAfterSecs);
