using Spawngate.Platform;

namespace Spawngate.Guarding;

/// <summary>
/// Ends the trees of many runs after their gateway has died. It is stepped with the table of processes as it is at that moment, and decides whom to signal:
/// <code>
///   first step ──▶ SIGTERM to the groups ──group empty──▶ SIGTERM to what left it ──▶ nothing left: done
///                        │                                ▲     │
///                        ├─ half of the grace period over ┘     │
///                        └──────────── grace period over ───────┴──▶ SIGKILL to all of it, at every step
/// </code>
/// What left the group gets its SIGTERM only after the group: a leader that supervises others ends them in its own order. It has half of the grace period for that;
/// the other half is theirs, so that no group, however stubborn, lets them be killed unasked.
/// </summary>
internal sealed class TreeEnding
{
    private readonly Dictionary<RunToken, Run> _runs = [];
    private readonly Func<int, RunToken?> _tokenOf;
    private readonly int _exempt;
    private readonly ProcessOwners _owners = new();

    // Whoever was found once stays known, when its parents have gone and even when its environment was overwritten.
    private readonly Dictionary<int, Known> _known = [];

    /// <summary>Makes it.</summary>
    /// <param name="runs">What to end.</param>
    /// <param name="nowMs">The time, from which the grace periods count.</param>
    /// <param name="tokenOf">The token in a process's environment.</param>
    /// <param name="exempt">A process never to be touched: the guard itself.</param>
    public TreeEnding(IReadOnlyDictionary<RunToken, GuardedRun> runs, long nowMs, Func<int, RunToken?> tokenOf, int exempt)
    {
        foreach ((RunToken token, GuardedRun run) in runs)
        {
            _runs.Add(token, new Run { Pid = run.Pid, Start = run.Start, AskAllAtMs = nowMs + (run.GraceMs / 2), KillAtMs = nowMs + run.GraceMs });
        }

        _tokenOf = tokenOf;
        _exempt = exempt;
        LastKillAtMs = _runs.Count == 0 ? nowMs : _runs.Values.Max(static run => run.KillAtMs);
    }

    /// <summary>When the last grace period ends.</summary>
    public long LastKillAtMs { get; }

    /// <summary>Processes that got a SIGKILL.</summary>
    public int Killed { get; private set; }

    /// <summary>Looks and signals once.</summary>
    /// <param name="nowMs">The time.</param>
    /// <param name="table">All processes.</param>
    /// <param name="signal">Sends a signal to a process, or to the group of one when its second argument is true.</param>
    /// <returns>How many processes of the runs are alive.</returns>
    public int Step(long nowMs, IReadOnlyList<ProcessEntry> table, Action<ProcessEntry, bool, int> signal)
    {
        Attribute(table);
        int alive = 0;
        foreach (Run run in _runs.Values)
        {
            run.GroupIsAlive = false;
        }

        foreach (ProcessEntry entry in table)
        {
            if (RunOf(entry) is { } run)
            {
                alive++;
                run.GroupIsAlive |= entry.Group == run.Pid;
            }
        }

        foreach (ProcessEntry entry in table)
        {
            if (RunOf(entry) is { } run)
            {
                End(entry, run, nowMs, signal);
            }
        }

        return alive;
    }

    private void End(ProcessEntry entry, Run run, long nowMs, Action<ProcessEntry, bool, int> signal)
    {
        bool isInGroup = entry.Group == run.Pid;
        Known known = _known[entry.Pid];
        if (nowMs >= run.KillAtMs)
        {
            Killed += known.IsKilled ? 0 : 1;
            known.IsKilled = true;
            signal(entry, isInGroup, Libc.SIGKILL);
        }
        else if (isInGroup && !run.IsAsked)
        {
            run.IsAsked = true;
            signal(entry, true, Libc.SIGTERM);
        }
        else if (!isInGroup && !known.IsAsked && (!run.GroupIsAlive || nowMs >= run.AskAllAtMs))
        {
            known.IsAsked = true;
            signal(entry, false, Libc.SIGTERM);
        }
    }

    private void Attribute(IReadOnlyList<ProcessEntry> table)
    {
        _owners.Clear();
        CheckLeaders(table);
        var byLeader = new Dictionary<int, RunToken>();
        foreach ((RunToken token, Run run) in _runs)
        {
            if (run.Pid != 0)
            {
                byLeader[run.Pid] = token;
            }
        }

        foreach (ProcessEntry entry in table)
        {
            if (OwnerOf(entry, byLeader) is { } owner)
            {
                _owners.Add(entry.Pid, owner);
            }
        }

        _owners.Spread(table);
        foreach (ProcessEntry entry in table)
        {
            if (RunOf(entry) is not null && (!_known.TryGetValue(entry.Pid, out Known? known) || known.Start != entry.Start))
            {
                _known[entry.Pid] = new Known(entry.Start, _owners.Of(entry.Pid)!.Value);
            }
        }
    }

    private RunToken? OwnerOf(ProcessEntry entry, Dictionary<int, RunToken> byLeader)
    {
        if (byLeader.TryGetValue(entry.Group, out RunToken owner) || byLeader.TryGetValue(entry.Session, out owner))
        {
            return owner;
        }

        if (_known.TryGetValue(entry.Pid, out Known? known) && known.Start == entry.Start)
        {
            return known.Owner;
        }

        return _tokenOf(entry.Pid) is { } token && _runs.ContainsKey(token) ? token : null;
    }

    // A number on the list may belong to another process by now: the gateway died before it could say that the run had ended.
    private void CheckLeaders(IReadOnlyList<ProcessEntry> table)
    {
        var entries = new Dictionary<int, ProcessEntry>(table.Count);
        var groups = new HashSet<int>(table.Count);
        foreach (ProcessEntry entry in table)
        {
            entries[entry.Pid] = entry;
            groups.Add(entry.Group);
            groups.Add(entry.Session);
        }

        foreach ((RunToken token, Run run) in _runs)
        {
            if (run.Pid == 0)
            {
                continue;
            }

            bool isStranger = entries.TryGetValue(run.Pid, out ProcessEntry leader) && leader.Start != run.Start && _tokenOf(run.Pid) != token;
            run.Pid = isStranger || !groups.Contains(run.Pid) ? 0 : run.Pid;
        }
    }

    private Run? RunOf(ProcessEntry entry) =>
        !entry.IsZombie && entry.Pid != _exempt && _owners.Of(entry.Pid) is { } token ? _runs[token] : null;

    private sealed class Run
    {
        public int Pid { get; set; }

        public long Start { get; init; }

        public long AskAllAtMs { get; init; }

        public long KillAtMs { get; init; }

        public bool IsAsked { get; set; }

        public bool GroupIsAlive { get; set; }
    }

    private sealed class Known(long start, RunToken owner)
    {
        public long Start => start;

        public RunToken Owner => owner;

        public bool IsAsked { get; set; }

        public bool IsKilled { get; set; }
    }
}
