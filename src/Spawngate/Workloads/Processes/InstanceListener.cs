using System.Net;
using Spawngate.Platform;
using Spawngate.Upstreams;

namespace Spawngate.Workloads.Processes;

/// <summary>
/// Finds out whether it is a local instance that listens where its backend is reached (Linux): each socket that may get a connection must
/// be held by a process of the instance.
/// <code>
///   sockets of the port ─▶ held by the leader? ─▶ by what is below it? ─▶ by what else carries the instance's session or token?
///      ─▶ by a daemon that shows no token and was started below us since? ─▶ by what opens the ports of containers? ─▶ a stranger's
/// </code>
/// </summary>
/// <remarks>
/// Some processes of an instance cannot be looked at: <c>sudo</c> and what it starts, programs with capabilities of their own. Then a
/// socket that was made by a user as whom such a process acts, or by our own, as whom it began, counts as the instance's, unless another
/// process is seen to hold it; and so does one that was made by root, who has no need of it, if we are not root. None of this can be
/// brought about by somebody else: it takes a process of this very instance that hides, a daemon that some instance left behind below us,
/// or root. What cannot be found out for want of a descriptor is never taken for seen: that, anybody can bring about.
/// </remarks>
/// <param name="leader">The leader.</param>
/// <param name="token">The instance's token; null when it has none.</param>
internal sealed class InstanceListener(ChildProcess leader, InstanceToken? token)
{
    private const long RootUser = 0;

    // Docker's proxy and Docker itself, the same without root, those of Podman, and Docker Desktop.
    private static readonly string[] Forwarders = ["docker-proxy", "dockerd", "rootlesskit", "rootlessport", "com.docker.backend"];

    private static readonly long Self = Libc.IsLinux ? Libc.EffectiveUser() : -1;

    // The last stranger: finding one takes a look at every process, so it is done once for each, as long as the same process holds the
    // socket.
    private Stranger? _stranger;

    /// <summary>Whether that can be found out on this system. The first who asks tries it out.</summary>
    public static bool IsAvailable => ProcessTable.IsAvailable && ListenerTable.IsAvailable;

    /// <summary>Looks who listens.</summary>
    /// <param name="at">Where the instance is reached.</param>
    public async Task<ListenerFinding> FindAsync(IPEndPoint at)
    {
        var left = new List<ListeningSocket>();
        if (!ListenerTable.TryFind(at, left) || left.Count == 0)
        {
            return new ListenerFinding(ListenerOwner.Nobody, $"nobody is seen to listen on port {at.Port}");
        }

        var hidden = new List<int>();
        bool isSure = StrikeTree(left, hidden);
        if (left.Count > 0 && leader.HasLeader)
        {
            ProcessSnapshot snapshot = await ProcessScans.Shared.NextAsync().ConfigureAwait(false);
            List<ProcessEntry> members = snapshot.MembersOf(token ?? default, leader.Pid);
            isSure =
                snapshot.IsWhole
                && Strike(members.Concat(snapshot.UnclaimedSince(leader.Pid)).Select(static member => member.Pid), left, hidden);
            if (left.Count > 0 && isSure && leader.HasLeader)
            {
                // A leader that is not in the table is hidden from us altogether (hidepid).
                bool isLeaderSeen = snapshot.Table.Any(process => process.Pid == leader.Pid);
                return Judge(at, left, new Seen(snapshot, isLeaderSeen ? hidden : null));
            }
        }

        // As long as the leader was not collected, its number was not another's, and all that was found below it was the instance's.
        return isSure && leader.HasLeader ? new ListenerFinding(ListenerOwner.Instance, "") : Unsure(at);
    }

    /// <summary>
    /// Finds all addresses that the processes of the instance listen on which can be looked at: where this machine reaches them, so that
    /// one who listens on all addresses is at those of the loopback. Empty when nothing can be found out in this moment.
    /// </summary>
    public async Task<IReadOnlyList<IPEndPoint>> FindAllAsync()
    {
        var all = new List<(IPEndPoint At, ListeningSocket Socket)>();
        if (!IsAvailable || !ListenerTable.TryFindAll(all) || all.Count == 0)
        {
            return [];
        }

        List<ListeningSocket> left = [.. all.Select(static each => each.Socket).Distinct()];
        _ = StrikeTree(left, []);
        if (left.Count > 0 && leader.HasLeader)
        {
            ProcessSnapshot snapshot = await ProcessScans.Shared.NextAsync().ConfigureAwait(false);
            _ = Strike(snapshot.MembersOf(token ?? default, leader.Pid).Select(static member => member.Pid), left, []);
        }

        // As long as the leader was not collected, its number was not another's.
        return leader.HasLeader
            ? [.. all.Where(each => !left.Contains(each.Socket)).SelectMany(static each => Reached(each.At)).Distinct()]
            : [];
    }

    private static IEnumerable<IPEndPoint> Reached(IPEndPoint bound) =>
        bound.Address switch
        {
            var any when any.Equals(IPAddress.Any) => [new IPEndPoint(IPAddress.Loopback, bound.Port)],
            var any when any.Equals(IPAddress.IPv6Any) =>
            [
                new IPEndPoint(IPAddress.Loopback, bound.Port),
                new IPEndPoint(IPAddress.IPv6Loopback, bound.Port),
            ],
            { IsIPv4MappedToIPv6: true } mapped => Reached(new IPEndPoint(mapped.MapToIPv4(), bound.Port)),
            _ => [bound],
        };

