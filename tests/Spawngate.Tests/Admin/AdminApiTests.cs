using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Clients.Http2;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Runtime;
using Spawngate.Telemetry.History;

namespace Spawngate.Tests;

/// <summary>Every endpoint of the admin API: what it answers, in which shape.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class AdminApiTests
{
    private static readonly KeyValuePair<string, string?>[] NoContainer =
    [
        new("container_id", null),
        new("container_name", null),
        new("image", null),
    ];

    private AdminUnderTest _admin = null!;

    [SetUp]
    public async Task StartAsync()
    {
        _admin = await AdminUnderTest.StartAsync();
        _admin.Backends.Reports.Add(
            new BackendReport
            {
                Hostname = "app.example.com",
                State = BackendPhase.Ready,
                Kind = "local",
                Fields = NoContainer,
                Port = 4123,
                InFlight = 2,
                Waiting = 0,
                InstanceNumber = 3,
                Pid = 77,
                Description = "pid 77",
                LastStart = new StartReport
                {
                    SpawnMs = 0.5,
                    ListenMs = 4.25,
                    ReadyMs = 5,
                    Signal = "health",
                    Judged = "GET /health answered 200",
                    Cause = "request from 127.0.0.1",
                },
                IdleTimeoutSecs = 600,
            }
        );
        _admin.Backends.Reports.Add(
            new BackendReport
            {
                Hostname = "*",
                State = BackendPhase.Stopped,
                Kind = "docker",
                Fields = NoContainer,
            }
        );
    }

    [TearDown]
    public async Task StopAsync() => await _admin.DisposeAsync();

    [Test]
    public async Task Health_says_ok()
    {
        AdminAnswer answer = await _admin.SendAsync("GET", "/health");
        Assert.That((answer.Status, answer.Body), Is.EqualTo((200, "ok")));
    }

    [Test]
    public async Task Version_names_the_program()
    {
        AdminAnswer answer = await _admin.SendAsync("GET", "/version");
        Assert.That(answer.Body, Is.EqualTo("""{"name":"spawngate","version":"0.1.0"}"""));
        Assert.That(answer.Type, Is.EqualTo("application/json"));
    }

    [Test]
    public async Task Backends_are_listed_in_order_with_their_count()
    {
        AdminAnswer answer = await _admin.SendAsync("GET", "/backends");
        Assert.That(answer.Status, Is.EqualTo(200));
        Assert.That(answer.Json.GetProperty("count").GetInt32(), Is.EqualTo(2));
        Assert.That(
            answer.Json.GetProperty("backends").EnumerateArray().Select(backend => backend.GetProperty("hostname").GetString()),
            Is.EqualTo(["app.example.com", "*"])
        );
    }

    [Test]
    public async Task A_backend_is_shown_in_the_documented_shape()
    {
        var time = new DateTime(2026, 1, 31, 12, 0, 0, 500, DateTimeKind.Utc);
        var crash = new HistoryEvent
        {
            Seq = 7,
            Time = time,
            Start = 3,
            Event = HistoryEventKind.Crashed,
            Reason = "killed by signal 9 (SIGKILL)",
            Requests = 1,
            AfterMs = 12,
            Exit = new HistoryExit(null, 9),
            Output = [new(OutputStream.Stderr, "out of cheese")],
        };
        var woken = new HistoryEvent
        {
            Seq = 1,
            Time = time,
            Start = 3,
            Event = HistoryEventKind.Woken,
            Reason = "request",
            By = new HistoryCaller("GET", "/", "10.0.0.7", null),
        };
        _admin.Backends.Reports[0] = _admin.Backends.Reports[0] with { ReadySince = time, UptimeSecs = 9, LastEvent = crash };
        _admin.Backends.Describing = details =>
            details with
            {
                Time = time,
                HeldBy = [new ActiveRequest("tunnel", "http/2", "GET", "/socket", "10.0.0.7", 1.5)],
                History = [woken],
            };
        AdminAnswer answer = await _admin.SendAsync("GET", "/backends/app.example.com");
        const string expected = """
            {"hostname":"app.example.com","state":"ready","port":4123,"in_flight":2,"no_wake":0,"waiting":0,"max_concurrency":0,"tunnels":0,"requests_total":0,"turned_away_total":0,"kind":"local","session":null,"generation":3,"pid":77,
            "description":"pid 77","container_id":null,"container_name":null,"image":null,"last_start":{"spawn_ms":0.5,"listen_ms":4.25,"ready_ms":5,"signal":"health","judged":"GET /health answered 200","cause":"request from 127.0.0.1"},
            "ready_since":"2026-01-31T12:00:00.500Z","uptime_secs":9,"failures_in_a_row":0,"retry_after_secs":null,"last_failure":null,"failed_checks":0,"idle_timeout_secs":600,"lease_secs":null,"lease_renewed_at":null,"idle_stop_in_secs":null,
            "stopping_because":null,"last_stop_reason":null,
            "last_event":{"seq":7,"time":"2026-01-31T12:00:00.500Z","start":3,"event":"crashed","reason":"killed by signal 9 (SIGKILL)","requests":1,"after_ms":12,"exit":{"status":null,"signal":9},"stderr":["out of cheese"],"output":[{"stream":"stderr","line":"out of cheese"}]},
            "time":"2026-01-31T12:00:00.500Z","idle_stop_at":null,"held_by":[{"kind":"tunnel","protocol":"http/2","method":"GET","path":"/socket","client":"10.0.0.7","age_secs":1.5,"no_wake":false,"passive":false}],
            "ledger":[{"seq":1,"time":"2026-01-31T12:00:00.500Z","start":3,"event":"woken","reason":"request","by":{"method":"GET","path":"/","client":"10.0.0.7","user_agent":null}}]}
            """;
        Assert.That(answer.Body, Is.EqualTo(expected.ReplaceLineEndings("")));
    }

    [TestCase(BackendPhase.Stopped, "stopped")]
    [TestCase(BackendPhase.Starting, "starting")]
    [TestCase(BackendPhase.Ready, "ready")]
    [TestCase(BackendPhase.Unhealthy, "unhealthy")]
    [TestCase(BackendPhase.Stopping, "stopping")]
    public async Task States_are_spelled_in_lower_case(BackendPhase phase, string expected)
    {
        _admin.Backends.Reports[0] = _admin.Backends.Reports[0] with { State = phase };
        AdminAnswer answer = await _admin.SendAsync("GET", "/backends/app.example.com");
        Assert.That(answer.Json.GetProperty("state").GetString(), Is.EqualTo(expected));
    }

    [TestCase("/backends/APP.example.com")]
    [TestCase("/backends/app.example.com.")]
    [TestCase("/backends/app.example.com:8080")]
    public async Task Host_names_in_paths_are_compared_as_in_routing(string path)
    {
        AdminAnswer answer = await _admin.SendAsync("GET", path);
        Assert.That(answer.Json.GetProperty("hostname").GetString(), Is.EqualTo("app.example.com"));
    }

    [TestCase("/backends/*")]
    [TestCase("/backends/%2A")]
    [TestCase("/backends/other.example.com?route=1")]
    public async Task A_wildcard_backend_is_found_by_its_key_or_by_routing(string path)
    {
        AdminAnswer answer = await _admin.SendAsync("GET", path);
        Assert.That(answer.Json.GetProperty("hostname").GetString(), Is.EqualTo("*"));
    }

    [TestCase("GET", "/backends/unknown.example.com")]
    [TestCase("GET", "/backends/unknown.example.com/logs")]
    [TestCase("GET", "/backends/unknown.example.com/logs?follow=1")]
    [TestCase("POST", "/backends/unknown.example.com/start")]
    [TestCase("POST", "/backends/unknown.example.com/stop")]
    [TestCase("POST", "/backends/unknown.example.com/restart")]
    public async Task An_unknown_host_is_404(string method, string path)
    {
        AdminAnswer answer = await _admin.SendAsync(method, path);
        Assert.That((answer.Status, answer.Code), Is.EqualTo((404, "UNKNOWN_HOST")));
        Assert.That(answer.Json.GetProperty("status").GetInt32(), Is.EqualTo(404));
        Assert.That(answer.Json.GetProperty("message").GetString(), Is.Not.Empty);
        Assert.That(_admin.Backends.Commands, Is.Empty);
    }

    [TestCase("start", AdminCommand.Start)]
    [TestCase("stop", AdminCommand.Stop)]
    [TestCase("restart", AdminCommand.Restart)]
    public async Task Commands_are_accepted_and_passed_on(string leaf, AdminCommand command)
    {
        AdminAnswer answer = await _admin.SendAsync("POST", $"/backends/App.example.com/{leaf}");
        Assert.That(answer.Status, Is.EqualTo(202));
        Assert.That(answer.Json.GetProperty("hostname").GetString(), Is.EqualTo("app.example.com"));
        Assert.That(_admin.Backends.Commands, Is.EqualTo([("app.example.com", command)]));
    }

    [TestCase("/nothing")]
    [TestCase("/backends/")]
    [TestCase("/backends//start")]
    [TestCase("/backends/app.example.com/")]
    [TestCase("/backends/app.example.com/destroy")]
    [TestCase("/backends/app.example.com/start/now")]
    [TestCase("/ready")]
    [TestCase("/ready/")]
    [TestCase("/health/")]
    public async Task Unknown_paths_are_404(string path)
    {
        AdminAnswer answer = await _admin.SendAsync("GET", path);
        Assert.That((answer.Status, answer.Code), Is.EqualTo((404, "NOT_FOUND")));
    }

    [TestCase("POST", "/health", "GET, HEAD")]
    [TestCase("PUT", "/version", "GET, HEAD")]
    [TestCase("DELETE", "/backends/app.example.com", "GET, HEAD")]
    [TestCase("OPTIONS", "/backends", "GET, HEAD")]
    [TestCase("POST", "/metrics", "GET, HEAD")]
    [TestCase("POST", "/backends/app.example.com/logs", "GET, HEAD")]
    [TestCase("POST", "/", "GET, HEAD")]
    [TestCase("GET", "/backends/app.example.com/start", "POST")]
    [TestCase("PUT", "/backends/app.example.com/stop", "POST")]
    [TestCase("GET", "/ready/app.example.com?token=right", "POST")]
    [TestCase("GET", "/busy/app.example.com/right?secs=1", "POST")]
    public async Task A_wrong_method_is_405_and_told_which_is_right(string method, string path, string allowed)
    {
        AdminAnswer answer = await _admin.SendAsync(method, path);
        Assert.That((answer.Status, answer.Code, answer.Header("Allow")), Is.EqualTo((405, "METHOD_NOT_ALLOWED", allowed)));
        Assert.That(_admin.Backends.Commands, Is.Empty);
    }

    [TestCase("/health")]
    [TestCase("/version")]
    [TestCase("/backends")]
    [TestCase("/backends/app.example.com")]
    [TestCase("/")]
    public async Task Head_gets_the_head_of_get(string path)
    {
        AdminAnswer get = await _admin.SendAsync("GET", path);
        AdminAnswer head = await _admin.SendAsync("HEAD", path);
        Assert.That((head.Status, head.Type, head.Header("Content-Length")), Is.EqualTo((200, get.Type, get.Header("Content-Length"))));
        Assert.That(head.Body, Is.Empty);
    }

    [TestCase("/metrics")]
    [TestCase("/backends/app.example.com/logs?follow=1")]
    public async Task Head_ends_where_get_would_stream_or_vary(string path)
    {
        AdminAnswer head = await _admin.SendAsync("HEAD", path);
        Assert.That((head.Status, head.Body), Is.EqualTo((200, "")));
    }

    [Test]
    public async Task Answers_are_not_cached_and_not_sniffed()
    {
        AdminAnswer answer = await _admin.SendAsync("GET", "/backends");
        Assert.That((answer.Header("Cache-Control"), answer.Header("X-Content-Type-Options")), Is.EqualTo(("no-store", "nosniff")));
        Assert.That(answer.Header("Server"), Is.Null);
    }

    [Test]
    public async Task Commands_past_what_a_backend_takes_are_told_so()
    {
        _admin.Backends.IsFullOfCommands = true;
        AdminAnswer answer = await _admin.SendAsync("POST", "/backends/app.example.com/restart");
        Assert.That((answer.Status, answer.Code), Is.EqualTo((503, "TOO_MANY_COMMANDS")));
    }

    [Test]
    public async Task The_ready_call_needs_the_token_of_the_start()
    {
        _admin.Backends.Reports[0] = _admin.Backends.Reports[0] with { State = BackendPhase.Starting };
        Assert.That((await _admin.SendAsync("POST", "/ready/app.example.com?token=right")).Status, Is.EqualTo(200));
        foreach (string query in (string[])["?token=wrong", "?token=", "", "?Token2=right", "?token=right&token=right"])
        {
            AdminAnswer refused = await _admin.SendAsync("POST", "/ready/app.example.com" + query);
            Assert.That(
                (refused.Status, refused.Code, refused.Header("WWW-Authenticate")),
                Is.EqualTo((401, "UNAUTHORIZED", "Bearer")),
                query
            );
        }
    }

    [Test]
    public async Task The_ready_call_of_a_backend_that_is_not_starting_is_409()
    {
        AdminAnswer answer = await _admin.SendAsync("POST", "/ready/app.example.com?token=right");
        Assert.That((answer.Status, answer.Code), Is.EqualTo((409, "NOT_STARTING")));
    }

    [Test]
    public async Task The_ready_call_tells_nobody_which_hosts_there_are()
    {
        AdminAnswer known = await _admin.SendAsync("POST", "/ready/app.example.com?token=wrong");
        foreach (
            string path in (string[])
                [
                    "/ready/app.example.com",
                    "/ready/unknown.example.com?token=wrong",
                    "/ready/unknown.example.com",
                    "/ready/unknown.example.com?token=right",
                    "/ready/*.x",
                ]
        )
        {
            AdminAnswer answer = await _admin.SendAsync("POST", path);
            Assert.That((answer.Status, answer.Body, HeadOf(answer)), Is.EqualTo((401, known.Body, HeadOf(known))), path);
        }

        static string HeadOf(AdminAnswer answer) =>
            string.Join(
                '\n',
                answer
                    .Head.Headers.Concat(answer.Head.Content.Headers)
                    .Where(static each => each.Key != "Date")
                    .Select(static each => $"{each.Key}: {string.Join(',', each.Value)}")
            );
    }

    [Test]
    public async Task Without_an_admin_token_nobody_is_authorised_as_admin_for_ready()
    {
        await _admin.SendAsync("POST", "/ready/app.example.com", "anything");
        Assert.That(_admin.Backends.ReadyCalls, Is.EqualTo([("app.example.com", (string?)null, false)]));
    }

    [TestCase("", "The query has no secs, allowed is a whole number of seconds from 0 (ends the lease) to 86400, as in ?secs=60.")]
    [TestCase("?secs=", "secs is \"\", allowed is")]
    [TestCase("?secs=-1", "secs is \"-1\", allowed is")]
    [TestCase("?secs=1.5", "secs is \"1.5\", allowed is")]
    [TestCase("?secs=86401", "secs is \"86401\", allowed is")]
    [TestCase("?secs=99999999999999999999", "secs is \"99999999999999999999\", allowed is")]
    [TestCase("?secs=1&secs=2", "secs is there more than once, allowed is")]
    [TestCase("?secs=1&for=ever", "The query has \"for\", which means nothing here: allowed is secs alone.")]
    [TestCase("?Sec=1", "The query has \"Sec\", which")]
    public async Task A_lease_with_a_wrong_query_is_told_what_is_wrong(string query, string message)
    {
        AdminAnswer answer = await _admin.SendAsync("POST", "/busy/app.example.com/right" + query);
        Assert.That((answer.Status, answer.Code), Is.EqualTo((400, "BAD_QUERY")));
        Assert.That(answer.Json.GetProperty("message").GetString(), Does.StartWith(message));
        Assert.That(_admin.Backends.LeaseCalls, Is.Empty);
    }

    [TestCase(LeaseOutcome.Accepted, 200, null)]
    [TestCase(LeaseOutcome.Unauthorised, 401, "UNAUTHORIZED")]
    [TestCase(LeaseOutcome.Stopping, 409, "STOPPING")]
    [TestCase(LeaseOutcome.TooMany, 503, "TOO_MANY_COMMANDS")]
    public async Task A_lease_is_given_by_name_token_and_seconds(LeaseOutcome outcome, int status, string? code)
    {
        _admin.Backends.LeaseAnswer = outcome;
        AdminAnswer answer = await _admin.SendAsync("POST", "/busy/app.example.com/right?secs=86400");
        Assert.That(answer.Status, Is.EqualTo(status));
        if (code is not null)
        {
            Assert.That(answer.Code, Is.EqualTo(code));
        }

        Assert.That(_admin.Backends.LeaseCalls, Is.EqualTo([("app.example.com", "right", 86400)]));
    }

    [TestCase("/busy")]
    [TestCase("/busy/app.example.com")]
    [TestCase("/busy/app.example.com/")]
    [TestCase("/busy/app.example.com/right/now")]
    public async Task A_lease_without_its_token_in_the_path_is_no_path(string path) =>
        Assert.That((await _admin.SendAsync("POST", path + "?secs=1")).Status, Is.EqualTo(404));

    [Test]
    public async Task The_ready_url_works_as_it_is()
    {
        _admin.Backends.Reports[1] = _admin.Backends.Reports[1] with { State = BackendPhase.Starting };
        string url = $"http://127.0.0.1:{_admin.Api.Endpoint.Port}/ready/%2A?token=right";
        Assert.That((await _admin.SendAsync("POST", url)).Status, Is.EqualTo(200));
        Assert.That(_admin.Backends.ReadyCalls.Single().Hostname, Is.EqualTo("*"));
    }

    [Test]
    public async Task A_body_too_large_is_refused()
    {
        using var body = new ByteArrayContent(new byte[AdminLimits.RequestBodyBytesMax + 1]);
        using HttpResponseMessage answer = await _admin.Client.PostAsync("/backends/app.example.com/start", body);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.RequestEntityTooLarge));
        Assert.That(_admin.Backends.Commands, Is.Empty);
    }

    [Test]
    public async Task A_small_body_is_ignored_and_the_connection_goes_on()
    {
        using var body = new StringContent("{}");
        using HttpResponseMessage answer = await _admin.Client.PostAsync("/backends/app.example.com/stop", body);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Accepted));
        Assert.That((await _admin.SendAsync("GET", "/health")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_stop_is_accepted_when_it_is_the_end_at_once()
    {
        _admin.Backends.EndsAtCommand = "app.example.com";
        AdminAnswer answer = await _admin.SendAsync("POST", "/backends/app.example.com/stop");
        Assert.That(answer.Status, Is.EqualTo(202));
        Assert.That(answer.Body, Does.Contain("app.example.com"));
        Assert.That((await _admin.SendAsync("POST", "/backends/app.example.com/stop")).Status, Is.EqualTo(404));
    }

    [Test]
    public async Task A_fault_of_ours_is_500_without_details()
    {
        _admin.Backends.Fault = new InvalidOperationException("secret detail");
        AdminAnswer answer = await _admin.SendAsync("GET", "/backends");
        Assert.That((answer.Status, answer.Code), Is.EqualTo((500, "INTERNAL_ERROR")));
        Assert.That(answer.Body, Does.Not.Contain("secret"));
    }

    [Test]
    public async Task The_page_is_one_piece_and_its_policy_allows_nothing_but_that()
    {
        AdminAnswer answer = await _admin.SendAsync("GET", "/");
        Assert.That(answer.Type, Is.EqualTo("text/html; charset=utf-8"));
        Assert.That(
            answer.Header("Content-Security-Policy"),
            Is.EqualTo(
                $"default-src 'none'; script-src '{HashOf(answer.Body, "script")}'; style-src '{HashOf(answer.Body, "style")}'; "
                    + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            )
        );
        Assert.That(
            answer.Body,
            Does.Not.Contain("src=")
                .And.Not.Contain("<link")
                .And.Not.Contain("style=\"")
                .And.Not.Contain("innerHTML")
                .And.Not.Contain("://www.example")
        );
        Assert.That(answer.Body.Length, Is.LessThan(40_000));
    }

    [Test]
    public async Task Metrics_are_well_formed_and_tell_the_state()
    {
        AdminAnswer answer = await _admin.SendAsync("GET", "/metrics");
        string[] lines = answer.Body.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(answer.Type, Is.EqualTo("text/plain; version=0.0.4; charset=utf-8"));
        Assert.That(lines, Has.All.Match("""^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.E+-]+)$"""));
        Assert.That(lines, Does.Contain("""spawngate_backend_state{hostname="app.example.com",state="ready"} 1"""));
        Assert.That(lines, Does.Contain("""spawngate_backend_state{hostname="app.example.com",state="stopped"} 0"""));
        Assert.That(lines, Does.Contain("""spawngate_backend_in_flight{hostname="app.example.com"} 2"""));
        Assert.That(lines, Does.Contain("""spawngate_backend_starts_total{hostname="app.example.com"} 3"""));
        Assert.That(lines, Does.Contain("""spawngate_backend_last_start_seconds{hostname="app.example.com",step="ready"} 0.005"""));
        Assert.That(lines, Does.Contain("""spawngate_build_info{version="0.1.0"} 1"""));
        Assert.That(lines.Where(line => line.StartsWith("# TYPE", StringComparison.Ordinal)), Is.Unique);
    }

    [Test]
    public async Task A_taken_port_is_reported_with_address_and_setting()
    {
        var config = new ServerConfig { AdminPort = _admin.Api.Endpoint.Port };
        CannotRunException? failure = await Assert.ThrowsAsync<CannotRunException>(async () =>
        {
            await using var second = new AdminApi(config, _admin.Backends, NullLoggerFactory.Instance, TimeProvider.System);
            await second.StartAsync(CancellationToken.None);
        });
        Assert.That(
            failure!.Message,
            Does.Contain($"127.0.0.1:{config.AdminPort}").And.Contains("server.admin_port").And.Contains("already in use")
        );
    }

    [Test]
    public async Task An_address_of_another_machine_is_reported()
    {
        var config = new ServerConfig { AdminPort = 0, AdminBind = IPAddress.Parse("192.0.2.1") };
        CannotRunException? failure = await Assert.ThrowsAsync<CannotRunException>(async () =>
        {
            await using var api = new AdminApi(config, _admin.Backends, NullLoggerFactory.Instance, TimeProvider.System);
            await api.StartAsync(CancellationToken.None);
        });
        Assert.That(failure!.Message, Does.Contain("192.0.2.1").And.Contains("server.admin_bind").And.Contains("no such address"));
    }

    [Test]
    public async Task Garbage_does_not_end_the_server()
    {
        Assert.That(await _admin.SendRawAsync("\0\u0001garbage\r\n\r\n"), Does.StartWith("HTTP/1.1 400"));
        Assert.That((await _admin.SendAsync("GET", "/health")).Status, Is.EqualTo(200));
    }

    private static string HashOf(string page, string element)
    {
        int start = page.IndexOf($"<{element}>", StringComparison.Ordinal) + element.Length + 2;
        string content = page[start..page.IndexOf($"</{element}>", StringComparison.Ordinal)];
        return "sha256-"
            + Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(content)));
    }
}
