namespace Spawngate.Runtime;

/// <summary>The bounds of what every part shares, each with the reasoning behind its value.</summary>
internal static class RuntimeLimits
{
    /// <summary>
    /// Period of the coarse clock in milliseconds: a tenth of the shortest configurable time (1 s), so deadlines are exact to 10 %.
    /// </summary>
    public const int ClockTickMs = 100;

    /// <summary>
    /// Longest wait between failing starts in seconds: 1, 2, 4, 8, 16, 30; half a minute keeps a crash loop under 3 starts a minute.
    /// </summary>
    public const int RetryWaitSecsMax = 30;
}
