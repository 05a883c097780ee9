using FsCheck;
using FsCheck.Fluent;
using Spawngate.Protocols.Http1;
using static Spawngate.Protocols.Tests.Http1.HeadParsing;

namespace Spawngate.Protocols.Tests.Http1;

/// <summary>What holds for any bytes and for any well-formed message.</summary>
internal sealed class CodecPropertyTests
{
    private static readonly Config Settings = Config.QuickThrowOnFailure.WithMaxTest(2000);

    /// <summary>Pieces that meet the rules' edges far more often than random bytes would.</summary>
    private static readonly Gen<string> Scraps = Gen.Elements(
        "GET ",
        "POST ",
        "/",
        " HTTP/1.1",
        " HTTP/1.0",
        "HTTP/1.1 200 OK",
        "\r\n",
        "\r\n",
        "\r\n",
        "\r",
        "\n",
        "\0",
        " ",
        "\t",
        ":",
        "Host: a",
        "Host:",
        "Content-Length: ",
        "5",
        "0",
        "+",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: ",
        "chunked",
        ",",
        "Connection: ",
        "close",
        "x",
        "http://a",
        "@",
        "[",
        "]",
        "\xe9",
        "\"",
        ";",
        "=",
        "\\",
        "f"
    );

    private static readonly Gen<(byte[] Bytes, int[] Cuts)> AnyInput =
        from bytes in Gen.OneOf(
            Gen.ListOf(Scraps).Select(scraps => Bytes(string.Concat(scraps))),
            Gen.ListOf(Gen.Choose(0, 255)).Select(list => list.Select(b => (byte)b).ToArray()),
            from scraps in Gen.ListOf(Scraps)
            select Bytes("GET / HTTP/1.1\r\nHost: a\r\n" + string.Concat(scraps) + "\r\n\r\n")
        )
        from cuts in CutsOf(bytes.Length)
        select (bytes, cuts);

    private static readonly Gen<string> Token = Letters("abzAZ019-_.!~", 1, 12);

    private static readonly Gen<(string Name, string Value)> Field =
        from name in Token
        from value in Letters("abz 019,;=/\"\t\xe9", 0, 20)
        select ("X-" + name, value.Trim(' ', '\t'));

    [Test]
    public void Any_bytes_give_a_request_or_one_fault() =>
        Prop.ForAll(AnyInput.ToArbitrary(), input =>
            {
                var (status, head) = Request(input.Bytes, null, input.Cuts);
                var (whole, wholeHead) = Request(input.Bytes);
                bool consistent = status switch
                {
                    HeadStatus.Complete => head.Fault == HeadFault.None
                        && head.Length <= input.Bytes.Length
                        && Describe(status, head, input.Bytes).Length > 0,
                    HeadStatus.Refused => head.Fault != HeadFault.None,
                    _ => head.Fault == HeadFault.None,
                };
                return consistent
                    && status == whole
                    && (status != HeadStatus.Complete || Describe(status, head, input.Bytes) == Describe(whole, wholeHead, input.Bytes));
            })
            .Check(Settings);

    [Test]
    public void Any_bytes_give_a_response_or_one_fault() =>
        Prop.ForAll(AnyInput.ToArbitrary(), input =>
            {
                byte[] bytes = [.. "HTTP/1.1 200 OK\r\n"u8, .. input.Bytes];
                var (status, head) = Response(bytes, false, null, input.Cuts);
                return status == Response(bytes).Status
                    && status == HeadStatus.Refused == (head.Fault != HeadFault.None)
                    && (status != HeadStatus.Complete || Describe(status, head, bytes).Length > 0);
            })
            .Check(Settings);

    [Test]
    public void Any_bytes_give_chunks_or_one_fault() =>
        Prop.ForAll(AnyInput.ToArbitrary(), input =>
            {
                var (text, end, consumed) = ChunkedDecoderTests.Decode(input.Bytes, input.Cuts);
                var whole = ChunkedDecoderTests.Decode(input.Bytes, []);
                return end == whole.End && text == whole.Text && (end == ChunkEvent.Broken || consumed == whole.Consumed);
            })
            .Check(Settings);

    [Test]
    public void A_well_formed_request_is_read_as_written()
    {
        var requests =
            from method in Token
            from path in Letters("abz/019?&%", 0, 20)
            from host in Letters("abz019-.", 1, 10)
            from fields in Gen.ListOf(Field)
            from space in Gen.Elements("", " ", "\t", " \t ")
            from cuts in CutsOf(40)
            select (
                Method: method == "CONNECT" ? "X" : method,
                Path: "/" + path,
                Host: host,
                Fields: fields.Take(Limits.MaxFields - 1).ToArray(),
                Space: space,
                Cuts: cuts
            );
        Prop.ForAll(requests.ToArbitrary(), r =>
            {
                string lines = string.Concat(r.Fields.Select(f => $"{f.Name}:{r.Space}{f.Value}{r.Space}\r\n"));
                byte[] bytes = Bytes($"{r.Method} {r.Path} HTTP/1.1\r\n{lines}Host:{r.Space}{r.Host}\r\n\r\n");
                var (status, head) = Request(bytes, null, [.. r.Cuts.Where(c => c <= bytes.Length)]);
                return status == HeadStatus.Complete
                    && head.Length == bytes.Length
                    && Text(head.MethodBytes(bytes)) == r.Method
                    && Text(head.Target(bytes)) == r.Path
                    && Text(head.Host(bytes)) == r.Host
                    && head.Fields.Fields.ToArray()
                        .SkipLast(1)
                        .Select(f => (Text(f.Name(bytes)), Text(f.Value(bytes))))
                        .SequenceEqual(r.Fields);
            })
            .Check(Settings);
    }

    [Test]
    public void Chunks_are_read_as_written()
    {
        var bodies =
            from chunks in Gen.ListOf(Letters("ab\r\n0;\xff\0", 1, 30))
            from trailers in Gen.ListOf(Field)
            from extension in Gen.Elements("", ";a", " ; a=b", ";a=\"b c\"", ";a=\"\\\"\";b")
            from cuts in CutsOf(200)
            select (Chunks: chunks.ToArray(), Trailers: trailers.ToArray(), Extension: extension, Cuts: cuts);
        Prop.ForAll(bodies.ToArbitrary(), b =>
            {
                string coded =
                    string.Concat(b.Chunks.Select(c => $"{c.Length:x}{b.Extension}\r\n{c}\r\n"))
                    + $"0{b.Extension}\r\n"
                    + string.Concat(b.Trailers.Select(t => $"{t.Name}:{t.Value}\r\n"))
                    + "\r\n";
                byte[] bytes = Bytes(coded + "next");
                var (text, end, consumed) = ChunkedDecoderTests.Decode(bytes, [.. b.Cuts.Where(c => c <= bytes.Length)]);
                return end == ChunkEvent.End
                    && consumed == coded.Length
                    && text == string.Concat(b.Chunks) + string.Concat(b.Trailers.Select(t => $"[{t.Name}:{t.Value}]"));
            })
            .Check(Settings);
    }

    private static Gen<string> Letters(string alphabet, int lengthMin, int lengthMax) =>
        from length in Gen.Choose(lengthMin, lengthMax)
        from letters in Gen.ArrayOf(Gen.Elements(alphabet.ToCharArray()), length)
        select new string(letters);

    private static Gen<int[]> CutsOf(int length) => Gen.ListOf(Gen.Choose(0, length)).Select(cuts => cuts.Order().Distinct().ToArray());
}
