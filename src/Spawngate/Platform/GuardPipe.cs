namespace Spawngate.Platform;

/// <summary>One guard process and the pipe to it. Not thread-safe: its owner calls it under a lock.</summary>
internal sealed unsafe class GuardPipe
{
    /// <summary>The first argument of a process that is a guard.</summary>
    public const string Command = "guard";

    private static readonly int[] Blocked = [Libc.SIGHUP, Libc.SIGINT, Libc.SIGTERM, Libc.SIGPIPE];

    private static int _lastPid;

    private int _writeFd;

    private GuardPipe(int pid, int writeFd)
    {
        Pid = pid;
        _writeFd = writeFd;
    }

    /// <summary>The guard's pid.</summary>
    public int Pid { get; }

    /// <summary>
    /// Starts a guard. It leads a session of its own, so no signal to our group or from our terminal reaches it, and it is born with the
    /// signals blocked that ask a process to end: whoever sends them means the gateway.
    /// </summary>
    /// <param name="environment">What it inherits.</param>
    /// <param name="error">Why there is none.</param>
    public static GuardPipe? Start(IReadOnlyList<byte[]> environment, out string? error)
    {
        error = null;
        int readFd = -1,
            writeFd = -1,
            nullFd = -1,
            pid = 0,
            errno = 0;
        Reaper.Shared.BeginSpawn();
        try
        {
            errno = Descriptors.OpenPipe(out readFd, out writeFd);
            nullFd = Libc.Open("/dev/null", Libc.O_RDWR | Libc.O_CLOEXEC);
            errno =
                errno != 0 ? errno
                : nullFd < 0 ? Libc.Errno
                : Spawn(environment, readFd, nullFd, out pid);
            Volatile.Write(ref _lastPid, pid);
        }
        finally
        {
            Reaper.Shared.EndSpawn(null);
            Descriptors.Close(readFd);
            Descriptors.Close(nullFd);
        }

        if (errno == 0)
        {
            return new GuardPipe(pid, writeFd);
        }

        Descriptors.Close(writeFd);
        error = OpenFiles.Explain(errno);
        return null;
    }

    /// <summary>Writes a record if that needs no waiting.</summary>
    /// <returns>False when the pipe is full. A pipe without a reader takes everything: the end of the guard is noticed otherwise.</returns>
    public bool TryWrite(GuardRecord record)
    {
        // Asked first instead of a descriptor that does not block, which each system sets in its own way. There is one writer, so the
        // answer holds.
        var pipe = new Libc.PollFd { Fd = _writeFd, Events = Libc.POLLOUT };
        if (_writeFd < 0 || Libc.Poll(&pipe, 1, 0) != 1 || (pipe.Revents & Libc.POLLOUT) == 0)
        {
            return _writeFd < 0 || pipe.Revents != 0;
        }

        Span<byte> bytes = stackalloc byte[GuardRecord.Bytes];
        record.Write(bytes);
        fixed (byte* start = bytes)
        {
            _ = Libc.Write(_writeFd, start, GuardRecord.Bytes);
        }

        return true;
    }

    /// <summary>Ends a guard that must not act: it is gone before it could see the end of its pipe.</summary>
    public void Kill() => _ = Libc.Kill(Pid, Libc.SIGKILL);

    /// <summary>Whether the guard has neither ended nor been collected.</summary>
    public bool Exists() => Libc.Kill(Pid, 0) == 0 || Libc.Errno != Libc.ESRCH;

    /// <summary>Ends the pipe, which tells the guard that nothing more comes.</summary>
    public void Close()
    {
        Descriptors.Close(_writeFd);
        _writeFd = -1;
    }

    /// <summary>Whether this is the guard that was started last.</summary>
    public static bool IsGuard(int pid) => pid == Volatile.Read(ref _lastPid);

    private static int Spawn(IReadOnlyList<byte[]> environment, int readFd, int nullFd, out int pid)
    {
        string[] arguments = OwnExecutable.Arguments([
            Command,
            Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ]);

        // A gateway that was started without a stderr has none to share.
        int stderrFd = Libc.IsLinux && Libc.LinuxFcntl(Descriptors.Stderr, Descriptors.GetFlags, 0) < 0 ? nullFd : Descriptors.Stderr;
        var plan = new SpawnPlan(OwnExecutable.ImagePath, arguments, environment, null, nullFd, stderrFd)
        {
            StdinFd = readFd,
            BlockedSignals = Blocked,
        };
        return PosixSpawn.Run(plan, out pid);
    }
}
