using Spawngate.Backends;
using Spawngate.Forwarding;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Well-formed exchanges through a client connection: framings, order, and what each side gets to see.</summary>
internal sealed class ClientExchangeTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    [Test]
    public async Task Two_requests_share_both_connections()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync("GET /a?b HTTP/1.1\r\nHost: app.example.com\r\nX-Case: Kept\r\n\r\n");
        var backend = await stage.AcceptAsync();
        var request = await backend.ReadAsync();
        Assert.That((request.StartLine, request["X-Case"], request["Host"]), Is.EqualTo(("GET /a?b HTTP/1.1", "Kept", "app.example.com")));
        await backend.SendAsync("HTTP/1.1 201 Made it\r\nX-CaSe: Kept\r\nContent-Length: 2\r\n\r\nok");
        var response = await client.ReadAsync();
        Assert.That(
            (response.StartLine, response.Text, response["X-Request-ID"]),
            Is.EqualTo(("HTTP/1.1 201 Made it", "ok", request["X-Request-ID"]))
        );
        Assert.That((response.Names.First(), response["Connection"]), Is.EqualTo(("X-CaSe", (string?)null)));

        await client.SendAsync("GET /second HTTP/1.1\r\nHost: app.example.com\r\n\r\n");
        var second = await backend.ReadAsync();
        Assert.That((second.StartLine, second["X-Request-ID"] == request["X-Request-ID"]), Is.EqualTo(("GET /second HTTP/1.1", false)));
        await backend.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));
    }

    [Test]
    public async Task Pipelined_requests_are_answered_in_order()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(
            string.Concat(
                Enumerable
                    .Range(0, 20)
                    .Select(i =>
                        i % 5 == 4
                            ? $"GET /{i} HTTP/1.1\r\nHost: unknown.example.com\r\n\r\n"
                            : $"POST /{i} HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 3\r\n\r\n{i:d3}"
                    )
            )
        );
        var backend = await stage.AcceptAsync();
        for (int i = 0; i < 20; i++)
        {
            if (i % 5 != 4)
            {
                var request = await backend.ReadAsync();
                Assert.That((request.StartLine, request.Text), Is.EqualTo(($"POST /{i} HTTP/1.1", $"{i:d3}")));
                await backend.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{i:d3}");
            }

            var response = await client.ReadAsync();
            Assert.That(i % 5 == 4 ? response.Status.ToString() : response.Text, Is.EqualTo(i % 5 == 4 ? "404" : $"{i:d3}"));
        }
    }

    [Test]
    public async Task A_request_may_arrive_byte_by_byte()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        foreach (
            char c in "\r\nPOST /slow HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n1\r\n"
                + "d\r\n0\r\nX-Sum: 1\r\n\r\n"
        )
        {
            await client.SendAsync(c.ToString());
        }

        var backend = await stage.AcceptAsync();
        var request = await backend.ReadAsync();
        Assert.That(
            (request.StartLine, request.Text, request.Trailers),
            Is.EqualTo(("POST /slow HTTP/1.1", "abcd", new[] { ("X-Sum", "1") }))
        );
        foreach (char c in Ok)
        {
            await backend.SendAsync(c.ToString());
        }

        Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));
    }

    [TestCase("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "5")]
    [TestCase("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", null)]
    [TestCase("GET", "HTTP/1.1 204 No Content\r\n\r\n", null)]
    [TestCase("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", null)]
    [TestCase("GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", null)]
    [TestCase("GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", null)]
    [TestCase("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "5")]
    [TestCase("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "0")]
    public async Task Responses_without_body_keep_both_connections(string method, string answer, string? length)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync($"{method} / HTTP/1.1\r\nHost: app.example.com\r\n\r\n{Get}");
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync(answer);
        var response = await client.ReadAsync(toHead: method == "HEAD");
        Assert.That((response["Content-Length"], response["Transfer-Encoding"]), Is.EqualTo((length, default(string))));
        await backend.ReadAsync();
        await backend.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));
    }

    [Test]
    public async Task A_chunked_response_with_trailers_passes()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await AskAsync(stage, Get);
        await backend.SendAsync(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n2;e\r\nde\r\n0\r\n"
                + "X-Sum: 9\r\nContent-Length: 3\r\n\r\n"
        );
        var response = await client.ReadAsync();
        Assert.That((response.Text, response["Trailer"], response.Trailers), Is.EqualTo(("abcde", "X-Sum", new[] { ("X-Sum", "9") })));
    }

    [Test]
    public async Task A_response_without_length_is_sent_chunked_and_the_client_kept()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await AskAsync(stage, Get);
        await backend.SendAsync("HTTP/1.1 200 OK\r\n\r\nfirst");
        backend.EndSending();
        var response = await client.ReadAsync();
        Assert.That(
            (response.Text, response["Transfer-Encoding"], response["Connection"]),
            Is.EqualTo(("first", "chunked", (string?)null))
        );
        await client.SendAsync(Get);
        var second = await stage.AcceptAsync();
        await second.ReadAsync();
        await second.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));
    }

    [TestCase("", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")]
    [TestCase("Connection: keep-alive\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n")]
    [TestCase("Connection: keep-alive\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok")]
    public async Task An_http10_client_gets_no_chunks_but_an_end(string field, string answer)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await AskAsync(stage, $"GET / HTTP/1.0\r\nHost: app.example.com\r\n{field}\r\n");
        await backend.SendAsync(answer);
        backend.EndSending();
        string head = await client.ReadHeadAsync();
        Assert.That(head, Does.Not.Contain("Transfer-Encoding").And.Contain("Connection: close\r\n"));
        Assert.That(await client.ReadToEndAsync(), Is.EqualTo("ok"));
        client.EndSending();
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task An_http10_client_is_kept_when_it_asks_and_the_length_is_known()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await AskAsync(stage, "GET / HTTP/1.0\r\nHost: app.example.com\r\nConnection: keep-alive\r\n\r\n");
        await backend.SendAsync(Ok);
        Assert.That((await client.ReadAsync())["Connection"], Is.EqualTo("keep-alive"));
        await client.SendAsync("GET / HTTP/1.0\r\nHost: app.example.com\r\n\r\n");
        await backend.ReadAsync();
        await backend.SendAsync(Ok);
        Assert.That((await client.ReadAsync())["Connection"], Is.EqualTo("close"));
        Assert.That(await client.ReadToEndAsync(), Is.Empty);
    }

    [Test]
    public async Task Interim_responses_pass_but_not_to_http10()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await AskAsync(stage, Get);
        await backend.SendAsync("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n");
        Assert.That((await client.ReadAsync())["Link"], Is.EqualTo("</a>"));
        Assert.That((await client.ReadAsync())["Link"], Is.EqualTo("</b>"));
        await backend.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));

        await using var secondStage = await ForwardingStage.StartAsync();
        (var old, backend) = await AskAsync(secondStage, "GET / HTTP/1.0\r\nHost: app.example.com\r\n\r\n");
        await backend.SendAsync("HTTP/1.1 103 Early Hints\r\n\r\n" + Ok);
        Assert.That((await old.ReadAsync()).Status, Is.EqualTo(200));
    }

    [TestCase("Content-Length: 5\r\n", "hello")]
    [TestCase("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")]
    public async Task A_body_waits_for_100_continue_end_to_end(string framing, string body)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync($"POST / HTTP/1.1\r\nHost: app.example.com\r\nExpect: 100-continue\r\n{framing}\r\n");
        var backend = await stage.AcceptAsync();
        string head = await backend.ReadHeadAsync();
        Assert.That(head, Does.Contain("Expect: 100-continue\r\n"));
        await backend.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(100));
        await client.SendAsync(body);
        Assert.That(await backend.ReadTextAsync(body.Length), Is.EqualTo(body));
        await backend.SendAsync(Ok);
        Assert.That((await client.ReadAsync())["Connection"], Is.Null);
        await client.SendAsync(Get);
        await backend.ReadAsync();
        await backend.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));
    }

    [Test]
    public async Task An_answer_instead_of_100_continue_ends_the_connection()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: app.example.com\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        await backend.SendAsync("HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno");
        var response = await client.ReadAsync();
        Assert.That((response.Status, response["Connection"]), Is.EqualTo((417, "close")));
        client.EndSending();
        Assert.That(await client.ReadToEndAsync(), Is.Empty);
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task A_backend_may_answer_before_the_body_is_there_and_the_rest_is_thrown_away()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 10\r\n\r\nhello");
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        await backend.SendAsync("HTTP/1.1 413 Too much\r\nContent-Length: 2\r\n\r\nno");
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(413));
        Assert.That(await backend.ReadToResetOrEndAsync(), Does.StartWith("hello"));
        await client.SendAsync("world" + Get);
        var second = await stage.AcceptAsync();
        await second.ReadAsync();
        await second.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task Large_bodies_stream_in_both_directions_at_once(bool chunked)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        string piece = string.Concat(Enumerable.Range(0, 1000).Select(i => $"{i:d8}"));
        await client.SendAsync(
            $"POST / HTTP/1.1\r\nHost: app.example.com\r\n{(chunked ? "Transfer-Encoding: chunked" : "Content-Length: 1600000")}\r\n\r\n"
        );
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        await backend.SendAsync($"HTTP/1.1 200 OK\r\n{(chunked ? "Transfer-Encoding: chunked" : "Content-Length: 1600000")}\r\n\r\n");
        await client.ReadHeadAsync();
        for (int i = 0; i < 200; i++)
        {
            await client.SendAsync(chunked ? $"1f40\r\n{piece}\r\n" : piece);
            await backend.SendAsync(await EchoAsync(backend, chunked, piece.Length));
            Assert.That(await EchoAsync(client, chunked, piece.Length), Does.Contain(chunked ? "0000" : piece));
        }

        if (chunked)
        {
            await client.SendAsync("0\r\n\r\n");
            Assert.That(await backend.ReadTextAsync(5), Is.EqualTo("0\r\n\r\n"));
            await backend.SendAsync("0\r\n\r\n");
            Assert.That(await client.ReadTextAsync(5), Is.EqualTo("0\r\n\r\n"));
        }

        await client.SendAsync(Get);
        var next = stage.HasNewConnection ? await stage.AcceptAsync() : backend;
        await next.ReadAsync();
        await next.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));
    }

    [Test]
    public async Task A_head_is_sent_on_before_the_first_byte_of_its_body()
    {
        await using var stage = await ForwardingStage.StartAsync();
        foreach (string framing in new[] { "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n", "" })
        {
            var client = await stage.ConnectAsync();
            await client.SendAsync(Get);
            var backend = await stage.AcceptAsync();
            await backend.ReadAsync();
            await backend.SendAsync($"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}\r\n");
            Assert.That(await client.ReadHeadAsync(), Does.Contain("text/event-stream"));
            backend.Reset();
            await client.ReadToResetAsync();
        }
    }

    [Test]
    public async Task A_response_head_may_be_as_large_as_allowed()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await AskAsync(stage, Get);
        string start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ";
        await backend.SendAsync(start + new string('x', ForwardingLimits.ResponseHeadBytesMax - start.Length - 4) + "\r\n\r\n");
        Assert.That((await client.ReadAsync())["X"], Has.Length.GreaterThan(65000));
    }

    private static async Task<string> EchoAsync(WireEnd end, bool chunked, int length)
    {
        if (!chunked)
        {
            return await end.ReadTextAsync(length);
        }

        // Chunks may be cut and joined on the way: collect the coded text of exactly these bytes.
        string coded = "";
        for (int left = length; left > 0; )
        {
            string size = "";
            while (!size.EndsWith("\r\n", StringComparison.Ordinal))
            {
                size += await end.ReadTextAsync(1);
            }

            int count = Convert.ToInt32(size.Trim(), 16);
            coded += size + await end.ReadTextAsync(count + 2);
            left -= count;
        }

        return coded;
    }

    private static async Task<(WireEnd Client, WireEnd Backend)> AskAsync(ForwardingStage stage, string request)
    {
        var client = await stage.ConnectAsync();
        await client.SendAsync(request);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        return (client, backend);
    }
}
