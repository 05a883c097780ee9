using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Spawngate.Platform;

/// <summary>
/// The socket calls of Linux that the event loops make themselves. Each holds the descriptor only while it runs and never waits.
/// </summary>
internal static unsafe partial class SocketCalls
{
    /// <summary>The socket has been closed here.</summary>
    public const int EBADF = 9;

    /// <summary>A connect was begun, and goes on.</summary>
    public const int EINPROGRESS = 115;

    /// <summary>A connect that was begun earlier goes on.</summary>
    public const int EALREADY = 114;

    /// <summary>It is connected already.</summary>
    public const int EISCONN = 106;

    /// <summary>A connection that waited to be accepted is gone.</summary>
    public const int ECONNABORTED = 103;

    /// <summary>The system has no such call.</summary>
    public const int ENOSYS = 38;

    private const int EINVAL = 22;
    private const nuint FIONREAD = 0x541B;
    private const nuint SIOCOUTQ = 0x5411;
    private const uint SPLICE_F_MOVE = 1;
    private const uint SPLICE_F_NONBLOCK = 2;
    private const uint SPLICE_F_MORE = 4;
    private const int MSG_DONTWAIT = 0x40;
    private const int MSG_NOSIGNAL = 0x4000;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int SOCK_NONBLOCK = 0x800;
    private const int SOCK_STREAM = 1;
    private const int IPPROTO_TCP = 6;
    private const int TCP_NODELAY = 1;
    private const int SOL_SOCKET = 1;
    private const int SO_LINGER = 13;
    private const int SO_KEEPALIVE = 9;
    private const int TCP_KEEPIDLE = 4;
    private const int TCP_KEEPINTVL = 5;
    private const int AF_INET = 2;
    private const int AF_INET6 = 10;
    private const string Library = "libc";

    /// <summary>Sends as much as the kernel takes at once. Bytes, else the negative errno.</summary>
    public static int Send(SafeHandle socket, ReadOnlySpan<byte> data)
    {
        fixed (byte* bytes = data)
        {
            return Outcome(Send(socket, bytes, (nuint)data.Length, MSG_DONTWAIT | MSG_NOSIGNAL));
        }
    }

    /// <summary>Moves received bytes into a pipe. Bytes; 0 at the end of the stream; else the negative errno.</summary>
    public static int SpliceTo(SafeHandle socket, int pipe, int max) =>
        Outcome(Libc.Splice(socket, 0, pipe, 0, (nuint)max, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));

