using System.Diagnostics;
using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>
/// The data of a body that goes out next, in the buffer it was received in: all of one receive, however many chunks it came in.
/// </summary>
/// <remarks>
/// <code>
///  received     3\r\n abc \r\n2\r\n de \r\n2000;x=y\r\n 8 KiB \r\n2000\r\n 4 KiB so far
///  plain            abcde ◀────────── 8 KiB ◀──────── 4 KiB                              all moved together
///  chunks       5\r\n abcde \r\n2000\r\n ◀─── 8 KiB \r\n1000\r\n 4 KiB                   short ones moved together, long ones framed where they lie
/// </code>
/// </remarks>
internal struct BodySlice
{
    /// <summary>Where it begins, as an offset into what was received: its first byte of data.</summary>
    public int Start { get; private set; }

    /// <summary>Its bytes, with the frames between its chunks.</summary>
    public int Length { get; set; }

    /// <summary>Bytes of data in its first chunk, whose size line the sender is to put in front.</summary>
    public int ChunkLength { get; private set; }

    /// <summary>The offset behind its last byte.</summary>
    public readonly int End => Start + Length;

    /// <summary>
    /// Joins a piece of data to those before it. Where chunks go out a long one stays where it is, as a chunk of its own: its frame is
    /// written over the one it came in, which was as long, or longer by what nobody needs.
    /// </summary>
    /// <param name="source">Where it was received.</param>
    /// <param name="start">Its offset.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="chunked">Whether chunks go out.</param>
    public void Add(SocketChannel source, int start, int length, bool chunked)
    {
        if (Length == 0)
        {
            Start = start;
            Length = ChunkLength = length;
            return;
        }

        int to = End;
        if (chunked && (length >= ForwardingLimits.ChunkJoinBytesMax || Length > ChunkLength))
        {
            var frame = new HeadWriter(stackalloc byte[TransportLimits.BufferReserveBytes]);
            frame.Write("\r\n"u8);
            frame.WriteChunkSize(length);
            Debug.Assert(to + frame.Length <= start, "RFC 9112 7.1: a CRLF ends the chunk before, and one this one's size");
            source.WriteReceived(to, frame.Written);
            to += frame.Length;
        }
        else
        {
            ChunkLength += length;
        }

        if (to < start)
        {
            source.MoveReceived(start, to, length);
        }

        Length = to + length - Start;
    }
}
