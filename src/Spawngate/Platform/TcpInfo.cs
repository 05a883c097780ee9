using System.Runtime.InteropServices;

namespace Spawngate.Platform;

/// <summary>
/// What the kernel knows of a TCP connection beyond what reading and writing tell (<c>TCP_INFO</c>, Linux; elsewhere nothing is known).
/// </summary>
/// <param name="HasEnded">The peer has ended its side, although bytes may wait in front of that end.</param>
/// <param name="IsGone">The connection is over: reset, or given up.</param>
/// <param name="BytesAcked">Bytes that the peer's kernel has taken since the connection began.</param>
/// <param name="BytesReceived">Bytes that came from the peer since the connection began.</param>
/// <param name="SilentMs">Milliseconds since bytes last came, or since the connection was made.</param>
internal readonly record struct TcpInfo(bool HasEnded, bool IsGone, long BytesAcked, long BytesReceived, long SilentMs)
{
    /// <summary>Whether any bytes have come.</summary>
    public bool HasReceived => BytesReceived > 0;

    // include/uapi/linux/tcp.h: struct tcp_info begins with its state; tcpi_bytes_acked and tcpi_bytes_received have been at these places
    // since Linux 4.1.
    private const int LevelTcp = 6;
    private const int OptionTcpInfo = 11;
    private const int StateOffset = 0;
    private const int LastDataReceivedOffset = 52;
    private const int BytesAckedOffset = 120;
    private const int BytesReceivedOffset = 128;
    private const int StructSize = 232;
    private const byte StateClose = 7;
    private const byte StateCloseWait = 8;
    private const byte StateLastAck = 9;
    private const byte StateClosing = 11;

    /// <summary>Asks the kernel. False where it does not say, and for a socket that is closed already.</summary>
    public static bool TryRead(SafeHandle socket, out TcpInfo info)
    {
        info = default;
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[StructSize];
        try
        {
            if (SocketCalls.GetOption(socket, LevelTcp, OptionTcpInfo, bytes) < BytesReceivedOffset + sizeof(long))
            {
                return false;
            }
        }
        catch (ObjectDisposedException)
        {
            return false;
        }

        byte state = bytes[StateOffset];
        long acked = MemoryMarshal.Read<long>(bytes[BytesAckedOffset..]);
        long received = MemoryMarshal.Read<long>(bytes[BytesReceivedOffset..]);
        uint receivedMs = MemoryMarshal.Read<uint>(bytes[LastDataReceivedOffset..]);
        bool hasEnded = state is StateCloseWait or StateLastAck or StateClosing;
        info = new TcpInfo(hasEnded, state == StateClose, acked, received, receivedMs);
        return true;
    }
}
