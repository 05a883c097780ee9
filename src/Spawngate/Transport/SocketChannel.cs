using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Spawngate.Platform;
using Spawngate.Protocols.Http1;

namespace Spawngate.Transport;

/// <summary>
/// One TCP connection with a contiguous receive buffer and a small send buffer; one receive and one send at a time.
/// </summary>
/// <remarks>
/// <code>
///  receive buffer   0 .. Reserve ......... start ======== end ........ length - Reserve .. length
///                        consumed          received        room
/// </code>
/// A receive can be <em>armed</em> ahead of need. Its completion then tells at once that the peer spoke or left, and costs
/// nothing extra, since the next read wanted that receive anyway. While one is armed the buffer is not moved, so offsets
/// and spans into it stay valid. The reserve at both ends is room for a chunk-size line before and a chunk end after data.
/// </remarks>
internal sealed class SocketChannel : IDisposable
{
    private readonly StreamSocket _socket;
    private readonly ReceiveOperation _receive;
    private readonly SocketOperation _send;
    private readonly bool _waits;
    private byte[] _buffer = [];
    private int _start;
    private int _end;
    private byte[] _outgoing = [];
    private int _outgoingEnd;
    private int _sentAhead;
    private int _closed;
    private volatile bool _asksReadable;

    /// <summary>Takes over a socket.</summary>
    /// <param name="socket">The socket.</param>
    /// <param name="watcher">Hears of armed receives that end unobserved.</param>
    /// <param name="waits">Whether it mostly waits, for little: its first buffer is then a wait buffer.</param>
    public SocketChannel(StreamSocket socket, IReceiveWatcher? watcher, bool waits = false)
    {
        _socket = socket;
        _waits = waits;
        _receive = new ReceiveOperation(this, watcher);
        _send = new SocketOperation(null);
    }

    /// <summary>Bytes received and not yet consumed.</summary>
    public ReadOnlySpan<byte> Received => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Number of bytes received and not yet consumed.</summary>
    public int ReceivedLength => _end - _start;

    /// <summary>True when the receive buffer has no room: the last receive took all it could.</summary>
    public bool IsFull => Room == 0;

    /// <summary>Bytes of its buffers, and of the socket's own; from any thread.</summary>
    public int HeldBytes => _buffer.Length + _outgoing.Length + _socket.HeldBytes;

    /// <summary>Size of the receive buffer.</summary>
    public int ReceiveBufferBytes => _buffer.Length;

    /// <summary>True while a receive is begun and its result not yet taken.</summary>
    public bool IsArmed => _receive.IsArmed;

    /// <summary>True while a send is begun and not complete.</summary>
    public bool IsSending => _send.IsArmed && !_send.HasResult;

    /// <summary>True while a send waits for the peer to take of what it was sent before.</summary>
    public bool IsSendWaiting => IsSending && _socket.WaitsToSend;

    /// <summary>True when an armed receive has ended: data, end of stream or an error wait to be taken.</summary>
    public bool HasArmedResult => _receive.IsArmed && _receive.HasResult;

    /// <summary>True when the armed receive has ended without data: the peer closed its side, or the connection broke.</summary>
    public bool ArmedResultIsEnd =>
        HasArmedResult && (_receive.Error != SocketError.Success || (_receive.BytesTransferred == 0 && !_asksReadable));

    /// <summary>True when the armed receive has ended with an error rather than an orderly close.</summary>
    public bool ArmedResultIsError => HasArmedResult && _receive.Error != SocketError.Success;

    /// <summary>True once <see cref="Abort"/> or <see cref="Dispose"/> was called.</summary>
    public bool IsClosed => Volatile.Read(ref _closed) != 0;

    /// <summary>Bytes written and not yet sent.</summary>
    public int OutgoingLength => _outgoingEnd;

    /// <summary>The underlying socket's descriptor, for calls that hold it only while they run.</summary>
    public SafeHandle Handle => _socket.Handle;

    /// <summary>The descriptor's number, only to be compared: it may be another's by now.</summary>
    public int Descriptor => (int)_socket.Handle.DangerousGetHandle();

    /// <summary>Number of the event loop it belongs to; <see cref="StreamSocket.NoLoop"/> when it belongs to none.</summary>
    public int LoopIndex => _socket.LoopIndex;

