using System.Net;
using System.Net.Sockets;

namespace Spawngate.Platform;

/// <summary>
/// Chooses free loopback ports for backends that leave theirs open. A port is free when the system gives it to a socket bound to port 0; since it is
/// released again for the backend to bind, the latest ones are remembered so that two backends starting together do not get the same. Thread-safe.
/// </summary>
internal sealed class LoopbackPorts
{
    private readonly Lock _gate = new();
    private readonly Queue<int> _recent = new();
    private readonly Func<int> _probe;

    /// <summary>Asks the system for ports.</summary>
    public LoopbackPorts()
        : this(Probe)
    {
    }

    /// <summary>Asks <paramref name="probe"/> for ports.</summary>
    internal LoopbackPorts(Func<int> probe) => _probe = probe;

    /// <summary>A port that nobody listens on and that was not handed out lately. A system call or three; not for request threads.</summary>
    /// <param name="isReserved">Tells ports that others will want (the fixed ports of other backends); null when there are none.</param>
    /// <exception cref="SocketException">The system has no port or descriptor left.</exception>
    public int Take(Func<int, bool>? isReserved = null)
    {
        lock (_gate)
        {
            int port = 0;
            for (int attempt = 0; attempt < Limits.PortTries; attempt++)
            {
                port = _probe();
                if (!_recent.Contains(port) && isReserved?.Invoke(port) != true)
                {
                    break;
                }
            }

            _recent.Enqueue(port);
            if (_recent.Count > Limits.RecentPorts)
            {
                _recent.Dequeue();
            }

            return port;
        }
    }

    private static int Probe()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
