using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Spawngate.Platform;

/// <summary>
/// The PID file: it holds our pid and a lock. The lock says whether its writer still runs, so a file left behind by a crash is simply taken
/// over, and two instances started at once cannot both get it.
/// </summary>
internal sealed class PidFile : IDisposable
{
    private const int SetOpenFileLock = 37; // F_OFD_SETLK
    private const short WriteLock = 1; // F_WRLCK
    private const int MadeMode = 0x1B6; // 0666, less what the umask takes away

    private readonly string _path;
    private readonly SafeFileHandle _handle;
    private bool _removed;

    private PidFile(string path, SafeFileHandle handle)
    {
        _path = path;
        _handle = handle;
    }

    /// <summary>Creates or takes over the file, locks it and writes our pid.</summary>
    /// <param name="path">Where.</param>
    /// <param name="error">Why not: <c>PID file "/run/x.pid": spawngate is already running as pid 1234</c>.</param>
    /// <returns>The held file, or null.</returns>
    public static PidFile? Acquire(string path, out string? error)
    {
        string full = Path.GetFullPath(path);
        try
        {
            for (int attempt = 0; attempt < PlatformLimits.PidFileAttempts; attempt++)
            {
                if (TryOnce(full, path, out PidFile? held, out error))
                {
                    return held;
                }
            }

            error = $"PID file \"{path}\": it keeps vanishing while it is being locked";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            error = $"PID file \"{path}\": {e.Message}";
        }

        return null;
    }

    /// <summary>
    /// Removes the file, then gives up the lock: in this order nobody can lock a file that is about to vanish without noticing.
    /// </summary>
    public void Dispose()
    {
        if (_removed)
        {
            return;
        }

        _removed = true;
        try
        {
            if (IsStillAt(_path))
            {
                File.Delete(_path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The directory may have become read-only; the lock goes with us, so the file is merely stale.
        }

        _handle.Dispose();
    }

    /// <returns>True when decided (with or without an error), false to try again.</returns>
    private static bool TryOnce(string full, string shown, out PidFile? held, out string? error)
    {
        held = null;
        error = null;
        SafeFileHandle? handle = Open(full, out string? cause);
        if (handle is null)
        {
            error = cause is null ? null : $"PID file \"{shown}\": {cause}";
            return cause is not null;
        }

        if (!TryLock(handle, out cause))
        {
            error = $"PID file \"{shown}\": {cause ?? $"spawngate is already running{RunningPid(handle)}"}";
            handle.Dispose();
            return true;
        }

        byte[] pid = Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
        RandomAccess.Write(handle, pid, 0);
        RandomAccess.SetLength(handle, pid.Length); // Written before cut, so a reader never finds it empty.
        if (!IsStillAt(full))
        {
            handle.Dispose();
            return false;
        }

        held = new PidFile(full, handle);
        return true;
    }

    private static SafeFileHandle? Open(string full, out string? cause)
    {
        cause = null;
        if (OperatingSystem.IsWindows())
        {
            return File.OpenHandle(full, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
        }

        // Opened by hand: the runtime would add a lock of its own, and creating needs a mode, which open() takes as a variadic argument.
        int fd = OpenAsIs(full, Libc.O_RDWR, out int errno, out cause);
        if (fd >= 0)
        {
            return new SafeFileHandle(fd, ownsHandle: true);
        }

        if (cause is not null)
        {
            return null;
        }

        if (errno != Libc.ENOENT)
        {
            cause = errno == Libc.EISDIR ? "is a directory" : Libc.Describe(errno);
            return null;
        }

        if (!Directory.Exists(Path.GetDirectoryName(full)))
        {
            cause = $"directory \"{Path.GetDirectoryName(full)}\" not found";
            return null;
        }

        Create(full, out cause);
        return null;
    }

    /// <summary>Without a wait for a reader, should it be a pipe.</summary>
    private static int OpenAsIs(string full, int flags, out int errno, out string? problem)
    {
        flags |= Libc.O_NONBLOCK;
        problem = null;
        if (TrustedPath.IsSupported)
        {
            (int trusted, errno, problem) = TrustedPath.Open(full, flags, mode: null);
            return trusted;
        }

        int fd = Libc.Open(full, flags | Libc.O_CLOEXEC);
        errno = fd < 0 ? Libc.Errno : 0;
        return fd;
    }

    private static void Create(string full, out string? problem)
    {
        problem = null;
        if (TrustedPath.IsSupported)
        {
            var made = TrustedPath.Open(full, Libc.O_WRONLY | Libc.O_NONBLOCK, MadeMode);
            problem = made.Problem ?? (made.Errno == 0 ? null : Libc.Describe(made.Errno));
            Descriptors.Close(made.Descriptor);
            return;
        }

        try
        {
            File.OpenHandle(full, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite).Dispose();
        }
        catch (IOException) when (File.Exists(full))
        {
            // Another instance was faster; the next attempt meets its lock.
        }
    }

    private static bool TryLock(SafeFileHandle handle, out string? cause)
    {
        cause = null;
        if (OperatingSystem.IsWindows())
        {
            return true; // The share mode it was opened with already keeps others out.
        }

        int errno = Lock((int)handle.DangerousGetHandle());
        cause = errno is 0 || errno == Libc.EAGAIN || errno == Libc.EACCES ? null : $"cannot be locked: {Libc.Describe(errno)}";
        return errno == 0;
    }

    /// <summary>
    /// On Linux a lock of the open file description over the whole file: it goes with the descriptor, however the process ends, it is
    /// refused within one process too, and unlike flock it does not make the file unreadable to .NET programs, whose file calls respect
    /// flock. Elsewhere flock.
    /// </summary>
    /// <returns>0 or the errno.</returns>
    private static unsafe int Lock(int fd)
    {
        if (!Libc.IsLinux || sizeof(nint) != 8)
        {
            return Libc.Flock(fd, Libc.LOCK_EX | Libc.LOCK_NB) == 0 ? 0 : Libc.Errno;
        }

        // struct flock { short type, whence; int64 start, length; int pid; }: all zero but the type means from the start to the end.
        long* region = stackalloc long[4];
        new Span<long>(region, 4).Clear();
        *(short*)region = WriteLock;
        return Libc.LinuxFcntl(fd, SetOpenFileLock, region) == 0 ? 0 : Libc.Errno;
    }

    // Whether the path still leads to the file we hold: what was written through the handle is read through the path. A rival that put a
    // file of its own there wrote another pid into it.
    private static bool IsStillAt(string full)
    {
        if (OperatingSystem.IsWindows())
        {
            return true;
        }

        int fd = OpenAsIs(full, Libc.O_RDONLY, out _, out _);
        if (fd < 0)
        {
            return false;
        }

        using var other = new SafeFileHandle(fd, ownsHandle: true);
        return ReadPid(other) == Environment.ProcessId;
    }

    private static string RunningPid(SafeFileHandle handle) => ReadPid(handle) is { } pid ? $" as pid {pid}" : "";

    private static int? ReadPid(SafeFileHandle handle)
    {
        byte[] text = new byte[16];
        int length;
        try
        {
            length = RandomAccess.Read(handle, text, 0);
        }
        catch (NotSupportedException)
        {
            return null; // A pipe, say.
        }

        string digits = Encoding.ASCII.GetString(text, 0, length).Trim();
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int pid) ? pid : null;
    }
}
