using System.Diagnostics;
using System.Net;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>
/// When the gateway itself is killed, nothing of what it started runs on: its guard sees to that. At a clean stop nothing is left for it to
/// do.
/// </summary>
[LongRunning]
internal sealed class DeathTests : GatewayTest
{
    private const int GraceSecs = 2;

    [Test, NonParallelizable]
    public async Task Nothing_of_twenty_backends_runs_on_after_SIGKILL_and_the_next_gateway_serves_on_the_same_ports()
    {
        Executables.FindOrSkip("setsid");
        ConfigFile config = Twenty();
        GatewayProcess gateway = await Scene.GatewayAsync(config);
        await AskAllAsync(gateway);
        BackendProcess[] daemons = await Task.WhenAll(
            new[] { "b2-", "b6-", "b18-" }.Select(prefix => Control.StartAsync(prefix + "stubborn"))
        );
        Assert.That(Scene.Children(), Has.Count.GreaterThanOrEqualTo(20));

        gateway.Signal(ProcessScan.Kill);
        long killed = Stopwatch.GetTimestamp();
        await Scene.NothingRunsAsync();

        await Figures.NoteAsync(
            $"nothing of 20 backends ran {Stopwatch.GetElapsedTime(killed).TotalSeconds:F2} s after SIGKILL, with a grace "
                + $"period of {GraceSecs} s"
        );
        await gateway.ExitAsync();
        await gateway.LogsAsync("spawngate.guard", "runs=\"20\"", "The gateway has died");
        await gateway.LogsAsync("spawngate.guard", "left=\"0\"");
        Assert.That(Control.Started("b0").Single().Told, Has.Some.StartsWith("sigterm"), "who obeys was asked first");
        Assert.That(daemons.Select(each => each.Told.Any(line => line.StartsWith("sigterm", StringComparison.Ordinal))), Is.All.True);

        GatewayProcess next = await Scene.GatewayAsync(config);
        await AskAllAsync(next);
    }

