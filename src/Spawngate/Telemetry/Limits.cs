using Spawngate.Logging;

namespace Spawngate.Telemetry;

/// <summary>The bounds of metrics, the access log and spans, each with the reasoning behind its value.</summary>
internal static class TelemetryLimits
{
    /// <summary>
    /// Rows of a counter: with more processors, threads share them, and eight rows of 320 bytes for each backend that is used are enough.
    /// </summary>
    public const int MetricRowsMax = 8;

    /// <summary>
    /// Bytes of a request's target that are logged, the rest is cut: half of the longest line that HTTP/1.1 clients may send, and escaped
    /// at most 24 KiB.
    /// </summary>
    public const int NoteTargetBytes = 4096;

    /// <summary>
    /// Bytes of Referer, User-Agent and X-Forwarded-For that are logged: real ones have 200, and three of them escaped stay below 18 KiB.
    /// </summary>
    public const int NoteFieldBytes = 1024;

    /// <summary>Bytes of a host name that are logged: the longest name of DNS and a port.</summary>
    public const int NoteHostBytes = 262;

    /// <summary>Bytes of a method that are logged: the longest registered one has 17.</summary>
    public const int NoteMethodBytes = 32;

    /// <summary>First size of what is noted of a request: all of a usual one.</summary>
    public const int NoteFirstBytes = 512;

    /// <summary>First size of a buffer of records: some twenty lines.</summary>
    public const int RecordBufferFirstBytes = 4096;

    /// <summary>
    /// Bytes that one buffer of records may hold. It has to take what comes while the writer waits for a disk: 20,000 lines of 250 bytes a
    /// second fill two of them in 100 ms, the time in which the writer looks after them. With <see cref="RecordPlacesMax"/> and the one
    /// that is being written they are 8.5 MiB, if the disk is slow.
    /// </summary>
    public const int RecordBufferBytesMax = 512 * 1024;

    /// <summary>
    /// Bytes in a buffer at which its writer is woken before its time: large enough that a system call for them costs nothing beside them.
    /// </summary>
    public const int RecordWakeBytes = 64 * 1024;

    /// <summary>
    /// Places of buffers, so that threads rarely meet: as many as the counters have rows, and twice that, since a thread that is put aside
    /// keeps its buffer meanwhile.
    /// </summary>
    public const int RecordPlacesMax = 2 * MetricRowsMax;

    /// <summary>
    /// How often all places are looked at for a buffer that nobody has: a buffer is out for the microsecond in which a line is written into
    /// it.
    /// </summary>
    public const int RecordTakeRounds = 8;

    /// <summary>Processor pauses between two such looks: about a microsecond in all.</summary>
    public const int RecordTakeSpins = 32;

    /// <summary>Times that a writer which ends waits for a buffer that is out: each gives the processor to others once.</summary>
    public const int RecordLastRounds = 1000;

    /// <summary>
    /// Milliseconds between two looks at what is to be sent to a collector: what people wait for when they look at a trace, and one call a
    /// second for each place.
    /// </summary>
    public const int OtlpPeriodMs = 1000;

    /// <summary>Milliseconds until a collector that failed is tried again: one that is started anew is back by then.</summary>
    public const int OtlpRetryMs = 5000;

    /// <summary>Milliseconds between two log lines about a collector that fails: once a minute.</summary>
    public const int OtlpSayMs = 60_000;

    /// <summary>Milliseconds that a collector may take to accept a batch: the default of OTLP's exporters.</summary>
    public const int OtlpTimeoutMs = 10_000;

    /// <summary>Milliseconds in which the last spans are sent at a stop: as long as the log is given.</summary>
    public const int OtlpEndMs = LoggingLimits.LogFlushMs;

    /// <summary>Bytes of what describes this program in a batch: two names, a version, and their tags.</summary>
    public const int OtlpTextBytes = 256;

    /// <summary>
    /// Milliseconds until a log that could not be written is tried again: soon enough that the buffers hold what comes meanwhile on a quiet
    /// gateway.
    /// </summary>
    public const int AccessLogRetryMs = 1000;
}
