using System.Text;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>
/// A decoder of header blocks (RFC 7541), slow and simple, and nobody else's: strings are decoded bit by bit with codes built from their
/// lengths, the dynamic table is a list.
/// </summary>
internal sealed class HpackReader
{
    private const int TableBytes = 4096;
    private const int EntryBytes = 32;
    private readonly List<(string Name, string Value)> _table = [];
    private int _tableMax = TableBytes;

    /// <summary>Decodes one block.</summary>
    public List<(string Name, string Value)> Read(ReadOnlySpan<byte> block)
    {
        var fields = new List<(string, string)>();
        while (!block.IsEmpty)
        {
            byte first = block[0];
            if (first >= 0x80)
            {
                fields.Add(Entry(Integer(ref block, 7)));
            }
            else if (first >= 0x40)
            {
                (string, string) field = Literal(ref block, 6);
                fields.Add(field);
                _table.Insert(0, field);
                Evict();
            }
            else if (first >= 0x20)
            {
                _tableMax = Integer(ref block, 5);
                Assert.That(_tableMax, Is.LessThanOrEqualTo(TableBytes), "table size");
                Evict();
            }
            else
            {
                fields.Add(Literal(ref block, 4));
            }
        }

        return fields;
    }

    private (string Name, string Value) Literal(ref ReadOnlySpan<byte> block, int prefix)
    {
        int index = Integer(ref block, prefix);
        string name = index == 0 ? Text(ref block) : Entry(index).Name;
        return (name, Text(ref block));
    }

    private (string Name, string Value) Entry(int index) => index <= Fixed.Length ? Fixed[index - 1] : _table[index - Fixed.Length - 1];

    private void Evict()
    {
        while (_table.Sum(each => each.Name.Length + each.Value.Length + EntryBytes) > _tableMax)
        {
            _table.RemoveAt(_table.Count - 1);
        }
    }

    private static int Integer(ref ReadOnlySpan<byte> block, int prefix)
    {
        int max = (1 << prefix) - 1;
        int value = block[0] & max;
        block = block[1..];
        if (value < max)
        {
            return value;
        }

        for (int shift = 0; ; shift += 7)
        {
            byte next = block[0];
            block = block[1..];
            value = checked(value + ((next & 0x7f) << shift));
            if (next < 0x80)
            {
                return value;
            }
        }
    }

    private static string Text(ref ReadOnlySpan<byte> block)
    {
        bool huffman = block[0] >= 0x80;
        int length = Integer(ref block, 7);
        ReadOnlySpan<byte> bytes = block[..length];
        block = block[length..];
        return huffman ? Huffman(bytes) : Encoding.Latin1.GetString(bytes);
    }

    private static string Huffman(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        uint code = 0;
        int length = 0;
        for (int bit = 0; bit < bytes.Length * 8; bit++)
        {
            code = (code << 1) | (uint)((bytes[bit / 8] >> (7 - (bit % 8))) & 1);
            if (Codes.TryGetValue((++length, code), out int symbol))
            {
                text.Append((char)symbol);
                code = 0;
                length = 0;
            }
        }

        Assert.That(length < 8 && code == (1u << length) - 1, "padding of a string");
        return text.ToString();
    }

    /// <summary>The code is canonical: in the order of length, then of symbol (RFC 7541 appendix B).</summary>
    private static Dictionary<(int Length, uint Code), int> CodesOf()
    {
        var codes = new Dictionary<(int, uint), int>();
        uint code = 0;
        int length = 0;
        foreach (int symbol in Enumerable.Range(0, Lengths.Length).OrderBy(each => Lengths[each]))
        {
            code <<= Lengths[symbol] - length;
            length = Lengths[symbol];
            codes[(length, code++)] = symbol;
        }

        return codes;
    }