    [Test]
    public async Task No_grandchild_runs_on_after_SIGKILL()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config().TestBackend(Host, "--grandchild"));
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess grandchild = await Control.StartAsync("backend-grandchild");

        gateway.Signal(ProcessScan.Kill);

        await grandchild.ExitedInTimeAsync();
        await Scene.NothingRunsAsync();
    }

    [Test]
    public async Task A_backend_that_is_just_being_started_does_not_run_on()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config().TestBackend(Host, "--never-listen"));
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/"));
        await gateway.LogsAsync("Backend is starting");

        gateway.Signal(ProcessScan.Kill);

        await gateway.ExitAsync();
        await Scene.NothingRunsAsync();
    }

    [Test]
    public async Task What_a_stop_had_begun_is_finished_after_SIGKILL()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config().TestBackend(Host, "--ignore-sigterm"));
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();
        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await backend.ToldAsync("sigterm");

        gateway.Signal(ProcessScan.Kill);

        await backend.ExitedInTimeAsync();
        await Scene.NothingRunsAsync();
    }

    [Test]
    public async Task A_guard_that_was_killed_is_replaced_by_one_that_knows_all()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config().TestBackend(Host, "--grandchild"), ("SPAWNGATE_LOG", "debug"));
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        int guard = Scene.Guards().Single();

        ProcessScan.Signal(guard, ProcessScan.Kill);
        await gateway.LogsAsync("spawngate.guard", $"pid=\"{guard}\"", "Guard has ended");
        await gateway.LogsAsync("spawngate.guard", "runs=\"1\"", "Guard is running");
        gateway.Signal(ProcessScan.Kill);

        await gateway.ExitAsync();
        await gateway.LogsAsync("spawngate.guard", "runs=\"1\"", "The gateway has died");
        await Scene.NothingRunsAsync();
    }

    [Test]
    public async Task Signals_that_end_a_gateway_do_not_end_its_guard()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config().TestBackend(Host));
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        int guard = Scene.Guards().Single();

        foreach (int signal in new[] { ProcessScan.Term, ProcessScan.Int, ProcessScan.Hup })
        {
            ProcessScan.Signal(guard, signal);
        }

        gateway.Signal(ProcessScan.Kill);
        await gateway.ExitAsync();
        await gateway.LogsAsync("spawngate.guard", "The gateway has died");
        await Scene.NothingRunsAsync();
    }

    [Test]
    public async Task A_clean_stop_leaves_no_guard()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config().TestBackend(Host));

        // Between its fork and its exec it still looks like the gateway.
        await gateway.UntilAsync("the guard runs", () => Task.FromResult(Scene.Guards().Count == 1));
        await RawClient.RequestAsync(gateway.Port, Host, "/");

        gateway.Signal(ProcessScan.Term);

        Assert.That(await gateway.ExitAsync(), Is.Zero);
        await Scene.NothingRunsAsync(TimeSpan.Zero);
        Assert.That(gateway.LogText, Does.Not.Contain("spawngate.guard"));
    }

    [Test]
    public async Task A_gateway_that_cannot_run_leaves_no_guard()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config().TestBackend(Host));
        GatewayProcess second = Scene.Launch(Config(gateway.Port).TestBackend(Host));

        Assert.That(await second.ExitAsync(), Is.EqualTo(1));
        Assert.That(Scene.Guards(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task The_guard_is_not_for_people()
    {
        Tool tool = await Tool.GatewayAsync(Scene, "guard");

        Assert.That((tool.Code, tool.Out), Is.EqualTo((2, "")));
        Assert.That(tool.Error, Does.Contain("started by the gateway itself"));
    }

    [Test]
    public async Task As_PID_1_it_reaps_orphans_passes_the_stop_on_and_needs_no_guard()
    {
        string unshare = await UnshareAsync();
        Executables.FindOrSkip("setsid");
        string[] script = Trees.Shell("(setsid sh -c 'exit 0' &); (setsid sh -c '(sleep 0.1 &) ; exit 0' &); exec \"$0\"");
        GatewayProcess gateway = await Scene.GatewayUnderAsync(
            [unshare, "--pid", "--fork", "--mount-proc"],
            Config().Backend(Host, script)
        );
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        BackendProcess backend = await Control.StartAsync();
        int init = ProcessScan.ChildrenOf(gateway.Pid).Single().Pid;
        Assert.That(Scene.Guards(), Is.Empty);

        await gateway.UntilAsync("only the backend is left", () => Task.FromResult(ProcessScan.ChildrenOf(init) is [{ State: not 'Z' }]));
        ProcessScan.Signal(init, ProcessScan.Term);

        Assert.That(await gateway.ExitAsync(), Is.Zero);
        await backend.ToldAsync("sigterm"); // What it said may still be on its way.
        await Scene.NothingRunsAsync(TimeSpan.Zero);
    }

    [Test]
    public async Task As_PID_1_its_death_takes_everything_along()
    {
        string unshare = await UnshareAsync();
        GatewayProcess gateway = await Scene.GatewayUnderAsync(
            [unshare, "--pid", "--fork", "--mount-proc"],
            Config().Backend(Host, Trees.WithDaemons())
        );
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess daemon = await Control.StartAsync("stubborn");

        ProcessScan.Signal(ProcessScan.ChildrenOf(gateway.Pid).Single().Pid, ProcessScan.Kill);

        await daemon.ExitedInTimeAsync();
        await Scene.NothingRunsAsync();
    }

    private static ConfigFile Config() => Config(Ports.Free());

    private static ConfigFile Config(int port) => new ConfigFile { Port = port }.Defaults($"shutdown_grace_period_secs = {GraceSecs}");

    // Plain ones, ones that ignore SIGTERM, ones with daemons, ones under a shell with a child that ignores it: five of each, each on a
    // port of its own.
    private static ConfigFile Twenty()
    {
        ConfigFile config = Config();
        for (int i = 0; i < 20; i++)
        {
            string[] port = [$"port = {Ports.Free()}"];
            _ = (i % 4) switch
            {
                0 => config.TestBackendWith($"b{i}.test", port, $"--name=b{i}"),
                1 => config.TestBackendWith($"b{i}.test", port, $"--name=b{i}", "--ignore-sigterm"),
                2 => config.Backend($"b{i}.test", [.. port, .. Trees.WithDaemons($"b{i}-", $"b{i}")]),
                _ => config.Backend($"b{i}.test", [.. port, .. Trees.WithDaemons($"b{i}-", $"b{i} --grandchild")]),
            };
        }

        return config;
    }

    private static async Task AskAllAsync(GatewayProcess gateway)
    {
        RawResponse[] answers = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(i => RawClient.RequestAsync(gateway.Port, $"b{i}.test", "/"))
        );
        Assert.That(answers.Select(answer => (HttpStatusCode)answer.Status), Is.All.EqualTo(HttpStatusCode.OK));
    }

    private static async Task<string> UnshareAsync()
    {
        string unshare = Executables.FindOrSkip("unshare");
        Tool tried = await Tool.RunAsync(unshare, "--pid", "--fork", "--mount-proc", "true");
        Assume.That(tried.Code, Is.Zero, $"no namespace of processes can be made here: {tried.Error.Trim()}");
        return unshare;
    }
}