    /// <summary>The port of its own end, also after a reset; 0 when it has none.</summary>
    public int LocalPort
    {
        get
        {
            // Family, then port, in every address of the internet protocols.
            Span<byte> address = stackalloc byte[TransportLimits.SocketAddressBytes];
            try
            {
                int length = SocketCalls.LocalAddress(Handle, address);
                return length >= sizeof(int) ? BinaryPrimitives.ReadUInt16BigEndian(address[sizeof(ushort)..]) : 0;
            }
            catch (ObjectDisposedException)
            {
                return 0;
            }
        }
    }

    /// <summary>Connects the socket. Negative when that failed or the channel was aborted; then <see cref="SendError"/> says why.</summary>
    public ValueTask<int> ConnectAsync(EndPoint endpoint)
    {
        _send.Arm();
        return _socket.BeginConnect(_send, endpoint) ? _send.WaitAsync() : new ValueTask<int>(_send.TakeSynchronousResult());
    }

    /// <summary>Bytes given to the kernel to send since the connection began.</summary>
    public long SentTotal { get; private set; }

    /// <summary>
    /// True when the peer's kernel refused what was sent last, by a reset. It is reported once, to whichever operation asks first; EPIPE
    /// says that an end came before it.
    /// </summary>
    public bool WasReset => IsReset(_receive.Error) || IsReset(SendError);

    /// <summary>Error of the last connect or send.</summary>
    public SocketError SendError => _send.Error;

    /// <summary>
    /// True when a connect to a port where nobody listens met itself: TCP lets a socket connect to its own ephemeral port. It counts as
    /// refused.
    /// </summary>
    public bool IsSelfConnected => _socket.IsSelfConnected;

    /// <summary>Marks received bytes as used.</summary>
    public void Consume(int bytes)
    {
        Debug.Assert(bytes >= 0 && bytes <= _end - _start, "consumes what was received");
        _start += bytes;
        if (_start == _end && !_receive.IsArmed && _buffer.Length > 0)
        {
            _start = _end = TransportLimits.BufferReserveBytes;
        }
    }

    /// <summary>
    /// Makes room for at least <paramref name="roomMin"/> more bytes, by moving what is there or taking a larger buffer.
    /// Offsets into <see cref="Received"/> stay as they are. Not while a receive is armed.
    /// </summary>
    public void EnsureRoom(int roomMin)
    {
        if (Room >= roomMin)
        {
            return;
        }

        Debug.Assert(!_receive.IsArmed, "the buffer of an armed receive does not move");
        int length = _end - _start;
        int needed = length + roomMin + (2 * TransportLimits.BufferReserveBytes);
        byte[] target = needed <= _buffer.Length ? _buffer : BufferPool.Rent(needed);
        Buffer.BlockCopy(_buffer, _start, target, TransportLimits.BufferReserveBytes, length);
        if (!ReferenceEquals(target, _buffer))
        {
            ReturnReceiveBuffer();
            _buffer = target;
        }

        _start = TransportLimits.BufferReserveBytes;
        _end = _start + length;
    }

    /// <summary>Goes back from a large buffer to one in which what is left fits, so that an idle connection holds little memory.</summary>
    public void Shrink()
    {
        int length = _end - _start;
        if (_receive.IsArmed || _buffer.Length <= TransportLimits.SmallBufferBytes || length > TransportLimits.SmallBufferBytes / 2)
        {
            return;
        }

        byte[] small = BufferPool.Rent(_waits && length == 0 ? TransportLimits.WaitBufferBytes : TransportLimits.SmallBufferBytes);
        Buffer.BlockCopy(_buffer, _start, small, TransportLimits.BufferReserveBytes, length);
        ReturnReceiveBuffer();
        _buffer = small;
        _start = TransportLimits.BufferReserveBytes;
        _end = _start + length;
    }

    /// <summary>
    /// Begins a receive without waiting for it; nothing happens when one is armed already or there is no room. False when
    /// its result (bytes, end or error) is there already.
    /// </summary>
    public bool Arm()
    {
        if (!_receive.IsArmed)
        {
            if (_buffer.Length == 0)
            {
                EnsureRoom(FirstRoom);
            }

            if (Room == 0)
            {
                return true;
            }

            if (!BeginReceive())
            {
                // Keep the result as if it had come a moment later, so that there is one way to take it.
                _receive.KeepSynchronousResult();
            }
        }

        return !_receive.HasResult;
    }

