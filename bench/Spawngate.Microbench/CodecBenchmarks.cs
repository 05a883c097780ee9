using BenchmarkDotNet.Attributes;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;

namespace Spawngate.Microbench;

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
}
