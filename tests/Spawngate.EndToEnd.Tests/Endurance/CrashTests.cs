using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>Backends that crash, crash again and fall ill while they are in use.</summary>
internal sealed class CrashTests : GatewayTest
{
    [Test]
    public async Task A_crash_fails_what_is_in_flight_visibly_and_the_next_request_starts_anew()
    {
        GatewayProcess gateway = await GatewayAsync();
        using RawClient beforeHead = await HoldAsync(gateway, "/hold?key=a", "POST");
        using RawClient afterHead = await HoldAsync(gateway, "/hold?key=b&at=head", "GET");
        using RawClient inBody = await HoldAsync(gateway, "/hold?key=c&at=body", "GET");
        using RawClient inTunnel = await HoldAsync(gateway, "/upgrade", "GET", "Connection: Upgrade\r\nUpgrade: echo\r\n");
        BackendProcess backend = await Control.StartAsync();
        Array.ForEach(
            await Task.WhenAll(
                backend.ToldAsync("hold a"),
                backend.ToldAsync("hold b"),
                backend.ToldAsync("hold c"),
                backend.ToldAsync("tunnel")
            ),
            _ => { }
        );
        Assert.That((await inTunnel.ReadHeadAsync()).Status, Is.EqualTo(101));

        await backend.SendAsync("crash");
        long crashed = Stopwatch.GetTimestamp();

        // Until it has crashed it may still answer.
        await gateway.UntilAsync("the exit is noticed", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("state").GetString() == "stopped"
        );
        RawResponse next = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That(next.Status, Is.EqualTo(200));
        Assert.That(next.Json.GetProperty("pid").GetInt32(), Is.Not.EqualTo(backend.Pid));
        RawResponse failed = await beforeHead.ReadResponseAsync("POST");
        Assert.That((failed.Status, failed.Header("X-Proxy-Error")), Is.EqualTo((502, "CONNECTION_FAILED")));
        Assert.That(async () => await afterHead.ReadResponseAsync(), Throws.InstanceOf<IncompleteMessageException>());
        Assert.That(async () => await inBody.ReadResponseAsync(), Throws.InstanceOf<IncompleteMessageException>());
        Assert.That(await inTunnel.EndsAsync());
        Assert.That(Stopwatch.GetElapsedTime(crashed).TotalSeconds, Strain.Within(crashed, 0, 3), "seconds until all of them knew");
        await gateway.UntilAsync("nothing is in flight", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("in_flight").GetInt32() == 0
        );
    }

    /// <summary>
    /// The kernel of a process that is being killed may still take a connection and a request for it. Nobody read them, so the next process
    /// gets the request.
    /// </summary>
    [Test]
    public async Task A_request_that_meets_a_process_in_the_moment_of_its_death_is_served_by_the_next(
        [Values("GET", "DELETE")] string method
    )
    {
        string[] hosts = [.. Enumerable.Range(0, Effort.Scale(@long: 40, native: 20, managed: 5)).Select(i => $"dying{i}.test")];
        var config = new ConfigFile();
        Array.ForEach(hosts, host => config.TestBackend(host));
        GatewayProcess gateway = await Scene.GatewayAsync(config);
        foreach (string host in hosts)
        {
            RawResponse first = await RawClient.RequestAsync(gateway.Port, host, "/");
            int pid = first.Json.GetProperty("pid").GetInt32();
            Process.GetProcessById(pid).Kill();

            RawResponse next = await RawClient.RequestAsync(gateway.Port, host, "/", method);

            Assert.That(next.Status, Is.EqualTo(200), host);
        }
    }

    /// <summary>Crashes under load: what reached the dead process may fail; everything else is served by the next one.</summary>
    [Test]
    public async Task Crashes_under_load_fail_only_what_was_in_flight()
    {
        const int Connections = 8;
        GatewayProcess gateway = await GatewayAsync();
        using var load = new LoadLoop(gateway.Port, Host, "/bytes?n=2000", Connections, warmAfter: 200);
        await load.Warm.InTimeAsync("load");

        // The first crash is forgiven; one more would make the start wait.
        await (await Control.StartAsync()).SendAsync("crash");
        await Control.StartAsync(index: 1);
        int seen = load.Complete;
        await gateway.UntilAsync("the load goes on", () => Task.FromResult(load.Complete > seen + 500));

        await load.StopAsync();
        await Figures.NoteAsync(
            $"a crash under load of {Connections} connections: {load.Complete} answered, {load.Wrong} got 502, {load.Cut} were cut"
        );
        Assert.That(load.Wrong + load.Cut, Is.LessThanOrEqualTo(Connections));
        Assert.That(load.Unanswered, Is.Zero);
        Assert.That(load.WrongCodes.Keys, Is.SubsetOf(new[] { "CONNECTION_FAILED", "BAD_BACKEND_RESPONSE" }));
    }

