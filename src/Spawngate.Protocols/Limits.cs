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
}
