using System.Globalization;
using Spawngate.Config.Toml;
using static Spawngate.Config.ConfigLines;

namespace Spawngate.Config;

/// <summary>
/// Writes the effective settings for <c>spawngate check</c>: every key of every backend, defaults filled in, one a line, in a fixed
/// order and aligned, so that the output of two versions of a file can be compared. Secrets are left out.
/// </summary>
internal static class ConfigPrinter
{
    /// <summary>Writes a whole configuration.</summary>
    public static void Print(GatewayConfig config, TextWriter writer)
    {
        var to = new ConfigLines(writer);
        ServerKeys.Print(config.Server, to);
        foreach (var backend in config.Backends)
        {
            to.Gap();
            PrintBackend($"backends.{TomlKeyPath.Quote(backend.Route.ToString())}", backend, to);
        }

        if (config.Sessions is { } sessions)
        {
            PrintSessions(sessions, config.Server, to);
        }

        to.Gap();
        var templates = config.Sessions is null ? "" : $", {Counted(config.Sessions.Templates.Count, "session template")}";
        to.Text($"# {config.Path} is valid: {Counted(config.Backends.Count, "backend")}{templates}");
    }

    private static void PrintSessions(SessionsConfig sessions, ServerConfig server, ConfigLines to)
    {
        to.Gap();
        to.Text($"[{SessionKeys.Section}]");
        to.Line("domain", Quoted(sessions.Domain));
        to.Line("url_template", Quoted(sessions.UrlTemplateOf(server)));
        to.Line("api_base", Quoted(sessions.ApiBaseOf(server)));
        to.Line("max", sessions.Max);
        to.Line("allow_images", List(sessions.AllowImages));
        if (server.AdminToken is null)
        {
            to.Text("# server.admin_token is unset: a call may name a template, a key and a grace period, and nothing else");
        }

        foreach (var template in sessions.Templates)
        {
            to.Gap();
            PrintBackend($"{SessionKeys.Section}.templates.{TomlKeyPath.Quote(template.Name)}", template.Backend, to, template);
        }
    }

    private static void PrintBackend(string table, BackendConfig backend, ConfigLines to, SessionTemplate? template = null)
    {
        to.Text($"[{table}]  # {backend.Origin}");
        if (backend.GivenName is { } name)
        {
            to.Line(BackendKeys.Name, Quoted(name));
        }

        to.Line("type", Quoted(backend.Kind.Name));
        backend.Settings.Print(to, template is not null);
        to.Line("args", List(backend.Args));
        to.Line(
            "port",
            backend.Port != 0 ? Number(backend.Port)
                : backend.UsesLoopbackPort ? "0  # a free port at each start"
                : "# none"
        );
        to.Line(
            "env",
            backend.Env.Count == 0
                ? "# none"
                : $"# values not shown: {string.Join(", ", backend.Env.Select(variable => TomlKeyPath.Quote(variable.Key)))}"
        );
        if (template is not null)
        {
            to.Line("grace_period_secs", template.GracePeriodSecs);
            to.Line("lifetime_limit_secs", template.LifetimeLimitSecs == 0 ? "0  # none" : Number(template.LifetimeLimitSecs));
            to.Line(SessionKeys.AllowEnv, template.AllowEnv is null ? "# any name" : List(template.AllowEnv));
        }

        PrintTimings(backend, to, template);
    }

    private static void PrintTimings(BackendTimings timings, ConfigLines to, SessionTemplate? template)
    {
        if (template is null)
        {
            to.Line("idle_timeout_secs", timings.IdleTimeoutSecs == 0 ? "0  # never stops" : Number(timings.IdleTimeoutSecs));
        }

        to.Line("startup_timeout_secs", timings.StartupTimeoutSecs);
        to.Line("health_check_interval_ms", timings.HealthCheckIntervalMs);
        to.Line("health_path", HealthPath(timings));
        to.Line(
            "health_status",
            $"{Quoted(timings.HealthStatus.Text)}{(timings.HealthPath is { Length: > 0 } ? "" : "  # with a health_path")}"
        );
        to.Line("request_timeout_secs", timings.RequestTimeoutSecs);
        to.Line(
            "stream_timeout_secs",
            timings.StreamTimeoutSecs == 0 ? "0  # as long as the client is there" : Number(timings.StreamTimeoutSecs)
        );
        to.Line("shutdown_grace_period_secs", timings.ShutdownGracePeriodSecs);
        to.Line("drain_timeout_secs", timings.DrainTimeoutSecs);
        to.Line("ready_health_check_interval_ms", timings.ReadyHealthCheckIntervalMs);
        to.Line("unhealthy_threshold", timings.UnhealthyThreshold);
        to.Line("max_queued_requests", timings.MaxQueuedRequests);
        to.Line("max_concurrency", timings.MaxConcurrency == 0 ? "0  # none" : Number(timings.MaxConcurrency));
        to.Line("no_wake", timings.NoWake is null ? "# none" : List(timings.NoWake.Entries));
        to.Line("waiting_page", timings.WaitingPage ? "true" : "false");
        to.Line("websocket_idle_secs", timings.WebSocketIdleSecs == 0 ? "0  # in use until it closes" : Number(timings.WebSocketIdleSecs));
    }

    private static string HealthPath(BackendTimings timings) =>
        timings.HealthPath switch
        {
            null => "# none: the program decides, by its answer to GET /health",
            "" => "\"\"  # ready when the port accepts",
            var path => Quoted(path),
        };

    private static string Counted(int count, string noun) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {noun}{(count == 1 ? "" : "s")}");
}
