using System.Text;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http2;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>
/// Answers of backends that break the rules: what can only be meant in one way is passed on in the right form, and what is refused is
/// called by its name.
/// </summary>
internal sealed class BackendAnswerTests : GatewayTest
{
    private const string Scripted = "scripted.test";
    private const int LongBytes = 3 * 1024 * 1024;

    private static readonly (string Answer, string Code, string Reason)[] Refused =
    [
        ("\x15\x03\x01\0\x02\x02\x46", "BAD_BACKEND_RESPONSE", "the backend speaks TLS on this port"),
        (
            "\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01",
            "BAD_BACKEND_RESPONSE",
            "the backend speaks HTTP/2 on this port, not HTTP/1.1"
        ),
        ("HTTP/1.1 200 OK\r\nContent-Le", "BAD_BACKEND_RESPONSE", "the backend closed the connection in the middle of its response head"),
        ("HTTP/1.1 103 Early Hints\r\n\r\n", "BAD_BACKEND_RESPONSE", "the backend closed the connection after an interim response"),
        ("", "CONNECTION_FAILED", "the backend closed the connection without an answer"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            "BAD_BACKEND_RESPONSE",
            "there is more than one Content-Length header"
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello", "BAD_BACKEND_RESPONSE", "Content-Length is not one plain number"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5 5\r\nhello\r\n0\r\n\r\n",
            "BAD_BACKEND_RESPONSE",
            "its chunks are malformed"
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
            "BAD_BACKEND_RESPONSE",
            "a 101 although no upgrade was asked for"
        ),
    ];

    private ScriptedUpstream? _upstream;
    private volatile byte[] _answer = [];

    [TearDown]
    public void CloseUpstream() => _upstream?.Dispose();

