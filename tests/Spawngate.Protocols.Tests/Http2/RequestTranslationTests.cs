using FsCheck;
using FsCheck.Fluent;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;
using Spawngate.Protocols.Tests.Http1;
using static Spawngate.Protocols.Tests.Http2.ClientBytes;
using static Spawngate.Protocols.Tests.Http2.HpackCodes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>Requests become HTTP/1.1 heads: the bytes, and the head as the HTTP/1.1 parser would have filled it.</summary>
[TestFixture]
internal sealed class RequestTranslationTests
{
    private static readonly string[] Pieces =
    [
        "a",
        "b",
        "/",
        ":",
        " ",
        "\r\n",
        "\0",
        "\t",
        "\xff",
        "-",
        "_",
        "A",
        "5",
        ",",
        "chunked",
        "content-length",
        "transfer-encoding",
        "host",
        "x",
        ";",
        "=",
        "\n",
        "\r",
        "%",
        "?",
        "#",
        "*",
    ];

    private static readonly string[] TellingNames =
    [
        "content-length",
        "host",
        "cookie",
        "te",
        "transfer-encoding",
        "connection",
        "x",
        "content_length",
        "expect",
        "via",
        ":path",
        ":authority",
        ":method",
        ":scheme",
        ":protocol",
        "upgrade",
        "priority",
    ];

    private static IEnumerable<TestCaseData> Malformed() =>
        MalformedCases.All().Select(c => new TestCaseData(c).SetName($"{{m}}: {c.Name}"));

    [TestCaseSource(nameof(Malformed))]
    public void Malformed_or_not(MalformedCases.Request request)
    {
        // The second one meets the verdict that is kept in the table.
        var client = Start();
        var run = new SessionRun();
        run.Feed(client.Headers(1, request.Fields, request.End)).Feed(client.Headers(3, request.Fields, request.End));
        string[] expected = request.Reason is { } reason ? [$"unopened 1 Protocol {reason}", $"unopened 3 Protocol {reason}"] : [];
        Assert.That(run.Events.Where(line => line.StartsWith("unopened", StringComparison.Ordinal)), Is.EqualTo(expected));
        Assert.That(MalformedReasons.Describe(request.Reason ?? MalformedReason.None), Is.Not.EqualTo("malformed").And.Not.Empty);
        if (request.Reason is null)
        {
            AssertLikeHttp1(run);
        }
    }

    [Test]
    public void The_head_is_written_as_http1_has_it()
    {
        var run = new SessionRun().Feed(
            Start()
                .Headers(
                    1,
                    [
                        (":authority", "app.example.com"),
                        (":path", "/a?b=c"),
                        (":method", "POST"),
                        (":scheme", "http"),
                        ("user-agent", "x y"),
                        ("content-length", "5"),
                        ("accept", "*/*"),
                    ],
                    end: false
                )
        );
        Assert.That(
            Latin(run.HeadBytes),
            Is.EqualTo("POST /a?b=c HTTP/1.1\r\nHost: app.example.com\r\nuser-agent: x y\r\ncontent-length: 5\r\naccept: */*\r\n\r\n")
        );
        Assert.That(run.Head.Framing, Is.EqualTo(new BodyFraming(BodyKind.Length, 5)));
        AssertLikeHttp1(run);
    }

    [TestCase("GET", true, "", BodyKind.None)]
    [TestCase("POST", true, "Content-Length: 0\r\n", BodyKind.None)]
    [TestCase("PUT", true, "Content-Length: 0\r\n", BodyKind.None)]
    [TestCase("POST", false, "Transfer-Encoding: chunked\r\n", BodyKind.Chunked)]
    [TestCase("GET", false, "Transfer-Encoding: chunked\r\n", BodyKind.Chunked)]
    public void The_body_is_framed(string method, bool end, string line, BodyKind kind)
    {
        var run = new SessionRun().Feed(
            Start().Headers(1, [(":method", method), (":scheme", "http"), (":path", "/"), (":authority", "a")], end)
        );
        Assert.That(Latin(run.HeadBytes), Is.EqualTo($"{method} / HTTP/1.1\r\nHost: a\r\n{line}\r\n"));
        Assert.That(run.Head.Framing.Kind, Is.EqualTo(kind));
        AssertLikeHttp1(run);
    }

