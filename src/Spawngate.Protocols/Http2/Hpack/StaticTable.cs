using System.Text;

namespace Spawngate.Protocols.Http2.Hpack;

/// <summary>The static table of RFC 7541 appendix A.</summary>
public static class StaticTable
{
    /// <summary>Entries; the dynamic table's indices begin behind them.</summary>
    public const int Count = 61;

    /// <summary>Index of <c>:status: 200</c>.</summary>
    internal const int Status200 = 8;

    private const int Buckets = 128;

    private static readonly (string Name, string Value)[] Entries =
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

    /// <summary>All names and values one behind the other.</summary>
    private static readonly byte[] Text = Encoding.ASCII.GetBytes(string.Concat(Entries.Select(entry => entry.Name + entry.Value)));

    private static readonly (short NameStart, short NameLength, short ValueLength)[] Places = PlacesOf();

    private static readonly FieldTraits[] Traits =
    [
        default,
        .. Enumerable.Range(1, Count).Select(index => FieldTraits.Classify(Name(index), Value(index))),
    ];

    /// <summary>By hash of a name: the first index with such a name, then <see cref="Next"/>.</summary>
    private static readonly byte[] Heads = new byte[Buckets];

    private static readonly byte[] Next = new byte[Count + 1];

    static StaticTable()
    {
        // From the last to the first, so that of equal names the lowest index is found.
        for (int index = Count; index > 0; index--)
        {
            int bucket = (int)(HpackHash.OfName(Name(index)) % Buckets);
            Next[index] = Heads[bucket];
            Heads[bucket] = (byte)index;
        }
    }

    /// <summary>Name of an entry, 1 to <see cref="Count"/>.</summary>
    public static ReadOnlySpan<byte> Name(int index)
    {
        var (start, length, _) = Places[index - 1];
        return Text.AsSpan(start, length);
    }

    /// <summary>Value of an entry; of most it is empty.</summary>
    public static ReadOnlySpan<byte> Value(int index)
    {
        var (start, length, valueLength) = Places[index - 1];
        return Text.AsSpan(start + length, valueLength);
    }

    /// <summary>What <see cref="FieldTraits.Classify"/> says of an entry.</summary>
    internal static FieldTraits TraitsOf(int index) => Traits[index];

    /// <summary>The lowest index with that name, or 0.</summary>
    /// <param name="name">In lower case.</param>
    /// <param name="hash">Its <see cref="HpackHash.OfName"/>.</param>
    internal static int Find(ReadOnlySpan<byte> name, uint hash)
    {
        for (int index = Heads[hash % Buckets]; index != 0; index = Next[index])
        {
            if (name.SequenceEqual(Name(index)))
            {
                return index;
            }
        }

        return 0;
    }

    private static (short NameStart, short NameLength, short ValueLength)[] PlacesOf()
    {
        var places = new (short, short, short)[Count];
        int start = 0;
        for (int i = 0; i < Count; i++)
        {
            var (name, value) = Entries[i];
            places[i] = ((short)start, (short)name.Length, (short)value.Length);
            start += name.Length + value.Length;
        }

        return places;
    }
}
