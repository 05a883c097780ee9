using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Forwarding;

/// <summary>What two parties could read differently is refused, and the connection ends, so that nothing can be smuggled.</summary>
internal sealed class RefusalTests : SharedGatewayTest
{
    private const string Get = "GET / HTTP/1.1\r\nHost: app.test\r\n";
    private const string Post = "POST /echo HTTP/1.1\r\nHost: app.test\r\n";

    private static IEnumerable<TestCaseData> Malformed()
    {
        yield return Named(
            "Content_Length_and_Transfer_Encoding",
            Post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        );
        yield return Named("Two_different_lengths", Post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!");
        yield return Named("Repeated_length", Post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello");
        yield return Named("List_of_lengths", Post + "Content-Length: 5, 5\r\n\r\nhello");
        yield return Named("Signed_length", Post + "Content-Length: +5\r\n\r\nhello");
        yield return Named("Negative_length", Post + "Content-Length: -5\r\n\r\nhello");
        yield return Named("Hexadecimal_length", Post + "Content-Length: 0x5\r\n\r\nhello");
        yield return Named("Empty_length", Post + "Content-Length: \r\n\r\n");
        yield return Named("Length_beyond_64_bits", Post + "Content-Length: 99999999999999999999\r\n\r\n");
        yield return Named("Folded_field", Get + "X-Folded: a\r\n b\r\n\r\n");
        yield return Named("Space_before_the_colon", Post + "Content-Length : 5\r\n\r\nhello");
        yield return Named("Space_before_the_first_field", "GET / HTTP/1.1\r\n Host: app.test\r\n\r\n");
        yield return Named("Bare_line_feed", "GET / HTTP/1.1\nHost: app.test\n\n");
        yield return Named("Bare_line_feed_in_a_field", Get + "X-A: a\nX-B: b\r\n\r\n");
        yield return Named("Bare_carriage_return", Get + "X-A: a\rX-B: b\r\n\r\n");
        yield return Named("NUL_in_a_field", Get + "X-A: a\0b\r\n\r\n");
        yield return Named("Control_character_in_a_field", Get + "X-A: a\u0001b\r\n\r\n");
        yield return Named("NUL_in_the_target", "GET /a\0b HTTP/1.1\r\nHost: app.test\r\n\r\n");
        yield return Named("Space_in_the_target", "GET /a b HTTP/1.1\r\nHost: app.test\r\n\r\n");
        yield return Named("No_field_name", Get + ": value\r\n\r\n");
        yield return Named("No_colon", Get + "nonsense\r\n\r\n");
        yield return Named("Odd_character_in_a_name", Get + "X(A): 1\r\n\r\n");
        yield return Named("Two_hosts", Get + "Host: other.test\r\n\r\n");
        yield return Named("Same_host_twice", Get + "Host: app.test\r\n\r\n");
        yield return Named("Absolute_target_that_disagrees", "GET http://other.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n");
        yield return Named("Bad_method", "GE(T / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        yield return Named("No_version", "GET /\r\nHost: app.test\r\n\r\n");
        yield return Named("Lower_case_version", "GET / http/1.1\r\nHost: app.test\r\n\r\n");
        yield return Named("Chunked_not_last", Post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n");
        yield return Named("Chunked_twice", Post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n");
        yield return Named("Chunked_in_two_fields", Post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        yield return Named("Chunked_in_HTTP_1_0", "POST /echo HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        yield return Named("TLS_handshake", "\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003\r\n\r\n");
    }

    [TestCaseSource(nameof(Malformed))]
    public async Task Refused_with_400(string request)
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(request);

        RawResponse response = await client.ReadResponseAsync();

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((400, "BAD_REQUEST")), response.Text);
        Assert.That(response.Closes);
        Assert.That(await client.EndsAsync());
    }

    private static IEnumerable<TestCaseData> BadChunks()
    {
        yield return Named("Chunk_size_no_number", "xyz\r\nhello\r\n0\r\n\r\n");
        yield return Named("Chunk_size_signed", "+5\r\nhello\r\n0\r\n\r\n");
        yield return Named("Chunk_size_prefixed", "0x5\r\nhello\r\n0\r\n\r\n");
        yield return Named("Chunk_size_empty", "\r\nhello\r\n0\r\n\r\n");
        yield return Named("Chunk_size_too_large", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n");
        yield return Named("Chunk_size_ends_in_LF", "5\nhello\r\n0\r\n\r\n");
        yield return Named("Chunk_longer_than_said", "5\r\nhello!\r\n0\r\n\r\n");
        yield return Named("Chunk_extension_with_LF", "5;a=\nb\r\nhello\r\n0\r\n\r\n");
        yield return Named("Trailer_with_space_before_colon", "5\r\nhello\r\n0\r\nX-A : 1\r\n\r\n");
    }

    [TestCaseSource(nameof(BadChunks))]
    public async Task A_bad_chunk_ends_the_connection_without_a_success(string body)
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Post + "Transfer-Encoding: chunked\r\n\r\n" + body);

        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Status, Is.EqualTo(400), response.Text);
        Assert.That(await client.EndsAsync());
    }

    [TestCase("CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80\r\n\r\n", 400, 405, 501, TestName = "CONNECT_is_refused")]
    [TestCase(
        "POST /echo HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
        TestName = "An_unknown_coding_is_501"
    )]
    [TestCase(
        "POST /echo HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: nonsense\r\n\r\n0\r\n\r\n",
        501,
        TestName = "A_nonsensical_coding_is_501"
    )]
    [TestCase("GET / HTTP/2.0\r\nHost: app.test\r\n\r\n", 505, TestName = "An_unknown_version_is_505")]
    [TestCase("GET / HTTP/1.2\r\nHost: app.test\r\n\r\n", 505, 200, TestName = "A_higher_minor_version_is_505_or_served")]
    public async Task Refused_with_a_status_of_its_own(string request, params int[] statuses)
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(request);

        RawResponse response = await client.ReadResponseAsync();

        Assert.That(statuses, Does.Contain(response.Status));
    }

    [Test]
    public async Task A_long_request_line_is_414_and_a_long_head_or_many_fields_431()
    {
        RawResponse line = await RequestAsync("/" + new string('a', 9000));
        RawResponse head = await RequestAsync("/", headers: $"X-Big: {new string('b', 40_000)}\r\n");
        RawResponse many = await RequestAsync("/", headers: string.Concat(Enumerable.Range(0, 150).Select(i => $"X-{i}: 1\r\n")));

        Assert.That(new[] { line.Status, head.Status, many.Status }, Is.EqualTo(new[] { 414, 431, 431 }));
        Assert.That(new[] { line.Closes, head.Closes, many.Closes }, Has.All.True);
        Assert.That(new[] { line, head, many }.Select(each => each.Header("X-Proxy-Error")), Has.None.Null);
    }

    [Test]
    public async Task What_follows_a_refused_request_is_not_served()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Get + "X-A : 1\r\n\r\n" + RawClient.Head(Host, "/"));

        Assert.That((await client.ReadResponseAsync()).Status, Is.EqualTo(400));
        Assert.That(await client.EndsAsync());
    }

