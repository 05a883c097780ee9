using System.Globalization;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2.Hpack;
using Spawngate.Protocols.Tests.Http1;
using Spawngate.Protocols.Tests.Http2;
using static Spawngate.Protocols.Tests.Http1.HeadParsing;

namespace Spawngate.Protocols.Tests.Fuzz;

/// <summary>
/// A fuzz target for each codec. Whatever comes in: no exception, no read past the end (each piece is an array of its very length), no more
/// consumed than was there, and the same outcome wherever the input is cut.
/// </summary>
[Category("Fuzz")]
internal sealed class FuzzTests
{
    private static readonly string[] HttpWords =
    [
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "\0",
        " ",
        "\t",
        ":",
        ": ",
        ",",
        ";",
        "\"",
        "GET ",
        "POST ",
        "HEAD ",
        "OPTIONS * ",
        "/",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 204 \r\n",
        "Host: a\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: ",
        "Content_Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: ",
        "chunked",
        "gzip",
        "identity",
        "Connection: close\r\n",
        "Connection: keep-alive, x\r\n",
        "Upgrade: websocket\r\n",
        "Expect: 100-continue\r\n",
        "http://a",
        "https://",
        "@",
        "[::1]",
        ":80",
        "%00",
        "18446744073709551621",
        "-1",
        "+5",
        "0x5",
    ];

    private static readonly string[] ChunkWords =
    [
        "\r\n",
        "0\r\n\r\n",
        "0\r\n",
        "5\r\nhello\r\n",
        ";a=b",
        ";a=\"b\"",
        ";",
        "=",
        "\"",
        "\\",
        "X-A: b\r\n",
        "ffffffffffffffff",
        "7fffffffffffffff",
        "0000",
        "\n",
        "\r",
        "\0",
        " ",
        ":",
    ];

    private static readonly string[] Http2Words =
    [
        "\0",
        "\x01",
        "\x04",
        "\x05",
        "\x08",
        "\x09",
        "\xff",
        "\x80",
        "\x7f",
        "\x3f",
        "\x20",
        "\x82",
        "\x83",
        "\x84",
        "\x86",
        "\x41\x01a",
        "\x40\x01a\x01b",
        "\xbe",
        "\0\0\0\x01",
        "\0\0\0\x03",
        "\0\0\0\0",
        "\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a",
        "\0\0\x06\x01\x04\0\0\0\x03\x83\x86\x84\x41\x01a",
        "\0\0\x01\0\x01\0\0\0\x03x",
        "\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08",
        "\0\0\x04\x08\0\0\0\0\x01\0\0\0\x01",
        "\0\0\0\x04\x01\0\0\0\0",
        "\0\0\0\x09\x04\0\0\0\x01",
        "\0\0\x08\x06\0\0\0\0\0" + "12345678",
        "\0\0\x07\x10\0\0\0\0\0\0\0\0\x01u=1",
        "\x0f\x0d\x015",
        "\x40\x04host\x01a",
        "\x40\x0a:authority",
        "\x00\x06cookie\x03" + "a=b",
        "\x40\x0econtent-length\x01" + "5",
        "\x40\x02te\x08trailers",
        "\x40\x0aconnection\x05" + "close",
        "\r\n",
        " ",
        ":",
    ];

    [Test]
    public void Request_heads() => FuzzTarget.Run("request", HttpWords, (input, random) =>
        {
            var (status, head) = Request(input);
            string whole = Describe(status, head, input);
            Assert.That(status != HeadStatus.Complete || head.Length <= input.Length, "the head lies within the input");
            foreach (int[] cuts in SomeCuts(input.Length, random))
            {
                var (again, cutHead) = Request(input, null, cuts);
                Assert.That(again, Is.EqualTo(status), $"cut at {string.Join(',', cuts)}");
                Assert.That(status != HeadStatus.Complete || Describe(again, cutHead, input) == whole, $"cut at {string.Join(',', cuts)}");
            }

            return status == HeadStatus.Complete
                ? $"{head.Method} {head.Framing.Kind} {head.IsPersistent} {head.WantsUpgrade} {head.IsAbsoluteForm} {Known(head.Fields)}"
                : $"{status} {head.Fault}";
        });

    [Test]
    public void Response_heads() => FuzzTarget.Run("response", HttpWords, (input, random) =>
        {
            bool toHead = random.Next(4) == 0;
            var (status, head) = Response(input, toHead);
            string whole = Describe(status, head, input);
            Assert.That(status != HeadStatus.Complete || head.Length <= input.Length, "the head lies within the input");
            foreach (int[] cuts in SomeCuts(input.Length, random))
            {
                var (again, cutHead) = Response(input, toHead, null, cuts);
                Assert.That(again, Is.EqualTo(status), $"cut at {string.Join(',', cuts)}");
                Assert.That(status != HeadStatus.Complete || Describe(again, cutHead, input) == whole, $"cut at {string.Join(',', cuts)}");
            }

            return status == HeadStatus.Complete
                ? $"{head.Status / 100} {head.Framing.Kind} {head.IsPersistent} {head.IsInterim} {Known(head.Fields)}"
                : $"{status} {head.Fault}";
        });

    [Test]
    public void Chunks() => FuzzTarget.Run("chunked", ChunkWords, (input, random) =>
        {
            var (text, end, consumed) = ChunkedDecoderTests.Decode(input, []);
            Assert.That(consumed, Is.LessThanOrEqualTo(input.Length));
            foreach (int[] cuts in SomeCuts(input.Length, random))
            {
                var again = ChunkedDecoderTests.Decode(input, cuts);
                Assert.That((again.Text, again.End), Is.EqualTo((text, end)), $"cut at {string.Join(',', cuts)}");
                Assert.That(end == ChunkEvent.Broken || again.Consumed == consumed, $"cut at {string.Join(',', cuts)}");
            }

            return $"{end} {Math.Min(text.Length, 20)} {input.Length - consumed == 0} {text.Count(c => c == '[')}";
        });

