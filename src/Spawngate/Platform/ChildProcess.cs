using Spawngate.Runtime;

namespace Spawngate.Platform;

/// <summary>
/// A child process together with its group: it leads a session of its own, so what it starts can be signalled with it.
/// <code>
///   running ──leader ends──▶ group killed ──────────────▶ ended      (it ended by itself: what it left behind goes with it)
///      │
///      └─Terminate─▶ asked ──leader ends──▶ lingering ──group empty, or Kill──▶ ended
/// </code>
/// A session rather than a bare group: the child then has no controlling terminal, so it can neither be stopped by it (SIGTTIN, SIGTTOU)
/// nor ask for a password on it, and Ctrl-C in our terminal reaches us alone.
/// </summary>
internal sealed class ChildProcess : ICallbackOwner
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource<WaitStatus> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WaitStatus _status;
    private bool _leaderGone;
    private bool _groupGone;
    private bool _asked;
    private bool _killed;
    private Timer? _settle;

    private ChildProcess(int pid, int stdinFd, int stdoutFd, int stderrFd)
    {
        Pid = pid;
        StdinFd = stdinFd;
        StdoutFd = stdoutFd;
        StderrFd = stderrFd;
    }

    /// <summary>Whether this system can start children this way. Elsewhere another launcher has to stand in.</summary>
    public static bool IsSupported => !OperatingSystem.IsWindows();

    /// <summary>The leader's pid, which is also the number of its group and session.</summary>
    public int Pid { get; }

    /// <summary>Write end of the pipe that is the child's stdin; the caller owns it. Negative when there is none.</summary>
    public int StdinFd { get; }

    /// <summary>Read end of the pipe that is the child's stdout; the caller owns it.</summary>
    public int StdoutFd { get; }

    /// <summary>Read end of the pipe that is the child's stderr; the caller owns it.</summary>
    public int StderrFd { get; }

    /// <summary>
    /// Completes with the leader's status when the leader has ended and nothing is left of its group (or nothing can be done about it).
    /// </summary>
    public Task<WaitStatus> Ended => _ended.Task;

    /// <summary>
    /// What lived on of its group, or as a daemon, when the leader had exited with 0 by itself; empty in all other cases. Known when
    /// <see cref="Ended"/> is completed.
    /// </summary>
    public IReadOnlyList<LeftProcess> LeftBehind { get; private set; } = [];

    /// <summary>Whether the leader has not been collected: until then its number cannot be another process's.</summary>
    public bool HasLeader
    {
        get
        {
            lock (_gate)
            {
                return !_leaderGone;
            }
        }
    }

    /// <summary>Starts a child.</summary>
    /// <param name="command">What to run.</param>
    /// <param name="error">Why there is none: <c>cannot execute "foo": not found in PATH</c>.</param>
    public static ChildProcess? Start(ChildCommand command, out string? error)
    {
        int inRead = -1,
            inWrite = -1,
            outRead = -1,
            outWrite = -1,
            errRead = -1,
            errWrite = -1;
        ChildProcess? child = null;
        if (!DescriptorBudget.Shared.HasRoomFor(DescriptorUse.Child, PlatformLimits.DescriptorsPerStart))
        {
            error = $"cannot execute \"{command.Program}\": {OpenFiles.NoneLeft}";
            return null;
        }

        Reaper.Shared.BeginSpawn();
        try
        {
            int errno = Descriptors.OpenPipe(out outRead, out outWrite);
            errno = errno != 0 ? errno : Descriptors.OpenPipe(out errRead, out errWrite);
            errno = errno != 0 || !command.HasOpenStdin ? errno : Descriptors.OpenPipe(out inRead, out inWrite);
            if (errno == 0 && command.Step?.Identity?.User is { } user)
            {
                // Programs open /dev/stdout anew, which only its owner may.
                _ = Libc.ChangeOwner(outWrite, (uint)user, Libc.NoChange);
                _ = Libc.ChangeOwner(errWrite, (uint)user, Libc.NoChange);
            }

            int pid = 0;
            string? cause =
                errno != 0 ? OpenFiles.Explain(errno) : Executable.Start(command with { StdinFd = inRead }, outWrite, errWrite, out pid);
            child = cause is null ? new ChildProcess(pid, inWrite, outRead, errRead) : null;
            error = cause is null ? null : $"cannot execute \"{command.Program}\": {cause}";
            return child;
        }
        finally
        {
            Reaper.Shared.EndSpawn(child);
            Descriptors.Close(inRead);
            Descriptors.Close(outWrite);
            Descriptors.Close(errWrite);
            if (child is null)
            {
                Descriptors.Close(inWrite);
                Descriptors.Close(outRead);
                Descriptors.Close(errRead);
            }
        }
    }

    /// <summary>
    /// SIGTERM to the whole group, and SIGCONT so that a stopped member can act on it. From now on what outlives the leader is given time.
    /// </summary>
    public void Terminate()
    {
        lock (_gate)
        {
            _asked = true;
            if (!_groupGone)
            {
                _ = Libc.Kill(-Pid, Libc.SIGTERM);
                _ = Libc.Kill(-Pid, Libc.SIGCONT);
            }
        }
    }

    /// <summary>SIGKILL to the whole group, also when the leader has ended.</summary>
    public void Kill()
    {
        lock (_gate)
        {
            _killed = true;
            if (!_groupGone)
            {
                _ = Libc.Kill(-Pid, Libc.SIGKILL);
                ArmSettle();
            }
        }
    }

    /// <summary>The leader is a zombie: ends what it left behind while its number is still held, then collects it.</summary>
    /// <param name="exitedWell">Whether it exited with status 0.</param>
    /// <returns>True when the group is gone.</returns>
    internal bool LeaderDied(bool exitedWell)
    {
        LookBehind(exitedWell);
        lock (_gate)
        {
            bool killed = KillLeftovers();
            _status = Reaper.Collect(Pid);
            return AfterLeader(killed);
        }
    }

    /// <summary>The leader was collected before anyone knew it (it ended faster than its spawn returned).</summary>
    internal bool LeaderReaped(WaitStatus status)
    {
        LookBehind(status.ExitCode == 0);
        lock (_gate)
        {
            bool killed = KillLeftovers();
            _status = status;
            return AfterLeader(killed);
        }
    }

    /// <summary>Looks whether the group has emptied since.</summary>
    internal bool CheckGroup()
    {
        lock (_gate)
        {
            return ObserveGroup();
        }
    }

    // Before they are killed: a program that goes into the background looks as if it had ended well.
    private void LookBehind(bool exitedWell)
    {
        lock (_gate)
        {
            if (!exitedWell || _asked || _killed)
            {
                return;
            }
        }

        LeftBehind = LeftProcesses.Of(Pid);
    }

    // Without a subreaper the ends of orphaned members go to another process and would never be seen, so they get no time.
    private bool KillLeftovers()
    {
        bool kill = !_asked || _killed || !Reaper.Shared.AdoptsOrphans;
        if (kill)
        {
            _ = Libc.Kill(-Pid, Libc.SIGKILL);
        }

        return kill;
    }

    private bool AfterLeader(bool killed)
    {
        _leaderGone = true;
        if (!Reaper.Shared.AdoptsOrphans)
        {
            _groupGone = true;
        }

        if (ObserveGroup())
        {
            return true;
        }

        if (killed)
        {
            ArmSettle();
        }

        return false;
    }

    // Signal 0 only asks. The number stays the group's as long as it has a member, and members end as our children, so the check follows
    // each end closely: another process cannot have got the number in between.
    private bool ObserveGroup()
    {
        if (!_leaderGone)
        {
            return false;
        }

        _groupGone = _groupGone || (Libc.Kill(-Pid, 0) != 0 && Libc.Errno == Libc.ESRCH);
        if (_groupGone)
        {
            Complete();
        }

        return _groupGone;
    }

    // A killed process that hangs in the kernel (a dead NFS server) must not hang its backend.
    private void ArmSettle()
    {
        if (_leaderGone && !_groupGone && _settle is null)
        {
            _settle = new Timer(
                static state => CallbackGuard.Run(((ChildProcess)state!).GiveUp, nameof(ChildProcess)),
                this,
                PlatformLimits.KillSettleMs,
                Timeout.Infinite
            );
        }
    }

    /// <summary>Its exit was not understood: it counts as ended.</summary>
    void ICallbackOwner.OnCallbackFault() => GiveUp();

    private void GiveUp()
    {
        lock (_gate)
        {
            Complete();
        }
    }

    private void Complete()
    {
        _settle?.Dispose();
        _ended.TrySetResult(_status);
    }
}
