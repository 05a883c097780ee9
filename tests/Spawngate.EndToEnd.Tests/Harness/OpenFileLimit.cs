using System.Globalization;
using System.Runtime.InteropServices;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>
/// The soft limit of open files of a process that runs, changed from outside (Linux): without a free number below it, nothing can be
/// opened.
/// </summary>
internal sealed partial class OpenFileLimit(int pid)
{
    private const int Resource = 7; // RLIMIT_NOFILE

    /// <summary>What it is.</summary>
    public ulong Soft => Read().Soft;

    private HashSet<int> Open =>
        [
            .. Directory
                .EnumerateFileSystemEntries($"/proc/{pid}/fd")
                .Select(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture)),
        ];

    /// <summary>Sets it to just above the highest number that is open. Returns how many below it are free.</summary>
    public int LeaveGaps()
    {
        var open = Open;
        int limit = open.Max() + 1;
        Set((ulong)limit);
        return limit - open.Count;
    }

    /// <summary>Sets it to the lowest number that is free, so that there is none.</summary>
    public void LeaveNone()
    {
        var open = Open;
        int free = 0;
        while (open.Contains(free))
        {
            free++;
        }

        Set((ulong)free);
    }

    /// <summary>Sets it.</summary>
    public unsafe void Set(ulong soft)
    {
        ulong* limit = stackalloc ulong[] { soft, Read().Hard };
        Assert.That(SetLimit(pid, Resource, limit, null), Is.Zero, "prlimit");
    }

    private unsafe (ulong Soft, ulong Hard) Read()
    {
        ulong* limit = stackalloc ulong[2];
        Assert.That(SetLimit(pid, Resource, null, limit), Is.Zero, "prlimit");
        return (limit[0], limit[1]);
    }

    [LibraryImport("libc", EntryPoint = "prlimit")]
    private static unsafe partial int SetLimit(int pid, int resource, ulong* toSet, ulong* before);
}
