using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http1;

namespace Spawngate.EndToEnd.Tests.Forwarding;

/// <summary>Backends that call backends through the gateway, and pass on what they got as Via.</summary>
internal sealed class LoopTests : GatewayTest
{
    private readonly List<ScriptedUpstream> _upstreams = [];
    private string _lastVia = "";

    [TearDown]
    public void CloseUpstreams() => _upstreams.ForEach(each => each.Dispose());

    [TestCase("a", 200)]
    [TestCase("a,b", 200)]
    [TestCase("a,b,c", 200)]
    [TestCase("a,a", 508)]
    [TestCase("a,b,a", 508)]
    [TestCase("a,b,b", 508)]
    [TestCase("a,b,c,b", 508)]
    public async Task Only_the_same_backend_twice_in_a_chain_is_a_loop(string chain, int status)
    {
        GatewayProcess gateway = await ChainGatewayAsync(["a", "b", "c"]);

        RawResponse response = await CallAsync(gateway.Port, chain, "");

        Assert.That(
            (response.Status, response.Header("X-Proxy-Error")),
            Is.EqualTo((status, status == 508 ? "LOOP_DETECTED" : null)),
            response.Text
        );
        Assert.That(_lastVia, Does.Not.Contain("a.test").And.Not.Contain("b.test"), "it tells nobody who the others are");
    }

    [Test, LongRunning]
    public async Task A_chain_passes_eight_times()
    {
        string[] names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        GatewayProcess gateway = await ChainGatewayAsync(names);

        Assert.That((await CallAsync(gateway.Port, string.Join(',', names[..8]), "")).Status, Is.EqualTo(200));
        Assert.That((await CallAsync(gateway.Port, string.Join(',', names), "")).Status, Is.EqualTo(508));
    }

    [Test]
    public async Task What_other_proxies_say_is_no_loop_and_hides_none()
    {
        GatewayProcess gateway = await ChainGatewayAsync(["a", "b"]);
        const string others = "1.0 fred, 1.1 p.example.com (Apache/1.1), 1.1 spawngate-00000000-00000000, 2.0 spawngate";

        Assert.That((await CallAsync(gateway.Port, "a,b", others)).Status, Is.EqualTo(200));
        Assert.That((await CallAsync(gateway.Port, "a,b,a", others)).Status, Is.EqualTo(508));
    }

    [Test]
    public async Task Two_gateways_that_lead_to_each_other_are_no_loop_until_a_backend_comes_again()
    {
        GatewayProcess inner = await ChainGatewayAsync(["a", "b"]);
        GatewayProcess outer = await ChainGatewayAsync(["x", "y"]);

        Assert.That((await CallAsync(outer.Port, $"x,{inner.Port}:a,{outer.Port}:y,{inner.Port}:b", "")).Status, Is.EqualTo(200));
        Assert.That((await CallAsync(outer.Port, $"x,{inner.Port}:a,{outer.Port}:x", "")).Status, Is.EqualTo(508));
    }

    /// <summary>A request for the first of a chain: names of backends, each perhaps with the port of another gateway before it.</summary>
    private static Task<RawResponse> CallAsync(int port, string chain, string via)
    {
        string[] parts = chain.Split(',', 2);
        string[] first = parts[0].Split(':');
        string headers = (parts.Length > 1 ? $"X-Chain: {parts[1]}\r\n" : "") + (via.Length > 0 ? $"Via: {via}\r\n" : "");
        return RawClient.RequestAsync(first.Length > 1 ? int.Parse(first[0]) : port, $"{first[^1]}.test", "/", headers: headers);
    }

    private async Task<GatewayProcess> ChainGatewayAsync(string[] names)
    {
        var config = new ConfigFile();
        Array.ForEach(names, name => ScriptedUpstream.Configure(config, $"{name}.test"));
        GatewayProcess gateway = await Scene.GatewayAsync(config);
        foreach (string name in names)
        {
            _upstreams.Add(await ScriptedUpstream.StartAsync(gateway, Control, $"{name}.test", socket => ServeAsync(socket, gateway.Port)));
        }

        return gateway;
    }

    private async Task ServeAsync(System.Net.Sockets.Socket socket, int port)
    {
        using var peer = new UpstreamPeer(socket);
        while (await peer.ReadHeadAsync() is { } request)
        {
            string via = _lastVia = string.Join(", ", request.Fields("Via"));
            if (request.Field("X-Chain") is not { } chain)
            {
                await peer.SendAsync(FaultyBackend.Ok);
                continue;
            }

            RawResponse inner = await CallAsync(port, chain, via);
            string error = inner.Header("X-Proxy-Error") is { } code ? $"X-Proxy-Error: {code}\r\n" : "";
            await peer.SendAsync($"HTTP/1.1 {inner.Status} x\r\n{error}Content-Length: {inner.Text.Length}\r\n\r\n{inner.Text}");
        }
    }
}
