using Spawngate.Telemetry.History;

namespace Spawngate.Telemetry;

/// <summary>What is counted of one backend.</summary>
/// <param name="Traffic">Its requests; null when there was none.</param>
/// <param name="Events">How often each kind of event has happened to it, by the kind's number.</param>
/// <param name="ChecksFailed">Failed health checks of ready processes.</param>
internal sealed record BackendNumbers(BackendTraffic? Traffic, long[] Events, long ChecksFailed)
{
    /// <summary>How often an event has happened.</summary>
    public long CountOf(HistoryEventKind kind) => Events.Length == 0 ? 0 : Events[(int)kind];
}

/// <summary>What is counted of the gateway.</summary>
/// <param name="Traffic">Of requests and starts.</param>
/// <param name="ConnectionsOpen">Client connections that are open.</param>
/// <param name="ConnectionsTotal">Client connections that were ever opened.</param>
internal sealed record GatewayNumbers(GatewayTraffic Traffic, int ConnectionsOpen, long ConnectionsTotal)
{
    /// <summary>What clients hold, and what was done about it; null when nobody looks.</summary>
    public OverloadNumbers? Overload { get; init; }
}
