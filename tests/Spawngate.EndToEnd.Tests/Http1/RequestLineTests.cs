using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http2;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>Methods longer than any limit, and requests that name no host.</summary>
internal sealed class RequestLineTests : GatewayTest
{
    [Test]
    public async Task A_method_longer_than_any_limit_is_not_implemented_and_a_longer_target_too_long()
    {
        GatewayProcess gateway = await GatewayAsync();
        foreach (
            (string line, int status, string code) in new[]
            {
                (new string('M', 9000) + " / HTTP/1.1", 501, "NOT_IMPLEMENTED"),
                (new string('M', 20000) + " / HTTP/1.1", 501, "NOT_IMPLEMENTED"),
                (new string('M', 9000), 501, "NOT_IMPLEMENTED"),
                (new string('M', 8000) + "( / HTTP/1.1", 400, "BAD_REQUEST"),
                (new string('M', 9000) + "( / HTTP/1.1", 400, "BAD_REQUEST"),
                ("GET /" + new string('x', 9000) + " HTTP/1.1", 414, "URI_TOO_LONG"),
            }
        )
        {
            using RawClient client = await RawClient.ConnectAsync(gateway.Port);
            await client.SendAsync($"{line}\r\nHost: {Host}\r\n\r\n");
            RawResponse response = await client.ReadResponseAsync();
            Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((status, code)), $"{line[..9]} of {line.Length}");
        }

        using H2Client http2 = await H2Client.ConnectAsync(gateway.Port);
        H2Stream stream = await http2.BeginAsync([
            (":method", new string('M', 9000)),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", Host),
        ]);
        Assert.That((await stream.ResponseAsync()).Status, Is.EqualTo(501));
    }

    [TestCase("GET /echo HTTP/1.0\r\n\r\n")]
    [TestCase("GET /echo HTTP/1.0\r\nHost:\r\n\r\n")]
    public async Task Without_Host_an_HTTP_1_0_request_goes_to_the_backend_for_anything(string request)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().TestBackend("*", "--name=any"));
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(request);
        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        Assert.That(response.Echoed.RequestLine, Is.EqualTo("GET /echo HTTP/1.1"));
        Assert.That((response.Echoed.Header("Host"), response.Echoed.Header("X-Forwarded-Host")), Is.EqualTo(("localhost", (string?)null)));

        using RawClient other = await RawClient.ConnectAsync(gateway.Port);
        await other.SendAsync(request.Replace("1.0", "1.1", StringComparison.Ordinal));
        Assert.That((await other.ReadResponseAsync()).Header("X-Proxy-Error"), Is.EqualTo("MISSING_HOST_HEADER"), "HTTP/1.1 must name one");
    }

    [Test]
    public async Task Where_no_backend_is_for_anything_a_host_is_missing()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().TestBackend("*.app.test", "--name=some"));
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync("GET / HTTP/1.0\r\n\r\n");
        RawResponse response = await client.ReadResponseAsync();

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((400, "MISSING_HOST_HEADER")));
    }
}
