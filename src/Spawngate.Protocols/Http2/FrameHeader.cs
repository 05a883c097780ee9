using System.Buffers.Binary;

namespace Spawngate.Protocols.Http2;

/// <summary>The nine bytes in front of each frame (RFC 9113 section 4.1).</summary>
/// <param name="Length">Bytes of the payload.</param>
/// <param name="Type">Its type, perhaps one that we do not know.</param>
/// <param name="Flags">Its flags.</param>
/// <param name="StreamId">Its stream; 0 for the connection. The reserved bit is left out.</param>
/// <remarks>
/// <code>
///  length (24) │ type (8) │ flags (8) │ reserved (1) stream id (31)
/// </code>
/// </remarks>
public readonly record struct FrameHeader(int Length, FrameType Type, FrameFlags Flags, int StreamId)
{
    /// <summary>Its size in bytes.</summary>
    public const int Size = 9;

    /// <summary>Largest stream id and window (31 bits).</summary>
    public const int Largest = int.MaxValue;

    /// <summary>Reads one from at least <see cref="Size"/> bytes.</summary>
    public static FrameHeader Read(ReadOnlySpan<byte> bytes)
    {
        uint lengthAndType = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        return new FrameHeader(
            (int)(lengthAndType >> 8),
            (FrameType)(byte)lengthAndType,
            (FrameFlags)bytes[4],
            (int)(BinaryPrimitives.ReadUInt32BigEndian(bytes[5..]) & Largest)
        );
    }

    /// <summary>Writes it into at least <see cref="Size"/> bytes.</summary>
    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt32BigEndian(target, ((uint)Length << 8) | (byte)Type);
        target[4] = (byte)Flags;
        BinaryPrimitives.WriteInt32BigEndian(target[5..], StreamId);
    }
}
