using Spawngate.Protocols.Toml;

namespace Spawngate.Config;

/// <summary>What kind of thing a backend is.</summary>
internal enum BackendKind
{
    /// <summary>A local process (<c>type = "local"</c>).</summary>
    Local,

    /// <summary>A Docker container (<c>type = "docker"</c>).</summary>
    Docker,
}

/// <summary>The timing and health keys that <c>[defaults]</c> sets and each backend may override.</summary>
internal record BackendTimings
{
    /// <summary>Seconds without use after which the backend stops; 0 means never.</summary>
    public int IdleTimeoutSecs { get; init; } = 600;

    /// <summary>Seconds a start may take until the backend is ready.</summary>
    public int StartupTimeoutSecs { get; init; } = 30;

    /// <summary>Milliseconds between health checks while starting.</summary>
    public int HealthCheckIntervalMs { get; init; } = 100;

    /// <summary>Path of the health check; empty means ready when the port accepts.</summary>
    public string HealthPath { get; init; } = "/health";

    /// <summary>Seconds until the response head must have arrived, then seconds without progress.</summary>
    public int RequestTimeoutSecs { get; init; } = 30;

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

    /// <summary>
    /// The key of the table as normalised for routing: ASCII lower case, no trailing dot; may be <c>*</c> or <c>*.domain</c>.
    /// </summary>
    public required string Hostname { get; init; }

    /// <summary>Local process or Docker container.</summary>
    public BackendKind Kind { get; init; }

    /// <summary>
    /// The port the backend listens on (in the container for Docker); 0 means a free loopback port is chosen at each start.
    /// </summary>
    public int Port { get; init; }

    /// <summary>The program (local); <c>spawngate</c> alone means this very executable.</summary>
    public string? Command { get; init; }

    /// <summary>Arguments of the program, or the container's CMD.</summary>
    public IReadOnlyList<string> Args { get; init; } = [];

    /// <summary>Working directory; null means that of Spawngate.</summary>
    public string? WorkingDir { get; init; }

    /// <summary>Environment added to the inherited one, in file order.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Env { get; init; } = [];

    /// <summary>The keys that only Docker backends have; null for local ones.</summary>
    public DockerConfig? Docker { get; init; }

    /// <summary>
    /// Whether <see cref="Port"/> is a port of this machine's loopback address: of a local process, or of a container that shares the
    /// machine's network.
    /// </summary>
    public bool UsesLoopbackPort => Kind == BackendKind.Local || Docker?.Network == DockerConfig.HostNetwork;

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
        && Hostname == other.Hostname
        && Kind == other.Kind
        && Port == other.Port
        && Command == other.Command
        && AreSame(Args, other.Args)
        && WorkingDir == other.WorkingDir
        && AreSame(Env, other.Env)
        && Docker == other.Docker;

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

/// <summary>When an image is pulled before a start.</summary>
internal enum PullPolicy
{
    /// <summary>Only when the engine has no such image.</summary>
    IfNotPresent,

    /// <summary>At every start.</summary>
    Always,

    /// <summary>Never; a missing image is an error.</summary>
    Never,
}

/// <summary>The Docker keys of a backend.</summary>
internal sealed record DockerConfig
{
    /// <summary>The network whose containers use the machine's own addresses and ports.</summary>
    public const string HostNetwork = "host";

    /// <summary>Image reference.</summary>
    public required string Image { get; init; }

    /// <summary>Container name.</summary>
    public required string ContainerName { get; init; }

    /// <summary>When to pull.</summary>
    public PullPolicy PullPolicy { get; init; }

    /// <summary>Memory limit in bytes; null for none.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>CPU limit in billionths of a core; null for none.</summary>
    public long? NanoCpus { get; init; }

    /// <summary>Network to attach to; null for the engine's default.</summary>
    public string? Network { get; init; }

    /// <summary>Whether its programs cannot get more rights than they were started with, as by setuid files.</summary>
    public bool NoNewPrivileges { get; init; } = true;

    /// <summary>Processes and threads it may have; 0 for as many as the engine allows.</summary>
    public int PidsLimit { get; init; } = ConfigLimits.DockerPidsUsual;

    /// <summary>Engine address (<c>unix://…</c> or <c>tcp://…</c>); null for the usual search.</summary>
    public string? DockerHost { get; init; }
}
