using System.Net;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Transport;

namespace Spawngate.Upstreams;

/// <summary>
/// The connections to one instance of one backend. A new instance gets a new pool, so no connection outlives its process.
/// </summary>
/// <remarks>
/// Idle connections form lock-free stacks (last in, first out: the warmest is used, the rest age out), one for each event loop: who rents
/// on a loop gets a connection of that loop if one is idle, so that both sides of an exchange are handled by one thread, else another's. A
/// stack's head packs a tag and a slot number in one word, so that a pop cannot mistake a node that was popped and pushed again. All
/// connections, idle or in use, stand in a table of slots; only opening and closing one takes the lock. Closed connections may stay on a
/// stack; a pop skips them, a trim removes them.
/// </remarks>
internal sealed partial class UpstreamPool
{
    /// <summary>Words from one head to the next: each has a cache line of its own.</summary>
    private const int HeadStride = 8;

    private readonly Lock _gate = new();
    private readonly int _maxIdle;
    private readonly long _idleTimeoutMs;
    private readonly CoarseClock _clock;
    private UpstreamConnection?[] _slots = new UpstreamConnection?[8];
    private int[] _freeSlots = [7, 6, 5, 4, 3, 2, 1, 0];
    private int _freeCount = 8;
    private readonly long[] _heads;
    private long _nextTrimMs;
    private readonly IdleBlocking _blocking = new();
    private volatile bool _retired;
    private volatile bool _isRestricted;
    private bool _aborted;
    private int _unsolicited;
    private int _blockedTold;

    /// <summary>Makes an empty pool.</summary>
    /// <param name="endpoint">Where the instance listens.</param>
    /// <param name="maxIdle">Idle connections kept.</param>
    /// <param name="idleTimeoutMs">Milliseconds an idle connection is kept.</param>
    /// <param name="clock">Ages connections.</param>
    /// <param name="loops">Event loops that have a stack each; all there are by default.</param>
    public UpstreamPool(IPEndPoint endpoint, int maxIdle, long idleTimeoutMs, CoarseClock clock, int? loops = null)
    {
        _heads = new long[HeadStride * Math.Max(1, loops ?? EventLoop.Count)];
        Endpoint = endpoint;
        _maxIdle = maxIdle;
        _isRestricted = maxIdle == 0;
        _idleTimeoutMs = idleTimeoutMs;
        _clock = clock;
        clock.Tick += OnTick;
    }

    /// <summary>Where the instance listens.</summary>
    public IPEndPoint Endpoint { get; }

    /// <summary>
    /// Whether somebody else accepts there in the instance's place and passes on: a connection may then be accepted, and closed again,
    /// after the instance has ended.
    /// </summary>
    public bool IsForwarded { get; init; }

    /// <summary>
    /// Told of each connection that was closed because the backend had sent bytes over it that no request had asked for, from any thread;
    /// true for the first of this instance. The next request would have taken them for its answer.
    /// </summary>
    public Action<bool>? OnUnsolicited { get; init; }

    /// <summary>Where it tells how many local ports it uses; null when nobody wants to know.</summary>
    public UpstreamPorts? Ports { get; init; }

    /// <summary>
    /// True when an address that is not available means that the ports are used up. Of IPv6 it may be that this machine has no address of
    /// its own.
    /// </summary>
    public bool TakesPorts => Endpoint.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork || OpenCount > 1;

    /// <summary>The listening socket that the instance was started with; null when it made its own.</summary>
    public ActivationSocket? Listener { get; init; }

    /// <summary>Whether it is the instance that listens there; null when nobody can tell.</summary>
    public ListenerTrust? Trust { get; init; }

    /// <summary>Whether a request may be sent over a new connection.</summary>
    public bool IsTrusted => Trust is not { IsKnown: false };

    /// <summary>True when each request has a connection of its own.</summary>
    public bool KeepsNone => _maxIdle == 0;

    /// <summary>Told once when it turns out that idle connections keep the backend from serving others.</summary>
    public Action? OnBlocked { get; init; }

    /// <summary>True once <see cref="Abort"/> was called: exchanges over its connections were cut by us.</summary>
    public bool IsAborted => Volatile.Read(ref _aborted);

    /// <summary>Open connections, idle and in use.</summary>
    public int OpenCount
    {
        get
        {
            lock (_gate)
            {
                return _slots.Length - _freeCount;
            }
        }
    }

    /// <summary>
    /// Takes the most recently used idle connection that is still good, of this thread's loop if there is one; null when there is none at
    /// all. The kernel is asked whether it is, unless the loop has just heard: what has come a moment ago, bytes or an end, it may not know
    /// of yet.
    /// </summary>
    public UpstreamConnection? TryRent()
    {
        while (TryTake() is { } connection)
        {
            if (connection.WasJustLookedAt() || !connection.Channel.IsReadable())
            {
                return connection;
            }

            Drop(connection);
        }

        return null;
    }

