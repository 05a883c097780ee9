using System.Net.WebSockets;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Sessions;

/// <summary>The life of sessions, as a web application sees it.</summary>
[LongRunning]
internal sealed class SessionLifeTests : SessionTest
{
    [Test]
    public async Task A_session_is_made_followed_used_and_swept()
    {
        GatewayProcess gateway = await GatewayWithTokenAsync(
            Config(["grace_period_secs = 1", "allow_env = [\"B\"]", "env = { A = \"template\", B = \"template\" }"])
        );
        Spawned session = await SpawnAsync(gateway, """{"template":"t","env":{"B":"call"}}""");
        Task<List<(string? Id, string Data)>> states = StreamAsync(gateway, $"/backend/{session.Name}/status/stream");
        Task<List<(string? Id, string Data)>> uses = StreamAsync(gateway, $"/backend/{session.Name}/events");

        Assert.That(session.Name, Does.Match("^[a-z2-7]{24}$"));
        Assert.That(session.Url, Is.EqualTo($"http://{session.Name}.{Domain}:{gateway.Port}/"));
        Assert.That(session.ReadyUrl, Is.EqualTo($"http://127.0.0.1:{gateway.Config.AdminPort}/backend/{session.Name}/ready"));
        Assert.That(
            (await AskAsync(gateway, session, "/env?name=A")).Text,
            Is.EqualTo("template"),
            "at once: it waits until the session is ready"
        );
        Assert.That((await AskAsync(gateway, session, "/env?name=B")).Text, Is.EqualTo("call"));
        await ReadyAsync(gateway, session);
        JsonElement listed = await gateway.Admin.BackendAsync(session.Host);
        Assert.That((listed.GetProperty("session").GetString(), listed.GetProperty("generation").GetInt32()), Is.EqualTo(("t", 1)));

        Assert.That(
            (await states).Select(each => $"{each.Id} {JsonDocument.Parse(each.Data).RootElement.GetProperty("state").GetString()}"),
            Is.EqualTo(["1 Submitted", "2 Constructed", "3 Scheduled", "4 Running", "5 Ready", "6 Swept"])
        );
        Assert.That((await uses)[^1].Data, Is.EqualTo("""{"ready":false}"""));
        RawResponse late = await AskAsync(gateway, session);
        Assert.That((late.Status, late.Header("X-Proxy-Error")), Is.EqualTo((410, "SESSION_ENDED")));
        Assert.That((await CallAsync(gateway, HttpMethod.Get, $"/backend/{session.Name}/ready")).Status, Is.EqualTo(409));
        Assert.That((await CallAsync(gateway, HttpMethod.Delete, $"/backend/{session.Name}")).Status, Is.EqualTo(202));
        Assert.That((await CallAsync(gateway, HttpMethod.Get, $"/backends/{session.Host}")).Status, Is.EqualTo(404));
        Assert.That(Scene.Children(), Is.Empty);
        Assert.That(Control.Started(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_tunnel_holds_it_and_the_grace_period_begins_when_it_closes()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config(["grace_period_secs = 1"]));
        Spawned session = await SpawnAsync(gateway);
        await ReadyAsync(gateway, session);
        using ClientWebSocket socket = await TunnelAsync(gateway, session);
        Task<List<(string? Id, string Data)>> uses = StreamAsync(gateway, $"/backend/{session.Name}/events");
        await gateway.LogsAsync(session.Host, "Backend is ready");
        Assert.That(await new TaskCompletionSource().Task.StaysOpenAsync(TimeSpan.FromSeconds(2.5)), Is.True);
        Assert.That(await StateAsync(gateway, session), Is.EqualTo("Ready"), "longer than the grace period");

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);

        List<string> told = [.. (await uses).Select(each => each.Data)];
        Assert.That(told[0], Is.EqualTo("""{"ready":true,"live_connections":1}"""));
        Assert.That(told[1..^1], Is.All.StartsWith("""{"ready":true,"seconds_since_active":"""));
        Assert.That(told[^1], Is.EqualTo("""{"ready":false}"""));
        Assert.That(await StateAsync(gateway, session), Is.EqualTo("Swept"));
    }

