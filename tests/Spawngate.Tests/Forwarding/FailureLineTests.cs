using Microsoft.Extensions.Logging;
using Spawngate.Config;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Every request that fails, and every response that is cut, has one line: for which host, method and path, and why.</summary>
internal sealed class FailureLineTests
{
    private const string Line = "client=\"192.0.2.7\" method=\"PUT\" host=\"app.example.com\" path=\"/a\"";

    [TestCase("", "code=\"CONNECTION_FAILED\" Request failed: the backend closed the connection without an answer")]
    [TestCase(
        "HTTP/1.1 200",
        "code=\"BAD_BACKEND_RESPONSE\" Request failed: the backend closed the connection in the middle of its response head"
    )]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "Response cut: the backend ended it early")]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "Response cut: the backend ended it early")]
    public async Task What_the_backend_does_is_a_warning(string answer, string reason)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await AskAsync(stage);
        await backend.SendAsync(answer);
        backend.EndSending();
        client.EndSending();
        await client.ReadToResetOrEndAsync();
        await stage.EndedAsync(client);
        Assert.That(Lines(stage.Log), Is.EqualTo(new[] { (LogLevel.Warning, $"hostname=\"app.example.com\" {Line} {reason}") }));
    }

    [Test]
    public async Task A_reset_in_the_middle_of_a_response_is_named()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await AskAsync(stage);
        await backend.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
        await client.ReadHeadAsync();
        await client.ReadTextAsync("hello".Length);
        backend.Reset();
        await client.ReadToResetOrEndAsync();
        await stage.EndedAsync(client);
        Assert.That(
            Lines(stage.Log),
            Is.EqualTo(new[] { (LogLevel.Warning, $"hostname=\"app.example.com\" {Line} Response cut: the backend reset the connection") })
        );
    }

    [Test]
    public async Task A_client_that_leaves_is_told_to_who_looks_for_it([Values] bool begun)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await AskAsync(stage);
        if (begun)
        {
            await backend.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
            await client.ReadHeadAsync();
            await client.ReadTextAsync("hello".Length);
        }

        client.Reset();
        await backend.ReadToResetOrEndAsync();
        await stage.EndedAsync(client);
        string reason = begun ? "Response cut: the client left" : "code=\"\" Request failed: the client left before it had an answer";
        Assert.That(Lines(stage.Log), Is.EqualTo(new[] { (LogLevel.Debug, $"hostname=\"app.example.com\" {Line} {reason}") }));
    }

    [Test]
    public async Task A_request_that_nothing_serves_is_told_to_who_looks_for_it()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync($"GET /{new string('p', 200)}?query HTTP/1.1\r\nHost: other.example.com\r\n\r\n");
        await client.ReadAsync();
        Assert.That(
            Lines(stage.Log),
            Is.EqualTo(
                new[]
                {
                    (
                        LogLevel.Debug,
                        $"hostname=\"\" client=\"192.0.2.7\" method=\"GET\" host=\"other.example.com\" path=\"/{new string('p', 95)}…\" "
                            + "code=\"UNKNOWN_HOST\" Request failed: no backend serves this host"
                    ),
                }
            )
        );
    }

    [Test]
    public async Task The_host_is_that_of_the_request_where_a_backend_has_many()
    {
        await using var stage = await ForwardingStage.StartAsync(static config =>
            config with
            {
                Route = new BackendRoute("*.example.com"),
                GivenName = "many",
            }
        );
        var (client, backend) = await AskAsync(stage);
        backend.Dispose();
        await client.ReadAsync();
        Assert.That(
            Lines(stage.Log),
            Is.EqualTo(
                new[]
                {
                    (
                        LogLevel.Warning,
                        $"hostname=\"many\" {Line} code=\"CONNECTION_FAILED\" "
                            + "Request failed: the backend closed the connection without an answer"
                    ),
                }
            )
        );
    }

    [Test]
    public async Task A_burst_has_some_lines_and_how_many_more_there_were()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        for (int i = 0; i < 31; i++)
        {
            if (i == 30)
            {
                stage.Time.AdvanceMs(Logging.LoggingLimits.NoticePeriodMs + 1000);
            }

            await client.SendAsync("GET /a HTTP/1.1\r\nHost: app.example.com\r\n\r\n");
            var backend = await stage.AcceptAsync();
            await backend.ReadHeadAsync();
            backend.Dispose();
            Assert.That((await client.ReadAsync()).Status, Is.EqualTo(502));
        }

        Assert.That(Lines(stage.Log), Has.Count.EqualTo(21));
        Assert.That(stage.Log.Records.Select(static record => record.Text), Has.Exactly(1).Contain("count=\"10\" More requests failed"));
    }

    private static async Task<(WireEnd Client, WireEnd Backend)> AskAsync(ForwardingStage stage)
    {
        var client = await stage.ConnectAsync();
        await client.SendAsync("PUT /a?secret=1 HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 0\r\n\r\n");
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        return (client, backend);
    }

    private static List<(LogLevel Level, string Text)> Lines(RecordingLog log) =>
        [
            .. log
                .Records.Where(static record =>
                    record.Text.Contains("Request failed", StringComparison.Ordinal)
                    || record.Text.Contains("Response cut", StringComparison.Ordinal)
                )
                .Select(static record =>
                    (record.Level, System.Text.RegularExpressions.Regex.Replace(record.Text, "request_id=\"[0-9a-f]+\" ", ""))
                ),
        ];
}
