using System.Runtime.InteropServices;

namespace Spawngate.Platform;

/// <summary>
/// Acknowledgements that the kernel keeps back, in the hope that something is sent with which they can go (Linux; elsewhere they stay as
/// they are).
/// </summary>
internal static class DelayedAcks
{
    private const int LevelTcp = 6;
    private const int OptionQuickAck = 12;

    /// <summary>
    /// Sends the one that is due, and those of the next segments at once. A peer that writes its message in two pieces, and has Nagle's
    /// algorithm on, keeps the second until the first is acknowledged (RFC 9293 section 3.7.4): 40 ms. The kernel goes back to waiting by
    /// itself (tcp(7), TCP_QUICKACK), so it is asked each time.
    /// </summary>
    public static void SendNow(SafeHandle socket)
    {
        if (Libc.IsLinux)
        {
            SocketCalls.SetOption(socket, LevelTcp, OptionQuickAck, 1);
        }
    }
}
