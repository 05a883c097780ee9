using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Spawngate.Transport;

/// <summary>
/// The operations of a stream socket that never block: by an <see cref="EventLoop"/> where there is one, else by the runtime's own sockets.
/// </summary>
/// <remarks>
/// A receive and a send may be under way at once, one of each. Begin calls say whether the operation is pending: then its <see cref="SocketOperation.Complete"/> follows, on
/// another thread perhaps before they return; if not, it has its result.
/// </remarks>
internal abstract class StreamSocket
{
    /// <summary>The descriptor, for calls that hold it only while they run.</summary>
    public abstract SafeHandle Handle { get; }

    /// <summary>Number of the event loop it belongs to; 0 where there are none.</summary>
    public virtual int LoopIndex => 0;

    /// <summary>True when a connect to a port where nobody listens met itself: TCP lets a socket connect to its own ephemeral port.</summary>
    public abstract bool IsSelfConnected { get; }

    /// <summary>A socket that is not connected yet.</summary>
    /// <exception cref="SocketException">The system has none left.</exception>
    public static StreamSocket Create(AddressFamily family) => EventLoop.IsSupported
        ? EpollSocket.Create(family)
        : new PortableSocket(new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });

    /// <summary>Takes over a connected socket.</summary>
    public static StreamSocket Of(Socket socket) => EventLoop.IsSupported ? EpollSocket.Adopt(socket) : new PortableSocket(socket);

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

    /// <summary>Bytes are about to be taken from the socket by other means than a receive.</summary>
    public virtual void BeforeDirectRead()
    {
    }

    /// <summary>They were taken: there may be more.</summary>
    public virtual void AfterDirectRead()
    {
    }

    /// <summary>Asks the kernel whether a receive would return at once; true if the socket is closed.</summary>
    public abstract bool IsReadable();

    /// <summary>Sends one byte at once. Null when the kernel would make it wait, false when the connection is over.</summary>
    public abstract bool? TrySend(byte value);

    /// <summary>Ends a direction; of a connection that is gone it does nothing.</summary>
    public abstract void Shutdown(SocketShutdown how);

    /// <summary>Closes it, from any thread and once: what is pending ends with an error. What was sent still arrives, unless it is a reset.</summary>
    public abstract void Close(bool reset);
}
