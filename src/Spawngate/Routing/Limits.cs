namespace Spawngate.Routing;

/// <summary>The bounds of routing, each with the reasoning behind its value.</summary>
internal static class RoutingLimits
{
    /// <summary>Bytes of a host name: 253 in DNS, 255 with length bytes; longer ones cannot be configured and are not looked up.</summary>
    public const int HostNameBytesMax = 255;
}
