namespace Spawngate.Platform;

/// <summary>
/// What must hold of this process's file descriptors so that a child inherits exactly 0, 1 and 2: everything else is
/// close-on-exec. The runtime opens all of its own that way; what our parent left open in us is sealed here, once.
/// </summary>
internal static unsafe class Descriptors
{
    /// <summary>Number of stderr.</summary>
    public const int Stderr = 2;

    /// <summary>F_GETFD, which fails for a descriptor that is not open.</summary>
    public const int GetFlags = 1;

    private const int F_SETFD = 2;
    private const int FD_CLOEXEC = 1;
    private const int F_DUPFD_CLOEXEC = 1030;
    private const int FirstPrivate = 3;

    private static readonly Lock SealLock = new();
    private static bool s_sealed;

    /// <summary>
    /// Marks what this process inherited beyond 0-2 (a shell's leftovers, a test runner's pipes) close-on-exec. Cheap after the first call.
    /// </summary>
    public static void SealInherited()
    {
        lock (SealLock)
        {
            if (s_sealed || !Libc.IsLinux)
            {
                return; // macOS closes all but the named ones in the child (POSIX_SPAWN_CLOEXEC_DEFAULT).
            }

            s_sealed = true;
            foreach (string path in ListOpen())
            {
                if (int.TryParse(Path.GetFileName(path.AsSpan()), out int fd) && fd >= FirstPrivate)
                {
                    KeepFromChildren(fd); // A descriptor closed meanwhile answers EBADF, which is as good.
                }
            }
        }
    }

    /// <summary>Marks one descriptor close-on-exec.</summary>
    public static void KeepFromChildren(int fd)
    {
        if (Libc.IsLinux)
        {
            _ = Libc.LinuxFcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }

    /// <summary>Opens a close-on-exec pipe whose ends are numbered 3 or higher, so that they cannot collide with the child's 0-2.</summary>
    /// <returns>0, or the errno.</returns>
    public static int OpenPipe(out int readEnd, out int writeEnd)
    {
        int* fds = stackalloc int[2];
        readEnd = writeEnd = -1;
        int result = Libc.IsLinux ? Libc.Pipe2(fds, Libc.O_CLOEXEC) : Libc.Pipe(fds);
        if (result != 0)
        {
            return Libc.Errno;
        }

        readEnd = Raise(fds[0]);
        writeEnd = Raise(fds[1]);
        if (readEnd >= 0 && writeEnd >= 0)
        {
            return 0;
        }

        int errno = Libc.Errno;
        Close(readEnd);
        Close(writeEnd);
        return errno;
    }

    /// <summary>Closes a descriptor; negative ones are none.</summary>
    public static void Close(int fd)
    {
        if (fd >= 0)
        {
            // Not repeated after EINTR: Linux has released the number by then, and it may already be another's.
            _ = Libc.Close(fd);
        }
    }

    private static IEnumerable<string> ListOpen()
    {
        try
        {
            return Directory.GetFileSystemEntries("/proc/self/fd");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return []; // Without /proc nothing is known to be open; the runtime's own descriptors are sealed anyway.
        }
    }

    // A process started with 0, 1 or 2 closed gets these numbers from pipe().
    private static int Raise(int fd)
    {
        if (fd < 0 || fd >= FirstPrivate)
        {
            return fd;
        }

        int raised = Libc.IsLinux ? Libc.LinuxFcntl(fd, F_DUPFD_CLOEXEC, FirstPrivate) : Libc.Dup(fd);
        Close(fd);
        return raised;
    }
}
