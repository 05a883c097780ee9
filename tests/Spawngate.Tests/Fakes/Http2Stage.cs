using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Backends;
using Spawngate.Clients;
using Spawngate.Clients.Http2;
using Spawngate.Config;
using Spawngate.Forwarding;
using Spawngate.Overload;
using Spawngate.Runtime;
using Spawngate.Transport;

namespace Spawngate.Tests.Fakes;

/// <summary>
/// One client, one HTTP/2 connection of the gateway, and a backend that accepts connections and leaves the rest to the test.
/// </summary>
internal sealed class Http2Stage : IDisposable
{
    public const string Host = "app.example.com";

    private readonly Socket _front = Listening();
    private readonly ServerConfig _server = new();
    private readonly FakeTime _time = new();
    private ReadyBackends _backends = null!;
    private ClientConnections _connections = null!;
    private SocketChannel _channel = null!;
    private Task _serving = Task.CompletedTask;

    private Http2Stage() { }

    /// <summary>The client's end, which has sent its preface and settings.</summary>
    public Socket Client { get; } = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    /// <summary>Where the backend listens.</summary>
    public Socket Backend { get; } = Listening();

    public Http2Connection Connection { get; private set; } = null!;

    /// <summary>The client's address.</summary>
    public ClientAddress Source { get; } = new(1);

    public RecordingLog Log { get; } = new();

    public ForwardingContext Context { get; private set; } = null!;

    /// <summary>Completes when the connection has ended.</summary>
    public Task Serving => _serving;

    /// <summary>Number of the connection's event loop.</summary>
    public int Loop => _channel.LoopIndex;

    /// <summary>True when the gateway knows that the client has ended.</summary>
    public bool ClientHasEnded => _channel.PeerHasEnded;

    /// <summary>Moves the time on by one tick of the connection.</summary>
    public void Tick()
    {
        _time.AdvanceMs(RuntimeLimits.ClockTickMs);
        Connection.OnTick(NowMs);
    }

    /// <summary>Coarse time.</summary>
    public long NowMs => _backends.Clock.NowMs;

    /// <summary>Starts all of it.</summary>
    /// <param name="trusted">Whether the client is a proxy that speaks for others.</param>
    /// <param name="receiveBuffer">Bytes of the client's receive buffer; 0 for what is usual.</param>
    /// <param name="configure">Changes the backend's settings.</param>
    public static async Task<Http2Stage> StartAsync(
        bool trusted = true,
        int receiveBuffer = 0,
        Func<BackendConfig, BackendConfig>? configure = null
    )
    {
        var stage = new Http2Stage();
        if (receiveBuffer > 0)
        {
            stage.Client.ReceiveBufferSize = receiveBuffer;
        }

        var config = ReadyBackends.Config(Host, ((IPEndPoint)stage.Backend.LocalEndPoint!).Port);
        stage._backends = await ReadyBackends.StartAsync(
            stage._time,
            NullLogger.Instance,
            stage._server,
            configure?.Invoke(config) ?? config
        );
        stage._connections = new ClientConnections(stage._backends.Clock);
        await stage.Client.ConnectAsync(stage._front.LocalEndPoint!);
        stage._channel = new SocketChannel(AdoptedSocket.Of(await stage._front.AcceptAsync()), null, waits: true);
        stage.Context = new ForwardingContext(stage._server, stage._backends.Set, stage._time, stage._backends.Clock, stage.Log);
        stage.Connection = new Http2Connection(
            stage.Context,
            stage._connections.Drain,
            new ClientIdentity("127.0.0.1", trusted, stage.Source),
            stage._channel
        );
        stage._serving = stage.Connection.ServeAsync();
        await stage.Client.SendAsync(
            (byte[])[.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0]
        );
        return stage;
    }

    /// <summary>A GET, with more fields behind those that every request has.</summary>
    /// <param name="number">Number of the request, from 0.</param>
    /// <param name="fields">Their HPACK.</param>
    public static byte[] Request(int number, params byte[] fields)
    {
        byte[] host = Encoding.ASCII.GetBytes(Host);

        // GET, http, / and literals without indexing.
        byte[] block = [0x82, 0x86, 0x84, 0x01, (byte)host.Length, .. host, .. fields];
        byte[] frame = [0, (byte)(block.Length >> 8), (byte)block.Length, 1, 5, 0, 0, 0, 0, .. block];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), 1 + (2 * number));
        return frame;
    }

    public void Dispose()
    {
        Client.Dispose();
        Context.ClientLimits.Growth.Open();
        ((IAsyncResult)_serving).AsyncWaitHandle.WaitOne(TimeSpan.FromSeconds(60));
        _channel.Dispose();
        _connections.Dispose();
        _backends.Dispose();
        Backend.Dispose();
        _front.Dispose();
    }

    private static Socket Listening()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1000);
        return listener;
    }
}
