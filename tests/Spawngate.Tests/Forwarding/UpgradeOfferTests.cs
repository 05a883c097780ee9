using System.Text;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Telemetry;

namespace Spawngate.Tests;

/// <summary>A 101 is held against what was asked for.</summary>
internal sealed class UpgradeOfferTests
{
    private const string Key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    private const string Accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    private static readonly HeadLimits HeadLimits = new(8192, 65536, 512);

    [TestCase("websocket", "Upgrade: websocket\r\n", null)]
    [TestCase("websocket", "Upgrade: WebSocket\r\n", null)]
    [TestCase("a/1, b", "Upgrade: b\r\n", null)]
    [TestCase("a/1, b", "Upgrade: A\r\n", null)]
    [TestCase("a", "Upgrade: a/2\r\n", null)]
    [TestCase("TLS/1.2", "Upgrade: TLS/1.2, HTTP/1.1\r\n", null)]
    [TestCase("a/1", "Upgrade: a/2\r\n", "a 101 to a protocol that was not asked for")]
    [TestCase("websocket", "Upgrade: other\r\n", "a 101 to a protocol that was not asked for")]
    [TestCase("websocket", "Upgrade: websocket, other\r\n", "a 101 to a protocol that was not asked for")]
    [TestCase("websocket", "Upgrade: websocket\r\nUpgrade: other\r\n", "a 101 to a protocol that was not asked for")]
    [TestCase("websocket", "Upgrade: HTTP/1.1\r\n", "a 101 to a protocol that was not asked for")]
    [TestCase("websocket", "", "a 101 without an Upgrade field")]
    [TestCase("websocket", "Upgrade: ,\r\n", "a 101 without an Upgrade field")]
    public void Nothing_is_switched_to_that_was_not_asked_for(string asked, string fields, string? fault) =>
        Assert.That(FaultOf(asked, "", fields, ReceivedProtocol.Http1), Is.EqualTo(fault));

    [TestCase("Connection: Upgrade\r\nUpgrade: websocket\r\n" + Accept, null)]
    [TestCase("Connection: Upgrade\r\nUpgrade: websocket\r\n", "a 101 without Sec-WebSocket-Accept")]
    [TestCase(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: c3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
        "a 101 with a wrong Sec-WebSocket-Accept"
    )]
    [TestCase("Connection: Upgrade\r\nUpgrade: websocket\r\n" + Accept + Accept, "a 101 with a wrong Sec-WebSocket-Accept")]
    [TestCase("Upgrade: websocket\r\n" + Accept, "a 101 without Connection: Upgrade")]
    [TestCase("Connection: Upgrade\r\nUpgrade: other\r\n" + Accept, "a 101 to a protocol that was not asked for")]
    public void Over_HTTP2_the_handshake_is_checked_for_the_client(string fields, string? fault)
    {
        Assert.That(FaultOf("websocket", Key, fields, ReceivedProtocol.Http2), Is.EqualTo(fault));
        Assert.That(
            FaultOf("websocket", Key, fields, ReceivedProtocol.Http1),
            Is.EqualTo(fields.Contains("other", StringComparison.Ordinal) ? fault : null),
            "its own client checks it"
        );
    }

    [Test]
    public void Without_an_upgrade_there_is_no_101()
    {
        Assert.That(Of("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ReceivedProtocol.Http1), Is.Null);
        Assert.That(Of("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", ReceivedProtocol.Http1), Is.Null);
        Assert.That(UpgradeOffer.FaultOf(null, new ResponseHead(), default), Is.EqualTo("a 101 although no upgrade was asked for"));
    }

    private static string? FaultOf(string asked, string key, string fields, ReceivedProtocol protocol)
    {
        var response = new ResponseHead();
        byte[] head = Encoding.Latin1.GetBytes($"HTTP/1.1 101 Switching\r\n{fields}\r\n");
        Assert.That(ResponseHeadParser.Parse(response, head, false, HeadLimits), Is.EqualTo(HeadStatus.Complete));
        return UpgradeOffer.FaultOf(
            Of($"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {asked}\r\n{key}\r\n", protocol),
            response,
            head
        );
    }

    private static UpgradeOffer? Of(string text, ReceivedProtocol protocol)
    {
        var request = new RequestHead();
        byte[] head = Encoding.Latin1.GetBytes(text);
        Assert.That(RequestHeadParser.Parse(request, head, HeadLimits), Is.EqualTo(HeadStatus.Complete));
        return UpgradeOffer.Of(request, head, protocol);
    }
}
