using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Logging;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Transport;

namespace Spawngate.Clients;

/// <summary>
/// The proxy's listening sockets: its own one, or those that a service manager passed. Accepts until <c>max_connections</c> are open, then
/// leaves further ones in the kernel's backlog until one ends.
/// </summary>
internal sealed class ClientListener
{
    private readonly ForwardingContext _context;
    private readonly ClientConnections _connections;
    private readonly IReadOnlyList<PassedSocket> _passed;
    private readonly IReadOnlyList<Socket> _sockets;
    private readonly IReadOnlyList<StreamListener> _listeners;
    private readonly SemaphoreSlim _room;
    private readonly CancellationTokenSource _stop = new();
    private readonly FailureEpisode _failures;
    private Task _accepting = Task.CompletedTask;

    /// <summary>Binds and listens, unless that was done for us.</summary>
    /// <param name="context">What connections share.</param>
    /// <param name="connections">Where they are kept.</param>
    /// <param name="passed">Sockets to take instead of binding one; they stay their owner's.</param>
    /// <param name="bound">The proxy's own socket, if it listens already and none was passed; it is taken over.</param>
    /// <exception cref="SocketException">The address cannot be bound.</exception>
    public ClientListener(
        ForwardingContext context,
        ClientConnections connections,
        IReadOnlyList<PassedSocket> passed,
        Socket? bound = null
    )
    {
        _context = context;
        _connections = connections;
        _passed = passed;
        _sockets =
            passed.Count > 0
                ? [.. passed.Select(static each => each.Socket)]
                : [bound ?? Bind(new IPEndPoint(context.Server.Bind, context.Server.Port))];
        foreach (var each in passed)
        {
            SetInherited(each.Socket);
        }

        _listeners = [.. _sockets.Select(StreamTransport.Chosen.Listen)];
        Addresses = [.. _sockets.Select(static socket => socket.LocalEndPoint!)];

        // A socket that waits for a client holds a place, so there is at least one for each.
        int places = Math.Max(context.Server.MaxConnections, _sockets.Count);
        _room = new SemaphoreSlim(places, places);
        _connections.Removed += OnRemoved;
        _failures = new FailureEpisode(
            context.Time,
            error => ForwardingLog.AcceptFailed(context.Log, error),
            (error, failures, ms) => ForwardingLog.AcceptStillFails(context.Log, error, failures, ms),
            (failures, ms) => ForwardingLog.AcceptsAgain(context.Log, failures, ms)
        );
    }

    /// <summary>Where it listens, with the port that was chosen if 0 was asked for.</summary>
    public IReadOnlyList<EndPoint> Addresses { get; }

    /// <summary>Whether a client that connects now is accepted now: false when <c>max_connections</c> are open, and at the end.</summary>
    public bool TakesMore => !_stop.IsCancellationRequested && _room.CurrentCount > 0;

    /// <summary>Begins to accept.</summary>
    public void Start() => _accepting = Task.WhenAll(_listeners.Select(AcceptLoopAsync));

    /// <summary>
    /// Stops accepting, after having accepted what the kernel had already queued: those clients are connected and may have sent requests.
    /// The queue of a passed socket is left alone: it lives on with the service manager, and whoever comes next serves it better than a
    /// gateway that is going down.
    /// </summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        foreach (var listener in _listeners)
        {
            listener.Stop();
        }

        await _accepting.ConfigureAwait(false);
        if (_passed.Count == 0)
        {
            await AcceptQueuedAsync(_listeners[0]).ConfigureAwait(false);
        }

        foreach (var listener in _listeners)
        {
            listener.Dispose();
        }

        if (_passed.Count == 0)
        {
            _sockets[0].Dispose();
        }

        foreach (var passed in _passed)
        {
            passed.Dispose();
        }

