using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Spawngate.Backends;
using Spawngate.Clients;
using Spawngate.Clients.Shared;
using Spawngate.Config;
using Spawngate.Forwarding;
using Spawngate.Runtime;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests.Fakes;

/// <summary>
/// Real client connections of the gateway over loopback sockets, in front of a ready backend whose every byte is the test's, in time that
/// is the test's, too.
/// </summary>
internal sealed class ForwardingStage : IAsyncDisposable
{
    public const string Host = "app.example.com";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly Socket _front = Listener();
    private Socket _backend = Listener();
    private readonly List<WireEnd> _ends = [];
    private readonly Dictionary<WireEnd, ClientConnection> _connections = [];
    private ReadyBackends _backends = null!;

    private ForwardingStage() { }

    public FakeTime Time { get; } = new();

    public RecordingLog Log { get; } = new();

    public ClientConnections Connections { get; private set; } = null!;

    public ForwardingContext Context { get; private set; } = null!;

    public Backend Backend => _backends.Set.All[0];

    public long InFlight => Backend.Word.InFlight;

    public static async Task<ForwardingStage> StartAsync(Func<BackendConfig, BackendConfig>? configure = null, ServerConfig? server = null)
    {
        var stage = new ForwardingStage();
        server ??= new ServerConfig();
        var config = ReadyBackends.Config(Host, ((IPEndPoint)stage._backend.LocalEndPoint!).Port);
        stage._backends = await ReadyBackends.StartAsync(stage.Time, stage.Log, server, configure?.Invoke(config) ?? config);
        stage.Connections = new ClientConnections(stage._backends.Clock);
        stage.Context = new ForwardingContext(server, stage._backends.Set, stage.Time, stage._backends.Clock, stage.Log);
        return stage;
    }

    /// <summary>A new client, already being served.</summary>
    public async Task<WireEnd> ConnectAsync(bool trusted = false, int receiveBuffer = 0, Func<StreamSocket, StreamSocket>? wrap = null)
    {
        var client = await WireEnd.ConnectAsync(_front.LocalEndPoint!, receiveBuffer);
        var socket = await _front.AcceptAsync();
        socket.NoDelay = true;
        var source = Context.ClientLimits.Of(IPAddress.Parse("192.0.2.7"), Context.Clock.NowMs);
        Context.ClientLimits.TryConnect(source, trusted);
        var stream = AdoptedSocket.Of(socket);
        stream = wrap?.Invoke(stream) ?? stream;
        client.Loop = stream.LoopIndex;
        client.Gateway = stream;
        var connection = new ClientConnection(Context, Connections, stream, new ClientIdentity("192.0.2.7", trusted, source));
        Connections.Add(connection);
        client.Served = connection.RunAsync();
        _connections.Add(client, connection);
        _ends.Add(client);
        return client;
    }

    /// <summary>The gateway's end of a client.</summary>
    public ClientConnection ConnectionOf(WireEnd client) => _connections[client];

    /// <summary>Passes when that deadline of the client's connection runs, so that moving the time means something.</summary>
    public Task DeadlineAsync(WireEnd client, DeadlineKind kind, bool forBody = false) =>
        Task.Run(() =>
        {
            var connection = _connections[client];
            Assert.That(SpinWait.SpinUntil(() => connection.Awaited == (kind, forBody), Patience), () =>
                $"The deadline is {connection.Awaited}"
            );
        });

    /// <summary>
    /// Moves the time on and on until something has happened. What failed has not happened, nor has what takes longer than its patience:
    /// both fail the test.
    /// </summary>
    public async Task AdvanceUntilAsync(Task happened, int stepMs = RuntimeLimits.ClockTickMs)
    {
        long begun = Stopwatch.GetTimestamp();
        while (!happened.IsCompleted)
        {
            Assert.That(Stopwatch.GetElapsedTime(begun), Is.LessThan(Patience), () => $"not happened by {Time.GetUtcNow():O}");
            Time.AdvanceMs(stepMs);
            await Task.Yield();
        }

        await happened;
    }

    /// <summary>The backend's end of the next connection made to it.</summary>
    public async Task<WireEnd> AcceptAsync()
    {
        var socket = await _backend.AcceptAsync().WaitAsync(Patience);
        socket.NoDelay = true;
        var end = new WireEnd(socket);
        _ends.Add(end);
        return end;
    }

    /// <summary>Whether the backend has a connection that was not accepted yet.</summary>
    public bool HasNewConnection => _backend.Poll(0, SelectMode.SelectRead);

    /// <summary>
    /// Passes when no request waits in a connection that was not accepted yet; it may have been looked whether anybody accepts.
    /// </summary>
    public async Task NothingIsAskedAsync()
    {
        while (HasNewConnection)
        {
            using var socket = await _backend.AcceptAsync().WaitAsync(Patience);
            Assert.That(await socket.ReceiveAsync(new byte[1].AsMemory()).AsTask().WaitAsync(Patience), Is.Zero, "asked again");
        }
    }

    /// <summary>Somebody listens at the backend's port again.</summary>
    public void ListenAgain() => _backend.Listen();

    /// <summary>The backend's run ends, as far as its launcher knows.</summary>
    public void EndRun() => _backends.EndRun();

    /// <summary>Nobody listens at the backend's port any more.</summary>
    public void StopListening()
    {
        // Its port stays taken, so that no other test listens there.
        var endpoint = _backend.LocalEndPoint!;
        _backend.Dispose();
        _backend = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _backend.Bind(endpoint);
    }

    /// <summary>Passes when the client's connection has ended and nothing is in flight.</summary>
    public async Task EndedAsync(WireEnd client)
    {
        await client.Served.WaitAsync(Patience);
        Assert.That(InFlight, Is.Zero);
    }

    public async ValueTask DisposeAsync()
    {
        Connections.AbortAll();
        foreach (var end in _ends)
        {
            end.Dispose();
            await end.Served.WaitAsync(Patience);
        }

        Assert.That(Connections.Count, Is.Zero, "a connection is left");
        Assert.That(InFlight, Is.Zero, "a request is still counted");
        Assert.That(Log.Records.Where(r => r.Text.Contains("unexpected", StringComparison.OrdinalIgnoreCase)), Is.Empty);
        Connections.Dispose();
        _backends.Dispose();
        _front.Dispose();
        _backend.Dispose();
    }

    private static Socket Listener()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen(512);
        return socket;
    }
}
