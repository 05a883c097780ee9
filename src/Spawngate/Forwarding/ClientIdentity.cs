using Spawngate.Overload;
using Spawngate.Telemetry;

namespace Spawngate.Forwarding;

/// <summary>The peer of a client connection, with what is counted for its address.</summary>
/// <param name="address">Its address as text.</param>
/// <param name="isTrusted">True when it is one of <c>trusted_proxies</c>.</param>
/// <param name="source">What is counted for its address.</param>
/// <param name="isSecure">True when what it sends is encrypted.</param>
internal sealed class ClientIdentity(string address, bool isTrusted, ClientAddress source, bool isSecure = false)
    : Peer(address, isTrusted, isSecure)
{
    /// <summary>What is counted for its address.</summary>
    public ClientAddress Source => source;
}
