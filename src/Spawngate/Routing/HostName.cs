using System.Buffers;
using System.Text;

namespace Spawngate.Routing;

/// <summary>How host names are compared: without case, port, trailing dot, or the brackets of an IPv6 literal.</summary>
internal static class HostName
{
    /// <summary>
    /// Writes the name in <paramref name="host"/> (the value of Host or :authority) to <paramref name="lower"/>, in the form it is looked
    /// up by. Returns its length, 0 when there is no name, -1 when it is not one that could be configured: too long, or not ASCII.
    /// </summary>
    /// <param name="host">The name, with or without a port.</param>
    /// <param name="lower">At least <see cref="RoutingLimits.HostNameBytesMax"/> bytes.</param>
    public static int Normalise(ReadOnlySpan<byte> host, Span<byte> lower)
    {
        var name = WithoutPort(host);
        if (name is [.., (byte)'.'])
        {
            name = name[..^1];
        }

        if (name.Length > RoutingLimits.HostNameBytesMax)
        {
            return -1;
        }

        return Ascii.ToLower(name, lower, out var written) == OperationStatus.Done ? written : -1;
    }

    private static ReadOnlySpan<byte> WithoutPort(ReadOnlySpan<byte> host)
    {
        if (host is [(byte)'[', ..])
        {
            var close = host.IndexOf((byte)']');
            return close < 0 ? host : host[1..close];
        }

        var colon = host.LastIndexOf((byte)':');
        // Several colons without brackets: an IPv6 literal as it may stand in the configuration, which has no port.
        return colon < 0 || host[..colon].Contains((byte)':') ? host : host[..colon];
    }
}
