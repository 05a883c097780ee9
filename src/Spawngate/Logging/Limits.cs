namespace Spawngate.Logging;

/// <summary>The bounds of the log and the output of backends, each with the reasoning behind its value.</summary>
internal static class LoggingLimits
{
    /// <summary>Bytes of a kept line that are read on the stack; the few longer ones get an array.</summary>
    public const int StackLineBytes = 4096;

    /// <summary>
    /// Lines about failures of one backend in <see cref="NoticePeriodMs"/>: enough to see what fails and for whom, 2 a second in the long
    /// run.
    /// </summary>
    public const int NoticesPerPeriod = 20;

    /// <summary>Period of <see cref="NoticesPerPeriod"/>.</summary>
    public const int NoticePeriodMs = 10_000;

    /// <summary>
    /// Milliseconds between two looks whether something that fails again and again is over: a line about it may come a second late.
    /// </summary>
    public const int FailureLookMs = 1000;

    /// <summary>
    /// Milliseconds without a failure after which it is over: at the edge of a limit it fails and succeeds in turn, and that is to be one
    /// episode.
    /// </summary>
    public const int FailureQuietMs = 5000;

    /// <summary>Milliseconds between two lines about something that goes on failing: once a minute.</summary>
    public const int FailureSayMs = 60_000;

    /// <summary>Bytes of one line of output; longer ones are cut, as admin-api.md says of logs.</summary>
    public const int OutputLineBytes = 16 * 1024;

    /// <summary>First size of the memory for a line that comes in parts: most are shorter.</summary>
    public const int LinePartFirstBytes = 256;

    /// <summary>
    /// Bytes of an escape sequence whose rest is waited for before a part of a line is handed on: a link has an address of some hundred.
    /// </summary>
    public const int EscapeBytes = 1024;

    /// <summary>Lines of output kept per backend, as admin-api.md says of logs.</summary>
    public const int OutputLogLines = 1000;

    /// <summary>Bytes of these: 1,000 lines of 256 bytes fit. Each line has 12 more.</summary>
    public const int OutputLogBytes = 256 * 1024;

    /// <summary>First size of the memory for them: a few lines, as most programs write at their start.</summary>
    public const int OutputLogFirstBytes = 1024;

    /// <summary>
    /// Bytes that the lines of all backends may take together: the full ones of 244 backends. 10,000 full ones would take 2.7 GB; then
    /// those that have written nothing for longest are shortened.
    /// </summary>
    public const int OutputLogTotalBytes = 64 * 1024 * 1024;

    /// <summary>What a shortened backend keeps of its lines: some 40 usual ones. 10,000 times that is 40 MiB, so all of them can.</summary>
    public const int OutputLogRestBytes = 4096;

    /// <summary>Lines a follower may lag behind before it misses some: as many as are kept.</summary>
    public const int OutputFollowLines = OutputLogLines;

    /// <summary>Followers per backend, each of which costs a copy of every line: a few people with a few windows.</summary>
    public const int OutputFollowers = 16;

    /// <summary>
    /// Bytes of log waiting to be written, held twice (one part filling, one being written): at 150 bytes a line 7,000 lines.
    /// </summary>
    public const int LogQueueBytes = 1024 * 1024;

    /// <summary>Part of the queue that output of backends may fill; the last quarter is for what Spawngate itself has to say.</summary>
    public const int LogQueueOutputBytes = LogQueueBytes / 4 * 3;

    /// <summary>Bytes of one log line: a line of output of which every byte had to be escaped (4 for 1), and its fields.</summary>
    public const int LogLineBytes = (4 * OutputLineBytes) + 4096;

    /// <summary>
    /// Milliseconds the end of the program waits for the log to be written: a terminal or pipe that takes longer is stuck.
    /// </summary>
    public const int LogFlushMs = 2000;

    /// <summary>Longest line of the log in JSON: one of output, of which every byte became six, is cut; all others fit.</summary>
    public const int JsonLogLineBytes = LogLineBytes;

    /// <summary>What a message in JSON leaves free for its properties: paths and host names of the longest kind, and ten numbers.</summary>
    public const int JsonLogTailBytes = 8192;

    /// <summary>What a property needs beside its name: quotes, a number of 24 digits, and the end of the line.</summary>
    public const int JsonLogPropertyBytes = 64;

    /// <summary>
    /// Milliseconds between two notices of dropped log lines, so that a flood does not fill the log with its own notices.
    /// </summary>
    public const int LogDropNoticeMs = 1000;

    /// <summary>First size of the buffer of one log line: most lines fit; it grows for longer ones up to their own bound.</summary>
    public const int LogLineFirstBytes = 1024;

    /// <summary>First size of the log writer's two batches: a page, some 40 lines; they grow under load up to their own bound.</summary>
    public const int LogBatchBytes = 4096;
}
