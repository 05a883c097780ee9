using Spawngate.Config;
using Spawngate.Telemetry.History;

namespace Spawngate.Backends;

/// <summary>By which signal a start became ready.</summary>
internal enum ReadySignal
{
    /// <summary>A health check succeeded (or the port accepted, without a health path).</summary>
    Health,

    /// <summary>The backend called its ready URL.</summary>
    Callback,

    /// <summary>It was started with a listening socket, in whose backlog requests wait.</summary>
    Socket,
}

/// <summary>How long the steps of one start took, each in milliseconds since the request (or call) that woke it.</summary>
/// <param name="SpawnMs">The process or container was started.</param>
/// <param name="ListenMs">The first TCP connection was accepted; null when the callback came before a probe saw it.</param>
/// <param name="ReadyMs">It was ready.</param>
/// <param name="Signal">By which signal.</param>
/// <param name="Judged">For people: how it was judged, and by what it is watched from then on.</param>
internal sealed record StartTimings(double SpawnMs, double? ListenMs, double ReadyMs, ReadySignal Signal, string Judged);

/// <summary>What the ready URL answers.</summary>
internal enum ReadyCallbackOutcome
{
    /// <summary>The starting backend is ready now.</summary>
    Accepted,

    /// <summary>No backend has that name.</summary>
    UnknownHost,

    /// <summary>Nothing is starting.</summary>
    NotStarting,

    /// <summary>Neither the token of the current start nor the admin token was given.</summary>
    Unauthorised,
}

/// <summary>One backend as the admin API shows it.</summary>
internal sealed record BackendStatus
{
    /// <summary>Host name it serves.</summary>
    public required string Hostname { get; init; }

    /// <summary>Its name, if that is not the host.</summary>
    public string? GivenName { get; init; }

    /// <summary>What kind of thing it is.</summary>
    public required BackendKind Kind { get; init; }

    /// <summary>The phase.</summary>
    public required BackendPhase Phase { get; init; }

    /// <summary>Loopback port of the current instance; 0 when there is none.</summary>
    public int Port { get; init; }

    /// <summary>Requests and tunnels in flight.</summary>
    public long InFlight { get; init; }

    /// <summary>Those of <see cref="InFlight"/> that do not count as use.</summary>
    public long PassiveCount { get; init; }

    /// <summary>Requests held.</summary>
    public int Waiting { get; init; }

    /// <summary>Number of the latest start; 0 when it was never started.</summary>
    public int InstanceNumber { get; init; }

    /// <summary>Process id of the current instance; null for containers and when nothing runs.</summary>
    public int? Pid { get; init; }

    /// <summary><c>pid 1234</c> or <c>container 0a1b…</c>; null when nothing runs.</summary>
    public string? Workload { get; init; }

    /// <summary>What its kind tells of the current instance; empty when nothing runs.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Facts { get; init; } = [];

    /// <summary>Who woke it the last time; null when it was never started.</summary>
    public string? WokenBy { get; init; }

    /// <summary>Steps of the last start that became ready; null when there was none.</summary>
    public StartTimings? LastStart { get; init; }

    /// <summary>Failed starts in a row.</summary>
    public int FailuresInARow { get; init; }

    /// <summary>Seconds until a request may start it again; 0 when one may now.</summary>
    public int RetryAfterSecs { get; init; }

    /// <summary>The last failure; null when there was none.</summary>
    public string? LastFailure { get; init; }

    /// <summary>Failed health checks in a row of the current instance.</summary>
    public int FailedChecks { get; init; }

    /// <summary>Since when the current start is ready; null when none is.</summary>
    public DateTimeOffset? ReadySince { get; init; }

    /// <summary>The latest event of its history; null when it was never woken.</summary>
    public HistoryEvent? LastEvent { get; init; }

    /// <summary>Seconds for which the instance's lease holds it at least; null when none does.</summary>
    public int? LeaseSecs { get; init; }

    /// <summary>When that lease was given or renewed; null when none holds.</summary>
    public DateTimeOffset? LeaseRenewedAt { get; init; }

    /// <summary>Seconds until it stops if nobody uses it; null when it is in use, not ready, or never stops.</summary>
    public int? IdleStopInSecs { get; init; }

    /// <summary>Why it stops now; null when it is not stopping.</summary>
    public string? StoppingBecause { get; init; }

    /// <summary>Why it stopped the last time; null when it never did.</summary>
    public string? LastStopReason { get; init; }
}
