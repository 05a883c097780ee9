using BenchmarkDotNet.Attributes;
using Spawngate.Protocols;
using Spawngate.Protocols.Http2.Hpack;

namespace Spawngate.Microbench;

/// <summary>
/// Header compression both ways (RFC 7541): what a connection repeats, which is an index into a table, and what it says for the first time,
/// which is Huffman code.
/// </summary>
public class HpackBenchmarks
{
    private static readonly byte[] Text =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"u8.ToArray();

    private readonly HpackEncoder _encoder = new(CodecLimits.HpackTableBytes);
    private readonly HpackDecoder _decoder = new(CodecLimits.HpackTableBytes);

    // With tables of no size every field is a literal, each time.
    private readonly HpackEncoder _forgetfulEncoder = new(0);
    private readonly HpackDecoder _forgetfulDecoder = new(0);
    private readonly byte[] _target = new byte[8192];
    private readonly byte[] _repeated;
    private readonly byte[] _literal;
    private readonly byte[] _coded = new byte[HuffmanCode.EncodedLength(Text)];

    /// <summary>Fills the tables with what is repeated.</summary>
    public HpackBenchmarks()
    {
        var client = new HpackEncoder(CodecLimits.HpackTableBytes);
        byte[] first = _target[..Encode(client, Samples.RequestFields)];
        Decode(_decoder, first);
        _repeated = _target[..Encode(client, Samples.RequestFields)];
        _literal = _target[..Encode(_forgetfulEncoder, Samples.RequestFields)];
        Encode(_encoder, Samples.ResponseFields);
        HuffmanCode.Encode(Text, _coded);
    }

    /// <summary>Twelve fields of a request that the connection has seen before.</summary>
    [Benchmark]
    public int DecodeRepeated() => Decode(_decoder, _repeated);

    /// <summary>The same fields as literals.</summary>
    [Benchmark]
    public int DecodeLiteral() => Decode(_forgetfulDecoder, _literal);

    /// <summary>Seven fields of a response that the connection has seen before.</summary>
    [Benchmark]
    public int EncodeRepeated() => Encode(_encoder, Samples.ResponseFields);

    /// <summary>The same fields as literals.</summary>
    [Benchmark]
    public int EncodeLiteral() => Encode(_forgetfulEncoder, Samples.ResponseFields);

    /// <summary>Decodes 101 characters.</summary>
    [Benchmark]
    public bool DecodeHuffman() => HuffmanCode.TryDecode(_coded, _target, out _);

    /// <summary>Encodes 101 characters.</summary>
    [Benchmark]
    public int EncodeHuffman() => HuffmanCode.Encode(Text, _target);

    private static int Decode(HpackDecoder decoder, ReadOnlySpan<byte> block)
    {
        int at = 0,
            bytes = 0;
        decoder.Begin(block.Length);
        HpackStatus status;
        while ((status = decoder.Next(block, ref at, out var field)) == HpackStatus.Field)
        {
            bytes += field.Name.Length + field.Value.Length;
        }

        decoder.End();
        return status == HpackStatus.End ? bytes : throw new InvalidOperationException("The block is broken.");
    }

    private int Encode(HpackEncoder encoder, (byte[] Name, byte[] Value)[] fields)
    {
        int length = encoder.Begin(_target);
        foreach (var (name, value) in fields)
        {
            length += encoder.Encode(_target.AsSpan(length), name, value);
        }

        return length;
    }
}
