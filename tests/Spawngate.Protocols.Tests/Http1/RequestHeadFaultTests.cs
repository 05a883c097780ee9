using Spawngate.Protocols.Http1;
using static Spawngate.Protocols.Tests.Http1.HeadParsing;

namespace Spawngate.Protocols.Tests.Http1;

/// <summary>Request heads that are refused: each rule, whole and cut at every place, and both sides of each limit.</summary>
internal sealed class RequestHeadFaultTests
{
    private static readonly string[] BadContentLengths =
    [
        "",
        "+5",
        "-5",
        "5,5",
        "5, 5",
        "5 5",
        "0x5",
        "5.0",
        "5;",
        "'5'",
        "five",
        "99999999999999999999",
        "9223372036854775808",
        "00000000000000000005",
        "\xb2",
    ];

    private static readonly string[] BadTransferEncodings =
    [
        "",
        ",",
        "chunked, chunked",
        "chunked, gzip",
        "chunked,identity",
        "\"chunked\"",
        "chun ked",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity",
        "chunked\r\nTransfer-Encoding:",
    ];

    private static readonly string[] UnknownTransferCodings =
    [
        "xchunked",
        "chunkedx",
        "chunked;q=1",
        "gzip, chunked",
        "identity",
        "gzip",
        "identity\r\nTransfer-Encoding: chunked",
        "x-chunked",
    ];