    [Test]
    public async Task A_crash_and_a_start_that_fails_are_Failed_and_not_repeated()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            Config()
                .Template("never", ["startup_timeout_secs = 3"], "--never-listen")
                .Section("[sessions.templates.missing]", "command = \"/no/such/program\"")
        );
        Spawned crashed = await SpawnAsync(gateway);
        await ReadyAsync(gateway, crashed);
        Spawned never = await SpawnAsync(gateway, """{"template":"never"}""");
        Spawned missing = await SpawnAsync(gateway, """{"template":"missing"}""");
        Task<RawResponse> waits = AskAsync(gateway, never);

        await AskAsync(gateway, crashed, "/crash");

        foreach (Spawned session in (Spawned[])[crashed, never, missing])
        {
            await UntilAsync(gateway, session, "Failed");
            Assert.That((await AskAsync(gateway, session)).Status, Is.EqualTo(410));
            Assert.That((await CallAsync(gateway, HttpMethod.Get, $"/backend/{session.Name}/ready?wait=60")).Status, Is.EqualTo(409));
        }

        Assert.That((await waits).Header("X-Proxy-Error"), Is.EqualTo("BACKEND_START_FAILED"));
        await gateway.UntilAsync("nothing runs", () => Task.FromResult(Scene.Children().Count == 0));
        Assert.That(Control.Started(), Has.Count.LessThanOrEqualTo(2));
    }

    [Test]
    public async Task A_deletion_drains_and_frees_the_key_at_once()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config());
        Spawned session = await SpawnAsync(gateway, """{"key":"document"}""");
        Task<RawResponse> held = AskAsync(gateway, session, "/hold?key=a");
        BackendProcess process = await Control.StartAsync();
        await process.ToldAsync("hold a");

        Assert.That((await CallAsync(gateway, HttpMethod.Delete, $"/backend/{session.Name}")).Status, Is.EqualTo(202));
        Spawned next = await SpawnAsync(gateway, """{"key":"document"}""");
        Assert.That((next.IsNew, next.Name == session.Name), Is.EqualTo((true, false)));
        Assert.That((await AskAsync(gateway, session)).Status, Is.EqualTo(410), "while it drains");
        await process.DoAsync("release a");

        Assert.That((await held).Text, Is.EqualTo("held"));
        await UntilAsync(gateway, session, "Swept");
        await process.ExitedInTimeAsync();
        Assert.That((await AskAsync(gateway, next)).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_template_removed_by_reload_leaves_its_sessions_alone()
    {
        ConfigFile config = Config();
        GatewayProcess gateway = await Scene.GatewayAsync(config);
        Spawned session = await SpawnAsync(gateway);
        await ReadyAsync(gateway, session);

        gateway.Reload(
            new ConfigFile { Port = config.Port, AdminPort = config.AdminPort }
                .Section("[sessions]", "domain = \"other.localhost\"")
                .Template("u", [])
                .ToString()
        );
        await gateway.LogsAsync("Configuration reloaded successfully");

        Assert.That((await AskAsync(gateway, session)).Status, Is.EqualTo(200));
        Assert.That(
            (await CallAsync(gateway, HttpMethod.Post, "/spawn", """{"template":"t"}""")).Answer.GetProperty("field").GetString(),
            Is.EqualTo("template")
        );
        Assert.That((await SpawnAsync(gateway, "")).Url, Does.Contain(".other.localhost"));
        gateway.Reload(new ConfigFile { Port = config.Port, AdminPort = config.AdminPort }.ToString());
        await gateway.UntilAsync("sessions are gone from the file", async () =>
            (await CallAsync(gateway, HttpMethod.Post, "/spawn", "{}")).Status == 404
        );
        Assert.That((await AskAsync(gateway, session)).Status, Is.EqualTo(200));
        Assert.That((await CallAsync(gateway, HttpMethod.Delete, $"/backend/{session.Name}")).Status, Is.EqualTo(202));
        await UntilAsync(gateway, session, "Swept");
    }

    [Test]
    public async Task While_the_gateway_drains_sessions_end_and_none_is_made()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config());
        Spawned session = await SpawnAsync(gateway);
        Task<RawResponse> held = AskAsync(gateway, session, "/hold?key=a");
        BackendProcess process = await Control.StartAsync();
        await process.ToldAsync("hold a");
        Task<List<(string? Id, string Data)>> states = StreamAsync(gateway, $"/backend/{session.Name}/status/stream");

        gateway.Signal(ProcessScan.Term);
        await gateway.UntilAsync("no session is made", async () =>
            (await CallAsync(gateway, HttpMethod.Post, "/spawn", "{}")) is (503, var answer)
            && answer.GetProperty("code").GetString() == "SHUTTING_DOWN"
        );
        await process.DoAsync("release a");

        Assert.That((await held).Text, Is.EqualTo("held"));
        Assert.That(await gateway.ExitAsync(), Is.Zero);
        Assert.That((await states)[^1].Data, Does.Contain("Swept"));
    }

    [Test, LongRunning]
    public async Task Nothing_of_a_session_runs_on_when_the_gateway_is_killed()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config(["shutdown_grace_period_secs = 1"], "--grandchild"));
        Spawned[] sessions = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => SpawnAsync(gateway)));
        await Task.WhenAll(sessions.Select(session => ReadyAsync(gateway, session)));
        Spawned starting = await SpawnAsync(gateway);
        Assert.That(Scene.Children(), Has.Count.GreaterThanOrEqualTo(20));

        gateway.Signal(ProcessScan.Kill);
        await gateway.ExitAsync();
        await Scene.NothingRunsAsync();

        GatewayProcess next = await Scene.GatewayAsync(gateway.Config);
        Assert.That((await AskAsync(next, starting)).Status, Is.EqualTo(404));
        Assert.That((await CallAsync(next, HttpMethod.Get, $"/backend/{sessions[0].Name}/status")).Status, Is.EqualTo(404));
    }
}
