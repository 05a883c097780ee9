using Spawngate.Runtime;

namespace Spawngate.Platform;

/// <summary>
/// Collects every child that ends: those started by <see cref="ChildProcess"/>, whose exit is passed on at once, and orphans that
/// became ours because we are a subreaper or PID 1. One thread waits for all of them, so there is one per process and nothing
/// else may wait for children: <c>System.Diagnostics.Process</c> does, and must never be used beside it.
/// </summary>
internal sealed unsafe class Reaper
{
    private const int SigInfoSize = 128; // siginfo_t, of that size on every Linux and smaller elsewhere
    private const int CodeOffset = 8; // si_code
    private const int CodeExited = 1; // CLD_EXITED
    private const int PrSetChildSubreaper = 36;
    private const int InitPid = 1;
    private const int AllChildren = 0; // P_ALL
    private const int Exited = 4; // WEXITED

    private static readonly Lazy<Reaper> Instance = new(static () => new Reaper());

    private readonly object _gate = new();
    private readonly Dictionary<int, ChildProcess> _children = [];

    // Exits of pids that no one has claimed yet, kept only while a spawn is under way: the child may end before its pid is registered.
    private readonly Dictionary<int, WaitStatus> _unclaimed = [];
    private readonly List<ChildProcess> _lingering = [];
    private int _spawnsUnderWay;
    private long _registrations;

    private Reaper()
    {
        if (Libc.IsLinux)
        {
            AdoptsOrphans = Environment.ProcessId == InitPid || Libc.LinuxPrctl(PrSetChildSubreaper, 1, 0, 0, 0) == 0;
        }

        var thread = new Thread(Run) { IsBackground = true, Name = "spawngate-reaper" };
        thread.Start();
    }

    /// <summary>Raised with the pid of every reaped child that was not started here, on the reaper's thread.</summary>
    public event Action<int>? OrphanReaped;

    /// <summary>The reaper of this process. The first use starts it, so a program that may be PID 1 touches it at its start.</summary>
    public static Reaper Shared => Instance.Value;

    /// <summary>Whether processes orphaned below us become our children, so that the end of a whole group can be seen.</summary>
    public bool AdoptsOrphans { get; }

    /// <summary>Announces a spawn: until <see cref="EndSpawn"/> unknown exits are remembered.</summary>
    public void BeginSpawn()
    {
        lock (_gate)
        {
            _spawnsUnderWay++;
        }
    }

    /// <summary>Hands over the started child, if it is an instance's leader, and ends what <see cref="BeginSpawn"/> announced.</summary>
    public void EndSpawn(ChildProcess? child)
    {
        WaitStatus? status = null;
        lock (_gate)
        {
            if (child is not null)
            {
                status = _unclaimed.Remove(child.Pid, out WaitStatus early) ? early : null;
                if (status is null)
                {
                    _children.Add(child.Pid, child);
                }
            }

            // Also without one: what was started may be a child that is nobody's run, and its end has to be waited for.
            _registrations++;
            Monitor.PulseAll(_gate);
            if (--_spawnsUnderWay == 0)
            {
                _unclaimed.Clear();
            }
        }

        if (status is { } ended)
        {
            Settle(child!, child!.LeaderReaped(ended));
        }
    }

    /// <summary>Whether this is the leader of an instance that has not ended.</summary>
    public bool IsLeader(int pid)
    {
        lock (_gate)
        {
            return _children.ContainsKey(pid);
        }
    }

    /// <summary>Collects the exit status of a child known to have ended.</summary>
    internal static WaitStatus Collect(int pid)
    {
        int status = 0;
        while (Libc.WaitPid(pid, &status, 0) < 0 && Libc.Errno == Libc.EINTR) { }

        return new WaitStatus(status);
    }

    private void Run()
    {
        Action next = ReapNext;
        while (true)
        {
            CallbackGuard.Run(next, nameof(Reaper));
        }
    }

    private void ReapNext()
    {
        long registrations = Interlocked.Read(ref _registrations);
        int pid = WaitForAny(out bool exitedWell, out int errno);
        if (pid > 0)
        {
            Reap(pid, exitedWell);
        }
        else if (errno == Libc.ECHILD)
        {
            AwaitChildren(registrations);
        }
    }

    // Leaves the child a zombie (WNOWAIT): as long as it is one, its pid and group number cannot be given to another process.
    private static int WaitForAny(out bool exitedWell, out int errno)
    {
        byte* info = stackalloc byte[SigInfoSize];
        new Span<byte>(info, SigInfoSize).Clear();
        int result = Libc.WaitId(AllChildren, 0, info, Exited | Libc.WNOWAIT);
        errno = result == 0 ? 0 : Libc.Errno;

        // si_pid follows three ints; on 64-bit Linux the union it is in is aligned to 8.
        int offset = Libc.IsLinux && sizeof(nint) == 8 ? 16 : 12;
        int statusOffset = offset + (2 * sizeof(int)); // The user stands in between.
        exitedWell = *(int*)(info + CodeOffset) == CodeExited && *(int*)(info + statusOffset) == 0;
        return result == 0 ? *(int*)(info + offset) : -1;
    }

    private void Reap(int pid, bool exitedWell)
    {
        ChildProcess? child;
        lock (_gate)
        {
            // Out of the table before the kernel frees the number: the next spawn may get it.
            if (!_children.Remove(pid, out child))
            {
                WaitStatus status = Collect(pid);
                if (_spawnsUnderWay > 0)
                {
                    _unclaimed[pid] = status;
                }
            }
        }

        try
        {
            if (child is not null)
            {
                Settle(child, child.LeaderDied(exitedWell));
            }
            else
            {
                OrphanReaped?.Invoke(pid);
            }
        }
        catch (Exception fault)
        {
            CallbackGuard.OnFault(fault, nameof(Reaper), child);
        }

        // Whoever was just collected may have been the last member of a group that outlived its leader.
        CheckLingering();
    }

    private void Settle(ChildProcess child, bool groupGone)
    {
        if (!groupGone)
        {
            lock (_gate)
            {
                _lingering.Add(child);
            }

            // Its last member may have been reaped between the check and the entry in the list.
            CheckLingering();
        }
    }

    private void CheckLingering()
    {
        lock (_gate)
        {
            for (int i = _lingering.Count - 1; i >= 0; i--)
            {
                if (_lingering[i].CheckGroup())
                {
                    _lingering.RemoveAt(i);
                }
            }
        }
    }

    /// <summary>
    /// Sleeps until a child is registered. Below us no orphan can appear while we have no child at all, because the chain to it
    /// goes through one of ours; but to PID 1 anything in its container may be handed at any time, so it looks again now and then.
    /// </summary>
    private void AwaitChildren(long seenRegistrations)
    {
        int timeoutMs = Environment.ProcessId == InitPid ? PlatformLimits.ReaperIdlePollMs : Timeout.Infinite;
        lock (_gate)
        {
            if (_registrations == seenRegistrations)
            {
                Monitor.Wait(_gate, timeoutMs);
            }
        }
    }
}
