using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>What a request over HTTP/2 becomes on its way to the backend, and its answer on the way back.</summary>
internal sealed class RequestTests : Http2Test
{
    [Test]
    public async Task The_backend_gets_an_HTTP_1_1_request_with_all_that_the_gateway_adds()
    {
        using H2Client client = await ConnectAsync();
        RawResponse response = await client.ExchangeAsync(Host, "/echo?a=b", ("x-one", "1"), ("te", "trailers"), ("x-one", "2"));
        EchoedRequest echoed = response.Echoed;

        Assert.That(response.Status, Is.EqualTo(200));
        Assert.That(echoed.RequestLine, Is.EqualTo("GET /echo?a=b HTTP/1.1"));
        Assert.That(echoed.Header("Host"), Is.EqualTo(Host));
        Assert.That(echoed.Headers.Where(each => each.Name == "x-one").Select(each => each.Value), Is.EqualTo(new[] { "1", "2" }));
        Assert.That(echoed.Header("Via"), Does.StartWith("2.0 "));
        Assert.That(echoed.Header("X-Forwarded-For"), Is.EqualTo("127.0.0.1"));
        Assert.That((echoed.Header("X-Forwarded-Host"), echoed.Header("X-Forwarded-Proto")), Is.EqualTo((Host, "http")));
        Assert.That(echoed.Header("X-Request-ID"), Is.EqualTo(response.Header("x-request-id")).And.Not.Empty);
        Assert.That(response.Header("date"), Is.Not.Null);
    }

    [Test]
    public async Task The_request_id_of_the_client_is_kept()
    {
        using H2Client client = await ConnectAsync();

        RawResponse response = await client.ExchangeAsync(Host, "/echo", ("x-request-id", "mine-1"));

        Assert.That((response.Header("x-request-id"), response.Echoed.Header("X-Request-ID")), Is.EqualTo(("mine-1", "mine-1")));
    }

    [Test]
    public async Task Cookie_crumbs_arrive_as_one_line()
    {
        using H2Client client = await ConnectAsync();

        RawResponse response = await client.ExchangeAsync(
            Host,
            "/echo",
            ("cookie", "a=1"),
            ("x", "y"),
            ("cookie", "b=2"),
            ("cookie", "c=3")
        );

        Assert.That(response.Echoed.Header("Cookie"), Is.EqualTo("a=1; b=2; c=3"));
    }

    [Test]
    public async Task Fields_of_the_response_lose_what_belongs_to_the_backends_connection()
    {
        using H2Client client = await ConnectAsync();

        RawResponse response = await client.ExchangeAsync(
            Host,
            "/headers?h=Connection:%20X-Hop|X-Hop:%201|Keep-Alive:%20timeout=5|X-Kept:%20Two|Set-Cookie:%20a=1|Set-Cookie:%20b=2"
        );

        Assert.That(response.Headers.Select(each => each.Name), Has.None.AnyOf("connection", "x-hop", "keep-alive", "transfer-encoding"));
        Assert.That(response.Header("x-kept"), Is.EqualTo("Two"));
        Assert.That(
            response.Headers.Where(each => each.Name == "set-cookie").Select(each => each.Value),
            Is.EqualTo(new[] { "a=1", "b=2" })
        );
    }

    [Test]
    public async Task Host_serves_where_there_is_no_authority()
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.BeginAsync([(":method", "GET"), (":scheme", "http"), (":path", "/echo"), ("host", Host)]);

