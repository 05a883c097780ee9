using System.Buffers.Binary;
using System.Text;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>Frame types (RFC 9113 section 6, RFC 9218 section 7.1).</summary>
internal enum H2Type : byte
{
    /// <summary>DATA.</summary>
    Data,

    /// <summary>HEADERS.</summary>
    Headers,

    /// <summary>PRIORITY.</summary>
    Priority,

    /// <summary>RST_STREAM.</summary>
    ResetStream,

    /// <summary>SETTINGS.</summary>
    Settings,

    /// <summary>PUSH_PROMISE.</summary>
    PushPromise,

    /// <summary>PING.</summary>
    Ping,

    /// <summary>GOAWAY.</summary>
    GoAway,

    /// <summary>WINDOW_UPDATE.</summary>
    WindowUpdate,

    /// <summary>CONTINUATION.</summary>
    Continuation,

    /// <summary>PRIORITY_UPDATE.</summary>
    PriorityUpdate = 16,
}

/// <summary>Error codes (RFC 9113 section 7).</summary>
internal enum H2Error : uint
{
    /// <summary>NO_ERROR.</summary>
    None,

    /// <summary>PROTOCOL_ERROR.</summary>
    Protocol,

    /// <summary>INTERNAL_ERROR.</summary>
    Internal,

    /// <summary>FLOW_CONTROL_ERROR.</summary>
    FlowControl,

    /// <summary>SETTINGS_TIMEOUT.</summary>
    SettingsTimeout,

    /// <summary>STREAM_CLOSED.</summary>
    StreamClosed,

    /// <summary>FRAME_SIZE_ERROR.</summary>
    FrameSize,

    /// <summary>REFUSED_STREAM.</summary>
    RefusedStream,

    /// <summary>CANCEL.</summary>
    Cancel,

    /// <summary>COMPRESSION_ERROR.</summary>
    Compression,

    /// <summary>CONNECT_ERROR.</summary>
    Connect,

    /// <summary>ENHANCE_YOUR_CALM.</summary>
    EnhanceYourCalm,
}

/// <summary>The frames of a client as bytes, right or wrong as the test wants them. Header blocks are literals without indexing.</summary>
internal static class H2Frame
{
    /// <summary>Bytes of a frame's header.</summary>
    public const int HeaderBytes = 9;

    /// <summary>The longest payload a peer takes that has not said otherwise.</summary>
    public const int FrameBytesMax = 16384;

    /// <summary>END_STREAM, and ACK.</summary>
    public const byte EndStream = 1;

    /// <summary>END_HEADERS.</summary>
    public const byte EndHeaders = 4;

    /// <summary>What a client begins with.</summary>
    public static readonly byte[] Preface = [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8];

    /// <summary>SETTINGS identifiers used by tests.</summary>
    public const ushort HeaderTableSize = 1,
        InitialWindowSize = 4,
        MaxFrameSize = 5,
        MaxHeaderListSize = 6;

    /// <summary>One frame.</summary>
    public static byte[] Of(H2Type type, int flags, int stream, params ReadOnlySpan<byte> payload)
    {
        byte[] frame = new byte[HeaderBytes + payload.Length];
        WriteHeader(frame, payload.Length, type, flags, stream);
        payload.CopyTo(frame.AsSpan(HeaderBytes));
        return frame;
    }

    /// <summary>Writes a frame's header.</summary>
    public static void WriteHeader(Span<byte> target, int length, H2Type type, int flags, int stream)
    {
        BinaryPrimitives.WriteInt32BigEndian(target, length << 8);
        target[3] = (byte)type;
        target[4] = (byte)flags;
        BinaryPrimitives.WriteInt32BigEndian(target[5..], stream);
    }

    /// <summary>A header block.</summary>
    public static byte[] Block(params IEnumerable<(string Name, string Value)> fields)
    {
        var block = new MemoryStream();
        foreach ((string name, string value) in fields)
        {
            block.WriteByte(0);
            Text(block, name);
            Text(block, value);
        }

        return block.ToArray();
    }

    /// <summary>HEADERS with a whole block, and CONTINUATION where it is too long for one frame.</summary>
    public static byte[] Headers(int stream, IEnumerable<(string Name, string Value)> fields, bool end = true)
    {
        byte[] block = Block(fields);
        var frames = new MemoryStream();
        for (int at = 0; at == 0 || at < block.Length; at += FrameBytesMax)
        {
            ReadOnlySpan<byte> part = block.AsSpan(at, Math.Min(FrameBytesMax, block.Length - at));
            int flags = (at + part.Length == block.Length ? EndHeaders : 0) | (at == 0 && end ? EndStream : 0);
            frames.Write(Of(at == 0 ? H2Type.Headers : H2Type.Continuation, flags, stream, part));
        }

        return frames.ToArray();
    }

    /// <summary>The fields of a request.</summary>
    public static IEnumerable<(string Name, string Value)> Request(string host, string path, string method = "GET") =>
        [(":method", method), (":scheme", "http"), (":path", path), (":authority", host)];

    /// <summary>DATA.</summary>
    public static byte[] Data(int stream, ReadOnlySpan<byte> data, bool end = false) => Of(H2Type.Data, end ? EndStream : 0, stream, data);

    /// <summary>RST_STREAM.</summary>
    public static byte[] Reset(int stream, H2Error code = H2Error.Cancel) => Of(H2Type.ResetStream, 0, stream, Number((uint)code));

    /// <summary>WINDOW_UPDATE.</summary>
    public static byte[] Window(int stream, long increment) => Of(H2Type.WindowUpdate, 0, stream, Number((uint)increment));

    /// <summary>PING.</summary>
    public static byte[] Ping(long opaque)
    {
        byte[] payload = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(payload, opaque);
        return Of(H2Type.Ping, 0, 0, payload);
    }

    /// <summary>SETTINGS.</summary>
    public static byte[] Settings(params (ushort Id, uint Value)[] settings) =>
        Of(H2Type.Settings, 0, 0, [.. settings.SelectMany(each => (byte[])[(byte)(each.Id >> 8), (byte)each.Id, .. Number(each.Value)])]);

    /// <summary>PRIORITY_UPDATE.</summary>
    public static byte[] PriorityUpdate(int stream, string value) =>
        Of(H2Type.PriorityUpdate, 0, 0, [.. Number((uint)stream), .. Encoding.Latin1.GetBytes(value)]);

    /// <summary>A number of 32 bits.</summary>
    public static byte[] Number(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }

    /// <summary>A string literal without Huffman code (RFC 7541 section 5.2).</summary>
    private static void Text(MemoryStream block, string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        int rest = bytes.Length - 127;
        block.WriteByte((byte)Math.Min(bytes.Length, 127));
        for (; rest >= 128; rest >>= 7)
        {
            block.WriteByte((byte)(rest | 128));
        }

        if (bytes.Length >= 127)
        {
            block.WriteByte((byte)rest);
        }

        block.Write(bytes);
    }
}
