using Spawngate.Protocols;
using Spawngate.Transport;

namespace Spawngate.Clients.Http2;

/// <summary>The bounds of HTTP/2 connections, each with the reasoning behind its value.</summary>
internal static class Http2Limits
{
    /// <summary>Bytes of data that wait for one send of an HTTP/2 connection: four frames, a large buffer.</summary>
    public const int OutputBytes = TransportLimits.LargeBufferBytes;

    /// <summary>
    /// Bytes that wait for one send of an HTTP/2 connection from which no further head or control frame is added, and no further request is
    /// read: two large buffers, of which data takes one. 200 heads of 300 bytes still find room beside it. With the longest head behind
    /// them they fit 256 KiB; as much may be on its way: half a MiB for a client that never reads.
    /// </summary>
    public const int HeadRoomBytes = 2 * OutputBytes;

    /// <summary>
    /// Milliseconds for which the reset of a stream is held back whose response is complete before its request: some clients lose a
    /// response when the reset comes in the same packet. Ticks make it 50 to 250. Meanwhile the stream counts as open, as it does for its
    /// client, and holds 100 bytes.
    /// </summary>
    public const int ResetHoldMs = 50;

    /// <summary>Bytes with which a send does not wait for others to add theirs: half of what one takes.</summary>
    public const int FlushBytes = OutputBytes / 2;

    /// <summary>
    /// Room for control frames besides those that wait: window updates that were put off, 13 bytes each, for a few dozen streams.
    /// </summary>
    public const int ControlRoomBytes = 512;

    /// <summary>Streams a connection keeps to use again, some 3 KB each: as many as a browser has open at once.</summary>
    public const int StreamsKept = 32;

    /// <summary>Bytes after which an upload that keeps up gets a wide window: four times the first one.</summary>
    public const int WidenAfterBytes = 4 * CodecLimits.StreamWindowBytes;

    /// <summary>The wide window of an upload: at a round trip of 1 ms it allows 250 MB/s.</summary>
    public const int WideStreamBytes = 262_144;

    /// <summary>The connection's window then: four such uploads. It is the most that stalled backends make a connection hold.</summary>
    public const int WideConnectionBytes = 4 * WideStreamBytes;

    /// <summary>Bytes of settings an upgrade request may bring: twice the ten identifiers that are registered, six bytes each.</summary>
    public const int UpgradeSettingsBytes = 2 * 10 * 6;

    /// <summary>
    /// Bytes of request heads that the open streams of an HTTP/2 connection may have together: 250 streams with 8 KiB each, as large as
    /// other servers take a head by default. A few hundred bytes on the wire may be a head of 32 KiB, so without it a connection would hold
    /// 8 MiB. What does not fit is refused with REFUSED_STREAM, which means that the client may send it again.
    /// </summary>
    public const int HeadsBytesMax = CodecLimits.ConcurrentStreamsMax * 8 * 1024;
}