        Assert.That((await stream.ResponseAsync()).Echoed.Header("Host"), Is.EqualTo(Host));
    }

    [Test]
    public async Task The_authority_routes_whatever_its_case_and_port()
    {
        using H2Client client = await ConnectAsync();

        Assert.That((await client.ExchangeAsync("APP.test:8080", "/echo")).Echoed.Header("Host"), Is.EqualTo("APP.test:8080"));
    }

    [Test]
    public async Task HEAD_has_the_head_of_GET_and_no_body()
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.BeginAsync(H2Frame.Request(Host, "/bytes?n=1000", "HEAD"));
        RawResponse response = await stream.ResponseAsync();

        Assert.That((response.Status, response.Header("content-length"), response.BodyLength), Is.EqualTo((200, "1000", 0L)));
        await StillServesAsync(client);
    }

    [TestCase(204)]
    [TestCase(304)]
    public async Task A_status_without_body_ends_with_its_head(int status)
    {
        using H2Client client = await ConnectAsync();
        RawResponse response = await client.ExchangeAsync(Host, $"/status?code={status}");

        Assert.That((response.Status, response.BodyLength, response.Header("etag")), Is.EqualTo((status, 0L, "\"tag\"")));
        await StillServesAsync(client);
    }

    [Test]
    public async Task Early_hints_pass_before_the_response_is_there()
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.GetAsync(Host, "/1xx?count=2&hold=h2-hints");
        RawResponse hint = await stream.InterimAsync();
        Assert.That((hint.Status, hint.Header("link"), stream.IsOver), Is.EqualTo((103, "</0.css>; rel=preload", false)));
        await (await Http2Gateway.Control.StartAsync()).DoAsync("release h2-hints");
        RawResponse response = await stream.ResponseAsync();

        Assert.That((response.Status, response.Text, response.Interim.Count), Is.EqualTo((200, "final", 2)));
    }

    [Test]
    public async Task Expect_100_continue_works_end_to_end()
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.BeginAsync(
            [.. H2Frame.Request(Host, "/upload", "POST"), ("expect", "100-continue"), ("content-length", "5")],
            end: false
        );
        Assert.That((await stream.InterimAsync()).Status, Is.EqualTo(100));
        await client.SendBodyAsync(stream, "hello"u8.ToArray());

        Assert.That((await stream.ResponseAsync()).Text, Does.StartWith("5 2cf24dba"));
    }

    [Test]
    public async Task Trailers_of_the_request_reach_the_backend()
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.BeginAsync(H2Frame.Request(Host, "/echo", "POST"), end: false);
        await client.SendBodyAsync(stream, "hello"u8.ToArray(), end: false);
        await client.SendAsync(H2Frame.Headers(stream.Id, [("x-sum", "abc"), ("x-two", "2")]));
        RawResponse response = await stream.ResponseAsync();

        Assert.That((response.Header("x-body-framing"), response.Header("x-body-length")), Is.EqualTo(("chunked", "5")));
        Assert.That(
            response.Headers.Where(each => each.Name == "x-echo-trailer").Select(each => each.Value),
            Is.EqualTo(new[] { "x-sum=abc", "x-two=2" })
        );
    }

    [Test]
    public async Task Trailers_of_the_response_reach_the_client()
    {
        using H2Client client = await ConnectAsync();
        RawResponse response = await client.ExchangeAsync(Host, "/trailers");

        Assert.That(response.Text, Is.EqualTo("hello"));
        Assert.That(response.Trailers, Is.EqualTo(new[] { ("x-checksum", "abc"), ("x-second", "two") }));
    }

    [Test]
    public async Task A_hundred_streams_of_one_connection_are_answered_each_with_its_own()
    {
        using H2Client client = await ConnectAsync();
        RawResponse[] responses = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => client.ExchangeAsync(Host, $"/echo?i={i}")));

        Assert.That(
            responses.Select(each => each.Echoed.RequestLine),
            Is.EqualTo(Enumerable.Range(0, 100).Select(i => $"GET /echo?i={i} HTTP/1.1"))
        );
    }

    [Test]
    public async Task Padding_and_continuation_are_understood()
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = client.Open();
        byte[] block = H2Frame.Block([.. H2Frame.Request(Host, "/upload", "POST"), ("x-pad", "1")]);
        await client.SendAsync([
            .. H2Frame.Of(H2Type.Headers, 8 | 32, stream.Id, [3, 0, 0, 0, 0, 15, .. block.AsSpan(0, 20), 0, 0, 0]), // PADDED, PRIORITY
            .. H2Frame.Of(H2Type.Continuation, 0, stream.Id, block.AsSpan(20, 1)),
            .. H2Frame.Of(H2Type.Continuation, H2Frame.EndHeaders, stream.Id, block.AsSpan(21)),
            .. H2Frame.Of(H2Type.Data, 8, stream.Id, [2, (byte)'h', (byte)'e', 0, 0]),
            .. H2Frame.Of(H2Type.Data, 8 | 1, stream.Id, [0, (byte)'l', (byte)'l', (byte)'o']),
        ]);

        Assert.That((await stream.ResponseAsync()).Text, Does.StartWith("5 2cf24dba"));
    }

    [Test]
    public async Task What_the_gateway_announces_is_what_is_documented()
    {
        using H2Client client = await ConnectAsync();

        Assert.That(
            client.Settings.OrderBy(each => each.Key).Select(each => (each.Key, each.Value)),
            Is.EqualTo(new (int, uint)[] { (3, 250), (4, 65536), (6, 32768), (8, 1), (9, 1) })
        );
    }
}
