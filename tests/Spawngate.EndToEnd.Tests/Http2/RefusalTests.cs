using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http1;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>
/// Errors are answered as over HTTP/1.1, with the same heads and bodies; what is malformed resets its stream. Either way the connection
/// goes on.
/// </summary>
internal sealed class RefusalTests : Http2Test
{
    private static readonly string Long = new('a', 9000);

    private static IEnumerable<TestCaseData> Errors()
    {
        yield return new TestCaseData(404, "UNKNOWN_HOST", H2Frame.Request("nobody.test", "/")).SetArgDisplayNames("unknown host");
        yield return new TestCaseData(400, "MISSING_HOST_HEADER", H2Frame.Request(Host, "/").Take(3)).SetArgDisplayNames("no host");
        yield return new TestCaseData(414, "URI_TOO_LONG", H2Frame.Request(Host, "/" + Long)).SetArgDisplayNames("long path");
        yield return new TestCaseData(
            431,
            "REQUEST_HEADER_FIELDS_TOO_LARGE",
            H2Frame.Request(Host, "/").Concat(Enumerable.Range(0, 4).Select(i => ($"x-{i}", Long)))
        ).SetArgDisplayNames("large head");
        yield return new TestCaseData(
            431,
            "REQUEST_HEADER_FIELDS_TOO_LARGE",
            H2Frame.Request(Host, "/").Concat(Enumerable.Range(0, 101).Select(i => ($"x-{i}", "")))
        ).SetArgDisplayNames("many fields");
        yield return new TestCaseData(
            501,
            "NOT_IMPLEMENTED",
            new[] { (":method", "CONNECT"), (":authority", "app.test:443") }
        ).SetArgDisplayNames("CONNECT");
        yield return new TestCaseData(502, "CONNECTION_FAILED", H2Frame.Request(Host, "/close?at=before-head", "POST")).SetArgDisplayNames(
            "backend closes before its head"
        );
        yield return new TestCaseData(502, "BAD_BACKEND_RESPONSE", H2Frame.Request(Host, "/wrong?kind=garbage")).SetArgDisplayNames(
            "backend talks garbage"
        );
        yield return new TestCaseData(502, "BAD_BACKEND_RESPONSE", H2Frame.Request(Host, "/wrong?kind=both-framings")).SetArgDisplayNames(
            "two framings"
        );
        yield return new TestCaseData(503, "BACKEND_START_FAILED", H2Frame.Request(BrokenHost, "/")).SetArgDisplayNames(
            "backend cannot start"
        );
        yield return new TestCaseData(504, "REQUEST_TIMEOUT", H2Frame.Request(ImpatientHost, "/slow?headMs=15000")).SetArgDisplayNames(
            "backend is slow"
        );
    }

    [TestCaseSource(nameof(Errors))]
    public async Task An_error_has_the_head_and_body_of_the_contract(
        int status,
        string code,
        IEnumerable<(string Name, string Value)> fields
    )
    {
        using H2Client client = await ConnectAsync();
        RawResponse response = await (await client.BeginAsync(fields)).ResponseAsync();

        Assert.That(
            (response.Status, response.Header("x-proxy-error"), response.Header("content-type")),
            Is.EqualTo((status, code, "application/json"))
        );
        Assert.That(response.Json.EnumerateObject().Select(each => each.Name), Is.EqualTo(new[] { "code", "message", "status" }));
        Assert.That(
            (response.Json.GetProperty("code").GetString(), response.Json.GetProperty("status").GetInt32()),
            Is.EqualTo((code, status))
        );
        Assert.That(response.Header("content-length"), Is.EqualTo($"{response.BodyLength}"));
        await StillServesAsync(client);
    }

    [Test]
    public async Task An_error_for_HEAD_has_no_body()
    {
        using H2Client client = await ConnectAsync();
        RawResponse response = await (await client.BeginAsync(H2Frame.Request("nobody.test", "/", "HEAD"))).ResponseAsync();

        Assert.That((response.Status, response.BodyLength), Is.EqualTo((404, 0L)));
        Assert.That(response.Header("content-length"), Is.Not.EqualTo("0"));
    }

    [Test]
    public async Task A_request_that_comes_back_to_the_gateway_is_refused_with_508()
    {
        using H2Client client = await ConnectAsync();
        string via = (await client.ExchangeAsync(Host, "/echo")).Echoed.Header("Via")!;

        Assert.That((await client.ExchangeAsync(Host, "/echo", ("via", via))).Status, Is.EqualTo(508));
    }

