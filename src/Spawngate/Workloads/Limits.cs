using Spawngate.Logging;

namespace Spawngate.Workloads;

/// <summary>The bounds of whatever runs a backend, each with the reasoning behind its value.</summary>
internal static class WorkloadLimits
{
    /// <summary>
    /// Milliseconds to wait for an exit after SIGKILL: the kernel needs a few; 10 s also covers a Docker engine under load.
    /// </summary>
    public const int KillWaitMs = 10_000;

    /// <summary>Lines of stderr kept of an instance for the report of its end: a stack trace's worth.</summary>
    public const int StderrTailLines = 20;

    /// <summary>Bytes of these: two lines of the greatest length.</summary>
    public const int StderrTailBytes = 2 * LoggingLimits.OutputLineBytes;

    /// <summary>Lines of stdout kept beside them: what a program that logs there said last, and the line before it.</summary>
    public const int StdoutTailLines = 10;

    /// <summary>Bytes of these: one line of the greatest length, so the memory per instance stays below 60 KiB.</summary>
    public const int StdoutTailBytes = LoggingLimits.OutputLineBytes;
}
