using Spawngate.Protocols.Http2;
using static Spawngate.Protocols.Tests.Http2.ClientBytes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>
/// What a server must do with what a client sends, by section: what is allowed, and what is answered with which error. The list follows the
/// public conformance suites. Each case is read whole, cut in two at every place, and byte by byte.
/// </summary>
[TestFixture]
internal sealed class ConformanceTests
{
    private static IEnumerable<TestCaseData> Cases() =>
        ConformanceCases.All().Select(c => new TestCaseData(c.Bytes, c.Expected).SetName($"{{m}}: {c.Name}"));

    [TestCaseSource(nameof(Cases))]
    public void Case(byte[] bytes, string expected)
    {
        var whole = SessionRun.Of(bytes);
        Assert.That(Outcome(whole), Is.EqualTo(expected), whole.ToString());
        for (int cut = 1; cut < Math.Min(bytes.Length, 400); cut++)
        {
            Assert.That(SessionRun.Of(bytes, cut).ToString(), Is.EqualTo(whole.ToString()), $"cut at {cut}");
        }

        if (bytes.Length < 1000)
        {
            Assert.That(
                SessionRun.Of(bytes, [.. Enumerable.Range(1, bytes.Length - 1)]).ToString(),
                Is.EqualTo(whole.ToString()),
                "byte by byte"
            );
        }
    }

    /// <summary>The error of the connection, else those of streams, else the events.</summary>
    private static string Outcome(SessionRun run)
    {
        var errors = run.Events.Where(line => line.StartsWith("error", StringComparison.Ordinal)).ToList();
        if (errors.Count > 0)
        {
            Assert.That(run.Sent[^1], Does.StartWith("GOAWAY ").And.EndsWith(errors[0]["error ".Length..]), "GOAWAY comes last");
            return errors[0];
        }

        var resets = run.Sent.Where(line => line.StartsWith("RST", StringComparison.Ordinal)).ToList();
        return resets.Count > 0
            ? string.Join(", ", resets)
            : string.Join(
                ", ",
                run.Events.Skip(1).Select(Short).Concat(run.Sent.Where(line => line.StartsWith("PING", StringComparison.Ordinal)))
            );
    }

    private static string Short(string line) =>
        line.StartsWith("request", StringComparison.Ordinal)
            ? string.Join(' ', line.Split(' ').TakeWhile(word => word is "request" or "end" or "tunnel" || char.IsAsciiDigit(word[0])))
            : line;
}

/// <summary>The cases.</summary>
internal static class ConformanceCases
{
    private const string Protocol = "error Protocol";
    private const string FrameSize = "error FrameSize";
    private const string FlowControl = "error FlowControl";
    private const string Compression = "error Compression";
    private const string Closed = "error StreamClosed";

    public sealed record Case(string Name, byte[] Bytes, string Expected);

    public static IEnumerable<Case> All() =>
        [.. Starting(), .. Framing(), .. States(), .. DataAndHeaders(), .. Controls(), .. Windows(), .. Malformed(), .. Hpack()];

    private static Case C(string name, ClientBytes client, string expected) => new(name, client.Bytes, expected);

