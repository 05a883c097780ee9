using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Logging;
using Spawngate.Backends;
using Spawngate.Backends.Probing;
using Spawngate.Config;
using Spawngate.Routing;
using Spawngate.Runtime;
using Spawngate.Workloads;
using Spawngate.Workloads.Docker;

namespace Spawngate.Tests.Fakes;

/// <summary>Backends that are ready on fixed loopback ports without a process: whatever listens there is the backend.</summary>
internal sealed class ReadyBackends : IDisposable
{
    private readonly ConcurrentQueue<Run> _instances;

    private ReadyBackends(BackendEnvironment env, GatewayConfig config, ConcurrentQueue<Run> instances)
    {
        _instances = instances;
        Env = env;
        Set = new BackendSet(env, config);
    }

    public BackendEnvironment Env { get; }

    public BackendSet Set { get; }

    public CoarseClock Clock => Env.Clock;

    /// <summary>Starts all backends of <paramref name="configs"/> and returns when they are ready.</summary>
    public static async Task<ReadyBackends> StartAsync(TimeProvider time, ILogger log, ServerConfig server, params BackendConfig[] configs)
    {
        var clock = new CoarseClock(time);
        var instances = new ConcurrentQueue<Run>();
        var env = new BackendEnvironment
        {
            Server = server,
            Time = time,
            Clock = clock,
            Active = new ActiveBackends(clock),
            Launchers = KindsInTests.Launch(new Launcher(instances, isForwarded: false), new Launcher(instances, isForwarded: true)),
            OpenProbe = static _ => new Probe(),
            Ports = new LoopbackPorts(static wanted => wanted),
            Log = log,
        };
        var backends = new ReadyBackends(env, new GatewayConfig { Server = server, Backends = configs }, instances);
        foreach (var backend in backends.Set.All)
        {
            var admission = await backend.Enqueue(new WakeCause(WakeKind.Request, "a test")).Decision.ConfigureAwait(false);
            backend.Leave(admission.Instance!);
        }

        return backends;
    }

    /// <summary>A backend that is never stopped for being idle, on <paramref name="port"/>.</summary>
    public static BackendConfig Config(string hostname, int port) =>
        new(
            new BackendTimings
            {
                IdleTimeoutSecs = 0,
                ShutdownGracePeriodSecs = 0,
                DrainTimeoutSecs = 0,
            }
        )
        {
            Route = new BackendRoute(hostname),
            Settings = KindsInTests.Runs("nothing"),
            Port = port,
        };

    /// <summary>Ends the instance that began first of those that live.</summary>
    public void EndRun()
    {
        if (!_instances.TryDequeue(out var instance))
        {
            throw new InvalidOperationException("No run lives.");
        }

        instance.Kill();
    }

    public void Dispose()
    {
        Env.Active.Dispose();
        Clock.Dispose();
    }

    private sealed class Launcher(ConcurrentQueue<Run> instances, bool isForwarded) : ILauncher
    {
        public Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel)
        {
            var instance = new Run();
            instances.Enqueue(instance);
            var place = isForwarded ? new LaunchedAt(new IPEndPoint(IPAddress.Loopback, request.Config.Port), IsForwarded: true) : null;
            return Task.FromResult(new LaunchResult(instance, null) { Place = place });
        }
    }

    private sealed class Run : IWorkload
    {
        private readonly TaskCompletionSource<ExitReport> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Description => "nothing";

        public int? Pid => null;

        public Task<ExitReport> Exited => _exited.Task;

        public void Terminate(long graceMs) => _exited.TrySetResult(new ExitReport("ended", 0, []));

        public void Kill() => Terminate(0);
    }

    private sealed class Probe : IHealthProbe
    {
        public string? LastDetail => null;

        public Task<ReadyFinding> WaitUntilReadyAsync(Action listening, CancellationToken cancel)
        {
            listening();
            return Task.FromResult(new ReadyFinding(null, "status 200"));
        }

        public void TakeItsWord() { }

        public Task<ProbeResult> CheckAsync(int timeoutMs, CancellationToken cancel) =>
            Task.FromResult(new ProbeResult(true, "status 200"));

        public void Dispose() { }
    }
}
