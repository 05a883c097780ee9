using Spawngate.Backends;
using Spawngate.Backends.Probing;
using Spawngate.Runtime;
using Spawngate.Tests.Fakes;
using Spawngate.Workloads;
using Spawngate.Workloads.Docker;

namespace Spawngate.Tests;

/// <summary>The same on real threads: no request may be lost or admitted to nothing, whatever the timing.</summary>
internal sealed class BackendConcurrencyTests
{
    private const int RequestsPerThread = 3_000;

    [TestCase(0)]
    [TestCase(2)]
    [CancelAfter(60_000)]
    public async Task Requests_meet_starts_stops_and_restarts_on_four_threads_and_none_is_lost(int maxConcurrency, CancellationToken cancel)
    {
        using var clock = new CoarseClock(TimeProvider.System);
        using var active = new ActiveBackends(clock);
        var log = new RecordingLog();
        var launcher = new InstantLauncher();
        var backend = new Backend(
            new BackendEnvironment
            {
                Server = new Config.ServerConfig(),
                Time = TimeProvider.System,
                Clock = clock,
                Active = active,
                Launchers = KindsInTests.Launch(launcher),
                OpenProbe = static _ => new InstantProbe(),
                Ports = new LoopbackPorts(static _ => 40000),
                Log = log,
            },
            LifecycleStage.Config("app.example.com") with
            {
                MaxConcurrency = maxConcurrency,
            }
        );
        var running = Enumerable.Range(0, 4).Select(_ => Task.Run(() => RequestAsync(backend, cancel), cancel)).ToList();
        var all = Task.WhenAll(running);
        while (!all.IsCompleted)
        {
            // Restarts hold requests, so all of them have to be served.
            backend.RequestRestart();
            await Task.Yield();
        }

        Assert.That(await all, Is.All.EqualTo(RequestsPerThread));
        backend.Close(LifecycleInput.GatewayStop);
        await backend.Ended.WaitAsync(cancel);
        Assert.That(backend.Word, Has.Property("Phase").EqualTo(BackendPhase.Stopped).And.Property("InFlight").Zero);
        Assert.That(launcher.MaxAlive, Is.EqualTo(1));
        Assert.That(log.Bugs, Is.Empty);
        Assert.That(active.Count, Is.Zero);
    }

    private static async Task<int> RequestAsync(Backend backend, CancellationToken cancel)
    {
        var served = 0;
        for (var i = 0; i < RequestsPerThread; i++)
        {
            if (!backend.TryEnter(out var instance))
            {
                var admission = await backend.Enqueue(new WakeCause(WakeKind.Request)).Decision.WaitAsync(cancel);
                instance = admission.Instance;
            }

            if (instance is not null)
            {
                served++;
                backend.Leave(instance);
            }
        }

        return served;
    }

    private sealed class InstantLauncher : ILauncher
    {
        private ScriptedWorkload? _last;

        public int MaxAlive { get; private set; }

        public Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel)
        {
            MaxAlive = Math.Max(MaxAlive, _last is { HasExited: false } ? 2 : 1);
            var instance = _last = new ScriptedWorkload(request.InstanceNumber) { EndsOnTerminate = true, EndsOnKill = true };
            return Task.FromResult(new LaunchResult(instance, null));
        }
    }

    private sealed class InstantProbe : IHealthProbe
    {
        public string? LastDetail => null;

        public Task<ReadyFinding> WaitUntilReadyAsync(Action listening, CancellationToken cancel) =>
            Task.FromResult(new ReadyFinding(null, "at once"));

        public void TakeItsWord() { }

        public Task<ProbeResult> CheckAsync(int timeoutMs, CancellationToken cancel) => Task.FromResult(new ProbeResult(true, ""));

        public void Dispose() { }
    }
}
