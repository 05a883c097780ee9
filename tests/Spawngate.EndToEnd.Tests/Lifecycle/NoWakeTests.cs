using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>Uptime checks and bots: they see what runs, and neither start it nor keep it.</summary>
[LongRunning]
internal sealed class NoWakeTests : GatewayTest
{
    private const string Bot = "User-Agent: SomeBot/1.0\r\n";

    [Test]
    public async Task Checks_never_start_a_backend_and_never_keep_one()
    {
        GatewayProcess gateway = await StartAsync();
        RawResponse down = await RawClient.RequestAsync(gateway.Port, Host, "/health%7a?x");
        Assert.That(
            (down.Status, down.Header("X-Proxy-Error"), down.Json.GetProperty("code").GetString()),
            Is.EqualTo((503, "NOT_RUNNING", "NOT_RUNNING"))
        );
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Bot)).Status, Is.EqualTo(503));
        Assert.That(Control.Started(), Is.Empty);

        await RawClient.RequestAsync(gateway.Port, Host, "/");
        long used = Stopwatch.GetTimestamp();
        BackendProcess backend = await Control.StartAsync();
        Task<string> stop = backend.ToldAsync("sigterm");
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        int served = 0;
        while (!stop.IsCompleted)
        {
            RawResponse checkedNow = await client.ExchangeAsync(Host, "/", headers: Bot);
            Assert.That(checkedNow.Status, Is.EqualTo(200).Or.EqualTo(503), checkedNow.Text);
            served += checkedNow.Status == 200 ? 1 : 0;
        }

        Assert.That(
            Stopwatch.GetElapsedTime(used).TotalSeconds,
            Strain.Within(used, 0.95, 2.3),
            "seconds from the last use to SIGTERM, under checks without a pause"
        );
        Assert.That(served, Is.Positive);
        await gateway.UntilStateAsync(Host, "stopped");
        Assert.That((await client.ExchangeAsync(Host, "/", headers: Bot)).Header("X-Proxy-Error"), Is.EqualTo("NOT_RUNNING"));
        Assert.That(Control.Started(), Has.Count.EqualTo(1));

        JsonElement report = await gateway.Admin.BackendAsync(Host);
        Assert.That(report.GetProperty("turned_away_total").GetInt64(), Is.GreaterThanOrEqualTo(3));
        Assert.That(
            await gateway.Admin.TextAsync($"/backends/{Host}?format=text"),
            Does.Contain("were turned away since the gateway started: they never wake it")
        );
        Assert.That(
            await gateway.Admin.TextAsync("/metrics"),
            Does.Contain($"spawngate_requests_turned_away_total{{hostname=\"{Host}\"}} ")
        );
    }

    [Test]
    public async Task One_in_flight_is_finished_before_the_process_ends()
    {
        GatewayProcess gateway = await StartAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();
        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/hold?key=a", headers: Bot);
        await backend.ToldAsync("hold a");

        await gateway.UntilStateAsync(Host, "stopping");

        // The state is told before the reason.
        string told = "";
        await gateway.UntilAsync("it says why it stops", async () =>
            (told = await gateway.Admin.TextAsync($"/backends/{Host}?format=text")).Contains(
                "stops      now: idle",
                StringComparison.Ordinal
            )
        );
        Assert.That(told, Does.Contain("that does not count as use (no_wake, or a quiet WebSocket)"));
        Assert.That(
            (await RawClient.RequestAsync(gateway.Port, Host, "/healthz")).Header("X-Proxy-Error"),
            Is.EqualTo("NOT_RUNNING"),
            "while it stops it does not run"
        );
        await backend.DoAsync("release a");

        Assert.That((await held).Text, Is.EqualTo("held"));
        await backend.ExitedInTimeAsync();
        Assert.That(backend.Told, Has.Some.StartsWith("sigterm served=2 inflight=0"));
    }

    [Test]
    public async Task A_user_who_comes_while_it_is_waited_for_is_served_at_once_by_the_same_process()
    {
        GatewayProcess gateway = await StartAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();
        using RawClient tunnel = await RawClient.ConnectAsync(gateway.Port);
        await tunnel.SendAsync(RawClient.Head(Host, "/upgrade", "GET", Bot + "Connection: Upgrade\r\nUpgrade: echo\r\n"));
        Assert.That((await tunnel.ReadHeadAsync()).Status, Is.EqualTo(101));
        await gateway.UntilStateAsync(Host, "stopping");

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That((response.Status, response.Json.GetProperty("pid").GetInt32()), Is.EqualTo((200, backend.Pid)));
        Assert.That(await gateway.Admin.TextAsync($"/backends/{Host}?format=text"), Does.Contain("idle stop called off after "));
        Assert.That(backend.Told, Has.None.StartsWith("sigterm"));
    }

    [Test]
    public async Task Over_http2_it_is_the_same()
    {
        GatewayProcess gateway = await StartAsync();
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        Assert.That((await AskAsync("/healthz/db")).Headers.GetValues("x-proxy-error"), Is.EqualTo(["NOT_RUNNING"]));
        Assert.That((await AskAsync("/", "somebot")).StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
        Assert.That(Control.Started(), Is.Empty);
        Assert.That((await AskAsync("/")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        BackendProcess backend = await Control.StartAsync();
        Task<HttpResponseMessage> held = AskAsync("/hold?key=a", "somebot");
        await backend.ToldAsync("hold a");
        JsonElement report = await gateway.Admin.BackendAsync(Host);
        Assert.That((report.GetProperty("in_flight").GetInt32(), report.GetProperty("no_wake").GetInt32()), Is.EqualTo((1, 1)));
        await gateway.UntilStateAsync(Host, "stopping");
        await backend.DoAsync("release a");
        Assert.That(await (await held).Content.ReadAsStringAsync(), Is.EqualTo("held"));
        await backend.ExitedInTimeAsync();

        Task<HttpResponseMessage> AskAsync(string path, string agent = "me") =>
            http.SendAsync(
                new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{gateway.Port}{path}")
                {
                    Version = HttpVersion.Version20,
                    VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                    Headers = { Host = Host, UserAgent = { new(agent, "1") } },
                }
            );
    }

    private Task<GatewayProcess> StartAsync() =>
        Scene.GatewayAsync(new ConfigFile().Defaults("idle_timeout_secs = 1", "no_wake = [\"/healthz\", \"somebot\"]").TestBackend(Host));
}
