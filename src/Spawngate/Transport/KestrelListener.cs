using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Spawngate.Platform;
using Spawngate.Runtime;

namespace Spawngate.Transport;

/// <summary>Accepts for a Kestrel server, which serves each connection by our <see cref="ConnectionHandler"/>.</summary>
/// <remarks>
/// <code>
///  somebody accepts ──▶ accept ──▶ its KestrelSocket, at once ──▶ whoever asked for it
///                         └──▶ queue ──▶ Kestrel: middleware ──▶ KestrelClients: the socket gets its pipes
/// </code>
/// Kestrel would accept without bound. Here it gets only what somebody had room for, and all else waits in the kernel's queue; an error
/// of an accept goes to whoever has to act on it. The socket exists before Kestrel has begun with it, so its deadlines hold from the
/// accept on.
/// </remarks>
internal sealed class KestrelListener : StreamListener
{
    private readonly Socket _socket;
    private readonly KestrelTransport _transport;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<ConnectionContext> _accepted = Channel.CreateUnbounded<ConnectionContext>();
    private readonly KestrelServer _server;
    private readonly Task _starting;

    /// <summary>Accepts on a bound and listening socket.</summary>
    public KestrelListener(Socket socket, KestrelTransport transport)
    {
        _socket = socket;
        _transport = transport;
        var options = new KestrelServerOptions();
        socket.Blocking = false;
        options.Listen(socket.LocalEndPoint!, static listen =>
        {
            listen.Use(KestrelClients.EndWithKestrel);
            listen.Run(new KestrelClients().OnConnectedAsync);
        });
        _server = new KestrelServer(Options.Create(options), new AcceptedConnections(this), NullLoggerFactory.Instance);
        _starting = _server.StartAsync(new NoApplication(), CancellationToken.None);
    }

    /// <inheritdoc/>
    public override async ValueTask<StreamSocket?> AcceptAsync()
    {
        await _starting.ConfigureAwait(false);
        try
        {
            return Take(await _socket.AcceptAsync(_stop.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public override StreamSocket? TryAccept()
    {
        try
        {
            return Take(_socket.Accept());
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.WouldBlock)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public override void Stop() => _stop.Cancel();

    /// <summary>The server ends with its last connection.</summary>
    public override void Dispose()
    {
        _ = EndServerAsync();
        _stop.Dispose();
    }

    private async Task EndServerAsync()
    {
        try
        {
            await _server.StopAsync(CancellationToken.None).ConfigureAwait(false);
            _server.Dispose();
        }
        catch (Exception fault)
        {
            CallbackGuard.OnFault(fault, nameof(KestrelListener), owner: null);
        }
    }

    private KestrelSocket Take(Socket accepted)
    {
        ConnectionContext context;
        try
        {
            Peer = (accepted.RemoteEndPoint as IPEndPoint)?.Address;
            if (accepted.AddressFamily != AddressFamily.Unix)
            {
                accepted.NoDelay = true;
            }

            context = _transport.Connect(accepted);
        }
        catch
        {
            accepted.Dispose(); // The client reset it already.
            throw;
        }

        DescriptorBudget.Shared.Take(DescriptorUse.Client);
        var socket = new KestrelSocket(accepted, context);
        context.Features.Set(socket);
        if (!_accepted.Writer.TryWrite(context))
        {
            // Kestrel has ended, against all rules: nobody will serve it, and nobody else gives its pipes back.
            socket.Close(reset: true);
            _ = context.DisposeAsync().AsTask();
        }

        return socket;
    }

    /// <summary>Hands Kestrel what was accepted, until it does not want any more.</summary>
    private sealed class AcceptedConnections(KestrelListener owner) : IConnectionListenerFactory, IConnectionListener
    {
        public EndPoint EndPoint => owner._socket.LocalEndPoint!;

        public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(this);

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            var reader = owner._accepted.Reader;
            return await reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false) && reader.TryRead(out var connection)
                ? connection
                : null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            owner._accepted.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    /// <summary>Kestrel wants one for its HTTP, which no connection reaches.</summary>
    private sealed class NoApplication : IHttpApplication<object>
    {
        public object CreateContext(IFeatureCollection contextFeatures) => throw new NotSupportedException();

        public Task ProcessRequestAsync(object context) => throw new NotSupportedException();

        public void DisposeContext(object context, Exception? exception) { }
    }
}
