namespace Spawngate.Protocols;

/// <summary>Bounds that belong to a wire format rather than to a configuration, each with its reason.</summary>
public static class CodecLimits
{
    /// <summary>Longest chunk-size line: 16 hex digits and the extensions some clients add; nobody needs more, and it bounds what a peer can make us hold.</summary>
    public const int ChunkSizeLineBytesMax = 256;

    /// <summary>Longest trailer section: a few signatures and timings; a head may have 32 KiB, trailers are an afterthought.</summary>
    public const int TrailerBytesMax = 8192;

    /// <summary>Most options in all Connection fields together: each is compared with each field, so 32 of them with 100 fields cost microseconds; senders use two.</summary>
    public const int ConnectionOptionsMax = 32;

    /// <summary>Longest text that is worth keeping for the next time it is met: keys, commands and common arguments are shorter.</summary>
    internal const int TomlPooledCharsMax = 128;

    /// <summary>Texts kept while a file is read: a file repeats some thirty keys and a few values between two texts of their own; 256 references are 2 KiB.</summary>
    internal const int TomlPooledTexts = 256;

    /// <summary>Keys of a table that are compared one by one: eight comparisons, mostly of lengths, cost less than hashing a name.</summary>
    internal const int TomlUnindexedEntriesMax = 8;

    /// <summary>Room of a table with its first key: most have two to four of them, of 24 bytes each.</summary>
    internal const int TomlTableEntriesFirst = 4;
}
