using System.Runtime.InteropServices;
using System.Text;
using Spawngate.Logging;

namespace Spawngate.Platform;

/// <summary>What an instance tells by its notices. Called on the thread of the <see cref="OutputDrain"/>; must not block.</summary>
internal interface INoticeSink
{
    /// <summary><c>READY=1</c>: it is ready.</summary>
    void OnReady();

    /// <summary><c>STATUS=</c>: what it is doing, in its own words; clean, and cut to a line to read.</summary>
    void OnStatus(string status);
}

/// <summary>
/// The datagram socket of one start, to which its processes tell how they are, as to systemd (sd_notify(3)): the other side of
/// <see cref="NotifySocket"/>. Linux only.
/// <code>
///   NOTIFY_SOCKET=@spawngate/notify/{random}     one datagram:  READY=1\nSTATUS=Listening on 8000\n
/// </code>
/// </summary>
/// <remarks>
/// Its name is in the abstract namespace, where no folder has to be writable for another user and nothing is left behind; so anybody on
/// this machine can send to it. The kernel says of each datagram who sent it (<c>SCM_CREDENTIALS</c>), and only that of our own user, of
/// root and of the users as whom the leader acts count. Descriptors that come along (<c>FDSTORE=1</c>, <c>BARRIER=1</c>) are closed, for
/// which <c>systemd-notify</c> waits.
/// </remarks>
internal sealed unsafe partial class NoticeSocket : DrainedSource
{
    /// <summary>What its name begins with.</summary>
    public const string Prefix = "spawngate/notify/";

    private const int AF_UNIX = 1;
    private const int SOCK_DGRAM = 2;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int SOCK_NONBLOCK = 0x800;
    private const int SOL_SOCKET = 1;
    private const int SO_PASSCRED = 16;
    private const int SCM_RIGHTS = 1;
    private const int SCM_CREDENTIALS = 2;
    private const int MSG_DONTWAIT = 0x40;
    private const int MSG_TRUNC = 0x20;
    private const int MSG_CMSG_CLOEXEC = 0x40000000;
    private const int FamilyBytes = sizeof(ushort);
    private const int PathBytes = 108; // sun_path of struct sockaddr_un
    private const int ControlHeadBytes = 16; // struct cmsghdr on a 64-bit machine
    private const int ControlBytes = 128; // Credentials and some descriptors; what has no room is closed by the kernel.
    private const long RootUser = 0;

    // struct msghdr of a 64-bit machine, as words: name and its length, parts (struct iovec: place and length) and their number, control
    // messages and their length, flags. Where a field has 32 bits, the upper half is a gap.
    private const int MessageControlLength = 5;
    private const int MessageFlags = 6;
    private const string Library = "libc";

    private static readonly long Self = Libc.IsLinux ? Libc.EffectiveUser() : -1;

    private INoticeSink? _sink;
    private int _leader;

    private NoticeSocket(int fd, string name)
        : base(fd) => Address = $"@{name}";

    /// <summary>Its address, as the value of <c>NOTIFY_SOCKET</c>.</summary>
    public string Address { get; }

    /// <summary>Opens one. Null where there is none to be had: a program then becomes ready without it.</summary>
    public static NoticeSocket? Open()
    {
        int fd = Libc.IsLinux && sizeof(nint) == sizeof(long) ? Socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
        if (fd < 0)
        {
            return null;
        }

        string name = Prefix + Convert.ToHexStringLower(Entropy.Bytes(PlatformLimits.NoticeNameBytes));
        byte* address = stackalloc byte[FamilyBytes + PathBytes];
        var bytes = new Span<byte>(address, FamilyBytes + PathBytes);
        bytes.Clear();
        MemoryMarshal.Write(bytes, (ushort)AF_UNIX);
        int length = FamilyBytes + 1 + Encoding.ASCII.GetBytes(name, bytes[(FamilyBytes + 1)..]); // A zero byte marks an abstract name.
        int on = 1;
        if (SetOption(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(int)) != 0 || Bind(fd, address, length) != 0)
        {
            Descriptors.Close(fd);
            return null;
        }

        return new NoticeSocket(fd, name);
    }

