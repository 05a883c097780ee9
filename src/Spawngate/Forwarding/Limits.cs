using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>The bounds of requests and responses on their way, each with the reasoning behind its value.</summary>
internal static class ForwardingLimits
{
    /// <summary>Pairs of parsed heads a thread keeps: 64 × 1.5 KiB = 96 KiB.</summary>
    public const int MessageHeadsPerThread = 64;

    /// <summary>Pairs of parsed heads kept for all threads: 512 × 1.5 KiB = 768 KiB.</summary>
    public const int MessageHeadsShared = 512;

    /// <summary>Longest X-Request-ID taken over from a client: room for two UUIDs and a prefix.</summary>
    public const int RequestIdBytesMax = 128;

    /// <summary>
    /// Times that a request may pass through the gateway on one chain: backends that call each other are few, so more is a loop (508).
    /// </summary>
    public const int PassesMax = 8;

    /// <summary>Longest Via value of ours: version, name, and two marks of eight digits are 31 bytes.</summary>
    public const int ViaBytesMax = 64;

    /// <summary>Longest response head: twice what is allowed to clients, for backends that set many cookies.</summary>
    public const int ResponseHeadBytesMax = 65536;

    /// <summary>
    /// Bytes of interim heads (1xx) that a backend may send for one request: a 102 or 104 of 30 bytes every two seconds for more than an
    /// hour, or thirty 103 with 2 KiB of hints. More is answered with 502.
    /// </summary>
    public const int InterimBytesMax = 64 * 1024;

    /// <summary>
    /// Milliseconds a send to a client may wait without the client taking one byte, where no backend's <c>request_timeout_secs</c> says:
    /// its default, 30 s. Then the connection is cut.
    /// </summary>
    public const int SendStallMs = 30_000;

    /// <summary>Most response fields: a page with a hundred cookies and as many hints still passes.</summary>
    public const int ResponseFieldsMax = 512;

    /// <summary>
    /// How often a backend is asked again whose end is being noticed, or that no socket was left for: pauses of 4, 16, 64 and 256 ms, 340
    /// ms in all, where the exit of a process is seen within a few.
    /// </summary>
    public const int ReconnectsMax = 4;

    /// <summary>
    /// Pauses after which an instance that left a request unread, and still runs, is not on its way out: 20 ms.
    /// </summary>
    public const int EndedReconnects = 2;

    /// <summary>Seconds that a request waits at most for a process that refuses connections: a day; timers count 49.</summary>
    public const int AwaySecsMax = 86_400;

    /// <summary>The pause before the reconnect of that number, see <see cref="ReconnectsMax"/>.</summary>
    public static TimeSpan ReconnectPause(int number) => TimeSpan.FromMilliseconds(1 << (2 * number));

    /// <summary>Bytes a pump moves without giving the completion thread to others: 16 large buffers, about a millisecond.</summary>
    public const int PumpTurnBytes = 16 * TransportLimits.LargeBufferBytes;

    /// <summary>
    /// Bytes of a body that must be left, and the least that one move through a pipe must bring, for it to go from kernel to kernel: below
    /// that the system calls cost more than the copy they save.
    /// </summary>
    public const int SpliceBytesMin = 16 * 1024;

    /// <summary>
    /// Bytes of a chunk from which its data goes from kernel to kernel: below that the calls for each cost more than the copies they save.
    /// </summary>
    public const int SpliceChunkBytesMin = 32 * 1024;

    /// <summary>
    /// Bytes that go into a pipe at once where there are frames between: what turns out not to be moved through it fits a large buffer.
    /// </summary>
    public const int SpliceFramedBytesMax = TransportLimits.LargeBufferBytes - 1024;

    /// <summary>
    /// Bytes that are read for a frame: the end of the chunk before, 16 digits, the end of the line, and some for an extension. What of it
    /// is data is copied.
    /// </summary>
    public const int SpliceFrameBytes = 40;

    /// <summary>
    /// Moves through a pipe in a row that bring less than <see cref="SpliceBytesMin"/> before bytes are copied again: a long message ends
    /// with a short move, and another may follow.
    /// </summary>
    public const int SpliceSmallInARow = 8;

    /// <summary>
    /// Receives in a row that bring less than half of <see cref="TransportLimits.SmallBufferBytes"/> before a stream without known length
    /// goes back from a large buffer to a small one.
    /// </summary>
    public const int LittleReceivesInARow = 8;

    /// <summary>
    /// Shorter chunks than this are joined to the one before them: to move their bytes costs nothing, and so do those of the frame that
    /// they lose.
    /// </summary>
    public const int ChunkJoinBytesMax = 1024;

    /// <summary>Bytes of a body that are copied behind their head for one send: 16 KiB take half a microsecond, a send several.</summary>
    public const int GatherBytesMax = 16 * 1024;

    /// <summary>Seconds after which a client that found no room may try again: idle connections are closed within a tick.</summary>
    public const int OverloadedRetrySecs = 1;

    /// <summary>
    /// How long a browser waits for a backend as if there were no waiting page: most starts are quicker, and a page that flashes up for
    /// less would only disturb.
    /// </summary>
    public static readonly TimeSpan WaitingPageHold = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Seconds after which the page loads itself anew where scripts are off; with the moment of the next hold, two seconds between two
    /// looks.
    /// </summary>
    public const int WaitingPageRefreshSecs = 1;

    /// <summary>Characters of the log's last line that the page shows: some four lines of it.</summary>
    public const int WaitingPageLineChars = 300;

    /// <summary>
    /// Bytes of our Server-Timing: four names with <c>;dur=</c> of 13 each, and times of up to 19 digits with three more behind a point.
    /// </summary>
    public const int ServerTimingBytes = 192;

    /// <summary>
    /// Bytes that a client moves at least in <see cref="RateWindowMs"/> while everything waits for it: 100 a second, a tenth of what the
    /// slowest modem does. A client that moves a byte before each deadline would hold its request, and what that holds, for ever.
    /// </summary>
    public const int RateBytesMin = 6000;

    /// <summary>
    /// Milliseconds over which that is counted: twice the time of silence that is allowed by default, so that one pause does not count.
    /// </summary>
    public const int RateWindowMs = 60_000;

    /// <summary>Bytes of a host that a line of the log shows: the longest name that DNS allows is 253.</summary>
    public const int LoggedHostBytesMax = 256;

    /// <summary>Seconds in Retry-After of a refusal for the address' sake: a bucket of requests has filled by then.</summary>
    public const int RefusalRetrySecs = 1;
}
