using Spawngate.Logging;

namespace Spawngate.Telemetry.History;

/// <summary>What can happen to a backend, as its history names it.</summary>
internal enum HistoryEventKind : byte
{
    /// <summary>A start begins.</summary>
    Woken,

    /// <summary>It is ready.</summary>
    Ready,

    /// <summary>The start has failed.</summary>
    StartFailed,

    /// <summary>A ready process ended by itself.</summary>
    Crashed,

    /// <summary>Health checks failed too often.</summary>
    Unhealthy,

    /// <summary>It is healthy again.</summary>
    Recovered,

    /// <summary>It would have stopped for idleness, but something was open.</summary>
    KeptAwake,

    /// <summary>A stop begins.</summary>
    Stopping,

    /// <summary>Requests in flight took longer than the drain timeout.</summary>
    Cut,

    /// <summary>It is ended by SIGKILL.</summary>
    Killed,

    /// <summary>The stop is over.</summary>
    Stopped,

    /// <summary>An idle stop that only waited for passive requests was called off.</summary>
    Resumed,
}

/// <summary>One entry of a backend's history. What does not apply is null, and left out of the JSON.</summary>
internal sealed record HistoryEvent
{
    /// <summary>Number of the event, from 1, within its backend.</summary>
    public long Seq { get; init; }

    /// <summary>UTC, to the millisecond.</summary>
    public DateTime Time { get; init; }

    /// <summary>Number of the start it belongs to.</summary>
    public int Start { get; init; }

    /// <summary>What happened.</summary>
    public HistoryEventKind Event { get; init; }

    /// <summary>Why.</summary>
    public string? Reason { get; init; }

    /// <summary>How many requests it concerned.</summary>
    public long? Requests { get; init; }

    /// <summary>Whose request woke it.</summary>
    public HistoryCaller? By { get; init; }

    /// <summary>Milliseconds from the waking request until it was spawned.</summary>
    public double? SpawnMs { get; init; }

    /// <summary>The same until its port accepted.</summary>
    public double? ListenMs { get; init; }

    /// <summary>The same until it was ready.</summary>
    public double? ReadyMs { get; init; }

    /// <summary>Milliseconds that the state lasted which ends here.</summary>
    public long? AfterMs { get; init; }

    /// <summary>How the process ended.</summary>
    public HistoryExit? Exit { get; init; }

    /// <summary>Its last lines of stdout and stderr, in order; kept of the latest failures only.</summary>
    public IReadOnlyList<StreamLine>? Output { get; init; }

    /// <summary>What kept it awake, in words.</summary>
    public string? ActiveRequests { get; init; }

    /// <summary>How many idle timeouts in a row it has been kept awake.</summary>
    public int? Times { get; init; }
}

/// <summary>Who sent the request that woke a backend. A part that is not known is null.</summary>
/// <param name="Method">Method.</param>
/// <param name="Path">Path without the query.</param>
/// <param name="Client">Address of the client.</param>
/// <param name="UserAgent">What its User-Agent says.</param>
internal sealed record HistoryCaller(string? Method, string? Path, string? Client, string? UserAgent)
{
    /// <summary>For the log and for <c>last_start.cause</c>.</summary>
    public override string ToString() => $"{Method} {Path} from {Client}";
}

/// <summary>How a process ended: by an exit or by a signal.</summary>
/// <param name="Status">The exit status; null when it did not exit.</param>
/// <param name="Signal">The signal's number; null when none ended it.</param>
internal sealed record HistoryExit(int? Status, int? Signal);