    /// <summary>Has it read from now on; what was sent since it was opened has waited.</summary>
    /// <param name="leader">The leader of the instance.</param>
    /// <param name="drain">Who reads.</param>
    /// <param name="sink">Gets what is told.</param>
    public void Begin(int leader, OutputDrain drain, INoticeSink sink)
    {
        _leader = leader;
        _sink = sink;
        drain.Add(this);
    }

    /// <summary>Closes one that was not begun.</summary>
    public void Abandon() => Descriptors.Close(Fd);

    /// <inheritdoc/>
    internal override int Read(byte* buffer, int bytesMax)
    {
        byte* control = stackalloc byte[ControlBytes];
        nint* part = stackalloc nint[] { (nint)buffer, Math.Min(bytesMax, PlatformLimits.NoticeBytes) };
        nint* message = stackalloc nint[] { 0, 0, (nint)part, 1, (nint)control, ControlBytes, 0 };
        nint length = ReceiveMessage(Fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (length < 0)
        {
            return -1;
        }

        // In every case: descriptors that came along are open from here on.
        long sender = TakeControl(new ReadOnlySpan<byte>(control, (int)Math.Min(message[MessageControlLength], ControlBytes)));
        bool isWhole = ((int)message[MessageFlags] & MSG_TRUNC) == 0;
        return length > 0 && isWhole && IsTrusted(sender) ? (int)length : -1;
    }

    /// <inheritdoc/>
    internal override void Take(ReadOnlyMemory<byte> bytes)
    {
        foreach (Range line in bytes.Span.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> text = bytes.Span[line];
            ReadOnlySpan<byte> status = "STATUS="u8;
            if (text.SequenceEqual("READY=1"u8))
            {
                _sink?.OnReady();
            }
            else if (text.StartsWith(status))
            {
                _sink?.OnStatus(Clean(text[status.Length..]));
            }
        }
    }

    private static string Clean(ReadOnlySpan<byte> text)
    {
        text = text[..Math.Min(text.Length, PlatformLimits.NoticeStatusBytes)];
        byte[] clean = [];
        int length = LineText.Clean(text[..LineText.WholeLength(text)], ref clean, dropsSequences: true);
        return Encoding.UTF8.GetString(clean, 0, length);
    }

    private bool IsTrusted(long sender) =>
        sender == Self || sender == RootUser || (sender > 0 && SocketHolders.UsersOf(_leader)?.Contains(sender) == true);

    /// <summary>Closes the descriptors that came along. The user that sent it; -1 when the kernel does not say.</summary>
    private static long TakeControl(ReadOnlySpan<byte> control)
    {
        long sender = -1;
        while (control.Length >= ControlHeadBytes)
        {
            int length = (int)Math.Min(MemoryMarshal.Read<nuint>(control), (nuint)control.Length);
            if (length < ControlHeadBytes)
            {
                break;
            }

            ReadOnlySpan<int> data = MemoryMarshal.Cast<byte, int>(control[ControlHeadBytes..length]);
            bool isOfSocket = MemoryMarshal.Read<int>(control[sizeof(long)..]) == SOL_SOCKET;
            int kind = MemoryMarshal.Read<int>(control[(sizeof(long) + sizeof(int))..]);
            if (isOfSocket && kind == SCM_RIGHTS)
            {
                foreach (int fd in data)
                {
                    Descriptors.Close(fd);
                }
            }
            else if (isOfSocket && kind == SCM_CREDENTIALS && data.Length >= 3)
            {
                sender = (uint)data[1]; // struct ucred: process, user, group.
            }

            control = control[Math.Min(control.Length, (length + sizeof(long) - 1) & ~(sizeof(long) - 1))..];
        }

        return sender;
    }

    [LibraryImport(Library, EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int family, int type, int protocol);

    [LibraryImport(Library, EntryPoint = "bind", SetLastError = true)]
    private static partial int Bind(int socket, byte* address, int length);

    [LibraryImport(Library, EntryPoint = "setsockopt", SetLastError = true)]
    private static partial int SetOption(int socket, int level, int option, void* value, int length);

    [LibraryImport(Library, EntryPoint = "recvmsg", SetLastError = true)]
    private static partial nint ReceiveMessage(int socket, nint* message, int flags);
}