    private static IEnumerable<Case> Starting() =>
        [
            C("3.4 preface and settings", Start(), ""),
            C("3.4 a wrong preface", new ClientBytes().Raw([.. "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"u8]), Protocol),
            C("3.4 HTTP/1.1 instead of a preface", new ClientBytes().Raw([.. "GET / HTTP/1.1\r\nHost: a\r\n\r\n"u8]), Protocol),
            C("3.4 another frame than SETTINGS first", new ClientBytes().Raw([.. Http2Preface.Bytes]).Ping(), Protocol),
            C("3.4 an acknowledgement first", new ClientBytes().Raw([.. Http2Preface.Bytes]).Frame(FrameType.Settings, 1, 0), Protocol),
            C("3.4 HEADERS first", new ClientBytes().Raw([.. Http2Preface.Bytes]).Request(1), Protocol),
            C("6.5 our settings are acknowledged", Start().Frame(FrameType.Settings, 1, 0).Ping(), "PING ACK 7"),
            C("6.5 acknowledged twice", Start().Frame(FrameType.Settings, 1, 0).Frame(FrameType.Settings, 1, 0), Protocol),
            C("generic: GET", Start().Request(1), "request 1 end"),
            C(
                "generic: HEAD",
                Start().Headers(1, [(":method", "HEAD"), (":scheme", "http"), (":path", "/"), (":authority", "a")]),
                "request 1 end"
            ),
            C("generic: POST with a body", Start().Upload(1).Data(1, "hello", end: true), "request 1, data 1 hello end"),
            C(
                "generic: POST in pieces",
                Start().Upload(1).Data(1, "hel").Data(1, "lo").Data(1, "", end: true),
                "request 1, data 1 hello end"
            ),
            C(
                "generic: POST with trailers",
                Start().Upload(1).Data(1, "hello").Headers(1, [("x-sum", "5")]),
                "request 1, data 1 hello, trailers 1 x-sum: 5|"
            ),
            C(
                "generic: two streams at once",
                Start().Upload(1).Upload(3).Data(3, "b", end: true).Data(1, "a", end: true),
                "request 1, request 3, data 3 b end, data 1 a end"
            ),
            C("generic: PING", Start().Ping(), "PING ACK 7"),
            C("generic: PING acknowledged is not answered", Start().Ping(9, ack: true), "pong 9"),
            C("generic: PRIORITY of an idle stream", Start().Priority(1, 0).Ping(), "PING ACK 7"),
            C("generic: PRIORITY of an open stream", Start().Request(1).Priority(1, 0), "request 1 end"),
            C("generic: WINDOW_UPDATE of connection and stream", Start().Window(0, 1).Upload(1).Window(1, 1), "request 1"),
            C("generic: GOAWAY", Start().Frame(FrameType.GoAway, 0, 0, new byte[8]), "goaway None"),
            C(
                "generic: GOAWAY with debug data",
                Start().Frame(FrameType.GoAway, 0, 0, [0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 3]).Ping(),
                "goaway Internal, PING ACK 7"
            ),
            C("generic: RST_STREAM", Start().Upload(1).Reset(1), "request 1, reset 1 Cancel by peer"),
        ];

    private static IEnumerable<Case> Framing() =>
        [
            C("4.1 a frame of unknown type", Start().Frame((FrameType)0xF0, 0, 0, new byte[8]).Ping(), "PING ACK 7"),
            C("4.1 a frame of unknown type on an idle stream", Start().Frame((FrameType)0xF0, 0xFF, 1, new byte[3]).Ping(), "PING ACK 7"),
            C("4.1 flags without meaning", Start().Frame(FrameType.Ping, 0xFE, 0, 0, 0, 0, 0, 0, 0, 0, 7), "PING ACK 7"),
            C("4.1 the reserved bit", Start().Frame(FrameType.Ping, 0, int.MinValue, 0, 0, 0, 0, 0, 0, 0, 7), "PING ACK 7"),
            C(
                "4.2 DATA of 16,384 bytes",
                Start().Upload(1).Data(1, 16384, end: true).Ping(),
                "request 1, data 1 " + new string('\0', 16384) + " end, PING ACK 7"
            ),
            C("4.2 DATA of 16,385 bytes", Start().Upload(1).Data(1, 16385), FrameSize),
            C("4.2 HEADERS of 16,385 bytes", Start().Frame(FrameType.Headers, 5, 1, new byte[16385]), FrameSize),
            C("4.2 an unknown frame of 16,385 bytes", Start().Frame((FrameType)0xF0, 0, 0, new byte[16385]), FrameSize),
            C("4.3 a block that does not decode", Start().Frame(FrameType.Headers, 5, 1, 0x40), Compression),
            C("4.3 PRIORITY within a block", Start().Frame(FrameType.Headers, 1, 1, 0x82).Priority(1, 0), Protocol),
            C("4.3 HEADERS of another stream within a block", Start().Frame(FrameType.Headers, 1, 1, 0x82).Request(3), Protocol),
            C("4.3 an unknown frame within a block", Start().Frame(FrameType.Headers, 1, 1, 0x82).Frame((FrameType)0xF0, 0, 1), Protocol),
            C("4.3 PING within a block", Start().Frame(FrameType.Headers, 1, 1, 0x82).Ping(), Protocol),
        ];

