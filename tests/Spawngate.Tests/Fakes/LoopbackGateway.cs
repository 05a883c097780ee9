using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Clients;
using Spawngate.Config;
using Spawngate.Forwarding;
using Spawngate.Runtime;
using Spawngate.Transport;

namespace Spawngate.Tests.Fakes;

/// <summary>
/// One client, one gateway connection and one backend over loopback. Client and backend use blocking sockets and buffers of their own, so
/// that whatever is allocated during an exchange was allocated by the gateway.
/// </summary>
internal sealed class LoopbackGateway : IDisposable
{
    public const string Host = "app.example.com";

    private readonly Socket _front = Listener();
    private readonly Socket _back = Listener();
    private readonly Socket _client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly List<Socket> _accepted = [];
    private readonly byte[] _buffer = new byte[16384];
    private readonly byte[] _response;
    private readonly int _cut;
    private readonly int _requestBodyBytes;
    private readonly byte[] _tail;
    private ReadyBackends _backends = null!;
    private ClientConnections _connections = null!;
    private Task _served = Task.CompletedTask;

    private LoopbackGateway(string response, int cut, int requestBodyBytes)
    {
        _response = Encoding.ASCII.GetBytes(response);
        _cut = cut;
        _requestBodyBytes = requestBodyBytes;
        _tail = _response[^5..];
    }

    /// <summary>Starts all of it.</summary>
    /// <param name="time">The gateway's time.</param>
    /// <param name="response">What the backend answers to everything.</param>
    /// <param name="cut">Where the backend cuts its answer into two sends; 0 for one.</param>
    /// <param name="requestBodyBytes">Bytes behind each request's head.</param>
    /// <param name="configure">Changes the backend's settings.</param>
    /// <param name="observe">Makes the one who takes finished requests; null for none.</param>
    public static async Task<LoopbackGateway> StartAsync(
        TimeProvider time,
        string response,
        int cut = 0,
        int requestBodyBytes = 0,
        Func<BackendConfig, BackendConfig>? configure = null,
        Func<CoarseClock, RequestObserver>? observe = null
    )
    {
        var gateway = new LoopbackGateway(response, cut, requestBodyBytes);
        var server = new ServerConfig();
        var config = ReadyBackends.Config(Host, ((IPEndPoint)gateway._back.LocalEndPoint!).Port);
        gateway._backends = await ReadyBackends
            .StartAsync(time, NullLogger.Instance, server, configure?.Invoke(config) ?? config)
            .ConfigureAwait(false);
        gateway._connections = new ClientConnections(gateway._backends.Clock);
        new Thread(gateway.AcceptBackend) { IsBackground = true }.Start();
        var socket = gateway.ConnectClient();
        socket.NoDelay = true;
        var context = new ForwardingContext(server, gateway._backends.Set, time, gateway._backends.Clock, NullLogger.Instance)
        {
            Observer = observe?.Invoke(gateway._backends.Clock),
        };
        var connection = new ClientConnection(
            context,
            gateway._connections,
            StreamSocket.Of(socket),
            new ClientIdentity("127.0.0.1", true, context.ClientLimits.Of(IPAddress.Loopback, 1))
        );
        gateway._connections.Add(connection);
        gateway._served = connection.RunAsync();
        return gateway;
    }

    /// <summary>The client's end, for what is not HTTP/1.</summary>
    public Socket Client => _client;

    /// <summary>Completes when the gateway's connection has ended.</summary>
    public Task Served => _served;

    /// <summary>Connections that the gateway has open.</summary>
    public int OpenConnections => _connections.Count;

    /// <summary>One request and its whole answer.</summary>
    public void Exchange(ReadOnlySpan<byte> request)
    {
        _client.Send(request);
        int length = 0;
        while (length < _tail.Length || !_buffer.AsSpan(length - _tail.Length, _tail.Length).SequenceEqual(_tail))
        {
            int received = _client.Receive(_buffer.AsSpan(length));
            length +=
                received > 0
                    ? received
                    : throw new InvalidOperationException($"The gateway closed after: {Encoding.Latin1.GetString(_buffer, 0, length)}");
        }

        if (!_buffer.AsSpan().StartsWith("HTTP/1.1 200 "u8))
        {
            throw new InvalidOperationException(Encoding.Latin1.GetString(_buffer, 0, length));
        }
    }

    public void Dispose()
    {
        _connections.AbortAll();
        _client.Dispose();
        _front.Dispose();
        _back.Dispose();
        lock (_accepted)
        {
            _accepted.ForEach(static socket => socket.Dispose());
        }

        ((IAsyncResult)_served).AsyncWaitHandle.WaitOne(TimeSpan.FromSeconds(30));
        _connections.Dispose();
        _backends.Dispose();
    }

    /// <summary>
    /// Not asynchronously: the runtime would make the client's socket non-blocking for good, and then every wait of a blocking call
    /// allocates.
    /// </summary>
    private Socket ConnectClient()
    {
        _client.Connect(_front.LocalEndPoint!);
        return _front.Accept();
    }

    private static Socket Listener()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen(16);
        return socket;
    }

    private void AcceptBackend()
    {
        try
        {
            while (true)
            {
                var socket = _back.Accept();
                socket.NoDelay = true;
                lock (_accepted)
                {
                    _accepted.Add(socket);
                }

                new Thread(() => ServeBackend(socket)) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The end of the scene.
        }
    }

    private void ServeBackend(Socket socket)
    {
        byte[] buffer = new byte[16384];
        int length = 0;
        try
        {
            for (int received; (received = socket.Receive(buffer.AsSpan(length))) > 0; )
            {
                length += received;
                int end = buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8);
                if (end < 0 || length < end + 4 + _requestBodyBytes)
                {
                    continue;
                }

                length = 0;
                if (_cut > 0)
                {
                    socket.Send(_response.AsSpan(0, _cut));
                }

                socket.Send(_response.AsSpan(_cut));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The gateway or the scene ended it.
        }
    }
}
