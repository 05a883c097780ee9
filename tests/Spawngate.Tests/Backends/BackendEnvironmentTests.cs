using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Routing;
using Spawngate.Runtime;
using Spawngate.Tests.Fakes;
using Spawngate.Workloads;

namespace Spawngate.Tests;

/// <summary>The environment of a running gateway: thread pool, real ports, real probe.</summary>
[CancelAfter(30_000)]
internal sealed class BackendEnvironmentTests
{
    [Test]
    public async Task A_backend_that_listens_after_its_launch_serves_the_request_that_woke_it(CancellationToken cancel)
    {
        using var clock = new CoarseClock(TimeProvider.System);
        using var launcher = new ListeningLauncher();
        var env = BackendEnvironment.Create(
            new ServerConfig(),
            TimeProvider.System,
            clock,
            KindsInTests.Launch(launcher),
            NullLoggerFactory.Instance
        );
        var set = new BackendSet(env, new GatewayConfig { Backends = [LifecycleStage.Config("app.example.com")] });
        var backend = set.Find("app.example.com"u8)!;
        var admission = await backend.Enqueue(new WakeCause(WakeKind.Request)).Decision.WaitAsync(cancel);
        Assert.That(admission.Outcome, Is.EqualTo(AdmissionOutcome.Admitted));
        Assert.That(admission.Instance!.Pool.Endpoint, Is.EqualTo(launcher.Server!.EndPoint));
        var start = backend.GetStatus().LastStart!;
        Assert.That(start.SpawnMs, Is.LessThanOrEqualTo(start.ListenMs!.Value));
        Assert.That(start.ListenMs, Is.LessThanOrEqualTo(start.ReadyMs));
        backend.Leave(admission.Instance);
        await set.StopAllAsync().WaitAsync(cancel);
        Assert.That(
            backend.GetStatus(),
            Has.Property("Phase").EqualTo(BackendPhase.Stopped).And.Property("LastStopReason").EqualTo("gateway stops")
        );
    }

    [TestCase("127.0.0.1", "http://127.0.0.1:9999/ready/%2A.example.com?token=t")]
    [TestCase("::1", "http://[::1]:9999/ready/%2A.example.com?token=t")]
    [TestCase("0.0.0.0", "http://127.0.0.1:9999/ready/%2A.example.com?token=t")]
    [TestCase("::", "http://[::1]:9999/ready/%2A.example.com?token=t")]
    public void The_ready_url_is_reachable_from_a_child(string adminBind, string url)
    {
        using var clock = new CoarseClock(TimeProvider.System);
        using var launcher = new ListeningLauncher();
        var server = new ServerConfig { AdminBind = IPAddress.Parse(adminBind) };
        var env = BackendEnvironment.Create(server, TimeProvider.System, clock, KindsInTests.Launch(launcher), NullLoggerFactory.Instance);
        Assert.That(env.ReadyUrl("*.example.com", "t"), Is.EqualTo(url));
    }

    [Test]
    public void Ports_are_free_distinct_and_a_taken_one_is_noticed()
    {
        var ports = new LoopbackPorts();
        var given = Enumerable.Range(0, 50).Select(_ => ports.Take(0)!.Value).ToList();
        Assert.That(given, Is.Unique);
        Assert.That(given.Where(EphemeralPorts.Contain), Is.Empty, "an outgoing connection could take them before the backend does");
        using var server = new ProbeServer();
        Assert.That(ports.Take(server.EndPoint.Port), Is.Null);
        Assert.That(ports.Take(given[0]), Is.EqualTo(given[0]));
    }

    [Test]
    public void A_port_that_the_configuration_names_is_nobody_elses_also_while_its_backend_is_stopped()
    {
        int next = 40000;
        var ports = new LoopbackPorts(wanted => wanted != 0 ? wanted : next++);
        ports.SetFixed([40000, 40002]);
        Assert.That((ports.Take(0), ports.Take(0)), Is.EqualTo((40001, 40003)));
        Assert.That(ports.Take(40000), Is.EqualTo(40000));
        ports.SetFixed([]);
        next = 40000;
        Assert.That(ports.Take(0), Is.EqualTo(40002), "40000 and 40001 are in use");
    }

    private sealed class ListeningLauncher : ILauncher, IDisposable
    {
        public ProbeServer? Server { get; private set; }

        public async Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel)
        {
            await Task.Yield();
            Server = new ProbeServer(new IPEndPoint(IPAddress.Loopback, request.Port), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            return new LaunchResult(new ScriptedWorkload(1) { EndsOnTerminate = true }, null);
        }

        public void Dispose() => Server?.Dispose();
    }
}
