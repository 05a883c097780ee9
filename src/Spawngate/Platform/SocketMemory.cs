using System.Runtime.InteropServices;

namespace Spawngate.Platform;

/// <summary>What the kernel holds for a socket, and how it is bounded (Linux; elsewhere nothing is known and nothing bounded).</summary>
internal static class SocketMemory
{
    // include/uapi/asm-generic/socket.h, include/uapi/linux/sock_diag.h: an array of 32-bit numbers in this order.
    private const int LevelSocket = 1;
    private const int OptionMemInfo = 55;
    private const int IndexReceived = 0;
    private const int IndexSendQueued = 5;
    private const int IndexUnprocessed = 7;
    private const int Numbers = 9;

    private const int LevelTcp = 6;
    private const int OptionWindowClamp = 10;
    private const int OptionNotSentLowWater = 25;

    /// <summary>Bytes of received data that were not read yet, and of data to send that the peer has not acknowledged, with what the kernel needs around them; 0 where it does not say.</summary>
    public static long Held(SafeHandle socket)
    {
        if (!Libc.IsLinux)
        {
            return 0;
        }

        Span<uint> numbers = stackalloc uint[Numbers];
        try
        {
            int length = SocketCalls.GetOption(socket, LevelSocket, OptionMemInfo, MemoryMarshal.AsBytes(numbers));
            return length > IndexUnprocessed * sizeof(uint) ? (long)numbers[IndexReceived] + numbers[IndexSendQueued] + numbers[IndexUnprocessed] : 0;
        }
        catch (ObjectDisposedException)
        {
            return 0;
        }
    }

    /// <summary>
    /// Has the kernel take data to send only while no more than so many bytes of it were never sent: what a peer does not take stays with whoever sends it. Sockets
    /// that a listening one accepts inherit it.
    /// </summary>
    public static void BoundUnsent(SafeHandle socket, int bytes) => Set(socket, OptionNotSentLowWater, bytes);

    /// <summary>Has the kernel offer the peer no more than so many bytes of window; before it is connected.</summary>
    public static void BoundWindow(SafeHandle socket, int bytes) => Set(socket, OptionWindowClamp, bytes);

    private static void Set(SafeHandle socket, int option, int value)
    {
        if (Libc.IsLinux)
        {
            // Of a kernel that does not know it nothing is lost but the bound.
            SocketCalls.SetOption(socket, LevelTcp, option, value);
        }
    }
}