    private static IEnumerable<Case> States() =>
        [
            C("5.1 idle: DATA", Start().Data(1, "x"), Protocol),
            C("5.1 idle: RST_STREAM", Start().Reset(1), Protocol),
            C("5.1 idle: WINDOW_UPDATE", Start().Window(1, 1), Protocol),
            C("5.1 idle: CONTINUATION", Start().Frame(FrameType.Continuation, 4, 1, 0x82), Protocol),
            C("5.1 half-closed (remote): DATA", Start().Request(1).Data(1, "x"), "RST 1 StreamClosed"),
            C("5.1 half-closed (remote): HEADERS", Start().Request(1).Request(1), "RST 1 StreamClosed"),
            C("5.1 half-closed (remote): CONTINUATION", Start().Request(1).Frame(FrameType.Continuation, 4, 1, 0x82), Protocol),
            C("5.1 half-closed (remote): WINDOW_UPDATE", Start().Request(1).Window(1, 1), "request 1 end"),
            C("5.1 closed by the client: DATA", Start().Upload(1).Reset(1).Data(1, "x"), "RST 1 StreamClosed"),
            C("5.1 closed by the client: HEADERS", Start().Upload(1).Reset(1).Request(1), Closed),
            C("5.1 closed by the client: CONTINUATION", Start().Upload(1).Reset(1).Frame(FrameType.Continuation, 4, 1, 0x82), Protocol),
            C(
                "5.1 closed by the client: RST_STREAM, WINDOW_UPDATE, PRIORITY",
                Start().Upload(1).Reset(1).Reset(1).Window(1, 1).Priority(1, 0).Ping(),
                "request 1, reset 1 Cancel by peer, PING ACK 7"
            ),
            C(
                "5.1 closed by us: DATA, HEADERS",
                Start().Upload(1, ("content-length", "1")).Data(1, "xx").Data(1, "x").Headers(1, [("a", "b")]).Request(3),
                "RST 1 Protocol"
            ),
            C("5.1.1 an even id", Start().Request(2), Protocol),
            C("5.1.1 an id that goes back", Start().Request(5).Request(3), Protocol),
            C("5.1.1 the largest id", Start().Request(int.MaxValue), "request 2147483647 end"),
            C("5.1.1 DATA on an even id", Start().Data(2, "x"), Protocol),
            C("5.1.2 250 streams", Many(250), string.Join(", ", Enumerable.Range(0, 250).Select(i => $"request {(2 * i) + 1} end"))),
            C("5.1.2 251 streams", Many(251), "RST 501 RefusedStream"),
            C(
                "5.3.1 HEADERS that depend on themselves",
                Start().Frame(FrameType.Headers, 0x25, 1, [0, 0, 0, 1, 15, 0x82, 0x86, 0x84, 0x41, 0x01, (byte)'a']),
                "RST 1 Protocol"
            ),
            C("5.3.1 PRIORITY that depends on itself", Start().Upload(1).Priority(1, 1), "RST 1 Protocol"),
            C("5.3.1 PRIORITY of an idle stream that depends on itself", Start().Priority(1, 1), Protocol),
            C(
                "5.4.2 a stream error leaves other streams alone",
                Start().Upload(1).Upload(3).Window(1, 0).Data(3, "x", end: true),
                "RST 1 Protocol"
            ),
            C(
                "5.5 unknown frames and settings",
                Start().Frame((FrameType)0x42, 0, 1).Settings(((SettingId)0xFF, 1)).Ping(),
                "settings, PING ACK 7"
            ),
        ];

    private static ClientBytes Many(int count)
    {
        var client = Start();
        for (int i = 0; i < count; i++)
        {
            client.Request((2 * i) + 1);
        }

        return client;
    }

