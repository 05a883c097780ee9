using System.Buffers.Text;
using System.Globalization;
using System.IO.Enumeration;

namespace Spawngate.Platform;

/// <summary>One process as the kernel lists it.</summary>
/// <param name="Pid">Its number.</param>
/// <param name="Parent">Number of its parent.</param>
/// <param name="Group">Number of its process group.</param>
/// <param name="Session">Number of its session.</param>
/// <param name="Start">When it started, in clock ticks since the machine did: number and start together name one process for ever.</param>
/// <param name="IsZombie">Whether it has ended and only waits to be collected; a process whose first thread alone has ended lives.</param>
internal readonly record struct ProcessEntry(int Pid, int Parent, int Group, int Session, long Start, bool IsZombie)
{
    private const int ThreadsField = 17;
    private const int StartField = 19; // counted from the state, which is field 3 of proc_pid_stat(5); the start is field 22

    /// <summary>Reads the text of <c>/proc/PID/stat</c>; null when it is not that.</summary>
    public static ProcessEntry? Parse(int pid, ReadOnlySpan<byte> stat)
    {
        // The second field is the name in brackets, and the name may have blanks and brackets of its own.
        int at = stat.LastIndexOf((byte)')') + 2;
        if (at < 2 || at >= stat.Length)
        {
            return null;
        }

        stat = stat[at..];
        bool hasEnded = stat[0] is (byte)'Z' or (byte)'X' or (byte)'x';
        Span<long> fields = stackalloc long[StartField + 1];
        for (int i = 0; i <= StartField; i++)
        {
            int end = stat.IndexOf((byte)' ');
            if (end < 0 || (i > 0 && !Utf8Parser.TryParse(stat[..end], out fields[i], out _)))
            {
                return null;
            }

            stat = stat[(end + 1)..];
        }

        return new ProcessEntry(
            pid,
            (int)fields[1],
            (int)fields[2],
            (int)fields[3],
            fields[StartField],
            hasEnded && fields[ThreadsField] <= 1
        );
    }
}

/// <summary>The kernel's table of processes, read from <c>/proc</c>: about 10 µs of processor time for each process.</summary>
internal static unsafe class ProcessTable
{
    /// <summary>Whether this system has one that can be read.</summary>
    public static bool IsAvailable { get; } = Libc.IsLinux && Directory.Exists("/proc/self");

    /// <summary>
    /// Appends an entry for every process. One that exists all the while is never missed; those that come and go meanwhile may be.
    /// </summary>
    /// <returns>False when some could not be read for want of a descriptor or of memory: then any may be missing.</returns>
    public static bool Read(List<ProcessEntry> to)
    {
        if (!IsAvailable)
        {
            return true;
        }

        try
        {
            return ReadAll(to);
        }
        catch (IOException)
        {
            return false; // Not even the folder could be opened.
        }
    }

    private static bool ReadAll(List<ProcessEntry> to)
    {
        bool isWhole = true;

        // Only names are looked at: the kind of an entry would cost a system call each.
        var numbers = new FileSystemEnumerable<int>("/proc", static (ref FileSystemEntry entry) =>
            int.Parse(entry.FileName, NumberStyles.None, CultureInfo.InvariantCulture)
        )
        {
            ShouldIncludePredicate = static (ref FileSystemEntry entry) => char.IsAsciiDigit(entry.FileName[0]),
        };
        foreach (int pid in numbers)
        {
            if (Find(pid, out int errno) is { } entry)
            {
                to.Add(entry);
            }

            isWhole &= !OpenFiles.IsShortage(errno);
        }

        return isWhole;
    }

    /// <summary>The entry of one process; null when there is none.</summary>
    public static ProcessEntry? Find(int pid) => Find(pid, out _);