    private static readonly byte[] Lengths =
    [
        13,
        23,
        28,
        28,
        28,
        28,
        28,
        28,
        28,
        24,
        30,
        28,
        28,
        30,
        28,
        28,
        28,
        28,
        28,
        28,
        28,
        28,
        30,
        28,
        28,
        28,
        28,
        28,
        28,
        28,
        28,
        28,
        6,
        10,
        10,
        12,
        13,
        6,
        8,
        11,
        10,
        10,
        8,
        11,
        8,
        6,
        6,
        6,
        5,
        5,
        5,
        6,
        6,
        6,
        6,
        6,
        6,
        6,
        7,
        8,
        15,
        6,
        12,
        10,
        13,
        6,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        7,
        8,
        7,
        8,
        13,
        19,
        13,
        14,
        6,
        15,
        5,
        6,
        5,
        6,
        5,
        6,
        6,
        6,
        5,
        7,
        7,
        6,
        6,
        6,
        5,
        6,
        7,
        6,
        5,
        5,
        6,
        7,
        7,
        7,
        7,
        7,
        15,
        11,
        14,
        13,
        28,
        20,
        22,
        20,
        20,
        22,
        22,
        22,
        23,
        22,
        23,
        23,
        23,
        23,
        23,
        24,
        23,
        24,
        24,
        22,
        23,
        24,
        23,
        23,
        23,
        23,
        21,
        22,
        23,
        22,
        23,
        23,
        24,
        22,
        21,
        20,
        22,
        22,
        23,
        23,
        21,
        23,
        22,
        22,
        24,
        21,
        22,
        23,
        23,
        21,
        21,
        22,
        21,
        23,
        22,
        23,
        23,
        20,
        22,
        22,
        22,
        23,
        22,
        22,
        23,
        26,
        26,
        20,
        19,
        22,
        23,
        22,
        25,
        26,
        26,
        26,
        27,
        27,
        26,
        24,
        25,
        19,
        21,
        26,
        27,
        27,
        26,
        27,
        24,
        21,
        21,
        26,
        26,
        28,
        27,
        27,
        27,
        20,
        24,
        20,
        21,
        22,
        21,
        21,
        23,
        22,
        22,
        25,
        25,
        24,
        24,
        26,
        23,
        26,
        27,
        26,
        26,
        27,
        27,
        27,
        27,
        27,
        28,
        27,
        27,
        27,
        27,
        27,
        26,
        30,
    ];

    private static readonly Dictionary<(int Length, uint Code), int> Codes = CodesOf();

    /// <summary>RFC 7541 appendix A.</summary>
    private static readonly (string Name, string Value)[] Fixed =
    [
        (":authority", ""),
        (":method", "GET"),
        (":method", "POST"),
        (":path", "/"),
        (":path", "/index.html"),
        (":scheme", "http"),
        (":scheme", "https"),
        (":status", "200"),
        (":status", "204"),
        (":status", "206"),
        (":status", "304"),
        (":status", "400"),
        (":status", "404"),
        (":status", "500"),
        ("accept-charset", ""),
        ("accept-encoding", "gzip, deflate"),
        ("accept-language", ""),
        ("accept-ranges", ""),
        ("accept", ""),
        ("access-control-allow-origin", ""),
        ("age", ""),
        ("allow", ""),
        ("authorization", ""),
        ("cache-control", ""),
        ("content-disposition", ""),
        ("content-encoding", ""),
        ("content-language", ""),
        ("content-length", ""),
        ("content-location", ""),
        ("content-range", ""),
        ("content-type", ""),
        ("cookie", ""),
        ("date", ""),
        ("etag", ""),
        ("expect", ""),
        ("expires", ""),
        ("from", ""),
        ("host", ""),
        ("if-match", ""),
        ("if-modified-since", ""),
        ("if-none-match", ""),
        ("if-range", ""),
        ("if-unmodified-since", ""),
        ("last-modified", ""),
        ("link", ""),
        ("location", ""),
        ("max-forwards", ""),
        ("proxy-authenticate", ""),
        ("proxy-authorization", ""),
        ("range", ""),
        ("referer", ""),
        ("refresh", ""),
        ("retry-after", ""),
        ("server", ""),
        ("set-cookie", ""),
        ("strict-transport-security", ""),
        ("transfer-encoding", ""),
        ("user-agent", ""),
        ("vary", ""),
        ("via", ""),
        ("www-authenticate", ""),
    ];
}
