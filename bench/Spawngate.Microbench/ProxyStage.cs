using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Backends;
using Spawngate.Clients;
using Spawngate.Config;
using Spawngate.Diagnostics;
using Spawngate.Forwarding;

namespace Spawngate.Microbench;

/// <summary>The proxy in this process, with one ready backend and one client connection: what a keep-alive request goes through, sockets included.</summary>
internal sealed class ProxyStage : IAsyncDisposable
{
    /// <summary>The host name of the backend.</summary>
    public const string Host = "app.example.com";

    private readonly LoopbackBackend _launcher;
    private readonly CoarseClock _clock = new(TimeProvider.System);
    private readonly ClientConnections _connections;
    private readonly ClientListener _listener;
    private readonly Socket _client;
    private readonly byte[] _buffer = new byte[65536];

    private ProxyStage(LoopbackBackend launcher)
    {
        _launcher = launcher;
        var server = new ServerConfig { Port = 0, Bind = IPAddress.Loopback };
        var defaults = new BackendTimings { HealthPath = "", IdleTimeoutSecs = 0, ReadyHealthCheckIntervalMs = 0 };
        var config = new GatewayConfig { Server = server, Backends = [new BackendConfig(defaults) { Hostname = Host, Command = "none" }] };
        Backends = new BackendSet(BackendEnvironment.Create(server, TimeProvider.System, _clock, launcher, NullLoggerFactory.Instance), config);
        _connections = new ClientConnections(_clock);
        var context = new ForwardingContext(server, Backends, TimeProvider.System, _clock, NullLogger.Instance);
        _listener = new ClientListener(context, _connections);
        _listener.Start();
        _client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    }

    /// <summary>The backends.</summary>
    public BackendSet Backends { get; }

    /// <summary>The one backend, ready.</summary>
    public Backend Backend => Backends.All[0];

    /// <summary>Makes it and waits until the backend is ready.</summary>
    /// <param name="response">What the backend answers.</param>
    /// <param name="requestEnd">What its requests end with.</param>
    public static async Task<ProxyStage> OpenAsync(string response, string requestEnd = "\r\n\r\n")
    {
        var stage = new ProxyStage(new LoopbackBackend(response, requestEnd));
        var admission = await stage.Backend.Enqueue(new WakeCause(WakeKind.Admin)).Decision;
        if (admission.Run is null)
        {
            throw new InvalidOperationException($"the stand-in backend did not start: {admission.Outcome}");
        }

        stage.Backend.Leave(admission.Run);
        await stage._client.ConnectAsync(stage._listener.Endpoint);

        // Off the socket's completion thread: what follows blocks, and that thread is needed to serve it.
        await Task.Yield();
        return stage;
    }

    /// <summary>One request and its answer, by blocking calls that allocate nothing.</summary>
    /// <param name="request">All of it.</param>
    /// <param name="responseEnd">What the answer ends with.</param>
    public int Exchange(byte[] request, ReadOnlySpan<byte> responseEnd)
    {
        _client.Send(request);
        int length = 0;
        do
        {
            int received = _client.Receive(_buffer.AsSpan(length));
            if (received == 0)
            {
                throw new InvalidOperationException($"the connection ended after: {Encoding.ASCII.GetString(_buffer, 0, length)}");
            }

            length += received;
        }
        while (!_buffer.AsSpan(0, length).EndsWith(responseEnd));
        return length;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _listener.StopAsync();
        await _connections.DrainAsync();
        await Backends.KillAllAsync();
        _connections.Dispose();
        _launcher.Dispose();
        _clock.Dispose();
    }
}