    private static IEnumerable<Case> DataAndHeaders() =>
        [
            C("6.1 DATA on stream 0", Start().Data(0, "x"), Protocol),
            C("6.1 padded DATA", Start().Upload(1).Frame(FrameType.Data, 9, 1, 2, (byte)'h', (byte)'i', 0, 0), "request 1, data 1 hi end"),
            C("6.1 DATA of padding only", Start().Upload(1).Frame(FrameType.Data, 9, 1, 2, 0, 0), "request 1, data 1  end"),
            C("6.1 padding as long as the payload", Start().Upload(1).Frame(FrameType.Data, 9, 1, 3, 0, 0), Protocol),
            C("6.1 padded without a length", Start().Upload(1).Frame(FrameType.Data, 9, 1), Protocol),
            C("6.2 HEADERS on stream 0", Start().Request(0), Protocol),
            C(
                "6.2 padded HEADERS",
                Start().Frame(FrameType.Headers, 0xD, 1, [2, 0x82, 0x86, 0x84, 0x41, 0x01, (byte)'a', 0, 0]),
                "request 1 end"
            ),
            C(
                "6.2 HEADERS with priority",
                Start().Frame(FrameType.Headers, 0x25, 1, [0, 0, 0, 0, 15, 0x82, 0x86, 0x84, 0x41, 0x01, (byte)'a']),
                "request 1 end"
            ),
            C(
                "6.2 padded HEADERS with priority",
                Start().Frame(FrameType.Headers, 0x2D, 1, [1, 0, 0, 0, 0, 15, 0x82, 0x86, 0x84, 0x41, 0x01, (byte)'a', 0]),
                "request 1 end"
            ),
            C(
                "6.2 padding longer than the payload",
                Start().Frame(FrameType.Headers, 0xD, 1, [7, 0x82, 0x86, 0x84, 0x41, 0x01, (byte)'a']),
                Protocol
            ),
            C(
                "6.2 padding that leaves no room for the priority",
                Start().Frame(FrameType.Headers, 0x2D, 1, [6, 0, 0, 0, 0, 15, 0x82, 0x86, 0x84]),
                Protocol
            ),
            C("6.2 padding that leaves nothing", Start().Frame(FrameType.Headers, 0xD, 1, [3, 0, 0, 0]), "RST 1 Protocol"),
            C("6.2 too short for its flags", Start().Frame(FrameType.Headers, 0x2D, 1, [0, 0, 0, 0, 0]), Protocol),
            C(
                "6.10 a block in pieces",
                Start()
                    .Frame(FrameType.Headers, 1, 1, 0x82, 0x86)
                    .Frame(FrameType.Continuation, 0, 1, 0x84, 0x41)
                    .Frame(FrameType.Continuation, 4, 1, 0x01, (byte)'a'),
                "request 1 end"
            ),
            C(
                "6.10 empty pieces",
                Start()
                    .Frame(FrameType.Headers, 1, 1)
                    .Frame(FrameType.Continuation, 0, 1)
                    .Frame(FrameType.Continuation, 4, 1, 0x82, 0x86, 0x84, 0x41, 0x01, (byte)'a'),
                "request 1 end"
            ),
            C(
                "6.10 padded HEADERS in pieces",
                Start().Frame(FrameType.Headers, 9, 1, [1, 0x82, 0x86, 0]).Frame(FrameType.Continuation, 4, 1, 0x84, 0x41, 0x01, (byte)'a'),
                "request 1 end"
            ),
            C("6.10 without HEADERS", Start().Frame(FrameType.Continuation, 4, 1, 0x82), Protocol),
            C("6.10 on stream 0", Start().Frame(FrameType.Headers, 1, 1, 0x82).Frame(FrameType.Continuation, 4, 0, 0x84), Protocol),
            C("6.10 on another stream", Start().Frame(FrameType.Headers, 1, 1, 0x82).Frame(FrameType.Continuation, 4, 3, 0x84), Protocol),
            C("6.10 behind END_HEADERS", Start().Request(1).Frame(FrameType.Continuation, 4, 1, 0x82), Protocol),
            C(
                "6.10 behind a piece with END_HEADERS",
                Start()
                    .Frame(FrameType.Headers, 1, 1, 0x82, 0x86, 0x84, 0x41, 0x01)
                    .Frame(FrameType.Continuation, 4, 1, (byte)'a')
                    .Frame(FrameType.Continuation, 4, 1),
                Protocol
            ),
            C("6.10 behind DATA", Start().Upload(1).Data(1, "x").Frame(FrameType.Continuation, 4, 1, 0x82), Protocol),
            C("6.10 sixteen pieces", Pieces(16), "request 1 end"),
            C("6.10 seventeen pieces (CVE-2024-27316)", Pieces(17), "error EnhanceYourCalm"),
            C("8.1 trailers without END_STREAM", Start().Upload(1).Headers(1, [("a", "b")], end: false), "RST 1 Protocol"),
            C("8.1 trailers behind trailers", Start().Upload(1).Headers(1, [("a", "b")]).Headers(1, [("a", "b")]), "RST 1 StreamClosed"),
            C(
                "8.1 trailers in pieces",
                Start().Upload(1).Frame(FrameType.Headers, 1, 1, 0x40, 1, (byte)'a').Frame(FrameType.Continuation, 4, 1, 1, (byte)'b'),
                "request 1, trailers 1 a: b|"
            ),
        ];

