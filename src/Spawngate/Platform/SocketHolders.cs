using System.Buffers.Text;
using System.Runtime.InteropServices;

namespace Spawngate.Platform;

/// <summary>What came of a look at a process's descriptors.</summary>
internal enum HolderReading
{
    /// <summary>They were read.</summary>
    Read,

    /// <summary>The process has ended.</summary>
    Gone,

    /// <summary>We may not look at them: another user's process, or one whose program gave it more rights than we have.</summary>
    Hidden,

    /// <summary>They could not be read in this moment, for want of a descriptor or of memory.</summary>
    Failed,
}

/// <summary>
/// Which processes hold a socket, and which are below another (Linux, <c>/proc</c>): about 2 µs for each descriptor that is looked at.
/// </summary>
internal static unsafe partial class SocketHolders
{
    private const int NameOffset = 19; // of struct dirent on every 64-bit Linux
    private const int LinkBytes = 64;
    private const int StatusBytes = 1024;
    private const string Deleted = " (deleted)"; // what the kernel adds when the program was replaced, as by an update
    private const string Library = "libc";

    /// <summary>Takes the sockets that a process holds out of those that are wanted.</summary>
    public static HolderReading Strike(int pid, List<ListeningSocket> wanted)
    {
        int errno = StrikeFolder($"/proc/{pid}/fd", wanted, out bool isEmpty);
        if (wanted.Count > 0 && (isEmpty || errno is Libc.EACCES or Libc.EPERM))
        {
            // Of a process whose first thread has ended, only the other threads show what it holds.
            errno = StrikeThreads(pid, wanted, errno);
        }

        return wanted.Count == 0 || errno == 0 ? HolderReading.Read
            : OpenFiles.IsShortage(errno) ? HolderReading.Failed
            : WhyNot(pid);
    }

    /// <summary>
    /// Why the descriptors of a process could not be read: where processes of others are not shown (<c>hidepid</c>) it looks as if it had
    /// ended.
    /// </summary>
    private static HolderReading WhyNot(int pid)
    {
        if (Libc.Kill(pid, 0) != 0 && Libc.Errno == Libc.ESRCH)
        {
            return HolderReading.Gone;
        }

        // What has ended and was not collected cannot be looked at either, and holds nothing.
        ProcessEntry? entry = ProcessTable.Find(pid, out int errno);
        return entry is { IsZombie: true } ? HolderReading.Gone
            : OpenFiles.IsShortage(errno) ? HolderReading.Failed
            : HolderReading.Hidden;
    }

    private static int StrikeThreads(int pid, List<ListeningSocket> wanted, int errno)
    {
        var threads = new List<int>();
        int unread = ReadNumbers($"/proc/{pid}/task", threads);
        if (OpenFiles.IsShortage(unread))
        {
            return unread;
        }

        threads.Remove(pid);
        foreach (int thread in threads)
        {
            int read = StrikeFolder($"/proc/{pid}/task/{thread}/fd", wanted, out bool isEmpty);
            if (wanted.Count == 0 || !(isEmpty || read is Libc.ENOENT or Libc.ESRCH))
            {
                return read; // They share their descriptors, and who may not look at one may not look at any.
            }
        }

        return errno;
    }

    /// <summary>0 or the errno.</summary>
    private static int StrikeFolder(string folder, List<ListeningSocket> wanted, out bool isEmpty)
    {
        var numbers = new List<int>();
        int errno = ReadNumbers(folder, numbers);
        isEmpty = errno == 0 && numbers.Count == 0;
        byte* link = stackalloc byte[LinkBytes];
        foreach (int number in numbers)
        {
            nint length = ReadLink($"{folder}/{number}", link, LinkBytes);
            errno = length < 0 ? Libc.Errno : 0;
            long inode = length > 0 ? InodeOf(new ReadOnlySpan<byte>(link, (int)length)) : 0;
            if (inode != 0 && wanted.RemoveAll(socket => socket.Inode == inode) > 0 && wanted.Count == 0)
            {
                return 0;
            }

            if (errno is Libc.EACCES or Libc.EPERM || OpenFiles.IsShortage(errno))
            {
                return errno;
            }

            errno = 0; // It was closed meanwhile.
        }

        return errno;
    }

    /// <summary>Whether a process is seen to hold a socket.</summary>
    public static bool Holds(int pid, ListeningSocket socket)
    {
        var wanted = new List<ListeningSocket> { socket };
        _ = Strike(pid, wanted);
        return wanted.Count == 0;
    }