    /// <summary>The same.</summary>
    /// <param name="pid">Its number.</param>
    /// <param name="errno">Why it could not be opened; 0 when it could.</param>
    public static ProcessEntry? Find(int pid, out int errno)
    {
        byte* buffer = stackalloc byte[PlatformLimits.ProcessStatBytes];
        int fd = Open(pid, "stat\0"u8);
        errno = fd < 0 ? Libc.Errno : 0;
        if (fd < 0)
        {
            return null;
        }

        nint length = Libc.Read(fd, buffer, PlatformLimits.ProcessStatBytes);
        Descriptors.Close(fd);
        return length <= 0 ? null : ProcessEntry.Parse(pid, new ReadOnlySpan<byte>(buffer, (int)length));
    }

    /// <summary>
    /// The token in the environment a process was executed with; null when there is none or it is not ours to read. In the moment of
    /// executing a program a process has no environment: an empty one is looked at again.
    /// </summary>
    /// <param name="pid">Its number.</param>
    /// <param name="errno">Why its environment could not be opened; 0 when it could.</param>
    public static InstanceToken? TokenOfChild(int pid, out int errno)
    {
        InstanceToken? token = TokenOf(pid, out bool isEmpty, out errno);
        for (int retry = 0; isEmpty && retry < PlatformLimits.EnvironRetriesMax; retry++)
        {
            _ = Libc.Poll(null, 0, PlatformLimits.EnvironRetryMs);
            token = TokenOf(pid, out isEmpty, out errno);
        }

        return token;
    }

    /// <summary>The same, looked at once.</summary>
    public static InstanceToken? TokenOf(int pid) => TokenOf(pid, out _, out _);

    private static InstanceToken? TokenOf(int pid, out bool isEmpty, out int errno)
    {
        isEmpty = false;
        int fd = Open(pid, "environ\0"u8);
        errno = fd < 0 ? Libc.Errno : 0;
        if (fd < 0)
        {
            return null;
        }

        byte* buffer = stackalloc byte[PlatformLimits.EnvironReadBytes + 1];
        InstanceToken? token = null;
        int kept = 0;
        nint length;
        isEmpty = true;
        while (token is null && (length = Libc.Read(fd, buffer + kept, (nuint)(PlatformLimits.EnvironReadBytes - kept))) > 0)
        {
            isEmpty = false;
            int filled = kept + (int)length;
            buffer[filled] = 0; // Ends the last entry, should the process have overwritten the end of its environment.
            token = InstanceToken.Find(new ReadOnlySpan<byte>(buffer, filled + 1));

            // An entry that is not whole yet begins in what is kept.
            kept = Math.Min(filled, PlatformLimits.EnvironEntryBytes);
            new ReadOnlySpan<byte>(buffer + filled - kept, kept).CopyTo(new Span<byte>(buffer, kept));
        }

        Descriptors.Close(fd);
        return token;
    }

    /// <summary>
    /// Sends a signal to that very process or to its group, and SIGCONT behind a SIGTERM so that a stopped one can act on it. No effect
    /// when it has ended: its number may be another's.
    /// </summary>
    public static void Signal(ProcessEntry process, bool wholeGroup, int signal)
    {
        if (IsAvailable && (Find(process.Pid) is not { } now || now.Start != process.Start || now.Group != process.Group))
        {
            return;
        }

        int target = wholeGroup ? -process.Group : process.Pid;
        _ = Libc.Kill(target, signal);
        if (signal == Libc.SIGTERM)
        {
            _ = Libc.Kill(target, Libc.SIGCONT);
        }
    }

    private static int Open(int pid, ReadOnlySpan<byte> file)
    {
        Span<byte> path = stackalloc byte["/proc/2147483647/environ\0".Length];
        "/proc/"u8.CopyTo(path);
        int at = "/proc/".Length;
        _ = Utf8Formatter.TryFormat(pid, path[at..], out int digits);
        at += digits;
        path[at++] = (byte)'/';
        file.CopyTo(path[at..]);
        fixed (byte* start = path)
        {
            return Libc.Open(start, Libc.O_RDONLY | Libc.O_CLOEXEC);
        }
    }
}