    [Test]
    public void A_length_of_zero_needs_no_end()
    {
        var run = new SessionRun().Feed(Start().Upload(1, ("content-length", "0")).Data(1, "", end: true));
        Assert.That(run.Head.Framing.Kind, Is.EqualTo(BodyKind.None));
        Assert.That(run.Events[^1], Is.EqualTo("data 1  end"));
        AssertLikeHttp1(run);
    }

    [Test]
    public void Cookie_crumbs_are_joined()
    {
        var run = new SessionRun().Feed(
            Start().Request(1, ("cookie", "a=1"), ("cookie", "b=2"), ("x", "y"), ("cookie", "c=3"), ("cookie", "d=4"), ("z", "w"))
        );
        Assert.That(Latin(run.HeadBytes), Does.EndWith("\r\nx: y\r\ncookie: a=1; b=2; c=3; d=4\r\nz: w\r\n\r\n"));
        AssertLikeHttp1(run);
    }

    [Test]
    public void Crumbs_before_host_move_with_it()
    {
        var run = new SessionRun().Feed(Start().Headers(1, [.. Get[..3], ("cookie", "a=1"), ("host", "h"), ("x", "y"), ("cookie", "b=2")]));
        Assert.That(Latin(run.HeadBytes), Is.EqualTo("GET / HTTP/1.1\r\nhost: h\r\nx: y\r\ncookie: a=1; b=2\r\n\r\n"));
        Assert.That(Latin(run.Head.Host(run.HeadBytes)), Is.EqualTo("h"));
        AssertLikeHttp1(run);
    }

    [Test]
    public void Many_crumbs_between_many_fields()
    {
        var fields = Enumerable
            .Range(0, 60)
            .SelectMany(i => new[] { ("cookie", $"c{i}=v"), ($"x-{i}", "y") })
            .Concat(Enumerable.Range(0, 200).Select(i => ("cookie", $"e{i}=v")))
            .ToArray();
        var run = new SessionRun().Feed(Start().Request(1, fields));
        Assert.That(run.Head.Fields.Count, Is.EqualTo(62), "crumbs are one field, however many");
        Assert.That(
            Latin(run.HeadBytes),
            Does.EndWith(
                "cookie: " + string.Join("; ", fields.Where(field => field.Item1 == "cookie").Select(field => field.Item2)) + "\r\n\r\n"
            )
        );
        AssertLikeHttp1(run);
    }

    [Test]
    public void Without_authority_and_host_it_is_refused_as_over_http1()
    {
        var run = new SessionRun().Feed(
            Start().Headers(1, Get[..3]).Headers(3, [.. Get[..3], (":authority", "")]).Headers(5, [.. Get[..3], ("host", "")])
        );
        Assert.That(run.Events.Skip(1), Is.EqualTo(new[] { "refused 1 MissingHost", "refused 3 MissingHost", "refused 5 MissingHost" }));
        Assert.That(run.Sent, Has.None.StartsWith("RST"));
    }

    [Test]
    public void Connect_is_refused_as_over_http1()
    {
        var run = new SessionRun().Feed(Start().Headers(1, [(":method", "CONNECT"), (":authority", "a:443")], end: false));
        Assert.That(run.Events[^1], Is.EqualTo("refused 1 ConnectMethod"));
    }

    [TestCase("websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")]
    [TestCase("connect-udp", "")]
    public void Extended_connect_becomes_an_upgrade(string protocol, string key)
    {
        var run = new SessionRun();
        run.Session.SetWebSocketKey("AAAAAAAAAAAAAAAAAAAAAA=="u8);
        run.Feed(
            Start()
                .Headers(
                    1,
                    [
                        (":method", "CONNECT"),
                        (":protocol", protocol),
                        (":scheme", "http"),
                        (":path", "/chat"),
                        (":authority", "a"),
                        ("sec-websocket-version", "13"),
                    ],
                    end: false
                )
                .Data(1, "frame")
        );
        Assert.That(run.Events[^2], Does.StartWith("request 1 tunnel GET"));
        Assert.That(run.Events[^1], Is.EqualTo("data 1 frame"));
        Assert.That(
            Latin(run.HeadBytes),
            Is.EqualTo(
                $"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n{key}sec-websocket-version: 13\r\n\r\n"
            )
        );
        Assert.That((run.Head.WantsUpgrade, run.Head.Framing.Kind), Is.EqualTo((true, BodyKind.None)));
        AssertLikeHttp1(run);
    }

