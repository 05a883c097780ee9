namespace Spawngate.Transport;

/// <summary>The bounds of sockets and buffers, each with the reasoning behind its value.</summary>
internal static class TransportLimits
{
    /// <summary>Small buffer: a request head of a browser with its cookies fits.</summary>
    public const int SmallBufferBytes = 4096;

    /// <summary>
    /// Large buffer for bodies: big enough that system calls vanish beside copying, below the large-object heap (85,000).
    /// </summary>
    public const int LargeBufferBytes = 65536;

    /// <summary>
    /// Bytes of the buffer in which a client connection waits for a request: most heads fit, and ten thousand that wait hold 7.3 MiB. A
    /// longer head gets a small buffer.
    /// </summary>
    public const int WaitBufferBytes = 768;

    /// <summary>Wait buffers a thread keeps: 64 × 768 bytes.</summary>
    public const int WaitBuffersPerThread = 64;

    /// <summary>Wait buffers kept for all threads: 1024 × 768 bytes.</summary>
    public const int WaitBuffersShared = 1024;

    /// <summary>Small buffers a thread keeps: 64 × 4 KiB = 256 KiB, a burst of 64 exchanges.</summary>
    public const int SmallBuffersPerThread = 64;

    /// <summary>Large buffers a thread keeps: 16 × 64 KiB = 1 MiB.</summary>
    public const int LargeBuffersPerThread = 16;

    /// <summary>
    /// Room at both ends of a receive buffer for a chunk frame: 8 hex digits and CRLF before; CRLF and the last chunk (7 bytes) behind.
    /// </summary>
    public const int BufferReserveBytes = 16;

    /// <summary>
    /// Largest buffer that is rented, 16 MiB: eight times what the largest head that may be configured grows to, 1 MiB and what is added to
    /// it, in powers of two. Whoever asks for more has lost count.
    /// </summary>
    public const int BufferBytesMax = 16 * 1024 * 1024;

    /// <summary>Small buffers kept for all threads: 512 × 4 KiB = 2 MiB, what eight threads keep of their own.</summary>
    public const int SmallBuffersShared = 512;

    /// <summary>Large buffers kept for all threads: 64 × 64 KiB = 4 MiB, what four threads keep of their own.</summary>
    public const int LargeBuffersShared = 64;

    /// <summary>
    /// Bytes that Kestrel's transport receives ahead of whoever reads: four of its blocks. Nobody sees them, neither the kernel's count nor
    /// ours, so they are few.
    /// </summary>
    public const int PipeReadAheadBytes = 16 * 1024;

    /// <summary>Milliseconds of a batch for those who gave up their turn, at least: as long as a batch of events lasts.</summary>
    public const int LoopTurnsMs = 1;

    /// <summary>Milliseconds of a batch for them at most, however long its events took: what is new waits for it.</summary>
    public const int LoopTurnsMsMax = 8;

    /// <summary>Room of a pipe between two connections. The kernel lets one unprivileged user have 64 MiB of them.</summary>
    public const int SplicePipeBytes = 256 * 1024;

    /// <summary>Pipes open at once, two descriptors each; further bodies are copied.</summary>
    public const int SplicePipesMax = 128;

    /// <summary>Empty pipes kept for the next body.</summary>
    public const int SplicePipesIdleMax = 8;

    /// <summary>Room for any socket address: <c>sockaddr_storage</c> has 128 bytes.</summary>
    public const int SocketAddressBytes = 128;

    /// <summary>
    /// How many more clients than another an event loop may have before the other takes the next one: to wake it costs more than to serve a
    /// short request. And one more for so many, see <see cref="ClientsAheadShare"/>.
    /// </summary>
    public const int ClientsAheadMin = 2;

    /// <summary>See <see cref="ClientsAheadMin"/>: of a thousand clients 64 make no difference.</summary>
    public const int ClientsAheadShare = 16;

    /// <summary>
    /// A loop that has this many events to work off comes to its next event so late that it looks for further clients in the kernel's queue
    /// when it accepts one.
    /// </summary>
    public const int AcceptMoreFromEvents = 16;

    /// <summary>How many further clients it takes then at most: the others of the batch wait meanwhile.</summary>
    public const int AcceptMoreMax = 16;

    /// <summary>
    /// Requests sent over idle connections of a loop on the word of its last wait for events, which was less than half a millisecond before
    /// each (32 requests of 15 µs): then it looks again, once for as many, since to ask the kernel about each connection would take a
    /// system call for each.
    /// </summary>
    public const int JustLookedMax = 32;

    /// <summary>
    /// Seconds between the kernel's own questions to such a client. Linux forgets a connection that its program has closed after a minute,
    /// and then answers them by a reset.
    /// </summary>
    public const int HalfCloseKeepAliveSecs = 15;
}
