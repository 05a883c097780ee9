using System.Diagnostics;
using System.Runtime.CompilerServices;
using Spawngate.Platform;
using Spawngate.Runtime;

namespace Spawngate.Transport;

/// <summary>Told by an event loop what the kernel says of a descriptor.</summary>
internal interface IEventTarget
{
    /// <summary>Runs on the loop's thread; must not block. Events may be reported that do not hold: only a call tells.</summary>
    void OnEvents(uint events);
}

/// <summary>
/// A thread that waits for events of sockets and runs what goes on because of them (Linux). There is one for each processor; a socket
/// belongs to one for its life.
/// </summary>
/// <remarks>
/// <code>
///  ┌─▶ epoll_wait ──▶ each event: its socket reads or writes, and whoever awaited that goes on
///  │                     └──▶ what was deferred to the end of the batch ──▶ who gave up its turn: some ──┐
///  └─────────────────────────────────────────────────────────────────────────────────────────────────────┘
/// </code>
/// Who has much to do gives up its turn now and then (<see cref="NextTurn"/>). All who did so wait in one line, and a batch takes only as
/// many of them as fit in the time that its events took, or in <see cref="TransportLimits.LoopTurnsMs"/>: however many there are, what is
/// new is not kept waiting. A descriptor's number leads to its socket. The number may be taken again by another socket while an event of
/// the old one is under way: the new one is then told of an event that does not hold, and finds that out by its next call. What throws ends
/// what it belongs to, if that says what it is (<see cref="ICallbackOwner"/>), and never the loop.
/// </remarks>
internal sealed class EventLoop
{
    private const int ChunkBits = 10;

    private static readonly Entry[]?[] Targets = new Entry[]?[PlatformLimits.DescriptorsMax >> ChunkBits];
    private static readonly Lock TargetsGate = new();
    private static readonly EventLoop[] Loops = CreateAll();
    private static uint s_next;

    [ThreadStatic]
    private static EventLoop? t_current;

    private readonly EpollInstance _epoll = new();
    private readonly Lock _gate = new();
    private readonly int _wakeRead;
    private readonly int _wakeWrite;
    private int _clients;
    private int _asked;
    private int _marked;
    private int _until;
    private bool _hasAll;
    private ushort[] _pending = new ushort[1 << ChunkBits];
    private int _done;
    private List<IThreadPoolWorkItem> _posted = [];
    private List<IThreadPoolWorkItem> _taken = [];
    private List<IThreadPoolWorkItem> _deferred = [];
    private List<IThreadPoolWorkItem> _running = [];
    private readonly Queue<Action> _yielded = new();

    private EventLoop(int index)
    {
        Index = index;
        int error = Descriptors.OpenPipe(out _wakeRead, out _wakeWrite);
        if (error != 0 || (error = _epoll.Add(_wakeRead, EpollInstance.In)) != 0)
        {
            throw new IOException($"an event loop cannot be made: {Libc.Describe(error)}");
        }
    }

    /// <summary>How many there are; none where another transport was chosen.</summary>
    public static int Count => Loops.Length;

    /// <summary>The loop whose thread this is; null on any other thread.</summary>
    public static EventLoop? Current => t_current;

    /// <summary>How many events the batch brought that the loop is working off; on its own thread.</summary>
    public int BatchEvents { get; private set; }

    /// <summary>Number of the batch, from 1; on its own thread.</summary>
    public long Batch { get; private set; }

    /// <summary>
    /// True when the kernel had nothing to tell of a descriptor at this loop's last wait, and little time has passed since: all that it had
    /// is in this batch, what is left of it says nothing of the descriptor. Asked often within it, the loop looks again. On its own thread.
    /// </summary>
    public bool HasJustLooked(int fd)
    {
        if (!_hasAll && BatchEvents - _done > PlatformLimits.EventsPerBatch / 2)
        {
            return false; // More than there is room for: to look again would tell too little.
        }

        if (++_asked > TransportLimits.JustLookedMax || !_hasAll)
        {
            // Once for many of them, where each of them would take as long.
            _asked = 1;
            BatchEvents = _epoll.LookAgain(_done, BatchEvents, out _hasAll);
            _marked = Math.Max(0, _marked - _done);
            _until = Math.Max(0, _until - _done);
            _done = 0;
        }

        if (!_hasAll)
        {
            return false;
        }

        for (_marked = Math.Max(_marked, _done); _marked < BatchEvents; _marked++)
        {
            Pending(_epoll[_marked].Fd)++;
        }

        return Pending(fd) == 0;
    }

    /// <summary>How many of the marked events of this batch are about a descriptor and still to come.</summary>
    private ref ushort Pending(int fd)
    {
        if (fd >= _pending.Length)
        {
            Array.Resize(ref _pending, Math.Max(fd + 1, 2 * _pending.Length));
        }

        return ref _pending[fd];
    }