    private static IEnumerable<TestCaseData> Lines()
    {
        yield return Case(HeadFault.BareLf, "GET / HTTP/1.1\nHost: a\r\n\r\n");
        yield return Case(HeadFault.BareLf, "GET / HTTP/1.1\r\nHost: a\n\r\n");
        yield return Case(HeadFault.BareLf, "GET / HTTP/1.1\r\nHost: a\r\n\n");
        yield return Case(HeadFault.BareLf, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.BareLf, "GET / HTTP/1.1\r\n\nHost: a\r\n\r\n");
        yield return Case(HeadFault.ControlCharacter, "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.ControlCharacter, "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n");
        yield return Case(HeadFault.ControlCharacter, "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n");
        yield return Case(HeadFault.ControlCharacter, "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n");
        yield return Case(HeadFault.ControlCharacter, "GET / HTTP/1.1\r\nHost: a\r\nX: b\x7f\r\n\r\n");
        yield return Case(HeadFault.ControlCharacter, "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.ControlCharacter, "G\rET / HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.ControlCharacter, "\r\rGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.LineFolding, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n");
        yield return Case(HeadFault.LineFolding, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc: d\r\n\r\n");
        yield return Case(HeadFault.LineFolding, "GET / HTTP/1.1\r\n Host: a\r\n\r\n");
        yield return Case(HeadFault.LineFolding, "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n");
        yield return Case(HeadFault.SpaceBeforeColon, "GET / HTTP/1.1\r\nHost : a\r\n\r\n");
        yield return Case(HeadFault.SpaceBeforeColon, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length\t: 5\r\n\r\n");
        yield return Case(HeadFault.BadFieldName, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n");
        yield return Case(HeadFault.BadFieldName, "GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n");
        yield return Case(HeadFault.BadFieldName, "GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n");
        yield return Case(HeadFault.BadFieldName, "GET / HTTP/1.1\r\nHost: a\r\nX(Y: b\r\n\r\n");
        yield return Case(HeadFault.BadFieldName, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\x0b: chunked\r\n\r\n");
        yield return Case(HeadFault.BadFieldName, "GET / HTTP/1.1\r\nHost: a\r\nX\xe9: b\r\n\r\n");
        yield return Case(HeadFault.LookalikeFieldName, "POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\n\r\n");
        yield return Case(HeadFault.LookalikeFieldName, "POST / HTTP/1.1\r\nHost: a\r\ntransfer_encoding: chunked\r\n\r\n");
        yield return Case(HeadFault.BadConnection, "GET / HTTP/1.1\r\nHost: a\r\nConnection: a b\r\n\r\n");
        yield return Case(HeadFault.BadConnection, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close;x\r\n\r\n");
    }

    private static IEnumerable<TestCaseData> RequestLines()
    {
        foreach (
            string line in new[]
            {
                "GET",
                "GET /",
                "GET  / HTTP/1.1 ",
                "GET /HTTP/1.1",
                "GET / HTTP/1",
                "GET / HTTP/11",
                "GET / HTTP/1.1.1",
                "GET / http/1.1",
                "GET / HTTP/1.x",
                "GET / HTTP /1.1",
                "GET  HTTP/1.1",
                "GET / FTP/1.1",
                "GET / HTTP/+.1",
            }
        )
        {
            yield return Case(HeadFault.BadRequestLine, line + "\r\nHost: a\r\n\r\n");
        }

        yield return Case(HeadFault.BadRequestLine, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.BadMethod, "G@T / HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.BadMethod, "GE\tT / HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.BadMethod, "GET,PUT / HTTP/1.1\r\nHost: a\r\n\r\n");
        foreach (
            string target in new[]
            {
                "/a b",
                "/ ",
                "/a#b",
                "/\xe9",
                "*",
                "a",
                "a:80",
                "*x",
                "ftp://a/",
                "http:/a",
                "http:a",
                "://a",
                "http://a b/",
                "/a\tb",
            }
        )
        {
            yield return Case(HeadFault.BadTarget, $"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        }

        foreach (string version in new[] { "HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9" })
        {
            yield return Case(HeadFault.UnsupportedVersion, $"GET / {version}\r\nHost: a\r\n\r\n");
        }

        yield return Case(HeadFault.UnsupportedVersion, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        yield return Case(HeadFault.ConnectMethod, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.ConnectMethod, "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.UserInfo, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.UserInfo, "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.UserInfo, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n");
    }

    private static IEnumerable<TestCaseData> Hosts()
    {
        yield return Case(HeadFault.MissingHost, "GET / HTTP/1.1\r\n\r\n");
        yield return Case(HeadFault.MissingHost, "GET / HTTP/1.1\r\nHost:\r\n\r\n");
        yield return Case(HeadFault.MissingHost, "GET http://a/ HTTP/1.1\r\n\r\n");
        yield return Case(HeadFault.RepeatedHost, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.RepeatedHost, "GET / HTTP/1.0\r\nHost: a\r\nHOST: b\r\n\r\n");
        yield return Case(HeadFault.HostMismatch, "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n");
        yield return Case(HeadFault.HostMismatch, "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Case(HeadFault.HostMismatch, "GET http://a/ HTTP/1.0\r\nHost: b\r\n\r\n");
        foreach (
            string host in new[]
            {
                "a:x",
                "a:-1",
                "a:65536",
                "a:123456",
                "a:1:2",
                "a b",
                "a/b",
                "a\\b",
                "a?b",
                "a#b",
                "a\"b",
                "a<b",
                "b\xfccher",
                ":80",
                "[::1",
                "[]",
                "[:]",
                "[::1]x",
                "[::1]80",
                "[g::]",
                "::1",
                "a]",
                "a[b]",
            }
        )
        {
            yield return Case(HeadFault.BadHost, $"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        }

        foreach (string host in new[] { "", ":80", "a:x", "[::1", "a\\b", "b|c" })
        {
            yield return Case(HeadFault.BadHost, $"GET http://{host}/ HTTP/1.1\r\nHost: a\r\n\r\n");
        }
    }

    private static IEnumerable<TestCaseData> Framings()
    {
        foreach (string value in BadContentLengths)
        {
            yield return Case(HeadFault.BadContentLength, $"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {value}\r\n\r\n");
        }

        yield return Case(HeadFault.RepeatedContentLength, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n");
        yield return Case(HeadFault.RepeatedContentLength, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\ncontent-length: 5\r\n\r\n");
        yield return Case(
            HeadFault.LengthAndTransferEncoding,
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        yield return Case(
            HeadFault.LengthAndTransferEncoding,
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"
        );
        yield return Case(HeadFault.TransferEncodingInHttp10, "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        yield return Case(
            HeadFault.TransferEncodingInHttp10,
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
        );
        foreach (string value in BadTransferEncodings)
        {
            yield return Case(HeadFault.BadTransferEncoding, $"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {value}\r\n\r\n");
        }

        foreach (string value in UnknownTransferCodings)
        {
            yield return Case(HeadFault.UnknownTransferCoding, $"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {value}\r\n\r\n");
        }
    }

    [TestCaseSource(nameof(Lines))]
    [TestCaseSource(nameof(RequestLines))]
    [TestCaseSource(nameof(Hosts))]
    [TestCaseSource(nameof(Framings))]
    public void Is_refused_wherever_it_is_cut(HeadFault fault, string input)
    {
        byte[] bytes = Bytes(input);
        foreach (int[] cut in Cuts(bytes.Length))
        {
            var (status, head) = Request(bytes, null, cut);
            Assert.That((status, head.Fault), Is.EqualTo((HeadStatus.Refused, fault)), $"cut at {string.Join(',', cut)}");
        }
    }

    [Test]
    public void Every_control_character_is_refused_everywhere()
    {
        foreach (int b in Enumerable.Range(0, 0x20).Append(0x7f).Where(b => b is not ('\t' or '\n')))
        {
            foreach (
                string input in new[]
                {
                    $"G{(char)b}T / HTTP/1.1\r\nHost: a\r\n\r\n",
                    $"GET /{(char)b} HTTP/1.1\r\nHost: a\r\n\r\n",
                    $"GET / HTTP/1.1{(char)b}\r\nHost: a\r\n\r\n",
                    $"GET / HTTP/1.1\r\nHost: a{(char)b}\r\n\r\n",
                    $"GET / HTTP/1.1\r\nHost: a\r\nX: {(char)b}\r\n\r\n",
                    $"GET / HTTP/1.1\r\nHost: a\r\nX{(char)b}: b\r\n\r\n",
                }
            )
            {
                Assert.That(Request(Bytes(input)).Status, Is.EqualTo(HeadStatus.Refused), $"0x{b:x2} in {input}");
            }
        }
    }

    [TestCase("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")]
    [TestCase("\x80\x2e\x01\x00\x02")]
    [TestCase("\0")]
    [TestCase(" ")]
    [TestCase("{")]
    [TestCase("\"")]
    public void What_cannot_become_a_request_is_refused_at_its_first_byte(string input)
    {
        var (status, head) = Request(Bytes(input[..1]));
        Assert.That((status, head.Fault), Is.EqualTo((HeadStatus.Refused, HeadFault.BadMethod)));
    }

    [TestCase(8192, HeadFault.None)]
    [TestCase(8193, HeadFault.RequestLineTooLong)]
    [TestCase(20000, HeadFault.RequestLineTooLong)]
    [TestCase(60000, HeadFault.RequestLineTooLong)]
    public void The_request_line_has_a_limit(int length, HeadFault fault)
    {
        string line = "GET /" + new string('x', length - 14) + " HTTP/1.1";
        byte[] bytes = Bytes(line + "\r\nHost: a\r\n\r\n");
        Assert.That(line, Has.Length.EqualTo(length));
        foreach (int cut in new[] { 0, 1, 8191, 8192, 8193, 8194, length + 1, length + 2 })
        {
            Assert.That(Request(bytes, null, cut).Head.Fault, Is.EqualTo(fault), $"cut at {cut}");
        }
    }

    [Test]
    public void An_endless_request_line_is_refused_without_its_end()
    {
        Assert.That(Request(Bytes(new string('x', 8193))).Status, Is.EqualTo(HeadStatus.NeedMore), "a CR may be the last byte");
        Assert.That(Request(Bytes("x /" + new string('x', 8191))).Head.Fault, Is.EqualTo(HeadFault.RequestLineTooLong));
        Assert.That(Request(Bytes(new string('x', 8194))).Head.Fault, Is.EqualTo(HeadFault.MethodTooLong));
        Assert.That(Request(Bytes(new string('x', 8193) + "(")).Head.Fault, Is.EqualTo(HeadFault.BadMethod));
    }

    [TestCase(8192 - 11, 1, HeadFault.None)]
    [TestCase(8192 - 11, 2, HeadFault.RequestLineTooLong)]
    [TestCase(8192 - 10, 1, HeadFault.MethodTooLong)]
    [TestCase(60000, 1, HeadFault.MethodTooLong)]
    [TestCase(60000, 60000, HeadFault.MethodTooLong)]
    public void What_is_too_long_of_a_request_line_is_told(int method, int target, HeadFault fault)
    {
        byte[] bytes = Bytes(new string('M', method) + " /" + new string('x', target - 1) + " HTTP/1.1\r\nHost: a\r\n\r\n");
        foreach (int cut in new[] { 0, 1, 8191, 8192, 8193, 8194, bytes.Length - 13, bytes.Length - 12 })
        {
            Assert.That(Request(bytes, null, cut).Head.Fault, Is.EqualTo(fault), $"cut at {cut}");
        }

        bytes[5] = (byte)'(';
        Assert.That(Request(bytes).Head.Fault, Is.EqualTo(HeadFault.BadMethod));
    }

    [TestCase(1024, HeadFault.None)]
    [TestCase(1025, HeadFault.HeadTooLarge)]
    [TestCase(5000, HeadFault.HeadTooLarge)]
    public void The_head_has_a_limit(int length, HeadFault fault)
    {
        const string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        byte[] bytes = Bytes(start + new string('x', length - start.Length - 4) + "\r\n\r\n");
        var limits = new HeadLimits(512, 1024, 100);
        foreach (int[] cut in new[] { 0, 1, 1020, 1021, 1022, 1023, length - 1 }.Select(c => new[] { c }))
        {
            Assert.That(Request(bytes, limits, cut).Head.Fault, Is.EqualTo(fault), $"cut at {cut[0]}");
        }
    }

    [TestCase(100, HeadFault.None)]
    [TestCase(101, HeadFault.TooManyFields)]
    public void The_number_of_fields_has_a_limit(int fields, HeadFault fault)
    {
        string head = "GET / HTTP/1.1\r\nHost: a\r\n" + string.Concat(Enumerable.Repeat("a:b\r\n", fields - 1)) + "\r\n";
        Assert.That(Request(Bytes(head)).Head.Fault, Is.EqualTo(fault));
    }

    [TestCase(32, HeadFault.None)]
    [TestCase(33, HeadFault.BadConnection)]
    public void The_number_of_connection_options_has_a_limit(int options, HeadFault fault)
    {
        string half = string.Join(',', Enumerable.Repeat("x", 16));
        string rest = string.Join(',', Enumerable.Repeat("y", options - 16));
        Assert.That(
            Request(Bytes($"GET / HTTP/1.1\r\nHost: a\r\nConnection: {half}\r\nConnection: {rest}\r\n\r\n")).Head.Fault,
            Is.EqualTo(fault)
        );
    }

    [Test]
    public void Every_fault_has_a_sentence_fit_for_json()
    {
        foreach (var fault in Enum.GetValues<HeadFault>())
        {
            string text = HeadFaults.Describe(fault);
            Assert.That(text, Does.Match("^[A-Za-z0-9 ,;:.'()/-]+$"), fault.ToString());
            Assert.That(text, Is.Not.EqualTo("malformed"), fault.ToString());
        }
    }

    private static TestCaseData Case(HeadFault fault, string input) =>
        new TestCaseData(fault, input).SetArgDisplayNames(fault.ToString(), Uri.EscapeDataString(input));
}
