namespace Spawngate;

/// <summary>Every bound of the program in one place, each with the reasoning behind its value.</summary>
internal static class Limits
{
    /// <summary>Period of the coarse clock in milliseconds: a tenth of the shortest configurable time (1 s), so deadlines are exact to 10 %.</summary>
    public const int ClockTickMs = 100;

    // Transport

    /// <summary>Small buffer: a request head of a browser with its cookies fits; an idle connection holds one.</summary>
    public const int SmallBufferBytes = 4096;

    /// <summary>Large buffer for bodies: big enough that system calls vanish beside copying, below the large-object heap (85,000).</summary>
    public const int LargeBufferBytes = 65536;

    /// <summary>Small buffers a thread keeps: 64 × 4 KiB = 256 KiB, a burst of 64 exchanges.</summary>
    public const int SmallBuffersPerThread = 64;

    /// <summary>Large buffers a thread keeps: 16 × 64 KiB = 1 MiB.</summary>
    public const int LargeBuffersPerThread = 16;

    /// <summary>Room at both ends of a receive buffer for a chunk frame: 8 hex digits and CRLF before; CRLF and the last chunk (7 bytes) behind.</summary>
    public const int BufferReserveBytes = 16;

    /// <summary>Milliseconds between trims of a pool, and how long a surplus idle connection is spared: ten ticks.</summary>
    public const int PoolTrimPeriodMs = 1000;

    // Forwarding

    /// <summary>Longest X-Request-ID taken over from a client: room for two UUIDs and a prefix.</summary>
    public const int RequestIdBytesMax = 128;

    /// <summary>Longest request line: 8 KiB as in nginx and Apache (414).</summary>
    public const int RequestLineBytesMax = 8192;

    /// <summary>Longest response head: twice what is allowed to clients, for backends that set many cookies.</summary>
    public const int ResponseHeadBytesMax = 65536;

    /// <summary>Most response fields: a page with a hundred cookies and as many hints still passes.</summary>
    public const int ResponseFieldsMax = 512;

    /// <summary>
    /// How often a refused connect to a ready backend is taken for its death being noticed: pauses of 4, 16, 64 and 256 ms, 340 ms in
    /// all, where the exit of a process is seen within a few.
    /// </summary>
    public const int ReconnectsMax = 4;

    /// <summary>Bytes a pump moves without giving the completion thread to others: 16 large buffers, about a millisecond.</summary>
    public const int PumpTurnBytes = 16 * LargeBufferBytes;

    /// <summary>Requests a connection serves without giving the completion thread to others: pipelined errors could keep it for ever.</summary>
    public const int RequestsPerTurn = 128;

    /// <summary>Milliseconds for which what a client still sends after its final answer is read and thrown away, so that no reset destroys the answer.</summary>
    public const int LingerMs = 2000;

    /// <summary>Milliseconds a client that has ended its side still gets its answer: long enough for a half-close, short enough to free the backend.</summary>
    public const int HalfCloseMs = 800;

    /// <summary>Milliseconds an idle connection may still send a request once the gateway drains.</summary>
    public const int DrainIdleMs = 250;

    // Clients

    /// <summary>Connections the kernel queues for us: its usual ceiling (net.core.somaxconn), so that a thousand simultaneous clients all fit.</summary>
    public const int AcceptBacklog = 4096;

    /// <summary>Milliseconds without accepting after a failure such as running out of descriptors.</summary>
    public const int AcceptPauseMs = 100;
}