    [Test]
    public async Task A_crash_loop_is_slowed_down_and_says_for_how_long()
    {
        string starts = Scene.NewFolder("starts");
        GatewayProcess gateway = await GatewayAsync($"--start-log={starts}");
        var waits = new List<int>();
        for (int crashes = 0; waits.Count < 2; crashes++)
        {
            Assert.That(crashes, Is.LessThan(5));
            Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
            await (await Control.StartAsync(index: crashes)).SendAsync("crash");
            await gateway.UntilStateAsync(Host, "stopped");
            await WaitOutAsync(gateway, waits);
        }

        Assert.That(waits, Is.EqualTo(new[] { 1, 2 }), "seconds to wait after the second and the third crash");
        RawResponse served = await RawClient.RequestAsync(gateway.Port, Host, "/");
        Assert.That(served.Status, Is.EqualTo(200), "after the wait it is started again");
        Assert.That(Directory.GetFiles(starts), Has.Length.EqualTo(4), "and never in between");
    }

    [Test]
    public async Task An_unhealthy_restart_under_load_loses_only_what_is_refused_as_unhealthy()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("ready_health_check_interval_ms = 200", "unhealthy_threshold = 2").TestBackend(Host)
        );
        using var load = new LoadLoop(gateway.Port, Host, "/bytes?n=2000", connections: 8, warmAfter: 200);
        await load.Warm.InTimeAsync("load");
        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/hold?key=a");
        BackendProcess first = await Control.StartAsync();
        await first.ToldAsync("hold a");

        await first.DoAsync("health 500");
        await gateway.UntilStateAsync(Host, "stopping");
        await first.DoAsync("release a");
        Assert.That((await held).Text, Is.EqualTo("held"), "what was in flight when it fell ill is finished");
        await Control.StartAsync(index: 1);
        await gateway.UntilStateAsync(Host, "ready");
        int seen = load.Complete;
        await gateway.UntilAsync("the load goes on", () => Task.FromResult(load.Complete > seen + 200));

        await load.StopAsync();
        await Figures.NoteAsync(
            $"an unhealthy restart under load: {load.Complete} answered, {load.Wrong} refused as unhealthy, {load.Cut} cut, "
                + $"{load.Unanswered} unanswered"
        );
        Assert.That((load.Cut, load.Unanswered), Is.EqualTo((0, 0)));
        Assert.That(load.WrongCodes.Keys, Is.SubsetOf(new[] { "BACKEND_UNHEALTHY" }));
        Assert.That(first.Told, Has.Some.StartsWith("sigterm").And.Contains("inflight=0"));
    }

    [TestCase("hang")]
    [TestCase("redirect")]
    [TestCase("close")]
    public async Task A_health_endpoint_that_stops_answering_well_has_its_backend_restarted(string answer)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("ready_health_check_interval_ms = 200", "unhealthy_threshold = 2").TestBackend(Host)
        );
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess first = await Control.StartAsync();

        await first.DoAsync($"health {answer}");
        await first.ExitedInTimeAsync();

        await Control.StartAsync(index: 1);
        await gateway.UntilStateAsync(Host, "ready");
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_health_endpoint_that_answers_slowly_is_healthy_and_is_never_asked_twice_at_once()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Defaults("ready_health_check_interval_ms = 100", "unhealthy_threshold = 1")
                .TestBackend(Host, "--health=slow-700")
        );
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        BackendProcess backend = await Control.StartAsync();

        await backend.ToldTimesAsync("health", 6);

        long[] asked = backend.Checked;
        double[] gaps = [.. asked.Zip(asked.Skip(1), (a, b) => Stopwatch.GetElapsedTime(a, b).TotalMilliseconds)];
        Assert.That(gaps, Has.All.GreaterThan(600 - (1000 * Strain.SecsSince(asked[0]))), "ms between checks that each take 700");
        Assert.That((await gateway.Admin.StateAsync(Host), Control.Started().Count), Is.EqualTo(("ready", 1)));
    }

    private static async Task<RawClient> HoldAsync(GatewayProcess gateway, string target, string method, string headers = "")
    {
        RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, target, method, headers));
        return client;
    }

    /// <summary>
    /// Takes note of the wait that a refused request names, sees that it is also in the report, and waits until it is over.
    /// </summary>
    private static async Task WaitOutAsync(GatewayProcess gateway, List<int> waits)
    {
        JsonElement report = await gateway.Admin.BackendAsync(Host);
        if (report.GetProperty("retry_after_secs").ValueKind == JsonValueKind.Null)
        {
            return;
        }

        RawResponse refused = await RawClient.RequestAsync(gateway.Port, Host, "/");
        Assert.That((refused.Status, refused.Header("X-Proxy-Error")), Is.EqualTo((503, "BACKEND_START_FAILED")));
        waits.Add(int.Parse(refused.Header("Retry-After")!, CultureInfo.InvariantCulture));
        await gateway.UntilAsync("the wait is over", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("retry_after_secs").ValueKind == JsonValueKind.Null
        );
    }
}
