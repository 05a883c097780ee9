namespace Spawngate.Platform;

/// <summary>
/// The range from which the system takes ports for outgoing connections. A server port chosen outside of it cannot be taken by some
/// connection between the moment it was found free and the moment the backend binds it.
/// </summary>
internal static class EphemeralPorts
{
    private const string LinuxRange = "/proc/sys/net/ipv4/ip_local_port_range";

    private static readonly Lazy<(int First, int Last)> Range = new(Read);

    /// <summary>True when outgoing connections may take the port.</summary>
    public static bool Contain(int port) => port >= Range.Value.First && port <= Range.Value.Last;

    /// <summary>How many there are.</summary>
    public static int Count => Range.Value.Last - Range.Value.First + 1;

    /// <summary>What is told when none is left towards one address and port.</summary>
    public static string NoneLeft =>
        $"no local port is left for another connection to the same address and port: net.ipv4.ip_local_port_range has {Count}";

    private static (int First, int Last) Read()
    {
        try
        {
            if (Libc.IsLinux)
            {
                string[] ends = File.ReadAllText(LinuxRange).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
                return (
                    int.Parse(ends[0], System.Globalization.CultureInfo.InvariantCulture),
                    int.Parse(ends[1], System.Globalization.CultureInfo.InvariantCulture)
                );
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or IndexOutOfRangeException)
        {
            // A container may hide it; then the range of IANA (RFC 6335 section 6) is assumed, which includes the one of Linux but for its
            // lower part.
        }

        return Libc.IsLinux ? (32768, 65535) : (49152, 65535);
    }
}
