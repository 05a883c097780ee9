using System.Text.Json.Serialization;
using Spawngate.Backends;
using Spawngate.Telemetry.History;

namespace Spawngate.Admin;

/// <summary>The state of one backend at one moment, as the admin API shows it.</summary>
internal sealed record BackendReport
{
    /// <summary>Key of the backend in the configuration: the host that it serves.</summary>
    public required string Hostname { get; init; }

    /// <summary>Its name, if that is not the host.</summary>
    public string? GivenName { get; init; }

    /// <summary>By what the admin API, logs and metrics know it.</summary>
    public string Name => GivenName ?? Hostname;

    /// <summary>Phase of the backend.</summary>
    public required BackendPhase State { get; init; }

    /// <summary>Port it listens on; null when it is chosen at each start and nothing runs.</summary>
    public int? Port { get; init; }

    /// <summary>Requests and tunnels that hold it.</summary>
    public int InFlight { get; init; }

    /// <summary>Those of <see cref="InFlight"/> that do not keep it awake (<c>no_wake</c>).</summary>
    public int PassiveCount { get; init; }

    /// <summary>Those that do.</summary>
    public int InUse => InFlight - PassiveCount;

    /// <summary>Requests held until it is ready and has room for them.</summary>
    public int Waiting { get; init; }

    /// <summary>Requests that may be in flight at once, tunnels not counted (<c>max_concurrency</c>); 0 for no limit.</summary>
    public int MaxConcurrency { get; init; }

    /// <summary>Those of <see cref="InFlight"/> that are tunnels.</summary>
    public int Tunnels { get; init; }

    /// <summary>Requests that were answered for it since Spawngate started.</summary>
    public long RequestsTotal { get; init; }

    /// <summary>Those of them that were turned away because it did not run and they do not wake it (<c>no_wake</c>).</summary>
    public long TurnedAwayTotal { get; init; }

    /// <summary>Its kind as the configuration file spells it.</summary>
    public string Kind { get; init; } = "";

    /// <summary>Template of a session, <c>-</c> for one without; null for a backend of the file.</summary>
    public string? Session { get; init; }

    /// <summary>Number of its latest start, 0 before the first; so also how often it was started.</summary>
    public int InstanceNumber { get; init; }

    /// <summary>Process id; null when nothing runs or for a container.</summary>
    public int? Pid { get; init; }

    /// <summary>What runs, for people: <c>pid 1234</c>, <c>container 0a1b…</c>; null when nothing does.</summary>
    public string? Description { get; init; }

    /// <summary>
    /// What the kinds of backends add, in the order in which it is told: <see cref="Config.BackendKinds.ReportFields"/>. Null for what its
    /// own kind does not have, and for what only an instance has when nothing runs.
    /// </summary>
    public IReadOnlyList<KeyValuePair<string, string?>> Fields { get; init; } = [];

    /// <summary>How the latest start went; null before the first.</summary>
    public StartReport? LastStart { get; init; }

    /// <summary>Since when the current start is ready; null when none is.</summary>
    public DateTime? ReadySince { get; init; }

    /// <summary>Seconds since then.</summary>
    public long? UptimeSecs { get; init; }

    /// <summary>Starts that failed since the last one that became ready.</summary>
    public int FailuresInARow { get; init; }

    /// <summary>Seconds until the next start is tried after failures; null when it may start at once.</summary>
    public int? RetryAfterSecs { get; init; }

    /// <summary>Cause of the latest failed start or health failure; null when there was none.</summary>
    public string? LastFailure { get; init; }

    /// <summary>Failed health checks in a row of the current instance.</summary>
    public int FailedChecks { get; init; }

    /// <summary>Seconds without use after which it stops; 0 means never.</summary>
    public int IdleTimeoutSecs { get; init; }

    /// <summary>Seconds for which a lease holds it at least, by its own word; null when none does.</summary>
    public int? LeaseSecs { get; init; }

    /// <summary>When that lease was given or renewed last; null when none holds.</summary>
    public DateTime? LeaseRenewedAt { get; init; }

    /// <summary>Seconds until it stops if nobody uses it; null while it is in use, does not run, or never stops for idleness.</summary>
    public int? IdleStopInSecs { get; init; }

    /// <summary>Why it stops now; null when it is not stopping.</summary>
    public string? StoppingBecause { get; init; }

    /// <summary>Why it stopped last; null when it never did.</summary>
    public string? LastStopReason { get; init; }

    /// <summary>The latest entry of its history; null when it was never woken.</summary>
    public HistoryEvent? LastEvent { get; init; }

    /// <summary>The state as programs get it.</summary>
    public string StateName => NameOf(State);

