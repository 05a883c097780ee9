using Spawngate.Runtime;

namespace Spawngate.Backends;

/// <summary>
/// One tunnel that counts as use only while data passes: as long as it is quiet it is waited for like a passive request, and holds nothing.
/// <code>
///            no data for quietMs (Look)
///   in use ──────────────────────────────▶ quiet ── idle stop ──▶ told to close
///     │  ▲ ◀──── data, and no stop begun ────│
///     └──┴────────── End ────────────────────┴──▶ ended
/// </code>
/// </summary>
/// <param name="all">The tunnels of its instance; null for one that is not watched, and counts as it came in.</param>
/// <param name="quietMs">Milliseconds without data after which it is quiet.</param>
/// <param name="close">Has it closed; called at most once, and not after <see cref="End"/>. It must not block.</param>
internal sealed class WatchedTunnel(WatchedTunnels? all, long quietMs, Action close)
{
    /// <summary>Stands for every tunnel that is not watched.</summary>
    public static readonly WatchedTunnel Unwatched = new(null, 0, static () => { });

    private long _lastDataMs;
    private volatile bool _isQuiet;

    /// <summary>When data passed last, on the coarse clock.</summary>
    public long LastDataMs => Volatile.Read(ref _lastDataMs);

    /// <summary>True while it does not count as use.</summary>
    public bool IsQuiet => _isQuiet;

    /// <summary>Place among the tunnels of its instance, within their gate; -1 when it has ended.</summary>
    internal int Index { get; set; } = -1;

    /// <summary>
    /// When it is quiet, if nothing passes until then. The coarse clock may be a tick behind, so a tick is added: never early.
    /// </summary>
    internal long QuietAtMs => LastDataMs + quietMs + RuntimeLimits.ClockTickMs;

    /// <summary>Data passes, in one direction or the other; on any thread. No lock, but when it was quiet.</summary>
    public void OnData()
    {
        // An exchange, so that the mark is read after it: whoever sets the mark looks at this time once more.
        Interlocked.Exchange(ref _lastDataMs, all!.NowMs);
        if (_isQuiet)
        {
            all.Wake(this);
        }
    }

    /// <summary>It is over. True when it has to leave as one that did not count as use.</summary>
    /// <param name="countedPassive">How it was counted when it came in.</param>
    public bool End(bool countedPassive) => all?.Remove(this) ?? countedPassive;

    internal void SetData(long nowMs) => Volatile.Write(ref _lastDataMs, nowMs);

    internal void SetQuiet(bool isQuiet) => _isQuiet = isQuiet;

    internal void Close() => CallbackGuard.Run(close, nameof(WatchedTunnel));
}

/// <summary>
/// The tunnels of one instance that count as use only while data passes. The lifecycle looks at them when the first of them may have become
/// quiet, so they need no timers. Who counts as what changes within one gate, which data of a tunnel in use never takes.
/// </summary>
/// <param name="backend">The backend.</param>
/// <param name="lifecycle">Its lifecycle.</param>
/// <param name="clock">The coarse clock.</param>
/// <param name="instanceNumber">The instance.</param>
internal sealed class WatchedTunnels(Backend backend, BackendLifecycle lifecycle, CoarseClock clock, int instanceNumber)
{
    private readonly Lock _gate = new();
    private readonly List<WatchedTunnel> _tunnels = [];
    private long _nextLookMs = LifecycleDeadlines.Never;

    /// <summary>The time on the coarse clock.</summary>
    public long NowMs => clock.NowMs;

    /// <summary>When the first that is in use may have become quiet, on the coarse clock.</summary>
    public long NextLookMs => Volatile.Read(ref _nextLookMs);

    /// <summary>Adds a tunnel, which is in use.</summary>
    public WatchedTunnel Add(long quietMs, Action close)
    {
        var tunnel = new WatchedTunnel(this, quietMs, close);
        tunnel.SetData(clock.NowMs);
        bool isFirst;
        lock (_gate)
        {
            tunnel.Index = _tunnels.Count;
            _tunnels.Add(tunnel);
            isFirst = BringForwardLocked(tunnel);
        }

        TellIf(isFirst);
        return tunnel;
    }

    /// <summary>
    /// Finds those that have become quiet: they stop to count as use, and were used until their last data; by the lifecycle.
    /// </summary>
    public void Look(long nowMs)
    {
        if (nowMs < NextLookMs)
        {
            return;
        }

        lock (_gate)
        {
            long next = LifecycleDeadlines.Never;
            foreach (var tunnel in _tunnels)
            {
                if (!tunnel.IsQuiet && !(nowMs >= tunnel.QuietAtMs && TryQuietenLocked(tunnel, nowMs)))
                {
                    next = Math.Min(next, Math.Max(tunnel.QuietAtMs, nowMs + RuntimeLimits.ClockTickMs));
                }
            }

            Volatile.Write(ref _nextLookMs, next);
        }
    }

    /// <summary>An idle stop has begun: those that were quiet then are told to close.</summary>
    public void CloseQuiet()
    {
        lock (_gate)
        {
            foreach (var tunnel in _tunnels)
            {
                if (tunnel.IsQuiet)
                {
                    tunnel.Close();
                }
            }
        }
    }

    /// <summary>Data passed through one that was quiet: it counts as use again, unless a stop has begun, which then closes it.</summary>
    internal void Wake(WatchedTunnel tunnel)
    {
        bool isFirst;
        lock (_gate)
        {
            if (tunnel.Index < 0 || !tunnel.IsQuiet || !lifecycle.State.TryBecomeUse(instanceNumber))
            {
                return;
            }

            tunnel.SetQuiet(false);
            isFirst = BringForwardLocked(tunnel);
        }

        TellIf(isFirst);
    }

    /// <summary>Takes one out; from then on its count does not change. True when it is that of those that are no use.</summary>
    internal bool Remove(WatchedTunnel tunnel)
    {
        lock (_gate)
        {
            if (tunnel.Index >= 0)
            {
                var last = _tunnels[^1];
                _tunnels[tunnel.Index] = last;
                last.Index = tunnel.Index;
                _tunnels.RemoveAt(_tunnels.Count - 1);
                tunnel.Index = -1;
            }

            return tunnel.IsQuiet;
        }
    }

    private bool TryQuietenLocked(WatchedTunnel tunnel, long nowMs)
    {
        tunnel.SetQuiet(true);
        Interlocked.MemoryBarrier();
        if (nowMs < tunnel.QuietAtMs)
        {
            // Data passed in this very moment, and may have missed the mark.
            tunnel.SetQuiet(false);
            return false;
        }

        // Before the count drops, as with a request that leaves.
        backend.NoteUse(tunnel.LastDataMs);
        if (lifecycle.State.TryBecomePassive(instanceNumber))
        {
            return true;
        }

        tunnel.SetQuiet(false);
        return false;
    }

    /// <summary>True when the lifecycle has to look earlier than it thinks.</summary>
    private bool BringForwardLocked(WatchedTunnel tunnel)
    {
        var isFirst = tunnel.QuietAtMs < NextLookMs;
        if (isFirst)
        {
            Volatile.Write(ref _nextLookMs, tunnel.QuietAtMs);
        }

        return isFirst;
    }

    private void TellIf(bool isFirst)
    {
        if (isFirst)
        {
            lifecycle.Mailbox.Post(new LifecycleMessage(LifecycleInput.Due, instanceNumber));
        }
    }
}
