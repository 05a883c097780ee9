using System.Net;
using Spawngate.Admin;
using Spawngate.Backends;

namespace Spawngate.Tests;

/// <summary>Who may talk to the admin API: token, Host, origin.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class AdminGuardTests
{
    private const string Token = "s3cret-Token";

    [TestCase("localhost", true)]
    [TestCase("localhost:9999", true)]
    [TestCase("LocalHost:9999", true)]
    [TestCase("localhost.:9999", true)]
    [TestCase("admin.localhost", true)]
    [TestCase("127.0.0.1:1", true)]
    [TestCase("127.8.9.10", true)]
    [TestCase("[::1]:9999", true)]
    [TestCase("[::1]", true)]
    [TestCase("[::ffff:127.0.0.1]", true)]
    [TestCase("evil.example", false)]
    [TestCase("localhost.evil.example", false)]
    [TestCase("notlocalhost", false)]
    [TestCase("127.0.0.1.evil.example", false)]
    [TestCase("10.0.0.5:9999", false)]
    [TestCase("0.0.0.0:9999", false)]
    [TestCase("[2001:db8::1]", false)]
    [TestCase("::1", false)]
    [TestCase("[::1", false)]
    [TestCase("localhost:99:99", false)]
    [TestCase("localhost:9a", false)]
    [TestCase("user@localhost", false)]
    [TestCase("", false)]
    [TestCase(".", false)]
    [TestCase(":9999", false)]
    public void Hosts_when_bound_to_loopback(string host, bool allowed) =>
        Assert.That(new AdminGuard(IPAddress.Loopback, null).AllowsHost(host), Is.EqualTo(allowed));

    [TestCase("192.168.1.2:9999", true)]
    [TestCase("localhost", true)]
    [TestCase("192.168.1.3", false)]
    [TestCase("gateway.lan", false)]
    public void Hosts_when_bound_to_one_address(string host, bool allowed) =>
        Assert.That(new AdminGuard(IPAddress.Parse("192.168.1.2"), null).AllowsHost(host), Is.EqualTo(allowed));

    [TestCase("192.168.1.2:9999", true)]
    [TestCase("[2001:db8::1]:9999", true)]
    [TestCase("localhost", true)]
    [TestCase("gateway.lan", false)]
    [TestCase("evil.example", false)]
    public void Hosts_when_bound_to_all_addresses(string host, bool allowed)
    {
        Assert.That(new AdminGuard(IPAddress.Any, null).AllowsHost(host), Is.EqualTo(allowed));
        Assert.That(new AdminGuard(IPAddress.IPv6Any, null).AllowsHost(host), Is.EqualTo(allowed));
    }

    [TestCase("/health")]
    [TestCase("/version")]
    [TestCase("/backends")]
    [TestCase("/metrics")]
    [TestCase("/")]
    public async Task A_rebound_name_is_refused_everywhere(string path)
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync();
        AdminAnswer answer = await admin.SendAsync("GET", path, null, ("Host", "evil.example"));
        Assert.That((answer.Status, answer.Code), Is.EqualTo((403, "FORBIDDEN_HOST")));
    }

    [Test]
    public async Task A_request_without_host_is_refused()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync();
        Assert.That(await admin.SendRawAsync("GET /backends HTTP/1.0\r\n\r\n"), Does.StartWith("HTTP/1.1 403"));
        Assert.That(
            await admin.SendRawAsync("GET /backends HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n"),
            Does.StartWith("HTTP/1.1 403")
        );
        Assert.That(
            await admin.SendRawAsync("GET http://evil.example/backends HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
            Does.Not.StartWith("HTTP/1.1 200")
        );
    }

    [Test]
    public async Task An_ipv6_listener_answers_under_its_address()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync(bind: IPAddress.IPv6Loopback);
        Assert.That((await admin.SendAsync("GET", "/health")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_browser_without_the_token_gets_the_page_to_enter_it_and_no_fact()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync(Token);
        admin.Backends.Reports.Add(new BackendReport { Hostname = "app.example.com", State = BackendPhase.Stopped });
        foreach (string? wrong in (string?[])[null, "wrong"])
        {
            AdminAnswer page = await admin.SendAsync("GET", "/", wrong, ("Accept", "text/html,*/*;q=0.8"));
            Assert.That((page.Status, page.Type, page.Header("WWW-Authenticate")), Is.EqualTo((401, "text/html; charset=utf-8", "Bearer")));
            Assert.That(page.Header("Content-Security-Policy"), Does.StartWith("default-src 'none'"));
            Assert.That(page.Body, Does.Contain("Admin token").And.Not.Contain("app.example.com"));
        }

        Assert.That((await admin.SendAsync("GET", "/backends", null, ("Accept", "text/html"))).Type, Is.EqualTo("application/json"));
        Assert.That((await admin.SendAsync("GET", "/", Token, ("Accept", "text/html"))).Status, Is.EqualTo(200));
    }

    [TestCase("GET", "/backends")]
    [TestCase("GET", "/backends/app.example.com")]
    [TestCase("GET", "/backends/app.example.com/logs")]
    [TestCase("POST", "/backends/app.example.com/start")]
    [TestCase("GET", "/backends/app.example.com/start")]
    [TestCase("GET", "/metrics")]
    [TestCase("GET", "/")]
    [TestCase("GET", "/no/such/path")]
    public async Task With_a_token_configured_it_is_needed(string method, string path)
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync(Token);
        admin.Backends.Reports.Add(new BackendReport { Hostname = "app.example.com", State = BackendPhase.Stopped });
        foreach (string? wrong in (string?[])[null, "", "wrong", Token + "x", Token[..^1], Token.ToUpperInvariant()])
        {
            AdminAnswer refused = await admin.SendAsync(method, path, wrong);
            Assert.That(
                (refused.Status, refused.Code, refused.Header("WWW-Authenticate")),
                Is.EqualTo((401, "UNAUTHORIZED", "Bearer")),
                wrong
            );
        }

        Assert.That((await admin.SendAsync(method, path, Token)).Status, Is.Not.EqualTo(401));
        Assert.That(admin.Backends.Commands, Has.Count.EqualTo(method == "POST" ? 1 : 0));
    }

    [TestCase("/health")]
    [TestCase("/version")]
    public async Task Health_and_version_need_no_token(string path)
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync(Token);
        Assert.That((await admin.SendAsync("GET", path)).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Only_one_bearer_header_counts()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync(Token);
        Assert.That((await admin.SendAsync("GET", "/backends", null, ("Authorization", "bearer " + Token))).Status, Is.EqualTo(200));
        Assert.That((await admin.SendAsync("GET", "/backends", null, ("Authorization", "Basic " + Token))).Status, Is.EqualTo(401));
        Assert.That((await admin.SendAsync("GET", "/backends", null, ("Authorization", Token))).Status, Is.EqualTo(401));
        string twice = await admin.SendRawAsync(
            $"GET /backends HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {Token}\r\nAuthorization: Bearer x\r\n"
                + "Connection: close\r\n\r\n"
        );
        Assert.That(twice, Does.StartWith("HTTP/1.1 401"));
    }

    [Test]
    public async Task Ready_takes_the_token_of_the_start_or_the_admin_token()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync(Token);
        admin.Backends.Reports.Add(new BackendReport { Hostname = "app.example.com", State = BackendPhase.Starting });
        Assert.That((await admin.SendAsync("POST", "/ready/app.example.com?token=right")).Status, Is.EqualTo(200));
        Assert.That((await admin.SendAsync("POST", "/ready/app.example.com", Token)).Status, Is.EqualTo(200));
        Assert.That((await admin.SendAsync("POST", "/ready/app.example.com", "wrong")).Status, Is.EqualTo(401));
        Assert.That((await admin.SendAsync("POST", "/ready/app.example.com")).Status, Is.EqualTo(401));
        Assert.That((await admin.SendAsync("POST", $"/ready/app.example.com?token={Token}")).Status, Is.EqualTo(401));
        Assert.That((await admin.SendAsync("POST", "/ready/unknown.example.com?token=right")).Status, Is.EqualTo(401));
        Assert.That((await admin.SendAsync("POST", "/ready/unknown.example.com", Token)).Code, Is.EqualTo("UNKNOWN_HOST"));
    }

    [TestCase("Origin", "https://evil.example")]
    [TestCase("Origin", "http://localhost:8080")]
    [TestCase("Origin", "null")]
    [TestCase("Origin", "")]
    [TestCase("Sec-Fetch-Site", "cross-site")]
    [TestCase("Sec-Fetch-Site", "same-site")]
    public async Task A_web_page_of_another_origin_may_not_change_anything(string name, string value)
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync();
        admin.Backends.Reports.Add(new BackendReport { Hostname = "a.b", State = BackendPhase.Starting });
        foreach (string path in (string[])["/backends/a.b/start", "/backends/a.b/stop", "/backends/a.b/restart", "/ready/a.b?token=right"])
        {
            AdminAnswer answer = await admin.SendAsync("POST", path, null, (name, value));
            Assert.That((answer.Status, answer.Code), Is.EqualTo((403, "FORBIDDEN_ORIGIN")), path);
        }

        Assert.That(admin.Backends.Commands, Is.Empty);
        Assert.That(admin.Backends.ReadyCalls, Is.Empty);
        Assert.That((await admin.SendAsync("GET", "/backends", null, (name, value))).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Our_own_page_and_programs_may_change_things()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync();
        admin.Backends.Reports.Add(new BackendReport { Hostname = "a.b", State = BackendPhase.Stopped });
        string origin = $"http://{admin.Api.Endpoint}";
        Assert.That((await admin.SendAsync("POST", "/backends/a.b/start")).Status, Is.EqualTo(202));
        Assert.That(
            (await admin.SendAsync("POST", "/backends/a.b/start", null, ("Origin", origin), ("Sec-Fetch-Site", "same-origin"))).Status,
            Is.EqualTo(202)
        );
        Assert.That((await admin.SendAsync("POST", "/backends/a.b/start", null, ("Sec-Fetch-Site", "none"))).Status, Is.EqualTo(202));
    }
}
