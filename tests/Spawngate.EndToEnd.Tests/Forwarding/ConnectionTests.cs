using System.Text;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Forwarding;

/// <summary>How client connections live: keep-alive, pipelining, HTTP/1.0, and responses of special shape.</summary>
internal sealed class ConnectionTests : SharedGatewayTest
{
    [Test]
    public async Task One_connection_serves_many_requests()
    {
        using RawClient client = await ConnectAsync();
        for (int i = 0; i < 200; i++)
        {
            Assert.That((await client.ExchangeAsync(Host, $"/bytes?n={i}")).BodyLength, Is.EqualTo(i));
        }
    }

    [Test]
    public async Task Pipelined_requests_are_answered_in_order()
    {
        const int Count = 100;
        using RawClient client = await ConnectAsync();
        var requests = new StringBuilder();
        for (int i = 0; i < Count; i++)
        {
            string target = (i % 4) switch
            {
                0 => $"/bytes?n={i}&framing=chunked",
                1 => $"/slow?headMs=5&i={i}",
                2 => $"/bytes?n={i}",
                _ => $"/echo?i={i}",
            };
            requests.Append(
                i % 4 == 3 ? RawClient.Head(Host, target, "POST", "Content-Length: 3\r\n") + "abc" : RawClient.Head(Host, target)
            );
        }

        await client.SendAsync(requests.ToString());

        for (int i = 0; i < Count; i++)
        {
            RawResponse response = await client.ReadResponseAsync();
            Assert.That(response.Status, Is.EqualTo(200));
            string expected = (i % 4) switch
            {
                1 => "slow",
                3 => $"POST /echo?i={i} HTTP/1.1",
                _ => Encoding.UTF8.GetString(TestBackend.Pattern.Take(i)),
            };
            Assert.That(response.Text, Does.StartWith(expected), $"response {i}");
        }
    }

