namespace Spawngate.Clients.Shared;

/// <summary>The bounds of client connections, each with the reasoning behind its value.</summary>
internal static class ConnectionLimits
{
    /// <summary>
    /// Requests that a connection begins in a row before others of its thread get a turn: at some 10 µs each, below half a millisecond.
    /// Errors that were asked for ahead could keep it for ever.
    /// </summary>
    public const int RequestsPerTurn = 32;

    /// <summary>
    /// Bytes of their heads after which it gives up its turn, too: one of the longest, or four of 8 KiB, are a tenth of a millisecond, and
    /// some hundred connections may come in one batch.
    /// </summary>
    public const int HeadBytesPerTurn = 32 * 1024;

    /// <summary>
    /// Milliseconds between two looks whether a client has acknowledged its earlier answers, before the connection is reset within one.
    /// </summary>
    public const int AcknowledgedLookMs = 10;

    /// <summary>
    /// Milliseconds a request body whose last bytes are being sent may take to end after the response has: a send over loopback takes less
    /// than one.
    /// </summary>
    public const int UploadEndMs = 100;

    /// <summary>
    /// Milliseconds after which a client that has ended its side, and waits, is asked whether it is still there: long enough that most
    /// answers come first, short enough that a client which left frees its backend within a second, two ticks of the clock included.
    /// </summary>
    public const int HalfCloseMs = 800;

    /// <summary>
    /// How often such a client is asked while its answer pauses, each time after twice as long: the last after 102 seconds. Each may put a
    /// zero in front of the size of the next chunk: with the six digits of the longest one that is sent these are fourteen, and common
    /// clients read sixteen.
    /// </summary>
    public const int HalfCloseProbesMax = 8;

    /// <summary>Milliseconds an idle connection may still send a request once the gateway drains.</summary>
    public const int DrainIdleMs = 250;

    /// <summary>
    /// Connections the kernel queues for us: its usual ceiling (net.core.somaxconn), so that a thousand simultaneous clients all fit.
    /// </summary>
    public const int AcceptBacklog = 4096;

    /// <summary>
    /// Seconds of silence after which the kernel asks whether a client is still there: below the 5 minutes after which NAT tables forget a
    /// connection.
    /// </summary>
    public const int TcpKeepAliveSecs = 60;

    /// <summary>Seconds between unanswered questions.</summary>
    public const int TcpKeepAliveIntervalSecs = 10;

    /// <summary>Unanswered questions after which the client is gone: 60 + 6 × 10 s, two minutes in all.</summary>
    public const int TcpKeepAliveProbes = 6;

    /// <summary>Milliseconds without accepting after a failure such as running out of descriptors.</summary>
    public const int AcceptPauseMs = 100;

    /// <summary>
    /// Bytes of an open client connection without its buffers: 2.5 KiB of objects, and 3.5 KiB of the kernel's (socket, file, watch).
    /// </summary>
    public const int ClientConnectionBytes = 6 * 1024;

    /// <summary>
    /// Bytes to a client that the kernel takes before any of them can be sent: 256 KiB keep a line of 1 Gbit/s busy for 2 ms, while the
    /// loop is told that half of it is free. Without it a peer that does not read holds 4 MiB. To a backend only while memory is tight:
    /// uploads would cost a fifth more.
    /// </summary>
    public const int UnsentBytesMax = 256 * 1024;

    /// <summary>
    /// Bytes that the kernel receives ahead of what is read, from whom it has more while memory is tight: half of it is window, a gigabit a
    /// second at 1 ms and 10 Mbit/s at 100 ms. Otherwise the kernel decides, so that a long way is used as well as it can be.
    /// </summary>
    public const int ReceivedAheadTightBytes = 256 * 1024;

    /// <summary>
    /// Milliseconds for which a client that is cut may take its 503, which its kernel has by then on a short way; on a long one the reset
    /// waits until it has, and needs as long itself.
    /// </summary>
    public const int ShedLingerMs = 100;

    /// <summary>
    /// Milliseconds between two looks at what the kernel holds for a connection that moves bytes: two system calls, five times in ten
    /// ticks.
    /// </summary>
    public const int KernelMemoryLookMs = 500;

    /// <summary>
    /// Milliseconds for which what a client still sends after its final answer is read and thrown away, so that no reset destroys the
    /// answer.
    /// </summary>
    public const int LingerMs = 2000;
}
