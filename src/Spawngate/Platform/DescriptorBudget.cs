namespace Spawngate.Platform;

/// <summary>What a counted descriptor is open for.</summary>
internal enum DescriptorUse
{
    /// <summary>An accepted client connection.</summary>
    Client,

    /// <summary>A connection to a backend, in use or idle.</summary>
    Upstream,

    /// <summary>An end of a pipe between two connections: two for each.</summary>
    Splice,

    /// <summary>What belongs to a running backend: three pipes and the socket for its notices.</summary>
    Child,

    /// <summary>A connection to the admin API.</summary>
    Admin,
}

/// <summary>
/// How the descriptors that the process may have are shared out, and how many are in use. What follows from the traffic of clients shares
/// one part, and may not have the rest, so that a backend can be started and the admin API asked whatever clients do.
/// </summary>
/// <remarks>
/// <code>
///  0                                                                                                    limit
///  ├──────┬──────────────────────────────────────────────────┬────────────────┬──────────────┬────────────┤
///  │ base │ shared: clients, connections to backends, splice │ child          │ spare        │ admin      │
///  └──────┴──────────────────────────────────────────────────┴────────────────┴──────────────┴────────────┘
///  base: event loops, listeners, logs     child: pipes and sockets of backends; more of them come out of the shared part
///  spare: health checks, the engine of containers, files that are read, what nobody counts
/// </code>
/// Clients are at most half of the shared part, so that each of them can have a connection to a backend at the same time. Who opens a
/// descriptor counts it here; each count is an atomic addition.
/// </remarks>
internal sealed class DescriptorBudget
{
    private readonly PaddedCount[] _counts = new PaddedCount[(int)DescriptorUse.Admin + 1];
    private readonly long _shared;
    private readonly long _children;
    private readonly long _base;
    private PaddedCount _sharedInUse;

    /// <summary>Shares out a limit.</summary>
    /// <param name="limit">Descriptors that the process may have; null for no limit.</param>
    /// <param name="open">Descriptors that are open already.</param>
    /// <param name="processors">Each has an event loop.</param>
    public DescriptorBudget(long? limit, int open, int processors)
    {
        Limit = limit;
        _base = open + PlatformLimits.DescriptorsAtStart + (PlatformLimits.DescriptorsPerLoop * processors);
        long free = Math.Max(0, Math.Min(limit ?? PlatformLimits.DescriptorsMax, PlatformLimits.DescriptorsMax) - _base);
        AdminMax = (int)
            Math.Clamp(free / PlatformLimits.DescriptorsAdminShare, PlatformLimits.DescriptorsAdminMin, PlatformLimits.DescriptorsAdminMax);
        _children = Math.Clamp(
            free / PlatformLimits.DescriptorsChildShare,
            PlatformLimits.DescriptorsChildMin,
            PlatformLimits.DescriptorsChildMax
        );
        Reserve =
            AdminMax
            + _children
            + Math.Clamp(
                free / PlatformLimits.DescriptorsSpareShare,
                PlatformLimits.DescriptorsSpareMin,
                PlatformLimits.DescriptorsSpareMax
            );
        _shared = Math.Max(PlatformLimits.DescriptorsSharedMin, free - Reserve);
    }

    /// <summary>That of this process. First asked for after the limit was raised.</summary>
    public static DescriptorBudget Shared { get; } = new(OpenFileLimit.Own.Soft, OpenNow(), Environment.ProcessorCount);

    /// <summary>Descriptors that the process may have; null for no limit.</summary>
    public long? Limit { get; }

    /// <summary>The limit in force, which is lowered for a moment when a child is made.</summary>
    public OpenFileLimit InForce { get; init; } = OpenFileLimit.Own;

    /// <summary>What clients and their traffic leave to others: running backends, the admin API, and all that is not counted.</summary>
    public long Reserve { get; }

    /// <summary>Clients that can be served at once.</summary>
    public int ClientsMax => (int)Math.Min(_shared / 2, PlatformLimits.ConnectionsMax);

    /// <summary>What clients and their traffic may have together.</summary>
    public long SharedMax => _shared;

    /// <summary>What they have of it, with what backends have taken of it.</summary>
    public long SharedInUse => _shared - Room;

    /// <summary>Connections to the admin API that there is room for.</summary>
    public int AdminMax { get; }

    /// <summary>Descriptors in use: those that are counted, and about as many as there are at any time.</summary>
    public long InUse
    {
        get
        {
            long sum = _base;
            for (int i = 0; i < _counts.Length; i++)
            {
                sum += Volatile.Read(ref _counts[i].Value);
            }

            return sum;
        }
    }

    /// <summary>
    /// True when an eighth of what clients and their traffic may have is left, or less: time to let go of what is idle, and of whoever
    /// holds most.
    /// </summary>
    public bool IsLow => Room < _shared / PlatformLimits.DescriptorsLowShare;

    /// <summary>What is left for clients and their traffic; negative when backends have taken of it what was in use.</summary>
    public long Room => _shared - Math.Max(0, Count(DescriptorUse.Child) - _children) - Volatile.Read(ref _sharedInUse.Value);

    /// <summary>Open descriptors of one kind.</summary>
    public long Count(DescriptorUse use) => Volatile.Read(ref _counts[(int)use].Value);

    /// <summary>Counts descriptors that are open already.</summary>
    public void Take(DescriptorUse use, int count = 1)
    {
        Interlocked.Add(ref _counts[(int)use].Value, count);
        if (IsShared(use))
        {
            Interlocked.Add(ref _sharedInUse.Value, count);
        }

        if (count > 0 && InForce.IsLowered)
        {
            InForce.RaiseIfShort(InUse);
        }
    }

    /// <summary>
    /// Counts descriptors that are about to be opened. False, and nothing counted, when only the reserve is left: they must not be opened
    /// then.
    /// </summary>
    /// <param name="use">What for.</param>
    /// <param name="count">How many.</param>
    /// <param name="fromReserve">Whether they may be of the reserve.</param>
    public bool TryTake(DescriptorUse use, int count = 1, bool fromReserve = false)
    {
        Take(use, count);
        if (fromReserve || Room >= Kept(use))
        {
            return true;
        }

        Release(use, count);
        return false;
    }

    /// <summary>Whether so many may be opened and counted; another may come in between.</summary>
    public bool HasRoomFor(DescriptorUse use, int count) =>
        (use == DescriptorUse.Child && Count(use) + count <= _children) || Room - count >= Kept(use);

    /// <summary>They are closed.</summary>
    public void Release(DescriptorUse use, int count = 1) => Take(use, -count);

    // A pipe only saves a copy: what is left when they are refused is for connections.
    private long Kept(DescriptorUse use) => use == DescriptorUse.Splice ? _shared / PlatformLimits.DescriptorsSpliceShare : 0;

    // A build that is not native keeps the file of each of its assemblies open, and loads them when they are needed.
    private static int OpenNow() =>
        (OpenFiles.Count() ?? 0)
        + (System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeCompiled ? PlatformLimits.DescriptorsOfAssemblies : 0);

    private static bool IsShared(DescriptorUse use) => use is DescriptorUse.Client or DescriptorUse.Upstream or DescriptorUse.Splice;

    /// <summary>A count with cache lines of its own.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 128)]
    private struct PaddedCount
    {
        [System.Runtime.InteropServices.FieldOffset(64)]
        public long Value;
    }
}
