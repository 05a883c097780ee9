namespace Spawngate.Hello;

/// <summary>The bounds of the demo backend, each with the reasoning behind its value.</summary>
internal static class HelloLimits
{
    /// <summary>
    /// Connections of the hello backend at once: four times the default of max_queued_requests; each holds one 4 KiB buffer.
    /// </summary>
    public const int HelloConnectionsMax = 4096;

    /// <summary>First size of a connection's buffer in the hello backend: fits the head of a browser's request.</summary>
    public const int HelloBufferBytes = 4096;

    /// <summary>
    /// Longest head the hello backend reads: the default of max_header_bytes twice, as the proxy adds headers to what it accepted.
    /// </summary>
    public const int HelloHeadBytesMax = 64 * 1024;

    /// <summary>
    /// Longest line between two chunks the hello backend reads: sixteen size digits, extensions and trailers of a sane length.
    /// </summary>
    public const int HelloChunkLineBytesMax = 4096;

    /// <summary>Milliseconds the hello backend reads on after an error, so that the client gets to see the answer.</summary>
    public const int HelloLingerMs = 1000;
}
