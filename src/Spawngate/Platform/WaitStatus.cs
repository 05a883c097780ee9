namespace Spawngate.Platform;

/// <summary>
/// How a process ended, as <c>waitpid</c> encodes it: the low seven bits are the signal, bit 7 the core dump, the next byte the exit
/// status.
/// </summary>
internal readonly record struct WaitStatus(int Raw)
{
    private static readonly string[] LinuxNames =
    [
        "",
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];

    private static readonly string[] MacNames =
    [
        "",
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGEMT",
        "SIGFPE",
        "SIGKILL",
        "SIGBUS",
        "SIGSEGV",
        "SIGSYS",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGURG",
        "SIGSTOP",
        "SIGTSTP",
        "SIGCONT",
        "SIGCHLD",
        "SIGTTIN",
        "SIGTTOU",
        "SIGIO",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGINFO",
        "SIGUSR1",
        "SIGUSR2",
    ];

    /// <summary>The exit status, or null when a signal ended the process.</summary>
    public int? ExitCode => (Raw & 0x7F) == 0 ? (Raw >> 8) & 0xFF : null;

    /// <summary>The signal that ended the process, or 0.</summary>
    public int Signal => Raw & 0x7F;

    /// <summary>For people: <c>exited with status 3</c>, <c>killed by signal 9 (SIGKILL)</c>.</summary>
    public string Describe()
    {
        if (ExitCode is { } code)
        {
            return $"exited with status {code}";
        }

        string[] names = Libc.IsLinux ? LinuxNames : MacNames;
        string name = Signal < names.Length ? $" ({names[Signal]})" : "";
        string core = (Raw & 0x80) != 0 ? ", core dumped" : "";
        return $"killed by signal {Signal}{name}{core}";
    }
}
