using System.Buffers.Binary;
using Spawngate.Protocols.Http2;
using Spawngate.Protocols.Http2.Hpack;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>What a client sends, frame by frame; right or wrong as the test wants it.</summary>
internal sealed class ClientBytes
{
    public static readonly (string, string)[] Get = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    public static readonly (string, string)[] Post = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")];

    private readonly List<byte> _bytes = [];
    private readonly HpackEncoder _encoder = new(CodecLimits.HpackTableBytes);

    public byte[] Bytes => [.. _bytes];

    /// <summary>The preface and empty settings.</summary>
    public static ClientBytes Start() => new ClientBytes().Raw([.. Http2Preface.Bytes]).Frame(FrameType.Settings, 0, 0);

    /// <summary>What was built since the last time, for a session that is fed step by step.</summary>
    public byte[] Take()
    {
        byte[] taken = Bytes;
        _bytes.Clear();
        return taken;
    }

    public ClientBytes Raw(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public ClientBytes Frame(FrameType type, int flags, int id, params byte[] payload)
    {
        byte[] header = new byte[FrameHeader.Size];
        new FrameHeader(payload.Length, type, (FrameFlags)flags, id).Write(header);
        return Raw([.. header, .. payload]);
    }

    public byte[] Block(params (string, string)[] fields) => HpackCodes.Encode(_encoder, fields);

    public ClientBytes Headers(int id, (string, string)[] fields, bool end = true, int flags = 0) =>
        Frame(FrameType.Headers, 4 | (end ? 1 : 0) | flags, id, Block(fields));

    public ClientBytes Request(int id, params (string, string)[] more) => Headers(id, [.. Get, .. more]);

    public ClientBytes Upload(int id, params (string, string)[] more) => Headers(id, [.. Post, .. more], end: false);

    public ClientBytes Data(int id, string data, bool end = false) => Frame(FrameType.Data, end ? 1 : 0, id, HpackCodes.Latin(data));

    public ClientBytes Data(int id, int length, bool end = false) => Frame(FrameType.Data, end ? 1 : 0, id, new byte[length]);

    public ClientBytes Reset(int id, ErrorCode code = ErrorCode.Cancel) => Frame(FrameType.ResetStream, 0, id, Number((uint)code));

    public ClientBytes Window(int id, uint increment) => Frame(FrameType.WindowUpdate, 0, id, Number(increment));

    public ClientBytes Ping(ulong opaque = 7, bool ack = false)
    {
        byte[] payload = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(payload, opaque);
        return Frame(FrameType.Ping, ack ? 1 : 0, 0, payload);
    }

    public ClientBytes Settings(params (SettingId Id, uint Value)[] settings) =>
        Frame(FrameType.Settings, 0, 0, [.. settings.SelectMany(s => (byte[])[(byte)((int)s.Id >> 8), (byte)s.Id, .. Number(s.Value)])]);

    public ClientBytes Priority(int id, int dependsOn) => Frame(FrameType.Priority, 0, id, [.. Number((uint)dependsOn), 15]);

    public ClientBytes PriorityUpdate(int id, string value) =>
        Frame(FrameType.PriorityUpdate, 0, 0, [.. Number((uint)id), .. HpackCodes.Latin(value)]);

    public static byte[] Number(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }
}
