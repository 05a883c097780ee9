using System.Text;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http1;
using Spawngate.EndToEnd.Tests.Http2;

namespace Spawngate.EndToEnd.Tests.Forwarding;

/// <summary>A client that is not trusted cannot tell a backend of another origin, by whatever way and spelling its request comes.</summary>
internal sealed class OriginTests : GatewayTest
{
    private const string Scripted = "scripted.test";

    private static readonly string[] Told =
    [
        "Forwarded",
        "X-Real-IP",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Ssl",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Scheme",
        "X-Forwarded-Server",
        "X_Forwarded_For",
        "X_Forwarded_Proto",
        "X_Forwarded_Prefix",
        "x-forwarded_host",
        "X_REAL_IP",
        "x-real_ip",
        "X.Forwarded.Prefix",
    ];

    private static readonly string[] Own = ["X-Forwarded-For: 127.0.0.1", $"X-Forwarded-Host: {Scripted}", "X-Forwarded-Proto: http"];

    private readonly List<string> _heads = [];
    private string _trailers = "";
    private ScriptedUpstream? _upstream;

    [TearDown]
    public void CloseUpstream() => _upstream?.Dispose();

    [Test]
    public async Task Nothing_of_it_arrives_over_HTTP_1_1_and_HTTP_2_and_with_upgrades()
    {
        GatewayProcess gateway = await ScriptedGatewayAsync("trusted_proxies = []");
        string fields = string.Concat(Told.Select(name => $"{name}: evil\r\n"));
        string named = $"Connection: {string.Join(", ", Told)}\r\n";

        await RawClient.RequestAsync(gateway.Port, Scripted, "/", headers: fields);
        await RawClient.RequestAsync(gateway.Port, Scripted, "/", headers: named + fields);
        using (RawClient upgrading = await RawClient.ConnectAsync(gateway.Port))
        {
            await upgrading.SendAsync(RawClient.Head(Scripted, "/", headers: $"Connection: Upgrade\r\nUpgrade: echo\r\n{fields}"));
            await upgrading.ReadResponseAsync();
        }

        using H2Client http2 = await H2Client.ConnectAsync(gateway.Port);
        await http2.ExchangeAsync(Scripted, "/", [.. Told.Select(name => (name.ToLowerInvariant(), "evil"))]);
        H2Stream tunnel = await http2.BeginAsync([
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", Scripted),
            .. Told.Select(name => (name.ToLowerInvariant(), "evil")),
        ]);
        await tunnel.ResponseAsync();

        Assert.That(_heads, Has.Count.EqualTo(5).And.None.Contains("evil"));
        foreach (string head in _heads)
        {
            string[] lines =
            [
                .. head.Split("\r\n")
                    .Where(line =>
                        line.Contains("forwarded", StringComparison.OrdinalIgnoreCase)
                        || line.Contains("real", StringComparison.OrdinalIgnoreCase)
                    ),
            ];
            Assert.That(lines, Is.EqualTo(Own), head);
        }
    }

    [Test]
    public async Task Nothing_of_it_arrives_in_trailers()
    {
        GatewayProcess gateway = await ScriptedGatewayAsync("trusted_proxies = []");
        string trailers = string.Concat(Told.Select(name => $"{name}: evil\r\n"));
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);

        await client.SendAsync(
            RawClient.Head(Scripted, "/", "POST", "Transfer-Encoding: chunked\r\n") + $"0\r\n{trailers}X-Kept: 1\r\n\r\n"
        );
        await client.ReadResponseAsync();
        Assert.That(_trailers, Is.EqualTo("X-Kept: 1\r\n\r\n"));

        using H2Client http2 = await H2Client.ConnectAsync(gateway.Port);
        H2Stream stream = await http2.BeginAsync(H2Frame.Request(Scripted, "/", "POST"), end: false);
        await http2.SendAsync(H2Frame.Headers(stream.Id, [.. Told.Select(name => (name.ToLowerInvariant(), "evil")), ("x-kept", "2")]));
        await stream.ResponseAsync();
        Assert.That(_trailers, Is.EqualTo("x-kept: 2\r\n\r\n"));
    }

    [Test]
    public async Task What_a_trusted_proxy_tells_arrives()
    {
        GatewayProcess gateway = await ScriptedGatewayAsync("trusted_proxies = [\"127.0.0.0/8\"]");

        await RawClient.RequestAsync(
            gateway.Port,
            Scripted,
            "/",
            headers: "Forwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\n"
                + "X_Forwarded_Proto: ftp\r\n"
        );

        Assert.That(
            _heads.Single(),
            Does.Contain("\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\n")
                .And.Not.Contain("ftp")
        );
    }

    private async Task<GatewayProcess> ScriptedGatewayAsync(string server)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(ScriptedUpstream.Configure(new ConfigFile().Server(server), Scripted));
        _upstream = await ScriptedUpstream.StartAsync(gateway, Control, Scripted, async socket =>
        {
            using var peer = new UpstreamPeer(socket);
            while (await peer.ReadHeadAsync() is { } request)
            {
                lock (_heads)
                {
                    _heads.Add(request.Head);
                }

                if (request.IsChunked)
                {
                    _trailers = await TrailersAsync(peer);
                }

                await peer.SendAsync(FaultyBackend.Ok);
            }
        });
        return gateway;
    }

    /// <summary>What follows the last chunk of a body without data.</summary>
    private static async Task<string> TrailersAsync(UpstreamPeer peer)
    {
        var text = new StringBuilder();
        while (!text.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await peer.ReadAsync(1, piece =>
            {
                text.Append((char)piece.Span[0]);
                return Task.CompletedTask;
            })) { }

        return text.ToString()["0\r\n".Length..];
    }
}