    /// <summary>Moves bytes of a pipe to the send queue. Bytes, else the negative errno.</summary>
    public static int SpliceFrom(int pipe, SafeHandle socket, int max, bool more) =>
        Outcome(Libc.Splice(pipe, 0, socket, 0, (nuint)max, SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0)));

    /// <summary>True when a splice failed because the kernel does not do it, and not because of the connection.</summary>
    public static bool IsUnsupportedSplice(int errno) => errno is EINVAL or ENOSYS or Libc.EPERM;

    /// <summary>A non-blocking TCP socket without Nagle's delay; negative errno if none can be had.</summary>
    public static int Create(AddressFamily family)
    {
        int fd = Socket(
            family == AddressFamily.InterNetworkV6 ? AF_INET6 : AF_INET,
            SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
            IPPROTO_TCP
        );
        if (fd < 0)
        {
            return -Libc.Errno;
        }

        int on = 1;
        _ = SetOption(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int));
        return fd;
    }

    /// <summary>Accepts a connection, non-blocking, and writes the peer's address. The descriptor, else the negative errno.</summary>
    public static int Accept(SafeHandle listener, Span<byte> address, out int addressLength)
    {
        int length = address.Length;
        fixed (byte* bytes = address)
        {
            int fd = Outcome(Accept4(listener, bytes, &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
            addressLength = Math.Min(length, address.Length);
            return fd;
        }
    }

    /// <summary>Begins a connect, or asks how one goes on. 0 once connected, else the negative errno.</summary>
    public static int Connect(SafeHandle socket, ReadOnlySpan<byte> address)
    {
        fixed (byte* bytes = address)
        {
            return Outcome(Connect(socket, bytes, address.Length));
        }
    }

    /// <summary>The socket's own address. Its length, else the negative errno.</summary>
    public static int LocalAddress(SafeHandle socket, Span<byte> address)
    {
        int length = address.Length;
        fixed (byte* bytes = address)
        {
            int outcome = Outcome(GetSockName(socket, bytes, &length));
            return outcome < 0 ? outcome : Math.Min(length, address.Length);
        }
    }

    /// <summary>Reads an option. The bytes written, else the negative errno.</summary>
    public static int GetOption(SafeHandle socket, int level, int option, Span<byte> value)
    {
        int length = value.Length;
        fixed (byte* bytes = value)
        {
            int outcome = Outcome(GetSockOpt(socket, level, option, bytes, &length));
            return outcome < 0 ? outcome : length;
        }
    }

    /// <summary>Sets an option that is a number. One that the kernel does not know, or a socket that is closed, is left as it is.</summary>
    public static void SetOption(SafeHandle socket, int level, int option, int value)
    {
        try
        {
            _ = SetSockOpt(socket, level, option, &value, sizeof(int));
        }
        catch (ObjectDisposedException)
        {
            // Closed meanwhile.
        }
    }

    /// <summary>Closing it will be a reset.</summary>
    public static void ResetOnClose(SafeHandle socket)
    {
        int* linger = stackalloc int[] { 1, 0 };
        try
        {
            _ = SetSockOpt(socket, SOL_SOCKET, SO_LINGER, linger, 2 * sizeof(int));
        }
        catch (ObjectDisposedException)
        {
            // Somebody else has closed it meanwhile.
        }
    }

    /// <summary>
    /// Sends what waits in the send queue for more to follow: setting TCP_NODELAY again does that.
    /// </summary>
    public static void Push(SafeHandle socket)
    {
        int on = 1;
        _ = SetSockOpt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int));
    }

    /// <summary>Ends a direction. What fails is a connection that is gone already.</summary>
    public static void Shutdown(SafeHandle socket, SocketShutdown how) => _ = Shutdown(socket, (int)how);

    /// <summary>Asks whether it can be read (an end or an error counts), without waiting.</summary>
    public static bool IsReadable(SafeHandle socket) => Poll(socket, Libc.POLLIN);

    /// <summary>1 when the peer has ended its side, or the connection is broken; else 0.</summary>
    public static int HasPeerEnded(SafeHandle socket) => Poll(socket, Libc.POLLRDHUP) ? 1 : 0;

    private static bool Poll(SafeHandle socket, short events)
    {
        bool held = false;
        try
        {
            socket.DangerousAddRef(ref held);
            var entry = new Libc.PollFd { Fd = (int)socket.DangerousGetHandle(), Events = events };
            return Libc.Poll(&entry, 1, 0) > 0;
        }
        finally
        {
            if (held)
            {
                socket.DangerousRelease();
            }
        }
    }

    /// <summary>Bytes that wait to be received; 0 when that cannot be told.</summary>
    public static int Available(SafeHandle socket) => Count(socket, FIONREAD);

    /// <summary>Bytes that were sent and that the peer's kernel has not acknowledged; 0 when that cannot be told.</summary>
    public static int Unacknowledged(SafeHandle socket) => Count(socket, SIOCOUTQ);

    private static int Count(SafeHandle socket, nuint request)
    {
        int count = 0;
        return Ioctl(socket, request, &count) == 0 ? count : 0;
    }

    /// <summary>
    /// Has the kernel ask the peer whether it is there after so many seconds without a word from it, and as often after that.
    /// </summary>
    public static void KeepAlive(SafeHandle socket, int secs)
    {
        int on = 1;
        _ = SetSockOpt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &secs, sizeof(int));
        _ = SetSockOpt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &secs, sizeof(int));
        _ = SetSockOpt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(int));
    }

    /// <summary>What the runtime calls an error of a connection.</summary>
    public static SocketError Translate(int errno) =>
        errno switch
        {
            32 => SocketError.Shutdown, // EPIPE
            103 => SocketError.ConnectionAborted,
            104 => SocketError.ConnectionReset,
            110 => SocketError.TimedOut,
            111 => SocketError.ConnectionRefused,
            EBADF => SocketError.OperationAborted,
            113 => SocketError.HostUnreachable,
            101 => SocketError.NetworkUnreachable,
            99 => SocketError.AddressNotAvailable,
            13 => SocketError.AccessDenied,
            24 or 23 => SocketError.TooManyOpenSockets,
            105 or 12 => SocketError.NoBufferSpaceAvailable,
            _ => SocketError.SocketError,
        };

    private static int Outcome(nint result) => result >= 0 ? (int)result : -Libc.Errno;

    [LibraryImport(Library, EntryPoint = "send", SetLastError = true)]
    private static partial nint Send(SafeHandle socket, byte* buffer, nuint count, int flags);

    [LibraryImport(Library, EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int family, int type, int protocol);

    [LibraryImport(Library, EntryPoint = "accept4", SetLastError = true)]
    private static partial int Accept4(SafeHandle listener, byte* address, int* length, int flags);

    [LibraryImport(Library, EntryPoint = "connect", SetLastError = true)]
    private static partial int Connect(SafeHandle socket, byte* address, int length);

    [LibraryImport(Library, EntryPoint = "getsockname", SetLastError = true)]
    private static partial int GetSockName(SafeHandle socket, byte* address, int* length);

    [LibraryImport(Library, EntryPoint = "getsockopt", SetLastError = true)]
    private static partial int GetSockOpt(SafeHandle socket, int level, int option, byte* value, int* length);

    [LibraryImport(Library, EntryPoint = "setsockopt", SetLastError = true)]
    private static partial int SetSockOpt(SafeHandle socket, int level, int option, void* value, int length);

    [LibraryImport(Library, EntryPoint = "setsockopt", SetLastError = true)]
    private static partial int SetOption(int socket, int level, int option, void* value, int length);

    // Variadic in C: on Linux such a call passes integers and pointers like any other.
    [LibraryImport(Library, EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(SafeHandle socket, nuint request, int* value);

    [LibraryImport(Library, EntryPoint = "shutdown", SetLastError = true)]
    private static partial int Shutdown(SafeHandle socket, int how);
}

/// <summary>A descriptor of ours, closed when its last user lets go of it.</summary>
internal sealed class SocketHandle : SafeHandle
{
    /// <summary>Owns a descriptor.</summary>
    public SocketHandle(int descriptor)
        : base(-1, ownsHandle: true) => SetHandle(descriptor);

    /// <inheritdoc/>
    public override bool IsInvalid => handle < 0;

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => Libc.Close((int)handle) == 0;
}
