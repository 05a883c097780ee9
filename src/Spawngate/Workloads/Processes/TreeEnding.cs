using Spawngate.Platform;

namespace Spawngate.Workloads.Processes;

/// <summary>
/// Ends the trees of many instances after their gateway has died. It is stepped with the table of processes as it is at that moment, and
/// decides whom to signal:
/// <code>
///   first step ──▶ SIGTERM to the groups ──group empty──▶ SIGTERM to what left it ──▶ nothing left: done
///                        │                                ▲     │
///                        ├─ half of the grace period over ┘     │
///                        └──────────── grace period over ───────┴──▶ SIGKILL to all of it, at every step
/// </code>
/// What left the group gets its SIGTERM only after the group: a leader that supervises others ends them in its own order. It has half of
/// the grace period for that; the other half is theirs, so that no group, however stubborn, lets them be killed unasked.
/// </summary>
internal sealed class TreeEnding
{
    private readonly Dictionary<InstanceToken, Instance> _instances = [];
    private readonly Func<int, InstanceToken?> _tokenOf;
    private readonly int _exempt;
    private readonly ProcessOwners _owners = new();

    // Whoever was found once stays known, when its parents have gone and even when its environment was overwritten.
    private readonly Dictionary<int, Known> _known = [];

    /// <summary>Makes it.</summary>
    /// <param name="instances">What to end.</param>
    /// <param name="nowMs">The time, from which the grace periods count.</param>
    /// <param name="tokenOf">The token in a process's environment.</param>
    /// <param name="exempt">A process never to be touched: the guard itself.</param>
    public TreeEnding(
        IReadOnlyDictionary<InstanceToken, GuardedInstance> instances,
        long nowMs,
        Func<int, InstanceToken?> tokenOf,
        int exempt
    )
    {
        foreach ((InstanceToken token, GuardedInstance instance) in instances)
        {
            _instances.Add(
                token,
                new Instance
                {
                    Pid = instance.Pid,
                    Start = instance.Start,
                    AskAllAtMs = nowMs + (instance.GraceMs / 2),
                    KillAtMs = nowMs + instance.GraceMs,
                }
            );
        }

        _tokenOf = tokenOf;
        _exempt = exempt;
        LastKillAtMs = _instances.Count == 0 ? nowMs : _instances.Values.Max(static instance => instance.KillAtMs);
    }

    /// <summary>When the last grace period ends.</summary>
    public long LastKillAtMs { get; }

    /// <summary>Processes that got a SIGKILL.</summary>
    public int Killed { get; private set; }

    /// <summary>Looks and signals once.</summary>
    /// <param name="nowMs">The time.</param>
    /// <param name="table">All processes.</param>
    /// <param name="signal">Sends a signal to a process, or to the group of one when its second argument is true.</param>
    /// <returns>How many processes of the instances are alive.</returns>
    public int Step(long nowMs, IReadOnlyList<ProcessEntry> table, Action<ProcessEntry, bool, int> signal)
    {
        Attribute(table);
        int alive = 0;
        foreach (Instance instance in _instances.Values)
        {
            instance.GroupIsAlive = false;
        }

        foreach (ProcessEntry entry in table)
        {
            if (InstanceOf(entry) is { } instance)
            {
                alive++;
                instance.GroupIsAlive |= entry.Group == instance.Pid;
            }
        }

        foreach (ProcessEntry entry in table)
        {
            if (InstanceOf(entry) is { } instance)
            {
                End(entry, instance, nowMs, signal);
            }
        }

        return alive;
    }

    private void End(ProcessEntry entry, Instance instance, long nowMs, Action<ProcessEntry, bool, int> signal)
    {
        bool isInGroup = entry.Group == instance.Pid;
        Known known = _known[entry.Pid];
        if (nowMs >= instance.KillAtMs)
        {
            Killed += known.IsKilled ? 0 : 1;
            known.IsKilled = true;
            signal(entry, isInGroup, Libc.SIGKILL);
        }
        else if (isInGroup && !instance.IsAsked)
        {
            instance.IsAsked = true;
            signal(entry, true, Libc.SIGTERM);
        }
        else if (!isInGroup && !known.IsAsked && (!instance.GroupIsAlive || nowMs >= instance.AskAllAtMs))
        {
            known.IsAsked = true;
            signal(entry, false, Libc.SIGTERM);
        }
    }

    private void Attribute(IReadOnlyList<ProcessEntry> table)
    {
        _owners.Clear();
        CheckLeaders(table);
        var byLeader = new Dictionary<int, InstanceToken>();
        foreach ((InstanceToken token, Instance instance) in _instances)
        {
            if (instance.Pid != 0)
            {
                byLeader[instance.Pid] = token;
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
            if (InstanceOf(entry) is not null && (!_known.TryGetValue(entry.Pid, out Known? known) || known.Start != entry.Start))
            {
                _known[entry.Pid] = new Known(entry.Start, _owners.Of(entry.Pid)!.Value);
            }
        }
    }

    private InstanceToken? OwnerOf(ProcessEntry entry, Dictionary<int, InstanceToken> byLeader)
    {
        if (byLeader.TryGetValue(entry.Group, out InstanceToken owner) || byLeader.TryGetValue(entry.Session, out owner))
        {
            return owner;
        }

        if (_known.TryGetValue(entry.Pid, out Known? known) && known.Start == entry.Start)
        {
            return known.Owner;
        }

        return _tokenOf(entry.Pid) is { } token && _instances.ContainsKey(token) ? token : null;
    }

    // A number on the list may belong to another process by now: the gateway died before it could say that the instance had ended.
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

        foreach ((InstanceToken token, Instance instance) in _instances)
        {
            if (instance.Pid == 0)
            {
                continue;
            }

            bool isStranger =
                entries.TryGetValue(instance.Pid, out ProcessEntry leader)
                && leader.Start != instance.Start
                && _tokenOf(instance.Pid) != token;
            instance.Pid = isStranger || !groups.Contains(instance.Pid) ? 0 : instance.Pid;
        }
    }

    private Instance? InstanceOf(ProcessEntry entry) =>
        !entry.IsZombie && entry.Pid != _exempt && _owners.Of(entry.Pid) is { } token ? _instances[token] : null;

    private sealed class Instance
    {
        public int Pid { get; set; }

        public long Start { get; init; }

        public long AskAllAtMs { get; init; }

        public long KillAtMs { get; init; }

        public bool IsAsked { get; set; }

        public bool GroupIsAlive { get; set; }
    }

    private sealed class Known(long start, InstanceToken owner)
    {
        public long Start => start;

        public InstanceToken Owner => owner;

        public bool IsAsked { get; set; }

        public bool IsKilled { get; set; }
    }
}