    private static ClientBytes Pieces(int count)
    {
        var client = Start().Frame(FrameType.Headers, 1, 1, 0x82, 0x86, 0x84, 0x41, 0x01, (byte)'a');
        for (int i = 1; i <= count; i++)
        {
            client.Frame(FrameType.Continuation, i == count ? 4 : 0, 1);
        }

        return client;
    }

    private static IEnumerable<Case> Controls() =>
        [
            C("6.3 PRIORITY on stream 0", Start().Priority(0, 1), Protocol),
            C("6.3 PRIORITY of 4 bytes", Start().Upload(1).Frame(FrameType.Priority, 0, 1, 0, 0, 0, 0), "RST 1 FrameSize"),
            C("6.3 PRIORITY of 6 bytes, idle", Start().Frame(FrameType.Priority, 0, 1, 0, 0, 0, 0, 0, 0), FrameSize),
            C("6.4 RST_STREAM on stream 0", Start().Reset(0), Protocol),
            C("6.4 RST_STREAM of 3 bytes", Start().Upload(1).Frame(FrameType.ResetStream, 0, 1, 0, 0, 0), FrameSize),
            C("6.4 RST_STREAM of 5 bytes", Start().Upload(1).Frame(FrameType.ResetStream, 0, 1, 0, 0, 0, 0, 0), FrameSize),
            C("7 an unknown error code", Start().Upload(1).Reset(1, (ErrorCode)4660), "request 1, reset 1 4660 by peer"),
            C("6.5 SETTINGS on a stream", Start().Frame(FrameType.Settings, 0, 1), Protocol),
            C("6.5 an acknowledgement with a payload", Start().Frame(FrameType.Settings, 1, 0, new byte[6]), FrameSize),
            C("6.5 SETTINGS of 5 bytes", Start().Frame(FrameType.Settings, 0, 0, new byte[5]), FrameSize),
            C("6.5.2 ENABLE_PUSH 2", Start().Settings((SettingId.EnablePush, 2)), Protocol),
            C("6.5.2 ENABLE_PUSH 1", Start().Settings((SettingId.EnablePush, 1)), "settings"),
            C("6.5.2 INITIAL_WINDOW_SIZE 2^31-1", Start().Settings((SettingId.InitialWindowSize, int.MaxValue)), "settings"),
            C("6.5.2 INITIAL_WINDOW_SIZE 2^31", Start().Settings((SettingId.InitialWindowSize, 1u << 31)), FlowControl),
            C("6.5.2 MAX_FRAME_SIZE 16,384", Start().Settings((SettingId.MaxFrameSize, 16384)), "settings"),
            C("6.5.2 MAX_FRAME_SIZE 16,383", Start().Settings((SettingId.MaxFrameSize, 16383)), Protocol),
            C("6.5.2 MAX_FRAME_SIZE 2^24-1", Start().Settings((SettingId.MaxFrameSize, (1 << 24) - 1)), "settings"),
            C("6.5.2 MAX_FRAME_SIZE 2^24", Start().Settings((SettingId.MaxFrameSize, 1 << 24)), Protocol),
            C("6.5.2 an unknown setting", Start().Settings(((SettingId)0xAAAA, uint.MaxValue)), "settings"),
            C(
                "6.5.2 a wrong one behind a right one",
                Start().Settings((SettingId.MaxFrameSize, 16384), (SettingId.EnablePush, 3)),
                Protocol
            ),
            C("RFC 8441 3 ENABLE_CONNECT_PROTOCOL 2", Start().Settings((SettingId.EnableConnectProtocol, 2)), Protocol),
            C("RFC 9218 2.1 NO_RFC7540_PRIORITIES 2", Start().Settings((SettingId.NoRfc7540Priorities, 2)), Protocol),
            C("6.6 PUSH_PROMISE", Start().Frame(FrameType.PushPromise, 4, 1, 0, 0, 0, 2, 0x82), Protocol),
            C("6.7 PING on a stream", Start().Frame(FrameType.Ping, 0, 1, new byte[8]), Protocol),
            C("6.7 PING of 7 bytes", Start().Frame(FrameType.Ping, 0, 0, new byte[7]), FrameSize),
            C("6.7 PING of 9 bytes", Start().Frame(FrameType.Ping, 0, 0, new byte[9]), FrameSize),
            C("6.8 GOAWAY on a stream", Start().Frame(FrameType.GoAway, 0, 1, new byte[8]), Protocol),
            C("6.8 GOAWAY of 7 bytes", Start().Frame(FrameType.GoAway, 0, 0, new byte[7]), FrameSize),
            C(
                "6.8 requests after the client's GOAWAY",
                Start().Frame(FrameType.GoAway, 0, 0, new byte[8]).Request(1),
                "goaway None, request 1 end"
            ),
            C("RFC 9218 7.1 PRIORITY_UPDATE", Start().Upload(1).PriorityUpdate(1, "u=1, i"), "request 1, priority 1 1 True"),
            C("RFC 9218 7.1 PRIORITY_UPDATE without a change", Start().Upload(1).PriorityUpdate(1, "u=3"), "request 1"),
            C(
                "RFC 9218 7.1 PRIORITY_UPDATE of an idle stream",
                Start().PriorityUpdate(1, "u=0").Upload(1).PriorityUpdate(1, "u=0"),
                "request 1"
            ),
            C("RFC 9218 7.1 PRIORITY_UPDATE on a stream", Start().Frame(FrameType.PriorityUpdate, 0, 1, 0, 0, 0, 1), Protocol),
            C("RFC 9218 7.1 PRIORITY_UPDATE of stream 0", Start().PriorityUpdate(0, "u=1"), Protocol),
            C("RFC 9218 7.1 PRIORITY_UPDATE of an even stream", Start().PriorityUpdate(2, "u=1"), Protocol),
            C("RFC 9218 7.1 PRIORITY_UPDATE of 3 bytes", Start().Frame(FrameType.PriorityUpdate, 0, 0, 0, 0, 1), FrameSize),
            C(
                "RFC 9218 7.1 PRIORITY_UPDATE that is too long to be one",
                Start().Upload(1).PriorityUpdate(1, "u=1, " + new string('x', 300)).Ping(),
                "request 1, PING ACK 7"
            ),
        ];

