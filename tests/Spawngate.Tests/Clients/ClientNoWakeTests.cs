using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Telemetry.History;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Requests that wake nothing, on the wire of a client connection.</summary>
internal sealed class ClientNoWakeTests
{
    private const string Check = "GET /health HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    [Test]
    public async Task One_that_finds_the_backend_ready_is_forwarded_and_is_no_use()
    {
        await using var stage = await StartAsync();
        long used = stage.Backend.LastUseMs;
        stage.Time.AdvanceMs(5000);
        var client = await stage.ConnectAsync();
        await client.SendAsync(Check);
        var backend = await stage.AcceptAsync();
        Assert.That((await backend.ReadAsync()).StartLine, Is.EqualTo("GET /health HTTP/1.1"));
        Assert.That(stage.Backend.Word, Has.Property("InUse").Zero.And.Property("PassiveCount").EqualTo(1));
        Assert.That(
            stage.Connections.FindActiveRequests(stage.Backend, 5).Single().Words,
            Is.EqualTo("request GET /health from 192.0.2.7, 0 s (no_wake)")
        );
        await backend.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));

        await client.SendAsync(Check.Replace("/health", "/app", StringComparison.Ordinal));
        await backend.ReadAsync();
        Assert.That((stage.Backend.LastUseMs, stage.Backend.Word.InUse), Is.EqualTo((used, 1)), "only the second one counts");
        await backend.SendAsync(Ok);
        await client.ReadAsync();
        Assert.That(() => stage.Backend.LastUseMs, Is.GreaterThan(used).After(30_000, 1), "the answer comes before the end of use");
    }

    [TestCase("GET /health HTTP/1.1\r\nHost: app.example.com\r\n\r\n", true)]
    [TestCase("HEAD /x/../health HTTP/1.1\r\nHost: app.example.com\r\n\r\n", true)]
    [TestCase("GET / HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: some-BOT/1\r\n\r\n", true)]
    [TestCase("GET / HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: bot\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", true)]
    [TestCase("POST /health HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 3\r\n\r\nabc", false)]
    public async Task One_that_finds_nothing_running_is_told_so_and_starts_nothing(string request, bool kept)
    {
        await using var stage = await StartAsync();
        stage.EndRun();
        await stage.AdvanceUntilAsync(Until(() => stage.Backend.Word.Phase == BackendPhase.Stopped));
        var client = await stage.ConnectAsync();
        await client.SendAsync(request);
        var response = await client.ReadAsync(toHead: request.StartsWith("HEAD", StringComparison.Ordinal));

        Assert.That(
            (response.Status, response["X-Proxy-Error"], response["Content-Type"]),
            Is.EqualTo((503, "NOT_RUNNING", "application/json"))
        );
        Assert.That(
            response.Text,
            request.StartsWith("HEAD", StringComparison.Ordinal)
                ? Is.Empty
                : Is.EqualTo(
                    """{"code":"NOT_RUNNING","message":"The backend is not running, and this request does not start it.","status":503}"""
                )
        );
        Assert.That(response["Connection"], Is.EqualTo(kept ? null : "close"), "kept unless a body is unread");
        if (kept)
        {
            await client.SendAsync(request);
            Assert.That((await client.ReadAsync(toHead: request.StartsWith("HEAD", StringComparison.Ordinal))).Status, Is.EqualTo(503));
        }

        Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Stopped, 1, 0)));
        await Until(() => stage.Backend.Traffic.TurnedAway == (kept ? 2 : 1));
    }

    [Test]
    public async Task A_tunnel_of_such_an_agent_does_not_count_either()
    {
        await using var stage = await StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync("GET /ws HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: bot\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(101));
        Assert.That(stage.Backend.Word, Has.Property("InUse").Zero.And.Property("PassiveCount").EqualTo(1));
        backend.EndSending();
        client.EndSending();
        await stage.EndedAsync(client);
        Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 0)));
    }

    [Test]
    public void People_are_told_of_them()
    {
        var report = new BackendReport
        {
            Hostname = "a.b",
            State = BackendPhase.Ready,
            InFlight = 3,
            PassiveCount = 2,
            TurnedAwayTotal = 1,
            IdleTimeoutSecs = 60,
        };
        Assert.That(
            BackendExplanation.Of(new BackendDetails(report), "a.b"),
            Does.Contain("held by    1 request or tunnel in flight; besides, 2 requests and tunnels that do not count as use (no_wake, ")
                .And.Contain("no_wake    1 request was turned away since the gateway started: they never wake it\n")
        );
        Assert.That(
            BackendExplanation.Of(new BackendDetails(report with { InFlight = 2, TurnedAwayTotal = 4 }), "a.b"),
            Does.Contain("held by    nothing; besides, 2 requests and tunnels that do not count as use (no_wake, or a quiet WebSocket)\n")
                .And.Contain("stops      60 seconds after its last use\n")
                .And.Contain("no_wake    4 requests were turned away since the gateway started: they never wake it\n")
        );
    }

    [Test]
    public void Those_that_count_are_listed_before_those_that_do_not()
    {
        using var lifecycles = new Fakes.LifecycleStage();
        var search = new Forwarding.ActiveRequestSearch(lifecycles.Backend, 2, 10_000);
        Assert.That(search.Wants(9_000, isPassive: true));
        search.Add(ActiveRequest("old passive request", 9, isPassive: true));
        search.Add(ActiveRequest("older passive request", 10, isPassive: true));
        Assert.That((search.Wants(9_000, isPassive: false), search.Wants(9_000, isPassive: true)), Is.EqualTo((true, false)));
        search.Add(ActiveRequest("young", 1, isPassive: false));
        Assert.That(search.Found.Select(static active => active.Path), Is.EqualTo(["young", "older passive request"]));

        static ActiveRequest ActiveRequest(string path, double ageSecs, bool isPassive) =>
            new("request", "http/1.1", "GET", path, "::1", ageSecs, isPassive);
    }

    private static Task<ForwardingStage> StartAsync() =>
        ForwardingStage.StartAsync(static config => config with { NoWake = NoWakeRules.Of(["/health", "bot"]) });

    private static Task Until(Func<bool> condition) => Task.Run(() => Assert.That(SpinWait.SpinUntil(condition, TimeSpan.FromSeconds(30))));
}