    private UpstreamConnection? TryTake()
    {
        int stacks = _heads.Length / HeadStride;
        int own = EventLoop.Current?.Index ?? 0;
        for (int i = 0; i < stacks; i++)
        {
            if (TryTake(ref StackOf(own + i)) is { } connection)
            {
                return connection;
            }
        }

        return null;
    }

    /// <summary>Makes a new connection, to be connected by the caller, who owns it; null when the system has none left.</summary>
    /// <param name="fromReserve">Whether it is not for a request, and may take a descriptor that none may have.</param>
    public UpstreamConnection? TryCreate(bool fromReserve = false)
    {
        if (StreamTransport.Chosen.TryCreate(Endpoint.AddressFamily, fromReserve) is not { } socket)
        {
            return null;
        }

        UpstreamConnection connection;
        bool aborted;
        lock (_gate)
        {
            if (_freeCount == 0)
            {
                GrowSlots();
            }

            int slot = _freeSlots[--_freeCount];
            connection = new UpstreamConnection(this, socket, slot) { CreatedMs = _clock.NowMs };
            _slots[slot] = connection;
            aborted = _aborted;
        }

        if (aborted)
        {
            connection.Channel.Abort(reset: false);
        }
        else if (_blocking.IsBlocked)
        {
            CloseIdle(); // One may have become idle in this moment.
        }

        return connection;
    }

    /// <summary>
    /// Takes back a connection whose exchange is complete. It is watched from now on and closed at once if anything arrives on it.
    /// </summary>
    public void Return(UpstreamConnection connection)
    {
        var channel = connection.Channel;
        channel.ClearOutgoing();
        if ((_isRestricted && !MayKeep(connection)) || channel.ReceivedLength > 0 || channel.IsBounded)
        {
            Drop(connection);
            return;
        }

        channel.Shrink();
        connection.BecomeIdle(_clock.NowMs);
        if (!channel.Arm() && connection.TryClaim())
        {
            Drop(connection);
            return;
        }

        Push(connection);
        if (_isRestricted && !MayKeep(connection))
        {
            CloseIdle();
        }
    }

    /// <summary>
    /// Whether a connection may stay, idle, of a pool for which that is in question. Where idle ones block the backend, one may stay while
    /// there is no other.
    /// </summary>
    private bool MayKeep(UpstreamConnection connection)
    {
        if (_retired || _maxIdle == 0)
        {
            return false;
        }

        if (OpenCount > 1 && _blocking.IsBlocked && !_blocking.IsRefuted(connection, Volatile.Read(ref _slots)))
        {
            return false;
        }

        lock (_gate)
        {
            _isRestricted = _retired || _blocking.IsBlocked;
        }

        return true;
    }

    /// <summary>A connection is closed because of bytes that nobody had asked for.</summary>
    internal void CountUnsolicited() => OnUnsolicited?.Invoke(Interlocked.Exchange(ref _unsolicited, 1) == 0);

    /// <summary>Closes a connection that the caller owns.</summary>
    public void Discard(UpstreamConnection connection)
    {
        connection.Channel.Dispose();
        FreeSlot(connection);
    }

    /// <summary>Closes idle connections and keeps none from now on; those in use go on until their exchange ends.</summary>
    public void Retire()
    {
        lock (_gate)
        {
            _retired = true;
            _isRestricted = true;
        }

        _clock.Tick -= OnTick;
        CloseIdle();
    }

    /// <summary>Closes every connection, those in use included: their exchanges fail visibly.</summary>
    public void Abort()
    {
        Retire();
        UpstreamConnection?[] all;
        lock (_gate)
        {
            _aborted = true;
            all = [.. _slots];
        }

        foreach (var connection in all)
        {
            connection?.Channel.Abort(reset: false);
        }
    }

    /// <summary>
    /// Whether it is known that no process of the instance has accepted this connection, which was reset: what went over it cannot have had
    /// an effect.
    /// </summary>
    public bool WasUnaccepted(UpstreamConnection connection) =>
        Listener is { } listener && connection.Channel.LocalPort is var port and not 0 && listener.WasUnaccepted(port);

    /// <summary>A new connection was of no use.</summary>
    /// <param name="refused">Whether it was refused, and not left because it is not known who accepted it.</param>
    public void Mistrust(bool refused)
    {
        if (refused)
        {
            Trust?.Doubt();
        }
        else if (!IsTrusted)
        {
            Trust!.LookSoon();
        }
    }

    private void OnTick()
    {
        long now = _clock.NowMs;
        Ports?.Report(_slots.Length - Volatile.Read(ref _freeCount));
        if (!_blocking.IsProven && (_slots.Length - Volatile.Read(ref _freeCount) > 1 || _blocking.IsTrying))
        {
            LookForBlocked(now);
        }

        bool low = DescriptorBudget.Shared.IsLow;
        if ((low || now >= _nextTrimMs) && Array.Exists(_heads, static head => head != 0))
        {
            _nextTrimMs = now + UpstreamLimits.PoolTrimPeriodMs;
            Trim(now, low ? 0 : _maxIdle, low ? RuntimeLimits.ClockTickMs : UpstreamLimits.PoolTrimPeriodMs);
        }
    }

