using System.Net;
using System.Net.Sockets;

namespace Spawngate.Transport;

/// <summary>Accepts connections of a listening socket that belongs to its owner; one accept at a time.</summary>
internal abstract class StreamListener : IDisposable
{
    /// <summary>Address of the client accepted last; null for one on a Unix socket.</summary>
    public IPAddress? Peer { get; protected set; }

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
