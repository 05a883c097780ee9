namespace Spawngate.Workloads;

/// <summary>The bounds of what every kind of workload has in common, each with the reasoning behind its value.</summary>
internal static class WorkloadLimits
{
    /// <summary>
    /// Milliseconds to wait for an exit after SIGKILL: the kernel needs a few; 10 s also covers a Docker engine under load.
    /// </summary>
    public const int KillWaitMs = 10_000;
}
