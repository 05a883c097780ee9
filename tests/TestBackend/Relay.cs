using System.Net;
using System.Net.Sockets;

namespace TestBackend;

/// <summary>Passes a connection on to another port, byte for byte in both directions, half-closes included.</summary>
internal static class Relay
{
    private const int BlockBytes = 16 * 1024;

    /// <summary>Relays until both directions have ended.</summary>
    public static async Task RunAsync(Socket accepted, int port)
    {
        using (accepted)
        using (var onward = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true })
        {
            try
            {
                await onward.ConnectAsync(IPAddress.Loopback, port);
                await Task.WhenAll(PumpAsync(accepted, onward), PumpAsync(onward, accepted));
            }
            catch (SocketException)
            {
                // Either end left: the other one learns it by the close.
            }
        }
    }

    private static async Task PumpAsync(Socket from, Socket to)
    {
        byte[] block = new byte[BlockBytes];
        int count;
        while ((count = await from.ReceiveAsync(block)) > 0)
        {
            await to.SendAsync(block.AsMemory(0, count));
        }

        to.Shutdown(SocketShutdown.Send);
    }
}
