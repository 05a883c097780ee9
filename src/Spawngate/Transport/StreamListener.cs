using System.Net;
using System.Net.Sockets;

namespace Spawngate.Transport;

/// <summary>Accepts connections of a listening socket that belongs to its owner; one accept at a time.</summary>
internal abstract class StreamListener : IDisposable
{
    /// <summary>Address of the client accepted last; null for one on a Unix socket.</summary>
    public IPAddress? Peer { get; protected set; }

    /// <summary>Accepts on a bound and listening socket.</summary>
    public static StreamListener Of(Socket socket) => EventLoop.IsSupported ? new EpollListener(socket) : new PortableListener(socket);

    /// <summary>Waits for a client. Null once <see cref="Stop"/> was called.</summary>
    /// <exception cref="SocketException">None can be accepted now: out of descriptors, or it is gone again.</exception>
    public abstract ValueTask<StreamSocket?> AcceptAsync();

    /// <summary>A client that waits in the kernel's queue; null when none does. After <see cref="Stop"/>.</summary>
    /// <exception cref="SocketException">As for <see cref="AcceptAsync"/>.</exception>
    public abstract StreamSocket? TryAccept();

    /// <summary>Makes the pending accept, and every later one, return null.</summary>
    public abstract void Stop();

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>Accepts by the runtime's own sockets.</summary>
internal sealed class PortableListener(Socket socket) : StreamListener
{
    private readonly CancellationTokenSource _stop = new();

    /// <inheritdoc/>
    public override async ValueTask<StreamSocket?> AcceptAsync()
    {
        try
        {
            return Take(await socket.AcceptAsync(_stop.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public override StreamSocket? TryAccept() => socket.Poll(0, SelectMode.SelectRead) ? Take(socket.Accept()) : null;

    /// <inheritdoc/>
    public override void Stop() => _stop.Cancel();

    /// <inheritdoc/>
    public override void Dispose() => _stop.Dispose();

    private PortableSocket Take(Socket accepted)
    {
        try
        {
            Peer = (accepted.RemoteEndPoint as IPEndPoint)?.Address;
            if (accepted.AddressFamily != AddressFamily.Unix)
            {
                accepted.NoDelay = true;
            }

            return new PortableSocket(accepted);
        }
        catch
        {
            accepted.Dispose(); // The client reset it already.
            throw;
        }
    }
}
