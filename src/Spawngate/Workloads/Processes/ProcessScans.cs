using Spawngate.Platform;

namespace Spawngate.Workloads.Processes;

/// <summary>What one reading of the process table showed.</summary>
/// <param name="table">All processes.</param>
/// <param name="adopted">The tokens of those that were orphaned below us and so became our children.</param>
/// <param name="unclaimed">Those of our children that lead no instance, are of no instance's session and show no token.</param>
internal sealed class ProcessSnapshot(List<ProcessEntry> table, Dictionary<int, InstanceToken> adopted, HashSet<int> unclaimed)
{
    private readonly Dictionary<int, ProcessEntry> _byPid = table
        .DistinctBy(static entry => entry.Pid)
        .ToDictionary(static entry => entry.Pid);

    /// <summary>Whether everything could be read. If not, what is not in it may exist all the same, and may be anybody's.</summary>
    public bool IsWhole { get; init; } = true;

    /// <summary>
    /// The living processes of an instance whose leader and group have ended: known ones, adopted ones with its token or of its session,
    /// and all below them.
    /// </summary>
    /// <param name="token">The instance's token.</param>
    /// <param name="session">The instance's session, which has the number of its leader.</param>
    /// <param name="known">Those found to be the instance's earlier, when their parents may have lived still.</param>
    public List<ProcessEntry> RemainsOf(InstanceToken token, int session, HashSet<(int Pid, long Start)> known)
    {
        // A process of that number cannot be the leader, who is collected; so the number is another's by now, and so is the session.
        return Of(token, session, known, isSessionOurs: !table.Exists(entry => entry.Pid == session));
    }

    /// <summary>
    /// The living processes of an instance that are not in its group. The group was alive all the while the table was read, so that its
    /// number was the instance's.
    /// </summary>
    /// <param name="token">The instance's token.</param>
    /// <param name="group">The instance's group and session, which have the number of its leader.</param>
    /// <param name="known">Those found to be the instance's earlier, when their parents may have lived still.</param>
    public List<ProcessEntry> BesideGroupOf(InstanceToken token, int group, HashSet<(int Pid, long Start)> known)
    {
        List<ProcessEntry> all = Of(token, group, known, isSessionOurs: true);
        all.RemoveAll(entry => entry.Group == group);
        return all;
    }

    /// <summary>The living processes of an instance whose leader lives.</summary>
    /// <param name="token">The instance's token.</param>
    /// <param name="session">The instance's session, which has the number of its leader.</param>
    public List<ProcessEntry> MembersOf(InstanceToken token, int session) => Of(token, session, [], isSessionOurs: true);

    /// <summary>
    /// The living processes that may be an instance's although nothing says whose they are, with all below them: daemons that left its
    /// session and have no token, because they were started with an empty environment (<c>service</c>), have written a title over it
    /// (nginx, postgres), or may not be looked at. They were started below us, and after the instance.
    /// </summary>
    /// <param name="leader">The instance's leader.</param>
    public List<ProcessEntry> UnclaimedSince(int leader)
    {
        // One that is not shown to us (hidepid) has no start: then all of them may be.
        long since = _byPid.GetValueOrDefault(leader).Start;
        return unclaimed.Count == 0
            ? []
            : table.FindAll(entry => !entry.IsZombie && TopOf(entry.Pid) is { } top && unclaimed.Contains(top.Pid) && top.Start >= since);
    }

    /// <summary>Whether a process is this one or below it.</summary>
    public bool IsBelowUs(int pid) => pid == Environment.ProcessId || TopOf(pid) is not null;

    /// <summary>The child of this process that a process is or is below; null when there is none.</summary>
    private ProcessEntry? TopOf(int pid)
    {
        for (int steps = 0; steps <= table.Count && _byPid.TryGetValue(pid, out ProcessEntry entry); steps++)
        {
            if (entry.Parent == Environment.ProcessId)
            {
                return entry;
            }

            pid = entry.Parent;
        }

        return null;
    }

    /// <summary>All processes.</summary>
    public IReadOnlyList<ProcessEntry> Table => table;

