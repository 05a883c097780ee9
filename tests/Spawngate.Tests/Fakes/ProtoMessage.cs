using System.Buffers.Binary;
using System.Text;

namespace Spawngate.Tests.Fakes;

/// <summary>A message of protocol buffers, taken apart without its schema. Whatever is malformed throws.</summary>
internal sealed class ProtoMessage
{
    private readonly List<(int Field, ulong Number, byte[]? Bytes)> _fields = [];

    public ProtoMessage(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            ulong tag = Varint(ref bytes);
            int field = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    _fields.Add((field, Varint(ref bytes), null));
                    break;
                case 1:
                    _fields.Add((field, BinaryPrimitives.ReadUInt64LittleEndian(bytes), null));
                    bytes = bytes[8..];
                    break;
                case 2:
                    int length = checked((int)Varint(ref bytes));
                    _fields.Add((field, 0, bytes[..length].ToArray()));
                    bytes = bytes[length..];
                    break;
                default:
                    throw new InvalidDataException($"kind {tag & 7} of field {field}");
            }
        }
    }

    public ulong Number(int field) => _fields.Single(each => each.Field == field).Number;

    public bool Has(int field) => _fields.Exists(each => each.Field == field);

    public IEnumerable<ProtoMessage> Messages(int field) =>
        _fields.Where(each => each.Field == field).Select(static each => new ProtoMessage(each.Bytes));

    public string Hex(int field) => Convert.ToHexStringLower(_fields.Single(each => each.Field == field).Bytes!);

    /// <summary>A string, which must be UTF-8.</summary>
    public string Text(int field) =>
        new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(_fields.Single(each => each.Field == field).Bytes!);

    private static ulong Varint(ref ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = bytes[0];
            bytes = bytes[1..];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }
}

/// <summary>A span as a collector sees it.</summary>
internal sealed record OtlpSpan(
    string TraceId,
    string SpanId,
    string? Parent,
    string Name,
    int Kind,
    ulong Start,
    ulong End,
    Dictionary<string, object> Attributes,
    List<(string Name, ulong Time)> Events,
    bool IsError
)
{
    /// <summary>The spans of an ExportTraceServiceRequest.</summary>
    public static IEnumerable<(string Service, OtlpSpan Span)> ReadAll(byte[] request) =>
        from resourceSpans in new ProtoMessage(request).Messages(1)
        let service = (string)Read(resourceSpans.Messages(1).Single().Messages(1))["service.name"]
        from scopeSpans in resourceSpans.Messages(2)
        where scopeSpans.Messages(1).Single().Text(1) == "spawngate"
        from span in scopeSpans.Messages(2)
        select (service, Read(span));

    private static OtlpSpan Read(ProtoMessage span) =>
        new(
            span.Hex(1),
            span.Hex(2),
            span.Has(4) ? span.Hex(4) : null,
            span.Text(5),
            (int)span.Number(6),
            span.Number(7),
            span.Number(8),
            Read(span.Messages(9)),
            [.. span.Messages(11).Select(static each => (each.Text(2), each.Number(1)))],
            span.Messages(15).Any(static status => status.Number(3) == 2)
        );

    private static Dictionary<string, object> Read(IEnumerable<ProtoMessage> attributes) =>
        attributes.ToDictionary(
            static each => each.Text(1),
            static each =>
                each.Messages(2).Single() is var any && any.Has(1) ? any.Text(1)
                : any.Has(2) ? any.Number(2) == 1
                : (object)(long)any.Number(3)
        );
}
