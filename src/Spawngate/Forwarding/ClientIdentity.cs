using Spawngate.Overload;
using Spawngate.Telemetry;

namespace Spawngate.Forwarding;

/// <summary>The peer of a client connection, with what is counted for its address.</summary>
/// <param name="address">Its address as text.</param>
/// <param name="isTrusted">True when it is one of <c>trusted_proxies</c>.</param>
/// <param name="source">What is counted for its address.</param>
internal sealed class ClientIdentity(string address, bool isTrusted, ClientAddress source) : Peer(address, isTrusted)
{
    /// <summary>What is counted for its address.</summary>
    public ClientAddress Source => source;
}