    private static IEnumerable<Case> Windows() =>
        [
            C("6.9 increment 0 on the connection", Start().Window(0, 0), Protocol),
            C("6.9 increment 0 on a stream", Start().Upload(1).Window(1, 0), "RST 1 Protocol"),
            C("6.9 WINDOW_UPDATE of 3 bytes", Start().Frame(FrameType.WindowUpdate, 0, 0, 0, 0, 1), FrameSize),
            C("6.9 WINDOW_UPDATE of 5 bytes", Start().Frame(FrameType.WindowUpdate, 0, 0, 0, 0, 0, 0, 1), FrameSize),
            C("6.9 the reserved bit", Start().Window(0, 0x80000001).Ping(), "PING ACK 7"),
            C("6.9.1 the largest window of the connection", Start().Window(0, int.MaxValue - 65535).Ping(), "PING ACK 7"),
            C("6.9.1 one byte more", Start().Window(0, int.MaxValue - 65534), FlowControl),
            C("6.9.1 the largest window of a stream", Start().Upload(1).Window(1, int.MaxValue - 65535), "request 1"),
            C("6.9.1 one byte more on a stream", Start().Upload(1).Window(1, int.MaxValue - 65534), "RST 1 FlowControl"),
            C("6.9.1 too much in two steps", Start().Upload(1).Window(1, int.MaxValue - 65535).Window(1, 1), "RST 1 FlowControl"),
            C(
                "6.9.2 a setting that makes a window too large",
                Start().Upload(1).Window(1, int.MaxValue - 65535).Settings((SettingId.InitialWindowSize, 65536)),
                FlowControl
            ),
            C(
                "6.9.2 a setting that makes it smaller again",
                Start().Upload(1).Window(1, int.MaxValue - 65535).Settings((SettingId.InitialWindowSize, 65534)),
                "request 1, settings"
            ),
            C(
                "6.9.3 settings shut and open windows",
                Start().Settings((SettingId.InitialWindowSize, 0)).Request(1).Window(1, 1),
                "settings, request 1 end, window 1"
            ),
        ];