    private static IEnumerable<TestCaseData> Malformed()
    {
        IEnumerable<(string, string)> get = H2Frame.Request("HOST", "/fault");
        yield return Case("transfer-encoding", [.. get, ("transfer-encoding", "chunked")]);
        yield return Case("connection", [.. get, ("connection", "close")]);
        yield return Case("upgrade", [.. get, ("upgrade", "h2c")]);
        yield return Case("keep-alive", [.. get, ("keep-alive", "timeout=5")]);
        yield return Case("http2-settings", [.. get, ("http2-settings", "")]);
        yield return Case("te", [.. get, ("te", "gzip")]);
        yield return Case("CRLF in a value", [.. get, ("x", "y\r\ntransfer-encoding: chunked")]);
        yield return Case("LF in a value", [.. get, ("x", "y\nz: 1")]);
        yield return Case("NUL in a value", [.. get, ("x", "y\0")]);
        yield return Case("a colon in a name", [.. get, ("x: y\r\nz", "1")]);
        yield return Case("upper case", [.. get, ("X-Upper", "1")]);
        yield return Case("a request line in the path", H2Frame.Request("HOST", "/ HTTP/1.1\r\nhost: evil\r\n\r\nGET /evil"));
        yield return Case("a request line in the method", H2Frame.Request("HOST", "/fault", "GET /evil HTTP/1.1\r\nx:"));
        yield return Case("CRLF in the authority", H2Frame.Request("HOST\r\nx: y", "/fault"));
        yield return Case("user information in the authority", H2Frame.Request("user@HOST", "/fault"));
        yield return Case("a Host that disagrees", [.. get, ("host", "other.test")]);
        yield return Case("two paths", [.. get, (":path", "/other")]);
        yield return Case("a late pseudo-field", [.. get.Take(3), ("x", "y"), .. get.Skip(3)]);
        yield return Case("an unknown pseudo-field", [.. get.Take(1), (":evil", "1"), .. get.Skip(1)]);
        yield return Case("no method", get.Skip(1));
        yield return Case("content-length twice", [.. get, ("content-length", "0"), ("content-length", "0")]);
        yield return Case("a length and no body", [.. get, ("content-length", "5")]);
        yield return Case("content_length", [.. get, ("content_length", "5")]);

        static TestCaseData Case(string name, IEnumerable<(string, string)> fields) => new TestCaseData(fields).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Malformed))]
    public async Task What_would_smuggle_is_refused_and_nothing_of_it_reaches_the_backend(IEnumerable<(string Name, string Value)> fields)
    {
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            int asked = 0;
            backend.Answers(
                async (peer, _) =>
                {
                    Interlocked.Increment(ref asked);
                    await peer.SendAsync(FaultyBackend.Ok);
                    return true;
                }
            );
            using H2Client client = await ConnectAsync();
            H2Stream stream = await client.BeginAsync(
                fields.Select(each => (each.Name, each.Value.Replace("HOST", backend.Host, StringComparison.Ordinal)))
            );
            await ResetAsync(stream, H2Error.Protocol);
            RawResponse next = await client.ExchangeAsync(backend.Host, "/fault");

            Assert.That((next.Text, asked), Is.EqualTo(("ok", 1)));
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    [TestCase("5", "hello world", TestName = "More_data_than_its_length_is_refused")]
    [TestCase("50", "hello", TestName = "Less_data_than_its_length_is_refused")]
    public async Task Data_that_disagrees_with_its_length_is_refused(string length, string data)
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.BeginAsync([.. H2Frame.Request(Host, "/upload", "POST"), ("content-length", length)], end: false);
        await client.SendAsync(H2Frame.Data(stream.Id, System.Text.Encoding.ASCII.GetBytes(data), end: true));

        await ResetAsync(stream, H2Error.Protocol);
        await StillServesAsync(client);
    }

    [TestCase(0x20_0000 | 0, H2Error.FrameSize, TestName = "A_frame_that_is_too_long_ends_the_connection_with_FRAME_SIZE_ERROR")]
    public async Task A_frame_that_is_too_long(int length, H2Error code)
    {
        using H2Client client = await ConnectAsync();
        byte[] header = new byte[H2Frame.HeaderBytes];
        H2Frame.WriteHeader(header, length, H2Type.Data, 0, 1);
        await client.SendAsync(header);

        Assert.That((await client.GoAwayAsync()).Code, Is.EqualTo(code));
        await client.EndsAsync();
    }

    [Test]
    public async Task A_connection_error_says_what_was_taken_up_and_ends_the_connection()
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.GetAsync(Host, "/slow?headMs=15000");
        await client.SendAsync(H2Frame.Of(H2Type.Data, 0, 0, 1));

        Assert.That(await client.GoAwayAsync(), Is.EqualTo(new H2GoAway(stream.Id, H2Error.Protocol)));
        await client.EndsAsync();
    }
}
