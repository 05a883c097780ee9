namespace Spawngate.Platform;

/// <summary>A process that lived on when the leader of its instance had ended.</summary>
/// <param name="Pid">Its number.</param>
/// <param name="Name">The name that it goes by.</param>
/// <param name="IsInGroup">Whether it was of the leader's group or session.</param>
/// <param name="Token">Otherwise the token that it carries; null when it shows none.</param>
internal readonly record struct LeftProcess(int Pid, string Name, bool IsInGroup, InstanceToken? Token);

/// <summary>
/// What a leader has left behind, looked at when it has ended and has not been collected: members of its group, and daemons, which are our
/// children by then. Linux only.
/// </summary>
internal static class LeftProcesses
{
    /// <summary>Reads them; a few milliseconds, for the table of all processes has to be read.</summary>
    /// <param name="leader">The leader.</param>
    public static IReadOnlyList<LeftProcess> Of(int leader)
    {
        var table = new List<ProcessEntry>();
        ProcessTable.Read(table);
        ProcessEntry dead = table.Find(entry => entry.Pid == leader);
        var found = new Dictionary<int, LeftProcess>();
        foreach (ProcessEntry entry in table)
        {
            if (entry.IsZombie || entry.Pid == leader)
            {
                continue;
            }

            if (entry.Group == leader || entry.Session == leader)
            {
                found.Add(entry.Pid, new LeftProcess(entry.Pid, SocketHolders.NameOf(entry.Pid), IsInGroup: true, null));
            }
            else if (dead.Start != 0 && entry.Start >= dead.Start && IsOrphan(entry))
            {
                found.Add(entry.Pid, Orphan(entry.Pid));
            }
        }

        AddDescendants(table, found);
        return [.. found.Values];
    }

    private static bool IsOrphan(ProcessEntry entry) =>
        entry.Parent == Environment.ProcessId
        && !Reaper.Shared.IsLeader(entry.Pid)
        && !Reaper.Shared.IsLeader(entry.Session)
        && !GuardPipe.IsGuard(entry.Pid);

    private static LeftProcess Orphan(int pid) => new(pid, SocketHolders.NameOf(pid), IsInGroup: false, ProcessTable.TokenOf(pid));

    private static void AddDescendants(List<ProcessEntry> table, Dictionary<int, LeftProcess> found)
    {
        bool isChanged = found.Count > 0;
        while (isChanged)
        {
            isChanged = false;
            foreach (ProcessEntry entry in table)
            {
                if (!entry.IsZombie && found.TryGetValue(entry.Parent, out LeftProcess parent) && !found.ContainsKey(entry.Pid))
                {
                    found.Add(entry.Pid, parent with { Pid = entry.Pid, Name = SocketHolders.NameOf(entry.Pid) });
                    isChanged = true;
                }
            }
        }
    }
}
