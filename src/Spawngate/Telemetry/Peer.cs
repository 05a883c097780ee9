namespace Spawngate.Telemetry;

/// <summary>The other end of a client connection, as logs, spans and header fields name it.</summary>
/// <param name="address">Its address as text.</param>
/// <param name="isTrusted">True when it is one of <c>trusted_proxies</c>.</param>
/// <param name="isSecure">True when what it sends is encrypted.</param>
internal class Peer(string address, bool isTrusted, bool isSecure = false)
{
    /// <summary>Address for logs.</summary>
    public string Text => address;

    /// <summary>Address for X-Forwarded-For, the access log and spans.</summary>
    public byte[] Address { get; } = System.Text.Encoding.ASCII.GetBytes(address);

    /// <summary>The scheme of its requests, for X-Forwarded-Proto and spans.</summary>
    public ReadOnlySpan<byte> Scheme => isSecure ? "https"u8 : "http"u8;

    /// <summary>True when its own X-Forwarded-* headers are believed.</summary>
    public bool IsTrusted => isTrusted;
}
