using System.Globalization;

namespace Spawngate.Platform;

/// <summary>
/// The memory that this process may use together with those it shares it with: that of the machine, or of the container (Linux: the
/// smallest limit of its cgroup and of those above it).
/// </summary>
/// <remarks>
/// The runtime has such a number too, but means by it how much its heap may have, which in a container is three quarters of the limit.
/// <code>
///  /proc/self/cgroup      0::/user.slice/gate.service            7:memory:/docker/abc
///  /proc/self/mountinfo   /sys/fs/cgroup, type cgroup2           /sys/fs/cgroup/memory, type cgroup with "memory"
///  limits                 memory.max there, and in each folder   memory.limit_in_bytes likewise
///                         above it up to the mount
/// </code>
/// </remarks>
/// <param name="read">Reads a file; null when there is none.</param>
internal sealed class MachineMemory(Func<string, string?> read)
{
    private const string Controller = "memory";
    private const string UsualMount = "/sys/fs/cgroup";

    /// <summary>That of this machine or container in bytes.</summary>
    public static long Bytes => (Libc.IsLinux ? new MachineMemory(Read).Find() : null) ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>
    /// The most that the heap of this process may have, in bytes: three quarters of the container's limit, what
    /// <c>DOTNET_GCHeapHardLimit</c> says, or all that the machine has. 0 when it is not known.
    /// </summary>
    public static long HeapBytes => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>The smaller of what the machine has and what it is limited to; null when the former is not known.</summary>
    public long? Find()
    {
        if (Lines("/proc/meminfo").Select(InstalledBytes).FirstOrDefault(static bytes => bytes > 0) is not (> 0 and var installed))
        {
            return null;
        }

        return Lines("/proc/self/cgroup").Select(LimitOf).Append(installed).Min();
    }

    /// <summary>Of a line of <c>/proc/meminfo</c>, such as <c>MemTotal: 16384 kB</c>; 0 for another line.</summary>
    private static long InstalledBytes(string line) =>
        line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is ["MemTotal:", var kilobytes, "kB"] && TryParse(kilobytes, out long count)
            ? count * 1024
            : 0;

    /// <summary>Of a line of <c>/proc/self/cgroup</c>, <c>number:controllers:path</c>. Version 2 has number 0 and no controllers.</summary>
    private long LimitOf(string line)
    {
        string[] parts = line.Split(':', 3);
        bool isUnified = parts is ["0", "", _];
        if (!isUnified && (parts.Length < 3 || !parts[1].Split(',').Contains(Controller)))
        {
            return long.MaxValue;
        }

        (string root, string mount) = FindMount(isUnified, parts[2]) ?? ("/", isUnified ? UsualMount : $"{UsualMount}/{Controller}");

        // In a container it may be a path of the machine that is not visible there; then the mount is the visible part of it.
        string below =
            Covers(root, parts[2]) && !parts[2].Contains("/..", StringComparison.Ordinal)
                ? parts[2][root.TrimEnd('/').Length..].Trim('/')
                : "";
        string folder = below.Length > 0 ? $"{mount}/{below}" : mount;
        long limit = long.MaxValue;
        for (; folder.Length >= mount.Length; folder = folder[..Math.Max(0, folder.LastIndexOf('/'))])
        {
            string? text = read($"{folder}/{(isUnified ? "memory.max" : "memory.limit_in_bytes")}");
            limit = text is not null && TryParse(text.Trim(), out long bytes) && bytes > 0 ? Math.Min(limit, bytes) : limit;
        }

        return limit;
    }

    /// <summary>
    /// Where the cgroups are mounted, and which of them is the root of that: the mount that shows a path, else any. Lines of
    /// <c>/proc/self/mountinfo</c> are <c>36 25 0:31 /root /mount/point rw,nosuid shared:9 - cgroup2 cgroup rw</c> (proc(5)).
    /// </summary>
    private (string Root, string Mount)? FindMount(bool isUnified, string path)
    {
        (string Root, string Mount)? any = null;
        foreach (string line in Lines("/proc/self/mountinfo"))
        {
            string[] halves = line.Split(" - ", 2);
            if (
                halves.Length < 2
                || halves[0].Split(' ') is not [_, _, _, var root, var mount, ..]
                || halves[1].Split(' ') is not [var type, _, var options, ..]
            )
            {
                continue;
            }

            if (isUnified ? type != "cgroup2" : type != "cgroup" || !options.Split(',').Contains(Controller))
            {
                continue;
            }

            var found = (Unescape(root), Unescape(mount));
            if (Covers(found.Item1, path))
            {
                return found;
            }

            any ??= found;
        }

        return any;
    }

    private static bool Covers(string root, string path) =>
        root == "/" || path == root || path.StartsWith($"{root}/", StringComparison.Ordinal);

    private static string Unescape(string text) =>
        text.Replace("\\040", " ", StringComparison.Ordinal)
            .Replace("\\011", "\t", StringComparison.Ordinal)
            .Replace("\\134", "\\", StringComparison.Ordinal);

    private static bool TryParse(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private string[] Lines(string path) => read(path)?.Split('\n', StringSplitOptions.RemoveEmptyEntries) ?? [];

    private static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