        _connections.Removed -= OnRemoved;
        _stop.Dispose();
    }

    /// <summary>Listens. Clients wait in the kernel's queue until somebody accepts.</summary>
    /// <exception cref="SocketException">The address cannot be bound.</exception>
    public static Socket Bind(IPEndPoint endpoint)
    {
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // An IPv6 wildcard also takes IPv4, as administrators expect of "::".
            if (endpoint.Address.Equals(IPAddress.IPv6Any))
            {
                socket.DualMode = true;
            }

            socket.Bind(endpoint);
            SetInherited(socket);
            socket.Listen(ConnectionLimits.AcceptBacklog);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task AcceptQueuedAsync(StreamListener listener)
    {
        while (await _room.WaitAsync(0, CancellationToken.None).ConfigureAwait(false))
        {
            try
            {
                if (listener.TryAccept() is { } socket)
                {
                    Serve(socket, listener.Peer);
                    continue;
                }
            }
            catch (SocketException)
            {
                // Reset while it waited, or out of descriptors: the rest is not worth a wait.
            }

            _room.Release();
            return;
        }
    }

    /// <summary>
    /// What the sockets of clients inherit, from those on that come when it is set: a client whose machine vanished without a word would
    /// otherwise hold a tunnel, and with it the backend, for ever.
    /// </summary>
    private static void SetInherited(Socket socket)
    {
        SocketMemory.BoundUnsent(socket.SafeHandle, ConnectionLimits.UnsentBytesMax);
        if (socket.AddressFamily == AddressFamily.Unix)
        {
            return;
        }

        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, ConnectionLimits.TcpKeepAliveSecs);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, ConnectionLimits.TcpKeepAliveIntervalSecs);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, ConnectionLimits.TcpKeepAliveProbes);
    }

    private async Task AcceptLoopAsync(StreamListener listener)
    {
        var token = _stop.Token;
        while (!token.IsCancellationRequested)
        {
            try
            {
                await _room.WaitAsync(token).ConfigureAwait(false);
                if (await AcceptIntoRoomAsync(listener).ConfigureAwait(false) is { } socket)
                {
                    Serve(socket, listener.Peer);
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException e)
            {
                // Out of descriptors, or reset before it was accepted: neither is a reason to stop; the first one needs a pause.
                await PauseAsync(OpenFiles.Explain(e), token).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                // A bug, or memory has run out: it costs one client, not all that come after it.
                CallbackGuard.OnFault(e, nameof(ClientListener), owner: null);
                await Task.Delay(TimeSpan.FromMilliseconds(ConnectionLimits.AcceptPauseMs), _context.Time, CancellationToken.None)
                    .ConfigureAwait(false);
            }
        }
    }

    /// <summary>Waits a moment, and for as long as there is not even a descriptor for the admin API.</summary>
    private async Task PauseAsync(string error, CancellationToken stopped)
    {
        do
        {
            _failures.Add(error);
            await Task.Delay(TimeSpan.FromMilliseconds(ConnectionLimits.AcceptPauseMs), _context.Time, CancellationToken.None)
                .ConfigureAwait(false);
        } while (!SpareDescriptor.Shared.TryRefill() && !stopped.IsCancellationRequested);
    }

    /// <summary>Accepts for a place that was taken; it is free again if there is nobody to take it.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<StreamSocket?> AcceptIntoRoomAsync(StreamListener listener)
    {
        StreamSocket? socket = null;
        try
        {
            return socket = await listener.AcceptAsync().ConfigureAwait(false);
        }
        finally
        {
            if (socket is null)
            {
                _room.Release();
            }
        }
    }

    private void Serve(StreamSocket socket, IPAddress? peer)
    {
        bool taken = false;
        ClientIdentity? client = null;
        try
        {
            if ((client = Admit(peer)) is not null)
            {
                var connection = new ClientConnection(_context, _connections, socket, client);
                _connections.Add(connection);
                taken = true;
                _ = connection.RunAsync();
            }
        }
        finally
        {
            if (!taken)
            {
                client?.Source.RemoveConnection();
                socket.Close(reset: true);
                _room.Release();
            }
        }
    }

    /// <summary>Who it is; null when it is to be closed at once.</summary>
    private ClientIdentity? Admit(IPAddress? peer)
    {
        // A client on a Unix socket has no address: it is on this machine.
        var address = peer ?? IPAddress.Loopback;
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        bool trusted = false;
        foreach (var network in _context.Server.TrustedProxies)
        {
            trusted |= network.Contains(address);
        }

        var source = _context.ClientLimits.Of(address, _context.Clock.NowMs);
        return _context.ClientLimits.TryConnect(source, trusted) ? new ClientIdentity(address.ToString(), trusted, source) : null;
    }

    private void OnRemoved() => _room.Release();
}