    private void LookForBlocked(long nowMs)
    {
        bool wasBlocked = _blocking.IsBlocked;
        if (!_blocking.OnTick(Volatile.Read(ref _slots), nowMs))
        {
            return;
        }

        if (_blocking.IsBlocked && !wasBlocked)
        {
            lock (_gate)
            {
                _isRestricted = true;
            }

            if (Interlocked.Exchange(ref _blockedTold, 1) == 0)
            {
                OnBlocked?.Invoke();
            }
        }

        CloseIdle();
    }

    /// <summary>
    /// Closes idle connections that are too old or too many. Those that were in use a moment ago are spared: under load more connections
    /// than the limit are idle between two requests, and closing them would only make the next request open one.
    /// </summary>
    /// <param name="nowMs">The time.</param>
    /// <param name="maxIdle">How many are kept: none when others need the descriptors.</param>
    /// <param name="sparedMs">Milliseconds since their last use in which more are kept.</param>
    private void Trim(long nowMs, int maxIdle, int sparedMs)
    {
        var idle = new List<UpstreamConnection>();
        while (TryTake() is { } connection)
        {
            idle.Add(connection);
        }

        // Of all loops together the warmest are kept.
        UpstreamConnection[] warmestFirst = [.. idle.OrderByDescending(static each => each.IdleSinceMs)];
        int kept = 0;
        foreach (var connection in warmestFirst)
        {
            long idleMs = nowMs - connection.IdleSinceMs;
            bool tooMany = kept >= maxIdle && idleMs >= sparedMs;
            if (_retired || tooMany || idleMs >= _idleTimeoutMs)
            {
                connection.CloseIdle();
                FreeSlot(connection);
            }
            else
            {
                warmestFirst[kept++] = connection;
            }
        }

        while (kept > 0)
        {
            var connection = warmestFirst[--kept];
            connection.BecomeIdleAgain();
            Push(connection);
        }

        if (_retired)
        {
            CloseIdle();
        }
    }

    private void CloseIdle()
    {
        while (TryTake() is { } connection)
        {
            connection.CloseIdle();
            FreeSlot(connection);
        }
    }

    /// <summary>The stack of a loop; what belongs to none shares the first.</summary>
    private ref long StackOf(int loop) => ref _heads[Math.Max(loop, 0) * HeadStride % _heads.Length];

    private UpstreamConnection? TryTake(ref long stack)
    {
        while (Pop(ref stack) is { } connection)
        {
            if (!connection.TryClaim())
            {
                FreeSlot(connection);
                continue;
            }

            if (!connection.Channel.HasArmedResult)
            {
                return connection;
            }

            Drop(connection);
        }

        return null;
    }

    /// <summary>Closes a connection that was to be reused, on which something came.</summary>
    private void Drop(UpstreamConnection connection)
    {
        if (connection.Channel.HasUnread)
        {
            CountUnsolicited();
        }

        Discard(connection);
    }

    private void Push(UpstreamConnection connection)
    {
        ref long stack = ref StackOf(connection.Channel.LoopIndex);
        while (true)
        {
            long head = Volatile.Read(ref stack);
            connection.NextIdle = (int)(uint)head;
            if (Interlocked.CompareExchange(ref stack, NextTag(head) | (uint)(connection.Slot + 1), head) == head)
            {
                return;
            }
        }
    }

    private UpstreamConnection? Pop(ref long stack)
    {
        while (true)
        {
            long head = Volatile.Read(ref stack);
            int top = (int)(uint)head;
            if (top == 0)
            {
                return null;
            }

            // Another thread may pop, free and reuse this slot before the exchange below; then the tag has moved and it fails.
            var connection = Volatile.Read(ref Volatile.Read(ref _slots)[top - 1]);
            if (connection is null)
            {
                continue;
            }

            if (Interlocked.CompareExchange(ref stack, NextTag(head) | (uint)connection.NextIdle, head) == head)
            {
                return connection;
            }
        }
    }

    private static long NextTag(long head) => (head & ~0xFFFF_FFFFL) + (1L << 32);

    private void FreeSlot(UpstreamConnection connection)
    {
        lock (_gate)
        {
            _slots[connection.Slot] = null;
            _freeSlots[_freeCount++] = connection.Slot;
        }
    }

    private void GrowSlots()
    {
        int old = _slots.Length;
        var slots = new UpstreamConnection?[old * 2];
        _slots.CopyTo(slots, 0);
        _freeSlots = new int[slots.Length];
        for (int slot = slots.Length - 1; slot >= old; slot--)
        {
            _freeSlots[_freeCount++] = slot;
        }

        Volatile.Write(ref _slots, slots);
    }
}
