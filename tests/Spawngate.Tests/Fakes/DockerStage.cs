using Microsoft.Extensions.Logging;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Workloads;
using Spawngate.Workloads.Docker;

namespace Spawngate.Tests.Fakes;

/// <summary>A launcher of containers on a fake engine.</summary>
internal sealed class DockerStage : IAsyncDisposable, ILoggerFactory, IOutputSink
{
    private readonly List<string> _lines = [];

    public DockerStage(FakeEngine? engine = null, TimeProvider? time = null, string instance = "mine")
    {
        Engine = engine ?? new FakeEngine();
        Launcher = new DockerLauncher(
            new GatewayIdentity(instance, GatewayIdentity.NewId()),
            log => new ReadyCallbackListeners(
                (_, _) => ReadyCallbackOutcome.Accepted,
                (_, _, _) => Task.FromResult(LeaseOutcome.Accepted),
                log,
                time ?? TimeProvider.System
            ),
            this,
            this,
            Variables.GetValueOrDefault,
            time ?? TimeProvider.System
        );
    }

    public FakeEngine Engine { get; set; }

    public DockerLauncher Launcher { get; }

    public RecordingLog Log { get; } = new();

    public Dictionary<string, string?> Variables { get; } = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    /// <summary>A backend on the fake engine.</summary>
    public BackendConfig Config(PullPolicy policy = PullPolicy.IfNotPresent, string name = "spawngate-app.test") =>
        new(new BackendTimings())
        {
            Route = new BackendRoute("app.test"),
            Port = 3000,
            Settings = new DockerSettings
            {
                Image = "app:1",
                ContainerName = name,
                PullPolicy = policy,
                DockerHost = Engine.Host,
            },
        };

    /// <summary>What was asked of the launcher.</summary>
    public List<LaunchRequest> Requests { get; } = [];

    public Task<LaunchResult> LaunchAsync(CancellationToken cancel, BackendConfig? config = null)
    {
        Requests.Add(new LaunchRequest(config ?? Config(), 1, 0, "http://127.0.0.1:9999/ready/app.test?token=" + new string('a', 48)));
        return Launcher.LaunchAsync(Requests[^1], cancel);
    }

    public void OnLine(string hostname, OutputStream stream, ReadOnlyMemory<byte> line)
    {
        lock (_lines)
        {
            _lines.Add($"{stream}: {System.Text.Encoding.UTF8.GetString(line.Span)}");
        }
    }

    public ILogger CreateLogger(string categoryName) => Log;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose() { }

    public async ValueTask DisposeAsync()
    {
        await Launcher.StopAsync();
        Engine.Dispose();
    }
}
