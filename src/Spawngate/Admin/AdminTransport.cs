using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Clients.Shared;
using Spawngate.Logging;
using Spawngate.Platform;
using Spawngate.Runtime;

namespace Spawngate.Admin;

/// <summary>
/// Listens for Kestrel, whose own listener tries again without a pause when there is no descriptor for a connection that waits.
/// </summary>
/// <param name="connections">Where connections are kept.</param>
/// <param name="time">The time.</param>
/// <param name="log">Log of category <c>spawngate.admin</c>.</param>
internal sealed class AdminTransport(AdminConnections connections, TimeProvider time, ILogger log) : IConnectionListenerFactory
{
    /// <inheritdoc/>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        try
        {
            socket.Listen(AdminLimits.AdminBacklog);
            return new ValueTask<IConnectionListener>(new AdminListener(socket, connections, time, log));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>
/// One listening socket of the admin API. When no descriptor is left, the connection that has been idle for longest gives its own, or a
/// spare one is given up that was kept for this; what waits meanwhile stays in the kernel's queue.
/// </summary>
internal sealed class AdminListener : IConnectionListener
{
    private readonly Socket _socket;
    private readonly AdminConnections _connections;
    private readonly TimeProvider _time;
    private readonly FailureEpisode _failures;
    private readonly CancellationTokenSource _stop = new();
    private readonly SocketConnectionContextFactory _contexts = new(
        new SocketConnectionFactoryOptions { IOQueueCount = 1 },
        NullLogger.Instance
    );

    internal AdminListener(Socket socket, AdminConnections connections, TimeProvider time, ILogger log)
    {
        _socket = socket;
        _connections = connections;
        _time = time;
        EndPoint = socket.LocalEndPoint!;
        _failures = new FailureEpisode(
            time,
            error => AdminEvents.AcceptFailed(log, EndPoint, error),
            (error, failures, ms) => AdminEvents.AcceptStillFails(log, EndPoint, error, failures, ms),
            (failures, ms) => AdminEvents.AcceptsAgain(log, EndPoint, failures, ms)
        );
    }

    /// <inheritdoc/>
    public EndPoint EndPoint { get; }

    /// <inheritdoc/>
    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        while (!either.IsCancellationRequested)
        {
            try
            {
                return await AcceptOneAsync(either.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException && either.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                // A bug, or memory has run out: it costs one client. Kestrel would never accept again.
                CallbackGuard.OnFault(e, nameof(AdminListener), owner: null);
                await Task.Delay(TimeSpan.FromMilliseconds(ConnectionLimits.AcceptPauseMs), _time, either.Token)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        return null; // It no longer listens.
    }

    /// <inheritdoc/>
    public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        await _stop.CancelAsync();
        _socket.Dispose();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await UnbindAsync();
        _contexts.Dispose();
        _stop.Dispose();
    }

    private async Task<ConnectionContext> AcceptOneAsync(CancellationToken cancel)
    {
        await _connections.TakePlaceAsync(cancel);
        try
        {
            return await AcceptWithPlaceAsync(cancel);
        }
        catch
        {
            _connections.ReturnPlace();
            throw;
        }
    }

    private async Task<ConnectionContext> AcceptWithPlaceAsync(CancellationToken cancel)
    {
        // Not again in the loop: what was given up is for the connection that waits.
        SpareDescriptor.Shared.TryRefill();
        while (true)
        {
            Socket? accepted = null;
            try
            {
                accepted = await _socket.AcceptAsync(cancel);
                SpareDescriptor.Shared.Settle();
                accepted.NoDelay = true;
                return _contexts.Create(accepted);
            }
            catch (SocketException e)
            {
                cancel.ThrowIfCancellationRequested();
                if (accepted is null && !_socket.Poll(0, SelectMode.SelectRead))
                {
                    // The kernel asks for a descriptor before it looks whether anybody waits. Nobody does, so nobody has to go for it.
                    await Task.Delay(TimeSpan.FromMilliseconds(ConnectionLimits.AcceptPauseMs), _time, cancel);
                    SpareDescriptor.Shared.TryRefill();
                }
                else if (
                    accepted is null
                    && e.SocketErrorCode is not (SocketError.ConnectionReset or SocketError.ConnectionAborted)
                    && !SpareDescriptor.Shared.TryGiveUp()
                )
                {
                    _failures.Add(OpenFiles.Explain(e));
                    _connections.CloseOldestIdle();
                    await Task.Delay(TimeSpan.FromMilliseconds(ConnectionLimits.AcceptPauseMs), _time, cancel);
                }

                accepted?.Dispose(); // Its client had left already.
            }
            catch
            {
                accepted?.Dispose();
                throw;
            }
        }
    }
}