    private List<ProcessEntry> Of(InstanceToken token, int session, HashSet<(int Pid, long Start)> known, bool isSessionOurs)
    {
        var owners = new ProcessOwners();
        foreach (ProcessEntry entry in table)
        {
            bool isMarked = adopted.TryGetValue(entry.Pid, out InstanceToken carried) && carried == token;
            if (isMarked || (isSessionOurs && entry.Session == session) || known.Contains((entry.Pid, entry.Start)))
            {
                owners.Add(entry.Pid, token);
            }
        }

        owners.Spread(table);
        return table.FindAll(entry => !entry.IsZombie && owners.Of(entry.Pid) is not null);
    }
}

/// <summary>
/// Reads the process table for runs that end. Who asks gets a reading that began after the call; all who ask while one is under way share
/// the next, so 500 runs that end together cost a few readings and not 500.
/// </summary>
internal sealed class ProcessScans
{
    private static readonly Lazy<ProcessScans> Instance = new(static () => new ProcessScans());

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly TimeProvider _time = TimeProvider.System;
    private TaskCompletionSource? _orphanEnded;
    private Task<ProcessSnapshot>? _next;
    private long _readAt;

    private ProcessScans() => Reaper.Shared.OrphanReaped += OnOrphanReaped;

    /// <summary>The scans of this process.</summary>
    public static ProcessScans Shared => Instance.Value;

    /// <summary>Readings so far.</summary>
    public long Count { get; private set; }

    /// <summary>
    /// Completes at the next end of an adopted process. Take it before a reading, so that none is missed between the two.
    /// </summary>
    public Task NextOrphanEndAsync()
    {
        lock (_gate)
        {
            _orphanEnded ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _orphanEnded.Task;
        }
    }

    /// <summary>The next reading.</summary>
    public Task<ProcessSnapshot> NextAsync()
    {
        lock (_gate)
        {
            return _next ??= Task.Run(ReadInTurnAsync);
        }
    }

    private async Task<ProcessSnapshot> ReadInTurnAsync()
    {
        await _reading.WaitAsync().ConfigureAwait(false);
        try
        {
            double sinceMs = _readAt == 0 ? ProcessLimits.ProcessScanPauseMs : _time.GetElapsedTime(_readAt).TotalMilliseconds;
            if (sinceMs < ProcessLimits.ProcessScanPauseMs)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(ProcessLimits.ProcessScanPauseMs - sinceMs), _time).ConfigureAwait(false);
            }

            lock (_gate)
            {
                _next = null; // Whoever asks from here on needs a later one.
            }

            Count++;
            return Read();
        }
        finally
        {
            _readAt = _time.GetTimestamp();
            _reading.Release();
        }
    }

    private static ProcessSnapshot Read()
    {
        var table = new List<ProcessEntry>();
        bool isWhole = ProcessTable.Read(table);
        int self = Environment.ProcessId;
        var adopted = new Dictionary<int, InstanceToken>();
        var unclaimed = new HashSet<int>();
        foreach (ProcessEntry entry in table)
        {
            // Children that lead an instance are ended by their own lifecycle. Of what is deeper the instance is that of the adopted one
            // above it.
            if (entry.Parent != self || entry.IsZombie || Reaper.Shared.IsLeader(entry.Pid))
            {
                continue;
            }

            if (ProcessTable.TokenOfChild(entry.Pid, out int errno) is { } token)
            {
                adopted.TryAdd(entry.Pid, token);
            }
            else if (!GuardPipe.IsGuard(entry.Pid) && !Reaper.Shared.IsLeader(entry.Session))
            {
                unclaimed.Add(entry.Pid);
            }

            isWhole &= !OpenFiles.IsShortage(errno);
        }

        return new ProcessSnapshot(table, adopted, unclaimed) { IsWhole = isWhole };
    }

    private void OnOrphanReaped(int pid)
    {
        lock (_gate)
        {
            _orphanEnded?.TrySetResult();
            _orphanEnded = null;
        }
    }
}
