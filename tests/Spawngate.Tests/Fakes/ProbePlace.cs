using System.Net;
using Spawngate.Backends.Probing;
using Spawngate.Config;
using Spawngate.Runtime;
using Spawngate.Upstreams;

namespace Spawngate.Tests.Fakes;

/// <summary>Where a health probe asks, with the pool that it takes its connections from.</summary>
internal sealed class ProbePlace : IDisposable
{
    private readonly CoarseClock _clock = new(new FakeTime());

    public ProbePlace(IPEndPoint endPoint, bool isForwarded = false, ListenerTrust? trust = null) =>
        Pool = Open(endPoint, isForwarded, trust);

    public UpstreamPool Pool { get; }

    /// <summary>Another place of the same instance.</summary>
    public UpstreamPool Open(IPEndPoint endPoint, bool isForwarded = false, ListenerTrust? trust = null) =>
        new(endPoint, 10, 90_000, _clock) { IsForwarded = isForwarded, Trust = trust };

    public ProbeTarget Target(string? path = "/health", int retryMs = 5, string statuses = "200-299", params UpstreamPool[] others) =>
        new([Pool, .. others], "app.example.com", new HealthRule(path, StatusRanges.Parse(statuses.Split(','))!), retryMs);

    public void Dispose()
    {
        Pool.Retire();
        _clock.Dispose();
    }
}
