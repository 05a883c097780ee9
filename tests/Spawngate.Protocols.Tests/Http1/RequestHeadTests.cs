using Spawngate.Protocols.Http1;
using static Spawngate.Protocols.Tests.Http1.HeadParsing;

namespace Spawngate.Protocols.Tests.Http1;

/// <summary>Request heads that are accepted, at every place where the network may cut them (RFC 9112 sections 2, 3 and 5).</summary>
internal sealed class RequestHeadTests
{
    private static readonly TestCaseData[] WellFormed =
    [
        Case("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / 1.1 Get host=a None:0 length=27 keep\nHost=a (Host)"),
        Case("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / 1.1 Get host=a None:0 length=29 keep\nHost=a (Host)"),
        Case(
            "GET /p?q=1&r=%20 HTTP/1.0\r\nhOsT:\t a:8080 \t\r\n\r\n",
            "GET /p?q=1&r=%20 1.0 Get host=a:8080 None:0 length=46 close\nhOsT=a:8080 (Host)"
        ),
        Case("GET / HTTP/1.9\r\nHost: a\r\n\r\n", "GET / 1.1 Get host=a None:0 length=27 keep\nHost=a (Host)"),
        Case(
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n",
            "GET / 1.0 Get host=a None:0 length=51 keep\nHost=a (Host)\nConnection=Keep-Alive (Connection)"
        ),
        Case(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, ,CLOSE\r\n\r\n",
            "GET / 1.1 Get host=a None:0 length=50 close\nHost=a (Host)\nConnection=x, ,CLOSE (Connection)"
        ),
        Case("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * 1.1 Options host=a None:0 length=31 keep\nHost=a (Host)"),
        Case("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * 1.1 Options host=a None:0 length=38 keep absolute\nHost=a (Host)"),
        Case("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET / 1.1 Get host=a None:0 length=34 keep absolute\nHost=a (Host)"),
        Case("GET HTTP://a:80/x HTTP/1.1\r\nHost: A\r\n\r\n", "GET /x 1.1 Get host=a:80 None:0 length=39 keep absolute\nHost=A (Host)"),
        Case("GET https://a?x HTTP/1.1\r\nHost: a:80\r\n\r\n", "GET /?x 1.1 Get host=a None:0 length=40 keep absolute\nHost=a:80 (Host)"),
        Case("GET / HTTP/1.0\r\n\r\n", "GET / 1.0 Get host= None:0 length=18 close"),
        Case("GET / HTTP/1.0\r\nHost: \r\n\r\n", "GET / 1.0 Get host= None:0 length=26 close\nHost= (Host)"),
        Case("GET http://a/x HTTP/1.0\r\n\r\n", "GET /x 1.0 Get host=a None:0 length=27 close absolute"),
        Case("GET //evil/x HTTP/1.1\r\nHost: a\r\n\r\n", "GET //evil/x 1.1 Get host=a None:0 length=34 keep\nHost=a (Host)"),
        Case("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "GET / 1.1 Get host=[::1]:8080 None:0 length=36 keep\nHost=[::1]:8080 (Host)"),
        Case("GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "GET / 1.1 Get host=a: None:0 length=28 keep\nHost=a: (Host)"),
        Case("GET / HTTP/1.1\r\nHost: a:65535\r\n\r\n", "GET / 1.1 Get host=a:65535 None:0 length=33 keep\nHost=a:65535 (Host)"),
        Case(
            "GET / HTTP/1.1\r\nHost: a\r\nEmpty:\r\nTab:\tx\ty\t\r\nLatin: \xe9\r\n\r\n",
            "GET / 1.1 Get host=a None:0 length=56 keep\nHost=a (Host)\nEmpty= (None)\nTab=x\ty (None)\nLatin=\xe9 (None)"
        ),
        Case(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
            "POST / 1.1 Post host=a Length:5 length=47 keep\nHost=a (Host)\nContent-Length=5 (ContentLength)"
        ),
        Case(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "POST / 1.1 Post host=a None:0 length=47 keep\nHost=a (Host)\nContent-Length=0 (ContentLength)"
        ),
        Case(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n",
            "POST / 1.1 Post host=a Length:7 length=49 keep\nHost=a (Host)\nContent-Length=007 (ContentLength)"
        ),
        Case(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n",
            "POST / 1.1 Post host=a Length:9223372036854775807 length=65 keep\nHost=a (Host)\n"
                + "Content-Length=9223372036854775807 (ContentLength)"
        ),
        Case(
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
            "PUT / 1.1 Put host=a Chunked:0 length=55 keep\nHost=a (Host)\nTransfer-Encoding=Chunked (TransferEncoding)"
        ),
        Case(
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: , chunked ,\r\n\r\n",
            "PUT / 1.1 Put host=a Chunked:0 length=59 keep\nHost=a (Host)\nTransfer-Encoding=, chunked , (TransferEncoding)"
        ),
        Case("get / HTTP/1.1\r\nHost: a\r\n\r\n", "get / 1.1 Other host=a None:0 length=27 keep\nHost=a (Host)"),
        Case("M-SEARCH! / HTTP/1.1\r\nHost: a\r\n\r\n", "M-SEARCH! / 1.1 Other host=a None:0 length=33 keep\nHost=a (Host)"),
        Case(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET / 1.1 Get host=a None:0 length=68 keep upgrade\nHost=a (Host)\nConnection=upgrade (Connection)\n"
                + "Upgrade=websocket (Upgrade)"
        ),
        Case(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
            "GET / 1.1 Get host=a None:0 length=47 keep\nHost=a (Host)\nUpgrade=websocket (Upgrade)"
        ),
        Case(
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            "GET / 1.0 Get host=a None:0 length=60 close\nHost=a (Host)\nConnection=upgrade (Connection)\nUpgrade=x (Upgrade)"
        ),
    ];

    [TestCaseSource(nameof(WellFormed))]
    public void Is_read_the_same_wherever_it_is_cut(string input, string expected)
    {
        byte[] bytes = Bytes(input);
        foreach (int[] cut in Cuts(bytes.Length))
        {
            var (status, head) = Request(bytes, null, cut);
            Assert.That(Describe(status, head, bytes), Is.EqualTo(expected), $"cut at {string.Join(',', cut)}");
        }
    }

    [TestCaseSource(nameof(WellFormed))]
    public void Bytes_behind_the_head_are_left_alone(string input, string expected)
    {
        byte[] bytes = Bytes(input + "\r\n\n\0GET");
        var (status, head) = Request(bytes);
        Assert.That(Describe(status, head, bytes), Is.EqualTo(expected));
    }

    [TestCaseSource(nameof(WellFormed))]
    public void A_head_is_used_again_without_a_trace(string input, string expected)
    {
        var head = new RequestHead();
        foreach (var earlier in WellFormed)
        {
            head.Reset();
            RequestHeadParser.Parse(head, Bytes((string)earlier.Arguments[0]!), Limits);
            head.Reset();
            byte[] bytes = Bytes(input);
            var status = RequestHeadParser.Parse(head, bytes, Limits);
            Assert.That(Describe(status, head, bytes), Is.EqualTo(expected));
        }
    }

    [Test]
    public void Reading_allocates_nothing()
    {
        byte[] bytes = Bytes((string)WellFormed[6].Arguments[0]!);
        var head = new RequestHead();
        head.Reset();
        RequestHeadParser.Parse(head, bytes, Limits);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            head.Reset();
            RequestHeadParser.Parse(head, bytes, Limits);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void Is_pristine_until_the_first_byte_of_a_request_line()
    {
        var (_, nothing) = Request([]);
        var (_, emptyLine) = Request(Bytes("\r\n"));
        var (_, cr) = Request(Bytes("\r"));
        var (_, letter) = Request(Bytes("\r\nG"));
        var (_, line) = Request(Bytes("GET / HTTP/1.1\r\n"));
        Assert.That((nothing.IsPristine, emptyLine.IsPristine), Is.EqualTo((true, true)));
        Assert.That((cr.IsPristine, letter.IsPristine, line.IsPristine), Is.EqualTo((false, false, false)));
    }

    [TestCase("GET", true)]
    [TestCase("HEAD", true)]
    [TestCase("PUT", true)]
    [TestCase("DELETE", true)]
    [TestCase("OPTIONS", true)]
    [TestCase("TRACE", true)]
    [TestCase("POST", false)]
    [TestCase("PATCH", false)]
    [TestCase("put", false)]
    public void Knows_which_methods_are_idempotent(string method, bool idempotent)
    {
        var (_, head) = Request(Bytes($"{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        Assert.That(head.IsIdempotent, Is.EqualTo(idempotent));
    }

    private static TestCaseData Case(string input, string expected) =>
        new TestCaseData(input, expected).SetArgDisplayNames(input.ReplaceLineEndings("|"));
}
