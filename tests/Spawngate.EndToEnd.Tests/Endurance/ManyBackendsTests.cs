using System.Diagnostics;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>Ten thousand backends configured, hundreds running: what is not used costs nothing, what runs costs its checks.</summary>
[NonParallelizable]
internal sealed class ManyBackendsTests : GatewayTest
{
    private const int Configured = 10_000;
    private const string Reloaded = "Configuration reloaded successfully";

    /// <summary>The framework-dependent build compiles itself while it is watched.</summary>
    private static readonly double Slack = Executables.GatewayIsNative ? 1 : 30;

    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(5);

    [Test]
    public async Task Ten_thousand_configured_backends_load_and_reload_fast_and_cost_nothing_while_idle()
    {
        ConfigFile config = Configure(new ConfigFile(), "");
        long began = Stopwatch.GetTimestamp();
        GatewayProcess gateway = await Scene.GatewayAsync(config);
        double loadMs = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        long resident = ProcessScan.ResidentBytes(gateway.Pid);
        double idle = await CpuShareAsync(gateway);

        double same = await ReloadMsAsync(gateway, config.ToString(), ("0", "0", "0"));
        double changed = await ReloadMsAsync(gateway, config.Defaults("idle_timeout_secs = 77").ToString(), ("0", "0", "10000"));
        ConfigFile renamed = Configure(new ConfigFile { Port = config.Port, AdminPort = config.AdminPort }, "x");
        double replaced = await ReloadMsAsync(gateway, renamed.ToString(), ("10000", "10000", "0"));

        await Figures.NoteAsync(
            $"{Configured} configured: served after {loadMs:F0} ms, {resident / 1e6:F1} MB resident, {100 * idle:F2} % of a "
                + "core when idle; "
                + $"reload {same:F0} ms unchanged, {changed:F0} ms all changed, {replaced:F0} ms all replaced; "
                + $"{ProcessScan.ResidentBytes(gateway.Pid) / 1e6:F1} MB resident afterwards"
        );
        Assert.That((await RawClient.RequestAsync(gateway.Port, "x9999.test", "/")).Status, Is.EqualTo(200));
        Assert.That((await RawClient.RequestAsync(gateway.Port, "9999.test", "/")).Status, Is.EqualTo(404));
        Assert.That(idle, Is.LessThan(0.02 * Slack), "share of a core used when nothing runs");
        Assert.That(resident, Is.LessThan(150_000_000));
        Assert.That(new[] { loadMs, same, changed, replaced }, Has.All.LessThan(Executables.GatewayIsNative ? 3000 : 10_000));
    }

