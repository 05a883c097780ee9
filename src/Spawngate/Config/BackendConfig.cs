using Spawngate.Config.Toml;

namespace Spawngate.Config;

/// <summary>The timing and health keys that <c>[defaults]</c> sets and each backend may override.</summary>
internal record BackendTimings
{
    /// <summary>Seconds without use after which the backend stops; 0 means never.</summary>
    public int IdleTimeoutSecs { get; init; } = 600;

    /// <summary>Seconds a start may take until the backend is ready.</summary>
    public int StartupTimeoutSecs { get; init; } = 30;

    /// <summary>Milliseconds between health checks while starting.</summary>
    public int HealthCheckIntervalMs { get; init; } = 100;

    /// <summary>
    /// Path of the health check; empty means ready when the port accepts. Null when the file names none: then the program decides, by its
    /// answer to the usual one.
    /// </summary>
    public string? HealthPath { get; init; }

    /// <summary>Which answers to <see cref="HealthPath"/> are healthy.</summary>
    public StatusRanges HealthStatus { get; init; } = StatusRanges.Success;

    /// <summary>Seconds until the response head must have arrived, then seconds without progress.</summary>
    public int RequestTimeoutSecs { get; init; } = 30;

    /// <summary>Seconds that a backend may be silent within a response that streams; 0 means as long as the client is there.</summary>
    public int StreamTimeoutSecs { get; init; }

    /// <summary>Seconds between SIGTERM and SIGKILL.</summary>
    public int ShutdownGracePeriodSecs { get; init; } = 10;

    /// <summary>Seconds requests in flight may take to finish at a stop.</summary>
    public int DrainTimeoutSecs { get; init; } = 30;

    /// <summary>Milliseconds between health checks while ready.</summary>
    public int ReadyHealthCheckIntervalMs { get; init; } = 5000;

    /// <summary>Failed checks in a row that make a ready backend unhealthy.</summary>
    public int UnhealthyThreshold { get; init; } = 3;

    /// <summary>Requests held while the backend starts or past <see cref="MaxConcurrency"/>; more get 503 QUEUE_FULL.</summary>
    public int MaxQueuedRequests { get; init; } = 1024;

    /// <summary>Requests in flight at one process, tunnels not counted; more wait in the queue. 0 means no limit.</summary>
    public int MaxConcurrency { get; init; }

    /// <summary>
    /// Seconds without a data frame after which a WebSocket does not count as use; 0 means that it does until it closes.
    /// </summary>
    public int WebSocketIdleSecs { get; init; }

    /// <summary>Whether a browser that goes to a backend which takes long to start gets a page that waits for it.</summary>
    public bool WaitingPage { get; init; }

    /// <summary>Which requests never start the backend and do not count as use; null for none.</summary>
    public NoWakeRules? NoWake { get; init; }
}

/// <summary>One <c>[backends."…"]</c> table with its effective settings (defaults merged in).</summary>
internal sealed record BackendConfig : BackendTimings
{
    /// <summary>Copies the timings of <paramref name="defaults"/>.</summary>
    public BackendConfig(BackendTimings defaults)
        : base(defaults) { }

    /// <summary>The way to it, which is the key of its table.</summary>
    public required BackendRoute Route { get; init; }

    /// <summary>The host of its route: ASCII lower case, no trailing dot; may be <c>*</c> or <c>*.domain</c>.</summary>
    public string Hostname => Route.Hostname;

    /// <summary>The name that the file gives it, in lower case; null when it gives none, or that of its route.</summary>
    public string? GivenName { get; init; }

    /// <summary>
    /// What it is called in the admin API, in logs and in metrics, and by what a reload knows it again. A route is only the way to it.
    /// </summary>
    public string Name => GivenName ?? Route.ToString();

    /// <summary>What the keys of its kind say.</summary>
    public required KindSettings Settings { get; init; }

    /// <summary>What kind of thing it is.</summary>
    public BackendKind Kind => Settings.Kind;

    /// <summary>
    /// The port the backend listens on, where its kind has it; 0 means a free loopback port is chosen at each start.
    /// </summary>
    public int Port { get; init; }

    /// <summary>Arguments of the program that it runs.</summary>
    public IReadOnlyList<string> Args { get; init; } = [];

    /// <summary>Environment added to the inherited one, in file order.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Env { get; init; } = [];

    /// <summary>Whether <see cref="Port"/> is a port of this machine's loopback address.</summary>
    public bool UsesLoopbackPort => Settings.UsesLoopbackPort;

    /// <summary>The port that it takes on this machine whatever else runs; 0 for none: it gets a free one at each start.</summary>
    public int FixedPort => UsesLoopbackPort ? Port : 0;

    /// <summary>The file the table stands in.</summary>
    public string File { get; init; } = "";

    /// <summary>Where in the file the table begins.</summary>
    public TomlPosition Position { get; init; }

    /// <summary>Both, for messages: <c>file:line:column</c>.</summary>
    public string Origin => $"{File}:{Position}";

    /// <summary>
    /// Whether two tables mean the same, wherever they stand: what a reload asks of each. (Record equality compares lists by reference, and
    /// a position is no setting.)
    /// </summary>
    public bool HasSameSettings(BackendConfig other) =>
        base.Equals(other) // All timings, and that both are of this type.
        && Route == other.Route
        && GivenName == other.GivenName
        && Port == other.Port
        && AreSame(Args, other.Args)
        && AreSame(Env, other.Env)
        && Settings == other.Settings;

    /// <summary>Without the enumerators of LINQ: it is asked of every backend at every reload.</summary>
    private static bool AreSame<T>(IReadOnlyList<T> some, IReadOnlyList<T> others)
    {
        var i = 0;
        while (i < some.Count && i < others.Count && EqualityComparer<T>.Default.Equals(some[i], others[i]))
        {
            i++;
        }

        return i == some.Count && i == others.Count;
    }
}