    [Test]
    public void A_client_of_a_tunnel_has_no_say_in_the_handshake()
    {
        (string, string)[] connect =
        [
            (":method", "CONNECT"),
            (":protocol", "WebSocket"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "a"),
        ];
        (string, string)[] own =
        [
            ("sec-websocket-key", "BBBBBBBBBBBBBBBBBBBBBB=="),
            ("sec-websocket-key", "C"),
            ("sec_websocket_key", "D"),
            ("sec-websocket_accept", "E"),
            ("sec-websocket-accept", "F"),
        ];
        (string, string)[] theirs = [("sec-websocket-protocol", "p"), ("sec-websocket-extensions", "e"), ("sec-websocket-keys", "k")];
        const string start =
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
        const string rest = "sec-websocket-protocol: p\r\nsec-websocket-extensions: e\r\nsec-websocket-keys: k\r\n";
        var run = new SessionRun();
        var client = Start();
        run.Feed(client.Headers(1, [.. connect, .. own, .. theirs], end: false));
        Assert.That(Latin(run.HeadBytes), Is.EqualTo(start + rest + "Sec-WebSocket-Version: 13\r\n\r\n"));
        AssertLikeHttp1(run);

        run.Feed(client.Headers(3, [.. connect, ("sec-websocket-version", "7"), .. theirs, .. own], end: false));
        Assert.That(Latin(run.HeadBytes), Is.EqualTo(start + "sec-websocket-version: 7\r\n" + rest + "\r\n"));

        run.Feed(client.Request(5, ("sec-websocket-key", "B")));
        Assert.That(Latin(run.HeadBytes), Does.Contain("sec-websocket-key: B\r\n").And.Not.Contain("Version"));
    }

    [TestCase(8192 - 11, "request 1 end")]
    [TestCase(8192 - 10, "refused 1 MethodTooLong")]
    [TestCase(40000, "refused 1 MethodTooLong")]
    public void Long_methods(int length, string expected)
    {
        var run = new SessionRun().Feed(Start().Raw(Long(1, [(":method", new string('M', length)), .. Get[1..]])).Request(3));
        Assert.That(run.Events[1], Does.StartWith(expected));
        Assert.That(run.Events[2], Does.StartWith("request 3"), "the table is in step");
    }

    [TestCase(8192 - 13, "request 1 end")]
    [TestCase(8192 - 12, "refused 1 RequestLineTooLong")]
    [TestCase(40000, "refused 1 RequestLineTooLong")]
    public void Long_paths(int length, string expected)
    {
        var run = new SessionRun().Feed(
            Start().Raw(Long(1, [.. Get[..2], (":path", "/" + new string('p', length - 1)), Get[3]])).Request(3)
        );
        Assert.That(run.Events[1], Does.StartWith(expected));
        Assert.That(run.Events[2], Does.StartWith("request 3"), "the table is in step");
    }

    [Test]
    public void The_head_may_have_exactly_its_limit()
    {
        const int Overhead = 16 + 9 + 3 + 2 + 2; // GET / HTTP/1.1, Host: a, x: and CRLF, the empty line.
        foreach (
            var (length, expected) in new[]
            {
                (32768 - Overhead, "request 1 end"),
                (32768 - Overhead + 1, "refused 1 HeadTooLarge"),
                (60000, "refused 1 HeadTooLarge"),
            }
        )
        {
            var run = new SessionRun().Feed(Start().Raw(Long(1, [.. Get, ("x", new string('v', length))])).Request(3));
            Assert.That(run.Events[1], Does.StartWith(expected), $"{length}");
            Assert.That(run.Events[2], Does.StartWith("request 3"), "the table is in step");
        }
    }

    [Test]
    public void There_may_be_exactly_so_many_fields()
    {
        foreach (var (count, expected) in new[] { (99, "request 1 end"), (100, "refused 1 TooManyFields") })
        {
            var run = new SessionRun().Feed(Start().Request(1, [.. Enumerable.Range(0, count).Select(i => ($"x-{i}", "v"))]));
            Assert.That(run.Events[1], Does.StartWith(expected), "Host is one of 100");
        }
    }

    [Test]
    public void What_is_too_large_may_still_be_malformed()
    {
        var run = new SessionRun().Feed(Start().Raw(Long(1, [.. Get, ("x", new string('v', 33000)), ("X", "y")])));
        Assert.That(run.Events[1], Is.EqualTo("unopened 1 Protocol BadName"));
    }

