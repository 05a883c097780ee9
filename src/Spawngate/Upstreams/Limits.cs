namespace Spawngate.Upstreams;

/// <summary>The bounds of connections to backends, each with the reasoning behind its value.</summary>
internal static class UpstreamLimits
{
    /// <summary>Milliseconds between trims of a pool, and how long a surplus idle connection is spared: ten ticks.</summary>
    public const int PoolTrimPeriodMs = 1000;
}
