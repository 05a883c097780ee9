using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Spawngate.Backends;
using Spawngate.Workloads.Docker;

namespace Spawngate.Admin;

/// <summary>
/// Where containers call back that they are ready: listeners on the machine's addresses in their networks, because the admin API listens on
/// loopback and is none of their business. A listener takes <c>POST /ready/{host}?token=…</c> and <c>POST /busy/{host}/{token}</c> with
/// the token of that very start and nothing else; it is open while a container on its network needs it.
/// </summary>
/// <param name="report">Declares a start ready: host, token.</param>
/// <param name="lease">Takes the lease of an instance: host, token, seconds.</param>
/// <param name="log">Log of category <c>spawngate.docker</c>.</param>
/// <param name="time">The time.</param>
internal sealed class ReadyCallbackListeners(
    Func<string, string?, ReadyCallbackOutcome> report,
    Func<string, string, int, Task<LeaseOutcome>> lease,
    ILogger log,
    TimeProvider time
) : IReadyCallbackListeners
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly Dictionary<IPAddress, CallbackListener> _listeners = [];

    /// <summary>Opens the listener at an address, or uses the open one; null when the address is not of this machine.</summary>
    public async Task<ReadyCallbackLease?> OpenAsync(IPAddress address)
    {
        await _gate.WaitAsync().ConfigureAwait(false);
        try
        {
            if (!_listeners.TryGetValue(address, out var listener))
            {
                listener = await ListenAsync(address).ConfigureAwait(false);
                if (listener is null)
                {
                    return null;
                }

                _listeners.Add(address, listener);
            }

            listener.Users++;
            return new ReadyCallbackLease(new IPEndPoint(address, listener.Port), () => _ = LeaveAsync(address));
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Closes all.</summary>
    public async ValueTask DisposeAsync()
    {
        await _gate.WaitAsync().ConfigureAwait(false);
        foreach (var listener in _listeners.Values)
        {
            await CloseAsync(listener).ConfigureAwait(false);
        }

        _listeners.Clear();
        _gate.Release();
    }

    private async Task LeaveAsync(IPAddress address)
    {
        await _gate.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_listeners.TryGetValue(address, out var listener) && --listener.Users == 0)
            {
                _listeners.Remove(address);
                await CloseAsync(listener).ConfigureAwait(false);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    private static async Task CloseAsync(CallbackListener listener)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(AdminLimits.StopSecs));
        await listener.Server.StopAsync(limit.Token).ConfigureAwait(false);
        listener.Server.Dispose();
    }

    private async Task<CallbackListener?> ListenAsync(IPAddress address)
    {
        var options = new KestrelServerOptions { AddServerHeader = false };
        options.Limits.MaxRequestBodySize = AdminLimits.RequestBodyBytesMax;
        options.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(AdminLimits.HeaderTimeoutSecs);
        options.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(AdminLimits.KeepAliveSecs);
        var connections = new AdminConnections(AdminLimits.ReadyCallbackConnectionsMax, time);
        ListenOptions? listen = null;
        options.Listen(address, 0, each =>
        {
            each.Protocols = HttpProtocols.Http1;
            connections.Serve(each);
            listen = each;
        });
        var server = new KestrelServer(Options.Create(options), new AdminTransport(connections, time, log), NullLoggerFactory.Instance);
        try
        {
            await server.StartAsync(new Callbacks(report, lease), CancellationToken.None).ConfigureAwait(false);
            AdminEvents.CallbacksAreTaken(log, listen!.IPEndPoint!.ToString());
            return new CallbackListener(server, listen.IPEndPoint.Port);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            server.Dispose();
            return null;
        }
    }

    private sealed class CallbackListener(KestrelServer server, int port)
    {
        public KestrelServer Server => server;

        public int Port => port;

        public int Users { get; set; }
    }

    private sealed class Callbacks(Func<string, string?, ReadyCallbackOutcome> report, Func<string, string, int, Task<LeaseOutcome>> lease)
        : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public void DisposeContext(HttpContext context, Exception? exception) { }

        public async Task ProcessRequestAsync(HttpContext context)
        {
            try
            {
                await AnswerAsync(context).ConfigureAwait(false);
            }
            catch (Exception e) when (e is OperationCanceledException or ConnectionAbortedException or ConnectionResetException)
            {
                context.Abort();
            }
        }

        private Task AnswerAsync(HttpContext context)
        {
            AdminReply.CommonHeaders(context.Response);
            var route = AdminRoute.Parse(context.Request.Path.Value ?? "");
            if (route.Target is not (AdminTarget.Ready or AdminTarget.Busy))
            {
                return AdminReply.ErrorAsync(context, AdminError.NotFound);
            }

            if (!HttpMethods.IsPost(context.Request.Method))
            {
                context.Response.Headers.Allow = route.AllowedMethods;
                return AdminReply.ErrorAsync(context, AdminError.MethodNotAllowed(route.AllowedMethods));
            }

            if (route.Target == AdminTarget.Busy)
            {
                return BusyCallback.AnswerAsync(context, route, lease);
            }

            // Who does not know a token does not learn here which hosts there are.
            return report(route.Name, context.Request.Query["token"]) switch
            {
                ReadyCallbackOutcome.Accepted => AdminReply.TextAsync(context, 200, "text/plain", "ok"),
                ReadyCallbackOutcome.NotStarting => AdminReply.ErrorAsync(context, AdminError.NotStarting),
                _ => AdminReply.ErrorAsync(context, AdminError.ReadyUnauthorised),
            };
        }
    }
}
