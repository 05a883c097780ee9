namespace Spawngate;

/// <content>Bounds of overload protection; see docs/concepts/overload.md.</content>
internal static partial class Limits
{
    /// <summary>Client addresses that are told apart: 262,144 × 120 bytes = 30 MiB, four times as many as connections by default. More share one entry.</summary>
    public const int ClientAddressesMax = 262_144;

    /// <summary>Milliseconds between two sweeps of addresses, and how long one is remembered: ten times as long as its bucket of requests needs to fill.</summary>
    public const int AddressSweepMs = 10_000;

    /// <summary>Smallest <c>memory_limit</c>: what 64 clients with large buffers in both directions hold. With less one client would be too much.</summary>
    public const long MemoryLimitBytesMin = 16L * 1024 * 1024;

    /// <summary>Places below which none is kept free: of fewer than 64 a thirty-second is not even two.</summary>
    public const int ShedPlacesMin = 64;

    /// <summary>Milliseconds between two surveys while something runs low but nothing has to be cut: a survey of 65,536 connections takes some 20 ms of one processor.</summary>
    public const int ShedSurveyMs = 500;

    /// <summary>Bytes of an open client connection without its buffers: 2.5 KiB of objects, and 3.5 KiB of the kernel's (socket, file, watch).</summary>
    public const int ClientConnectionBytes = 6 * 1024;

    /// <summary>Bytes of a request in flight without its buffers: 3 KiB of heads and what is noted, 1.5 KiB of the connection to the backend, and 3.5 KiB of the kernel's.</summary>
    public const int ClientRequestBytes = 8 * 1024;

    /// <summary>
    /// Bytes to a client that the kernel takes before any of them can be sent: 256 KiB keep a line of 1 Gbit/s busy for 2 ms, while the loop is told that half of it is free. Without it a peer
    /// that does not read holds 4 MiB. To a backend only while memory is tight: uploads would cost a fifth more.
    /// </summary>
    public const int UnsentBytesMax = 256 * 1024;

    /// <summary>The part of the bound that clients hold from which on single sockets may not hold as much as the kernel likes: early, since on a quick network a thousand of them grow by more than the rest in a few ticks.</summary>
    public const int TightShare = 10;

    /// <summary>
    /// Bytes that the kernel receives ahead of what is read, from whom it has more while memory is tight: half of it is window, a gigabit a second at 1 ms and 10 Mbit/s at
    /// 100 ms. Otherwise the kernel decides, so that a long way is used as well as it can be.
    /// </summary>
    public const int ReceivedAheadTightBytes = 256 * 1024;

    /// <summary>
    /// Bytes of request heads that the open streams of an HTTP/2 connection may have together: 250 streams with 8 KiB each, as large as other servers take a head by default. A few hundred bytes on
    /// the wire may be a head of 32 KiB, so without it a connection would hold 8 MiB. What does not fit is refused with REFUSED_STREAM, which means that the client may send it again.
    /// </summary>
    public const int Http2HeadsBytesMax = 250 * 8 * 1024;

    /// <summary>
    /// Bytes that a client moves at least in <see cref="RateWindowMs"/> while everything waits for it: 100 a second, a tenth of what the slowest modem does. A client that moves a byte before each
    /// deadline would hold its request, and what that holds, for ever.
    /// </summary>
    public const int RateBytesMin = 6000;

    /// <summary>
    /// Milliseconds for which a client that is cut may take its 503, which its kernel has by then on a short way; on a long one the reset waits until it has, and needs as long itself.
    /// </summary>
    public const int ShedLingerMs = 100;

    /// <summary>Milliseconds over which that is counted: twice the time of silence that is allowed by default, so that one pause does not count.</summary>
    public const int RateWindowMs = 60_000;

    /// <summary>Milliseconds between two looks at what the kernel holds for a connection that moves bytes: two system calls, five times in ten ticks.</summary>
    public const int KernelMemoryLookMs = 500;

    /// <summary>Bytes by which what clients hold must have fallen before the heap is collected for it: less is not worth the pause of some milliseconds.</summary>
    public const long HeapTrimBytesMin = 32L * 1024 * 1024;

    /// <summary>Milliseconds that it must have stayed low: ten ticks, in which the connections of a burst end.</summary>
    public const int HeapTrimAfterMs = 1000;

    /// <summary>Milliseconds between two collections for it: then their pauses, of some milliseconds, are a thousandth of the time at most.</summary>
    public const int HeapTrimPeriodMs = 10_000;

    /// <summary>Bytes that are allocated between two collections of the youngest generation: twenty starts of a backend, and no more than two thirds of what an idle gateway has resident.</summary>
    public const long YoungHeapBytesMin = 12L * 1024 * 1024;

    /// <summary>Part of a large heap that is allocated between two: each looks at what of the rest may refer to what is young, so it must not come more often the larger the heap is.</summary>
    public const int YoungHeapShare = 4;

    /// <summary>Part of what is left below the point of cutting that requests may take between two looks: then four looks at least see it come.</summary>
    public const int GrowthShare = 4;

    /// <summary>Part of the bound that they may always take: something goes on even where nobody has to go.</summary>
    public const int GrowthShareMin = 64;

    /// <summary>Part of it that event loops have as shares of their own: what they take without looking at each other may come on top.</summary>
    public const int GrowthOwnShare = 2;

    /// <summary>Connections to backends that they may always open: as many as a page of a browser asks for at once. Those that are idle count as used, so without it nothing might go on.</summary>
    public const int GrowthSocketsMin = 16;

    /// <summary>Largest <c>max_connections_per_address</c> and its siblings: what a counter of 32 bits holds with room to spare.</summary>
    public const int PerAddressMax = 1_000_000_000;

    /// <summary>Seconds in Retry-After of a refusal for the address' sake: a bucket of requests has filled by then.</summary>
    public const int RefusalRetrySecs = 1;
}
