using System.Buffers.Binary;

namespace Spawngate.Protocols.Http2;

/// <summary>Writes the frames of fixed form. Each method returns the bytes written.</summary>
public static class FrameWriter
{
    /// <summary>Size of an acknowledgement of SETTINGS.</summary>
    public const int SettingsAckSize = FrameHeader.Size;

    /// <summary>Size of a PING.</summary>
    public const int PingSize = FrameHeader.Size + 8;

    /// <summary>Size of a GOAWAY without debug data.</summary>
    public const int GoAwaySize = FrameHeader.Size + 8;

    /// <summary>Size of a RST_STREAM.</summary>
    public const int ResetSize = FrameHeader.Size + 4;

    /// <summary>Size of a WINDOW_UPDATE.</summary>
    public const int WindowUpdateSize = FrameHeader.Size + 4;

    /// <summary>Writes a SETTINGS frame.</summary>
    public static int Settings(Span<byte> target, ReadOnlySpan<(SettingId Id, uint Value)> settings)
    {
        new FrameHeader(settings.Length * 6, FrameType.Settings, FrameFlags.None, 0).Write(target);
        int at = FrameHeader.Size;
        foreach (var (id, value) in settings)
        {
            BinaryPrimitives.WriteUInt16BigEndian(target[at..], (ushort)id);
            BinaryPrimitives.WriteUInt32BigEndian(target[(at + 2)..], value);
            at += 6;
        }

        return at;
    }

    /// <summary>Writes an acknowledgement of SETTINGS.</summary>
    public static int SettingsAck(Span<byte> target)
    {
        new FrameHeader(0, FrameType.Settings, FrameFlags.Ack, 0).Write(target);
        return SettingsAckSize;
    }

    /// <summary>Writes a PING.</summary>
    public static int Ping(Span<byte> target, ulong opaque, bool ack)
    {
        new FrameHeader(8, FrameType.Ping, ack ? FrameFlags.Ack : FrameFlags.None, 0).Write(target);
        BinaryPrimitives.WriteUInt64BigEndian(target[FrameHeader.Size..], opaque);
        return PingSize;
    }

    /// <summary>Writes a GOAWAY without debug data.</summary>
    public static int GoAway(Span<byte> target, int lastStreamId, ErrorCode code)
    {
        new FrameHeader(8, FrameType.GoAway, FrameFlags.None, 0).Write(target);
        BinaryPrimitives.WriteInt32BigEndian(target[FrameHeader.Size..], lastStreamId);
        BinaryPrimitives.WriteUInt32BigEndian(target[(FrameHeader.Size + 4)..], (uint)code);
        return GoAwaySize;
    }

    /// <summary>Writes a RST_STREAM.</summary>
    public static int Reset(Span<byte> target, int streamId, ErrorCode code)
    {
        new FrameHeader(4, FrameType.ResetStream, FrameFlags.None, streamId).Write(target);
        BinaryPrimitives.WriteUInt32BigEndian(target[FrameHeader.Size..], (uint)code);
        return ResetSize;
    }

    /// <summary>Writes a WINDOW_UPDATE.</summary>
    public static int WindowUpdate(Span<byte> target, int streamId, int increment)
    {
        new FrameHeader(4, FrameType.WindowUpdate, FrameFlags.None, streamId).Write(target);
        BinaryPrimitives.WriteInt32BigEndian(target[FrameHeader.Size..], increment);
        return WindowUpdateSize;
    }
}
