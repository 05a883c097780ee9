using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spawngate.Platform;
using Spawngate.Transport;

namespace Spawngate.Overload;

/// <summary>
/// What requests that share a connection with others (HTTP/2) may take together between two looks of the <see cref="OverloadMonitor"/>: few bytes on the wire can be much memory and many connections to
/// backends, all of it before the next look. Who finds it spent waits for that look, which has those go who hold most.
/// </summary>
/// <remarks>
/// <code>
///  look: so much is used ──▶ a part of what is left below the point of cutting ──▶ spent: readers wait ──▶ next look: they go on
/// </code>
/// A connection's first request never waits, so that a client with a connection of its own for each notices nothing. What requests hold is counted for each event loop by itself: one on which
/// all have come together has only its share. From any thread.
/// </remarks>
internal sealed class GrowthQuota
{
    private readonly Lock _gate = new();
    private readonly DescriptorBudget _descriptors;
    private readonly Share[] _shares;
    private List<(Action Continuation, int Loop)> _waiting = [];
    private long _descriptorsMax = long.MaxValue;
    private long _heldBefore;
    private bool _isOpen = true;

    /// <summary>Makes one without bounds, which <see cref="Set"/> gives it.</summary>
    /// <param name="descriptors">Tells how many descriptors are in use now.</param>
    public GrowthQuota(DescriptorBudget descriptors)
    {
        _descriptors = descriptors;
        _shares = new Share[Math.Max(1, EventLoop.Count)];
        Array.Fill(_shares, new Share { Max = long.MaxValue });
    }

    /// <summary>A request of so many bytes of head begins, on that loop. <see cref="Release"/> follows.</summary>
    public void Take(int loop, int headBytes) => Interlocked.Add(ref _shares[loop].Held, Weight(headBytes));

    /// <summary>It has ended; on whatever thread.</summary>
    public void Release(int loop, int headBytes) => Interlocked.Add(ref _shares[loop].Held, -Weight(headBytes));

    /// <summary>True when no further request of that loop may begin beside another of its connection, until the next look.</summary>
    public bool IsSpent(int loop) =>
        Volatile.Read(ref _shares[loop].Held) >= Volatile.Read(ref _shares[loop].Max) || _descriptors.SharedInUse >= Volatile.Read(ref _descriptorsMax);

    /// <summary>Goes on after the next look, in the line of the loop's turns.</summary>
    public LookAwaitable NextLook(int loop) => new(this, loop);

    /// <summary>There was a look: so much is used of each. On the tick.</summary>
    /// <param name="memory">Bytes.</param>
    /// <param name="descriptors">Descriptors.</param>
    /// <param name="ports">Local ports towards one backend; each connection takes one.</param>
    public void Set(in ResourceUse memory, in ResourceUse descriptors, in ResourceUse ports)
    {
        long held = 0;
        foreach (ref var share in _shares.AsSpan())
        {
            held += Volatile.Read(ref share.Held);
        }

        // What has come while it was looked may have been seen, or not.
        long bytes = Part(memory with { Used = memory.Used + Math.Max(0, held - _heldBefore) });
        _heldBefore = held;
        foreach (ref var share in _shares.AsSpan())
        {
            Volatile.Write(ref share.Max, bytes == long.MaxValue ? bytes : Volatile.Read(ref share.Held) + (bytes / _shares.Length));
        }

        long sockets = Math.Max(Math.Min(Part(descriptors), Part(ports)), Limits.GrowthSocketsMin);
        Volatile.Write(ref _descriptorsMax, sockets == long.MaxValue ? sockets : _descriptors.SharedInUse + sockets);
        LetGoOn(isOpen: true);
    }

    /// <summary>There are no more looks: nobody waits from now on.</summary>
    public void Open() => LetGoOn(isOpen: false);

    private void LetGoOn(bool isOpen)
    {
        List<(Action Continuation, int Loop)> waiting;
        lock (_gate)
        {
            _isOpen = isOpen;
            if (_waiting.Count == 0)
            {
                return;
            }

            (waiting, _waiting) = (_waiting, []);
        }

        foreach (var (continuation, loop) in waiting)
        {
            EventLoop.PostTurn(loop, continuation);
        }
    }

    private void Await(int loop, Action continuation)
    {
        lock (_gate)
        {
            if (_isOpen)
            {
                _waiting.Add((continuation, loop));
                return;
            }
        }

        EventLoop.PostTurn(loop, continuation);
    }

    /// <summary>A head is kept twice, as it came and as it goes out; see <see cref="Limits.ClientRequestBytes"/> for the rest.</summary>
    private static long Weight(int headBytes) => Limits.ClientRequestBytes + (2L * headBytes);

    private static long Part(in ResourceUse use) =>
        use.Cut == long.MaxValue ? long.MaxValue : Math.Max((use.Cut - use.Used) / Limits.GrowthShare, use.Cut / Limits.GrowthShareMin);

    /// <summary>That of a loop, in cache lines of its own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Share
    {
        [FieldOffset(64)]
        public long Held;

        [FieldOffset(72)]
        public long Max;
    }

    /// <summary>See <see cref="NextLook"/>.</summary>
    public readonly struct LookAwaitable(GrowthQuota quota, int loop) : ICriticalNotifyCompletion
    {
        /// <summary>Never: the look is still to come.</summary>
        public bool IsCompleted => false;

        /// <summary>The awaiter.</summary>
        public LookAwaitable GetAwaiter() => this;

        /// <summary>Nothing to get.</summary>
        public void GetResult()
        {
        }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation) => quota.Await(loop, continuation);
    }
}
