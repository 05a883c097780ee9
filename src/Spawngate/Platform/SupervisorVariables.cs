namespace Spawngate.Platform;

/// <summary>
/// The variables by which a service manager such as systemd speaks to the one process it starts. They are addressed to that process alone,
/// so no child gets them: a backend that inherited them could declare the gateway ready or stopped, or take descriptors that are not there
/// for sockets.
/// </summary>
internal static class SupervisorVariables
{
    /// <summary>Address of the socket that takes notices (sd_notify(3)).</summary>
    public const string NotifySocket = "NOTIFY_SOCKET";

    /// <summary>Microseconds within which the next sign of life is due (sd_watchdog_enabled(3)).</summary>
    public const string WatchdogUsec = "WATCHDOG_USEC";

    /// <summary>Pid of the process that the watchdog watches; unset for whoever reads it.</summary>
    public const string WatchdogPid = "WATCHDOG_PID";

    /// <summary>Number of passed descriptors, from 3 on (sd_listen_fds(3)).</summary>
    public const string ListenFds = "LISTEN_FDS";

    /// <summary>Pid of the process that they were passed to.</summary>
    public const string ListenPid = "LISTEN_PID";

    /// <summary>Their names, separated by colons.</summary>
    public const string ListenFdNames = "LISTEN_FDNAMES";

    /// <summary>All that children do not inherit, including two that newer versions of systemd set.</summary>
    public static readonly string[] Withheld =
    [
        NotifySocket,
        WatchdogUsec,
        WatchdogPid,
        ListenFds,
        ListenPid,
        ListenFdNames,
        "LISTEN_PIDFDID",
        "FDSTORE",
    ];
}
