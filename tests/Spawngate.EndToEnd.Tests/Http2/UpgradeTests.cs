using System.Net.Sockets;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http1;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>The ways into HTTP/2 and, by extended CONNECT, out of it.</summary>
internal sealed class UpgradeTests : Http2Test
{
    private const string Offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";

    [TestCase("GET")]
    [TestCase("HEAD")]
    public async Task A_request_that_offers_h2c_is_answered_as_stream_1(string method)
    {
        using RawClient raw = await RawClient.ConnectAsync(Port);
        await raw.SendAsync(RawClient.Head(Host, "/bytes?n=100000", method, Offer));
        RawResponse switched = await raw.ReadHeadAsync();
        Assert.That((switched.Status, switched.Header("Upgrade"), switched.Header("Connection")), Is.EqualTo((101, "h2c", "Upgrade")));
        (H2Client client, H2Stream first) = await H2Client.AfterUpgradeAsync(raw);
        using (client)
        {
            RawResponse response = await first.ResponseAsync();

            Assert.That((response.Status, response.BodyLength), Is.EqualTo((200, method == "HEAD" ? 0L : 100_000L)));
            await StillServesAsync(client);
        }
    }

    [Test]
    public async Task The_upgraded_request_goes_on_without_the_offer()
    {
        using RawClient raw = await RawClient.ConnectAsync(Port);
        await raw.SendAsync(RawClient.Head(Host, "/echo", "GET", Offer + "X-Kept: 1\r\n"));
        await raw.ReadHeadAsync();
        (H2Client client, H2Stream first) = await H2Client.AfterUpgradeAsync(raw);
        using (client)
        {
            EchoedRequest echoed = (await first.ResponseAsync()).Echoed;

            Assert.That(echoed.Headers.Select(each => each.Name), Has.None.AnyOf("Upgrade", "HTTP2-Settings", "Connection"));
            Assert.That((echoed.Header("X-Kept"), echoed.Header("Host")), Is.EqualTo(("1", Host)));
        }
    }

    [TestCase("Content-Length: 5\r\n", "hello")]
    [TestCase("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")]
    public async Task With_a_body_it_is_answered_over_HTTP_1_1(string framing, string body)
    {
        using RawClient raw = await RawClient.ConnectAsync(Port);
        await raw.SendAsync(RawClient.Head(Host, "/upload", "POST", Offer + framing) + body);
        RawResponse response = await raw.ReadResponseAsync();

        Assert.That((response.Version, response.Status), Is.EqualTo(("HTTP/1.1", 200)));
        Assert.That(response.Text, Does.StartWith("5 2cf24dba"));
    }

    [TestCase(
        "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        TestName = "Settings_that_Connection_does_not_name_are_no_offer"
    )]
    [TestCase(
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: !!\r\n",
        TestName = "Settings_that_cannot_be_read_are_no_offer"
    )]
    [TestCase("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", TestName = "An_offer_without_settings_is_none")]
    [TestCase(
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        TestName = "Upgrade_to_h2_is_no_offer"
    )]
    public async Task What_is_no_offer_is_answered_over_HTTP_1_1(string headers)
    {
        RawResponse response = await RawClient.RequestAsync(Port, Host, "/status?code=200", "GET", headers);

        Assert.That((response.Version, response.Status), Is.EqualTo(("HTTP/1.1", 200)));
    }

    [Test]
    public async Task An_extended_CONNECT_tunnels_to_an_upgrade_of_the_backend()
    {
        using H2Client client = await ConnectAsync();
        using var received = new MemoryStream();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        byte[] expected = [.. "first;"u8, .. TestBackend.Pattern.Take(300_000), .. "bye"u8];
        H2Stream stream = client.Open(take: part =>
        {
            received.Write(part.Span);
            if (received.Length == expected.Length)
            {
                done.TrySetResult();
            }

            return Task.CompletedTask;
        });
        await client.SendAsync(H2Frame.Headers(stream.Id, Connect("echo", "/upgrade?first=first;&farewell=bye"), end: false));
        Assert.That((await stream.HeadAsync()).Status, Is.EqualTo(200));
        Assert.That(await client.SendBodyAsync(stream, TestBackend.Pattern.Take(300_000)));
        await done.Task.InTimeAsync("all that came back");
        await stream.ResponseAsync();

        Assert.That(received.ToArray(), Is.EqualTo(expected));
        await StillServesAsync(client);
    }

