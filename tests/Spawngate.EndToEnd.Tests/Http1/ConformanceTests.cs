using System.Globalization;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>Rules of docs/reference/http1-conformance.md that no other test shows from end to end.</summary>
internal sealed class ConformanceTests() : FaultTest(patient: true)
{
    [Test]
    public async Task A_response_without_a_date_gets_one_on_its_way()
    {
        using RawClient client = await ConnectAsync();
        RawResponse response = await client.ExchangeAsync(Backend.Host, "/");

        var date = DateTimeOffset.ParseExact(response.Header("Date")!, "R", CultureInfo.InvariantCulture);
        Assert.That(date, Is.EqualTo(TimeProvider.System.GetUtcNow()).Within(TimeSpan.FromSeconds(5)));
    }

    [Test]
    public async Task A_date_of_the_backend_is_kept()
    {
        const string Date = "Sun, 06 Nov 1994 08:49:37 GMT";
        Backend.Answers(
            async (peer, _) =>
            {
                await peer.SendAsync($"HTTP/1.1 200 OK\r\nDate: {Date}\r\nContent-Length: 0\r\n\r\n");
                return true;
            }
        );
        using RawClient client = await ConnectAsync();

        Assert.That((await client.ExchangeAsync(Backend.Host, "/fault")).Header("Date"), Is.EqualTo(Date));
    }

    [TestCase("TRACE")]
    [TestCase("OPTIONS")]
    public async Task A_TRACE_or_OPTIONS_without_forwards_left_ends_here(string method)
    {
        int forwards = -1;
        Backend.Answers(
            async (peer, request) =>
            {
                forwards = int.Parse(request.Field("Max-Forwards")!, CultureInfo.InvariantCulture);
                await peer.SendAsync(FaultyBackend.Ok);
                return true;
            }
        );
        using RawClient client = await ConnectAsync();
        RawResponse last = await client.ExchangeAsync(Backend.Host, "/fault", method, "Max-Forwards: 0\r\n");
        Assert.That((last.Status, last.Header("X-Proxy-Error"), forwards), Is.EqualTo((501, "NOT_IMPLEMENTED", -1)));

        RawResponse further = await client.ExchangeAsync(Backend.Host, "/fault", method, "Max-Forwards: 3\r\n");
        Assert.That((further.Status, forwards), Is.EqualTo((200, 2)));
    }

    [TestCase("Content_Length: 5")]
    [TestCase("Transfer_Encoding: chunked")]
    [TestCase("X-A: b\r\n folded")]
    [TestCase("X-A : b")]
    [TestCase(" X-A: b")]
    [TestCase("\tX-A: b")]
    public async Task A_response_that_two_could_read_differently_is_502(string field)
    {
        Backend.Answers(
            async (peer, _) =>
            {
                await peer.SendAsync($"HTTP/1.1 200 OK\r\n{field}\r\nContent-Length: 5\r\n\r\nhello");
                await peer.EndedAsync();
                return false;
            }
        );
        using RawClient client = await ConnectAsync();

        Assert.That((await client.ExchangeAsync(Backend.Host, "/fault")).Status, Is.EqualTo(502));
    }

    [Test]
    public async Task A_response_of_HTTP_1_0_with_a_transfer_coding_is_502()
    {
        Backend.Answers(
            async (peer, _) =>
            {
                await peer.SendAsync(
                    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                );
                await peer.EndedAsync();
                return false;
            }
        );
        using RawClient client = await ConnectAsync();

        Assert.That((await client.ExchangeAsync(Backend.Host, "/fault")).Status, Is.EqualTo(502));
    }

