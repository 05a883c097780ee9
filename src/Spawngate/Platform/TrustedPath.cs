using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Spawngate.Platform;

/// <summary>What came of opening a file.</summary>
/// <param name="Descriptor">The descriptor; negative when there is none.</param>
/// <param name="Errno">Why the kernel gave none; 0 when it was not the kernel.</param>
/// <param name="Problem">Why it is not trusted; null when it is.</param>
internal readonly record struct TrustedFile(int Descriptor, int Errno, string? Problem);

/// <summary>
/// Opens files that are to be written, by paths from the configuration, so that no other user of the machine can lead the gateway to
/// another file (Linux). It often runs as root, and its files often lie where others may write.
/// <code>
///   /var/log/gate/access.log     each part is opened in the folder before it, without following links
///      │    │        │
///      └────┴────────┴── a link? ── root's or our own: its target takes its place ── anybody else's: refused
///                    └── the file itself: no second name in a folder of others, no file or pipe of others in a folder that everybody may write
/// </code>
/// What the kernel refuses with <c>fs.protected_symlinks</c>, <c>_hardlinks</c>, <c>_regular</c> and <c>_fifos</c> is refused here whatever
/// these say, and links in folders of their makers too. Links of <c>/proc</c>, to which <c>/dev/stdout</c> leads, are the kernel's own.
/// </summary>
internal static unsafe partial class TrustedPath
{
    private const int O_PATH = 0x200000;
    private const int O_CREAT = 0x40;
    private const int O_EXCL = 0x80;
    private const int AT_EMPTY_PATH = 0x1000;
    private const uint StatMask = 0x7FF; // STATX_BASIC_STATS
    private const int StatBytes = 256;
    private const int KindMask = 0xF000;
    private const int KindFolder = 0x4000;
    private const int KindLink = 0xA000;
    private const int WritableByOthers = 0x12; // group and everybody
    private const int WritableByAll = 0x2;
    private const string Library = "libc";

    /// <summary>Whether it can be looked at here who made a link.</summary>
    public static bool IsSupported { get; } = Libc.IsLinux && StatNumber != 0 && CanStat();

    private static nint StatNumber =>
        X86Base.X64.IsSupported ? 332
        : ArmBase.Arm64.IsSupported ? 291
        : 0;

    private static int O_NOFOLLOW => ArmBase.Arm64.IsSupported ? 0x8000 : 0x20000;

    /// <summary>Opens a file, or makes it.</summary>
    /// <param name="path">Where.</param>
    /// <param name="flags">How, as for <c>open(2)</c>.</param>
    /// <param name="mode">Mode of a file that is made; null when none shall be.</param>
    public static TrustedFile Open(string path, int flags, int? mode)
    {
        for (int attempt = 0; ; attempt++)
        {
            TrustedFile file = OpenOnce(path, flags, mode);

            // Made by somebody else, or removed, between the two looks.
            if (mode is null || attempt == PlatformLimits.PidFileAttempts || file.Errno is not (Libc.EEXIST or Libc.ENOENT))
            {
                return file;
            }
        }
    }

    /// <summary>Why a path would not be trusted, without touching what is there; null when it would.</summary>
    public static string? FindProblem(string path)
    {
        if (!IsSupported)
        {
            return null;
        }

        using var end = Follow(path);
        if (end.Problem is not null || end.Errno != 0 || end.IsKernels)
        {
            return end.Problem;
        }

        int fd = OpenAt(end.Folder, end.Name, O_PATH | O_NOFOLLOW | Libc.O_CLOEXEC, 0);
        string? problem = fd < 0 ? null : FindProblem(fd, end);
        Descriptors.Close(fd);
        return problem;
    }

    private static TrustedFile OpenOnce(string path, int flags, int? mode)
    {
        using var end = Follow(path);
        if (end.Problem is not null || end.Errno != 0)
        {
            return new TrustedFile(-1, end.Errno, end.Problem);
        }

        flags |= Libc.O_CLOEXEC | (end.IsKernels ? 0 : O_NOFOLLOW);
        int fd = OpenAt(end.Folder, end.Name, flags, 0);
        if (fd < 0 && Libc.Errno == Libc.ENOENT && mode is { } made)
        {
            fd = OpenAt(end.Folder, end.Name, flags | O_CREAT | O_EXCL, made);
        }

        if (fd < 0)
        {
            return new TrustedFile(-1, Libc.Errno, null);
        }

        string? problem = end.IsKernels ? null : FindProblem(fd, end);
        if (problem is null)
        {
            return new TrustedFile(fd, 0, null);
        }

        Descriptors.Close(fd);
        return new TrustedFile(-1, 0, problem);
    }

