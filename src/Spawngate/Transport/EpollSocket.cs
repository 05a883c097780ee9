using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Spawngate.Platform;
using Spawngate.Runtime;

namespace Spawngate.Transport;

/// <summary>A socket on an <see cref="EventLoop"/>: no call is made of which it is known that it would find nothing.</summary>
/// <remarks>
/// <code>
///  a direction:   NotReady ── event ──▶ Ready ── begun: a call ──▶ result; more than enough was there: Ready, else NotReady
///                    │  ▲                 ▲
///              begun │  │ the call found  │ event: the loop's thread makes the call
///                    ▼  │ nothing         │
///                  Waiting ───────────────┘
/// </code>
/// Events are told once (edge-triggered), and one may come at any moment. Before a call the direction is set to NotReady, so an event that
/// comes during or after it is not missed; a call that took all it asked for may have left something, and one that took less has not,
/// unless the peer has ended, or sent urgent data, at which a receive stops: that had its event together with the data's. A close is
/// another event that makes the loop look: nothing is called then. The descriptor's number is named to the kernel only while it cannot be
/// another's: a receive or send under way is marked in its direction (Calling), and the last to leave after a close closes the descriptor;
/// all other calls hold the handle. Who begins a call first marks it and then looks for a close; who closes first says so and then looks
/// for marks. A receive that finds an end waits for such marks of the sending side, and for other calls that send: one of them may just be
/// told of the error that made it an end.
/// </remarks>
internal sealed partial class EpollSocket : StreamSocket, IEventTarget, IThreadPoolWorkItem, ICallbackOwner
{
    private const int NotReady = 0;
    private const int Ready = 1;
    private const int Waiting = 2;
    private const int Calling = 4;

    private const uint ReadEvents = EpollInstance.In | EpollInstance.Urgent | EpollInstance.PeerEnded | EpollInstance.EdgeTriggered;
    private const uint EndEvents = EpollInstance.PeerEnded | EpollInstance.HangUp | EpollInstance.Error;
    private const int ConnectMark = -1;

    private readonly SocketHandle _handle;
    private readonly int _fd;
    private readonly EventLoop _loop;
    private int _readState;
    private int _writeState = Ready;
    private int _closed;
    private int _disposed;
    private int _sideCalls;
    private volatile bool _mayHideMore;
    private volatile bool _peerHasEnded;
    private bool _watchesWrites;
    private DescriptorUse _use = DescriptorUse.Upstream;
    private SocketOperation? _reading;
    private byte[] _readBuffer = [];
    private int _readOffset;
    private int _readCount;
    private SocketOperation? _writing;
    private byte[] _writeBuffer = [];
    private int _writeOffset;
    private int _writeCount;
    private int _written;
    private bool _moreFollows;
    private SocketAddress? _connectingTo;

    private EpollSocket(SocketHandle handle, EventLoop loop)
    {
        _handle = handle;
        _fd = (int)handle.DangerousGetHandle();
        _loop = loop;
    }

    /// <inheritdoc/>
    public override SafeHandle Handle => _handle;

    /// <inheritdoc/>
    public override int LoopIndex => _loop.Index;

    /// <inheritdoc/>
    public override bool PeerHasEnded => _peerHasEnded && Ask(SocketCalls.HasPeerEnded) != 0; // The event may have been another's.

    /// <inheritdoc/>
    public override bool WaitsToSend => Volatile.Read(ref _writeState) == Waiting;

    /// <inheritdoc/>
    public override bool IsSelfConnected
    {
        get
        {
            if (_connectingTo is null)
            {
                return false;
            }

            Span<byte> mine = stackalloc byte[TransportLimits.SocketAddressBytes];
            try
            {
                int length = SocketCalls.LocalAddress(_handle, mine);
                return length > 0 && mine[..length].SequenceEqual(_connectingTo.Buffer.Span[.._connectingTo.Size]);
            }
            catch (ObjectDisposedException)
            {
                return false; // Sending tells.
            }
        }
    }

