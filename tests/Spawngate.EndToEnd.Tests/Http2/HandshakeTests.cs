using System.Security.Cryptography;
using System.Text;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http1;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>The handshake of a WebSocket over HTTP/2 is between the gateway and the backend: nobody else can look at it.</summary>
internal sealed class HandshakeTests : Http2Test
{
    private const string Right = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n";
    private FaultyBackend _backend = null!;

    [SetUp]
    public async Task TakeAsync() => _backend = await Http2Gateway.TakeAsync();

    [TearDown]
    public void Give() => Http2Gateway.Give(_backend);

    [Test]
    public async Task The_backend_gets_one_key_and_one_version_whatever_the_client_sends()
    {
        var got = new TaskCompletionSource<UpstreamRequest>(TaskCreationOptions.RunContinuationsAsynchronously);
        Answer(Right, got);
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.BeginAsync(
            [
                .. Fields(),
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("sec_websocket_key", "x"),
                ("sec-websocket-accept", "y"),
                ("sec-websocket-protocol", "chat"),
            ],
            end: false
        );
        RawResponse head = await stream.HeadAsync();
        UpstreamRequest request = await got.Task;

        Assert.That((head.Status, head.Header("sec-websocket-accept")), Is.EqualTo((200, (string?)null)));
        Assert.That(request.Fields("Sec-WebSocket-Key").Single(), Has.Length.EqualTo(24).And.Not.EqualTo("dGhlIHNhbXBsZSBub25jZQ=="));
        Assert.That(request.Head, Does.Not.Contain("sec_websocket").IgnoreCase.And.Not.Contain("accept").IgnoreCase);
        Assert.That((request.Field("Sec-WebSocket-Version"), request.Field("Sec-WebSocket-Protocol")), Is.EqualTo(("13", "chat")));
        await client.SendAsync(H2Frame.Reset(stream.Id));
    }

    [TestCase("Connection: Upgrade\r\nUpgrade: websocket\r\n", "a 101 without Sec-WebSocket-Accept")]
    [TestCase(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
        "a 101 with a wrong Sec-WebSocket-Accept"
    )]
    [TestCase(Right + "Sec-WebSocket-Accept: {accept}\r\n", "a 101 with a wrong Sec-WebSocket-Accept")]
    [TestCase("Connection: Upgrade\r\nUpgrade: other\r\nSec-WebSocket-Accept: {accept}\r\n", "a 101 to a protocol that was not asked for")]
    [TestCase("Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n", "a 101 without an Upgrade field")]
    [TestCase("Upgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n", "a 101 without Connection: Upgrade")]
    public async Task A_101_that_a_client_would_not_take_is_502(string fields, string reason)
    {
        Answer(fields);
        int before = Gateway.Log.Lines.Count;
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.BeginAsync(Fields(), end: false);
        RawResponse response = await stream.ResponseAsync();

        Assert.That((response.Status, response.Header("x-proxy-error")), Is.EqualTo((502, "BAD_BACKEND_RESPONSE")));
        LogLine line = await Gateway.LogsAsync(before, "Request failed", _backend.Host);
        Assert.That(
            (line.Field("hostname"), line.Message[line.Message.IndexOf("Request", StringComparison.Ordinal)..]),
            Is.EqualTo((_backend.Host, $"Request failed: {reason}"))
        );
        await StillServesAsync(client);
    }

    private void Answer(string fields, TaskCompletionSource<UpstreamRequest>? got = null) =>
        _backend.Answers(
            async (peer, request) =>
            {
                string accept = Convert.ToBase64String(
                    SHA1.HashData(
                        Encoding.ASCII.GetBytes(request.Fields("Sec-WebSocket-Key").First() + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
                    )
                );
                got?.TrySetResult(request);
                await peer.SendAsync(
                    $"HTTP/1.1 101 Switching Protocols\r\n{fields.Replace("{accept}", accept, StringComparison.Ordinal)}\r\n"
                );
                await peer.EndedAsync();
                return false;
            }
        );

    private IEnumerable<(string Name, string Value)> Fields() =>
        [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/fault"), (":authority", _backend.Host)];
}
