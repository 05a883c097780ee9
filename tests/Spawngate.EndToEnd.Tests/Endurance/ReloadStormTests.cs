using System.Diagnostics;
using System.Text.RegularExpressions;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>Reloads ten times a second, while requests notice nothing.</summary>
[NonParallelizable]
internal sealed class ReloadStormTests : GatewayTest
{
    private const string Reloaded = "Configuration reloaded successfully";
    private const string Bystander = "bystander.test";
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    [Test]
    public async Task SIGHUP_ten_times_a_second_under_load_fails_no_request()
    {
        GatewayProcess gateway = await GatewayAsync();
        using var load = new LoadLoop(gateway.Port, Host, "/bytes?n=500", connections: 16, warmAfter: 500);
        await load.Warm.InTimeAsync("load");

        int sent = await ReloadAsync(gateway, Effort.Span(native: 10, managed: 5), _ => gateway.Config.ToString());

        await load.StopAsync();
        await AssertUnharmedAsync(gateway, load, sent);
    }

    [Test]
    public async Task Files_that_change_ten_times_a_second_do_not_touch_the_loaded_backend()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Bystander, "/");
        using var load = new LoadLoop(gateway.Port, Host, "/bytes?n=500", connections: 16, warmAfter: 500);
        await load.Warm.InTimeAsync("load");

        int sent = await ReloadAsync(gateway, Effort.Span(native: 6, managed: 5), round => Changed(gateway.Config, round).ToString());
        gateway.ReloadAtomically(Changed(gateway.Config, 3).ToString());
        await gateway.UntilAsync("the last file is in force", async () =>
            await gateway.Admin.StatusAsync("/backends/added2.test") == System.Net.HttpStatusCode.OK
            && await gateway.Admin.StatusAsync("/backends/added1.test") == System.Net.HttpStatusCode.NotFound
        );

        await load.StopAsync();
        await AssertUnharmedAsync(gateway, load, sent);
    }

    [Test]
    public async Task Wrk_sees_no_error_while_SIGHUP_comes_ten_times_a_second()
    {
        string wrk = Executables.FindOrSkip("wrk");
        GatewayProcess gateway = await GatewayAsync();
        TimeSpan span = Effort.Span(native: 6, managed: 4);
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        Task<Tool> load = Tool.RunAsync(
            span + Patience.Default,
            wrk,
            "--timeout",
            "30s",
            "-t1",
            "-c32",
            $"-d{span.TotalSeconds:F0}s",
            "-H",
            $"Host: {Host}",
            $"http://127.0.0.1:{gateway.Port}/bytes?n=500"
        );

        int sent = await ReloadAsync(gateway, span - Interval, round => Changed(gateway.Config, round).ToString());

        string report = (await load).Out;
        await Figures.NoteAsync(
            $"wrk beside {sent} reloads: {Regex.Match(report, @"\d+ requests in [^,]*,").Value} "
                + $"{Regex.Match(report, @"Requests/sec:.*").Value}"
        );
        Assert.That(report, Does.Not.Contain("Non-2xx").And.Not.Contain("Socket errors").And.Contain("Requests/sec"));
        Assert.That(Control.Started(), Has.Count.EqualTo(1));
    }

    private Task<GatewayProcess> GatewayAsync() =>
        Scene.GatewayAsync(new ConfigFile().TestBackend(Host).TestBackend(Bystander, "--name=bystander"));

    /// <summary>The file of a round: others are added, removed and changed, and so are the variables of the loaded backend.</summary>
    private static ConfigFile Changed(ConfigFile original, int round)
    {
        var config = new ConfigFile { Port = original.Port, AdminPort = original.AdminPort };
        config.Defaults($"request_timeout_secs = {30 + (round % 3)}");
        config.TestBackendWith(Host, [$"env = {{ ROUND = \"{round}\" }}"]);
        if (round % 4 != 0)
        {
            config.TestBackendWith(Bystander, [$"env = {{ ROUND = \"{round}\" }}"], "--name=bystander");
        }

        return config.TestBackend($"added{round % 2 + 1}.test", $"--name=added{round}");
    }

    private static async Task<int> ReloadAsync(GatewayProcess gateway, TimeSpan span, Func<int, string> file)
    {
        using var beat = new PeriodicTimer(Interval);
        long began = Stopwatch.GetTimestamp();
        int sent = 0;
        while (Stopwatch.GetElapsedTime(began) < span)
        {
            await beat.WaitForNextTickAsync();
            gateway.ReloadAtomically(file(sent++));
        }

        return sent;
    }

    private async Task AssertUnharmedAsync(GatewayProcess gateway, LoadLoop load, int sent)
    {
        int reloads = gateway.Log.Lines.Count(line => line.Says(Reloaded));
        await Figures.NoteAsync(
            $"{sent} signals, {reloads} reloads, {load.Complete} requests, {load.Wrong} of another status, {load.Cut} cut, "
                + $"{load.Unanswered} unanswered"
        );
        Assert.That((load.Wrong, load.Cut, load.Unanswered), Is.EqualTo((0, 0, 0)), string.Join(", ", load.WrongCodes));
        Assert.That(reloads, Is.GreaterThan(sent / 2), "signals that came while the last one was being handled may merge, no more");
        Assert.That(Control.Started(), Has.Count.EqualTo(1), "the loaded backend ran on");
        Assert.That(gateway.Log.Lines.Where(line => line.Level is "ERROR" or "CRITICAL").Select(line => line.Text), Is.Empty);
    }
}
