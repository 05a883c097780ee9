using Spawngate.Logging;

namespace Spawngate.Workloads.Processes;

/// <summary>The bounds of process trees and their guard, each with the reasoning behind its value.</summary>
internal static class ProcessLimits
{
    /// <summary>
    /// Milliseconds a backend must have been ready for its failures to be forgotten: longer than any crash at the first request takes to
    /// show.
    /// </summary>
    public const int StableReadyMs = 10_000;

    /// <summary>Lines of stderr kept of a run for the report of its end: a stack trace's worth.</summary>
    public const int StderrTailLines = 20;

    /// <summary>Bytes of these: two lines of the greatest length, so the memory per run stays below 40 KiB.</summary>
    public const int StderrTailBytes = 2 * LoggingLimits.OutputLineBytes;

    /// <summary>
    /// Milliseconds between two readings of the process table for runs that end: 500 of them within a second cause at most 40 readings.
    /// </summary>
    public const int ProcessScanPauseMs = 25;

    /// <summary>
    /// Processes below a leader that are looked at one by one for who listens, 0.1 ms each; beyond them reading the table of processes is
    /// no dearer.
    /// </summary>
    public const int RunTreeLooks = 32;

    /// <summary>
    /// Milliseconds the gateway waits at its end for its guard, which then has only to exit: 1 ms, or its whole start of some hundred when
    /// that is still under way.
    /// </summary>
    public const int GuardStopMs = 1000;

    /// <summary>
    /// Milliseconds between attempts to write to a guard whose pipe is full: it takes 1,638 records and empties within microseconds, unless
    /// the guard is stopped.
    /// </summary>
    public const int GuardRetryMs = 10;

    /// <summary>
    /// Attempts after which such a guard is replaced: 500 × 10 ms, longer than a machine under load delays a ready process.
    /// </summary>
    public const int GuardRetriesMax = 500;

    /// <summary>
    /// Bytes of a line about an engine that the guard puts together: a label (24) and the path of a socket (108), or a host name (253).
    /// </summary>
    public const int GuardLineBytesMax = 1024;
}
