using Spawngate.Platform;
using Spawngate.Runtime;

namespace Spawngate.Workloads.Processes;

/// <summary>
/// Ends what has left the group of an instance: daemons in sessions of their own, found by the instance's token. A leader that supervises
/// others ends them in its own order, so they are asked when the group has ended and have the rest of the grace period; but when the group
/// lives on, at half of that period, so that nothing is killed that was not asked.
/// <code>
///   asked ──▶ group alive ──half of the grace period──▶ SIGTERM to whoever is new
///                 │                                        │    │  ▲
///               ended ◀────────────────────────────────────┘    └──┴── an adopted process ended
///                 ▼
///   look ──none──▶ done
///    │  ▲
///    │  └── an adopted process ended, or the instance is to be killed
///    └─▶ SIGTERM to whoever is new, SIGKILL to all once the instance is to be killed
/// </code>
/// </summary>
/// <param name="token">The instance's token.</param>
/// <param name="session">The instance's session and group.</param>
internal sealed class EscapedProcesses(InstanceToken token, int session)
{
    // Whoever was asked once stays known, when its parents have gone and its environment tells nothing.
    private readonly HashSet<(int Pid, long Start)> _asked = [];

    // Without a subreaper they belong to another process once their parents have ended, and their ends would never be seen.
    private static bool CanBeFound => Reaper.Shared.AdoptsOrphans && ProcessTable.IsAvailable;

    /// <summary>Asks them while the group, which was asked just now, lives on beyond half of the grace period.</summary>
    /// <param name="groupEnded">Completed when leader and group have ended.</param>
    /// <param name="groupTime">Completed when the group has ended or half of the grace period is over.</param>
    /// <returns>When the group has ended, or will end unobserved because nothing can be asked here.</returns>
    public async Task AskBesideGroupAsync(Task groupEnded, Task groupTime)
    {
        await groupTime.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (CanBeFound && !groupEnded.IsCompleted)
        {
            Task change = ProcessScans.Shared.NextOrphanEndAsync();
            ProcessSnapshot snapshot = await ProcessScans.Shared.NextAsync().ConfigureAwait(false);
            if (groupEnded.IsCompleted)
            {
                return; // The number of the group may have been another's when the table was read.
            }

            snapshot.BesideGroupOf(token, session, _asked).ForEach(Ask);
            Task again = snapshot.IsWhole ? change : Task.Delay(RuntimeLimits.ClockTickMs);
            await Task.WhenAny(groupEnded, change, again).ConfigureAwait(false);
        }
    }

    /// <summary>Ends them, after leader and group have ended.</summary>
    /// <param name="killed">Completed when no more time shall be given.</param>
    /// <returns>When nothing is left, or killed ones do not end although they must.</returns>
    public async Task EndAsync(Task killed)
    {
        if (!CanBeFound)
        {
            return;
        }

        Task? settled = null;
        while (settled is not { IsCompleted: true })
        {
            Task change = ProcessScans.Shared.NextOrphanEndAsync();
            bool isKill = killed.IsCompleted;
            ProcessSnapshot snapshot = await ProcessScans.Shared.NextAsync().ConfigureAwait(false);
            if (!Signal(snapshot, isKill) && snapshot.IsWhole)
            {
                return;
            }

            settled ??= isKill ? Task.Delay(PlatformLimits.KillSettleMs) : null;
            Task again = snapshot.IsWhole ? change : Task.Delay(RuntimeLimits.ClockTickMs);
            await Task.WhenAny(change, again, settled ?? killed).ConfigureAwait(false);
        }
    }

    private bool Signal(ProcessSnapshot snapshot, bool isKill)
    {
        List<ProcessEntry> escaped = snapshot.RemainsOf(token, session, _asked);
        foreach (ProcessEntry process in escaped)
        {
            if (isKill)
            {
                ProcessTable.Signal(process, wholeGroup: false, Libc.SIGKILL);
            }
            else
            {
                Ask(process);
            }
        }

        return escaped.Count > 0;
    }

    private void Ask(ProcessEntry process)
    {
        if (_asked.Add((process.Pid, process.Start)))
        {
            ProcessTable.Signal(process, wholeGroup: false, Libc.SIGTERM);
        }
    }
}
