using System.Net;
using System.Net.Sockets;

namespace Spawngate.Platform;

/// <summary>
/// A listening socket that one instance is started with, as a service manager passes one (sd_listen_fds(3)). Connections wait in its
/// backlog from the first moment, whether the program is ready for them or not.
/// <code>
///   listening ── End (the program has ended) ──▶ the backlog is emptied: each of it is noted, then reset ──▶ shut down, closed
/// </code>
/// </summary>
/// <remarks>
/// Whatever we accept at the end, no process of the instance has accepted, so no request that went over such a connection can have had an
/// effect, although the kernel has acknowledged its bytes. It is shut down, not only closed: a process that outlived the program may hold
/// it, too.
/// </remarks>
internal sealed class ActivationSocket
{
    private readonly Socket _socket;
    private readonly Lock _gate = new();
    private readonly HashSet<int> _unaccepted = [];
    private bool _hasEnded;

    private ActivationSocket(Socket socket)
    {
        _socket = socket;
        EndPoint = (IPEndPoint)socket.LocalEndPoint!;
        DescriptorBudget.Shared.Take(DescriptorUse.Child);
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>Its number in this process.</summary>
    public int Descriptor => (int)_socket.Handle;

    /// <summary>Listens on a port of the loopback address.</summary>
    /// <param name="port">The port.</param>
    /// <param name="error">Why it cannot; null when it does.</param>
    public static ActivationSocket? TryListen(int port, out string? error)
    {
        error = null;
        Socket? socket = null;
        try
        {
            socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            socket.Listen(PlatformLimits.ActivationBacklog);
            return new ActivationSocket(socket);
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            error = $"cannot listen on port {port} in its place: {OpenFiles.Explain(e)}";
            return null;
        }
    }

    /// <summary>Whether a connection was reset that no process of the instance had accepted.</summary>
    /// <param name="port">The port that it came from.</param>
    public bool WasUnaccepted(int port)
    {
        lock (_gate)
        {
            return _unaccepted.Contains(port);
        }
    }

    /// <summary>Resets what waits in the backlog, and closes. Only the first call has an effect.</summary>
    public void End()
    {
        lock (_gate)
        {
            if (_hasEnded)
            {
                return;
            }

            _hasEnded = true;
        }

        try
        {
            _socket.Blocking = false; // Another process may be quicker.
            ResetBacklog();
        }
        catch (SocketException)
        {
            // The backlog is empty now, or no descriptor was left: then the kernel resets the rest.
        }
        finally
        {
            SocketCalls.Shutdown(_socket.SafeHandle, SocketShutdown.Both);
            _socket.Dispose();
            DescriptorBudget.Shared.Release(DescriptorUse.Child);
        }
    }

    private void ResetBacklog()
    {
        for (int i = 0; i <= PlatformLimits.ActivationBacklog && _socket.Poll(0, SelectMode.SelectRead); i++)
        {
            using Socket connection = _socket.Accept();
            connection.LingerState = new LingerOption(enable: true, 0);
            if (connection.RemoteEndPoint is not IPEndPoint peer)
            {
                continue;
            }

            // Before the reset, behind which it is asked for.
            lock (_gate)
            {
                _unaccepted.Add(peer.Port);
            }
        }
    }
}
