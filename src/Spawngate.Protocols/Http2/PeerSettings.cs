using System.Buffers.Binary;

namespace Spawngate.Protocols.Http2;

/// <summary>The client's settings as far as they matter to a server that pushes nothing (RFC 9113 section 6.5.2).</summary>
public struct PeerSettings
{
    /// <summary>Window of a new stream when nothing was said, and of the connection.</summary>
    public const int DefaultWindow = 65_535;

    private const int FrameSizeAtMost = (1 << 24) - 1;

    /// <summary>The defaults.</summary>
    public PeerSettings() { }

    /// <summary>SETTINGS_HEADER_TABLE_SIZE.</summary>
    public uint HeaderTableSize { get; private set; } = CodecLimits.HpackTableBytes;

    /// <summary>The smallest SETTINGS_HEADER_TABLE_SIZE since the last <see cref="TakeSmallestTableSize"/>.</summary>
    private uint SmallestTableSize { get; set; } = uint.MaxValue;

    /// <summary>SETTINGS_INITIAL_WINDOW_SIZE.</summary>
    public int InitialWindow { get; private set; } = DefaultWindow;

    /// <summary>SETTINGS_MAX_FRAME_SIZE.</summary>
    public int MaxFrameSize { get; private set; } = CodecLimits.FrameBytes;

    /// <summary>Takes up settings, in order.</summary>
    /// <param name="payload">Whole settings of six bytes each.</param>
    public ErrorCode Apply(ReadOnlySpan<byte> payload)
    {
        for (; payload.Length >= 6; payload = payload[6..])
        {
            var code = Apply((SettingId)BinaryPrimitives.ReadUInt16BigEndian(payload), BinaryPrimitives.ReadUInt32BigEndian(payload[2..]));
            if (code != ErrorCode.None)
            {
                return code;
            }
        }

        return ErrorCode.None;
    }

    /// <summary>
    /// The smallest table size of a frame, which evicts even if a larger one follows it (RFC 7541 section 4.2); the last one when there was
    /// none.
    /// </summary>
    internal uint TakeSmallestTableSize()
    {
        uint smallest = Math.Min(SmallestTableSize, HeaderTableSize);
        SmallestTableSize = uint.MaxValue;
        return smallest;
    }

    private ErrorCode Apply(SettingId id, uint value)
    {
        switch (id)
        {
            case SettingId.HeaderTableSize:
                HeaderTableSize = value;
                SmallestTableSize = Math.Min(SmallestTableSize, value);
                return ErrorCode.None;
            case SettingId.InitialWindowSize:
                InitialWindow = (int)Math.Min(value, FrameHeader.Largest);
                return value > FrameHeader.Largest ? ErrorCode.FlowControl : ErrorCode.None;
            case SettingId.MaxFrameSize:
                MaxFrameSize = (int)Math.Min(value, FrameSizeAtMost);
                return value is < CodecLimits.FrameBytes or > FrameSizeAtMost ? ErrorCode.Protocol : ErrorCode.None;
            case SettingId.EnablePush or SettingId.EnableConnectProtocol or SettingId.NoRfc7540Priorities:
                return value > 1 ? ErrorCode.Protocol : ErrorCode.None;
            default:
                return ErrorCode.None;
        }
    }
}
