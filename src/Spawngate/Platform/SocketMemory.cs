using System.Runtime.InteropServices;

namespace Spawngate.Platform;

/// <summary>What the kernel holds for a socket, and how it is bounded (Linux; elsewhere nothing is known and nothing bounded).</summary>
internal static class SocketMemory
{
    // include/uapi/asm-generic/socket.h, include/uapi/linux/sock_diag.h: an array of 32-bit numbers in this order.
    private const int LevelSocket = 1;
    private const int OptionReceiveBuffer = 8;
    private const int OptionMemInfo = 55;
    private const int IndexReceived = 0;
    private const int IndexSendQueued = 5;
    private const int IndexUnprocessed = 7;
    private const int Numbers = 9;

    private const int LevelTcp = 6;
    private const int OptionNotSentLowWater = 25;

    /// <summary>
    /// Bytes of received data that were not read yet, and of data to send that the peer has not acknowledged, with what the kernel needs
    /// around them; 0 where it does not say.
    /// </summary>
    /// <param name="socket">The socket.</param>
    /// <param name="received">Those of them that were received.</param>
    public static long Held(SafeHandle socket, out long received)
    {
        received = 0;
        if (!Libc.IsLinux)
        {
            return 0;
        }

        Span<uint> numbers = stackalloc uint[Numbers];
        try
        {
            int length = SocketCalls.GetOption(socket, LevelSocket, OptionMemInfo, MemoryMarshal.AsBytes(numbers));
            if (length <= IndexUnprocessed * sizeof(uint))
            {
                return 0;
            }

            received = (long)numbers[IndexReceived] + numbers[IndexUnprocessed];
            return received + numbers[IndexSendQueued];
        }
        catch (ObjectDisposedException)
        {
            return 0;
        }
    }

    /// <summary>
    /// Lets the kernel take data only while no more than so many bytes wait to be sent for the first time: what a peer does not take stays
    /// with the sender. Sockets that a listening one accepts inherit it.
    /// </summary>
    public static void BoundUnsent(SafeHandle socket, int bytes) => Set(socket, LevelTcp, OptionNotSentLowWater, bytes);

    /// <summary>
    /// Lets the kernel receive no more than so many bytes ahead from now on. Otherwise it takes more the faster they are read, up to
    /// <c>net.ipv4.tcp_rmem</c>: 6 MiB, or 32 where somebody tuned it. (<c>TCP_WINDOW_CLAMP</c> bounds nothing in kernels that let it
    /// follow their own tuning.)
    /// </summary>
    /// <param name="socket">The socket.</param>
    /// <param name="bytes">Of them; the kernel takes it for the half, as it needs something around them.</param>
    public static void BoundReceived(SafeHandle socket, int bytes) => Set(socket, LevelSocket, OptionReceiveBuffer, bytes / 2);

    private static void Set(SafeHandle socket, int level, int option, int value)
    {
        if (Libc.IsLinux)
        {
            // A kernel that does not know the option only leaves the bound out.
            SocketCalls.SetOption(socket, level, option, value);
        }
    }
}