    private static IEnumerable<Case> Malformed() =>
        MalformedCases
            .All()
            .Select(c => new Case(
                "8 " + c.Name,
                Start().Headers(1, c.Fields, c.End).Bytes,
                c.Reason is null ? (c.End ? "request 1 end" : "request 1") : "RST 1 Protocol"
            ));

    private static IEnumerable<Case> Hpack() =>
        [
            C("hpack 2.3.3 an index that is too large", Start().Frame(FrameType.Headers, 5, 1, [0x82, 0x86, 0x84, 0xFE]), Compression),
            C(
                "hpack 4.2 a size update at the end",
                Start().Frame(FrameType.Headers, 5, 1, [0x82, 0x86, 0x84, 0x41, 1, (byte)'a', 0x20]),
                Compression
            ),
            C(
                "hpack 5.2 padding of more than 7 bits",
                Start().Frame(FrameType.Headers, 5, 1, [0x82, 0x86, 0x84, 0x41, 0x82, 0x1F, 0xFF]),
                Compression
            ),
            C("hpack 5.2 padding of zeros", Start().Frame(FrameType.Headers, 5, 1, [0x82, 0x86, 0x84, 0x41, 0x81, 0x18]), Compression),
            C(
                "hpack 5.2 the end-of-string code",
                Start().Frame(FrameType.Headers, 5, 1, [0x82, 0x86, 0x84, 0x41, 0x85, 0x1F, 0xFF, 0xFF, 0xFF, 0xFF]),
                Compression
            ),
            C("hpack 6.1 index 0", Start().Frame(FrameType.Headers, 5, 1, [0x82, 0x86, 0x84, 0x80]), Compression),
            C(
                "hpack 6.2 every representation",
                Start()
                    .Frame(
                        FrameType.Headers,
                        5,
                        1,
                        [
                            0x20,
                            0x3F,
                            0x11,
                            0x82,
                            0x86,
                            0x84,
                            0x01,
                            1,
                            (byte)'a',
                            0x00,
                            1,
                            (byte)'x',
                            1,
                            (byte)'y',
                            0x10,
                            1,
                            (byte)'x',
                            1,
                            (byte)'y',
                        ]
                    ),
                "request 1 end"
            ),
            C(
                "hpack 6.3 a size above the setting",
                Start().Frame(FrameType.Headers, 5, 1, [0x3F, 0xE2, 0x1F, 0x82, 0x86, 0x84]),
                Compression
            ),
            C(
                "hpack: trailers are decoded after a stream error",
                Start().Upload(1).Window(1, 0).Headers(1, [("x-new", "1")]).Request(3, ("x-new", "1")).Ping(),
                "RST 1 Protocol"
            ),
            C(
                "hpack: a block for a closed stream that does not decode",
                Start().Upload(1).Window(1, 0).Frame(FrameType.Headers, 5, 1, 0x40),
                Compression
            ),
        ];
}
