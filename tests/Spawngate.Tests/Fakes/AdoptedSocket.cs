using System.Net.Sockets;
using Spawngate.Platform;
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
        if (StreamTransport.Chosen is not EpollTransport)
        {
            return OfKestrel(socket);
        }

        socket.Blocking = false;
        int fd = (int)socket.SafeHandle.DangerousGetHandle();
        socket.SafeHandle.SetHandleAsInvalid();
        return EpollSocket.Accepted(fd, EventLoop.Next());
    }

    /// <summary>Takes over a connected socket, whose bytes Kestrel's transport moves from now on.</summary>
    public static StreamSocket OfKestrel(Socket socket)
    {
        DescriptorBudget.Shared.Take(DescriptorUse.Client);
        var context = KestrelTransport.Instance.Connect(socket);
        var adopted = new KestrelSocket(socket, context);
        adopted.Attach(context.Transport);
        _ = EndAsync();
        return adopted;

        async Task EndAsync()
        {
            await adopted.Ended;
            await context.DisposeAsync();
        }
    }
}
