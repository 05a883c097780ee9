using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Sessions;

namespace Spawngate.Admin;

/// <summary>
/// The admin API's own HTTP server, on its own port. It shares nothing with the proxy's connections, so neither can
/// starve the other. Its handlers run on pool threads, whatever the completion mode of the sockets.
/// </summary>
internal sealed class AdminApi : IAsyncDisposable
{
    private readonly ServerConfig _config;
    private readonly PassedSocket? _passed;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly AdminConnections _connections;
    private readonly TimeProvider _time;
    private readonly AdminRequests _requests;
    private KestrelServer? _server; // Made when it starts: clients of the proxy are not to wait for that.
    private ListenOptions? _listen;

    /// <summary>Makes the API; nothing listens yet.</summary>
    /// <param name="config">Where to listen, and the token. Port 0 lets the system choose (for tests).</param>
    /// <param name="backends">What the API shows and commands.</param>
    /// <param name="loggers">Makes the logger of category <c>spawngate.admin</c>.</param>
    /// <param name="time">The clock.</param>
    /// <param name="passed">
    /// A socket to listen on instead of binding one, whose address <paramref name="config"/> then names; it stays its owner's.
    /// </param>
    /// <param name="sessions">The sessions that it makes; null for none.</param>
    public AdminApi(
        ServerConfig config,
        IAdminBackends backends,
        ILoggerFactory loggers,
        TimeProvider time,
        PassedSocket? passed = null,
        SessionSet? sessions = null
    )
    {
        _config = config;
        _passed = passed;
        _logger = loggers.CreateLogger(AdminEvents.Category);
        var guard = new AdminGuard(config.AdminBind, config.AdminToken);
        var answers = sessions is null ? null : new SessionRequests(sessions, config, time, _logger, _stopping.Token);
        _requests = new AdminRequests(guard, backends, time, _logger, _stopping.Token, answers);
        _time = time;
        _connections = new AdminConnections(Math.Min(PlatformLimits.DescriptorsAdminMax, DescriptorBudget.Shared.AdminMax), time);
    }

    /// <summary>The bound address; with the real port once started.</summary>
    public IPEndPoint Endpoint => _listen?.EndPoint as IPEndPoint ?? new IPEndPoint(_config.AdminBind, _config.AdminPort);

    /// <summary>Starts to listen.</summary>
    /// <exception cref="CannotRunException">The address cannot be bound; the message names it and its settings.</exception>
    public async Task StartAsync(CancellationToken cancel)
    {
        _server = MakeServer();
        try
        {
            await _server.StartAsync(_requests, cancel);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new CannotRunException(
                $"cannot listen on {Endpoint} for the admin API (server.admin_port, server.admin_bind): {BindFailure.Describe(e)}",
                e
            );
        }

        string address = $"http://{Endpoint}";
        AdminEvents.Listening(_logger, address);
        if (!IPAddress.IsLoopback(_config.AdminBind) && _config.AdminToken is null)
        {
            AdminEvents.OpenToAll(_logger, address);
        }
    }

    /// <summary>Stops listening, ends the streams, and gives answers in progress a moment to finish.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(AdminLimits.StopSecs));
        await (_server?.StopAsync(limit.Token) ?? Task.CompletedTask);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _server?.Dispose();
        _stopping.Dispose();
    }

    private KestrelServer MakeServer()
    {
        var options = new KestrelServerOptions { AddServerHeader = false };
        options.Limits.MaxRequestBodySize = AdminLimits.RequestBodyBytesMax;
        options.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(AdminLimits.KeepAliveSecs);
        options.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(AdminLimits.HeaderTimeoutSecs);
        if (_passed is null)
        {
            options.Listen(_config.AdminBind, _config.AdminPort, Configure);
        }
        else
        {
            options.ListenHandle((ulong)_passed.Descriptor, Configure);
        }

        // The server's own log says nothing that AdminEvents does not say in this program's terms.
        return new KestrelServer(Options.Create(options), new AdminTransport(_connections, _time, _logger), NullLoggerFactory.Instance);

        void Configure(ListenOptions listen)
        {
            listen.Protocols = HttpProtocols.Http1;
            _connections.Serve(listen);
            _listen = listen;
        }
    }
}
