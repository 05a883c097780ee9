using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>
/// <c>spawngate explain</c> in the situations that people ask about. With <c>SPAWNGATE_EXPLANATIONS</c> set, what it prints is written into
/// that folder: the examples of docs/how-to/explain.md are made so.
/// </summary>
[LongRunning]
internal sealed class ExplainTests : GatewayTest
{
    private const string Agent = "User-Agent: curl/8.5.0\r\n";

    [Test]
    public async Task Never_woken() =>
        await SaysAsync("1-never-woken", await GatewayAsync(), "is stopped (local)", "woken by   nobody yet", "the next request starts it");

    [Test]
    public async Task Starting_slowly()
    {
        GatewayProcess gateway = await GatewayAsync("--never-listen");
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/report?month=7", "GET", Agent));
        await Control.StartAsync();
        await SaysAsync(
            "2-starting",
            gateway,
            "is starting (pid ",
            "woken by   GET /report from 127.0.0.1 (curl/8.5.0)",
            "1 request waiting for it to be ready",
            "waiting GET /report from 127.0.0.1",
            "not while it starts"
        );
    }

    [Test]
    public async Task Ready_and_idle()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Defaults("idle_timeout_secs = 60").TestBackend(Host));
        await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Agent);
        await SaysAsync(
            "3-idle",
            gateway,
            "is ready (pid ",
            "ready after ",
            "held by    nothing",
            "seconds, if nobody uses it; a request puts that off until 60 seconds after its end",
            "1 request had waited"
        );
    }

    [Test]
    public async Task In_use_by_a_request()
    {
        GatewayProcess gateway = await GatewayAsync();
        using RawClient client = await HeldAsync(gateway);
        await SaysAsync(
            "4-in-use",
            gateway,
            "1 request or tunnel in flight",
            "request GET /hold from 127.0.0.1, ",
            "600 seconds after the last of them ends"
        );
        await client.ReadResponseAsync();
    }

    [Test]
    public async Task Kept_awake_by_a_tunnel()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("idle_timeout_secs = 1", "ready_health_check_interval_ms = 200").TestBackend(Host)
        );
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/upgrade", "GET", Agent + "Connection: Upgrade\r\nUpgrade: echo\r\n"));
        await client.ReadHeadAsync();
        await gateway.UntilAsync("it was kept awake twice", async () =>
            (await HistoryAsync(gateway)).Any(entry => entry.TryGetProperty("times", out JsonElement times) && times.GetInt32() >= 2)
        );
        await SaysAsync(
            "5-kept-awake",
            gateway,
            "1 of them tunnels",
            "tunnel GET /upgrade from 127.0.0.1, ",
            "kept awake for ",
            "idle timeouts in a row by 1 open request or tunnel: tunnel GET /upgrade from 127.0.0.1"
        );
        Assert.That((await gateway.Admin.BackendAsync(Host)).GetProperty("tunnels").GetInt32(), Is.EqualTo(1));
    }

    [Test]
    public async Task Failing_to_start()
    {
        GatewayProcess gateway = await GatewayAsync("--exit-code=3", "--exit-after-ms=100", "--never-listen", "--stderr-lines=2");
        string[] phrases =
        [
            "is stopped",
            "starts in a row failed; last: exited with status 3 before it was ready; the next start is tried in ",
            "start failed after ",
            "1 request failed with it",
            "| ",
        ];

        // Each failure in a row makes the pause longer, so that at last the question comes within it, however slow the machine is.
        string said = "";
        for (int i = 0; i < 9 && !said.Contains(phrases[1], StringComparison.Ordinal); i++)
        {
            await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Agent);
            said = await ExplainedAsync("6-failing", gateway);
        }

        AssertSays(said, phrases);
    }

    [Test]
    public async Task Crashed()
    {
        GatewayProcess gateway = await GatewayAsync("--stderr-lines=1");
        await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Agent);
        BackendProcess backend = await Control.StartAsync();
        ProcessScan.Signal(backend.Pid, ProcessScan.Kill);
        await gateway.UntilStateAsync(Host, "stopped");
        await SaysAsync(
            "7-crashed",
            gateway,
            "is stopped",
            "last stop  exited by itself",
            "killed by signal 9 (SIGKILL), by itself, after it was ready for ",
            "| "
        );
    }

    [Test]
    public async Task Unhealthy_and_restarted()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("ready_health_check_interval_ms = 200").TestBackend(Host)
        );
        await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Agent);
        await (await Control.StartAsync()).DoAsync("health 500");
        await Control.StartAsync(index: 1);
        await gateway.UntilStateAsync(Host, "ready");
        await SaysAsync(
            "8-unhealthy",
            gateway,
            "unhealthy after ",
            "stopping (unhealthy)",
            "woken by restart: unhealthy",
            "last stop  unhealthy"
        );
    }

    [Test]
    public async Task Stopping_while_a_request_is_in_flight()
    {
        GatewayProcess gateway = await GatewayAsync();
        using RawClient client = await HeldAsync(gateway);
        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await gateway.UntilStateAsync(Host, "stopping");
        await gateway.UntilAsync("the reason is told as well", async () =>
            (await HistoryAsync(gateway))[^1].GetProperty("event").GetString() == "stopping"
        );
        await SaysAsync(
            "9-stopping",
            gateway,
            "is stopping (pid ",
            "stops      now: asked",
            "request GET /hold from 127.0.0.1",
            "stopping (asked) after it was ready for ",
            "; 1 request in flight"
        );
    }

    [Test]
    public async Task Stopped_for_idleness()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Defaults("idle_timeout_secs = 1").TestBackend(Host));
        await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Agent);
        await gateway.UntilStateAsync(Host, "stopped");
        await SaysAsync(
            "10-stopped",
            gateway,
            "is stopped",
            "last stop  idle",
            "stopping (idle) after it was ready for ",
            "stopped (idle) after "
        );
    }

    [Test]
    public async Task Json_is_what_the_api_says()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/?secret=1", headers: Agent);
        Tool explained = await Tool.GatewayAsync(Scene, "explain", Host, "--config", gateway.ConfigPath, "--json");
        JsonElement woken = JsonDocument.Parse(explained.Out).RootElement.GetProperty("ledger")[0];
        Assert.That(
            woken.GetProperty("by").GetRawText(),
            Is.EqualTo("""{"method":"GET","path":"/","client":"127.0.0.1","user_agent":"curl/8.5.0"}""")
        );
    }

    private async Task<RawClient> HeldAsync(GatewayProcess gateway)
    {
        await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Agent);
        RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/hold?key=a", "GET", Agent));
        BackendProcess backend = await Control.StartAsync();
        await backend.ToldAsync("hold a");

        // A client has its answer a moment before the gateway counts its request out.
        while ((await gateway.Admin.BackendAsync(Host)).GetProperty("in_flight").GetInt32() != 1)
        {
            await Task.Yield();
        }

        _release = () => backend.DoAsync("release a");
        return client;
    }

    private Func<Task> _release = static () => Task.CompletedTask;

    private static async Task<List<JsonElement>> HistoryAsync(GatewayProcess gateway) =>
        [.. (await gateway.Admin.BackendAsync(Host)).GetProperty("ledger").EnumerateArray()];

    private async Task SaysAsync(string name, GatewayProcess gateway, params string[] phrases) =>
        AssertSays(await ExplainedAsync(name, gateway), phrases);

    private static void AssertSays(string said, string[] phrases) =>
        Assert.That(phrases.Where(phrase => !said.Contains(phrase, StringComparison.Ordinal)), Is.Empty, said);

    private async Task<string> ExplainedAsync(string name, GatewayProcess gateway)
    {
        Tool explained = await Tool.GatewayAsync(Scene, "explain", Host, "--config", gateway.ConfigPath);
        await _release();
        if (Environment.GetEnvironmentVariable("SPAWNGATE_EXPLANATIONS") is { Length: > 0 } folder)
        {
            await File.WriteAllTextAsync(Path.Combine(folder, name + ".txt"), explained.Out);
        }

        Assert.That(explained.Code, Is.Zero, explained.Error);
        return explained.Out;
    }
}
