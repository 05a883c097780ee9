using Spawngate.Telemetry;
using Spawngate.Telemetry.History;

namespace Spawngate.Backends;

/// <summary>
/// What makes a backend one that starts once: when its only instance ends, for whatever reason, it is closed. Who made it is told after
/// every message of its lifecycle.
/// </summary>
/// <param name="group">What it is summed up under.</param>
/// <param name="traffic">Where its traffic is added up with that of others.</param>
/// <param name="watch">
/// Gets what the lifecycle shows and what has happened since the last call; one call at a time, and it must not block.
/// </param>
internal sealed class EphemeralLifetime(string group, BackendTraffic traffic, Action<LifecycleView, IReadOnlyList<HistoryEvent>> watch)
{
    /// <summary>What it is summed up under.</summary>
    public string Group => group;

    /// <summary>Where its traffic is added up with that of others.</summary>
    public BackendTraffic Traffic => traffic;

    /// <summary>Tells who made it.</summary>
    public void Tell(LifecycleView view, IReadOnlyList<HistoryEvent> news) => watch(view, news);
}
