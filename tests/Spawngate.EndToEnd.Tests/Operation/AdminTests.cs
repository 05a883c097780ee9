using System.Net;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>The admin API: what it tells, what it does, and whom it lets in.</summary>
internal sealed class AdminTests : GatewayTest
{
    private const string Token = "open-sesame";

    [Test]
    public async Task Health_and_version_answer()
    {
        GatewayProcess gateway = await GatewayAsync();

        Assert.That(await gateway.Admin.TextAsync("/health"), Is.EqualTo("ok"));
        JsonElement version = await gateway.Admin.JsonAsync("/version");
        Assert.That(version.GetProperty("name").GetString(), Is.EqualTo("spawngate"));
        Assert.That(version.GetProperty("version").GetString(), Does.Match(@"^\d+\.\d+\.\d+"));
    }

    [Test]
    public async Task Backends_are_listed_with_state_port_and_requests_in_flight()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().TestBackend(Host).TestBackend("idle.test", "--name=idle"));
        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/hold?key=a");
        BackendProcess backend = await Control.StartAsync();
        await backend.ToldAsync("hold a");

        JsonElement all = await gateway.Admin.JsonAsync("/backends");
        JsonElement one = await gateway.Admin.BackendAsync(Host);
        await backend.DoAsync("release a");
        await held;

        Assert.That(all.GetProperty("count").GetInt32(), Is.EqualTo(2));
        Assert.That(
            all.GetProperty("backends")
                .EnumerateArray()
                .Select(each => (each.GetProperty("hostname").GetString(), each.GetProperty("state").GetString())),
            Is.EquivalentTo(new[] { (Host, "ready"), ("idle.test", "stopped") })
        );
        Assert.That(
            one.EnumerateObject().Take(4).Select(each => each.Name),
            Is.EqualTo(new[] { "hostname", "state", "port", "in_flight" })
        );
        Assert.That((one.GetProperty("port").GetInt32(), one.GetProperty("in_flight").GetInt32()), Is.EqualTo((backend.Port, 1)));
        await gateway.UntilAsync("nothing is in flight", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("in_flight").GetInt32() == 0
        );
    }

    [TestCase("GET", "/backends/unknown.test")]
    [TestCase("GET", "/backends/unknown.test/logs")]
    [TestCase("POST", "/backends/unknown.test/start")]
    [TestCase("POST", "/backends/unknown.test/stop")]
    [TestCase("POST", "/backends/unknown.test/restart")]
    [TestCase("GET", "/no/such/path")]
    public async Task What_does_not_exist_is_404(string method, string path)
    {
        GatewayProcess gateway = await GatewayAsync();

        using HttpResponseMessage response = await gateway.Admin.SendAsync(new HttpMethod(method), path);

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
    }

    [Test]
    public async Task Metrics_are_prometheus_text()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");

        string text = await gateway.Admin.TextAsync("/metrics");

        Assert.That(text, Does.Contain("# TYPE spawngate_"));
        Assert.That(
            text.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            Has.All.Match("^(# .*|[a-zA-Z_:][a-zA-Z0-9_:]*({[^}]*})? [-+0-9.eE]+(NaN|Inf)?)$")
        );
        Assert.That(text, Does.Contain(Host));
    }

    [Test]
    public async Task The_start_page_is_html()
    {
        GatewayProcess gateway = await GatewayAsync();

        using HttpResponseMessage response = await gateway.Admin.SendAsync(HttpMethod.Get, "/");

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(response.Content.Headers.ContentType?.MediaType, Is.EqualTo("text/html"));
    }

    [Test]
    public async Task Logs_can_be_followed()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/stdout?word=before");
        using RawClient follower = await RawClient.ConnectAsync(gateway.Config.AdminPort);
        await follower.SendAsync($"GET /backends/{Host}/logs?follow=1 HTTP/1.0\r\nHost: 127.0.0.1:{gateway.Config.AdminPort}\r\n\r\n");
        var lines = new LineLog<string>(line => line);
        _ = lines.ReadAsync(new System.Net.Sockets.NetworkStream(follower.Socket));
        await lines.FirstAsync(line => line.Contains("before 1 ", StringComparison.Ordinal)).InTimeAsync("a past line");

        await RawClient.RequestAsync(gateway.Port, Host, "/stdout?word=after");

        await lines.FirstAsync(line => line.Contains("after 1 ", StringComparison.Ordinal)).InTimeAsync("a new line");
    }

    [Test]
    public async Task With_a_token_everything_but_health_and_version_needs_it()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server($"admin_token = \"{Token}\"").TestBackend(Host));

        Assert.That(await gateway.Admin.StatusAsync("/health"), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await gateway.Admin.StatusAsync("/version"), Is.EqualTo(HttpStatusCode.OK));
        string[] closed = ["/backends", $"/backends/{Host}", $"/backends/{Host}/logs", "/metrics", "/"];
        foreach (string path in closed)
        {
            Assert.That(await gateway.Admin.StatusAsync(path), Is.EqualTo(HttpStatusCode.Unauthorized), path);
        }

        Assert.That(await gateway.Admin.PostAsync($"/backends/{Host}/start"), Is.EqualTo(HttpStatusCode.Unauthorized));
        gateway.Admin.Token = "open-sesamE";
        Assert.That(await gateway.Admin.StatusAsync("/backends"), Is.EqualTo(HttpStatusCode.Unauthorized));
        gateway.Admin.Token = Token;
        Assert.That(await gateway.Admin.StatusAsync("/backends"), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(Scene.Children(), Is.Empty, "nothing was started by those who may not");
    }

    [TestCase("evil.example")]
    [TestCase("evil.example:9999")]
    [TestCase("127.0.0.1.evil.example")]
    [TestCase("localhost.evil.example")]
    public async Task Another_host_name_is_refused_so_that_a_web_page_cannot_reach_it(string host)
    {
        GatewayProcess gateway = await GatewayAsync();

        foreach (
            (HttpMethod method, string path) in new[]
            {
                (HttpMethod.Get, "/backends"),
                (HttpMethod.Post, $"/backends/{Host}/start"),
                (HttpMethod.Get, "/"),
            }
        )
        {
            using HttpResponseMessage response = await gateway.Admin.SendAsync(method, path, host);
            Assert.That((int)response.StatusCode, Is.InRange(400, 499).And.Not.EqualTo(404), $"{method} {path}");
        }

        Assert.That(Scene.Children(), Is.Empty);
    }

    [TestCase("localhost")]
    [TestCase("LOCALHOST:9999")]
    [TestCase("127.0.0.1")]
    [TestCase("[::1]:9999")]
    public async Task Loopback_names_are_let_in(string host)
    {
        GatewayProcess gateway = await GatewayAsync();

        using HttpResponseMessage response = await gateway.Admin.SendAsync(HttpMethod.Get, "/backends", host);

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }
}