    [TestCase("HEAD", "200 OK\r\nContent-Length: 42")]
    [TestCase("HEAD", "200 OK\r\nTransfer-Encoding: chunked")]
    [TestCase("HEAD", "200 OK")]
    [TestCase("GET", "204 No Content\r\nContent-Length: 42")]
    [TestCase("GET", "204 No Content\r\nTransfer-Encoding: chunked")]
    [TestCase("GET", "304 Not Modified\r\nContent-Length: 42")]
    public async Task A_body_where_none_may_be_is_never_taken_for_an_answer(string method, string head)
    {
        Backend.Answers(
            async (peer, _) =>
            {
                await peer.SendAsync($"HTTP/1.1 {head}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
                return true;
            }
        );
        using RawClient client = await ConnectAsync();
        RawResponse response = await client.ExchangeAsync(Backend.Host, "/fault", method);

        Assert.That(
            (response.Status, response.Header("Transfer-Encoding")),
            Is.EqualTo((int.Parse(head[..3], CultureInfo.InvariantCulture), default(string)))
        );
        Assert.That((await client.ExchangeAsync(Backend.Host, "/")).Text, Is.EqualTo("ok"));
    }

    [Test]
    public async Task A_backend_is_asked_one_thing_at_a_time()
    {
        bool asked = false;
        Backend.Answers(
            async (peer, _) =>
            {
                asked |= peer.HasMore(TimeSpan.FromMilliseconds(50));
                await peer.SendAsync(FaultyBackend.Ok);
                return true;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head() + Head() + Head());
        for (int i = 0; i < 3; i++)
        {
            Assert.That((await client.ReadResponseAsync()).Text, Is.EqualTo("ok"));
        }

        Assert.That(asked, Is.False, "a request was sent before the last one had its answer");
    }

    [Test]
    public async Task A_close_of_the_client_does_not_reach_the_backend()
    {
        string? connection = "none was asked";
        Backend.Answers(
            async (peer, request) =>
            {
                connection = request.Field("Connection");
                await peer.SendAsync(FaultyBackend.Ok);
                return true;
            }
        );
        using RawClient client = await ConnectAsync();
        RawResponse response = await client.ExchangeAsync(Backend.Host, "/fault", headers: "Connection: close\r\n");

        Assert.That((response.Closes, connection), Is.EqualTo((true, default(string))));
        Assert.That(await client.EndsAsync());
    }

    [Test]
    public async Task A_backend_that_says_close_is_asked_on_a_new_connection()
    {
        var asked = new List<UpstreamPeer>();
        Backend.Answers(
            async (peer, _) =>
            {
                asked.Add(peer);
                await peer.SendAsync("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
                return true; // It says so, and stays open all the same.
            }
        );
        using RawClient client = await ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            RawResponse response = await client.ExchangeAsync(Backend.Host, "/fault");
            Assert.That((response.Text, response.Closes), Is.EqualTo(("ok", false)));
        }

        Assert.That(asked.Distinct().Count(), Is.EqualTo(3));
    }

    [TestCase("X-Hop", false)]
    [TestCase("keep-alive, x-hop", false)]
    [TestCase("TE", true)]
    public async Task A_trailer_that_Connection_names_goes_no_further(string connection, bool passes)
    {
        string fields = $"Connection: {connection}\r\nTransfer-Encoding: chunked\r\n";
        const string Body = "5\r\nhello\r\n0\r\nX-Hop: 1\r\n\r\n";
        var seen = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        Backend.Answers(
            async (peer, request) =>
            {
                var rest = new System.Text.StringBuilder();
                while (!rest.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
                {
                    await peer.ReadAsync(1, part => Task.FromResult(rest.Append((char)part.Span[0])));
                }

                seen.SetResult(rest.ToString());
                await peer.SendAsync($"HTTP/1.1 200 OK\r\n{fields}\r\n{Body}");
                return true;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head("POST", fields) + Body);
        RawResponse response = await client.ReadResponseAsync();

        Assert.That((response.Text, response.Trailers.Count), Is.EqualTo(("hello", passes ? 1 : 0)));
        Assert.That((await seen.Task).Contains("X-Hop", StringComparison.Ordinal), Is.EqualTo(passes));
    }
}
