namespace Spawngate.Telemetry.History;

/// <summary>The bounds of the event history of backends, each with the reasoning behind its value.</summary>
internal static class HistoryLimits
{
    /// <summary>Events kept of a backend: 25 times woken, ready, stopping and stopped, or 50 failed starts.</summary>
    public const int EventsMax = 100;

    /// <summary>Bytes of the path of a request that is kept; most are shorter, and the host's log has the rest.</summary>
    public const int PathBytes = 96;

    /// <summary>Bytes of a reason or a User-Agent: those of browsers have some 110, and their first half tells.</summary>
    public const int TextBytes = 160;

    /// <summary>Bytes of a method or an address: an IPv6 address with a zone has up to 60.</summary>
    public const int ShortTextBytes = 64;

    /// <summary>Bytes of the words about what kept a backend awake: <c>BackendLimits.HistoryActiveRequestsMax</c> of them.</summary>
    public const int ActiveRequestBytes = 400;

    /// <summary>
    /// Bytes of one event: kind, parts, time and numbers take 60 at most, the texts (2 × 160 + 96 + 2 × 64 + 400) with their lengths 960. A
    /// hundred of them are never that long together, as only every other event has a caller: 5 KB are usual, 30 KB with the longest texts.
    /// </summary>
    public const int EventBytesMax = 1024;

    /// <summary>First size of a history's array: the four events of one start and stop.</summary>
    public const int FirstBytes = 256;

    /// <summary>Failures of which the last lines of output are kept.</summary>
    public const int OutputTails = 3;

    /// <summary>Lines of these: 3 × 10 × 160 characters are 10 KB at most.</summary>
    public const int OutputLines = 10;

    /// <summary>Lines of stderr among them, if there are as many: most programs say there why they end.</summary>
    public const int OutputLinesOfStderr = 6;

    /// <summary>Characters of each of these lines; the whole line is in the log.</summary>
    public const int OutputLineChars = 160;

    /// <summary>Clients that read <c>/events</c> at once: a few people with a few windows.</summary>
    public const int ReadersMax = 32;

    /// <summary>Events such a reader may lag behind: 500 backends that start at once, with two events each, make 1,000.</summary>
    public const int ReaderEventsMax = 1024;
}
