using System.Net;
using System.Net.Sockets;

namespace Spawngate.Workloads.Docker;

/// <summary>Makes the connections to one engine, and notes between which machines they are.</summary>
/// <param name="address">Where it listens.</param>
internal sealed class EngineDialer(EngineAddress address)
{
    private volatile Ends? _ends;

    /// <summary>
    /// The address of the engine's machine, by which its containers are reached, too; null when it is reached by a socket or by loopback,
    /// and before the first connection.
    /// </summary>
    public IPAddress? Machine => _ends?.Machine;

    /// <summary>This machine's address of the same connection.</summary>
    public IPAddress? OwnAddress => _ends?.Own;

    /// <summary>Connects.</summary>
    public async ValueTask<Stream> ConnectAsync(CancellationToken cancel)
    {
        if (address.SocketPath is { } path)
        {
            return await ConnectAsync(new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified), socket =>
                    socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancel)
                )
                .ConfigureAwait(false);
        }

        var stream = await ConnectAsync(new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }, socket =>
            {
                // An engine whose machine vanished would otherwise leave its event stream open for ever.
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                return socket.ConnectAsync(address.Host, address.Port, cancel);
            })
            .ConfigureAwait(false);
        _ends = new Ends(Outside(stream.Socket.RemoteEndPoint), Outside(stream.Socket.LocalEndPoint));
        return address.TlsDir is { } folder
            ? await EngineTls.BeginAsync(stream, address.Host, folder, cancel).ConfigureAwait(false)
            : stream;
    }

    private static async Task<NetworkStream> ConnectAsync(Socket socket, Func<Socket, ValueTask> connect)
    {
        try
        {
            await connect(socket).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>An address that other machines may reach; null for loopback.</summary>
    private static IPAddress? Outside(EndPoint? end)
    {
        if ((end as IPEndPoint)?.Address is not { } found)
        {
            return null;
        }

        found = found.IsIPv4MappedToIPv6 ? found.MapToIPv4() : found;
        return IPAddress.IsLoopback(found) ? null : found;
    }

    private sealed record Ends(IPAddress? Machine, IPAddress? Own);
}
