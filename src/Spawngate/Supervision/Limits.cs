namespace Spawngate.Supervision;

/// <summary>The bounds of the service manager, each with the reasoning behind its value.</summary>
internal static class SupervisionLimits
{
    /// <summary>
    /// Longest watchdog time that is kept, 12 days in microseconds: its half has to fit the timers of the runtime (49 days).
    /// </summary>
    public const long WatchdogUsecMax = 1_000_000_000_000;
}
