using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Spawngate.Backends;
using Spawngate.Runtime;

namespace Spawngate.Admin;

/// <summary>
/// Answers the requests of the admin API. The steps of each: Host check, routing, token, method, origin, then the answer
/// itself. Routing is by hand: it is a dozen fixed paths, and a host with dependency injection and endpoint routing
/// took 15 ms longer to start and 5 MB more memory than the bare server.
/// </summary>
internal sealed class AdminRequests : IHttpApplication<HttpContext>
{
    private readonly AdminGuard _guard;
    private readonly IAdminBackends _backends;
    private readonly AdminMetrics _metrics;
    private readonly AdminLog _log;
    private readonly AdminEventStream _events;
    private readonly SessionRequests? _sessions;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>Makes the application.</summary>
    /// <param name="guard">Who may ask.</param>
    /// <param name="backends">What is asked about.</param>
    /// <param name="time">For the metrics.</param>
    /// <param name="logger">Category <c>spawngate.admin</c>.</param>
    /// <param name="stopping">Cancelled when the gateway stops: answers without an end then end.</param>
    /// <param name="sessions">What answers for sessions; null when there are none.</param>
    public AdminRequests(
        AdminGuard guard,
        IAdminBackends backends,
        TimeProvider time,
        ILogger logger,
        CancellationToken stopping,
        SessionRequests? sessions = null
    )
    {
        _sessions = sessions;
        _guard = guard;
        _backends = backends;
        _metrics = new AdminMetrics(backends, time.GetUtcNow());
        _log = new AdminLog(backends, stopping);
        _events = new AdminEventStream(backends, time, stopping);
        _time = time;
        _logger = logger;
    }

    /// <inheritdoc/>
    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    /// <inheritdoc/>
    public void DisposeContext(HttpContext context, Exception? exception) { }

    /// <inheritdoc/>
    public async Task ProcessRequestAsync(HttpContext context)
    {
        var connection = context.Features.Get<AdminConnection>();
        connection?.BeginRequest();
        try
        {
            AdminReply.CommonHeaders(context.Response);
            AdminRoute route = AdminRoute.Parse(context.Request.Path.Value ?? "");
            await (Refusal(context, route) is { } error ? RefuseAsync(context, route, error) : AnswerAsync(context, route));
        }
        catch (Exception e) when (e is OperationCanceledException or ConnectionAbortedException or ConnectionResetException)
        {
            // The client went away or the gateway stops; nobody is left to be told.
            context.Abort();
        }
        catch (Exception e)
        {
            AdminEvents.RequestFailed(_logger, e, context.Request.Method, AdminRoute.WithoutToken(context.Request.Path.Value ?? ""));
            if (context.Response.HasStarted)
            {
                context.Abort();
                return;
            }

            await AdminReply.ErrorAsync(context, AdminError.Internal);
        }
        finally
        {
            connection?.EndRequest();
        }
    }

