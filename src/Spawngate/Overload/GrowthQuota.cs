using System.Runtime.InteropServices;
using Spawngate.Platform;
using Spawngate.Transport;

namespace Spawngate.Overload;

/// <summary>
/// What requests that share a connection with others (HTTP/2) may take together between two looks of the <see cref="OverloadMonitor"/>: few
/// bytes on the wire can be much memory and many connections to backends, all of it before the next look. Who finds it spent waits for that
/// look, which has those go who hold most.
/// </summary>
/// <remarks>
/// <code>
///  look: so much is used ──▶ a part of what is left below the point of cutting ──▶ spent: readers wait ──▶ next look: they go on
/// </code>
/// A connection's first request never waits, so that a client with one request at a time notices nothing. What requests hold is counted for
/// each event loop by itself, so that loops do not disturb each other: each has a share, and looks at the sum of all only when that is used
/// up. From any thread.
/// </remarks>
internal sealed class GrowthQuota
{
    private readonly Lock _gate = new();
    private readonly DescriptorBudget _descriptors;
    private readonly Share[] _shares;
    private GrowthWait? _first;
    private GrowthWait? _last;
    private long _heldMax = long.MaxValue;
    private long _ownMax = long.MaxValue;
    private long _heldBefore;
    private long _upstreamsMax = long.MaxValue;
    private bool _isOver;

    /// <summary>Makes one without bounds, which <see cref="Set"/> gives it.</summary>
    /// <param name="descriptors">Tells how many connections to backends there are now.</param>
    public GrowthQuota(DescriptorBudget descriptors)
    {
        _descriptors = descriptors;
        _shares = new Share[Math.Max(1, EventLoop.Count)];
    }

    /// <summary>
    /// A request of so many bytes of head begins, on that loop's thread, or on any thread with <see cref="StreamSocket.NoLoop"/>.
    /// <see cref="Release"/> follows.
    /// </summary>
    public void Take(int loop, int headBytes)
    {
        ref var share = ref ShareOf(loop);
        long weight = Weight(headBytes);
        if (loop == StreamSocket.NoLoop)
        {
            Interlocked.Add(ref share.Taken, weight);
        }
        else
        {
            Volatile.Write(ref share.Taken, share.Taken + weight);
        }

        Interlocked.Add(ref share.Held, weight);
    }

    /// <summary>It has ended; on whatever thread.</summary>
    public void Release(int loop, int headBytes) => Interlocked.Add(ref ShareOf(loop).Held, -Weight(headBytes));

    /// <summary>True when no further request of that loop may begin beside another of its connection, until the next look.</summary>
    public bool IsSpent(int loop) =>
        (Volatile.Read(ref ShareOf(loop).Taken) >= Volatile.Read(ref _ownMax) && Held() >= Volatile.Read(ref _heldMax))
        || _descriptors.Count(DescriptorUse.Upstream) >= Volatile.Read(ref _upstreamsMax);

    /// <summary>There was a look: so much is used of each. On the tick.</summary>
    /// <param name="memory">Bytes.</param>
    /// <param name="descriptors">Descriptors.</param>
    /// <param name="ports">Local ports towards one backend; each connection takes one.</param>
    public void Set(in ResourceUse memory, in ResourceUse descriptors, in ResourceUse ports)
    {
        lock (_gate)
        {
            if (_isOver)
            {
                return;
            }

            // What has come while it was looked may have been seen, or not.
            long held = Held();
            long bytes = Part(memory with { Used = memory.Used + Math.Max(0, held - _heldBefore) });
            _heldBefore = held;
            long sockets = Math.Max(Math.Min(Part(descriptors), Part(ports)), OverloadLimits.GrowthSocketsMin);
            SetMax(bytes, held, sockets);
            LetGoOn();
        }
    }

    /// <summary>A look has failed: who waits sees whether there is something left.</summary>
    public void Retry()
    {
        lock (_gate)
        {
            LetGoOn();
        }
    }

    /// <summary>There are no more looks: nobody waits from now on.</summary>
    public void Open()
    {
        lock (_gate)
        {
            Volatile.Write(ref _isOver, true);
            SetMax(long.MaxValue, 0, long.MaxValue);
            LetGoOn();
        }
    }

    /// <summary>Adds one to those who wait, unless it is among them.</summary>
    internal void Add(GrowthWait wait)
    {
        lock (_gate)
        {
            if (!wait.IsListed)
            {
                wait.IsListed = true;
                _ = _last is null ? _first = wait : _last.Next = wait;
                _last = wait;
            }
        }

        if (Volatile.Read(ref _isOver))
        {
            wait.Resume();
        }
    }

    private void SetMax(long bytes, long held, long sockets)
    {
        foreach (ref var share in _shares.AsSpan())
        {
            Volatile.Write(ref share.Taken, 0);
        }

        Volatile.Write(ref _ownMax, bytes == long.MaxValue ? bytes : bytes / OverloadLimits.GrowthOwnShare / _shares.Length);

        Volatile.Write(ref _heldMax, bytes == long.MaxValue ? bytes : held + bytes);
        Volatile.Write(ref _upstreamsMax, sockets == long.MaxValue ? sockets : _descriptors.Count(DescriptorUse.Upstream) + sockets);
    }

    private void LetGoOn()
    {
        // Whoever cannot be resumed, for want of memory, stays the first.
        while (_first is { } wait && wait.Resume())
        {
            _first = wait.Next;
            _last = _first is null ? null : _last;
            wait.Next = null;
            wait.IsListed = false;
        }
    }

    /// <summary>The share of a loop; what belongs to none has the first.</summary>
    private ref Share ShareOf(int loop) => ref _shares[Math.Max(loop, 0)];

    private long Held()
    {
        long held = 0;
        foreach (ref var share in _shares.AsSpan())
        {
            held += Volatile.Read(ref share.Held);
        }

        return held;
    }

    /// <summary>
    /// A head is kept twice, as it came and as it goes out; see <see cref="OverloadLimits.ClientRequestBytes"/> for the rest.
    /// </summary>
    private static long Weight(int headBytes) => OverloadLimits.ClientRequestBytes + (2L * headBytes);

    private static long Part(in ResourceUse use) =>
        use.Cut == long.MaxValue
            ? long.MaxValue
            : Math.Max((use.Cut - use.Used) / OverloadLimits.GrowthShare, use.Cut / OverloadLimits.GrowthShareMin);

    /// <summary>That of a loop, in cache lines of its own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Share
    {
        /// <summary>What its requests hold now.</summary>
        [FieldOffset(64)]
        public long Held;

        /// <summary>What they have taken since the last look, ended ones included.</summary>
        [FieldOffset(72)]
        public long Taken;
    }
}
