using System.Buffers.Binary;
using System.Buffers.Text;
using System.Net;
using System.Runtime.InteropServices;

namespace Spawngate.Platform;

/// <summary>A listening TCP socket as the kernel lists it.</summary>
/// <param name="Inode">Its number, by which descriptors that refer to it are known.</param>
/// <param name="Uid">The user that made it.</param>
internal readonly record struct ListeningSocket(long Inode, long Uid);

/// <summary>
/// Which sockets get the connections to an address (Linux). The kernel is asked by <c>sock_diag(7)</c>, which tells of one port only and
/// takes some 20 µs; where it is missing (a filter of system calls, a kernel without it), <c>/proc/self/net/tcp</c> is read. On Linux the
/// listening sockets come first there, in gVisor they do not.
/// </summary>
internal static unsafe partial class ListenerTable
{
    private const int AF_NETLINK = 16;
    private const int SOCK_RAW_CLOEXEC = 3 | 0x80000;
    private const int NETLINK_SOCK_DIAG = 4;
    private const int MSG_DONTWAIT = 0x40;
    private const int MSG_TRUNC = 0x20;
    private const byte AF_INET = 2;
    private const byte AF_INET6 = 10;
    private const byte IPPROTO_TCP = 6;
    private const int StateListen = 10; // TCP_LISTEN
    private const ushort ByFamily = 20; // SOCK_DIAG_BY_FAMILY
    private const ushort Done = 3; // NLMSG_DONE
    private const ushort RequestDump = 0x301; // NLM_F_REQUEST | NLM_F_DUMP
    private const int HeaderBytes = 16; // struct nlmsghdr
    private const int RequestBytes = HeaderBytes + 56; // and struct inet_diag_req_v2
    private const int MessageBytes = HeaderBytes + 72; // and struct inet_diag_msg
    private const int AddressBytes = 12; // struct sockaddr_nl
    private const int AnyPort = 0; // which no socket is bound to, and which the kernel takes for all
    private const string Library = "libc";

    /// <summary>
    /// Whether the kernel can be asked here at all: a socket of our own must be visible, and that this process holds it. WSL 1 has the
    /// files, but they are empty. It is tried once, before anything is accepted, so that nobody can make the answer a no by using up
    /// descriptors.
    /// </summary>
    public static bool IsAvailable { get; } = Libc.IsLinux && sizeof(nint) == 8 && SeesOwn();

    /// <summary>Finds the sockets of which one gets a connection to <paramref name="at"/>, if any listens there.</summary>
    /// <param name="at">Address and port.</param>
    /// <param name="to">Gets them.</param>
    /// <param name="state">The state that they are in; of others than those that listen the numbers are not told.</param>
    /// <returns>False when the kernel could not be asked in this moment.</returns>
    public static bool TryFind(IPEndPoint at, List<ListeningSocket> to, int state = StateListen)
    {
        var reach = new ListenerReach(at.Address, to);
        bool isAsked = TryAsk(AF_INET, at.Port, state, ref reach) && TryAsk(AF_INET6, at.Port, state, ref reach);
        if (isAsked || state != StateListen)
        {
            return isAsked;
        }

        to.Clear();
        reach = new ListenerReach(at.Address, to);
        return TryRead("/proc/self/net/tcp", at.Port, ref reach)
            && (!System.Net.Sockets.Socket.OSSupportsIPv6 || TryRead("/proc/self/net/tcp6", at.Port, ref reach));
    }

    /// <summary>Finds all sockets that listen, with the addresses they are bound to.</summary>
    /// <param name="to">Gets them.</param>
    /// <returns>False when the kernel could not be asked in this moment.</returns>
    public static bool TryFindAll(List<(IPEndPoint At, ListeningSocket Socket)> to)
    {
        var reach = new ListenerReach(to);
        return TryAsk(AF_INET, AnyPort, StateListen, ref reach) && TryAsk(AF_INET6, AnyPort, StateListen, ref reach);
    }

    /// <summary>Takes the sockets of a port from the text of <c>/proc/net/tcp</c> or <c>tcp6</c>, line by line.</summary>
    internal static void TakeLine(ReadOnlySpan<byte> line, int port, ref ListenerReach reach)
    {
        // sl local remote state queues timer retransmits uid timeout inode
        Span<Range> fields = stackalloc Range[11];
        if (Split(line, fields) < 10 || !line[fields[1]].Contains((byte)':'))
        {
            return; // The heading, or nothing.
        }

        ReadOnlySpan<byte> local = line[fields[1]];
        int colon = local.LastIndexOf((byte)':');
        if (!Utf8Parser.TryParse(line[fields[3]], out byte state, out _, 'x') || state != StateListen)
        {
            return;
        }

        byte[] address = new byte[colon / 2];
        if (
            Utf8Parser.TryParse(local[(colon + 1)..], out ushort number, out _, 'x')
            && number == port
            && TryReadAddress(local[..colon], address)
            && Utf8Parser.TryParse(line[fields[7]], out uint uid, out _)
            && Utf8Parser.TryParse(line[fields[9]], out long inode, out _)
        )
        {
            reach.Add(address, number, new ListeningSocket(inode, uid));
        }
    }

