namespace Spawngate.Telemetry;

/// <summary>What is counted of the gateway as a whole.</summary>
internal sealed class GatewayTraffic
{
    /// <summary>Requests that no backend serves, malformed ones included.</summary>
    public BackendTraffic Unrouted { get; } = new();

    /// <summary>Lines of the access log.</summary>
    public RecordCounts AccessLines { get; } = new();

    /// <summary>Spans.</summary>
    public RecordCounts Spans { get; } = new();

    /// <summary>Time that the gateway itself took for a request.</summary>
    public TimeHistogram Overhead { get; } = new(Buckets.Overhead);

    /// <summary>Time that requests were held.</summary>
    public TimeHistogram Held { get; } = new(Buckets.Starts);

    /// <summary>Time from the waking request until the process or container was created.</summary>
    public TimeHistogram Spawn { get; } = new(Buckets.Starts);

    /// <summary>The same until it listened.</summary>
    public TimeHistogram Listen { get; } = new(Buckets.Starts);

    /// <summary>The same until it was ready.</summary>
    public TimeHistogram Ready { get; } = new(Buckets.Starts);
}
