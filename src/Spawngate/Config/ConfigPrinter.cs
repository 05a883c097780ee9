using System.Globalization;
using Spawngate.Logging;
using Spawngate.Protocols.Toml;
using Spawngate.Telemetry;

namespace Spawngate.Config;

/// <summary>
/// Writes the effective settings for <c>spawngate check</c>: every key of every backend, defaults filled in, one a line, in a fixed
/// order and aligned, so that the output of two versions of a file can be compared. Secrets are left out.
/// </summary>
internal static class ConfigPrinter
{
    /// <summary>Aligns the = of the longest key, <c>ready_health_check_interval_ms</c>.</summary>
    private const int KeyColumns = 30;

    /// <summary>Writes a whole configuration.</summary>
    public static void Print(GatewayConfig config, TextWriter to)
    {
        PrintServer(config.Server, to);
        foreach (var backend in config.Backends)
        {
            to.WriteLine();
            PrintBackend($"backends.{TomlKeyPath.Quote(backend.Hostname)}", backend, to);
        }

        if (config.Sessions is { } sessions)
        {
            PrintSessions(sessions, config.Server, to);
        }

        to.WriteLine();
        var templates = config.Sessions is null ? "" : $", {Counted(config.Sessions.Templates.Count, "session template")}";
        to.WriteLine($"# {config.Path} is valid: {Counted(config.Backends.Count, "backend")}{templates}");
    }

    private static void PrintServer(ServerConfig server, TextWriter to)
    {
        to.WriteLine("[server]");
        Line(to, "port", server.Port);
        Line(to, "bind", Quoted(server.Bind.ToString()));
        Line(to, "admin_port", server.AdminPort);
        Line(to, "admin_bind", Quoted(server.AdminBind.ToString()));
        Line(to, "admin_token", server.AdminToken is null ? "# unset" : "# set, not shown");
        Line(to, "pool_max_idle_per_host", server.PoolMaxIdlePerHost);
        Line(to, "pool_idle_timeout_secs", server.PoolIdleTimeoutSecs);
        Line(to, "pid_file", server.PidFile is null ? "# none" : Quoted(server.PidFile));
        Line(to, "trusted_proxies", List(server.TrustedProxies.Select(network => network.ToString())));
        Line(to, "max_connections", server.MaxConnections);
        Line(to, "max_header_bytes", server.MaxHeaderBytes);
        Line(to, "max_headers", server.MaxHeaders);
        Line(to, "memory_limit", Quoted(server.MemoryLimit.Text));
        Line(to, "max_connections_per_address", server.MaxConnectionsPerAddress);
        Line(to, "max_requests_per_address", server.MaxRequestsPerAddress);
        Line(to, "request_rate_per_address", server.RequestRatePerAddress);
        Line(to, "header_timeout_secs", server.HeaderTimeoutSecs);
        Line(to, "keep_alive_timeout_secs", server.KeepAliveTimeoutSecs);
        Line(to, "access_log", Quoted(server.AccessLog));
        Line(to, "access_log_format", server.AccessLogFormat == AccessLogFormat.Json ? Quoted("json") : Quoted("combined"));
        Line(to, "log_format", server.LogFormat == LogFormat.Json ? Quoted("json") : Quoted("text"));
        Line(to, "server_timing", server.ServerTiming ? "true" : "false");
        Line(to, "otlp_endpoint", server.OtlpEndpoint is null ? "# none" : Quoted(server.OtlpEndpoint.OriginalString));
    }

    private static void PrintSessions(SessionsConfig sessions, ServerConfig server, TextWriter to)
    {
        to.WriteLine();
        to.WriteLine($"[{SessionKeys.Section}]");
        Line(to, "domain", Quoted(sessions.Domain));
        Line(to, "url_template", Quoted(sessions.UrlTemplateOf(server)));
        Line(to, "api_base", Quoted(sessions.ApiBaseOf(server)));
        Line(to, "max", sessions.Max);
        Line(to, "allow_images", List(sessions.AllowImages));
        if (server.AdminToken is null)
        {
            to.WriteLine("# server.admin_token is unset: a call may name a template, a key and a grace period, and nothing else");
        }

        foreach (var template in sessions.Templates)
        {
            to.WriteLine();
            PrintBackend($"{SessionKeys.Section}.templates.{TomlKeyPath.Quote(template.Name)}", template.Backend, to, template);
        }
    }