    private static bool SeesOwn()
    {
        try
        {
            using var listener = new System.Net.Sockets.Socket(
                System.Net.Sockets.AddressFamily.InterNetwork,
                System.Net.Sockets.SocketType.Stream,
                System.Net.Sockets.ProtocolType.Tcp
            );
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen(1);
            var found = new List<ListeningSocket>();
            return TryFind((IPEndPoint)listener.LocalEndPoint!, found)
                && found.Exists(static socket => SocketHolders.Holds(Environment.ProcessId, socket));
        }
        catch (System.Net.Sockets.SocketException)
        {
            return false;
        }
    }

    private static int Split(ReadOnlySpan<byte> line, Span<Range> fields)
    {
        int count = 0;
        for (int at = 0; at < line.Length && count < fields.Length; count++)
        {
            int start = line[at..].IndexOfAnyExcept((byte)' ') is var skip and >= 0 ? at + skip : line.Length;
            int length = line[start..].IndexOf((byte)' ');
            at = length < 0 ? line.Length : start + length;
            fields[count] = start..at;
        }

        return count;
    }

    // Each word of an address is printed as a number of this machine, of the bytes as they are in the packet.
    private static bool TryReadAddress(ReadOnlySpan<byte> digits, Span<byte> address)
    {
        bool isAddress = address.Length is 4 or 16;
        for (int at = 0; isAddress && at < address.Length; at += sizeof(uint))
        {
            isAddress = Utf8Parser.TryParse(digits.Slice(at * 2, 2 * sizeof(uint)), out uint word, out _, 'x');
            MemoryMarshal.Write(address[at..], word);
        }

        return isAddress;
    }

    /// <summary>Takes the sockets of a port from a file like <c>/proc/net/tcp</c>; false when it cannot be read in this moment.</summary>
    internal static bool TryRead(string path, int port, ref ListenerReach reach)
    {
        int fd = Libc.Open(path, Libc.O_RDONLY | Libc.O_CLOEXEC);
        if (fd < 0)
        {
            return false;
        }

        byte* buffer = stackalloc byte[PlatformLimits.ListenerReadBytes];
        int kept = 0;
        nint length;
        while ((length = Libc.Read(fd, buffer + kept, (nuint)(PlatformLimits.ListenerReadBytes - kept))) > 0)
        {
            var text = new ReadOnlySpan<byte>(buffer, kept + (int)length);
            while (text.IndexOf((byte)'\n') is var end and >= 0)
            {
                TakeLine(text[..end], port, ref reach);
                text = text[(end + 1)..];
            }

            kept = text.Length;
            text.CopyTo(new Span<byte>(buffer, kept));
        }

        Descriptors.Close(fd);
        return length >= 0;
    }

    private static bool TryAsk(byte family, int port, int state, ref ListenerReach reach)
    {
        int fd = Socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG);
        if (fd < 0)
        {
            return false;
        }