    [Test]
    public async Task What_cannot_be_passed_on_is_502_with_host_and_reason_in_the_log()
    {
        GatewayProcess gateway = await ScriptedGatewayAsync();
        using H2Client http2 = await H2Client.ConnectAsync(gateway.Port);
        foreach ((string answer, string code, string reason) in Refused)
        {
            _answer = Encoding.Latin1.GetBytes(answer);
            foreach (bool overHttp2 in new[] { false, true })
            {
                int before = gateway.Log.Lines.Count;
                RawResponse response = overHttp2
                    ? await http2.ExchangeAsync(Scripted, "/")
                    : await RawClient.RequestAsync(gateway.Port, Scripted, "/");
                LogLine line = await gateway.LogsAsync(before, "Request failed");

                Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((502, code)), reason);
                Assert.That(
                    (line.Level, line.Field("hostname"), line.Field("code"), line.Field("request_id")),
                    Is.EqualTo(("WARN", Scripted, code, response.Header("X-Request-ID"))),
                    line.Text
                );
                Assert.That(line.Message, Does.EndWith($"Request failed: {reason}"));
            }
        }
    }

    [Test]
    public async Task A_backend_that_fails_always_does_not_flood_the_log()
    {
        GatewayProcess gateway = await ScriptedGatewayAsync();
        _answer = "\x15\x03\x01\0\x02\x02\x46"u8.ToArray();
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        for (int i = 0; i < 100; i++)
        {
            Assert.That((await client.ExchangeAsync(Scripted, "/")).Status, Is.EqualTo(502));
        }

        // Two periods at most, however slow the machine is up to a failure every 200 ms.
        Assert.That(gateway.Log.Lines.Count(line => line.Says("Request failed")), Is.InRange(20, 60));
    }

    [TestCase("Content-Length: 5, 5\r\n\r\nhello")]
    [TestCase("Content-Length: 5\r\nX: y\r\ncontent-length: 5\r\n\r\nhello")]
    [TestCase("Content-Length: 5, 5\r\nContent-Length: 5,5 , 5\r\n\r\nhello")]
    [TestCase("Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n")]
    [TestCase("Transfer-Encoding: chunked\r\n\r\n  2\t\r\nhe\r\n3 ;a=b\r\nllo\r\n\t0 \r\nX-End: 1\r\n\r\n")]
    public async Task What_can_only_be_meant_in_one_way_is_passed_on_in_the_right_form(string answer)
    {
        GatewayProcess gateway = await ScriptedGatewayAsync();
        _answer = Encoding.Latin1.GetBytes("HTTP/1.1 200 OK\r\n" + answer);

        // The reader takes one length, and sizes without anything around them.
        RawResponse response = await RawClient.RequestAsync(gateway.Port, Scripted, "/");
        Assert.That((response.Status, response.Text), Is.EqualTo((200, "hello")));
        Assert.That(
            response
                .Headers.Where(each => each.Name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
                .Select(each => each.Value),
            Is.EqualTo(answer.StartsWith('C') ? ["5"] : Array.Empty<string>())
        );

        using H2Client http2 = await H2Client.ConnectAsync(gateway.Port);
        RawResponse stream = await http2.ExchangeAsync(Scripted, "/");
        Assert.That((stream.Status, stream.Text), Is.EqualTo((200, "hello")));
        Assert.That(stream.Headers.Count(each => each.Name == "content-length"), Is.EqualTo(answer.StartsWith('C') ? 1 : 0));
    }

    [TestCase(300)]
    [TestCase(70_000)]
    public async Task Long_bodies_in_padded_chunks_arrive_in_plain_ones(int chunkBytes)
    {
        GatewayProcess gateway = await ScriptedGatewayAsync();
        byte[] body = TestBackend.Pattern.Take(LongBytes);
        List<byte> answer = [.. "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"u8];
        for (int at = 0; at < body.Length; at += chunkBytes)
        {
            int size = Math.Min(chunkBytes, body.Length - at);
            answer.AddRange(Encoding.ASCII.GetBytes($"{new string(' ', at % 5)}{size:x}{new string(' ', at % 67)}\r\n"));
            answer.AddRange(body.AsSpan(at, size));
            answer.AddRange("\r\n"u8);
        }

        answer.AddRange("0 \r\n\r\n"u8);
        _answer = answer.ToArray();

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Scripted, "/");
        Assert.That((response.BodyLength, response.Sha256), Is.EqualTo((LongBytes, TestBackend.Pattern.Sha256(LongBytes))));
        using H2Client http2 = await H2Client.ConnectAsync(gateway.Port);
        RawResponse stream = await http2.ExchangeAsync(Scripted, "/");
        Assert.That((stream.BodyLength, stream.Sha256), Is.EqualTo((LongBytes, TestBackend.Pattern.Sha256(LongBytes))));
    }

    [TestCase("websocket", "Upgrade: other\r\n", "a 101 to a protocol that was not asked for")]
    [TestCase("websocket", "Upgrade: websocket, other\r\n", "a 101 to a protocol that was not asked for")]
    [TestCase("websocket", "", "a 101 without an Upgrade field")]
    [TestCase("websocket", "Upgrade: WebSocket\r\n", null)]
    [TestCase("one/1, two", "Upgrade: two\r\n", null)]
    public async Task Over_HTTP_1_1_nothing_is_switched_to_that_was_not_asked_for(string asked, string fields, string? reason)
    {
        GatewayProcess gateway = await ScriptedGatewayAsync();
        _answer = Encoding.Latin1.GetBytes($"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n{fields}\r\nfirst");
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Scripted, "/", headers: $"Connection: Upgrade\r\nUpgrade: {asked}\r\n"));
        RawResponse response = await client.ReadResponseAsync();
        if (reason is null)
        {
            Assert.That(response.Status, Is.EqualTo(101));
            Assert.That(await client.ReadBytesAsync(5), Is.EqualTo("first"u8.ToArray()));
            return;
        }

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((502, "BAD_BACKEND_RESPONSE")));
        LogLine line = await gateway.LogsAsync("Request failed", reason);
        Assert.That(line.Field("hostname"), Is.EqualTo(Scripted));
    }

    private async Task<GatewayProcess> ScriptedGatewayAsync()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(ScriptedUpstream.Configure(new ConfigFile(), Scripted));
        _upstream = await ScriptedUpstream.StartAsync(gateway, Control, Scripted, async socket =>
        {
            using var peer = new UpstreamPeer(socket);
            if (await peer.ReadHeadAsync() is not null)
            {
                await peer.SendAsync(_answer);
                peer.Close();
            }
        });
        return gateway;
    }
}
