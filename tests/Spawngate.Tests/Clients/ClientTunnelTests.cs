using Spawngate.Backends;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Upgrades: the handshake, the splice, half-closes and ends.</summary>
internal sealed class ClientTunnelTests
{
    private const string Upgrade =
        "GET /chat HTTP/1.1\r\nHost: app.example.com\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Key: x\r\n\r\n";
    private const string Switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

    [Test]
    public async Task Bytes_pass_both_ways_with_those_that_came_with_the_heads()
    {
        await using var stage = await ForwardingStage.StartAsync(config => config with { RequestTimeoutSecs = 1 });
        var client = await stage.ConnectAsync();
        await client.SendAsync(Upgrade + "early from client");
        var backend = await stage.AcceptAsync();
        string request = await backend.ReadHeadAsync();
        Assert.That(
            request,
            Does.Contain("Upgrade: websocket\r\n").And.Contain("Connection: Upgrade\r\n").And.Contain("Sec-WebSocket-Key: x\r\n")
        );
        Assert.That(backend.Pending, Is.Empty, "nothing is sent into a tunnel that is not there yet");
        await backend.SendAsync(Switching + "early from backend");
        string response = await client.ReadHeadAsync();
        Assert.That(response, Does.StartWith("HTTP/1.1 101 ").And.Contain("Upgrade: websocket\r\n").And.Contain("Connection: Upgrade\r\n"));
        Assert.That(await client.ReadTextAsync(18), Is.EqualTo("early from backend"));
        Assert.That(await backend.ReadTextAsync(17), Is.EqualTo("early from client"));
        for (int i = 0; i < 50; i++)
        {
            await client.SendAsync("\0ping\r\n\r\n");
            Assert.That(await backend.ReadTextAsync(9), Is.EqualTo("\0ping\r\n\r\n"));
            await backend.SendAsync("\xffpong");
            Assert.That(await client.ReadTextAsync(5), Is.EqualTo("\xffpong"));
            stage.Time.AdvanceMs(10_000);
        }

        Assert.That(stage.InFlight, Is.EqualTo(1), "a tunnel is in use, whatever the timeouts say");
    }

    [Test]
    public async Task A_request_that_is_answered_here_takes_back_no_tunnel_of_another()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await TunnelAsync(stage);
        Assert.That(() => stage.Backend.Traffic.Tunnels, Is.EqualTo(1).After(30_000, 1), "it is one once its answer has been sent");
        client.Dispose();
        await backend.ReadToResetOrEndAsync();
        backend.Dispose();
        await stage.EndedAsync(client);
        Assert.That(stage.Backend.Traffic.Tunnels, Is.Zero);
        var next = await stage.ConnectAsync();
        await next.SendAsync("OPTIONS * HTTP/1.1\r\nHost: app.example.com\r\nMax-Forwards: 0\r\n\r\n");
        Assert.That((await next.ReadAsync()).Status, Is.EqualTo(501));
        next.Dispose();
        await stage.EndedAsync(next);
        Assert.That(stage.Backend.Traffic.Tunnels, Is.Zero);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_half_close_is_passed_on_and_the_other_way_stays_open(bool clientFirst)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await TunnelAsync(stage);
        var (first, second) = clientFirst ? (client, backend) : (backend, client);
        await first.SendAsync("last");
        first.EndSending();
        Assert.That(await second.ReadToEndAsync(), Is.EqualTo("last"));
        stage.Time.AdvanceMs(60_000);
        await second.SendAsync("still here");
        Assert.That(await first.ReadTextAsync(10), Is.EqualTo("still here"));
        Assert.That(stage.InFlight, Is.EqualTo(1));
        second.EndSending();
        Assert.That(await first.ReadToEndAsync(), Is.Empty);
        await stage.EndedAsync(client);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_reset_on_one_side_ends_the_other(bool byClient)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await TunnelAsync(stage);
        (byClient ? client : backend).Reset();
        await (byClient ? backend : client).ReadToResetOrEndAsync();
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task Another_status_is_an_ordinary_response_and_the_next_bytes_a_request()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Upgrade + Upgrade.Replace("/chat", "/two", StringComparison.Ordinal));
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync("HTTP/1.1 426 Upgrade Required\r\nUpgrade: other\r\nContent-Length: 2\r\n\r\nno");
        var response = await client.ReadAsync();
        Assert.That(
            (response.Status, response.Text, response["Upgrade"], response["Connection"]),
            Is.EqualTo((426, "no", "other", "Upgrade"))
        );
        var second = await stage.AcceptAsync();
        Assert.That((await second.ReadAsync()).StartLine, Does.StartWith("GET /two"));
    }

    [TestCase("h2c", "HTTP2-Settings: AAMAAABkAA\r\n", "", TestName = "Settings of no whole number")]
    [TestCase("h2c", "HTTP2-Settings: AAUAAAAA\r\n", "", TestName = "Settings out of range")]
    [TestCase("H2C", "HTTP2-Settings: AAMAAABk\r\nHTTP2-Settings: AAMAAABk\r\n", "", TestName = "Settings twice")]
    [TestCase("h2c", "HTTP2-Settings: AAMAAABk\r\nContent-Length: 2\r\n", "hi", TestName = "With a body")]
    [TestCase("h2c/2", "HTTP2-Settings: AAMAAABk\r\n", "", TestName = "Another protocol")]
    [TestCase("websocket, h2c", "HTTP2-Settings: AAMAAABk\r\n", "", TestName = "Among others")]
    public async Task An_upgrade_to_h2c_that_is_not_taken_up_is_not_passed_on_either(string protocol, string fields, string body)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(
            $"GET / HTTP/1.1\r\nHost: app.example.com\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\n{fields}\r\n{body}"
        );
        var backend = await stage.AcceptAsync();
        var request = await backend.ReadAsync();
        Assert.That(
            (request["Upgrade"], request["HTTP2-Settings"], request["Connection"]),
            Is.EqualTo(((string?)null, (string?)null, (string?)null))
        );
        await backend.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(502));
    }

    [Test]
    public async Task A_body_of_the_upgrade_request_arrives_before_the_tunnel()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Upgrade.Replace("\r\n\r\n", "\r\nContent-Length: 6\r\n\r\nabc", StringComparison.Ordinal));
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        await backend.SendAsync(Switching);
        await client.ReadHeadAsync();
        await client.SendAsync("deftunnel");
        Assert.That(await backend.ReadTextAsync(12), Is.EqualTo("abcdeftunnel"));
        await backend.SendAsync("back");
        Assert.That(await client.ReadTextAsync(4), Is.EqualTo("back"));
    }

    private static async Task<(WireEnd Client, WireEnd Backend)> TunnelAsync(ForwardingStage stage)
    {
        var client = await stage.ConnectAsync();
        await client.SendAsync(Upgrade);
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        await backend.SendAsync(Switching);
        await client.ReadHeadAsync();
        return (client, backend);
    }
}
