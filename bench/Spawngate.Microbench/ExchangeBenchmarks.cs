using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Forwarding;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Telemetry;
using Spawngate.Tests.Fakes;

namespace Spawngate.Microbench;

/// <summary>
/// One whole proxied request over loopback, from the client's send to the last byte of the answer: mostly system calls and thread wake-ups.
/// </summary>
public class ExchangeBenchmarks : IDisposable
{
    private LoopbackGateway? _length;
    private LoopbackGateway? _chunked;
    private LoopbackGateway? _post;
    private LoopbackGateway? _logged;
    private AccessLog? _log;

    /// <summary>Starts the gateways.</summary>
    [GlobalSetup]
    public void SetUp() => Setup.Run(SetUpAsync);

    private async Task SetUpAsync()
    {
        const string length = "HTTP/1.1 200 OK\r\nServer: test\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
        const string chunked =
            "HTTP/1.1 200 OK\r\nServer: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n8\r\n, world!\r\n0\r\n\r\n";
        _length = await LoopbackGateway.StartAsync(TimeProvider.System, length).ConfigureAwait(false);
        _chunked = await LoopbackGateway.StartAsync(TimeProvider.System, chunked).ConfigureAwait(false);
        _post = await LoopbackGateway.StartAsync(TimeProvider.System, length, requestBodyBytes: 5).ConfigureAwait(false);
        _logged = await LoopbackGateway.StartAsync(TimeProvider.System, length, observe: Observe).ConfigureAwait(false);
    }

    /// <summary>GET, and an answer of known length.</summary>
    [Benchmark]
    public void Get() => _length!.Exchange("GET /some/path HTTP/1.1\r\nHost: app.example.com\r\nAccept: */*\r\n\r\n"u8);

    /// <summary>GET, and a chunked answer.</summary>
    [Benchmark]
    public void GetChunked() => _chunked!.Exchange("GET /some/path HTTP/1.1\r\nHost: app.example.com\r\nAccept: */*\r\n\r\n"u8);

    /// <summary>POST with a small body.</summary>
    [Benchmark]
    public void Post() => _post!.Exchange("POST /form HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 5\r\n\r\na=b&c"u8);

    /// <summary>GET, with an access log that goes nowhere: what a line costs the request itself.</summary>
    [Benchmark]
    public void GetLogged() => _logged!.Exchange("GET /some/path HTTP/1.1\r\nHost: app.example.com\r\nAccept: */*\r\n\r\n"u8);

    private RequestObserver Observe(CoarseClock clock)
    {
        _log = new AccessLog(
            AppendFile.At("/dev/null"),
            AccessLogFormat.Combined,
            new RecordCounts(),
            clock,
            TimeProvider.System,
            NullLogger.Instance
        );
        return new RequestObserver(TimeProvider.System) { Access = _log };
    }

    /// <inheritdoc/>
    [GlobalCleanup]
    public void Dispose()
    {
        _length?.Dispose();
        _chunked?.Dispose();
        _post?.Dispose();
        _log?.Dispose();
        _logged?.Dispose();
        GC.SuppressFinalize(this);
    }
}