        // struct nlmsghdr, then struct inet_diag_req_v2: family, protocol, extensions, padding, states, and the port that is asked for.
        byte* request = stackalloc byte[RequestBytes];
        var bytes = new Span<byte>(request, RequestBytes);
        bytes.Clear();
        MemoryMarshal.Write(bytes, RequestBytes);
        MemoryMarshal.Write(bytes[4..], ByFamily);
        MemoryMarshal.Write(bytes[6..], RequestDump);
        bytes[HeaderBytes] = family;
        bytes[HeaderBytes + 1] = IPPROTO_TCP;
        MemoryMarshal.Write(bytes[(HeaderBytes + 4)..], 1 << state);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[(HeaderBytes + 8)..], (ushort)port);
        byte* kernel = stackalloc byte[AddressBytes];
        new Span<byte>(kernel, AddressBytes).Clear();
        MemoryMarshal.Write(new Span<byte>(kernel, AddressBytes), (ushort)AF_NETLINK);
        bool isSent = SendTo(fd, request, RequestBytes, 0, kernel, AddressBytes) == RequestBytes;
        bool isAnswered = isSent && TryReceive(fd, port, state, ref reach);
        Descriptors.Close(fd);
        return isAnswered;
    }

    // The kernel writes an answer within the call that asks for it, or for more of it, so there is never anything to wait for.
    private static bool TryReceive(int fd, int port, int state, ref ListenerReach reach)
    {
        byte* buffer = stackalloc byte[PlatformLimits.ListenerReadBytes];
        while (true)
        {
            nint length = Receive(fd, buffer, PlatformLimits.ListenerReadBytes, MSG_DONTWAIT | MSG_TRUNC);
            if (length is <= 0 or > PlatformLimits.ListenerReadBytes)
            {
                return false;
            }

            var answer = new ReadOnlySpan<byte>(buffer, (int)length);
            while (answer.Length >= HeaderBytes)
            {
                int size = MemoryMarshal.Read<int>(answer);
                ushort kind = MemoryMarshal.Read<ushort>(answer[4..]);
                if (kind == Done)
                {
                    return size >= HeaderBytes + sizeof(int) && MemoryMarshal.Read<int>(answer[HeaderBytes..]) >= 0;
                }

                if (kind != ByFamily || size < MessageBytes || size > answer.Length)
                {
                    return false;
                }

                TakeMessage(answer[HeaderBytes..size], port, state, ref reach);
                answer = answer[Math.Min(answer.Length, (size + 3) & ~3)..];
            }
        }
    }

    // struct inet_diag_msg: family, state, timer, retransmits; ports, addresses, interface and cookie (48 bytes); expiry, two queues, user,
    // inode.
    private static void TakeMessage(ReadOnlySpan<byte> message, int port, int state, ref ListenerReach reach)
    {
        int bound = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        if (message[1] == state && (bound == port || port == AnyPort))
        {
            reach.Add(
                message.Slice(8, message[0] == AF_INET ? 4 : 16),
                bound,
                new ListeningSocket(MemoryMarshal.Read<uint>(message[68..]), MemoryMarshal.Read<uint>(message[64..]))
            );
        }
    }

    [LibraryImport(Library, EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int family, int type, int protocol);

    [LibraryImport(Library, EntryPoint = "sendto", SetLastError = true)]
    private static partial nint SendTo(int socket, byte* data, nuint count, int flags, byte* address, int addressLength);

    [LibraryImport(Library, EntryPoint = "recv", SetLastError = true)]
    private static partial nint Receive(int socket, byte* buffer, nuint count, int flags);
}

/// <summary>
/// Of the sockets that listen on a port, those of which one gets the connections to an address: the ones bound to that very address if
/// there are any, else those bound to every IPv4 address, else those bound to every address of both kinds. That is how the kernel chooses
/// (<c>__inet_lookup_listener</c>).
/// </summary>
internal ref struct ListenerReach
{
    private const int Exact = 0;
    private const int AnyIPv4 = 1;
    private const int Any = 2;
    private const int None = 3;
    private const int MappedPrefixBytes = 12;

    private readonly byte[] _address = [];
    private readonly List<ListeningSocket> _found = [];
    private readonly List<(IPEndPoint At, ListeningSocket Socket)>? _all;
    private int _nearest = None;

    /// <summary>Looks for those that get the connections to an address.</summary>
    /// <param name="address">Where connections are made to.</param>
    /// <param name="found">Gets them.</param>
    public ListenerReach(IPAddress address, List<ListeningSocket> found)
    {
        _address = address.GetAddressBytes();
        _found = found;
    }

    /// <summary>Looks for all.</summary>
    /// <param name="all">Gets them.</param>
    public ListenerReach(List<(IPEndPoint At, ListeningSocket Socket)> all) => _all = all;

    /// <summary>Adds a socket by the address it is bound to, as it is in packets.</summary>
    public void Add(ReadOnlySpan<byte> bound, int port, ListeningSocket socket)
    {
        if (_all is not null)
        {
            _all.Add((new IPEndPoint(new IPAddress(bound), port), socket));
            return;
        }

        int distance = DistanceOf(bound);
        if (distance < _nearest)
        {
            _nearest = distance;
            _found.Clear();
        }

        if (distance == _nearest && distance != None)
        {
            _found.Add(socket);
        }
    }

    private readonly int DistanceOf(ReadOnlySpan<byte> bound)
    {
        if (bound.Length == 16 && _address.Length == 4)
        {
            // An IPv6 socket that is bound to an IPv4 address (::ffff:127.0.0.1) takes only that.
            bool isMapped = bound.StartsWith((ReadOnlySpan<byte>)[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]);
            return isMapped ? DistanceOf(bound[MappedPrefixBytes..])
                : IsZero(bound) ? Any
                : None;
        }

        return bound.SequenceEqual(_address) ? Exact
            : bound.Length != _address.Length || !IsZero(bound) ? None
            : bound.Length == 4 ? AnyIPv4
            : Any;
    }

    private static bool IsZero(ReadOnlySpan<byte> bytes) => !bytes.ContainsAnyExcept((byte)0);
}
