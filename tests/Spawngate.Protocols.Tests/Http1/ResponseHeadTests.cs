using Spawngate.Protocols.Http1;
using static Spawngate.Protocols.Tests.Http1.HeadParsing;

namespace Spawngate.Protocols.Tests.Http1;

/// <summary>Response heads, at every place where the network may cut them (RFC 9112 sections 4 and 6.3).</summary>
internal sealed class ResponseHeadTests
{
    private static readonly TestCaseData[] WellFormed =
    [
        Case("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 OK|200 1.1 Length:5 length=38 keep\nContent-Length=5 (ContentLength)"),
        Case("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 OK|200 1.1 None:0 length=38 keep\nContent-Length=0 (ContentLength)"),
        Case("HTTP/1.1 200 OK\r\n\r\n", "200 OK|200 1.1 UntilClose:0 length=19 close"),
        Case("HTTP/1.1 200\r\n\r\n", "200|200 1.1 UntilClose:0 length=16 close"),
        Case("HTTP/1.1 200 \r\n\r\n", "200 |200 1.1 UntilClose:0 length=17 close"),
        Case("HTTP/1.0 404 Not  \tFound \xe9\r\n\r\n", "404 Not  \tFound \xe9|404 1.0 UntilClose:0 length=30 close"),
        Case(
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n",
            "200 OK|200 1.0 Length:1 length=62 keep\nConnection=keep-alive (Connection)\nContent-Length=1 (ContentLength)"
        ),
        Case(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n",
            "200 OK|200 1.1 Length:1 length=57 close\nConnection=close (Connection)\nContent-Length=1 (ContentLength)"
        ),
        Case(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "200 OK|200 1.1 Chunked:0 length=47 keep\nTransfer-Encoding=chunked (TransferEncoding)"
        ),
        Case(
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            "204 No Content|204 1.1 None:0 length=46 keep\nContent-Length=5 (ContentLength)"
        ),
        Case(
            "HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n",
            "304 x|304 1.1 None:0 length=46 keep\nTransfer-Encoding=chunked (TransferEncoding)"
        ),
        Case("HTTP/1.1 100 Continue\r\n\r\n", "100 Continue|100 1.1 None:0 length=25 keep interim"),
        Case("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", "103 Early Hints|103 1.1 None:0 length=40 keep interim\nLink=</x> (None)"),
        Case("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "101 Switching|101 1.1 None:0 length=38 keep\nUpgrade=x (Upgrade)"),
        Case(
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            "200 OK|200 1.1 Length:5 length=41 keep\nContent-Length=5, 5 (ContentLength)"
        ),
        Case(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\ncontent-length: 05\t, 5\r\n\r\n",
            "200 OK|200 1.1 Length:5 length=68 keep\nContent-Length=5 (ContentLength)\nX=y (None)"
        ),
        Case("HTTP/1.7 599 x\r\n\r\n", "599 x|599 1.1 UntilClose:0 length=18 close"),
        Case(
            "HTTP/1.1 999 x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\n",
            "999 x|999 1.1 Length:2 length=67 keep\nSet-Cookie=a (None)\nSet-Cookie=b (None)\nContent-Length=2 (ContentLength)"
        ),
    ];

    private static IEnumerable<TestCaseData> Refused()
    {
        foreach (
            string line in new[]
            {
                "",
                "HTTP/1.1",
                "HTTP/1.1 ",
                "HTTP/1.1 20",
                "HTTP/1.1 2000",
                "HTTP/1.1 099 x",
                "HTTP/1.1 20x OK",
                "HTTP/1.1 +20 OK",
                "HTTP/1.1  200 OK",
                "HTTP/1.1\t200 OK",
                "HTTP/2.0 200 OK",
                "http/1.1 200 OK",
                "HTTP/1.x 200 OK",
                " HTTP/1.1 200 OK",
                "HTTP/1.1 200OK",
                "ICY 200 OK",
                "SSH-2.0-OpenSSH_9.6",
            }
        )
        {
            yield return Case(HeadFault.BadStatusLine, line + "\r\nContent-Length: 0\r\n\r\n");
        }

        yield return Case(HeadFault.ControlCharacter, "HTTP/1.1 200 O\0K\r\n\r\n");
        yield return Case(HeadFault.ControlCharacter, "HTTP/1.1 200 OK\r\r\n\r\n");
        yield return Case(HeadFault.ControlCharacter, "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n");
        yield return Case(HeadFault.BareLf, "HTTP/1.1 200 OK\n\n");
        yield return Case(HeadFault.BareLf, "HTTP/1.1 200 OK\r\nX: a\n\r\n");
        yield return Case(HeadFault.LineFolding, "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n");
        yield return Case(HeadFault.SpaceBeforeColon, "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n");
        yield return Case(HeadFault.BadFieldName, "HTTP/1.1 200 OK\r\n: 5\r\n\r\n");
        foreach (string value in new[] { "5, 6", "5,", ",5", "5 5", "5;5", "5, x", "5, +5", ", ", "5,,5" })
        {
            yield return Case(HeadFault.BadContentLength, $"HTTP/1.1 200 OK\r\nContent-Length: {value}\r\n\r\n");
        }

        yield return Case(HeadFault.BadContentLength, "HTTP/1.1 204 OK\r\nContent-Length: -1\r\n\r\n");
        foreach (string value in new[] { "6", "", "x", "5, 6", "5," })
        {
            yield return Case(HeadFault.RepeatedContentLength, $"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: {value}\r\n\r\n");
        }

        // A record of TLS, an alert and the first of a handshake; SETTINGS and GOAWAY of HTTP/2.
        yield return Case(HeadFault.SpeaksTls, "\x15\x03\x01\0\x02\x02\n\r\n");
        yield return Case(HeadFault.SpeaksTls, "\x16\x03\x03");
        yield return Case(HeadFault.SpeaksHttp2, "\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\n");
        yield return Case(HeadFault.SpeaksHttp2, "\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01");
        yield return Case(HeadFault.BareLf, "\0\0\x06\x04\0\0\0\0\x01\n");
        yield return Case(HeadFault.BadStatusLine, "\x17\x03\x03\r\n");
        yield return Case(
            HeadFault.LengthAndTransferEncoding,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        yield return Case(HeadFault.TransferEncodingInHttp10, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        yield return Case(HeadFault.UnknownTransferCoding, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n");
        yield return Case(HeadFault.BadTransferEncoding, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n");
    }

    [TestCaseSource(nameof(WellFormed))]
    public void Is_read_the_same_wherever_it_is_cut(string input, string expected)
    {
        byte[] bytes = Bytes(input);
        foreach (int[] cut in Cuts(bytes.Length))
        {
            var (status, head) = Response(bytes, false, null, cut);
            Assert.That(Describe(status, head, bytes), Is.EqualTo(expected), $"cut at {string.Join(',', cut)}");
        }
    }

    [TestCaseSource(nameof(Refused))]
    public void Is_refused_wherever_it_is_cut(HeadFault fault, string input)
    {
        byte[] bytes = Bytes(input);
        foreach (int[] cut in Cuts(bytes.Length))
        {
            var (status, head) = Response(bytes, false, null, cut);
            Assert.That((status, head.Fault), Is.EqualTo((HeadStatus.Refused, fault)), $"cut at {string.Join(',', cut)}");
        }
    }

    [TestCase("Content-Length: 5\r\n")]
    [TestCase("Transfer-Encoding: chunked\r\n")]
    [TestCase("")]
    public void The_answer_to_HEAD_has_no_body_and_keeps_the_connection(string field)
    {
        var (status, head) = Response(Bytes($"HTTP/1.1 200 OK\r\n{field}\r\n"), toHead: true);
        Assert.That((status, head.Framing.Kind, head.IsPersistent), Is.EqualTo((HeadStatus.Complete, BodyKind.None, true)));
    }

    [TestCase(0, HeadFault.None)]
    [TestCase(1, HeadFault.HeadTooLarge)]
    public void The_head_has_a_limit(int more, HeadFault fault)
    {
        const string start = "HTTP/1.1 200 OK\r\nX: ";
        byte[] bytes = Bytes(start + new string('x', 1024 - start.Length - 4 + more) + "\r\n\r\n");
        foreach (int cut in new[] { 0, 1022, 1023, bytes.Length - 1 })
        {
            Assert.That(Response(bytes, false, new HeadLimits(1024, 1024, 100), cut).Head.Fault, Is.EqualTo(fault));
        }

        Assert.That(
            Response(Bytes(new string('x', 1024)), false, new HeadLimits(1024, 1024, 100)).Head.Fault,
            Is.EqualTo(HeadFault.HeadTooLarge)
        );
    }

    [TestCase(512, HeadFault.None)]
    [TestCase(513, HeadFault.TooManyFields)]
    public void The_number_of_fields_has_a_limit(int fields, HeadFault fault)
    {
        string head = "HTTP/1.1 204 x\r\n" + string.Concat(Enumerable.Repeat("a:b\r\n", fields)) + "\r\n";
        Assert.That(Response(Bytes(head), false, new HeadLimits(65536, 65536, 512)).Head.Fault, Is.EqualTo(fault));
    }

    private static TestCaseData Case(string input, string expected) =>
        new TestCaseData(input, expected).SetArgDisplayNames(Uri.EscapeDataString(input));

    private static TestCaseData Case(HeadFault fault, string input) =>
        new TestCaseData(fault, input).SetArgDisplayNames(fault.ToString(), Uri.EscapeDataString(input));
}