    /// <summary>How many accepted sockets live here.</summary>
    public int Clients => Volatile.Read(ref _clients);

    /// <summary>Its number, from 0.</summary>
    public int Index { get; }

    /// <summary>The loop whose turn it is to take a socket.</summary>
    public static EventLoop Next() => Loops[(int)(Interlocked.Increment(ref s_next) % (uint)Loops.Length)];

    /// <summary>The loop of this thread, else one in turn: what a connection opens stays on its loop.</summary>
    public static EventLoop Nearest() => t_current ?? Next();

    /// <summary>
    /// The loop that is to take the next client: this thread's, which is awake and needs to tell nobody, as long as it has hardly more of
    /// them than another; it is compared with each in turn.
    /// </summary>
    public static EventLoop ForClient()
    {
        var other = Next();
        if (t_current is not { } mine)
        {
            return other;
        }

        int others = other.Clients;
        return mine.Clients - others <= TransportLimits.ClientsAheadMin + (others / TransportLimits.ClientsAheadShare) ? mine : other;
    }

    /// <summary>A client begins to live here, or has ended.</summary>
    public void CountClient(int change) => Interlocked.Add(ref _clients, change);

    /// <summary>
    /// Goes on after the other events of this batch, and all who gave up their turn before, have had theirs; elsewhere through the thread
    /// pool.
    /// </summary>
    public static TurnAwaitable NextTurn() => default;

    /// <summary>Tells a target of a descriptor's events from now on. 0, else the errno.</summary>
    public int Add(int fd, IEventTarget target, uint events)
    {
        Volatile.Write(ref Slot(fd), target);
        return _epoll.Add(fd, events);
    }

    /// <summary>Tells of other events from now on. 0, else the errno.</summary>
    public int Modify(int fd, uint events) => _epoll.Modify(fd, events);

    /// <summary>Stops telling of a descriptor that stays open.</summary>
    public void Remove(int fd, IEventTarget target)
    {
        Forget(fd, target);
        _epoll.Remove(fd);
    }

    /// <summary>Stops telling a target of a descriptor that is about to be closed, which takes it from the kernel's list.</summary>
    public static void Forget(int fd, IEventTarget target) => Interlocked.CompareExchange(ref Slot(fd), null, target);

    /// <summary>Runs something on this loop's thread, soon; from any thread.</summary>
    public void Post(IThreadPoolWorkItem item)
    {
        if (ReferenceEquals(t_current, this))
        {
            _deferred.Add(item);
            return;
        }

        bool first;
        lock (_gate)
        {
            first = _posted.Count == 0;
            _posted.Add(item);
        }

        if (first)
        {
            Wake();
        }
    }

    /// <summary>Has something wait in the line of those who gave up their turn; from any thread.</summary>
    /// <param name="index">Number of the loop; <see cref="StreamSocket.NoLoop"/> for the line of the thread pool.</param>
    /// <param name="continuation">What goes on.</param>
    public static void PostTurn(int index, Action continuation)
    {
        if (index != StreamSocket.NoLoop)
        {
            Loops[index].Post(new Turn(continuation));
        }
        else
        {
            new TurnAwaitable().UnsafeOnCompleted(continuation);
        }
    }

    /// <summary>Runs something at the end of this batch of events; on this loop's thread.</summary>
    public void Defer(IThreadPoolWorkItem item)
    {
        Debug.Assert(ReferenceEquals(t_current, this), "deferred on the loop's own thread");
        _deferred.Add(item);
    }

    private static EventLoop[] CreateAll()
    {
        if (StreamTransport.Chosen is not EpollTransport)
        {
            return [];
        }

        DirectCalls.Prepare();
        var loops = new EventLoop[Environment.ProcessorCount];
        for (int i = 0; i < loops.Length; i++)
        {
            loops[i] = new EventLoop(i);
            new Thread(loops[i].Run) { IsBackground = true, Name = $"event loop {i}" }.Start();
        }

        return loops;
    }

    private static ref IEventTarget? Slot(int fd)
    {
        var chunk = Volatile.Read(ref Targets[fd >> ChunkBits]) ?? AddChunk(fd >> ChunkBits);
        return ref chunk[fd & ((1 << ChunkBits) - 1)].Target;
    }

    private static Entry[] AddChunk(int index)
    {
        lock (TargetsGate)
        {
            return Targets[index] ??= new Entry[1 << ChunkBits];
        }
    }

    private void Run()
    {
        t_current = this;
        while (true)
        {
            BatchEvents = _epoll.Wait(forever: _deferred.Count == 0 && _yielded.Count == 0);
            Batch++;
            _hasAll = BatchEvents < PlatformLimits.EventsPerWait;
            _asked = _marked = _done = 0;
            _until = BatchEvents;
            do
            {
                long began = _yielded.Count > 0 ? TimeProvider.System.GetTimestamp() : 0;
                while (_done < _until)
                {
                    RunEvents();
                }

                // What was found by looking again waits until these have sent what there is to send.
                RunDeferred();
                if (_yielded.Count > 0)
                {
                    RunYielded(began);
                    RunDeferred();
                }

                _until = BatchEvents;
            } while (_done < BatchEvents);
        }
    }