    [Test]
    public async Task A_reload_of_ten_thousand_backends_is_not_noticed_by_requests()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Configure(new ConfigFile(), ""));
        ConfigFile more = Configure(new ConfigFile { Port = gateway.Config.Port, AdminPort = gateway.Config.AdminPort }, "")
            .TestBackend("more.test");
        using var load = new LoadLoop(gateway.Port, "0.test", "/bytes?n=500", connections: 8, warmAfter: 200);
        await load.Warm.InTimeAsync("load");
        double slowest = 0;
        long began = Stopwatch.GetTimestamp();
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);

        for (int i = 0; i < 4; i++)
        {
            Task reload = ReloadMsAsync(
                gateway,
                (i % 2 == 0 ? more : gateway.Config).ToString(),
                (i % 2 == 0 ? "1" : "0", i % 2 == 0 ? "0" : "1", "0")
            );
            while (!reload.IsCompleted)
            {
                long asked = Stopwatch.GetTimestamp();
                Assert.That((await client.ExchangeAsync("0.test", "/")).Status, Is.EqualTo(200));
                slowest = Math.Max(slowest, Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
            }

            await reload;
        }

        await load.StopAsync();
        await Figures.NoteAsync(
            $"slowest request beside reloads of {Configured} backends: {slowest:F1} ms; {load.Complete} requests of the load, none lost"
        );
        Assert.That((load.Wrong, load.Cut, load.Unanswered), Is.EqualTo((0, 0, 0)));
        double slowestMax = (Executables.GatewayIsNative ? 250 : 1000) + (1000 * Strain.SecsSince(began));
        Assert.That(slowest, Is.LessThan(slowestMax), "ms; the collector stops everybody for some 15, the rest is waiting for a core");
    }

    [Test]
    public async Task Hundreds_of_running_backends_are_watched_at_spread_moments_for_little_processor_time()
    {
        int running = Effort.Scale(@long: 500, native: 500, managed: 10);
        const int IntervalMs = 1000;
        GatewayProcess gateway = await Scene.GatewayAsync(
            Configure(new ConfigFile().Defaults(Unused, $"ready_health_check_interval_ms = {IntervalMs}"), "", named: running)
        );
        TimeSpan started = await StartAllAsync(gateway, running);
        double checking = await CpuShareAsync(gateway);
        BackendProcess[] processes = [.. Enumerable.Range(0, running).Select(i => Control.Started($"b{i}").Single())];
        double checksPerSec = processes.Sum(each => Recent(each).Count()) / Watched.TotalSeconds;
        int[] perTick = Arrivals(processes, IntervalMs);
        await ReloadMsAsync(
            gateway,
            Configure(Fresh(gateway).Defaults(Unused, "ready_health_check_interval_ms = 0"), "", named: running).ToString(),
            ("0", "0", $"{Configured}")
        );
        double unwatched = await CpuShareAsync(gateway);

        await Figures.NoteAsync(
            $"{running} of {Configured} running, started in {started.TotalSeconds:F1} s: {100 * checking:F2} % of a core with "
                + $"{checksPerSec:F0} checks a second "
                + $"({1e6 * (checking - unwatched) / checksPerSec:F0} us each), {100 * unwatched:F2} % without checks, "
                + $"{ProcessVitals.Of(gateway.Pid)}"
        );
        await Figures.NoteAsync($"checks by tenth of their interval: {string.Join(' ', perTick)}");
        Assert.That(checksPerSec, Is.InRange(0.8 * running, 1.2 * running));
        Assert.That(unwatched, Is.LessThan(0.03 * Slack), "share of a core without checks");
        Assert.That(checking - unwatched, Is.LessThan(running * 300e-6 * Slack), "share of a core for one check a second of each");
        if (running >= 100)
        {
            // Moments are chosen at random: of only a few, four of ten fall into one tenth once in ten runs.
            Assert.That(perTick.Max(), Is.LessThan(perTick.Sum() * 0.3), "the share of one tenth of the interval in all checks");
        }

        Assert.That(await StatesAsync(gateway, "ready"), Is.EqualTo(running), "all of them run on");
    }

    [Test]
    public async Task Hundreds_of_backends_that_are_idle_in_the_same_moment_all_stop()
    {
        int running = Effort.Scale(@long: 500, native: 500, managed: 20);
        GatewayProcess gateway = await Scene.GatewayAsync(Running(new ConfigFile(), Unused, running));
        ProcessVitals before = ProcessVitals.Of(gateway.Pid);
        TimeSpan started = await StartAllAsync(gateway, running);
        ProcessVitals during = ProcessVitals.Of(gateway.Pid);

        // A shorter timeout makes all of them due at once.
        long asked = Stopwatch.GetTimestamp();
        await ReloadMsAsync(gateway, Running(Fresh(gateway), "idle_timeout_secs = 1", running).ToString(), ("0", "0", $"{running}"));
        await gateway.UntilAsync("all have stopped", async () => await StatesAsync(gateway, "stopped") == running);
        double stoppedMs = Stopwatch.GetElapsedTime(asked).TotalMilliseconds;
        await gateway.UntilAsync("the descriptors are closed", () =>
            Task.FromResult(ProcessVitals.Of(gateway.Pid).Descriptors <= before.Descriptors + DescriptorsSpare)
        );

        await Figures.NoteAsync(
            $"{running} backends, started in {started.TotalSeconds:F1} s, idle at once: stopped after {stoppedMs:F0} ms; "
                + $"before: {before}; running: {during}; after: {ProcessVitals.Of(gateway.Pid)}"
        );
        Assert.That(Scene.Children(), Is.Empty);
        AssertAllEndedBySigterm(gateway, running);
    }

    [Test]
    public async Task Hundreds_of_running_backends_end_with_the_gateway()
    {
        int running = Effort.Scale(@long: 500, native: 500, managed: 20);
        GatewayProcess gateway = await Scene.GatewayAsync(Running(new ConfigFile(), Unused, running));
        TimeSpan started = await StartAllAsync(gateway, running);

        long asked = Stopwatch.GetTimestamp();
        gateway.Signal(ProcessScan.Term);

        Assert.That(await gateway.ExitAsync(), Is.Zero);
        TimeSpan took = Stopwatch.GetElapsedTime(asked);
        await Figures.NoteAsync(
            $"{running} backends, started in {started.TotalSeconds:F1} s: the gateway ended {took.TotalMilliseconds:F0} ms after SIGTERM"
        );
        Assert.That(Scene.Children().Select(ProcessScan.CommandLine), Is.Empty);
        Assert.That(took.TotalSeconds, Strain.Within(asked, 0, 8));
        AssertAllEndedBySigterm(gateway, running);
    }

    /// <summary>
    /// Connections of this test to the admin API come and go; the framework-dependent build opens files of its own while it runs. A leak
    /// would be four for each backend.
    /// </summary>
    private static readonly int DescriptorsSpare = Executables.GatewayIsNative ? 3 : 20;

    private const string Unused = "idle_timeout_secs = 600";

    private static ConfigFile Fresh(GatewayProcess gateway) => new() { Port = gateway.Config.Port, AdminPort = gateway.Config.AdminPort };

    private static ConfigFile Running(ConfigFile config, string timeout, int count)
    {
        config.Defaults(timeout, "shutdown_grace_period_secs = 30");
        for (int i = 0; i < count; i++)
        {
            config.TestBackend($"{i}.test", $"--name=b{i}");
        }

        return config;
    }

    /// <summary>Each got one SIGTERM, and none had to be killed.</summary>
    private void AssertAllEndedBySigterm(GatewayProcess gateway, int count)
    {
        IEnumerable<int> terms = Enumerable
            .Range(0, count)
            .Select(i => Control.Started($"b{i}").Single().Told.Count(line => line.StartsWith("sigterm", StringComparison.Ordinal)));
        Assert.That(terms, Has.All.EqualTo(1));
        Assert.That(gateway.Log.Lines.Where(line => line.Says("SIGKILL")), Is.Empty);
    }

    private static ConfigFile Configure(ConfigFile config, string prefix, int named = 0)
    {
        for (int i = 0; i < Configured; i++)
        {
            config.TestBackend($"{prefix}{i}.test", i < named ? [$"--name=b{i}"] : []);
        }

        return config;
    }

    /// <summary>Milliseconds from the signal to the report of success, which must have these counts.</summary>
    private static async Task<double> ReloadMsAsync(
        GatewayProcess gateway,
        string text,
        (string Added, string Removed, string Updated) counts
    )
    {
        int lines = gateway.Log.Lines.Count;
        string fresh = gateway.ConfigPath + ".new";
        await File.WriteAllTextAsync(fresh, text);
        File.Move(fresh, gateway.ConfigPath, overwrite: true);
        long asked = Stopwatch.GetTimestamp();
        gateway.Signal(ProcessScan.Hup);
        LogLine line = await gateway.LogsAsync(lines, Reloaded);
        double ms = Stopwatch.GetElapsedTime(asked).TotalMilliseconds;
        Assert.That((line.Field("added"), line.Field("removed"), line.Field("updated")), Is.EqualTo(counts), line.Text);
        return ms;
    }

    /// <summary>Share of a core that the gateway uses while nobody asks it anything.</summary>
    private static async Task<double> CpuShareAsync(GatewayProcess gateway)
    {
        var nothing = new TaskCompletionSource();
        await nothing.Task.StaysOpenAsync(TimeSpan.FromSeconds(1));
        ProcessVitals before = ProcessVitals.Of(gateway.Pid);
        long began = Stopwatch.GetTimestamp();
        await nothing.Task.StaysOpenAsync(Watched);
        return (ProcessVitals.Of(gateway.Pid).CpuMs - before.CpuMs) / Stopwatch.GetElapsedTime(began).TotalMilliseconds;
    }

    private async Task<TimeSpan> StartAllAsync(GatewayProcess gateway, int count)
    {
        long began = Stopwatch.GetTimestamp();
        await Task.WhenAll(
            Enumerable
                .Range(0, count)
                .Select(async i =>
                {
                    using RawClient client = await RawClient.ConnectAsync(gateway.Port);
                    RawResponse response = await client.ExchangeAsync($"{i}.test", "/");
                    Assert.That(response.Status, Is.EqualTo(200), response.Text);
                })
        );
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        Assert.That(await StatesAsync(gateway, "ready"), Is.EqualTo(count));
        await Task.WhenAll(Enumerable.Range(0, count).Select(i => Control.StartAsync($"b{i}")));
        return took;
    }

    private static async Task<int> StatesAsync(GatewayProcess gateway, string state)
    {
        JsonElement all = (await gateway.Admin.JsonAsync("/backends")).GetProperty("backends");
        return all.EnumerateArray().Count(each => each.GetProperty("state").GetString() == state);
    }

    /// <summary>The checks of the time watched.</summary>
    private static IEnumerable<long> Recent(BackendProcess process)
    {
        long now = Stopwatch.GetTimestamp();
        return process.Checked.Where(each => Stopwatch.GetElapsedTime(each, now) < Watched);
    }

    /// <summary>How many checks arrived in each tenth of the interval: all in one if they were in step.</summary>
    private static int[] Arrivals(BackendProcess[] processes, int intervalMs)
    {
        int[] tenths = new int[10];
        foreach (long at in processes.SelectMany(Recent))
        {
            double ms = at * 1000.0 / Stopwatch.Frequency % intervalMs;
            tenths[(int)(ms * 10 / intervalMs)]++;
        }

        return tenths;
    }
}
