namespace Spawngate;

/// <summary>Every bound of the program in one place, each with the reasoning behind its value.</summary>
internal static class Limits
{
    /// <summary>Period of the coarse clock in milliseconds: a tenth of the shortest configurable time (1 s), so deadlines are exact to 10 %.</summary>
    public const int ClockTickMs = 100;

    // Admin API, command line and hello backend.

    /// <summary>Connections to the admin API at once: a ready callback for each of some hundred backends starting together, and room for people and scrapers.</summary>
    public const int AdminConnectionsMax = 1024;

    /// <summary>Bytes of a request body the admin API accepts: no request has more than a small JSON object.</summary>
    public const int AdminRequestBodyBytesMax = 64 * 1024;

    /// <summary>Seconds a client of the admin API may take to send a head.</summary>
    public const int AdminHeaderTimeoutSecs = 10;

    /// <summary>Clients that follow logs at once: a quarter of the admin connections would still leave callbacks room, people need a handful.</summary>
    public const int AdminLogFollowersMax = 64;

    /// <summary>Bytes of log written before the client must have taken them: four of the longest lines (16 KiB).</summary>
    public const int AdminLogFlushBytes = 64 * 1024;

    /// <summary>Seconds the admin API waits at a stop for answers in progress; all of them are short.</summary>
    public const int AdminStopSecs = 2;

    /// <summary>Seconds <c>explain</c> waits for the admin API, which answers from memory.</summary>
    public const int ExplainTimeoutSecs = 5;

    /// <summary>Bytes of an answer <c>explain</c> reads: one report is about 1 KiB, its longest part a few lines of stderr.</summary>
    public const int ExplainAnswerBytesMax = 1024 * 1024;

    /// <summary>Connections of the hello backend at once: four times the default of max_queued_requests; each holds one 4 KiB buffer.</summary>
    public const int HelloConnectionsMax = 4096;

    /// <summary>First size of a connection's buffer in the hello backend: fits the head of a browser's request.</summary>
    public const int HelloBufferBytes = 4096;

    /// <summary>Longest head the hello backend reads: the default of max_header_bytes twice, as the proxy adds headers to what it accepted.</summary>
    public const int HelloHeadBytesMax = 64 * 1024;

    /// <summary>Longest line between two chunks the hello backend reads: sixteen size digits, extensions and trailers of a sane length.</summary>
    public const int HelloChunkLineBytesMax = 4096;

    /// <summary>Milliseconds the hello backend reads on after an error, so that the client gets to see the answer.</summary>
    public const int HelloLingerMs = 1000;
}
