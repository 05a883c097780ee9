using System.Net;
using System.Net.Sockets;
using Spawngate.Config;
using Spawngate.Platform;

namespace Spawngate.Backends;

/// <summary>
/// Chooses the port of a start and checks that a fixed one is free: otherwise a stranger on that port could answer the
/// health check in the place of a backend that cannot bind. Remembers what it gave out, because a port chosen for a start is
/// free for the kernel until the child binds it, and leaves those that the configuration names to the backends it gives them to.
/// </summary>
/// <param name="tryBind">Binds a loopback port (0: any free one) for a moment and returns it; null when it is taken.</param>
/// <param name="look">Says why a port is taken.</param>
internal sealed class LoopbackPorts(Func<int, int?> tryBind, Func<int, PortUse>? look = null)
{
    private readonly Lock _gate = new();
    private readonly HashSet<int> _given = [];
    private HashSet<int> _fixed = [];

    /// <summary>Ports of this machine.</summary>
    public LoopbackPorts()
        : this(TryBind, PortUse.Of) { }

    /// <summary>
    /// Says which ports the configuration gives to a backend: nobody else gets one of them, also while that backend is stopped and its
    /// port free.
    /// </summary>
    public void SetFixed(IEnumerable<int> ports)
    {
        lock (_gate)
        {
            _fixed = [.. ports];
        }
    }

    /// <summary>Whether a port was given out and not yet given back.</summary>
    public bool IsGiven(int port)
    {
        lock (_gate)
        {
            return _given.Contains(port);
        }
    }

    /// <summary>Why a port cannot be had that was not given out.</summary>
    public PortUse Look(int port) => look?.Invoke(port) ?? default;

    /// <summary>Takes <paramref name="wanted"/>, or any free port when it is 0; null when it cannot be had.</summary>
    public int? Take(int wanted)
    {
        for (var attempt = 0; attempt < BackendLimits.PortAttemptsMax; attempt++)
        {
            if (tryBind(wanted) is not { } port)
            {
                return null;
            }

            lock (_gate)
            {
                // A fixed port is the configuration's word; whether it is free was just tried.
                if (wanted != 0 || !(_given.Contains(port) || _fixed.Contains(port)))
                {
                    _given.Add(port);
                    return port;
                }
            }
        }

        return null;
    }

    /// <summary>Gives a port back when its instance is over.</summary>
    public void Release(int port)
    {
        lock (_gate)
        {
            _given.Remove(port);
        }
    }

    /// <summary>
    /// Any free port, if possible one that no outgoing connection can take before the backend binds it; and a random one, so that
    /// several gateways on one machine rarely look at the same.
    /// </summary>
    private static int? TryBind(int port)
    {
        for (var attempt = 0; port == 0 && attempt < BackendLimits.QuietPortAttemptsMax; attempt++)
        {
            var candidate = Random.Shared.Next(BackendLimits.QuietPortMin, ConfigLimits.PortMax + 1);
            if (!EphemeralPorts.Contain(candidate) && BindOnce(candidate) is { } quiet)
            {
                return quiet;
            }
        }

        return BindOnce(port);
    }

    private static int? BindOnce(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return ((IPEndPoint)socket.LocalEndPoint!).Port;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return null;
        }
        catch (SocketException)
        {
            // A privileged port, for example, which the backend may well be allowed to bind: not ours to refuse.
            return port == 0 ? null : port;
        }
    }
}
