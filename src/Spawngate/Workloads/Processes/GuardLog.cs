namespace Spawngate.Workloads.Processes;

/// <summary>What the gateway says of its guard, in category <c>spawngate.guard</c>.</summary>
internal static partial class GuardLog
{
    /// <summary>A guard runs.</summary>
    [LoggerMessage(LogLevel.Debug, "pid=\"{Pid}\" runs=\"{Instances}\" Guard is running")]
    public static partial void Running(ILogger log, int pid, int instances);

    /// <summary>A guard ended while it was needed.</summary>
    [LoggerMessage(
        LogLevel.Warning,
        "pid=\"{Pid}\" runs=\"{Instances}\" retry_after_secs=\"{RetryAfterSecs}\" Guard has ended; starting another"
    )]
    public static partial void Ended(ILogger log, int pid, int instances, int retryAfterSecs);

    /// <summary>A guard did not read for so long that it is replaced.</summary>
    [LoggerMessage(LogLevel.Warning, "pid=\"{Pid}\" Guard does not read what it is told and is replaced")]
    public static partial void Stuck(ILogger log, int pid);

    /// <summary>A guard could not be started.</summary>
    [LoggerMessage(
        LogLevel.Warning,
        "error=\"{Error}\" retry_after_secs=\"{RetryAfterSecs}\" Guard cannot be started; backends would outlive a killed gateway until it can"
    )]
    public static partial void CannotStart(ILogger log, string error, int retryAfterSecs);
}
