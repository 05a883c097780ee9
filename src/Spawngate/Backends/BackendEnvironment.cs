using Spawngate.Backends.Probing;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;
using Spawngate.Upstreams;
using Spawngate.Workloads;

namespace Spawngate.Backends;

/// <summary>What all backends of a gateway share, and where the outside comes in.</summary>
internal sealed class BackendEnvironment
{
    /// <summary>The server settings: pools of instances and the address of the ready URL.</summary>
    public required ServerConfig Server { get; init; }

    /// <summary>Exact time, for measurements and for the pauses of health probes.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>Coarse time, for deadlines and the idle clock.</summary>
    public required CoarseClock Clock { get; init; }

    /// <summary>The lifecycles that the tick walks.</summary>
    public required ActiveBackends Active { get; init; }

    /// <summary>Starts local processes.</summary>
    public required ILauncher LocalLauncher { get; init; }

    /// <summary>Starts containers.</summary>
    public required ILauncher DockerLauncher { get; init; }

    /// <summary>Makes the health probe of one instance.</summary>
    public required Func<ProbeTarget, IHealthProbe> OpenProbe { get; init; }

    /// <summary>Ports for starts.</summary>
    public LoopbackPorts Ports { get; init; } = new();

    /// <summary>How many local ports connections to backends use.</summary>
    public UpstreamPorts UpstreamPorts { get; } = new();

    /// <summary>Runs the work item of a mailbox; the thread pool unless a test steps it.</summary>
    public Action<IThreadPoolWorkItem> Execute { get; init; } = static item => ThreadPool.UnsafeQueueUserWorkItem(item, preferLocal: false);

    /// <summary>A number in [0, 1) that spreads the health checks of backends started together.</summary>
    public Func<double> Spread { get; init; } = Random.Shared.NextDouble;

    /// <summary>Where the events of all histories are passed on.</summary>
    public HistoryFeed Feed { get; init; } = new();

    /// <summary>What all histories may hold together; its members are those of the backends of <c>BackendSet</c>.</summary>
    public MemoryBudget Histories { get; } = new(BackendLimits.HistoryTotalBytes, BackendLimits.HistoryRestBytes);

    /// <summary>What is counted of the gateway as a whole.</summary>
    public GatewayTraffic Traffic { get; init; } = new();

    /// <summary>
    /// Finds what holds a backend at this moment: up to so many of its open requests and tunnels, oldest first. Set before anything starts.
    /// </summary>
    public Func<Backend, int, IReadOnlyList<ActiveRequest>> FindActiveRequests { get; set; } = static (_, _) => [];

    /// <summary>Log of category <c>spawngate.lifecycle</c>.</summary>
    public required ILogger Log { get; init; }

    /// <summary>The launcher for a kind of backend.</summary>
    public ILauncher LauncherFor(BackendKind kind) => kind == BackendKind.Docker ? DockerLauncher : LocalLauncher;

    /// <summary>The environment of a running gateway.</summary>
    /// <param name="server">Server settings.</param>
    /// <param name="time">The time.</param>
    /// <param name="clock">The coarse clock on it.</param>
    /// <param name="localLauncher">Starts local processes.</param>
    /// <param name="dockerLauncher">Starts containers.</param>
    /// <param name="logs">Where the lifecycle logs to.</param>
    public static BackendEnvironment Create(
        ServerConfig server,
        TimeProvider time,
        CoarseClock clock,
        ILauncher localLauncher,
        ILauncher dockerLauncher,
        ILoggerFactory logs
    ) =>
        new()
        {
            Server = server,
            Time = time,
            Clock = clock,
            Active = new ActiveBackends(clock),
            LocalLauncher = localLauncher,
            DockerLauncher = dockerLauncher,
            OpenProbe = target => new HealthProbe(target, time),
            Log = logs.CreateLogger("spawngate.lifecycle"),
        };

    /// <summary>The URL by which a backend declares itself ready: <c>http://ADMIN/ready/HOST?token=TOKEN</c>.</summary>
    public string ReadyUrl(string hostname, string token)
    {
        return $"http://{LocalAddress.Of(Server.AdminBind, Server.AdminPort)}/ready/{Uri.EscapeDataString(hostname)}?token={token}";
    }
}
