using System.Text;
using BenchmarkDotNet.Attributes;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;

namespace Spawngate.Microbench;

/// <summary>Heads and chunks in memory, beside a plain copy of the same bytes.</summary>
[MemoryDiagnoser, ShortRunJob]
public class CodecBenchmarks
{
    private static readonly byte[] Response = Encoding.ASCII.GetBytes(Vectors.LengthResponse);
    private static readonly byte[] Chunks = Encoding.ASCII.GetBytes("d\r\nHello, World!\r\n5;name=value\r\n12345\r\n0\r\nX-Sum: 1\r\n\r\n");
    private static readonly HeadLimits HeadBounds = new(8192, 32768, 100);

    private readonly RequestHead _request = new();
    private readonly ResponseHead _response = new();
    private readonly ClientIdentity _client = new("192.0.2.1", isTrusted: false);
    private readonly byte[] _target = new byte[8192];

    /// <summary>The floor: the bytes of the request copied.</summary>
    [Benchmark(Baseline = true)]
    public int CopyRequest()
    {
        Vectors.BrowserRequest.CopyTo(_target, 0);
        return _target.Length;
    }

    /// <summary>A browser's request head.</summary>
    [Benchmark]
    public HeadStatus ParseRequest()
    {
        _request.Reset();
        return RequestHeadParser.Parse(_request, Vectors.BrowserRequest, HeadBounds);
    }

    /// <summary>A small response head.</summary>
    [Benchmark]
    public HeadStatus ParseResponse()
    {
        _response.Reset();
        return ResponseHeadParser.Parse(_response, Response, toHead: false, HeadBounds);
    }

    /// <summary>A browser's request parsed and written again for the backend.</summary>
    [Benchmark]
    public int WriteRequest()
    {
        ParseRequest();
        return ProxyHeaders.WriteRequest(_target, _request, Vectors.BrowserRequest, _client, "0123456789abcdef0123456789abcdef"u8, "1.1 spawngate-01234567"u8);
    }

    /// <summary>Two chunks, an extension and a trailer.</summary>
    [Benchmark]
    public int DecodeChunks()
    {
        var decoder = default(ChunkedDecoder);
        int offset = 0;
        int data = 0;
        while (decoder.Next(Chunks.AsSpan(offset), out int consumed, out _, out int length) is ChunkEvent.Data or ChunkEvent.Trailer)
        {
            offset += consumed;
            data += length;
        }

        return data;
    }
}