    private static TestCaseData Named(string name, string bytes) => new TestCaseData(bytes).SetArgDisplayNames(name);
}

/// <summary>Clients that are slow, or silent.</summary>
internal sealed class ClientTimeoutTests : GatewayTest
{
    [Test]
    public async Task A_head_that_takes_too_long_is_408()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("header_timeout_secs = 1").TestBackend(Host));
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: app");

        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Status, Is.EqualTo(408));
        Assert.That(await client.EndsAsync());
    }

    [Test]
    public async Task An_idle_connection_ends_after_the_keep_alive_timeout()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("keep_alive_timeout_secs = 1").TestBackend(Host));
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.ExchangeAsync(Host, "/");

        Assert.That(await client.EndsAsync(TimeSpan.FromSeconds(3)));
    }

    [Test]
    public async Task Past_max_connections_new_ones_wait_and_are_served_later()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("max_connections = 2").TestBackend(Host));
        using RawClient first = await RawClient.ConnectAsync(gateway.Port);
        using RawClient third = await WithSecondAsync(gateway, first);

        Assert.That((await third.ReadResponseAsync()).Status, Is.EqualTo(200), "the place of the second is free again");
    }

    private static async Task<RawClient> WithSecondAsync(GatewayProcess gateway, RawClient first)
    {
        using RawClient second = await RawClient.ConnectAsync(gateway.Port);
        Assert.That((await first.ExchangeAsync(Host, "/")).Status, Is.EqualTo(200));
        Assert.That((await second.ExchangeAsync(Host, "/")).Status, Is.EqualTo(200));
        RawClient third = await RawClient.ConnectAsync(gateway.Port);
        await third.SendAsync(RawClient.Head(Host, "/"));
        Task<int> answer = third.Socket.ReceiveAsync(new byte[1], System.Net.Sockets.SocketFlags.Peek);
        Assert.That(await answer.StaysOpenAsync(TimeSpan.FromMilliseconds(500)), "a third connection was served beside two");
        return third;
    }
}
