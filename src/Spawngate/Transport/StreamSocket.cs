using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Spawngate.Platform;

namespace Spawngate.Transport;

/// <summary>
/// What a stream socket may be able to do beyond receiving, sending and ending. Whoever wants it asks first, and does without where it is
/// declined: bytes that are encrypted on their way, or that go through a pipe, cannot be spliced, and what the kernel knows of their
/// connection says nothing about them.
/// </summary>
[Flags]
internal enum SocketCapabilities : byte
{
    /// <summary>Nothing of it.</summary>
    None = 0,

    /// <summary>
    /// Bytes can go from kernel to kernel: <see cref="StreamSocket.SpliceTo"/> and <see cref="StreamSocket.SpliceFrom"/>.
    /// </summary>
    Splice = 1,

    /// <summary>One byte can be sent ahead of others to see whether the peer is there: <see cref="StreamSocket.TrySend"/>.</summary>
    Probe = 2,
}

/// <summary>
/// The operations of a stream socket that never block, whatever the <see cref="StreamTransport"/> it belongs to.
/// </summary>
/// <remarks>
/// A receive and a send may be under way at once, one of each. Begin calls say whether the operation is pending: then its
/// <see cref="SocketOperation.Complete"/> follows, on another thread perhaps before they return; if not, it has its result. The kernel
/// tells an error of a connection once, to whichever call comes next, a receive or a send; to receives that follow it says end of stream,
/// as if the peer had ended in order. So each call that is told of one notes it (<see cref="Fault"/>), and an end of stream after that is
/// that error again.
/// </remarks>
internal abstract class StreamSocket
{
    /// <summary>See <see cref="LoopIndex"/>.</summary>
    public const int NoLoop = -1;

    private int _fault;

    /// <summary>The error that ended the connection, as far as a call was told of one; it stays.</summary>
    protected SocketError Fault => (SocketError)Volatile.Read(ref _fault);

    /// <summary>The descriptor, for calls that hold it only while they run.</summary>
    public abstract SafeHandle Handle { get; }

    /// <summary>Number of the event loop it belongs to; <see cref="NoLoop"/> when it belongs to none.</summary>
    public virtual int LoopIndex => NoLoop;

    /// <summary>Bytes that it holds itself, received or to be sent; from any thread.</summary>
    public virtual int HeldBytes => 0;

    /// <summary>
    /// True when it is known that the peer has ended its side, or the connection is broken: nothing comes behind what may still wait to be
    /// read. No system call while there is no sign of it.
    /// </summary>
    public virtual bool PeerHasEnded => false;

    /// <summary>True while a send waits because the peer takes no more; perhaps also while one is only under way.</summary>
    public virtual bool WaitsToSend => true;

    /// <summary>
    /// True when a connect to a port where nobody listens met itself: TCP lets a socket connect to its own ephemeral port.
    /// </summary>
    public abstract bool IsSelfConnected { get; }

    /// <summary>Begins a receive; of no bytes it completes as soon as there is something to read. True while it is pending.</summary>
    public abstract bool BeginReceive(SocketOperation operation, byte[] buffer, int offset, int count);

    /// <summary>Begins to send all of these bytes. True while it is pending.</summary>
    /// <param name="operation">Has the result.</param>
    /// <param name="buffer">Where they are.</param>
    /// <param name="offset">The first.</param>
    /// <param name="count">How many.</param>
    /// <param name="more">True when others follow at once, with which they may go.</param>
    public abstract bool BeginSend(SocketOperation operation, byte[] buffer, int offset, int count, bool more);

    /// <summary>Begins to connect, before anything else. True while it is pending.</summary>
    public abstract bool BeginConnect(SocketOperation operation, EndPoint endpoint);

    /// <summary>What it can do beyond the rest here.</summary>
    public virtual SocketCapabilities Capabilities => SocketCapabilities.None;

    /// <summary>What the kernel knows of the connection. False where it does not say, or the socket declines.</summary>
    public virtual bool TryAskPeer(out TcpInfo info)
    {
        info = default;
        return false;
    }

    /// <summary>
    /// Moves what was received into a pipe, at once; not while a receive is under way. Bytes; 0 at the end of the stream; else the negative
    /// errno.
    /// </summary>
    public virtual int SpliceTo(int pipe, int max) => -SocketCalls.ENOSYS;

    /// <summary>Moves bytes of a pipe to the send queue, at once; not while a send is under way. Bytes, else the negative errno.</summary>
    /// <param name="pipe">The pipe's reading end.</param>
    /// <param name="max">How many bytes at most.</param>
    /// <param name="more">True when others follow at once, with which they may go.</param>
    public virtual int SpliceFrom(int pipe, int max, bool more) => -SocketCalls.ENOSYS;

    /// <summary>Asks the kernel whether a receive would return at once; true if the socket is closed.</summary>
    public abstract bool IsReadable();

    /// <summary>Bytes that wait to be received, here and in the kernel; 0 if the socket is closed.</summary>
    public abstract int Available { get; }

    /// <summary>
    /// Sends one byte at once. Null when the kernel would make it wait, or the socket declines; false when the connection is over.
    /// </summary>
    public virtual bool? TrySend(byte value) => null;

    /// <summary>Bytes that were sent and that the peer's kernel has not acknowledged; null where that cannot be told.</summary>
    public virtual int? Unacknowledged => null;

    /// <summary>
    /// Has the kernel ask the peer from now on whether it is still there, every <see cref="TransportLimits.HalfCloseKeepAliveSecs"/>.
    /// </summary>
    public abstract void KeepAlive();

    /// <summary>Ends a direction; of a connection that is gone it does nothing.</summary>
    public abstract void Shutdown(SocketShutdown how);

    /// <summary>
    /// Closes it, from any thread and once: what is pending ends with an error. What was sent still arrives, unless it is a reset.
    /// </summary>
    public abstract void Close(bool reset);

    /// <summary>
    /// A call ended with this error. That the peer ended before (EPIPE), that this side closed, and that memory is short, are no errors of
    /// the connection.
    /// </summary>
    protected void NoteFault(SocketError error)
    {
        if (
            error is not (SocketError.Success or SocketError.Shutdown or SocketError.OperationAborted or SocketError.NoBufferSpaceAvailable)
        )
        {
            Interlocked.CompareExchange(ref _fault, (int)error, (int)SocketError.Success);
        }
    }
}
