using Spawngate.Platform;

namespace Spawngate.Workloads.Processes;

/// <summary>
/// Says whose a process is. Some are known by themselves (by token, session or group); what they started is theirs as well, also when it
/// changed its session and its environment:
/// <code>
///   known ──parent of──▶ child ──parent of──▶ grandchild        leads the session of ──▶ any member of it
/// </code>
/// </summary>
internal sealed class ProcessOwners
{
    private readonly Dictionary<int, InstanceToken> _owners = [];

    /// <summary>Makes the owner of a process known. The first one stays.</summary>
    public void Add(int pid, InstanceToken owner) => _owners.TryAdd(pid, owner);

    /// <summary>Forgets all.</summary>
    public void Clear() => _owners.Clear();

    /// <summary>Whose a process is; null when nobody's.</summary>
    public InstanceToken? Of(int pid) => _owners.TryGetValue(pid, out InstanceToken owner) ? owner : null;

    /// <summary>
    /// Extends what is known to children, and to the members of sessions whose leader is known. Not to those of any known member's session:
    /// who runs a tool with a copied environment in a terminal must not lose the terminal.
    /// </summary>
    public void Spread(IReadOnlyList<ProcessEntry> table)
    {
        // Parents mostly have lower numbers, so that one round and one to see that nothing changes are the rule.
        bool changed = _owners.Count > 0;
        while (changed)
        {
            changed = false;
            foreach (ProcessEntry entry in table)
            {
                if (!_owners.ContainsKey(entry.Pid) && (Of(entry.Parent) ?? Of(entry.Session)) is { } owner)
                {
                    _owners.Add(entry.Pid, owner);
                    changed = true;
                }
            }
        }
    }
}
