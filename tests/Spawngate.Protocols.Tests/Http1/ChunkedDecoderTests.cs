using System.Text;
using Spawngate.Protocols.Http1;
using static Spawngate.Protocols.Tests.Http1.HeadParsing;

namespace Spawngate.Protocols.Tests.Http1;

/// <summary>The chunked coding, at every place where the network may cut it (RFC 9112 section 7.1).</summary>
internal sealed class ChunkedDecoderTests
{
    private static readonly TestCaseData[] WellFormed =
    [
        Case("0\r\n\r\n", ""),
        Case("5\r\nhello\r\n0\r\n\r\n", "hello"),
        Case("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"),
        Case("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        Case("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        Case("0000000000000003\r\nabc\r\n0000000000000000\r\n\r\n", "abc"),
        Case("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"),
        Case("1;a\r\nx\r\n0;last\r\n\r\n", "x"),
        Case("1;a=b;c=\"d;\\\" e\"\r\nx\r\n0\r\n\r\n", "x"),
        Case("1 ; a = b\t;c\r\nx\r\n0\r\n\r\n", "x"),
        Case("1;a=\"\"\r\nx\r\n0\r\n\r\n", "x"),
        Case("1;a=\"\xe9\t\"\r\nx\r\n0\r\n\r\n", "x"),
        Case("1\r\nx\r\n0\r\nA: b\r\nc:\r\n\r\n", "x[A: b][c:]"),
    ];

    private static IEnumerable<string> Broken()
    {
        // Sizes.
        yield return "\r\n";
        yield return "x\r\n";
        yield return "-1\r\n";
        yield return "+1\r\na\r\n";
        yield return "0x1\r\na\r\n";
        yield return " 1\r\na\r\n";
        yield return "1 \r\na\r\n";
        yield return "1_0\r\n";
        yield return "00000000000000001\r\na\r\n";
        yield return "8000000000000000\r\n";
        yield return "ffffffffffffffff\r\n";
        yield return "10000000000000000\r\n";
        yield return "1,2\r\n";

        // Line ends.
        yield return "1\na\r\n";
        yield return "1\r\r\na\r\n";
        yield return "1\r\naX";
        yield return "1\r\na\rX";
        yield return "1\r\na\n";
        yield return "1\r\nab\r\n";
        yield return "\n";
        yield return "0\r\n\n";
        yield return "0\r\nA: b\n\r\n";
        yield return "0\r\n\rX\r\n";

        // Extensions.
        yield return "1;\r\na\r\n";
        yield return "1;;a\r\na\r\n";
        yield return "1;=b\r\na\r\n";
        yield return "1;a=\r\na\r\n";
        yield return "1;a=b c\r\na\r\n";
        yield return "1;a=\"b\r\na\r\n";
        yield return "1;a=\"b\\\r\na\r\n";
        yield return "1;a=\"b\"c\r\na\r\n";
        yield return "1;a \r\na\r\n";
        yield return "1 a\r\na\r\n";
        yield return "1;a\0\r\na\r\n";
        yield return "1;a=\"\x01\"\r\na\r\n";
        yield return "1;a\rb\r\na\r\n";
        yield return "1;\xe9\r\na\r\n";

        // Trailers.
        yield return "0\r\nnocolon\r\n\r\n";
        yield return "0\r\n: b\r\n\r\n";
        yield return "0\r\nA : b\r\n\r\n";
        yield return "0\r\nA: b\r\n c\r\n\r\n";
        yield return "0\r\nA: b\0\r\n\r\n";
        yield return "0\r\nA: b\rc\r\n\r\n";
    }

    [TestCaseSource(nameof(WellFormed))]
    public void Is_read_the_same_wherever_it_is_cut(string input, string expected)
    {
        byte[] bytes = Bytes(input + "NEXT");
        foreach (int[] cut in Cuts(bytes.Length))
        {
            var (text, end, consumed) = Decode(bytes, cut);
            Assert.That((text, end, consumed), Is.EqualTo((expected, ChunkEvent.End, input.Length)), $"cut at {string.Join(',', cut)}");
        }
    }

    [TestCaseSource(nameof(Broken))]
    public void Is_refused_wherever_it_is_cut(string input)
    {
        byte[] bytes = Bytes(input);
        foreach (int[] cut in Cuts(bytes.Length))
        {
            Assert.That(Decode(bytes, cut).End, Is.EqualTo(ChunkEvent.Broken), $"cut at {string.Join(',', cut)}");
        }
    }

    [Test]
    public void The_largest_size_is_63_bits()
    {
        var decoder = default(ChunkedDecoder);
        byte[] bytes = Bytes("7fffffffffffffff\r\nab");
        Assert.That(decoder.Next(bytes, out int consumed, out int start, out int length), Is.EqualTo(ChunkEvent.Data));
        Assert.That((consumed, start, length), Is.EqualTo((20, 18, 2)));
    }

    [TestCase(256, ChunkEvent.End)]
    [TestCase(257, ChunkEvent.Broken)]
    public void A_size_line_has_a_limit(int length, ChunkEvent end)
    {
        byte[] bytes = Bytes("0;" + new string('x', length - 4) + "\r\n\r\n");
        foreach (int[] cut in Cuts(bytes.Length))
        {
            Assert.That(Decode(bytes, cut).End, Is.EqualTo(end), $"cut at {string.Join(',', cut)}");
        }
    }

    [Test]
    public void An_endless_size_line_is_refused_without_its_end()
    {
        Assert.That(Decode(Bytes(new string('0', 255)), []).End, Is.EqualTo(ChunkEvent.NeedMore));
        Assert.That(Decode(Bytes(new string('0', 256)), []).End, Is.EqualTo(ChunkEvent.Broken));
    }

    [TestCase(8192, ChunkEvent.End)]
    [TestCase(8193, ChunkEvent.Broken)]
    public void Trailers_have_a_limit(int length, ChunkEvent end)
    {
        string first = "A: " + new string('x', 4000) + "\r\n";
        string second = "B: " + new string('y', length - first.Length - 2 - 5) + "\r\n";
        byte[] bytes = Bytes("0\r\n" + first + second + "\r\n");
        Assert.That(first.Length + second.Length + 2, Is.EqualTo(length));
        foreach (int cut in new[] { 0, 3, 4, 4000, first.Length + 3, bytes.Length - 3, bytes.Length - 2, bytes.Length - 1 })
        {
            Assert.That(Decode(bytes, [cut]).End, Is.EqualTo(end), $"cut at {cut}");
        }
    }

    [Test]
    public void After_its_end_and_after_a_fault_it_stays_there()
    {
        var decoder = default(ChunkedDecoder);
        Assert.That(decoder.Next("0\r\n\r\n"u8, out _, out _, out _), Is.EqualTo(ChunkEvent.End));
        Assert.That(decoder.Next("5\r\nhello"u8, out int consumed, out _, out int length), Is.EqualTo(ChunkEvent.End));
        Assert.That((consumed, length, decoder.IsDone), Is.EqualTo((0, 0, true)));
        decoder = default;
        Assert.That(decoder.Next("x\r\n"u8, out _, out _, out _), Is.EqualTo(ChunkEvent.Broken));
        Assert.That(decoder.Next("0\r\n\r\n"u8, out _, out _, out _), Is.EqualTo(ChunkEvent.Broken));
    }

    [TestCase("5 \r\nhello\r\n0 \r\n\r\n", "hello")]
    [TestCase(" 5\r\nhello\r\n\t0\r\n\r\n", "hello")]
    [TestCase("5\t \t\r\nhello\r\n  0  \r\nA: b\r\n\r\n", "hello[A: b]")]
    [TestCase(" 5 ; a=b \r\nhello\r\n0 ;c \r\n\r\n", "hello")]
    public void Blanks_around_a_size_are_taken_of_backends_only(string input, string expected)
    {
        byte[] bytes = Bytes(input);
        foreach (int[] cut in Cuts(bytes.Length))
        {
            Assert.That(
                Decode(bytes, cut, padded: true),
                Is.EqualTo((expected, ChunkEvent.End, bytes.Length)),
                $"cut at {string.Join(',', cut)}"
            );
            Assert.That(Decode(bytes, cut).End, Is.EqualTo(ChunkEvent.Broken));
        }
    }

    [TestCase("5 5\r\nhello\r\n0\r\n\r\n")]
    [TestCase(" \r\nhello\r\n0\r\n\r\n")]
    [TestCase("5\v\r\nhello\r\n0\r\n\r\n")]
    [TestCase("5 x\r\nhello\r\n0\r\n\r\n")]
    [TestCase("5\r\nhello \r\n0\r\n\r\n")]
    [TestCase("5 \r \r\nhello\r\n0\r\n\r\n")]
    [TestCase("5 \nhello\r\n0\r\n\r\n")]
    [TestCase("- 5\r\nhello\r\n0\r\n\r\n")]
    public void Nothing_else_is(string input)
    {
        byte[] bytes = Bytes(input);
        foreach (int[] cut in Cuts(bytes.Length))
        {
            Assert.That(Decode(bytes, cut, padded: true).End, Is.EqualTo(ChunkEvent.Broken), $"cut at {string.Join(',', cut)}");
        }
    }

    /// <summary>Data joined, trailers in brackets; the last event; bytes consumed.</summary>
    internal static (string Text, ChunkEvent End, int Consumed) Decode(byte[] bytes, int[] pieces, bool padded = false)
    {
        var decoder = new ChunkedDecoder(padded);
        var text = new StringBuilder();
        int offset = 0;
        var last = ChunkEvent.NeedMore;
        foreach (int piece in pieces.Append(bytes.Length))
        {
            while (true)
            {
                byte[] input = bytes[offset..Math.Max(offset, piece)];
                last = decoder.Next(input, out int consumed, out int start, out int length);
                var slice = Text(input.AsSpan(start, length));
                text.Append(last == ChunkEvent.Trailer ? $"[{slice}]" : slice);
                offset += consumed;
                if (last is ChunkEvent.End or ChunkEvent.Broken)
                {
                    return (text.ToString(), last, offset);
                }

                if (last == ChunkEvent.NeedMore)
                {
                    break;
                }
            }
        }

        return (text.ToString(), last, offset);
    }

    private static TestCaseData Case(string input, string expected) =>
        new TestCaseData(input, expected).SetArgDisplayNames(Uri.EscapeDataString(input));
}
