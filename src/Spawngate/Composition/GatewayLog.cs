namespace Spawngate.Composition;

/// <summary>Log lines of category <c>spawngate.gateway</c>.</summary>
internal static partial class GatewayLog
{
    /// <summary>The proxy accepts.</summary>
    [LoggerMessage(Level = LogLevel.Information, Message = "address=\"{Address}\" backends=\"{Backends}\" Proxy is listening")]
    public static partial void Listening(ILogger log, string address, int backends);

    /// <summary>By what bytes come and go.</summary>
    [LoggerMessage(Level = LogLevel.Debug, Message = "transport=\"{Transport}\" The transport of clients and backends")]
    public static partial void Transport(ILogger log, string transport);

    /// <summary>The limit of open files allows fewer clients than are configured.</summary>
    [LoggerMessage(
        Message = "max_connections=\"{Configured}\" effective=\"{Effective}\" open_files_limit=\"{Limit}\" The limit "
            + "of open files allows fewer clients than max_connections; raise it (LimitNOFILE=, ulimit -n)"
    )]
    public static partial void FewerConnections(ILogger log, LogLevel level, int configured, int effective, long limit);

    /// <summary>The runtime's heap may have too little for what is configured.</summary>
    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "memory_limit=\"{Configured}\" bytes=\"{Bytes}\" effective=\"{Effective}\" "
            + "heap_limit=\"{HeapLimit}\" Clients may hold no more than half of what the heap may have; give the "
            + "container more memory, or lower memory_limit"
    )]
    public static partial void LessMemory(ILogger log, string configured, long bytes, long effective, long heapLimit);

    /// <summary>A stop begins.</summary>
    [LoggerMessage(Level = LogLevel.Information, Message = "reason=\"{Reason}\" connections=\"{Connections}\" Stopping")]
    public static partial void Stopping(ILogger log, string reason, int connections);

    /// <summary>A stop has ended.</summary>
    [LoggerMessage(Level = LogLevel.Information, Message = "duration_ms=\"{DurationMs}\" Stopped")]
    public static partial void Stopped(ILogger log, long durationMs);

    /// <summary>A reload was applied.</summary>
    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "added=\"{Added}\" removed=\"{Removed}\" updated=\"{Updated}\" Configuration reloaded successfully"
    )]
    public static partial void Reloaded(ILogger log, int added, int removed, int updated);

    /// <summary>One error of a file that was to be reloaded.</summary>
    [LoggerMessage(Level = LogLevel.Error, Message = "{Error}")]
    public static partial void ReloadError(ILogger log, string error);

    /// <summary>A reload was refused.</summary>
    [LoggerMessage(Level = LogLevel.Error, Message = "errors=\"{Errors}\" Configuration not reloaded: nothing has changed")]
    public static partial void ReloadRefused(ILogger log, int errors);

    /// <summary>A reload ended in a way that nobody foresaw.</summary>
    [LoggerMessage(Level = LogLevel.Error, Message = "Reload failed")]
    public static partial void ReloadFailed(ILogger log, Exception exception);

    /// <summary>A changed server key does not take effect.</summary>
    [LoggerMessage(Level = LogLevel.Warning, Message = "key=\"{Key}\" A changed [server] key needs a restart to take effect")]
    public static partial void NeedsRestart(ILogger log, string key);

    /// <summary>Requests go to whoever listens.</summary>
    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "It cannot be found out on this system which process listens on a port: whoever listens on the port "
            + "of a local backend gets its requests"
    )]
    public static partial void PortOwnersUnknown(ILogger log);

    /// <summary>Backends are root.</summary>
    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "user=\"root\" Local backends run as root with all its capabilities, as Spawngate itself does: "
            + "whoever gets into one of them owns the machine. Give each a user (user = \"…\"), or run Spawngate as a "
            + "user of its own"
    )]
    public static partial void RunsAsRoot(ILogger log);

    /// <summary>A directive of the log level could not be read.</summary>
    [LoggerMessage(Level = LogLevel.Warning, Message = "{Warning}")]
    public static partial void LogLevelWarning(ILogger log, string warning);
}
