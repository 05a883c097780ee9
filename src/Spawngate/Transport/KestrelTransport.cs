using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Platform;

namespace Spawngate.Transport;

/// <summary>Kestrel's socket transport, for clients (<see cref="KestrelListener"/>) and for connections to backends.</summary>
internal sealed class KestrelTransport : StreamTransport
{
    /// <summary>See <see cref="StreamTransport.Name"/>.</summary>
    public const string GivenName = "kestrel";

    /// <summary>
    /// A flush waits while so many bytes are in the pipe, so it ends when there is none: all of them are with the kernel then, which is
    /// what the end of a send means.
    /// </summary>
    private const int WriteBufferBytes = 1;

    private readonly SocketConnectionContextFactory _contexts = new(
        new SocketConnectionFactoryOptions
        {
            MaxReadBufferSize = TransportLimits.PipeReadAheadBytes,
            MaxWriteBufferSize = WriteBufferBytes,
            // What goes on because of bytes does so in the thread that learned of them, and does not block, as everywhere here.
            UnsafePreferInlineScheduling = true,
        },
        NullLogger.Instance
    );

    private KestrelTransport() { }

    /// <summary>The one there is.</summary>
    public static KestrelTransport Instance { get; } = new();

    /// <inheritdoc/>
    public override string Name => GivenName;

    /// <inheritdoc/>
    public override StreamListener Listen(Socket socket) => new KestrelListener(socket, this);

    /// <inheritdoc/>
    public override StreamSocket? TryCreate(AddressFamily family, bool fromReserve = false)
    {
        if (!DescriptorBudget.Shared.TryTake(DescriptorUse.Upstream, fromReserve: fromReserve))
        {
            return null;
        }

        try
        {
            return new KestrelSocket(new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }, this);
        }
        catch (SocketException)
        {
            DescriptorBudget.Shared.Release(DescriptorUse.Upstream);
            return null;
        }
    }

    /// <summary>Has Kestrel move the bytes of a connected socket from now on.</summary>
    public ConnectionContext Connect(Socket socket) => _contexts.Create(socket);
}

/// <summary>
/// What Kestrel calls for each client when everything that stands before it, such as TLS, is through: the connection's pipes are now those
/// of the socket that was accepted. It is over when that socket is closed.
/// </summary>
internal sealed class KestrelClients : ConnectionHandler
{
    /// <summary>
    /// Around all that stands before: whoever is not let through, or whose serving has failed, is closed. Its receive would wait for pipes
    /// that never come.
    /// </summary>
    public static ConnectionDelegate EndWithKestrel(ConnectionDelegate next) =>
        async connection =>
        {
            try
            {
                await next(connection).ConfigureAwait(false);
            }
            finally
            {
                connection.Features.GetRequiredFeature<KestrelSocket>().Close(reset: true);
            }
        };

    /// <inheritdoc/>
    public override Task OnConnectedAsync(ConnectionContext connection)
    {
        var socket = connection.Features.GetRequiredFeature<KestrelSocket>();
        socket.Attach(connection.Transport);
        return socket.Ended;
    }
}
