using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;
using Spawngate.Protocols.Http2.Hpack;
using Spawngate.Protocols.Tests.Http1;
using static Spawngate.Protocols.Tests.Http2.ClientBytes;
using static Spawngate.Protocols.Tests.Http2.HpackCodes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>Heads, data and trailers that are written on streams.</summary>
[TestFixture]
internal sealed class ResponseTests
{
    [Test]
    public void A_backends_head_loses_what_belongs_to_its_connection()
    {
        var fields = Relay(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
                + "Proxy-Connection: x\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\nTE: x\r\n"
                + "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-UPPER-Case: Value \r\nX-Empty:\r\nDate: today\r\n\r\n"
        );
        Assert.That(
            fields,
            Is.EqualTo(
                new[]
                {
                    (":status", "200"),
                    ("content-type", "text/html"),
                    ("set-cookie", "a=b"),
                    ("set-cookie", "c=d"),
                    ("x-upper-case", "Value"),
                    ("x-empty", ""),
                    ("date", "today"),
                }
            )
        );
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 007\r\n\r\n", "7", TestName = "Its length is the number we understood")]
    [TestCase("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "7", TestName = "304 may say what it would have")]
    [TestCase("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", null, TestName = "204 has no length")]
    [TestCase("HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\nLink: x\r\n\r\n", null, TestName = "1xx has no length")]
    public void Length(string head, string? expected) =>
        Assert.That(
            Relay(head).Where(field => field.Name == "content-length").Select(field => field.Value),
            Is.EqualTo(expected is null ? [] : new[] { expected })
        );

    [Test]
    public void A_tunnel_is_opened_with_200()
    {
        var fields = Relay(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: xyz\r\n"
                + "Sec-WebSocket-Protocol: chat\r\n\r\n",
            tunnel: true
        );
        Assert.That(fields, Is.EqualTo(new[] { (":status", "200"), ("sec-websocket-protocol", "chat") }));
    }

    [Test]
    public void Interim_then_final_then_data_then_trailers()
    {
        var run = new SessionRun().Feed(Start().Request(1));
        Assert.That(run.Respond(1, 103, end: false, ("link", "x")), Is.EqualTo(new[] { (":status", "103"), ("link", "x") }));
        Assert.That(run.Session.Stream(run.Slots[1]).HasResponse, Is.False);
        Assert.That(run.Respond(1, 200, end: false), Is.EqualTo(new[] { (":status", "200") }));
        Assert.That(run.Session.Stream(run.Slots[1]).HasResponse, Is.True);
        run.SendData(1, 5, end: false);
        byte[] target = new byte[256];
        var writer = run.Session.BeginHead(target, run.Slots[1]);
        writer.Trailer("X-Sum:  5 "u8);
        writer.Trailer("Content-Length: 5"u8);
        int length = run.Session.EndHead(run.Slots[1], ref writer, endStream: true);
        Assert.That(Decode(new HpackDecoder(CodecLimits.HpackTableBytes), target[9..length]), Is.EqualTo(new[] { ("x-sum", "5") }));
        Assert.That(FrameHeader.Read(target).Flags, Is.EqualTo(FrameFlags.EndHeaders | FrameFlags.EndStream));
        Assert.That(run.Session.ActiveStreams, Is.Zero);
        Assert.That(() => run.Session.BeginHead(target, run.Slots[1]), Throws.InvalidOperationException);
    }

    [TestCase(16384, 3)]
    [TestCase(20000, 2)]
    [TestCase(40000, 1)]
    public void Long_heads_are_cut_into_frames(int frameSize, int frames)
    {
        var run = new SessionRun().Feed(Start().Settings((SettingId.MaxFrameSize, (uint)frameSize)).Request(1));
        string value = new('\xFF', 35000);
        byte[] target = new byte[Http2Session.HeadBytesNeeded(0, 2, 35006)];
        var writer = run.Session.BeginHead(target, run.Slots[1]);
        writer.Status(200);
        writer.Field("x-long"u8, Latin(value));
        int length = run.Session.EndHead(run.Slots[1], ref writer, endStream: true);
        var block = new List<byte>();
        int count = 0;
        for (int at = 0; at < length; count++)
        {
            var header = FrameHeader.Read(target.AsSpan(at));
            bool last = at + FrameHeader.Size + header.Length == length;
            Assert.That(header.Length, Is.LessThanOrEqualTo(frameSize));
            Assert.That(header.StreamId, Is.EqualTo(1));
            Assert.That(
                (header.Type, header.Flags),
                Is.EqualTo(
                    (
                        count == 0 ? FrameType.Headers : FrameType.Continuation,
                        (count == 0 ? FrameFlags.EndStream : 0) | (last ? FrameFlags.EndHeaders : 0)
                    )
                )
            );
            block.AddRange(target.AsSpan(at + FrameHeader.Size, header.Length));
            at += FrameHeader.Size + header.Length;
        }

        Assert.That(count, Is.EqualTo(frames));
        Assert.That(
            Decode(new HpackDecoder(CodecLimits.HpackTableBytes), [.. block]),
            Is.EqualTo(new[] { (":status", "200"), ("x-long", value) })
        );
    }

    [TestCase(100, "100")]
    [TestCase(200, "200")]
    [TestCase(404, "404")]
    [TestCase(418, "418")]
    [TestCase(503, "503")]
    [TestCase(999, "999")]
    public void Status(int status, string expected) =>
        Assert.That(new SessionRun().Feed(Start().Request(1)).Respond(1, status, end: true)[0], Is.EqualTo((":status", expected)));

    [Test]
    public void A_changed_table_size_is_told_with_the_next_head()
    {
        var client = Start();
        var run = new SessionRun().Feed(client.Request(1).Request(3).Request(5));
        run.Respond(1, 200, true, ("server", "spawngate"));
        run.Feed(client.Settings((SettingId.HeaderTableSize, 0), (SettingId.HeaderTableSize, 100)));
        byte[] target = new byte[100];
        var writer = run.Session.BeginHead(target, run.Slots[3]);
        writer.Status(200);
        int length = run.Session.EndHead(run.Slots[3], ref writer, endStream: true);
        Assert.That(target[9..length], Is.EqualTo(new byte[] { 0x20, 0x3F, 69, 0x88 }));
    }

    [Test]
    public void Numbers_and_names_of_any_length()
    {
        string name = "X-" + new string('N', 1000);
        var run = new SessionRun().Feed(Start().Request(1));
        byte[] target = new byte[Http2Session.HeadBytesNeeded(0, 3, 2000)];
        var writer = run.Session.BeginHead(target, run.Slots[1]);
        writer.Status(200);
        writer.Field("content-length"u8, long.MaxValue);
        writer.FieldOfAnyCase(Latin(name), "v"u8);
        int length = run.Session.EndHead(run.Slots[1], ref writer, endStream: false);
        Assert.That(
            Decode(new HpackDecoder(CodecLimits.HpackTableBytes), target[9..length]),
            Is.EqualTo(new[] { (":status", "200"), ("content-length", "9223372036854775807"), (name.ToLowerInvariant(), "v") })
        );
    }

    [Test]
    public void Leaving_a_stream_says_why()
    {
        var client = Start();
        var run = new SessionRun().Feed(client.Upload(1).Upload(3).Upload(5).Request(7));
        run.Sent.Clear();
        run.Respond(1, 200, end: true);
        run.Release(1);
        run.Release(3);
        run.Session.Reset(run.Slots[5], ErrorCode.Cancel);
        run.Session.Reset(run.Slots[5], ErrorCode.Internal);
        run.Release(5);
        run.Finish(7);
        run.Drain();
        Assert.That(run.Sent, Is.EqualTo(new[] { "RST 1 None", "RST 3 Internal", "RST 5 Cancel" }));
        Assert.That(run.Session.ActiveStreams, Is.Zero);
    }

    [Test]
    public void Leaving_in_two_steps()
    {
        var client = Start();
        var run = new SessionRun().Feed(client.Request(1));
        run.Sent.Clear();
        run.Session.GoAway(final: false);
        run.Feed(client.Request(3));
        Assert.That(run.Sent, Is.EqualTo(new[] { "GOAWAY 2147483647 None" }));
        run.Session.GoAway(final: true);
        run.Feed(client.Request(5, ("x-new", "1")).Data(5, "x").Upload(7).Data(7, "x", end: true));
        Assert.That(run.Sent, Is.EqualTo(new[] { "GOAWAY 2147483647 None", "GOAWAY 3 None" }), "what came too late is ignored");
        Assert.That(run.Session.ActiveStreams, Is.EqualTo(2));
        Assert.That(run.Session.Failure, Is.Null);
        run.Finish(1);
        run.Finish(3);
        run.Session.Fail(ErrorCode.Internal);
        run.Drain();
        Assert.That(run.Sent[^1], Is.EqualTo("GOAWAY 3 Internal"));
        run.Session.Fail(ErrorCode.Protocol);
        Assert.That(run.Session.Failure, Is.EqualTo(ErrorCode.Internal), "the first one counts");
    }

    [Test]
    public void An_upgraded_request_is_stream_1()
    {
        var run = new SessionRun();
        byte[] settings = new byte[64];
        Assert.That(Http2SettingsField.TryDecode("AAMAAABkAAQAoAAAAAIAAAAA"u8, settings, out int length), Is.True);
        int slot = run.Session.AdoptUpgrade(settings.AsSpan(0, length));
        Assert.That(run.Session.Stream(slot), Has.Property("Id").EqualTo(1).And.Property("State").EqualTo(StreamState.HalfClosedRemote));
        Assert.That(run.Session.SendQuota(slot), Is.EqualTo(16384));
        run.Slots[1] = slot;
        var client = Start();
        run.Feed(client.Request(3));
        Assert.That(run.Events[^1], Does.StartWith("request 3"));
        run.Respond(1, 200, end: false);
        run.SendData(1, 16384, end: true);
        run.Release(1);
        run.Feed(client.Request(1));
        Assert.That(run.Events[^1], Is.EqualTo("error StreamClosed"));
        Assert.That(new SessionRun().Session.AdoptUpgrade([0, 2, 0, 0, 0, 9]), Is.EqualTo(-1), "wrong settings");
        Assert.That(new SessionRun().Session.AdoptUpgrade([0, 2, 0]), Is.EqualTo(-1), "not whole");
    }

    [TestCase("", 0)]
    [TestCase("AAMAAABk", 6)]
    [TestCase("AAMAAABkAAQAoAAA", 12)]
    [TestCase("AAT_-__-", 6)]
    [TestCase("AAMAAAB", -1)]
    [TestCase("AAMA", -1)]
    [TestCase("AAMAAAB=", -1)]
    [TestCase("AAMAAA+k", -1)]
    [TestCase("AAMAA Bk", -1)]
    [TestCase("AAMAAABkAAMAAABkA", -1)]
    public void The_settings_of_an_upgrade(string value, int expected)
    {
        byte[] target = new byte[12];
        Assert.That(Http2SettingsField.TryDecode(Latin(value), target, out int length) ? length : -1, Is.EqualTo(expected));
        if (expected > 0)
        {
            string padded = value.Replace('-', '+').Replace('_', '/');
            Assert.That(target[..length], Is.EqualTo(Convert.FromBase64String(padded)));
            Assert.That(Http2SettingsField.TryDecode(Latin(value), target.AsSpan(0, expected - 1), out _), Is.False, "no room");
        }
    }

    [Test]
    public void The_preface_is_told_from_the_first_byte_that_differs()
    {
        byte[] preface = [.. Http2Preface.Bytes];
        for (int length = 0; length < preface.Length; length++)
        {
            Assert.That(Http2Preface.Match(preface[..length]), Is.EqualTo(PrefaceMatch.Partial));
            byte[] other = [.. preface[..length], (byte)(preface[length] ^ 1)];
            Assert.That(Http2Preface.Match(other), Is.EqualTo(PrefaceMatch.No));
        }

        Assert.That(Http2Preface.Match([.. preface, 0]), Is.EqualTo(PrefaceMatch.Complete));
        Assert.That(Http2Preface.Match("GET / HTTP/1.1\r\nHost: a\r\n\r\n"u8), Is.EqualTo(PrefaceMatch.No));
        Assert.That(Http2Preface.Match("PRI * HTTP/1.1\r\n"u8), Is.EqualTo(PrefaceMatch.No));
    }

    [TestCase("", 3, false)]
    [TestCase("u=0", 0, false)]
    [TestCase("u=7, i", 7, true)]
    [TestCase("i,u=2", 2, true)]
    [TestCase("i=?1", 3, true)]
    [TestCase("i, i=?0", 3, false)]
    [TestCase("u=8", 3, false)]
    [TestCase("u=-1", 3, false)]
    [TestCase("u=10", 3, false)]
    [TestCase("u=1, u=5", 5, false)]
    [TestCase("u=1;x=y, i;z", 1, true)]
    [TestCase("x=1, u = 1, ui", 3, false)]
    public void Priorities(string value, int urgency, bool incremental)
    {
        Assert.That(StreamPriority.Parse(Latin(value)), Is.EqualTo(new StreamPriority((byte)urgency, incremental)));
        var run = new SessionRun().Feed(Start().Request(1, ("priority", value)));
        Assert.That(run.Session.Stream(run.Slots[1]).Priority, Is.EqualTo(new StreamPriority((byte)urgency, incremental)));
    }

    /// <summary>RFC 9218 section 7.1: an update before its request overrides the field; a bounded number is kept.</summary>
    [Test]
    public void Priorities_may_come_early()
    {
        var client = Start();
        var run = new SessionRun();
        for (int id = 1; id <= 19; id += 2)
        {
            run.Feed(client.PriorityUpdate(id, "u=6"));
        }

        run.Feed(client.PriorityUpdate(19, "u=1"));
        for (int id = 1; id <= 19; id += 2)
        {
            run.Feed(client.Request(id, ("priority", "u=5")));
        }

        int[] urgencies = [.. Enumerable.Range(0, 10).Select(i => (int)run.Session.Stream(run.Slots[(2 * i) + 1]).Priority.Urgency)];
        Assert.That(urgencies[9], Is.EqualTo(1), "the last word");
        Assert.That(urgencies.Count(urgency => urgency == 6), Is.EqualTo(7));
        Assert.That(urgencies.Count(urgency => urgency == 5), Is.EqualTo(2), "forgotten ones");
    }

    private static List<(string Name, string Value)> Relay(string head, bool tunnel = false)
    {
        byte[] bytes = Latin(head);
        var (status, response) = HeadParsing.Response(bytes);
        Assert.That(status, Is.EqualTo(HeadStatus.Complete).Or.EqualTo(HeadStatus.Refused));
        var client = Start();
        var run = new SessionRun().Feed(
            tunnel
                ? client.Headers(
                    1,
                    [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"), (":authority", "a")],
                    end: false
                )
                : client.Request(1)
        );
        byte[] target = new byte[Http2Session.HeadBytesNeeded(bytes.Length, response.Fields.Count + 1, 0)];
        var writer = run.Session.BeginHead(target, run.Slots[1]);
        writer.Response(response, bytes);
        int length = run.Session.EndHead(run.Slots[1], ref writer, endStream: false);
        return Decode(new HpackDecoder(CodecLimits.HpackTableBytes), target[FrameHeader.Size..length])!;
    }
}