    /// <summary>Goes to the folder of what a path leads to.</summary>
    private static PathEnd Follow(string path)
    {
        string full = Path.GetFullPath(path);
        var left = new Stack<string>();
        Push(left, full);
        var end = new PathEnd { Folder = OpenRoot() };
        bool isRoot = true;
        int links = 0;
        while (left.TryPop(out string? name))
        {
            end.Name = name;
            if (isRoot && name == "proc")
            {
                end.IsKernels = true;
                end.Name = string.Join('/', left.Prepend(name));
                return end;
            }

            int fd = OpenAt(end.Folder, name, O_PATH | O_NOFOLLOW | Libc.O_CLOEXEC, 0);
            if (fd < 0)
            {
                // A file that is not there yet may be made.
                end.Errno = left.Count == 0 && Libc.Errno == Libc.ENOENT ? 0 : Libc.Errno;
                return end;
            }

            FileStatus status = StatusOf(fd);
            if (status.Kind == KindLink)
            {
                string target = LinkOf(fd);
                Descriptors.Close(fd);
                end.Problem = IsOurs(status.Uid)
                    ? null
                    : $"\"{name}\" on the way to \"{full}\" is a link that user {status.Uid} made: only those of root and of the user that runs spawngate are followed";
                end.Errno = links++ == PlatformLimits.LinksMax ? Libc.ELOOP : 0;
                if (end.Problem is not null || end.Errno != 0)
                {
                    return end;
                }

                Push(left, target);
                if (target.StartsWith('/'))
                {
                    isRoot = true;
                    end.Enter(OpenRoot());
                }
            }
            else if (left.Count == 0)
            {
                Descriptors.Close(fd);
                return end;
            }
            else
            {
                end.Enter(fd);
                isRoot = false;
            }
        }

        end.Errno = Libc.EISDIR;
        return end;
    }

    private static void Push(Stack<string> left, string path)
    {
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse())
        {
            left.Push(part);
        }
    }

    private static string? FindProblem(int fd, PathEnd end)
    {
        FileStatus file = StatusOf(fd);
        FileStatus folder = StatusOf(end.Folder);
        if (!file.IsKnown || !folder.IsKnown || file.Kind == KindFolder)
        {
            return null; // The kernel refuses to write a folder.
        }

        bool isFolderOurs = IsOurs(folder.Uid) && (folder.Mode & WritableByOthers) == 0;
        if (file.Links > 1 && !isFolderOurs)
        {
            return $"\"{end.Name}\" is one of {file.Links} names of the same file, in a folder where others may make such names";
        }

        return IsOurs(file.Uid) || (folder.Mode & WritableByAll) == 0
            ? null
            : $"\"{end.Name}\" was made by user {file.Uid}, in a folder that everybody may write";
    }

    // Who has no number in this user namespace may be root outside of it, and mostly is.
    private static bool IsOurs(long user) => user == 0 || user == Libc.EffectiveUser() || RootPower.IsOutsider(user);

    private static int OpenRoot() => OpenAt(-1, "/", O_PATH | Libc.O_CLOEXEC, 0);

    private static string LinkOf(int fd)
    {
        byte[] target = new byte[PlatformLimits.PathBytes];
        nint length;
        fixed (byte* start = target)
        {
            length = ReadLinkAt(fd, "", start, (nuint)target.Length);
        }

        return System.Text.Encoding.UTF8.GetString(target, 0, (int)Math.Max(0, length));
    }

    private static bool CanStat()
    {
        int root = OpenRoot();
        bool can = StatusOf(root).IsKnown;
        Descriptors.Close(root);
        return can;
    }

    // struct statx: mask, block size, attributes (8), links, user, group, mode.
    private static FileStatus StatusOf(int fd)
    {
        byte* status = stackalloc byte[StatBytes];
        byte* nothing = stackalloc byte[1];
        *nothing = 0;
        return Call(StatNumber, fd, nothing, AT_EMPTY_PATH, (nint)StatMask, status) == 0
            ? new FileStatus(true, *(uint*)(status + 20), *(ushort*)(status + 28), *(uint*)(status + 16))
            : default;
    }

    private readonly record struct FileStatus(bool IsKnown, long Uid, int Mode, long Links)
    {
        public int Kind => Mode & KindMask;
    }

    /// <summary>The folder of what a path leads to, its name in it, or why there is none.</summary>
    private sealed class PathEnd : IDisposable
    {
        public required int Folder { get; set; }

        public string Name { get; set; } = "";

        public int Errno { get; set; }

        public string? Problem { get; set; }

        public bool IsKernels { get; set; }

        public void Enter(int folder)
        {
            if (folder != Folder)
            {
                Descriptors.Close(Folder);
                Folder = folder;
            }
        }

        public void Dispose() => Descriptors.Close(Folder);
    }

    [LibraryImport(Library, EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenAt(int folder, string path, int flags, int mode);

    [LibraryImport(Library, EntryPoint = "readlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint ReadLinkAt(int folder, string path, byte* buffer, nuint count);

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Call(nint number, nint fd, byte* path, nint flags, nint mask, byte* status);
}