    /// <summary>
    /// Whole messages: what frames the body is decided once more, by other means, and its end is where it is wherever the message is cut.
    /// </summary>
    [Test]
    public void Framing() => FuzzTarget.Run("framing", [.. HttpWords, .. ChunkWords], (input, random) =>
        {
            bool toHead = random.Next(4) == 0;
            bool isResponse = input.AsSpan().StartsWith("HTTP/"u8);
            var (status, fault, framing, length) = isResponse ? OfResponse(input, toHead) : OfRequest(input);
            if (status != HeadStatus.Complete)
            {
                return $"{status} {fault}";
            }

            Assert.That((framing.Kind, framing.Length), Is.EqualTo(FramingRules.Decide(Text(input.AsSpan(0, length)), toHead)));
            if (framing.Kind != BodyKind.Chunked)
            {
                return $"{isResponse} {framing.Kind}";
            }

            byte[] body = input[length..];
            var whole = ChunkedDecoderTests.Decode(body, []);
            foreach (int[] cuts in SomeCuts(body.Length, random))
            {
                var again = ChunkedDecoderTests.Decode(body, cuts);
                Assert.That((again.Text, again.End), Is.EqualTo((whole.Text, whole.End)), $"body cut at {string.Join(',', cuts)}");
                Assert.That(whole.End == ChunkEvent.Broken || again.Consumed == whole.Consumed, $"body cut at {string.Join(',', cuts)}");
            }

            return $"{isResponse} {whole.End} {framing.DropsTrailers} {Math.Min(whole.Text.Length, 20)} {whole.Text.Count(c => c == '[')}";
        });

    private static (HeadStatus Status, HeadFault Fault, BodyFraming Framing, int Length) OfRequest(byte[] input)
    {
        var (status, head) = Request(input);
        return (status, head.Fault, head.Framing, head.Length);
    }

    private static (HeadStatus Status, HeadFault Fault, BodyFraming Framing, int Length) OfResponse(byte[] input, bool toHead)
    {
        var (status, head) = Response(input, toHead);
        return (status, head.Fault, head.Framing, head.Length);
    }

    [Test]
    public void Http2_connections() => FuzzTarget.Run("http2", Http2Words, (input, random) =>
        {
            byte[] bytes = [.. ClientBytes.Start().Bytes, .. input];
            var whole = SessionRun.Of(bytes);
            string outcome = whole.ToString();
            foreach (int[] cuts in SomeCuts(bytes.Length, random))
            {
                Assert.That(SessionRun.Of(bytes, cuts).ToString(), Is.EqualTo(outcome), $"cut at {string.Join(',', cuts)}");
            }

            if (whole.Events[^1].StartsWith("request", StringComparison.Ordinal))
            {
                var (status, head) = Request(whole.HeadBytes);
                Assert.That(
                    Describe(status, head, whole.HeadBytes),
                    Is.EqualTo(Describe(HeadStatus.Complete, whole.Head, whole.HeadBytes)),
                    "as HTTP/1.1 has it"
                );
            }

            SessionPropertyTests.AssertSound(whole);

            // What happened, without the bytes it happened with.
            return string.Join(
                ';',
                whole
                    .Events.Select(line =>
                        string.Join(
                            ' ',
                            line.Split(' ')
                                .Where((word, i) => i == 0 || (line[0] is 'r' or 'u' or 'e' && word.All(char.IsAsciiLetter)))
                                .Take(3)
                        )
                    )
                    .Distinct()
                    .TakeLast(4)
            );
        });

    [Test]
    public void Header_blocks() => FuzzTarget.Run("hpack", Http2Words, (input, random) =>
        {
            var decoder = new HpackDecoder(CodecLimits.HpackTableBytes);
            int cut = random.Next(input.Length + 1);
            var first = HpackCodes.Decode(decoder, input[..cut]);
            var second = first is null ? null : HpackCodes.Decode(decoder, input[cut..]);
            Assert.That(decoder.TableSize, Is.LessThanOrEqualTo(CodecLimits.HpackTableBytes));
            if (first is not null && second is not null)
            {
                var encoder = new HpackEncoder(CodecLimits.HpackTableBytes);
                var listener = new HpackDecoder(CodecLimits.HpackTableBytes);
                Assert.That(HpackCodes.Decode(listener, HpackCodes.Encode(encoder, first)), Is.EqualTo(first));
                Assert.That(HpackCodes.Decode(listener, HpackCodes.Encode(encoder, second)), Is.EqualTo(second));
            }

            return $"{first?.Count} {second?.Count} {decoder.TableCount} {decoder.TableSize / 64}";
        });

    /// <summary>Two random cuts, and byte by byte now and then.</summary>
    private static IEnumerable<int[]> SomeCuts(int length, Random random)
    {
        yield return [random.Next(length + 1)];
        yield return [.. new[] { random.Next(length + 1), random.Next(length + 1) }.Order()];
        if (length < 64 || random.Next(16) == 0)
        {
            yield return [.. Enumerable.Range(1, Math.Max(0, length - 1))];
        }
    }

    private static string Known(FieldTable table) =>
        string.Join(',', table.Fields.ToArray().Select(field => field.Known).Where(known => known != KnownHeader.None).Distinct().Order());
}
