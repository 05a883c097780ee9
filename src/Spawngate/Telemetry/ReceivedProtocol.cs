namespace Spawngate.Telemetry;

/// <summary>The protocol in which a request was received, as Via says it.</summary>
internal enum ReceivedProtocol : byte
{
    /// <summary>HTTP/1.1, or HTTP/1.0 as its head says.</summary>
    Http1,

    /// <summary>HTTP/2.</summary>
    Http2,
}
