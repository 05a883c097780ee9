<<<<<<< HEAD
using System.Text;
=======
>>>>>>> http
using BenchmarkDotNet.Attributes;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;

namespace Spawngate.Microbench;

<<<<<<< HEAD
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
=======
/// <summary>Reading and writing heads as a browser and an application server send them.</summary>
public class CodecBenchmarks
{
    private static readonly HeadLimits HeadLimits = new(8192, 32768, 100);

    private static readonly byte[] RequestBytes =
    [
        .. "GET /assets/app.css?v=42 HTTP/1.1\r\nHost: app.example.com\r\nConnection: keep-alive\r\n"u8,
        .. "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n"u8,
        .. "Accept: text/css,*/*;q=0.1\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\nReferer: http://app.example.com/\r\n"u8,
        .. "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n"u8,
    ];

    private static readonly byte[] ResponseBytes =
    [
        .. "HTTP/1.1 200 OK\r\nDate: Sat, 31 Jan 2026 12:00:00 GMT\r\nServer: app\r\nContent-Type: text/css; charset=utf-8\r\n"u8,
        .. "Content-Length: 1234\r\nCache-Control: public, max-age=3600\r\nETag: \"0123456789abcdef\"\r\nVary: Accept-Encoding\r\n\r\n"u8,
    ];

    private readonly RequestHead _request = new();
    private readonly ResponseHead _response = new();
    private readonly RequestHead _parsed = new();
    private readonly byte[] _target = new byte[8192];
    private readonly ClientIdentity _client = new("192.0.2.7", isTrusted: false);

    /// <summary>Parses what is written again and again.</summary>
    public CodecBenchmarks()
    {
        _parsed.Reset();
        RequestHeadParser.Parse(_parsed, RequestBytes, HeadLimits);
    }

    /// <summary>A request head of ten fields.</summary>
    [Benchmark]
    public bool ParseRequest()
    {
        _request.Reset();
        return RequestHeadParser.Parse(_request, RequestBytes, HeadLimits) == HeadStatus.Complete;
    }

    /// <summary>A response head of seven fields.</summary>
    [Benchmark]
    public bool ParseResponse()
    {
        _response.Reset();
        return ResponseHeadParser.Parse(_response, ResponseBytes, toHead: false, HeadLimits) == HeadStatus.Complete;
    }

    /// <summary>The request head for the backend.</summary>
    [Benchmark]
    public int WriteRequest() => ProxyHeaders.WriteRequest(
        _target, _parsed, RequestBytes, _client, "0123456789abcdef0123456789abcdef"u8, "1.1 spawngate-01234567"u8);
>>>>>>> http
}