    /// <summary>A state as programs get it.</summary>
    public static string NameOf(BackendPhase phase) =>
        phase switch
        {
            BackendPhase.Stopped => "stopped",
            BackendPhase.Starting => "starting",
            BackendPhase.Ready => "ready",
            BackendPhase.Unhealthy => "unhealthy",
            _ => "stopping",
        };

    /// <summary>Whether its numbers are others than at an earlier moment: that a second of its idle time has passed is no change.</summary>
    public bool HasOtherNumbersThan(BackendReport earlier) =>
        InFlight != earlier.InFlight
        || PassiveCount != earlier.PassiveCount
        || Waiting != earlier.Waiting
        || Tunnels != earlier.Tunnels
        || RequestsTotal != earlier.RequestsTotal
        || LeaseRenewedAt != earlier.LeaseRenewedAt
        || (IdleStopInSecs ?? int.MaxValue) > (earlier.IdleStopInSecs ?? int.MaxValue)
        || (IdleStopInSecs is null) != (earlier.IdleStopInSecs is null);
}

/// <summary>Body of <c>GET /backends/{host}</c>: the report, and what holds and happened to the backend.</summary>
/// <param name="Report">The report.</param>
internal sealed record BackendDetails(BackendReport Report)
{
    /// <summary>The gateway's clock.</summary>
    public DateTime Time { get; init; }

    /// <summary>When it stops if nobody uses it until then; null when that cannot be said.</summary>
    public DateTime? IdleStopAt { get; init; }

    /// <summary>Its open requests and tunnels, oldest first.</summary>
    public IReadOnlyList<ActiveRequest> HeldBy { get; init; } = [];

    /// <summary>Its last events, oldest first.</summary>
    public IReadOnlyList<HistoryEvent> History { get; init; } = [];
}

/// <summary>First event of <c>GET /events</c>.</summary>
/// <param name="Instance">Random; another one after a restart.</param>
/// <param name="Time">The gateway's clock.</param>
internal sealed record HelloEvent(string Instance, DateTime Time);

/// <summary>An entry of a history, in <c>GET /events</c>.</summary>
/// <param name="Hostname">Whose: the host.</param>
/// <param name="GivenName">Its name, if that is not the host.</param>
/// <param name="Entry">The entry.</param>
internal sealed record HistoryItem(string Hostname, string? GivenName, HistoryEvent Entry);

/// <summary>A session has ended, in <c>GET /events</c>.</summary>
/// <param name="Hostname">Its host.</param>
/// <param name="GivenName">Its name, if that is not the host.</param>
internal sealed record GoneEvent(string Hostname, string? GivenName);

/// <summary>Numbers that have changed, in <c>GET /events</c>.</summary>
/// <param name="Time">The gateway's clock.</param>
/// <param name="Backends">Those whose numbers are others than in the last sample.</param>
internal sealed record SampleEvent(DateTime Time, IReadOnlyList<BackendReport> Backends);

/// <summary>Times and causes of one start.</summary>
internal sealed record StartReport
{
    /// <summary>Milliseconds from the decision to start until the process or container was created.</summary>
    public double? SpawnMs { get; init; }

    /// <summary>Milliseconds from the decision to start until the port accepted.</summary>
    public double? ListenMs { get; init; }

    /// <summary>Milliseconds from the decision to start until it was ready; null if it is not (yet).</summary>
    public double? ReadyMs { get; init; }

    /// <summary>What made it ready: <c>health</c>, <c>callback</c> or <c>connect</c>; null if it is not (yet).</summary>
    public string? Signal { get; init; }

    /// <summary>For people: how that was judged, and by what it is watched since; null if it is not ready (yet).</summary>
    public string? Judged { get; init; }

    /// <summary>Who woke it.</summary>
    public string? Cause { get; init; }
}

/// <summary>Body of <c>GET /backends</c>.</summary>
/// <param name="Backends">All backends, in file order.</param>
/// <param name="Time">The gateway's clock.</param>
internal sealed record BackendList(IReadOnlyList<BackendReport> Backends, DateTime Time);

/// <summary>Body of <c>GET /version</c>.</summary>
/// <param name="Name">Name of the program.</param>
/// <param name="Version">Its version.</param>
internal sealed record VersionReport(string Name, string Version);

/// <summary>Body of every error of the admin API.</summary>
/// <param name="Code">For programs.</param>
/// <param name="Message">For people.</param>
/// <param name="Status">The HTTP status.</param>
internal sealed record AdminErrorBody(string Code, string Message, int Status);

/// <summary>
/// Serialisation code for the small JSON bodies of the admin API, generated at build time because native AOT has no reflection;
/// <see cref="ReportJson"/> writes the large ones.
/// </summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(VersionReport))]
[JsonSerializable(typeof(AdminErrorBody))]
[JsonSerializable(typeof(BackendLogLine))]
internal sealed partial class AdminJson : JsonSerializerContext;
