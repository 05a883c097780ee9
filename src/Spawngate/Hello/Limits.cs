namespace Spawngate.Hello;

/// <summary>The bounds of the demo backend, each with the reasoning behind its value.</summary>
internal static class HelloLimits
{
    /// <summary>Connections at once: four times the default of max_queued_requests; each holds a few KiB.</summary>
    public const int ConnectionsMax = 4096;

    /// <summary>Longest head: the default of max_header_bytes twice, as the proxy adds headers to what it accepted.</summary>
    public const int HeadBytesMax = 64 * 1024;

    /// <summary>Header fields: the default of max_headers twice, for the same reason.</summary>
    public const int HeadersMax = 200;

    /// <summary>Milliseconds that answers under way get at a stop: they are made from memory.</summary>
    public const int StopMs = 1000;
}