    private static void PrintBackend(string table, BackendConfig backend, TextWriter to, SessionTemplate? template = null)
    {
        to.WriteLine($"[{table}]  # {backend.Origin}");
        if (backend.Docker is { } docker)
        {
            Line(to, "type", Quoted("docker"));
            PrintDocker(docker, to, template);
        }
        else
        {
            Line(to, "type", Quoted("local"));
            Line(to, "command", Quoted(backend.Command ?? ""));
            Line(to, "working_dir", backend.WorkingDir is null ? "# that of Spawngate" : Quoted(backend.WorkingDir));
        }

        Line(to, "args", List(backend.Args));
        Line(to, "port", backend.Port == 0 ? "0  # a free port at each start" : Number(backend.Port));
        Line(
            to,
            "env",
            backend.Env.Count == 0
                ? "# none"
                : $"# values not shown: {string.Join(", ", backend.Env.Select(variable => TomlKeyPath.Quote(variable.Key)))}"
        );
        if (template is not null)
        {
            Line(to, "grace_period_secs", template.GracePeriodSecs);
            Line(to, "lifetime_limit_secs", template.LifetimeLimitSecs == 0 ? "0  # none" : Number(template.LifetimeLimitSecs));
            Line(to, SessionKeys.AllowEnv, template.AllowEnv is null ? "# any name" : List(template.AllowEnv));
        }

        PrintTimings(backend, to, template);
    }

    private static void PrintDocker(DockerConfig docker, TextWriter to, SessionTemplate? template)
    {
        var policy = docker.PullPolicy switch
        {
            PullPolicy.Always => "always",
            PullPolicy.Never => "never",
            _ => "if-not-present",
        };
        Line(to, "image", Quoted(docker.Image));
        Line(to, "container_name", template is null ? Quoted(docker.ContainerName) : "# called after each session");
        Line(to, "pull_policy", Quoted(policy));
        Line(to, "memory", docker.MemoryBytes is { } bytes ? $"\"{Number(bytes)}b\"" : "# no limit");
        Line(
            to,
            "cpus",
            docker.NanoCpus is { } nano ? Quoted((nano / 1e9m).ToString("0.0########", CultureInfo.InvariantCulture)) : "# no limit"
        );
        Line(to, "network", docker.Network is null ? "# the engine's default" : Quoted(docker.Network));
        Line(to, "docker_host", docker.DockerHost is null ? "# DOCKER_HOST, else the usual sockets" : Quoted(docker.DockerHost));
        Line(to, DockerKeys.NoNewPrivileges, docker.NoNewPrivileges ? "true" : "false");
        Line(to, DockerKeys.PidsLimit, docker.PidsLimit == 0 ? "0  # none" : Number(docker.PidsLimit));
    }

    private static void PrintTimings(BackendTimings timings, TextWriter to, SessionTemplate? template)
    {
        if (template is null)
        {
            Line(to, "idle_timeout_secs", timings.IdleTimeoutSecs == 0 ? "0  # never stops" : Number(timings.IdleTimeoutSecs));
        }

        Line(to, "startup_timeout_secs", timings.StartupTimeoutSecs);
        Line(to, "health_check_interval_ms", timings.HealthCheckIntervalMs);
        Line(to, "health_path", timings.HealthPath.Length == 0 ? "\"\"  # ready when the port accepts" : Quoted(timings.HealthPath));
        Line(to, "request_timeout_secs", timings.RequestTimeoutSecs);
        Line(to, "shutdown_grace_period_secs", timings.ShutdownGracePeriodSecs);
        Line(to, "drain_timeout_secs", timings.DrainTimeoutSecs);
        Line(to, "ready_health_check_interval_ms", timings.ReadyHealthCheckIntervalMs);
        Line(to, "unhealthy_threshold", timings.UnhealthyThreshold);
        Line(to, "max_queued_requests", timings.MaxQueuedRequests);
        Line(to, "max_concurrency", timings.MaxConcurrency == 0 ? "0  # none" : Number(timings.MaxConcurrency));
        Line(to, "no_wake", timings.NoWake is null ? "# none" : List(timings.NoWake.Entries));
        Line(to, "waiting_page", timings.WaitingPage ? "true" : "false");
    }

    private static void Line(TextWriter to, string key, int value) => Line(to, key, Number(value));

    /// <summary>A value that is only a comment means that the key is not set; the whole line is then a comment.</summary>
    private static void Line(TextWriter to, string key, string value) =>
        to.WriteLine(value.StartsWith('#') ? $"# {key.PadRight(KeyColumns - 2)}   {value[2..]}" : $"{key.PadRight(KeyColumns)} = {value}");

    private static string Counted(int count, string noun) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {noun}{(count == 1 ? "" : "s")}");

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string List(IEnumerable<string> items) => $"[{string.Join(", ", items.Select(Quoted))}]";

    private static string Quoted(string text) => TomlKeyPath.QuoteText(text);
}
