using System.Net;

namespace Spawngate.Platform;

/// <summary>How this machine reaches what listens on it.</summary>
internal static class LocalAddress
{
    /// <summary>Where a listener is reached from this machine: one that is bound to all addresses, through loopback.</summary>
    public static IPEndPoint Of(IPAddress bind, int port) =>
        new(
            bind.Equals(IPAddress.Any) ? IPAddress.Loopback
                : bind.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback
                : bind,
            port
        );
}