    /// <summary>Adds the processes that a process started and that still are its children; on a kernel that does not tell, none.</summary>
    public static void AddChildren(int pid, List<int> to)
    {
        var threads = new List<int>();
        _ = ReadNumbers($"/proc/{pid}/task", threads);
        byte* text = stackalloc byte[StatusBytes];
        foreach (int thread in threads)
        {
            int length = Read($"/proc/{pid}/task/{thread}/children", text, StatusBytes);
            var numbers = new ReadOnlySpan<byte>(text, Math.Max(0, length));

            // Each number ends with a blank; one without was cut, and is found by the table of processes.
            while (numbers.IndexOf((byte)' ') is var end and > 0)
            {
                if (Utf8Parser.TryParse(numbers[..end], out int child, out _))
                {
                    to.Add(child);
                }

                numbers = numbers[(end + 1)..];
            }
        }
    }

    /// <summary>
    /// The users that a process acts as (real, effective, saved, of files); empty when that cannot be seen, null when not in this moment.
    /// </summary>
    public static HashSet<long>? UsersOf(int pid)
    {
        var users = new HashSet<long>();
        byte* text = stackalloc byte[StatusBytes];
        int length = Read($"/proc/{pid}/status", text, StatusBytes);
        if (length < 0 && OpenFiles.IsShortage(Libc.Errno))
        {
            return null;
        }

        var status = new ReadOnlySpan<byte>(text, Math.Max(0, length));
        ReadOnlySpan<byte> label = "\nUid:"u8;
        if (status.IndexOf(label) is var at and >= 0)
        {
            var line = status[(at + label.Length)..];
            line = line[..Math.Max(0, line.IndexOf((byte)'\n'))];
            foreach (var field in line.Split((byte)'\t'))
            {
                if (Utf8Parser.TryParse(line[field], out long user, out int used) && used > 0)
                {
                    users.Add(user);
                }
            }
        }

        return users;
    }

    /// <summary>The name that a process goes by, which it can choose; empty when that cannot be seen.</summary>
    public static string NameOf(int pid)
    {
        byte* text = stackalloc byte[LinkBytes];
        int length = Read($"/proc/{pid}/comm", text, LinkBytes);
        return System.Text.Encoding.UTF8.GetString(new ReadOnlySpan<byte>(text, Math.Max(0, length)).TrimEnd((byte)'\n'));
    }

    /// <summary>The path of the program that a process executes; empty when that cannot be seen.</summary>
    public static string ProgramOf(int pid)
    {
        byte* text = stackalloc byte[StatusBytes];
        nint length = ReadLink($"/proc/{pid}/exe", text, StatusBytes);
        string path = System.Text.Encoding.UTF8.GetString(new ReadOnlySpan<byte>(text, (int)Math.Max(0, length)));
        return path.EndsWith(Deleted, StringComparison.Ordinal) ? path[..^Deleted.Length] : path;
    }

    // socket:[12345]
    private static long InodeOf(ReadOnlySpan<byte> link)
    {
        ReadOnlySpan<byte> prefix = "socket:["u8;
        return link.StartsWith(prefix) && Utf8Parser.TryParse(link[prefix.Length..], out long inode, out _) ? inode : 0;
    }

    /// <summary>Adds the entries of a folder that are numbers; 0 or the errno.</summary>
    private static int ReadNumbers(string path, List<int> to)
    {
        nint folder = OpenDirectory(path);
        if (folder == 0)
        {
            return Libc.Errno;
        }

        byte* entry;
        while ((entry = ReadDirectory(folder)) is not null)
        {
            var name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(entry + NameOffset);
            if (Utf8Parser.TryParse(name, out int number, out int used) && used == name.Length)
            {
                to.Add(number);
            }
        }

        _ = CloseDirectory(folder);
        return 0;
    }

    private static int Read(string path, byte* buffer, int bytes)
    {
        int fd = Libc.Open(path, Libc.O_RDONLY | Libc.O_CLOEXEC);
        if (fd < 0)
        {
            return -1;
        }

        nint length = Libc.Read(fd, buffer, (nuint)bytes);
        Descriptors.Close(fd);
        return (int)length;
    }

    [LibraryImport(Library, EntryPoint = "opendir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenDirectory(string path);

    [LibraryImport(Library, EntryPoint = "readdir")]
    private static partial byte* ReadDirectory(nint directory);

    [LibraryImport(Library, EntryPoint = "closedir")]
    private static partial int CloseDirectory(nint directory);

    [LibraryImport(Library, EntryPoint = "readlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint ReadLink(string path, byte* buffer, nuint count);
}
