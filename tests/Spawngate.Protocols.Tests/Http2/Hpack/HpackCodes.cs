using System.Text;
using Spawngate.Protocols.Http2.Hpack;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>Ways to run the HPACK codec in tests, with strings for bytes.</summary>
internal static class HpackCodes
{
    /// <summary>Hexadecimal digits, white space between them ignored.</summary>
    public static byte[] Hex(string hex) => Convert.FromHexString(string.Concat(hex.Where(c => !char.IsWhiteSpace(c))));

    public static byte[] Latin(string text) => Encoding.Latin1.GetBytes(text);

    public static string Latin(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    /// <summary>All fields of a block, or null when it is broken.</summary>
    public static List<(string Name, string Value)>? Decode(HpackDecoder decoder, byte[] block)
    {
        var fields = new List<(string, string)>();
        int at = 0;
        decoder.Begin(block.Length);
        HpackStatus status;
        while ((status = decoder.Next(block, ref at, out var field)) == HpackStatus.Field)
        {
            Assert.That(
                field.Traits,
                Is.EqualTo(FieldTraits.Classify(field.Name, field.Value)),
                "traits kept in a table are those of the bytes"
            );
            fields.Add((Latin(field.Name), Latin(field.Value)));
        }

        decoder.End();
        return status == HpackStatus.End ? fields : null;
    }

    public static byte[] Encode(HpackEncoder encoder, IEnumerable<(string Name, string Value)> fields)
    {
        var block = new List<byte>();
        byte[] target = new byte[64];
        block.AddRange(target.AsSpan(0, encoder.Begin(target)));
        foreach (var (name, value) in fields)
        {
            // Exactly the size that is promised to suffice.
            target = new byte[name.Length + value.Length + CodecLimits.HpackFieldOverheadBytes];
            block.AddRange(target.AsSpan(0, encoder.Encode(target, Latin(name), Latin(value))));
        }

        return [.. block];
    }
}