    /// <summary>
    /// A TCP socket that is not connected yet, on the loop of this thread; null when the system has none left, or only the reserve of
    /// <see cref="DescriptorBudget"/>.
    /// </summary>
    public static EpollSocket? TryCreate(AddressFamily family, bool fromReserve = false)
    {
        if (!DescriptorBudget.Shared.TryTake(DescriptorUse.Upstream, fromReserve: fromReserve))
        {
            return null;
        }

        int fd = SocketCalls.Create(family);
        if (fd < 0)
        {
            DescriptorBudget.Shared.Release(DescriptorUse.Upstream);
            return null;
        }

        return new EpollSocket(new SocketHandle(fd), EventLoop.Nearest());
    }

    /// <summary>Takes over an accepted, non-blocking descriptor.</summary>
    /// <param name="fd">The descriptor.</param>
    /// <param name="loop">Where it is to live.</param>
    /// <exception cref="SocketException">The system watches no more.</exception>
    public static EpollSocket Accepted(int fd, EventLoop loop)
    {
        loop.CountClient(1);
        DescriptorBudget.Shared.Take(DescriptorUse.Client);
        return new EpollSocket(new SocketHandle(fd), loop) { _use = DescriptorUse.Client }.Registered();
    }

    /// <inheritdoc/>
    public override bool BeginReceive(SocketOperation operation, byte[] buffer, int offset, int count)
    {
        _reading = operation;
        _readBuffer = buffer;
        _readOffset = offset;
        _readCount = count;
        return !TryRead();
    }

    /// <inheritdoc/>
    public override bool BeginSend(SocketOperation operation, byte[] buffer, int offset, int count, bool more)
    {
        _writing = operation;
        _writeBuffer = buffer;
        _writeOffset = offset;
        _writeCount = count;
        _written = 0;
        _moreFollows = more;
        return !TryWrite();
    }

    /// <inheritdoc/>
    public override bool BeginConnect(SocketOperation operation, EndPoint endpoint)
    {
        _writing = operation;
        _connectingTo = endpoint.Serialize();
        _writeCount = ConnectMark;
        _watchesWrites = true;
        int begun = TryConnect();
        if (begun == 0 || begun == -SocketCalls.EINPROGRESS)
        {
            int error = Watch(ReadEvents | EpollInstance.Out, isNew: true);
            if (error == 0)
            {
                // On one machine it is often there already: the first look tells.
                return !TryWrite();
            }

            begun = -error;
        }

        operation.SetResult(0, SocketCalls.Translate(-begun));
        return false;
    }

    /// <inheritdoc/>
    public override SocketCapabilities Capabilities => SocketCapabilities.Splice | SocketCapabilities.Probe;

    /// <inheritdoc/>
    public override bool TryAskPeer(out TcpInfo info) => TcpInfo.TryRead(_handle, out info);