    /// <summary>
    /// Receives more bytes behind those already there. Their number; 0 when the peer has ended its side; -1 on an error or
    /// after <see cref="Abort"/>.
    /// </summary>
    public ValueTask<int> ReceiveAsync()
    {
        if (_receive.IsArmed)
        {
            return _receive.WaitAsync();
        }

        EnsureRoom(_buffer.Length == 0 ? FirstRoom : 1);
        return BeginReceive() ? _receive.WaitAsync() : new ValueTask<int>(_receive.TakeSynchronousResult());
    }

    /// <summary>
    /// Waits until a receive would return at once, without receiving. 0, or -1 on an error or after <see cref="Abort"/>. Not while a
    /// receive is armed.
    /// </summary>
    public ValueTask<int> WaitReadableAsync()
    {
        // Of no bytes the kernel says that it has none only while there is nothing to read.
        return BeginReceive(0) ? _receive.WaitAsync() : new ValueTask<int>(_receive.TakeSynchronousResult());
    }

    /// <summary>
    /// Room to write at least <paramref name="sizeMin"/> bytes behind those not yet sent; follow with <see cref="CommitOutgoing"/>.
    /// </summary>
    public Span<byte> GetOutgoing(int sizeMin)
    {
        if (_outgoing.Length - _outgoingEnd < sizeMin)
        {
            byte[] larger = BufferPool.Rent(Math.Max(_outgoingEnd + sizeMin, TransportLimits.SmallBufferBytes));
            Buffer.BlockCopy(_outgoing, 0, larger, 0, _outgoingEnd);
            BufferPool.Return(_outgoing);
            _outgoing = larger;
        }

        return _outgoing.AsSpan(_outgoingEnd);
    }

    /// <summary>Counts bytes written into <see cref="GetOutgoing"/>.</summary>
    public void CommitOutgoing(int bytes) => _outgoingEnd += bytes;

