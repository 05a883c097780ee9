using Spawngate.Guarding;
using Spawngate.Platform;

namespace Spawngate.Backends;

/// <summary>
/// Ends what has left the group of a run, after leader and group have ended: daemons in sessions of their own, found by the run's token. They have
/// the rest of the grace period, as the group had.
/// <code>
///   look ──none──▶ done
///    │  ▲
///    │  └── an adopted process ended, or the run is to be killed
///    └─▶ SIGTERM to whoever is new, SIGKILL to all once the run is to be killed
/// </code>
/// </summary>
/// <param name="token">The run's token.</param>
/// <param name="session">The run's session.</param>
internal sealed class RunRemains(RunToken token, int session)
{
    private readonly HashSet<(int Pid, long Start)> _asked = [];

    /// <summary>Ends them.</summary>
    /// <param name="killed">Completed when no more time shall be given.</param>
    /// <returns>When nothing is left, or killed ones do not end although they must.</returns>
    public async Task EndAsync(Task killed)
    {
        // Without a subreaper they belong to another process by now, and their ends would never be seen.
        if (!Reaper.Shared.AdoptsOrphans || !ProcessTable.IsAvailable)
        {
            return;
        }

        Task? settled = null;
        while (settled is not { IsCompleted: true })
        {
            Task change = ProcessScans.Shared.NextOrphanEndAsync();
            bool isKill = killed.IsCompleted;
            ProcessSnapshot snapshot = await ProcessScans.Shared.NextAsync().ConfigureAwait(false);
            if (!Signal(snapshot, isKill))
            {
                return;
            }

            settled ??= isKill ? Task.Delay(Limits.KillSettleMs) : null;
            await Task.WhenAny(change, settled ?? killed).ConfigureAwait(false);
        }
    }

    private bool Signal(ProcessSnapshot snapshot, bool isKill)
    {
        List<ProcessEntry> remains = snapshot.RemainsOf(token, session);
        foreach (ProcessEntry process in remains)
        {
            if (isKill)
            {
                ProcessTable.Signal(process, wholeGroup: false, Libc.SIGKILL);
            }
            else if (_asked.Add((process.Pid, process.Start)))
            {
                ProcessTable.Signal(process, wholeGroup: false, Libc.SIGTERM);
            }
        }

        return remains.Count > 0;
    }
}