    private static ListenerFinding Unsure(IPEndPoint at) =>
        new(ListenerOwner.Nobody, $"who listens on port {at.Port} cannot be found out in this moment");

    /// <summary>The quick way: the leader, and what is below it.</summary>
    private bool StrikeTree(List<ListeningSocket> left, List<int> hidden)
    {
        var tree = new List<int> { leader.Pid };
        bool isSure = true;
        for (int i = 0; i < tree.Count && left.Count > 0 && i < ProcessLimits.RunTreeLooks; i++)
        {
            isSure &= Strike([tree[i]], left, hidden); // What is hidden altogether (hidepid) is found only here.
            if (left.Count > 0)
            {
                SocketHolders.AddChildren(tree[i], tree);
            }
        }

        return isSure || left.Count == 0;
    }

    /// <summary>
    /// Takes out what these processes hold, and adds those that are hidden; false when one of them could not be looked at in this moment.
    /// </summary>
    private static bool Strike(IEnumerable<int> pids, List<ListeningSocket> left, List<int> hidden)
    {
        bool isSure = true;
        foreach (int pid in pids)
        {
            HolderReading reading = SocketHolders.Strike(pid, left);
            isSure &= reading != HolderReading.Failed;
            if (left.Count == 0)
            {
                return true;
            }

            if (reading == HolderReading.Hidden)
            {
                hidden.Add(pid);
            }
        }

        return isSure;
    }

    /// <summary>None of the instance that can be looked at holds these.</summary>
    private ListenerFinding Judge(IPEndPoint at, List<ListeningSocket> left, Seen seen)
    {
        foreach (ListeningSocket socket in left)
        {
            Stranger? known = _stranger is { } last && last.Socket == socket ? last : null;
            if (known is null || known.Holder == 0 || !SocketHolders.Holds(known.Holder, socket))
            {
                bool? isGood = IsGood(socket, seen, out int holder);
                if (isGood == true)
                {
                    continue;
                }

                if (isGood is null)
                {
                    return Unsure(at);
                }

                // Nobody is seen to hold it. It may be a process that was started while the table was read, so that counts from the second
                // look.
                bool isNew = known is null && holder == 0;
                known = new Stranger(socket, holder, Name(socket, holder));
                _stranger = known;
                if (isNew)
                {
                    return Unsure(at);
                }
            }

            return new ListenerFinding(ListenerOwner.Stranger, $"port {at.Port} is held by {known.Name}");
        }

        return new ListenerFinding(ListenerOwner.Hidden, "");
    }

    /// <summary>
    /// Whether a socket counts as the instance's although none of its processes is seen to hold it; null when that cannot be found out in
    /// this moment.
    /// </summary>
    private static bool? IsGood(ListeningSocket socket, Seen seen, out int holder)
    {
        holder = 0;
        bool isSure = true;
        foreach (ProcessEntry process in seen.Snapshot.Table)
        {
            var wanted = new List<ListeningSocket> { socket };
            isSure &= process.IsZombie || SocketHolders.Strike(process.Pid, wanted) != HolderReading.Failed;
            if (wanted.Count == 0)
            {
                holder = process.Pid;
                return IsForwarded(socket, holder, seen.Snapshot);
            }
        }

        if (!isSure)
        {
            return null;
        }

        return (socket.Uid == RootUser && Self != RootUser) || seen.Hidden is null ? true : MayHaveMade(seen.Hidden, socket);
    }

    // A container's port is opened by its engine, for whoever asked for it: an instance that starts one with the engine's own tools.
    private static bool IsForwarded(ListeningSocket socket, int holder, ProcessSnapshot snapshot) =>
        (socket.Uid == RootUser || socket.Uid == Self)
        && !snapshot.IsBelowUs(holder)
        && Forwarders.Contains(Path.GetFileName(SocketHolders.ProgramOf(holder)));

    // It was started as our user, and may have become another since.
    private static bool? MayHaveMade(List<int> hidden, ListeningSocket socket)
    {
        bool isSure = true;
        foreach (int pid in hidden)
        {
            HashSet<long>? users = SocketHolders.UsersOf(pid);
            isSure &= users is not null;
            if (users is not null && (users.Count == 0 || users.Contains(socket.Uid) || socket.Uid == Self))
            {
                return true;
            }
        }

        return isSure ? false : null;
    }

    private static string Name(ListeningSocket socket, int holder) =>
        holder == 0
            ? $"a process of user {socket.Uid} that cannot be looked at"
            : $"pid {holder} ({SocketHolders.NameOf(holder)}), which is not of this run";

    /// <summary>What was seen of the processes.</summary>
    /// <param name="Snapshot">All of them.</param>
    /// <param name="Hidden">Those of the instance whose descriptors cannot be looked at; null when not even the leader was seen.</param>
    private sealed record Seen(ProcessSnapshot Snapshot, List<int>? Hidden);

    /// <summary>Somebody else who listens.</summary>
    /// <param name="Socket">On what.</param>
    /// <param name="Holder">Which process; 0 when it is not seen.</param>
    /// <param name="Name">For people.</param>
    private sealed record Stranger(ListeningSocket Socket, int Holder, string Name);
}