    [Test]
    public async Task Pipelined_requests_may_go_to_different_hosts()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head("impatient.test", "/") + RawClient.Head("unknown.test", "/") + RawClient.Head(Host, "/"));

        Assert.That((await client.ReadResponseAsync()).Json.GetProperty("name").GetString(), Is.EqualTo("impatient"));
        Assert.That((await client.ReadResponseAsync()).Status, Is.EqualTo(404));
        Assert.That((await client.ReadResponseAsync()).Json.GetProperty("name").GetString(), Is.EqualTo("backend"));
    }

    [Test]
    public async Task Empty_lines_before_a_request_are_skipped()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync("\r\n" + RawClient.Head(Host, "/status?code=200"));

        Assert.That((await client.ReadResponseAsync()).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Connection_close_ends_the_connection_after_the_response()
    {
        using RawClient client = await ConnectAsync();
        RawResponse response = await client.ExchangeAsync(Host, "/status?code=200", headers: "Connection: close\r\n");

        Assert.That(response.Closes);
        Assert.That(await client.EndsAsync());
    }

    [Test]
    public async Task A_client_that_ends_its_side_after_the_request_still_gets_the_response()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, "/slow?headMs=200&bodyMs=200", headers: "Connection: close\r\n"));
        client.EndSending();

        Assert.That((await client.ReadResponseAsync()).Text, Is.EqualTo("slow"));
        Assert.That(await client.EndsAsync());
    }

    [Test]
    public async Task Connection_close_of_the_backend_does_not_end_the_clients_connection()
    {
        using RawClient client = await ConnectAsync();
        RawResponse response = await client.ExchangeAsync(Host, "/headers?h=Connection:%20close");

        Assert.That(response.Closes, Is.False);
        Assert.That((await client.ExchangeAsync(Host, "/status?code=200")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task HTTP_1_0_gets_its_response_and_the_end_of_the_connection()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync($"GET /bytes?n=1000 HTTP/1.0\r\nHost: {Host}\r\n\r\n");
        RawResponse response = await client.ReadResponseAsync();

        Assert.That((response.Status, response.Framing, response.BodyLength), Is.EqualTo((200, Framing.Length, 1000L)));
        Assert.That(await client.EndsAsync());
    }

    [TestCase("chunked")]
    [TestCase("close")]
    public async Task HTTP_1_0_gets_no_chunks(string framing)
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync($"GET /bytes?n=100000&framing={framing} HTTP/1.0\r\nHost: {Host}\r\nConnection: keep-alive\r\n\r\n");
        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Framing, Is.EqualTo(Framing.Close));
        Assert.That(response.Sha256, Is.EqualTo(TestBackend.Pattern.Sha256(100_000)));
    }

    [Test]
    public async Task HTTP_1_0_keeps_the_connection_on_request()
    {
        using RawClient client = await ConnectAsync();
        string request = $"GET /bytes?n=10 HTTP/1.0\r\nHost: {Host}\r\nConnection: keep-alive\r\n\r\n";
        await client.SendAsync(request);
        RawResponse first = await client.ReadResponseAsync();
        await client.SendAsync(request);
        RawResponse second = await client.ReadResponseAsync();

        Assert.That(
            first.Header("Connection"),
            Is.EqualTo("keep-alive").IgnoreCase,
            "or the client would wait for the end of the connection"
        );
        Assert.That(second.BodyLength, Is.EqualTo(10));
    }

    [Test]
    public async Task The_backend_is_spoken_to_in_HTTP_1_1_whatever_the_client_speaks()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync($"GET /echo HTTP/1.0\r\nHost: {Host}\r\n\r\n");

        Assert.That((await client.ReadResponseAsync()).Echoed.RequestLine, Is.EqualTo("GET /echo HTTP/1.1"));
    }

    [TestCase("/bytes?n=5000", "5000")]
    [TestCase("/bytes?n=5000&framing=chunked", null)]
    public async Task HEAD_has_the_head_of_GET_and_no_body(string target, string? length)
    {
        using RawClient client = await ConnectAsync();
        RawResponse head = await client.ExchangeAsync(Host, target, "HEAD");

        Assert.That((head.Status, head.Header("Content-Length")), Is.EqualTo((200, length)));
        Assert.That(
            (await client.ExchangeAsync(Host, "/status?code=200")).Text,
            Is.EqualTo("status 200"),
            "nothing stands between two responses"
        );
    }

    [TestCase(204, "")]
    [TestCase(304, "")]
    [TestCase(304, "&length=1234")]
    public async Task A_204_and_a_304_have_no_body(int status, string parameters)
    {
        using RawClient client = await ConnectAsync();
        RawResponse response = await client.ExchangeAsync(Host, $"/status?code={status}{parameters}");

        Assert.That((response.Status, response.Framing, response.Header("ETag")), Is.EqualTo((status, Framing.None, "\"tag\"")));
        Assert.That(
            (await client.ExchangeAsync(Host, "/status?code=200")).Text,
            Is.EqualTo("status 200"),
            "nothing stands between two responses"
        );
    }

    [TestCase(201)]
    [TestCase(404)]
    [TestCase(418)]
    [TestCase(500)]
    [TestCase(503)]
    [TestCase(599)]
    public async Task Any_status_passes_as_it_is_and_is_no_error_of_the_gateway(int status)
    {
        RawResponse response = await RequestAsync($"/status?code={status}");

        Assert.That((response.Status, response.Text), Is.EqualTo((status, $"status {status}")));
        Assert.That(response.Header("X-Proxy-Error"), Is.Null);
    }

    [Test]
    public async Task Early_hints_pass_before_the_response_is_there()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, "/1xx?count=2&hold=hints"));
        RawResponse first = await client.ReadHeadAsync();
        RawResponse second = await client.ReadHeadAsync();
        await (await SharedGateway.Control.StartAsync()).DoAsync("release hints");
        RawResponse final = await client.ReadResponseAsync();

        Assert.That((first.Status, first.Header("Link")), Is.EqualTo((103, "</0.css>; rel=preload")));
        Assert.That((second.Status, second.Header("Link")), Is.EqualTo((103, "</1.css>; rel=preload")));
        Assert.That((final.Status, final.Text), Is.EqualTo((200, "final")));
    }

    [Test]
    public async Task An_HTTP_1_0_client_gets_no_interim_response()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync($"GET /1xx HTTP/1.0\r\nHost: {Host}\r\n\r\n");

        Assert.That((await client.ReadHeadAsync()).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Expect_100_continue_works_end_to_end()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, "/upload", "POST", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
        RawResponse interim = await client.ReadHeadAsync();
        await client.SendAsync("hello");
        RawResponse final = await client.ReadResponseAsync();

        Assert.That(interim.Status, Is.EqualTo(100));
        Assert.That(final.Text, Does.StartWith("5 2cf24dba"));
    }

    [Test]
    public async Task A_final_answer_instead_of_100_reaches_the_client_that_waits_for_it()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, "/status?code=413", "POST", "Content-Length: 5\r\nExpect: 100-continue\r\n"));

        RawResponse response = await client.ReadResponseAsync();

        Assert.That((response.Status, response.Interim.Count), Is.EqualTo((413, 0)));
    }

    [Test]
    public async Task Many_connections_at_once_are_kept_apart()
    {
        await Task.WhenAll(
            Enumerable
                .Range(1, 100)
                .Select(async i =>
                {
                    using RawClient client = await ConnectAsync();
                    for (int round = 0; round < 10; round++)
                    {
                        int size = i * 37;
                        Assert.That((await client.ExchangeAsync(Host, $"/bytes?n={size}")).BodyLength, Is.EqualTo(size));
                    }
                })
        );
    }
}
