using Spawngate.Config;

namespace Spawngate.Workloads.Processes;

/// <summary>The bounds of process trees and their guard, each with the reasoning behind its value.</summary>
internal static class ProcessLimits
{
    /// <summary>
    /// Milliseconds a backend must have been ready for its failures to be forgotten: longer than any crash at the first request takes to
    /// show.
    /// </summary>
    public const int StableReadyMs = 10_000;

    /// <summary>
    /// Milliseconds between two readings of the process table for runs that end: 500 of them within a second cause at most 40 readings.
    /// </summary>
    public const int ScanPauseMs = 25;

    /// <summary>
    /// Smallest memory limit in mebibytes: what a shell and the program behind it need to be executed at all, with room to spare.
    /// </summary>
    public const int MemoryMegabytesMin = 4;

    /// <summary>Least niceness that Linux knows: everybody else waits.</summary>
    public const int NiceMin = -20;

    /// <summary>Greatest niceness that Linux knows.</summary>
    public const int NiceMax = 19;

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
    /// Records that wait for such a guard before it is replaced at once: twice as many as there are sessions at most, 8 MB. A new guard
    /// gets one for each instance.
    /// </summary>
    public const int GuardUnwrittenMax = 2 * ConfigLimits.SessionsMax;

    /// <summary>
    /// Bytes of a line about a place that the guard puts together: a kind, by what its things are known (24 for a container), and the path
    /// of a socket (108) or a host name (253).
    /// </summary>
    public const int GuardLineBytesMax = 1024;
}
