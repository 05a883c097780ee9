namespace Spawngate.Commands;

/// <summary>The bounds of the command line, each with the reasoning behind its value.</summary>
internal static class CommandLimits
{
    /// <summary>Seconds <c>explain</c> and <c>check --live</c> wait for the admin API, which answers from memory.</summary>
    public const int AdminCallTimeoutSecs = 30;

    /// <summary>Bytes that they read of an answer: one report is about 1 KiB, its longest part a few lines of stderr.</summary>
    public const int AdminCallAnswerBytesMax = 1024 * 1024;

    /// <summary>
    /// Milliseconds that a reload which is under way gets at the end of the process: it reads a file, and says what came of it.
    /// </summary>
    public const int ReloadEndMs = 1000;

    /// <summary>Bytes the guard reads of its pipe at a time: what a pipe writes in one piece on Linux, 102 records.</summary>
    public const int GuardReadBytes = 4096;

    /// <summary>
    /// Milliseconds between two looks of the guard at what it ends: a tenth of the shortest grace period that can end by itself (1 s),
    /// halved.
    /// </summary>
    public const int GuardLookMs = 50;

    /// <summary>
    /// Looks in a row at which nothing of a dead gateway's runs was found: 10 × 50 ms, in which a process that was being spawned when the
    /// gateway died has executed its program and can be recognised.
    /// </summary>
    public const int GuardQuietLooks = 10;
}