    /// <summary>Runs those from there on, up to the first that throws, which is done then.</summary>
    private void RunEvents()
    {
        IEventTarget? target = null;
        try
        {
            while (_done < _until)
            {
                var (fd, events) = _epoll[_done++];
                if (_done <= _marked)
                {
                    _pending[fd]--;
                }

                if (fd == _wakeRead)
                {
                    target = null;
                    RunPosted();
                }
                else
                {
                    target = Volatile.Read(ref Slot(fd));
                    target?.OnEvents(events);
                }
            }
        }
        catch (Exception fault)
        {
            CallbackGuard.OnFault(fault, nameof(EventLoop), target);
        }
    }

    private void RunPosted()
    {
        lock (_gate)
        {
            if (_posted.Count == 0)
            {
                return; // Told twice, as happens when the loop looks again; then there is nothing to drain.
            }
        }

        Drain();
        lock (_gate)
        {
            (_posted, _taken) = (_taken, _posted);
        }

        RunAll(_taken);
    }

    /// <summary>Runs and forgets them all, whatever becomes of one.</summary>
    private static void RunAll(List<IThreadPoolWorkItem> items)
    {
        for (int done = 0; done < items.Count; )
        {
            RunItems(items, ref done);
        }

        items.Clear();
    }

    /// <summary>Runs those from there on, up to the first that throws, which is done then.</summary>
    private static void RunItems(List<IThreadPoolWorkItem> items, ref int done)
    {
        IThreadPoolWorkItem? item = null;
        try
        {
            while (done < items.Count)
            {
                item = items[done++];
                item.Execute();
            }
        }
        catch (Exception fault)
        {
            CallbackGuard.OnFault(fault, nameof(EventLoop), item);
        }
    }

    /// <summary>What these defer in turn waits until events have been looked at again.</summary>
    private void RunDeferred()
    {
        if (_deferred.Count == 0)
        {
            return;
        }

        (_deferred, _running) = (_running, _deferred);
        RunAll(_running);
    }

    /// <summary>
    /// Those that waited when it began, one after the other until they have had their time: as much as the events before it took, within
    /// bounds. Who gives up its turn again waits for the next batch.
    /// </summary>
    /// <param name="eventsBegan">When those began; 0 when nobody waited then.</param>
    private void RunYielded(long eventsBegan)
    {
        long began = TimeProvider.System.GetTimestamp();
        double mostMs =
            eventsBegan == 0
                ? TransportLimits.LoopTurnsMs
                : Math.Clamp(
                    TimeProvider.System.GetElapsedTime(eventsBegan, began).TotalMilliseconds,
                    TransportLimits.LoopTurnsMs,
                    TransportLimits.LoopTurnsMsMax
                );
        for (int left = _yielded.Count; left > 0; left--)
        {
            CallbackGuard.Run(_yielded.Dequeue(), nameof(EventLoop));
            if (TimeProvider.System.GetElapsedTime(began).TotalMilliseconds >= mostMs)
            {
                return;
            }
        }
    }

    private unsafe void Wake()
    {
        byte one = 1;
        _ = Libc.Write(_wakeWrite, &one, 1);
    }

    /// <summary>Before the list is taken: who adds to an empty list afterwards writes again.</summary>
    private unsafe void Drain()
    {
        byte one;
        _ = Libc.Read(_wakeRead, &one, 1);
    }

    /// <summary>A reference in a structure: to take the address of an element costs no check of its type.</summary>
    private struct Entry
    {
        public IEventTarget? Target;
    }

    /// <summary>See <see cref="PostTurn"/>.</summary>
    private sealed class Turn(Action continuation) : IThreadPoolWorkItem
    {
        public void Execute() => t_current!._yielded.Enqueue(continuation);
    }

    /// <summary>See <see cref="NextTurn"/>.</summary>
    public readonly struct TurnAwaitable : ICriticalNotifyCompletion
    {
        /// <summary>Never: it is the point to leave the thread to others.</summary>
        public bool IsCompleted => false;

        /// <summary>The awaiter.</summary>
        public TurnAwaitable GetAwaiter() => this;

        /// <summary>Nothing to get.</summary>
        public void GetResult() { }

        /// <inheritdoc/>
        public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

        /// <inheritdoc/>
        public void UnsafeOnCompleted(Action continuation)
        {
            if (t_current is { } loop)
            {
                loop._yielded.Enqueue(continuation);
            }
            else
            {
                ThreadPool.UnsafeQueueUserWorkItem(
                    static next => CallbackGuard.Run(next, nameof(EventLoop)),
                    continuation,
                    preferLocal: false
                );
            }
        }
    }
}