    [Test]
    public async Task A_WebSocket_over_HTTP_2_gets_its_messages_back()
    {
        using H2Client client = await ConnectAsync();
        using var received = new MemoryStream();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        H2Stream stream = client.Open(take: part =>
        {
            received.Write(part.Span);
            if (received.Length == 7)
            {
                done.TrySetResult();
            }

            return Task.CompletedTask;
        });
        await client.SendAsync(
            H2Frame.Headers(
                stream.Id,
                [.. Connect("websocket", "/ws"), ("sec-websocket-version", "13"), ("origin", "http://app.test")],
                end: false
            )
        );
        RawResponse head = await stream.HeadAsync();
        Assert.That(
            (head.Status, head.Header("sec-websocket-accept"), head.Header("upgrade"), head.Header("connection")),
            Is.EqualTo((200, (string?)null, (string?)null, (string?)null))
        );
        await client.SendBodyAsync(stream, (byte[])[0x81, 0x85, 0, 0, 0, 0, .. "hello"u8], end: false); // a text frame, masked with zeros
        await done.Task.InTimeAsync("the echo");
        Assert.That(received.ToArray(), Is.EqualTo((byte[])[0x81, 5, .. "hello"u8]));
        await client.SendBodyAsync(stream, (byte[])[0x88, 0x80, 0, 0, 0, 0], end: false); // close
        RawResponse closed = await stream.ResponseAsync();

        Assert.That(closed.BodyLength, Is.EqualTo(9));
        await client.SendAsync(H2Frame.Reset(stream.Id));
        await StillServesAsync(client);
    }

    [Test]
    public async Task Another_status_than_101_is_the_answer_of_the_stream()
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.BeginAsync(Connect("echo", "/upgrade?refuse=1"), end: false);
        RawResponse response = await stream.ResponseAsync();

        Assert.That((response.Status, response.Text), Is.EqualTo((426, "upgrade refused")));
        await StillServesAsync(client);
    }

    [Test]
    public async Task A_tunnel_that_the_client_resets_ends_at_the_backend()
    {
        using H2Client client = await ConnectAsync();
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            backend.Answers(
                async (peer, request) =>
                {
                    Assert.That(
                        (request.Method, request.Field("Upgrade"), request.Field("Connection")),
                        Is.EqualTo(("GET", "my-protocol", "Upgrade"))
                    );
                    await peer.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: my-protocol\r\n\r\n");
                    await peer.EndedAsync();
                    ended.SetResult();
                    return false;
                }
            );
            H2Stream stream = await TunnelAsync(client, backend);
            Assert.That(await ended.Task.StaysOpenAsync(TimeSpan.FromSeconds(0.3)), "nobody ended it yet");
            await client.SendAsync(H2Frame.Reset(stream.Id));

            await ended.Task.InTimeAsync("end of the tunnel at the backend");
            await StillServesAsync(client);
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    /// <summary>RFC 8441 section 5: END_STREAM stands for an end in order, RST_STREAM with CANCEL for a reset.</summary>
    [TestCase("stream")]
    [TestCase("connection")]
    [TestCase("backend")]
    public async Task A_reset_of_one_side_of_a_tunnel_is_a_reset_of_the_other(string side)
    {
        using H2Client client = await ConnectAsync();
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            var resets = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var ended = new TaskCompletionSource<SocketError>(TaskCreationOptions.RunContinuationsAsynchronously);
            backend.Answers(
                async (peer, _) =>
                {
                    await peer.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: my-protocol\r\n\r\n");
                    if (side == "backend")
                    {
                        await resets.Task;
                        peer.Reset();
                        return false;
                    }

                    try
                    {
                        while (await peer.Socket.ReceiveAsync(new byte[100]) > 0) { }

                        ended.SetResult(SocketError.Success);
                    }
                    catch (SocketException e)
                    {
                        ended.SetResult(e.SocketErrorCode);
                    }

                    return false;
                }
            );
            H2Stream stream = await TunnelAsync(client, backend);
            switch (side)
            {
                case "stream":
                    await client.SendAsync(H2Frame.Reset(stream.Id));
                    break;
                case "connection":
                    client.Dispose();
                    break;
                default:
                    resets.SetResult();
                    await ResetAsync(stream, H2Error.Cancel);
                    return;
            }

            Assert.That(await ended.Task.InTimeAsync("end of the tunnel at the backend"), Is.EqualTo(SocketError.ConnectionReset));
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    private static async Task<H2Stream> TunnelAsync(H2Client client, FaultyBackend backend)
    {
        H2Stream stream = await client.BeginAsync([.. Connect("my-protocol", "/fault").Take(4), (":authority", backend.Host)], end: false);
        Assert.That((await stream.HeadAsync()).Status, Is.EqualTo(200));
        return stream;
    }

    private static IEnumerable<(string Name, string Value)> Connect(string protocol, string path) =>
        [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "http"), (":path", path), (":authority", Host)];
}