    /// <inheritdoc/>
    public override bool IsReadable()
    {
        try
        {
            return SocketCalls.IsReadable(_handle);
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }

    /// <inheritdoc/>
    public override int Available => Ask(SocketCalls.Available);

    /// <inheritdoc/>
    public override int? Unacknowledged => Ask(SocketCalls.Unacknowledged);

    /// <inheritdoc/>
    public override void KeepAlive()
    {
        try
        {
            SocketCalls.KeepAlive(_handle, TransportLimits.HalfCloseKeepAliveSecs);
        }
        catch (ObjectDisposedException)
        {
            // Closed already.
        }
    }

    /// <inheritdoc/>
    public override bool? TrySend(byte value)
    {
        Interlocked.Increment(ref _sideCalls);
        try
        {
            int sent = SocketCalls.Send(_handle, [value]);
            NoteCallFault(sent);
            return sent == -Libc.EAGAIN ? null : sent == 1;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
        finally
        {
            Interlocked.Decrement(ref _sideCalls);
        }
    }

    /// <inheritdoc/>
    public override void Shutdown(SocketShutdown how)
    {
        try
        {
            SocketCalls.Shutdown(_handle, how);
        }
        catch (ObjectDisposedException)
        {
            // Closed already, which is more.
        }
    }

    /// <inheritdoc/>
    public override void Close(bool reset)
    {
        if (reset)
        {
            SocketCalls.ResetOnClose(_handle);
        }

        Interlocked.Exchange(ref _closed, 1);
        EventLoop.Forget(_fd, this);
        DisposeUnlessCalling();

        // Who begins to wait from now on sees that it is closed; who waits already has to be told.
        if (Volatile.Read(ref _readState) == Waiting || Volatile.Read(ref _writeState) == Waiting)
        {
            _loop.Post(this);
        }
    }

    /// <summary>The socket was closed while an operation was pending: it ends.</summary>
    void IThreadPoolWorkItem.Execute() => OnEvents(EndEvents | EpollInstance.In | EpollInstance.Out);

    /// <inheritdoc/>
    public void OnEvents(uint events)
    {
        if ((events & (EndEvents | EpollInstance.Urgent)) != 0)
        {
            _mayHideMore = true;
            _peerHasEnded |= (events & EndEvents) != 0;

            // Who finds the direction ready takes this into account: it must be seen before the direction is looked at here.
            Interlocked.MemoryBarrier();
        }

        if ((events & (EpollInstance.In | EpollInstance.Urgent | EndEvents)) != 0 && TakeWaiting(ref _readState))
        {
            var operation = _reading!;
            if (TryRead())
            {
                operation.Complete();
            }
        }

        if ((events & (EpollInstance.Out | EpollInstance.HangUp | EpollInstance.Error)) != 0 && TakeWaiting(ref _writeState))
        {
            var operation = _writing!;
            if (TryWrite())
            {
                operation.Complete();
            }
        }
    }

    /// <summary>Its owner finds the connection broken.</summary>
    void ICallbackOwner.OnCallbackFault() => Close(reset: true);

    private EpollSocket Registered()
    {
        int error = Watch(ReadEvents, isNew: true);
        if (error == 0)
        {
            return this;
        }

        Close(reset: false);
        throw new SocketException((int)SocketCalls.Translate(error));
    }

    /// <summary>Has the loop tell of events, the first time or others. 0, else the errno.</summary>
    private int Watch(uint events, bool isNew)
    {
        bool held = false;
        try
        {
            _handle.DangerousAddRef(ref held);
            return isNew ? _loop.Add(_fd, this, events) : _loop.Modify(_fd, events);
        }
        catch (ObjectDisposedException)
        {
            return SocketCalls.EBADF;
        }
        finally
        {
            if (held)
            {
                _handle.DangerousRelease();
            }

            if (IsClosed)
            {
                // A close may have come before the loop was told who this is.
                EventLoop.Forget(_fd, this);
            }
        }
    }

    /// <summary>Goes on with the receive. False when it waits for an event, from which moment on the loop's thread goes on.</summary>
    private bool TryRead()
    {
        while (true)
        {
            while ((Volatile.Read(ref _readState) & Ready) != 0)
            {
                if (_readCount == 0)
                {
                    _reading!.SetResult(0, IsClosed ? SocketError.OperationAborted : SocketError.Success);
                    return true;
                }

                Interlocked.Exchange(ref _readState, Calling);
                int read = IsClosed ? -SocketCalls.EBADF : DirectCalls.Receive(_fd, _readBuffer, _readOffset, _readCount);
                EndCall(ref _readState, isReady: read != -Libc.EAGAIN && (read == _readCount || read <= 0 || _mayHideMore));
                if (read == -Libc.EAGAIN)
                {
                    continue;
                }

                if (read != -Libc.EINTR)
                {
                    NoteCallFault(read);
                    _reading!.SetResult(
                        Math.Max(read, 0),
                        read < 0 ? SocketCalls.Translate(-read)
                            : read == 0 ? FaultAtEnd()
                            : SocketError.Success
                    );
                    return true;
                }
            }

            if (BeginWait(ref _readState))
            {
                return false;
            }
        }
    }

    /// <summary>
    /// Goes on with the send or the connect. False when it waits for an event, from which moment on the loop's thread goes on.
    /// </summary>
    private bool TryWrite()
    {
        while (true)
        {
            while ((Volatile.Read(ref _writeState) & Ready) != 0)
            {
                Interlocked.Exchange(ref _writeState, Calling);
                int result =
                    IsClosed ? -SocketCalls.EBADF
                    : _writeCount == ConnectMark ? AskConnect()
                    : DirectCalls.Send(_fd, _writeBuffer, _writeOffset + _written, _writeCount - _written, _moreFollows);
                NoteCallFault(result); // Before the mark goes, for which a receive waits that finds an end.
                EndCall(ref _writeState, isReady: result != -Libc.EAGAIN);
                if (result == -Libc.EAGAIN || result == -Libc.EINTR)
                {
                    continue;
                }

                if (result >= 0 && (_written += result) < _writeCount)
                {
                    continue;
                }

                _writing!.SetResult(result < 0 ? 0 : _written, result < 0 ? SocketCalls.Translate(-result) : SocketError.Success);
                return true;
            }

            if (!_watchesWrites)
            {
                // Told anew if it holds, so nothing is missed by asking only now.
                _watchesWrites = true;
                Watch(ReadEvents | EpollInstance.Out, isNew: false);
            }

            if (BeginWait(ref _writeState))
            {
                return false;
            }
        }
    }

    /// <summary>True when the loop goes on at the next event. False when one has come meanwhile, or the socket has been closed.</summary>
    private bool BeginWait(ref int state) =>
        Interlocked.CompareExchange(ref state, Waiting, NotReady) == NotReady
        && !(IsClosed && Interlocked.CompareExchange(ref state, Ready, Waiting) == Waiting);

    private bool IsClosed => Volatile.Read(ref _closed) != 0;

    /// <summary>Notes an event. True when an operation waits for it, which is then the caller's to carry out.</summary>
    private static bool TakeWaiting(ref int state)
    {
        int seen = Volatile.Read(ref state);
        if ((seen & Ready) != 0)
        {
            return false;
        }

        // Mostly it waits. Where a call is under way its mark stays; and whoever began it may begin to wait meanwhile.
        if (seen == Waiting && Interlocked.CompareExchange(ref state, Ready, Waiting) == Waiting)
        {
            return true;
        }

        if (Interlocked.Or(ref state, Ready) != Waiting)
        {
            return false;
        }

        Volatile.Write(ref state, Ready);
        return true;
    }

    /// <summary>Notes an error of the connection that a call returned.</summary>
    private void NoteCallFault(int result)
    {
        if (result < 0 && result != -Libc.EAGAIN && result != -Libc.EINTR)
        {
            NoteFault(SocketCalls.Translate(-result));
        }
    }

    /// <summary>
    /// A receive found an end: what is noted of an error before it, else success. A call that sends may be told of the error in this very
    /// moment; it notes it before it ends.
    /// </summary>
    private SocketError FaultAtEnd()
    {
        var spin = default(SpinWait);
        while ((Volatile.Read(ref _writeState) & Calling) != 0 || Volatile.Read(ref _sideCalls) != 0)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }

        return Fault;
    }

    /// <summary>Ends what began by marking the direction as Calling; the last of them closes the descriptor if that is due.</summary>
    private void EndCall(ref int state, bool isReady)
    {
        if (isReady)
        {
            Interlocked.Exchange(ref state, Ready);
        }
        else
        {
            Interlocked.And(ref state, ~Calling);
        }

        if (IsClosed)
        {
            DisposeUnlessCalling();
        }
    }

    private void DisposeUnlessCalling()
    {
        if (
            ((Volatile.Read(ref _readState) | Volatile.Read(ref _writeState)) & Calling) == 0
            && Interlocked.Exchange(ref _disposed, 1) == 0
        )
        {
            _handle.Dispose();
            DescriptorBudget.Shared.Release(_use);
            if (_use == DescriptorUse.Client)
            {
                _loop.CountClient(-1);
            }
        }
    }

    /// <summary>What a call says; 0 when the socket has been closed.</summary>
    private int Ask(Func<SafeHandle, int> call)
    {
        try
        {
            return call(_handle);
        }
        catch (ObjectDisposedException)
        {
            return 0;
        }
    }

    /// <summary>Asks how the connect goes on, by doing it again: 0 once, when it is there.</summary>
    private int AskConnect() =>
        TryConnect() switch
        {
            -SocketCalls.EALREADY or -SocketCalls.EINPROGRESS => -Libc.EAGAIN,
            -SocketCalls.EISCONN => 0,
            var outcome => outcome,
        };

    private int TryConnect()
    {
        try
        {
            return SocketCalls.Connect(_handle, _connectingTo!.Buffer.Span[.._connectingTo.Size]);
        }
        catch (ObjectDisposedException)
        {
            return -SocketCalls.EBADF;
        }
    }
}
