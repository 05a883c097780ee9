using Spawngate.Transport;

namespace Spawngate.Upstreams;

/// <summary>One connection to an instance of a backend. It belongs to one exchange at a time, or to the pool while idle.</summary>
/// <remarks>
/// <code>
///  InUse ── UpstreamPool.Return ──▶ Idle ── TryRent ──▶ InUse
///                                    │                │
///                                    │                └── CloseIdle ──▶ Closing ──▶ Closed
///                                    └── backend closes, or speaks unasked ─────────────▲
/// </code>
/// </remarks>
internal sealed class UpstreamConnection : IReceiveWatcher
{
    private const int StateInUse = 0;
    private const int StateIdle = 1;
    private const int StateClosing = 2;
    private const int StateClosed = 3;

    private int _state;
    private long _idleSinceBatch;
    private bool _wasServed;

    /// <summary>Makes a connection that is not connected yet.</summary>
    public UpstreamConnection(UpstreamPool pool, StreamSocket socket, int slot)
    {
        Pool = pool;
        Slot = slot;
        Channel = new SocketChannel(socket, this);
    }

    /// <summary>The pool it belongs to.</summary>
    public UpstreamPool Pool { get; }

    /// <summary>Its bytes.</summary>
    public SocketChannel Channel { get; }

    /// <summary>True once it has carried an exchange: the backend may have closed it in the meantime.</summary>
    public bool IsReused { get; private set; }

    /// <summary>Bytes that had been sent over it when that was last looked at, for a sign of life; null before.</summary>
    internal long? SentNoted { get; set; }

    /// <summary>Whether an exchange owns it; from any thread, to look at.</summary>
    public bool IsInUse => Volatile.Read(ref _state) == StateInUse;

    /// <summary>When it became idle, on the coarse clock.</summary>
    public long IdleSinceMs { get; private set; }

    /// <summary>When it was made, on the coarse clock.</summary>
    public long CreatedMs { get; init; }

    /// <summary>True while it waits for a request; from any thread, to look at.</summary>
    public bool IsIdle => Volatile.Read(ref _state) == StateIdle;

    /// <summary>True once something is known to have come over it.</summary>
    public bool WasServed => IsReused || Volatile.Read(ref _wasServed);

    /// <summary>Its place in the pool's table.</summary>
    internal int Slot { get; }

    /// <summary>The idle connection below it on the pool's stack, as slot + 1; 0 at the bottom.</summary>
    internal int NextIdle { get; set; }

    /// <summary>
    /// True when it was just looked at: its loop, whose thread this is, has waited for events while it was idle, and would have been told
    /// of anything that came; or it became idle since that wait, by a receive that left nothing.
    /// </summary>
    internal bool WasJustLookedAt() =>
        EventLoop.Current is { } loop
        && loop.Index == Channel.LoopIndex
        && loop.Batch >= _idleSinceBatch
        && loop.HasJustLooked(Channel.Descriptor);

    /// <summary>Something has come over it.</summary>
    internal void NoteServed() => Volatile.Write(ref _wasServed, true);

    /// <summary>Idle → InUse: the caller owns it now, unless it closed meanwhile.</summary>
    internal bool TryClaim() => Interlocked.CompareExchange(ref _state, StateInUse, StateIdle) == StateIdle;

    /// <summary>InUse → Idle.</summary>
    internal void BecomeIdle(long nowMs)
    {
        IsReused = true;
        _idleSinceBatch = EventLoop.Current is { } loop && loop.Index == Channel.LoopIndex ? loop.Batch : long.MaxValue;
        IdleSinceMs = nowMs;
        Volatile.Write(ref _state, StateIdle);
    }

    /// <summary>InUse → Idle, keeping the time since when it is: the pool only looked at it.</summary>
    internal void BecomeIdleAgain() => Volatile.Write(ref _state, StateIdle);

    /// <summary>
    /// The armed receive of an idle connection ended: the backend closed it, or sent bytes that nobody asked for. Either way it must
    /// not carry another request.
    /// </summary>
    void IReceiveWatcher.OnReceiveUnobserved()
    {
        if (Interlocked.CompareExchange(ref _state, StateClosed, StateIdle) == StateIdle)
        {
            if (Channel.HasUnread)
            {
                Pool.CountUnsolicited();
            }

            Channel.Dispose(); // Its slot is freed when it comes off the pool's stack.
            return;
        }

        FinishClosing();
    }

    /// <summary>
    /// InUse → Closing: ends a connection that was idle until the caller claimed it, in order, so that the backend reads an end and no
    /// error.
    /// </summary>
    internal void CloseIdle()
    {
        Volatile.Write(ref _state, StateClosing);
        Channel.ShutdownBoth();
        if (!Channel.IsArmed || Channel.HasArmedResult)
        {
            FinishClosing();
        }
    }

    private void FinishClosing()
    {
        if (Interlocked.CompareExchange(ref _state, StateClosed, StateClosing) == StateClosing)
        {
            Channel.Dispose();
        }
    }
}
