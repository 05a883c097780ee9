namespace Spawngate.Supervision;

/// <summary>Log lines of category <c>spawngate.supervisor</c>.</summary>
internal static partial class SupervisionLog
{
    /// <summary>The address in NOTIFY_SOCKET is of no use.</summary>
    [LoggerMessage(Level = LogLevel.Warning, Message = "address=\"{Address}\" The service manager cannot be told anything: {Problem}")]
    public static partial void NotReached(ILogger log, string address, string problem);

    /// <summary>A notice did not arrive.</summary>
    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "error=\"{Error}\" A notice to the service manager was lost; further losses are not reported"
    )]
    public static partial void NotTold(ILogger log, string error);

    /// <summary>A passed socket is used as configured.</summary>
    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "address=\"{Address}\" socket=\"{Socket}\" use=\"{Use}\" Listening socket taken from the service manager"
    )]
    public static partial void SocketTaken(ILogger log, string address, string socket, string use);

    /// <summary>A passed socket wins over what is configured.</summary>
    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "address=\"{Address}\" socket=\"{Socket}\" use=\"{Use}\" configured=\"{Configured}\" Listening socket taken from the service manager: the configured address is not used"
    )]
    public static partial void SocketWins(ILogger log, string address, string socket, string use, string configured);

    /// <summary>Signs of life begin.</summary>
    [LoggerMessage(Level = LogLevel.Debug, Message = "timeout_ms=\"{TimeoutMs}\" The service manager's watchdog is told of us")]
    public static partial void Watched(ILogger log, long timeoutMs);

    /// <summary>A sign of life is withheld.</summary>
    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "fault=\"{Fault}\" The watchdog is not told that the gateway lives, because it does not work"
    )]
    public static partial void NotAlive(ILogger log, string fault);

    /// <summary>The proxy port cannot be asked from here, so the watchdog rests on less.</summary>
    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "address=\"{Address}\" error=\"{Error}\" The proxy cannot be reached from this very process: the watchdog is told that the gateway lives without asking it"
    )]
    public static partial void CannotAsk(ILogger log, string address, string error);
}
