using System.Net.Sockets;
using Spawngate.Transport;

namespace Spawngate.Tests.Fakes;

/// <summary>Makes streams of the gateway's out of sockets of the runtime, by which tests connect.</summary>
internal static class AdoptedSocket
{
    /// <summary>
    /// Takes over a connected socket: its descriptor is taken away from the runtime, which is left with nothing to close.
    /// </summary>
    public static StreamSocket Of(Socket socket)
    {
        if (!EventLoop.IsSupported)
        {
            return new PortableSocket(socket);
        }

        socket.Blocking = false;
        int fd = (int)socket.SafeHandle.DangerousGetHandle();
        socket.SafeHandle.SetHandleAsInvalid();
        return EpollSocket.Accepted(fd, EventLoop.Next());
    }
}
