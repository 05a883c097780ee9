namespace Spawngate.Telemetry.History;

/// <summary>The names of events, as programs get them.</summary>
internal static class HistoryNames
{
    private static readonly string[] Names =
    [
        "woken",
        "ready",
        "start_failed",
        "crashed",
        "unhealthy",
        "recovered",
        "kept_awake",
        "stopping",
        "cut",
        "killed",
        "stopped",
        "resumed",
    ];

    /// <summary>How many kinds there are.</summary>
    public static int Count => Names.Length;

    /// <summary>The name of a kind.</summary>
    public static string Of(HistoryEventKind kind) => Names[(int)kind];
}