    /// <summary>Copies bytes behind those not yet sent.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetOutgoing(bytes.Length));
        _outgoingEnd += bytes.Length;
    }

    /// <summary>
    /// Sends what was written; it stays in <see cref="Outgoing"/> until <see cref="ReleaseOutgoing"/>. The bytes sent, or -1.
    /// </summary>
    /// <param name="more">True when other bytes follow at once: the kernel may let these wait for them.</param>
    public ValueTask<int> FlushAsync(bool more = false)
    {
        int ahead = _sentAhead;
        _sentAhead = 0;
        return SendAsync(_outgoing, ahead, _outgoingEnd - ahead, more);
    }

    /// <summary>True when the socket can do all of these.</summary>
    public bool Can(SocketCapabilities wanted) => (_socket.Capabilities & wanted) == wanted;

    /// <summary>What the kernel knows of the connection, from any thread. False where it does not say, or the socket declines.</summary>
    public bool TryAskPeer(out TcpInfo info) => _socket.TryAskPeer(out info);

    /// <summary>
    /// Sends one byte at once, from any thread, while no other send is in progress. Null when the kernel would make it wait or the socket
    /// declines, false when the connection is over.
    /// </summary>
    public bool? TrySendAhead(byte value) => Can(SocketCapabilities.Probe) ? _socket.TrySend(value) : null;

    /// <summary>The first of the bytes written next went out by <see cref="TrySendAhead"/>: it is not sent again.</summary>
    public void SkipSentAhead() => _sentAhead = 1;

    /// <summary>Takes a long head into an array of its size: while it waits to be answered it holds no more than it needs.</summary>
    public void CompactOutgoing()
    {
        if (_outgoing.Length <= TransportLimits.SmallBufferBytes || _outgoing.Length - _outgoingEnd <= TransportLimits.SmallBufferBytes)
        {
            return;
        }

        byte[] exact = GC.AllocateUninitializedArray<byte>(_outgoingEnd);
        Buffer.BlockCopy(_outgoing, 0, exact, 0, _outgoingEnd);
        BufferPool.Return(_outgoing);
        _outgoing = exact;
    }

    /// <summary>Forgets what was written and gives its buffer back.</summary>
    public void ReleaseOutgoing()
    {
        _outgoingEnd = 0;
        byte[] buffer = _outgoing;
        _outgoing = [];
        BufferPool.Return(buffer);
    }

    /// <summary>
    /// Forgets what was written, but keeps a small buffer for the next head: the thread that writes it is not the one that ends this
    /// exchange.
    /// </summary>
    public void ClearOutgoing()
    {
        _outgoingEnd = 0;
        if (_outgoing.Length > TransportLimits.SmallBufferBytes)
        {
            ReleaseOutgoing();
        }
    }

    /// <summary>The bytes written since the last release, sent or not: a request is sent again from here.</summary>
    public ReadOnlySpan<byte> Outgoing => _outgoing.AsSpan(0, _outgoingEnd);

    /// <summary>Sends all of these bytes, past the send buffer. Their number, or -1 on an error.</summary>
    public ValueTask<int> SendAsync(byte[] buffer, int offset, int count, bool more = false)
    {
        _send.Arm();
        SentTotal += count;
        return _socket.BeginSend(_send, buffer, offset, count, more)
            ? _send.WaitAsync()
            : new ValueTask<int>(_send.TakeSynchronousResult());
    }

    /// <summary>Sends received bytes of another channel from where they lie, with a chunk frame around them if asked.</summary>
    /// <param name="source">The channel they were received on.</param>
    /// <param name="offset">Offset in its <see cref="Received"/>.</param>
    /// <param name="count">Number of bytes.</param>
    public ValueTask<int> SendReceivedAsync(SocketChannel source, int offset, int count) =>
        SendAsync(source._buffer, source._start + offset, count);

    /// <summary>
    /// Frames received bytes as one chunk in place and sends it: the size line goes before the data and the tail behind it, into
    /// consumed bytes or the reserve.
    /// </summary>
    /// <param name="source">The channel they were received on; the bytes before <paramref name="offset"/> must be used up.</param>
    /// <param name="offset">Offset of the data in its <see cref="Received"/>.</param>
    /// <param name="count">Bytes to send: the data, and what follows it if that is framed already.</param>
    /// <param name="size">Bytes of data of this chunk.</param>
    /// <param name="crlfFirst">True to close the previous chunk first.</param>
    /// <param name="tail">Written behind the data, where the caller knows that there is room; may be empty.</param>
    public ValueTask<int> SendChunkAsync(SocketChannel source, int offset, int count, int size, bool crlfFirst, ReadOnlySpan<byte> tail)
    {
        var writer = new HeadWriter(stackalloc byte[TransportLimits.BufferReserveBytes]);
        if (crlfFirst)
        {
            writer.Write("\r\n"u8);
        }

        writer.WriteChunkSize(size);
        int dataStart = source._start + offset;
        int frameStart = dataStart - writer.Length;
        writer.Written.CopyTo(source._buffer.AsSpan(frameStart));
        tail.CopyTo(source._buffer.AsSpan(dataStart + count));
        return SendAsync(source._buffer, frameStart, writer.Length + count + tail.Length);
    }

    /// <summary>Puts bytes behind those received, as if they had come from the peer; not while a receive is armed.</summary>
    public void AppendReceived(ReadOnlySpan<byte> bytes)
    {
        EnsureRoom(bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(_end));
        _end += bytes.Length;
    }

    /// <summary>Writes over received bytes.</summary>
    public void WriteReceived(int offset, ReadOnlySpan<byte> bytes) => bytes.CopyTo(_buffer.AsSpan(_start + offset, bytes.Length));

    /// <summary>Moves received bytes within <see cref="Received"/> towards its front, to join pieces of data.</summary>
    public void MoveReceived(int from, int to, int count) => Buffer.BlockCopy(_buffer, _start + from, _buffer, _start + to, count);

    /// <summary>
    /// Asks the kernel whether anything (bytes, an end, an error) waits to be read, before its completion is delivered. One system call.
    /// </summary>
    public bool HasSomethingToRead() => HasArmedResult || IsReadable();

    /// <summary>
    /// True when it is known that nothing comes behind what may still wait to be read. No system call while there is no sign of it.
    /// </summary>
    public bool PeerHasEnded => _socket.PeerHasEnded;

    /// <summary>True when bytes are here, or in the kernel, that nobody has taken.</summary>
    public bool HasUnread => ReceivedLength > 0 || (HasArmedResult && _receive.BytesTransferred > 0) || _socket.Available > 0;

    /// <summary>Asks the kernel whether a receive would return at once. One system call.</summary>
    public bool IsReadable() => _socket.IsReadable();

    /// <summary>
    /// Takes bytes that were received into a pipe behind those already here, up to <paramref name="max"/>; not while a receive is armed.
    /// </summary>
    public void TakeFrom(SplicePipe pipe, int max)
    {
        int count = Math.Min(max, pipe.Length);
        EnsureRoom(count);
        while (count > 0 && pipe.Read(_buffer.AsSpan(_end, count)) is > 0 and var read)
        {
            _end += read;
            count -= read;
        }
    }

    /// <summary>
    /// Moves what the kernel has received into a pipe, past the receive buffer; none is armed. Bytes; 0 at the end of the stream; else the
    /// negative errno.
    /// </summary>
    public int SpliceTo(int pipe, int max) => _socket.SpliceTo(pipe, max);

    /// <summary>Moves bytes of a pipe to the send queue; no send is under way. Bytes, else the negative errno.</summary>
    public int SpliceFrom(int pipe, int max, bool more)
    {
        int moved = _socket.SpliceFrom(pipe, max, more);
        SentTotal += Math.Max(moved, 0);
        return moved;
    }

    /// <summary>
    /// More of a message of which a part is here is waited for: the peer may keep it back until that part is acknowledged. One system call.
    /// </summary>
    public void AcknowledgeNow() => DelayedAcks.SendNow(Handle);

    /// <summary>Has the kernel ask the peer from now on whether it is still there, while nothing is sent to it.</summary>
    public void KeepAlive() => _socket.KeepAlive();

    /// <summary>
    /// True once <see cref="BoundReceived"/> or <see cref="BoundUnsent"/> was called: the kernel does not tune it to its way any more.
    /// </summary>
    public bool IsBounded { get; private set; }

    /// <summary>Has the kernel receive no more than so many bytes ahead, for the rest of the connection; from any thread.</summary>
    public void BoundReceived(int bytes)
    {
        IsBounded = true;
        SocketMemory.BoundReceived(Handle, bytes);
    }

    /// <summary>
    /// Has the kernel take no more to send while so many bytes of it were never sent, for the rest of the connection; from any thread.
    /// </summary>
    public void BoundUnsent(int bytes)
    {
        IsBounded = true;
        SocketMemory.BoundUnsent(Handle, bytes);
    }

    /// <summary>Bytes that were sent and that the peer's kernel has not acknowledged; null where that cannot be told.</summary>
    public int? Unacknowledged => _socket.Unacknowledged;

    /// <summary>Ends our side; the peer reads an end of stream behind what was sent.</summary>
    public void ShutdownSend() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Makes a pending receive return 0, to wake whoever waits for the peer.</summary>
    public void ShutdownReceive() => _socket.Shutdown(SocketShutdown.Receive);

    /// <summary>Ends both sides in order: an armed receive ends without data. To close with a receive pending would be a reset.</summary>
    public void ShutdownBoth() => _socket.Shutdown(SocketShutdown.Both);

    /// <summary>
    /// Closes the socket from any thread: pending operations end with an error. With <paramref name="reset"/> the peer sees a
    /// reset instead of an orderly end, so that a cut message cannot look complete.
    /// </summary>
    public void Abort(bool reset)
    {
        if (Interlocked.Exchange(ref _closed, 1) == 0)
        {
            _socket.Close(reset);
        }
    }

    /// <summary>Closes the socket and gives the buffers back. Only by the owner, with no send in progress.</summary>
    public void Dispose()
    {
        Abort(reset: false);
        ReleaseOutgoing();
        if (!_receive.IsArmed || _receive.HasResult)
        {
            ReturnReceiveBuffer();
            _buffer = [];
            _start = _end = 0;
        }
    }

    private int FirstRoom => _waits ? 1 : TransportLimits.SmallBufferBytes - (2 * TransportLimits.BufferReserveBytes);

    private int Room => Math.Max(0, _buffer.Length - TransportLimits.BufferReserveBytes - _end);

    private bool BeginReceive() => BeginReceive(Room);

    private bool BeginReceive(int count)
    {
        _asksReadable = count == 0;
        _receive.Arm();
        return _socket.BeginReceive(_receive, _buffer, _end, count);
    }

    private static bool IsReset(SocketError error) => error is SocketError.ConnectionReset or SocketError.Shutdown;

    private void ReturnReceiveBuffer() => BufferPool.Return(_buffer);

    private sealed class ReceiveOperation(SocketChannel channel, IReceiveWatcher? watcher) : SocketOperation(watcher)
    {
        protected override int Finish(int result)
        {
            if (result > 0)
            {
                channel._end += result;
            }

            return result;
        }
    }
}