    /// <summary>
    /// A browser that lacks the token gets the page with its refusal: it holds no facts, and is where the token is entered.
    /// </summary>
    private static Task RefuseAsync(HttpContext context, AdminRoute route, AdminError error) =>
        error.Status == 401
        && route.Target == AdminTarget.Page
        && context.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase)
            ? AdminPage.AnswerAsync(context, error.Status)
            : AdminReply.ErrorAsync(context, error);

    private AdminError? Refusal(HttpContext context, AdminRoute route)
    {
        HttpRequest request = context.Request;
        if (!_guard.AllowsHost(request.Host.Value ?? ""))
        {
            return AdminError.ForbiddenHost;
        }

        // The token comes before the path, so that without it nobody learns which paths and hosts exist.
        if (_guard.AsksForToken && !route.IsOpen && !_guard.KnowsAdminToken(request))
        {
            return AdminError.Unauthorised;
        }

        if (route.Target == AdminTarget.None)
        {
            return AdminError.NotFound;
        }

        if (!route.Allows(request.Method))
        {
            context.Response.Headers.Allow = route.AllowedMethods;
            return AdminError.MethodNotAllowed(route.AllowedMethods);
        }

        if (route.Changes && !AdminGuard.AllowsOrigin(request))
        {
            return AdminError.ForbiddenOrigin;
        }

        return request.ContentLength > AdminLimits.RequestBodyBytesMax ? AdminError.TooLarge : null;
    }

    private Task AnswerAsync(HttpContext context, AdminRoute route) =>
        route.Target switch
        {
            AdminTarget.Page => AdminPage.AnswerAsync(context, 200),
            AdminTarget.Health => AdminReply.TextAsync(context, 200, "text/plain", "ok"),
            AdminTarget.Version => AdminReply.JsonAsync(
                context,
                200,
                new VersionReport(SpawngateVersion.Name, SpawngateVersion.Text),
                AdminJson.Default.VersionReport
            ),
            AdminTarget.Metrics => AdminReply.TextAsync(context, 200, AdminMetrics.ContentType, _metrics.Render()),
            AdminTarget.Events => _events.AnswerAsync(context),
            AdminTarget.BackendList => ListAsync(context),
            AdminTarget.Backend => ShowAsync(context, route.Name),
            AdminTarget.Log => _log.AnswerAsync(context, route.Name),
            AdminTarget.Start => CommandAsync(context, route.Name, AdminCommand.Start),
            AdminTarget.Stop => CommandAsync(context, route.Name, AdminCommand.Stop),
            AdminTarget.Restart => CommandAsync(context, route.Name, AdminCommand.Restart),
            AdminTarget.Ready => ReadyAsync(context, route.Name),
            AdminTarget.Busy => BusyCallback.AnswerAsync(context, route, _backends.LeaseAsync),
            _ when route.IsOfSessions && _sessions is not null => _sessions.AnswerAsync(context, route),
            _ => AdminReply.ErrorAsync(context, AdminError.NotFound),
        };

    private Task ListAsync(HttpContext context)
    {
        IReadOnlyList<BackendReport> all = _backends.ReportAll();
        return AdminReply.ReportAsync(context, 200, new BackendList(all, _time.GetUtcNow().UtcDateTime), ReportJson.Write);
    }

    private Task ShowAsync(HttpContext context, string name)
    {
        BackendReport? report = _backends.Report(name);
        if (report is null && context.Request.Query["route"] == "1")
        {
            report = _backends.ReportRouted(name);
        }

        if (report is null || _backends.Describe(report) is not { } details)
        {
            return AdminReply.ErrorAsync(context, AdminError.UnknownHost);
        }

        return context.Request.Query["format"] == "text"
            ? AdminReply.TextAsync(context, 200, BackendExplanation.ContentType, BackendExplanation.Of(details, name))
            : AdminReply.ReportAsync(context, 200, details, ReportJson.Write);
    }

    private Task CommandAsync(HttpContext context, string name, AdminCommand command)
    {
        BackendReport? before = _backends.Report(name);
        if (command != AdminCommand.Stop && before?.Session is not null)
        {
            return AdminReply.ErrorAsync(context, AdminError.IsSession);
        }

        CommandOutcome outcome = _backends.Post(name, command);
        if (outcome != CommandOutcome.Accepted)
        {
            AdminError error = outcome == CommandOutcome.TooMany ? AdminError.TooManyCommands : AdminError.UnknownHost;
            return AdminReply.ErrorAsync(context, error);
        }

        AdminEvents.CommandAccepted(_logger, name, command);

        // A session may have ended of it already.
        return ReportAsync(context, 202, _backends.Report(name) ?? before);
    }

    private Task ReadyAsync(HttpContext context, string name)
    {
        string? token = context.Request.Query["token"];
        bool isAdmin = _guard.KnowsAdminToken(context.Request);
        ReadyCallbackOutcome outcome = _backends.ReportReady(name, token, isAdmin);
        return outcome switch
        {
            ReadyCallbackOutcome.Accepted => AdminReply.TextAsync(context, 200, "text/plain", "ok"),

            // Who knows neither token gets the same answer for a host that there is: this path is open to everybody, and which hosts there
            // are is not.
            ReadyCallbackOutcome.UnknownHost when isAdmin => AdminReply.ErrorAsync(context, AdminError.UnknownHost),
            ReadyCallbackOutcome.NotStarting => AdminReply.ErrorAsync(context, AdminError.NotStarting),
            _ => AdminReply.ErrorAsync(context, AdminError.ReadyUnauthorised),
        };
    }

    private static Task ReportAsync(HttpContext context, int status, BackendReport? report) =>
        report is null
            ? AdminReply.ErrorAsync(context, AdminError.UnknownHost)
            : AdminReply.ReportAsync(context, status, report, ReportJson.Write);
}
