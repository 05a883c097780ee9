using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Spawngate.Forwarding;

namespace Spawngate.Clients;

/// <summary>
/// The proxy's listening socket. Accepts until <c>max_connections</c> are open, then leaves further ones in the kernel's backlog until one
/// ends.
/// </summary>
internal sealed class ClientListener
{
    private readonly Socket _socket;
    private readonly ForwardingContext _context;
    private readonly ClientConnections _connections;
    private readonly SemaphoreSlim _room;
    private readonly CancellationTokenSource _stop = new();
    private Task _accepting = Task.CompletedTask;

    /// <summary>Binds and listens.</summary>
    /// <exception cref="SocketException">The address cannot be bound.</exception>
    public ClientListener(ForwardingContext context, ClientConnections connections)
    {
        _context = context;
        _connections = connections;
        _room = new SemaphoreSlim(context.Server.MaxConnections, context.Server.MaxConnections);
        _connections.Removed += OnRemoved;
        var endpoint = new IPEndPoint(context.Server.Bind, context.Server.Port);
        _socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // An IPv6 wildcard also takes IPv4, as administrators expect of "::".
            if (endpoint.Address.Equals(IPAddress.IPv6Any))
            {
                _socket.DualMode = true;
            }

            DetectVanishedClients(_socket);
            _socket.Bind(endpoint);
            _socket.Listen(Limits.AcceptBacklog);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    /// <summary>Where it listens, with the port that was chosen if 0 was asked for.</summary>
    public IPEndPoint Endpoint => (IPEndPoint)_socket.LocalEndPoint!;

    /// <summary>Begins to accept.</summary>
    public void Start() => _accepting = AcceptLoopAsync();

    /// <summary>Stops accepting, after having accepted what the kernel had already queued: those clients are connected and may have sent requests.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _accepting.ConfigureAwait(false);
        while (_socket.Poll(0, SelectMode.SelectRead) && await _room.WaitAsync(0, CancellationToken.None).ConfigureAwait(false))
        {
            try
            {
                Serve(await _socket.AcceptAsync(CancellationToken.None).ConfigureAwait(false));
            }
            catch (SocketException)
            {
                break; // Reset while it waited; the poll will tell about the next one, or there is none.
            }
        }

        _connections.Removed -= OnRemoved;
        _socket.Dispose();
        _stop.Dispose();
    }

    /// <summary>
    /// Accepted sockets inherit it: a client whose machine vanished without a word would otherwise hold a tunnel, and with it the backend, for ever.
    /// </summary>
    private static void DetectVanishedClients(Socket socket)
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, Limits.TcpKeepAliveSecs);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, Limits.TcpKeepAliveIntervalSecs);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, Limits.TcpKeepAliveProbes);
    }

    private async Task AcceptLoopAsync()
    {
        var token = _stop.Token;
        while (!token.IsCancellationRequested)
        {
            try
            {
                await _room.WaitAsync(token).ConfigureAwait(false);
                Socket socket;
                try
                {
                    socket = await _socket.AcceptAsync(token).ConfigureAwait(false);
                }
                catch
                {
                    _room.Release();
                    throw;
                }

                Serve(socket);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException e)
            {
                // Out of descriptors, or reset before it was accepted: neither is a reason to stop; the first one needs a pause.
                ForwardingLog.AcceptFailed(_context.Log, e.Message);
                await Task.Delay(TimeSpan.FromMilliseconds(Limits.AcceptPauseMs), _context.Time, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    private void Serve(Socket socket)
    {
        Http1Connection connection;
        try
        {
            socket.NoDelay = true;
            connection = new Http1Connection(_context, _connections, socket, Identify(socket));
        }
        catch (SocketException)
        {
            socket.Dispose(); // The client reset it already.
            _room.Release();
            return;
        }

        _connections.Add(connection);
        _ = connection.RunAsync();
    }

    private ClientIdentity Identify(Socket socket)
    {
        var address = ((IPEndPoint)socket.RemoteEndPoint!).Address;
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        bool trusted = false;
        foreach (var network in _context.Server.TrustedProxies)
        {
            trusted |= network.Contains(address);
        }

        return new ClientIdentity(address.ToString(), trusted);
    }

    private void OnRemoved() => _room.Release();
}
