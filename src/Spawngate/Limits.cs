namespace Spawngate;

/// <summary>Every bound of the program in one place, each with the reasoning behind its value.</summary>
internal static class Limits
{
    /// <summary>Period of the coarse clock in milliseconds: a tenth of the shortest configurable time (1 s), so deadlines are exact to 10 %.</summary>
    public const int ClockTickMs = 100;

    // ---- Platform, output of backends, logging ----

    /// <summary>Milliseconds after which PID 1 without children looks for adopted ones: a zombie lives at most this long, one system call a second is free.</summary>
    public const int ReaperIdlePollMs = 1000;

    /// <summary>Milliseconds a killed group may take to vanish before its run counts as ended anyway: SIGKILL takes microseconds unless a process hangs in the kernel.</summary>
    public const int KillSettleMs = 1000;

    /// <summary>Bytes read from one output pipe per round: what a pipe holds by default on Linux, so one read empties it.</summary>
    public const int OutputReadBytes = 64 * 1024;

    /// <summary>Output pipes served per wait; more wait for the next round, in turn. 64 x 64 KiB = 4 MiB are read at most before requests to the drain are seen.</summary>
    public const int OutputPipesPerRound = 64;

    /// <summary>Bytes read from a pipe after its run has ended: the most a pipe may hold without privilege (fs.pipe-max-size), 16 reads.</summary>
    public const int OutputFinalDrainBytes = 1024 * 1024;

    /// <summary>Bytes of one line of output; longer ones are cut (16 KiB, as the contract says).</summary>
    public const int OutputLineBytes = 16 * 1024;

    /// <summary>Lines of stderr kept of a run for the report of its end: a stack trace's worth.</summary>
    public const int StderrTailLines = 20;

    /// <summary>Bytes of these: two lines of the greatest length, so the memory per run stays below 40 KiB.</summary>
    public const int StderrTailBytes = 2 * OutputLineBytes;

    /// <summary>Lines of output kept per backend (1,000, as the contract says).</summary>
    public const int OutputLogLines = 1000;

    /// <summary>Bytes of these: 1,000 lines of 256 bytes fit, and 500 chatty backends hold 128 MiB at most.</summary>
    public const int OutputLogBytes = 256 * 1024;

    /// <summary>Lines a follower may lag behind before it misses some: as many as are kept.</summary>
    public const int OutputFollowLines = OutputLogLines;

    /// <summary>Followers per backend, each of which costs a copy of every line: a few people with a few windows.</summary>
    public const int OutputFollowers = 16;

    /// <summary>Bytes of log waiting to be written, held twice (one part filling, one being written): at 150 bytes a line 7,000 lines.</summary>
    public const int LogQueueBytes = 1024 * 1024;

    /// <summary>Part of the queue that output of backends may fill; the last quarter is for what Spawngate itself has to say.</summary>
    public const int LogQueueOutputBytes = LogQueueBytes / 4 * 3;

    /// <summary>Bytes of one log line: a line of output of which every byte had to be escaped (4 for 1), and its fields.</summary>
    public const int LogLineBytes = (4 * OutputLineBytes) + 4096;

    /// <summary>Milliseconds the end of the program waits for the log to be written: a terminal or pipe that takes longer is stuck.</summary>
    public const int LogFlushMs = 2000;

    /// <summary>Milliseconds between two notices of dropped log lines, so that a flood does not fill the log with its own notices.</summary>
    public const int LogDropNoticeMs = 1000;

    /// <summary>Dynamic ports remembered so as not to be handed out again at once: one for each of 256 backends that start together.</summary>
    public const int RecentPorts = 256;

    /// <summary>Tries to find a port that was not handed out lately, before any free one is taken.</summary>
    public const int PortTries = 64;

    /// <summary>Attempts to lock a PID file that vanishes between opening and locking; each failure means another instance ended in that instant.</summary>
    public const int PidFileAttempts = 16;

    /// <summary>Bytes read of a file that could not be executed, to say why: what the kernel reads of it (BINPRM_BUF_SIZE).</summary>
    public const int ExecutableHeadBytes = 256;
}
