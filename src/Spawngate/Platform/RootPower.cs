using System.Globalization;

namespace Spawngate.Platform;

/// <summary>How much of root this process has (Linux).</summary>
internal static class RootPower
{
    /// <summary>Number of a user that has none here (<c>/proc/sys/kernel/overflowuid</c>).</summary>
    private const long NoUser = 65534;

    // Capabilities that no container engine leaves to root by default. Each of them gives control over the whole machine, or over all of
    // its files, processes or users: CAP_DAC_OVERRIDE, CAP_SETUID, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_PTRACE, CAP_SYS_ADMIN.
    private const ulong Whole = (1UL << 1) | (1UL << 7) | (1UL << 16) | (1UL << 17) | (1UL << 19) | (1UL << 21);

    // CAP_KILL, CAP_SETGID, CAP_SETUID: to start a process as another user, and to end it again.
    private const ulong Others = (1UL << 5) | (1UL << 6) | (1UL << 7);

    private const ulong Niceness = 1UL << 23; // CAP_SYS_NICE

    private static readonly Lazy<string> Users = new(static () => Read("/proc/self/uid_map"));

    /// <summary>
    /// Whether this process is in a user namespace of its own, as in a container without root: there root is another user in disguise.
    /// </summary>
    private static bool IsConfined => Users.Value.Length > 0 && !IsWholeMap(Users.Value);

    /// <summary>
    /// Whether a user is one that has no number here, and so may be root outside of this user namespace. Where the namespace has a user of
    /// that number, as in a container of an engine that gives it 65,536 users, everybody of that number counts as him.
    /// </summary>
    public static bool IsOutsider(long user) => user == NoUser && IsConfined && !HasUser(Users.Value, user);

    /// <summary>Whether this process, and so what it starts, is root with all that makes root almighty.</summary>
    public static bool IsAlmighty => Libc.IsLinux && Libc.EffectiveUser() == 0 && HasAll(Read("/proc/self/status")) && !IsConfined;

    /// <summary>Whether this process may start processes as other users, and end them.</summary>
    public static bool CoversOthers => Libc.IsLinux && HasAll(Read("/proc/self/status"), Others);

    /// <summary>Whether this process may have processes run before those of others.</summary>
    public static bool CoversNiceness => Libc.IsLinux && HasAll(Read("/proc/self/status"), Niceness);

    /// <summary>Whether the text of <c>/proc/PID/status</c> tells of all capabilities that matter.</summary>
    internal static bool HasAll(string status) => HasAll(status, Whole);

    private static bool HasAll(string status, ulong wanted)
    {
        string? effective = status.Split('\n').FirstOrDefault(static line => line.StartsWith("CapEff:", StringComparison.Ordinal));
        return effective is not null
            && ulong.TryParse(
                effective.AsSpan("CapEff:".Length).Trim(),
                NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture,
                out ulong set
            )
            && (set & wanted) == wanted;
    }

    /// <summary>Whether the text of <c>/proc/PID/uid_map</c> is that of the first namespace: everybody is who he is.</summary>
    internal static bool IsWholeMap(string map) =>
        map.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries) is ["0", "0", "4294967295"];

    /// <summary>
    /// Whether the text of <c>/proc/PID/uid_map</c> gives somebody this number: each line has the first number inside, the first outside,
    /// and how many.
    /// </summary>
    internal static bool HasUser(string map, long user)
    {
        foreach (string line in map.Split('\n'))
        {
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (
                fields.Length == 3
                && long.TryParse(fields[0], CultureInfo.InvariantCulture, out long first)
                && long.TryParse(fields[2], CultureInfo.InvariantCulture, out long count)
                && user >= first
                && user - first < count
            )
            {
                return true;
            }
        }

        return false;
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
