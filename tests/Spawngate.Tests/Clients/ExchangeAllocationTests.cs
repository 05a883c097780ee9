using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Config;
using Spawngate.Forwarding;
using Spawngate.Platform;
using Spawngate.Telemetry;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>
/// A request to a ready backend allocates nothing in steady state: the whole process is measured, since completions run on any thread.
/// </summary>
[NonParallelizable]
internal sealed class ExchangeAllocationTests
{
    private const int Requests = 20_000;

    private const string Get =
        "GET /some/path?with=query HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: test\r\nAccept: */*\r\nCookie: a=b\r\n\r\n";
    private const string Length = "HTTP/1.1 200 OK\r\nServer: test\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
    private const string Chunked =
        "HTTP/1.1 200 OK\r\nServer: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n8\r\n, world!\r\n0\r\n\r\n";

    [TestCase(Get, Length, 0, 0, TestName = "GET with a small Content-Length response")]
    [TestCase(Get, Length, 80, 0, TestName = "GET with a response in two segments")]
    [TestCase(Get, Chunked, 0, 0, TestName = "GET with a small chunked response")]
    [TestCase(Get, Chunked, 66, 0, TestName = "GET with a chunked response in two segments")]
    [TestCase(
        "POST /form HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 5\r\n\r\na=b&c",
        Length,
        0,
        5,
        TestName = "POST with a small body"
    )]
    public async Task Allocates_nothing(string request, string response, int cut, int bodyBytes)
    {
        using var gateway = await LoopbackGateway.StartAsync(new FakeTime(), response, cut, bodyBytes);
        byte[] bytes = Encoding.ASCII.GetBytes(request);
        double best = double.MaxValue;
        for (int round = 0; round < 4 && best >= 1; round++)
        {
            // The first round also warms up: code is compiled, buffers and caches fill.
            best = Math.Min(best, Measure(gateway, bytes));
        }

        Assert.That(best, Is.LessThan(1), "bytes per request");
    }

    [Test]
    public async Task Allocates_nothing_with_requests_that_wake_nothing_and_a_waiting_page(
        [Values("/some", "/other", "test")] string noWake
    )
    {
        using var gateway = await LoopbackGateway.StartAsync(new FakeTime(), Length, configure: config =>
            config with
            {
                NoWake = NoWakeRules.Of([noWake, "/a", "bot"]),
                WaitingPage = true,
            }
        );
        byte[] bytes = Encoding.ASCII.GetBytes(Get);
        double best = double.MaxValue;
        for (int round = 0; round < 4 && best >= 1; round++)
        {
            best = Math.Min(best, Measure(gateway, bytes));
        }

        Assert.That(best, Is.LessThan(1), "bytes per request");
    }

    [TestCase(Length, 0, TestName = "HTTP/2 GET with a small Content-Length response")]
    [TestCase(Chunked, 0, TestName = "HTTP/2 GET with a small chunked response")]
    [TestCase(Chunked, 66, TestName = "HTTP/2 GET with a chunked response in two segments")]
    public async Task A_stream_allocates_nothing(string response, int cut)
    {
        using var gateway = await LoopbackGateway.StartAsync(new FakeTime(), response, cut);
        var client = new Http2LoopbackClient(gateway.Client, LoopbackGateway.Host);
        double best = double.MaxValue;
        for (int round = 0; round < 24 && best >= 1; round++)
        {
            // Buffers that are given back on another thread than they were taken on settle later than over HTTP/1, and later still when
            // other threads come and go on a busy machine.
            best = Math.Min(best, Measure(client));
        }

        Assert.That(best, Is.LessThan(1), "bytes per request");
    }

    [TestCase(AccessLogFormat.Combined, false, TestName = "GET with an access log")]
    [TestCase(AccessLogFormat.Json, false, TestName = "GET with an access log in JSON")]
    [TestCase(AccessLogFormat.Combined, true, TestName = "HTTP/2 GET with an access log")]
    public async Task An_access_log_allocates_nothing(AccessLogFormat format, bool http2)
    {
        string path = Path.Combine(Path.GetTempPath(), $"spawngate-access-{Guid.NewGuid():N}");
        var counts = new RecordCounts();
        AccessLog? log = null;
        try
        {
            // Its clock is the real one, so that the thread writes meanwhile.
            using var gateway = await LoopbackGateway.StartAsync(TimeProvider.System, Length, observe: clock => new RequestObserver(
                TimeProvider.System
            )
            {
                Access = log = new AccessLog(AppendFile.At(path), format, counts, clock, TimeProvider.System, NullLogger.Instance),
            });
            var client = http2 ? new Http2LoopbackClient(gateway.Client, LoopbackGateway.Host) : null;
            byte[] bytes = Encoding.ASCII.GetBytes(Get);
            double best = double.MaxValue;
            for (int round = 0; round < 24 && best >= 1; round++)
            {
                best = Math.Min(best, client is null ? Measure(gateway, bytes) : Measure(client));
            }

            log!.Dispose();
            Assert.That(best, Is.LessThan(1), "bytes per request");
            Assert.That(counts.Written + counts.Dropped, Is.GreaterThanOrEqualTo(Requests), "requests that were logged");
            Assert.That(await File.ReadAllLinesAsync(path), Has.Length.EqualTo(counts.Written));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static double Measure(Http2LoopbackClient client)
    {
        for (int i = 0; i < Requests / 10; i++)
        {
            client.Exchange();
        }

        long before = GC.GetTotalAllocatedBytes(precise: true);
        for (int i = 0; i < Requests; i++)
        {
            client.Exchange();
        }

        double perRequest = (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)Requests;
        TestContext.Out.WriteLine($"{perRequest:f3} bytes per request");
        return perRequest;
    }

    private static double Measure(LoopbackGateway gateway, byte[] request)
    {
        for (int i = 0; i < Requests / 10; i++)
        {
            gateway.Exchange(request);
        }

        long before = GC.GetTotalAllocatedBytes(precise: true);
        for (int i = 0; i < Requests; i++)
        {
            gateway.Exchange(request);
        }

        double perRequest = (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)Requests;
        TestContext.Out.WriteLine($"{perRequest:f3} bytes per request");
        return perRequest;
    }
}
