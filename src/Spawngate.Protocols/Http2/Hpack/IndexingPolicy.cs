namespace Spawngate.Protocols.Http2.Hpack;

/// <summary>How a response field is encoded when no entry has both its name and its value.</summary>
public enum Indexing : byte
{
    /// <summary>It enters the table.</summary>
    Always,

    /// <summary>Its value differs with each response: it enters the table only for its name, when no entry has that.</summary>
    ForName,

    /// <summary>A secret: it enters no table, here or further on (RFC 7541 section 7.1.3).</summary>
    Never,
}

/// <summary>Decides by name. Sizes decide as well: a field of more than a quarter of the table would evict what is worth more.</summary>
public static class IndexingPolicy
{
    /// <summary>What to do with a field of that name, in lower case.</summary>
    public static Indexing Of(ReadOnlySpan<byte> name) =>
        name.Length switch
        {
            3 when name.SequenceEqual("age"u8) => Indexing.ForName,
            4 when name.SequenceEqual("etag"u8) || name.SequenceEqual("link"u8) => Indexing.ForName,
            6 when name.SequenceEqual("cookie"u8) => Indexing.Never,
            7 when name.SequenceEqual("expires"u8) => Indexing.ForName,
            8 when name.SequenceEqual("location"u8) => Indexing.ForName,
            10 when name.SequenceEqual("set-cookie"u8) => Indexing.Never,
            11 when name.SequenceEqual("retry-after"u8) => Indexing.ForName,
            12 when name.SequenceEqual("x-request-id"u8) => Indexing.ForName,
            13 when name.SequenceEqual("authorization"u8) => Indexing.Never,
            13
                when name.SequenceEqual("server-timing"u8)
                    || name.SequenceEqual("content-range"u8)
                    || name.SequenceEqual("last-modified"u8) => Indexing.ForName,
            14 when name.SequenceEqual("content-length"u8) => Indexing.ForName,
            16 when name.SequenceEqual("www-authenticate"u8) || name.SequenceEqual("content-location"u8) => Indexing.ForName,
            18 when name.SequenceEqual("proxy-authenticate"u8) => Indexing.ForName,
            19 when name.SequenceEqual("proxy-authorization"u8) => Indexing.Never,
            19 when name.SequenceEqual("content-disposition"u8) || name.SequenceEqual("authentication-info"u8) => Indexing.ForName,
            _ => Indexing.Always,
        };
}
