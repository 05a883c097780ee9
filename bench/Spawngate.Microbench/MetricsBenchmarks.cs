using BenchmarkDotNet.Attributes;
using Spawngate.Telemetry;

namespace Spawngate.Microbench;

/// <summary>What the metrics cost a request: every number that is counted for an exchange, and its looks at the clock.</summary>
public class MetricsBenchmarks
{
    private readonly BackendTraffic _backend = new();
    private readonly GatewayTraffic _gateway = new();
    private readonly TimeProvider _time = TimeProvider.System;

    /// <summary>All that an ordinary exchange counts: it begins, is sent, is answered, ends.</summary>
    [Benchmark]
    public void CountExchange()
    {
        long begun = _time.GetTimestamp();
        _backend.CountSent();
        long sent = _time.GetTimestamp();
        long answered = _time.GetTimestamp();
        _backend.Count(ReceivedProtocol.Http1, 200, 0, 13);
        _backend.CountAnswer(answered - sent);
        _gateway.Overhead.Observe(_time.GetTimestamp() - begun - (answered - sent));
    }
}
