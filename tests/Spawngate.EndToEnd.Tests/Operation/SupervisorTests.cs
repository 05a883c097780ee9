using System.Diagnostics;
using System.Globalization;
using System.Text;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>What a service manager is told through <c>NOTIFY_SOCKET</c>, and what backends do not learn of it.</summary>
[Platform("Linux")]
[LongRunning]
internal sealed class SupervisorTests : GatewayTest
{
    private NoticeListener _notices = null!;

    [SetUp]
    public void Listen() => _notices = new NoticeListener(Path.Combine(Scene.Folder, "notify"));

    [TearDown]
    public void EndListening() => _notices.Dispose();

    private GatewayProcess Launch(ConfigFile config, params (string Name, string Value)[] environment) =>
        Scene.Launch(config, [("NOTIFY_SOCKET", _notices.Address), .. environment]);

    private static ConfigFile Config(params string[] backendArgs) => new ConfigFile().TestBackend(Host, backendArgs);

    [TestCase(false)]
    [TestCase(true)]
    public async Task READY_comes_when_requests_are_served(bool isAbstract)
    {
        if (isAbstract)
        {
            _notices.Dispose();
            _notices = new NoticeListener($"@spawngate-test-{Guid.NewGuid():N}");
        }

        GatewayProcess gateway = Launch(Config());
        Notice ready = await _notices.SaysAsync("READY");
        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/status?code=200");
        string health = await gateway.Admin.TextAsync("/health");

        Assert.That((response.Status, health), Is.EqualTo((200, "ok")));
        Assert.That(ready.Fields["MAINPID"], Is.EqualTo($"{gateway.Pid}"));
        Assert.That(ready.Fields["STATUS"], Is.EqualTo($"Listening on 127.0.0.1:{gateway.Port}, 1 backends"));
        Assert.That(_notices.All, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_gateway_that_cannot_run_never_says_READY()
    {
        GatewayProcess first = await Scene.GatewayAsync(Config());

        GatewayProcess second = Launch(new ConfigFile { Port = first.Port }.TestBackend(Host));

        Assert.That(await second.ExitAsync(), Is.EqualTo(1));
        Assert.That(_notices.All, Is.Empty);
    }

    [Test]
    public async Task A_reload_says_RELOADING_with_the_time_and_READY_when_it_has_ended()
    {
        GatewayProcess gateway = Launch(Config());
        await _notices.SaysAsync("READY");
        long before = MonotonicUsec();

        gateway.ReloadAtomically(gateway.Config.TestBackend("new.test", "--name=new").ToString());
        Notice reloading = await _notices.SaysAsync("RELOADING");
        Notice ready = await _notices.SaysAsync("READY", skip: 2);
        RawResponse added = await RawClient.RequestAsync(gateway.Port, "new.test", "/status?code=200");

        Assert.That(long.Parse(reloading.Fields["MONOTONIC_USEC"], CultureInfo.InvariantCulture), Is.InRange(before, MonotonicUsec()));
        Assert.That(ready.Fields["STATUS"], Is.EqualTo($"Listening on 127.0.0.1:{gateway.Port}, 2 backends; configuration reloaded"));
        Assert.That(added.Status, Is.EqualTo(200));
        Assert.That(_notices.All, Has.Count.EqualTo(3));
    }

    [Test]
    public async Task A_failed_reload_is_READY_too_and_its_status_says_so()
    {
        GatewayProcess gateway = Launch(Config());
        await _notices.SaysAsync("READY");

        gateway.ReloadAtomically("[server]\nport = \"no\"\nunknown = 1\n");
        await _notices.SaysAsync("RELOADING");
        Notice ready = await _notices.SaysAsync("READY", skip: 2);

        Assert.That(ready.Fields["STATUS"], Does.EndWith("1 backends; the configuration was not reloaded, its errors (2) are in the log"));
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/status?code=200")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_stop_says_STOPPING_first_and_how_long_it_may_take()
    {
        GatewayProcess gateway = Launch(
            new ConfigFile().Defaults("drain_timeout_secs = 70", "shutdown_grace_period_secs = 20").TestBackend(Host)
        );
        await _notices.SaysAsync("READY");
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/hold?key=a"));
        BackendProcess backend = await Control.StartAsync();
        await backend.ToldAsync("hold a");

        gateway.Signal(ProcessScan.Term);
        Notice stopping = await _notices.SaysAsync("STOPPING");
        gateway.Signal(ProcessScan.Hup);
        await gateway.LogsAsync("Configuration reloaded");
        await backend.DoAsync("release a");
        int code = await gateway.ExitAsync();

        Assert.That(code, Is.Zero);
        Assert.That(stopping.Fields["STATUS"], Does.StartWith("Stopping after SIGTERM"));
        Assert.That(
            long.Parse(stopping.Fields["EXTEND_TIMEOUT_USEC"], CultureInfo.InvariantCulture),
            Is.InRange(90_000_000, 130_000_000),
            "70 s, 20 s, and what else a stop may wait for"
        );
        Assert.That(_notices.All, Has.Count.EqualTo(2), "a reload during the stop does not say READY");
    }

    [Test]
    public async Task The_watchdog_is_told_at_half_of_its_time_and_wakes_no_backend()
    {
        GatewayProcess gateway = Launch(Config(), ("WATCHDOG_USEC", "600000"));
        await _notices.SaysAsync("READY");
        int seen = 1;
        long begun = Stopwatch.GetTimestamp();
        for (int i = 0; i < 4; i++)
        {
            await _notices.SaysAsync("WATCHDOG", seen);
            seen = _notices.All.Count;
        }

        // Later on a busy machine, never earlier than at half of 600 ms each.
        Assert.That(Stopwatch.GetElapsedTime(begun).TotalMilliseconds, Is.GreaterThan(1000 * (1 - Strain.SecsSince(begun))));
        Assert.That(Scene.Children(), Is.Empty);
        Assert.That(gateway.LogText, Does.Not.Contain("not told that the gateway lives"));
    }

    [Test]
    public async Task The_watchdog_is_told_by_a_full_gateway_too()
    {
        GatewayProcess gateway = Launch(Config().Server("max_connections = 2"), ("WATCHDOG_USEC", "400000"));
        await _notices.SaysAsync("READY");
        using RawClient first = await RawClient.ConnectAsync(gateway.Port);
        await first.ExchangeAsync(Host, "/");
        using RawClient second = await RawClient.ConnectAsync(gateway.Port);
        await second.ExchangeAsync(Host, "/");

        for (int i = 0; i < 3; i++)
        {
            await _notices.SaysAsync("WATCHDOG", _notices.All.Count);
        }

        Assert.That(gateway.LogText, Does.Not.Contain("not told that the gateway lives"));
    }

    [Test]
    public async Task A_watchdog_of_another_process_is_not_told()
    {
        GatewayProcess gateway = Launch(Config(), ("WATCHDOG_USEC", "200000"), ("WATCHDOG_PID", "1"), ("SPAWNGATE_LOG", "debug"));
        await _notices.SaysAsync("READY");
        gateway.Signal(ProcessScan.Term);
        await gateway.ExitAsync();

        Assert.That(_notices.All.Select(notice => notice.Fields.Keys.First()), Is.EqualTo(new[] { "READY", "STOPPING" }));
        Assert.That(gateway.LogText, Does.Not.Contain("watchdog"));
    }

    [TestCase("vsock:2:1234", "neither a path nor an abstract name")]
    [TestCase("/nonexistent/notify", "")]
    public async Task A_notify_address_of_no_use_is_reported_and_otherwise_ignored(string address, string problem)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config(), ("NOTIFY_SOCKET", address), ("WATCHDOG_USEC", "100000"));

        LogLine line = await gateway.LogsAsync("cannot be told", problem);

        Assert.That((line.Level, line.Category, line.Field("address")), Is.EqualTo(("WARN", "spawngate.supervisor", address)));
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/status?code=200")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Backends_and_the_guard_learn_nothing_of_the_service_manager()
    {
        GatewayProcess gateway = Launch(
            Config(),
            ("WATCHDOG_USEC", "60000000"),
            ("WATCHDOG_PID", "1"),
            ("LISTEN_FDS", "1"),
            ("LISTEN_PID", "1"),
            ("LISTEN_FDNAMES", "proxy"),
            ("FDSTORE", "1"),
            ("INVOCATION_ID", "abc")
        );
        await _notices.SaysAsync("READY");
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();
        int guard = Scene.Guards().Single();

        foreach (int pid in new[] { backend.Pid, guard })
        {
            string[] entries = Encoding.UTF8.GetString(await File.ReadAllBytesAsync($"/proc/{pid}/environ")).Split('\0');
            string[] names = [.. entries.Select(entry => entry.Split('=')[0])];
            Assert.That(entries, Has.No.Member($"NOTIFY_SOCKET={_notices.Address}"), "a backend has one of its own");
            Assert.That(
                names.Where(name =>
                    name is "FDSTORE"
                    || name.StartsWith("WATCHDOG_", StringComparison.Ordinal)
                    || name.StartsWith("LISTEN_", StringComparison.Ordinal)
                ),
                Is.Empty
            );
            Assert.That(names, Does.Contain("INVOCATION_ID"), "everything else is inherited");
        }
    }

    private static long MonotonicUsec() => Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1_000_000);
}