    /// <summary>One wire byte for a field of 3,000: a bomb of 24 MiB that must cost neither memory nor time (CVE-2016-6581).</summary>
    [Test]
    public void A_bomb_of_indexed_fields_is_refused_and_costs_nothing()
    {
        var run = new SessionRun();
        var client = Start();
        byte[] first = [0x82, 0x86, 0x84, 0x41, 1, (byte)'a', 0x40, 1, (byte)'x', 0x7F, 0xB9, 0x16, .. Enumerable.Repeat((byte)'v', 3000)];
        run.Feed(client.Frame(FrameType.Headers, 5, 1, first));
        byte[] bomb = [0x82, 0x86, 0x84, 0x41, 1, (byte)'a', .. Enumerable.Repeat((byte)0xBF, 8000)];
        bomb[6] = 0xBF;
        run.Feed(client.Frame(FrameType.Headers, 5, 3, bomb)); // :authority is now the newest entry, the large one is behind it.
        byte[] again = client.Frame(FrameType.Headers, 5, 5, bomb).Take();
        run.Slots.Keys.ToList().ForEach(run.Release);
        long before = GC.GetAllocatedBytesForCurrentThread();
        run.Session.Read(again, run.Head, 0, out _, out _);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1000));
        Assert.That(run.Events[2], Is.EqualTo("refused 3 HeadTooLarge"));
    }

    [Test]
    public void A_large_head_is_not_kept()
    {
        var run = new SessionRun();
        run.Feed(Start().Raw(Long(1, [.. Get, ("x", new string('v', 30000))])));
        Assert.That(run.HeadBytes, Has.Length.GreaterThan(30000));
        Assert.That(run.Session.HeadBytes.Length, Is.Zero, "the read that found no more has given it back");
        run.Feed(new ClientBytes().Request(3));
        Assert.That(run.Session.HeadBytes.Length, Is.Positive, "a small one stays where it is");
    }

    [Test]
    public void A_block_that_is_too_long_ends_the_connection()
    {
        var client = Start().Frame(FrameType.Headers, 1, 1, 0x82);
        for (int i = 0; i < 5; i++)
        {
            client.Frame(FrameType.Continuation, 0, 1, new byte[13200]);
        }

        Assert.That(new SessionRun().Feed(client).Events[^1], Is.EqualTo("error EnhanceYourCalm"));
    }

    [Test]
    public void Trailers_lose_what_must_not_stand_there_and_have_a_limit()
    {
        var run = new SessionRun().Feed(
            Start().Upload(1).Headers(1, [("x-a", "b"), ("content-length", "5"), ("host", "evil"), ("authorization", "x"), ("x-c", "d")])
        );
        Assert.That(run.Events[^1], Is.EqualTo("trailers 1 x-a: b|x-c: d|"));
        run = new SessionRun().Feed(Start().Upload(1).Headers(1, [("x", new string('v', 8192 - 5))]));
        Assert.That(run.Events[^1], Does.StartWith("trailers 1 x: v"));
        run = new SessionRun().Feed(Start().Upload(1).Headers(1, [("x", new string('v', 8192 - 4))]));
        Assert.That(run.Sent[^1], Is.EqualTo("RST 1 EnhanceYourCalm"));
        run = new SessionRun().Feed(Start().Upload(1).Headers(1, [(":path", "/")]));
        Assert.That(run.Events[^1], Is.EqualTo("reset 1 Protocol PseudoInTrailers"));
        run = new SessionRun().Feed(Start().Upload(1).Headers(1, [("connection", "close")]));
        Assert.That(run.Events[^1], Is.EqualTo("reset 1 Protocol ConnectionSpecific"));
    }

    [TestCase("5", "hello", "data 1 hello end")]
    [TestCase("5", "hell", "reset 1 Protocol LengthMismatch")]
    [TestCase("5", "hello!", "reset 1 Protocol LengthMismatch")]
    [TestCase("0", "h", "reset 1 Protocol LengthMismatch")]
    public void The_length_must_be_that_of_the_data(string length, string data, string expected)
    {
        Assert.That(
            new SessionRun().Feed(Start().Upload(1, ("content-length", length)).Data(1, data, end: true)).Events[^1],
            Is.EqualTo(expected)
        );
        Assert.That(
            new SessionRun().Feed(Start().Upload(1, ("content-length", length)).Data(1, data[..1]).Data(1, data[1..], end: true)).Events[
                ^1
            ],
            expected.StartsWith("reset", StringComparison.Ordinal) ? Is.EqualTo(expected) : Does.StartWith(expected)
        );
    }

    [Test]
    public void Trailers_do_not_make_up_for_missing_data()
    {
        Assert.That(
            new SessionRun().Feed(Start().Upload(1, ("content-length", "5")).Data(1, "hell").Headers(1, [("a", "b")])).Events[^1],
            Is.EqualTo("reset 1 Protocol LengthMismatch")
        );
    }

    /// <summary>
    /// Whatever fields come: what is accepted reads the same through the HTTP/1.1 parser. That is the proof against smuggling through the
    /// downgrade.
    /// </summary>
    [Test]
    public void What_is_accepted_reads_the_same_over_http1()
    {
        int accepted = 0;
        Prop.ForAll(AnyFields().ToArbitrary(), request =>
            {
                var run = new SessionRun().Feed(Start().Headers(1, request.Fields, request.End));
                if (run.Events[^1].StartsWith("request", StringComparison.Ordinal))
                {
                    accepted++;
                    AssertLikeHttp1(run);
                }
            })
            .Check(Config.QuickThrowOnFailure.WithMaxTest(3000));
        Assert.That(accepted, Is.GreaterThan(20));
    }

    /// <summary>Fields of requests: pieces of text that mean something in HTTP/1.1, under names that do, too.</summary>
    private static Gen<((string, string)[] Fields, bool End)> AnyFields()
    {
        var text = Gen.ListOf(Gen.Elements(Pieces)).Select(pieces => string.Concat(pieces.Take(4)));
        var name = Gen.OneOf(text, Gen.Elements(TellingNames));
        var field =
            from n in name
            from v in Gen.OneOf(text, Gen.Elements("5", "0", "a", "trailers", "chunked", "websocket", "CONNECT", "/", "u=1"))
            select (n, v);
        return from method in Gen.Elements("GET", "POST", "OPTIONS", "CONNECT")
            from path in Gen.OneOf(Gen.Constant("/"), text)
            from authority in Gen.OneOf(Gen.Constant("a"), text)
            from fields in Gen.ListOf(field)
            from end in Gen.Elements(true, false)
            select (
                Fields: ((string, string)[])
                    [(":method", method), (":scheme", "http"), (":path", path), (":authority", authority), .. fields],
                End: end
            );
    }

    private static void AssertLikeHttp1(SessionRun run)
    {
        var parsed = new RequestHead();
        parsed.Reset();
        var status = RequestHeadParser.Parse(parsed, run.HeadBytes, SessionRun.Limits);
        Assert.That(
            HeadParsing.Describe(HeadStatus.Complete, run.Head, run.HeadBytes),
            Is.EqualTo(HeadParsing.Describe(status, parsed, run.HeadBytes))
        );
        Assert.That(
            (run.Head.Fields.ContentLength, run.Head.Fields.IsChunked, run.Head.Fields.HostIndex, run.Head.WantsUpgrade),
            Is.EqualTo((parsed.Fields.ContentLength, parsed.Fields.IsChunked, parsed.Fields.HostIndex, parsed.WantsUpgrade))
        );
        Assert.That(run.Head.Length, Is.EqualTo(run.HeadBytes.Length));
    }

    /// <summary>A block of more than a frame, its fields as plain literals.</summary>
    private static byte[] Long(int id, (string Name, string Value)[] fields)
    {
        var block = new List<byte>();
        foreach (var (name, value) in fields)
        {
            byte[] prefix = new byte[6];
            block.Add(0);
            block.AddRange(prefix[..Protocols.Http2.Hpack.HpackInteger.Write(prefix, 0, 7, name.Length)]);
            block.AddRange(Latin(name));
            block.AddRange(prefix[..Protocols.Http2.Hpack.HpackInteger.Write(prefix, 0, 7, value.Length)]);
            block.AddRange(Latin(value));
        }

        var client = new ClientBytes();
        for (int at = 0; at < block.Count; at += CodecLimits.FrameBytes)
        {
            byte[] piece = [.. block.Skip(at).Take(CodecLimits.FrameBytes)];
            client.Frame(
                at == 0 ? FrameType.Headers : FrameType.Continuation,
                (at == 0 ? 1 : 0) | (at + piece.Length == block.Count ? 4 : 0),
                id,
                piece
            );
        }

        return client.Bytes;
    }
}
