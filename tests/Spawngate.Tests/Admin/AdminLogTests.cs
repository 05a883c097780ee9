using System.Net;
using Spawngate.Admin;
using Spawngate.Backends;

namespace Spawngate.Tests;

/// <summary>The output of backends over the admin API, as it was and as it comes.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class AdminLogTests
{
    private static readonly DateTimeOffset Time = new(2026, 1, 31, 13, 0, 0, 123, TimeSpan.FromHours(1));
    private AdminUnderTest _admin = null!;

    [SetUp]
    public async Task StartAsync()
    {
        _admin = await AdminUnderTest.StartAsync();
        _admin.Backends.Reports.Add(new BackendReport { Hostname = "a.b", State = BackendPhase.Ready });
        _admin.Backends.Logs["a.b"] = [new(Time, "stdout", "Listening on 3000"), new(Time, "stderr", "ä \"quoted\"")];
    }

    [TearDown]
    public async Task StopAsync() => await _admin.DisposeAsync();

    [Test]
    public async Task The_lines_come_as_text()
    {
        AdminAnswer answer = await _admin.SendAsync("GET", "/backends/a.b/logs");
        Assert.That(answer.Type, Is.EqualTo("text/plain; charset=utf-8"));
        Assert.That(
            answer.Body,
            Is.EqualTo("2026-01-31T12:00:00.123Z stdout Listening on 3000\n2026-01-31T12:00:00.123Z stderr ä \"quoted\"\n")
        );
    }

    [Test]
    public async Task The_lines_come_as_json_lines_when_asked_for()
    {
        AdminAnswer answer = await _admin.SendAsync("GET", "/backends/a.b/logs?format=json");
        Assert.That(answer.Type, Is.EqualTo("application/x-ndjson"));
        Assert.That(
            answer.Body.Split('\n')[0],
            Is.EqualTo("""{"time":"2026-01-31T13:00:00.123+01:00","stream":"stdout","text":"Listening on 3000"}""")
        );
    }

    [Test]
    public async Task A_backend_that_wrote_nothing_has_an_empty_log()
    {
        _admin.Backends.Logs.Clear();
        AdminAnswer answer = await _admin.SendAsync("GET", "/backends/a.b/logs");
        Assert.That((answer.Status, answer.Body), Is.EqualTo((200, "")));
    }

    [Test]
    public async Task A_thousand_long_lines_come_whole()
    {
        _admin.Backends.Logs["a.b"] =
        [
            .. Enumerable.Range(0, 1000).Select(i => new BackendLogLine(Time, "stdout", $"{i} {new string('x', 2000)}")),
        ];
        AdminAnswer answer = await _admin.SendAsync("GET", "/backends/a.b/logs");
        Assert.That(answer.Body.Split('\n'), Has.Length.EqualTo(1001));
    }

    [Test]
    public async Task Following_gives_the_past_then_each_line_as_it_comes_until_the_backend_is_removed()
    {
        using HttpResponseMessage response = await _admin.Client.GetAsync(
            "/backends/a.b/logs?follow=1",
            HttpCompletionOption.ResponseHeadersRead
        );
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        FakeFollower follower = await _admin.Backends.Followers.Reader.ReadAsync();
        Assert.That(await reader.ReadLineAsync(), Does.EndWith("stdout Listening on 3000"));
        Assert.That(await reader.ReadLineAsync(), Does.EndWith("quoted\""));
        follower.Lines.Writer.TryWrite(new(Time, "stdout", "one"));
        Assert.That(await reader.ReadLineAsync(), Does.EndWith("stdout one"));
        follower.Missed = 5;
        follower.Lines.Writer.TryWrite(new(Time, "stdout", "two"));
        Assert.That(await reader.ReadLineAsync(), Does.EndWith("stdout two"));
        Assert.That(await reader.ReadLineAsync(), Does.Contain("5 lines came faster"));
        follower.Lines.Writer.Complete();
        Assert.That(await reader.ReadToEndAsync(), Is.Empty);
        await follower.Disposed;
    }

    [Test]
    public async Task A_follower_ends_when_its_client_leaves()
    {
        HttpResponseMessage response = await _admin.Client.GetAsync(
            "/backends/a.b/logs?follow=1&format=json",
            HttpCompletionOption.ResponseHeadersRead
        );
        FakeFollower follower = await _admin.Backends.Followers.Reader.ReadAsync();
        response.Dispose();
        await follower.Disposed;
    }

    [Test]
    public async Task Followers_end_as_complete_answers_when_the_gateway_stops()
    {
        using HttpResponseMessage response = await _admin.Client.GetAsync(
            "/backends/a.b/logs?follow=1",
            HttpCompletionOption.ResponseHeadersRead
        );
        Task<string> all = response.Content.ReadAsStringAsync();
        FakeFollower follower = await _admin.Backends.Followers.Reader.ReadAsync();
        await _admin.Api.StopAsync();
        Assert.That(await all, Does.EndWith("quoted\"\n"));
        await follower.Disposed;
    }

    [Test]
    public async Task Too_many_followers_are_told_so()
    {
        _admin.Backends.FollowersFree = 0;
        AdminAnswer answer = await _admin.SendAsync("GET", "/backends/a.b/logs?follow=1");
        Assert.That((answer.Status, answer.Code), Is.EqualTo((503, "TOO_MANY_FOLLOWERS")));
    }

    [Test]
    public async Task Followers_are_bounded_over_all_backends_and_leave_room_when_they_end()
    {
        var open = new List<HttpResponseMessage>();
        for (int i = 0; i < AdminLimits.LogFollowersMax; i++)
        {
            open.Add(await _admin.Client.GetAsync("/backends/a.b/logs?follow=1", HttpCompletionOption.ResponseHeadersRead));
        }

        Assert.That((await _admin.SendAsync("GET", "/backends/a.b/logs?follow=1")).Status, Is.EqualTo(503));
        FakeFollower first = await _admin.Backends.Followers.Reader.ReadAsync();
        first.Lines.Writer.Complete();
        Assert.That(open.All(response => response.StatusCode == HttpStatusCode.OK), Is.True);
        await first.Disposed;
        open.ForEach(response => response.Dispose());
    }
}
