namespace Spawngate.Config;

/// <summary>The keys of <c>[defaults]</c>, each of which a backend may repeat.</summary>
internal static class TimingKeys
{
    private const string HealthPathAllowed =
        "a path that starts with / (visible ASCII characters, others percent-encoded), or \"\" to be ready when the port accepts";

    /// <summary>Their names.</summary>
    public static readonly string[] All =
    [
        "idle_timeout_secs",
        "startup_timeout_secs",
        "health_check_interval_ms",
        "health_path",
        "health_status",
        "request_timeout_secs",
        "stream_timeout_secs",
        "shutdown_grace_period_secs",
        "drain_timeout_secs",
        "ready_health_check_interval_ms",
        "unhealthy_threshold",
        "max_queued_requests",
        "max_concurrency",
        "no_wake",
        "waiting_page",
        "websocket_idle_secs",
    ];

    /// <summary>Takes them out of a table; what it does not set comes from <paramref name="fallback"/>.</summary>
    public static BackendTimings Read(ConfigTable table, BackendTimings fallback) =>
        new()
        {
            IdleTimeoutSecs = Secs(table, "idle_timeout_secs", fallback.IdleTimeoutSecs, " (0 = never stop)"),
            StartupTimeoutSecs = Secs(table, "startup_timeout_secs", fallback.StartupTimeoutSecs),
            HealthCheckIntervalMs = Millisecs(table, "health_check_interval_ms", fallback.HealthCheckIntervalMs),
            HealthPath = table.Text("health_path", fallback.HealthPath, IsHealthPath, HealthPathAllowed),
            HealthStatus = StatusRanges.Read(table, "health_status", fallback.HealthStatus),
            RequestTimeoutSecs = Secs(table, "request_timeout_secs", fallback.RequestTimeoutSecs),
            StreamTimeoutSecs = Secs(table, "stream_timeout_secs", fallback.StreamTimeoutSecs, " (0 = as long as the client is there)"),
            ShutdownGracePeriodSecs = Secs(table, "shutdown_grace_period_secs", fallback.ShutdownGracePeriodSecs),
            DrainTimeoutSecs = Secs(table, "drain_timeout_secs", fallback.DrainTimeoutSecs),
            ReadyHealthCheckIntervalMs = Millisecs(table, "ready_health_check_interval_ms", fallback.ReadyHealthCheckIntervalMs),
            UnhealthyThreshold = table.Int("unhealthy_threshold", fallback.UnhealthyThreshold, 1, ConfigLimits.UnhealthyThresholdMax),
            MaxQueuedRequests = table.Int("max_queued_requests", fallback.MaxQueuedRequests, 1, ConfigLimits.QueuedRequestsMax),
            MaxConcurrency = table.Int("max_concurrency", fallback.MaxConcurrency, 0, ConfigLimits.ConcurrencyMax, " (0 = none)"),
            WaitingPage = table.Flag("waiting_page", fallback.WaitingPage),
            NoWake = ReadNoWake(table, fallback.NoWake),
            WebSocketIdleSecs = Secs(table, "websocket_idle_secs", fallback.WebSocketIdleSecs, " (0 = never)"),
        };

    /// <summary>A number of seconds.</summary>
    public static int Secs(ConfigTable table, string key, int fallback, string note = "") =>
        table.Int(key, fallback, 0, ConfigLimits.SecsMax, note);

    private static int Millisecs(ConfigTable table, string key, int fallback) => table.Int(key, fallback, 0, ConfigLimits.MillisecsMax);

    private static NoWakeRules? ReadNoWake(ConfigTable table, NoWakeRules? fallback)
    {
        if (table.Find("no_wake") is not { } entry)
        {
            return fallback;
        }

        var list = table.TextList("no_wake", NoWakeRules.IsAllowed, NoWakeRules.Allowed);
        if (list.Count > ConfigLimits.NoWakeEntriesMax)
        {
            table.Report(entry.Value.Position, "no_wake", $"found {list.Count} entries, allowed are {ConfigLimits.NoWakeEntriesMax}");
            return fallback;
        }

        return NoWakeRules.Of(list);
    }

    private static bool IsHealthPath(string path) =>
        path.Length == 0 || (path[0] == '/' && ConfigText.IsVisibleAscii(path) && !path.Contains('#'));
}
