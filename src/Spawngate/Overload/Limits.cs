namespace Spawngate.Overload;

/// <summary>The bounds of overload protection; see overload.md, each with the reasoning behind its value.</summary>
internal static class OverloadLimits
{
    /// <summary>
    /// Client addresses that are told apart: 262,144 × 120 bytes = 30 MiB, four times as many as connections by default. More share one
    /// entry.
    /// </summary>
    public const int ClientAddressesMax = 262_144;

    /// <summary>
    /// Milliseconds between two sweeps of addresses, and how long one is remembered: ten times as long as its bucket of requests needs to
    /// fill.
    /// </summary>
    public const int AddressSweepMs = 10_000;

    /// <summary>Places below which none is kept free: of fewer than 64 a thirty-second is not even two.</summary>
    public const int ShedPlacesMin = 64;

    /// <summary>
    /// Milliseconds between two surveys while something runs low but nothing has to be cut: a survey of 65,536 connections takes some 20 ms
    /// of one processor.
    /// </summary>
    public const int ShedSurveyMs = 500;

    /// <summary>
    /// Bytes of a request in flight without its buffers: 3 KiB of heads and what is noted, 1.5 KiB of the connection to the backend, and
    /// 3.5 KiB of the kernel's.
    /// </summary>
    public const int ClientRequestBytes = 8 * 1024;

    /// <summary>
    /// The part of the bound that clients hold from which on single sockets may not hold as much as the kernel likes: early, since on a
    /// quick network a thousand of them grow by more than the rest in a few ticks.
    /// </summary>
    public const int TightShare = 10;

    /// <summary>
    /// Bytes by which what clients hold must have fallen before the heap is collected for it: less is not worth the pause of some
    /// milliseconds.
    /// </summary>
    public const long HeapTrimBytesMin = 32L * 1024 * 1024;

    /// <summary>Milliseconds that it must have stayed low: ten ticks, in which the connections of a burst end.</summary>
    public const int HeapTrimAfterMs = 1000;

    /// <summary>
    /// Milliseconds between two collections for it: then their pauses, of some milliseconds, are a thousandth of the time at most.
    /// </summary>
    public const int HeapTrimPeriodMs = 10_000;

    /// <summary>
    /// Bytes that are allocated between two collections of the youngest generation: twenty starts of a backend, and no more than two
    /// thirds of what an idle gateway has resident.
    /// </summary>
    public const long YoungHeapBytesMin = 12L * 1024 * 1024;

    /// <summary>
    /// Part of a large heap that is allocated between two: each looks at what of the rest may refer to what is young, so it must not come
    /// more often the larger the heap is.
    /// </summary>
    public const int YoungHeapShare = 4;

    /// <summary>
    /// Part of what is left below the point of cutting that requests may take between two looks: then four looks at least see it come.
    /// </summary>
    public const int GrowthShare = 4;

    /// <summary>Part of the bound that they may always take: something goes on even where nobody has to go.</summary>
    public const int GrowthShareMin = 64;

    /// <summary>
    /// Part of it that event loops have as shares of their own: what they take without looking at each other may come on top.
    /// </summary>
    public const int GrowthOwnShare = 2;

    /// <summary>
    /// Connections to backends that they may always open: as many as a page of a browser asks for at once. Those that are idle count as
    /// used, so without it nothing might go on.
    /// </summary>
    public const int GrowthSocketsMin = 16;
}
