namespace Spawngate.Backends;

/// <summary>One line per change in the life of a backend.</summary>
internal static partial class LifecycleLog
{
    [LoggerMessage(
        1,
        LogLevel.Information,
        "hostname=\"{Hostname}\" reason=\"{Reason}\" generation=\"{InstanceNumber}\" Backend is starting"
    )]
    public static partial void Starting(ILogger log, string hostname, string reason, int instanceNumber);

    [LoggerMessage(
        2,
        LogLevel.Information,
        "hostname=\"{Hostname}\" reason=\"{Reason}\" run=\"{Instance}\" port=\"{Port}\" "
            + "spawn_ms=\"{SpawnMs}\" listen_ms=\"{ListenMs}\" ready_ms=\"{ReadyMs}\" held=\"{Held}\" judged=\"{Judged}\" Backend is "
            + "ready after {DurationMs} ms"
    )]
    public static partial void Ready(
        ILogger log,
        string hostname,
        string reason,
        string instance,
        int port,
        string spawnMs,
        string listenMs,
        string readyMs,
        int held,
        string judged,
        string durationMs
    );

    /// <summary>The program has a port of its own.</summary>
    [LoggerMessage(
        18,
        LogLevel.Warning,
        "hostname=\"{Hostname}\" run=\"{Instance}\" port=\"{Port}\" The program listens on port {Port} and not on {Told}, which PORT "
            + "names: requests go there for this run. It costs each start some 3 seconds. Tell the program its port, by an argument with "
            + "{{port}} or $PORT in it, or say which it takes: port = {Port}"
    )]
    public static partial void PortLearned(ILogger log, string hostname, string instance, int port, int told);

    /// <summary>A check failed and says nothing.</summary>
    [LoggerMessage(
        20,
        LogLevel.Debug,
        "hostname=\"{Hostname}\" reason=\"{Reason}\" excuse=\"{Excuse}\" Health check failed and does not count"
    )]
    public static partial void CheckExcused(ILogger log, string hostname, string reason, string excuse);

    [LoggerMessage(
        3,
        LogLevel.Error,
        "hostname=\"{Hostname}\" reason=\"{Reason}\" failures=\"{Failures}\" "
            + "retry_after_secs=\"{RetryAfterSecs}\" held=\"{Held}\" Backend failed to start after {DurationMs} ms"
    )]
    public static partial void StartFailed(
        ILogger log,
        string hostname,
        string reason,
        int failures,
        int retryAfterSecs,
        int held,
        string durationMs
    );

    [LoggerMessage(
        4,
        LogLevel.Error,
        "hostname=\"{Hostname}\" reason=\"{Reason}\" failures=\"{Failures}\" "
            + "retry_after_secs=\"{RetryAfterSecs}\" in_flight=\"{InFlight}\" Backend exited by itself after "
            + "{DurationMs} ms of readiness"
    )]
    public static partial void Crashed(
        ILogger log,
        string hostname,
        string reason,
        int failures,
        int retryAfterSecs,
        long inFlight,
        long durationMs
    );

    [LoggerMessage(5, LogLevel.Warning, "hostname=\"{Hostname}\" stream=\"{Stream}\" Last output: {Line}")]
    public static partial void LastOutput(ILogger log, string hostname, string stream, string line);

    [LoggerMessage(
        6,
        LogLevel.Warning,
        "hostname=\"{Hostname}\" reason=\"{Reason}\" failed_checks=\"{FailedChecks}\" Backend is unhealthy "
            + "after {DurationMs} ms of readiness"
    )]
    public static partial void Unhealthy(ILogger log, string hostname, string reason, int failedChecks, long durationMs);

    [LoggerMessage(
        7,
        LogLevel.Information,
        "hostname=\"{Hostname}\" reason=\"health check succeeded\" Backend is healthy again after {DurationMs} ms"
    )]
    public static partial void Recovered(ILogger log, string hostname, long durationMs);

    [LoggerMessage(
        8,
        LogLevel.Information,
        "hostname=\"{Hostname}\" reason=\"{Reason}\" in_flight=\"{InFlight}\" Backend is stopping after {DurationMs} ms"
    )]
    public static partial void Stopping(ILogger log, string hostname, string reason, long inFlight, long durationMs);

    /// <summary>An idle stop is called off.</summary>
    [LoggerMessage(
        15,
        LogLevel.Information,
        "hostname=\"{Hostname}\" cause=\"{Cause}\" held=\"{Held}\" Idle stop called off after {DurationMs} ms: nothing had been ended yet"
    )]
    public static partial void Resumed(ILogger log, string hostname, string cause, int held, long durationMs);

    [LoggerMessage(
        9,
        LogLevel.Warning,
        "hostname=\"{Hostname}\" reason=\"drain timeout\" in_flight=\"{InFlight}\" Requests in flight are cut after {DurationMs} ms"
    )]
    public static partial void DrainCut(ILogger log, string hostname, long inFlight, long durationMs);

    [LoggerMessage(10, LogLevel.Warning, "hostname=\"{Hostname}\" reason=\"{Reason}\" Backend is killed after {DurationMs} ms of stopping")]
    public static partial void Killing(ILogger log, string hostname, string reason, long durationMs);

    [LoggerMessage(
        11,
        LogLevel.Information,
        "hostname=\"{Hostname}\" reason=\"{Reason}\" exit=\"{Exit}\" Backend stopped after {DurationMs} ms"
    )]
    public static partial void Stopped(ILogger log, string hostname, string reason, string exit, long durationMs);

    [LoggerMessage(
        12,
        LogLevel.Error,
        "hostname=\"{Hostname}\" run=\"{Instance}\" Backend did not end after being killed and is given up after {DurationMs} ms"
    )]
    public static partial void GivenUp(ILogger log, string hostname, string instance, long durationMs);

    [LoggerMessage(13, LogLevel.Debug, "hostname=\"{Hostname}\" reason=\"{Reason}\" Health check failed ({FailedChecks} of {Threshold})")]
    public static partial void CheckFailed(ILogger log, string hostname, string reason, int failedChecks, int threshold);

    [LoggerMessage(
        16,
        LogLevel.Warning,
        "hostname=\"{Hostname}\" The backend sent bytes that no request had asked for: such connections are "
            + "closed, and counted from now on (spawngate_upstream_unsolicited_total)"
    )]
    public static partial void Unsolicited(ILogger log, string hostname);

    /// <summary>A backend serves one connection at a time, or few, each until it is closed.</summary>
    [LoggerMessage(
        19,
        LogLevel.Information,
        "hostname=\"{Hostname}\" The backend serves no other connection while one is kept open: at most one idle connection to it is kept"
    )]
    public static partial void IdleBlocked(ILogger log, string hostname);

    /// <summary>Somebody else listens on the port of an instance.</summary>
    [LoggerMessage(
        17,
        LogLevel.Warning,
        "hostname=\"{Hostname}\" run=\"{Instance}\" owner=\"{Owner}\" Another process listens on the port of "
            + "the backend: no request is sent there"
    )]
    public static partial void Stranger(ILogger log, string hostname, string instance, string owner);

    [LoggerMessage(14, LogLevel.Critical, "hostname=\"{Hostname}\" input=\"{Input}\" The lifecycle met a bug")]
    public static partial void Bug(ILogger log, Exception exception, string hostname, LifecycleInput input);
}
