using BenchmarkDotNet.Attributes;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;

namespace Spawngate.Microbench;

/// <summary>Reading and writing heads and chunks, beside copying the same bytes: the least that can be done with each of them.</summary>
public class CodecBenchmarks
{
    private readonly RequestHead _request = new();
    private readonly ResponseHead _response = new();
    private readonly RequestHead _parsed = new();
    private readonly byte[] _target = new byte[8192];
    private readonly ClientIdentity _client = new("192.0.2.7", isTrusted: false, new Spawngate.Overload.ClientAddress(1));

    /// <summary>Parses what is written again and again.</summary>
    public CodecBenchmarks()
    {
        _parsed.Reset();
        RequestHeadParser.Parse(_parsed, Samples.Request, Samples.Limits);
    }

    /// <summary>A request head of ten fields.</summary>
    [Benchmark]
    public bool ParseRequest()
    {
        _request.Reset();
        return RequestHeadParser.Parse(_request, Samples.Request, Samples.Limits) == HeadStatus.Complete;
    }

    /// <summary>The same bytes, copied.</summary>
    [Benchmark]
    public void CopyRequest() => Samples.Request.CopyTo(_target.AsSpan());

    /// <summary>A response head of seven fields.</summary>
    [Benchmark]
    public bool ParseResponse()
    {
        _response.Reset();
        return ResponseHeadParser.Parse(_response, Samples.Response, toHead: false, Samples.Limits) == HeadStatus.Complete;
    }

    /// <summary>The same bytes, copied.</summary>
    [Benchmark]
    public void CopyResponse() => Samples.Response.CopyTo(_target.AsSpan());

    /// <summary>The request head for the backend.</summary>
    [Benchmark]
    public int WriteRequest() =>
        ProxyHeaders.WriteRequest(
            _target,
            _parsed,
            Samples.Request,
            _client,
            "0123456789abcdef0123456789abcdef"u8,
            "1.1 spawngate-01234567"u8
        );

    /// <summary>Forty chunks of 100 bytes, and the end.</summary>
    [Benchmark]
    public int ReadChunks()
    {
        var decoder = default(ChunkedDecoder);
        ReadOnlySpan<byte> rest = Samples.Chunked;
        int bytes = 0;
        while (!decoder.IsDone)
        {
            if (decoder.Next(rest, out int consumed, out _, out int length) == ChunkEvent.Data)
            {
                bytes += length;
            }

            rest = rest[consumed..];
        }

        return bytes;
    }

    /// <summary>The same bytes, copied.</summary>
    [Benchmark]
    public void CopyChunks() => Samples.Chunked.CopyTo(_target.AsSpan());
}
