namespace Spawngate.Protocols.Http2.Hpack;

/// <summary>
/// One decoded field. Its bytes lie in the header block, in a table, or in the decoder's own buffer: they hold until the next field is
/// decoded.
/// </summary>
public ref struct HpackField
{
    /// <summary>The name.</summary>
    public ReadOnlySpan<byte> Name;

    /// <summary>The value.</summary>
    public ReadOnlySpan<byte> Value;

    /// <summary>What it is.</summary>
    public FieldTraits Traits;

    /// <summary>True when it must never enter a table on its further way (RFC 7541 section 6.2.3).</summary>
    public bool NeverIndexed;
}

/// <summary>Outcome of <see cref="HpackDecoder.Next"/>.</summary>
public enum HpackStatus : byte
{
    /// <summary>A field was decoded.</summary>
    Field,

    /// <summary>The block ends.</summary>
    End,

    /// <summary>The block cannot be decoded: both sides' tables differ from now on (RFC 9113 section 4.3: COMPRESSION_ERROR).</summary>
    Broken,
}
