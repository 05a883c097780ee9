using System.Net;
using System.Net.Sockets;

namespace Spawngate.Config;

/// <summary>What no key can get wrong alone: host names, ports and containers that two of them claim.</summary>
internal static class ConfigCrossChecks
{
    private const string PortChoice = "allowed is a port of its own, or 0 to have a free one chosen at each start";
    private const string HostNetworkChoice = "allowed is a port of its own, as its container uses the machine's network";

    /// <summary>Notes every conflict at the later of the two places.</summary>
    public static void Check(ConfigTable root, ServerConfig server, IReadOnlyList<ReadBackend> backends)
    {
        CheckServerPorts(root, server);
        CheckHostNames(backends);
        CheckBackendPorts(server, backends);
        CheckContainerNames(backends);
    }

    private static void CheckServerPorts(ConfigTable root, ServerConfig server)
    {
        if (server.Port != server.AdminPort || !Overlap(server.Bind, server.AdminBind) || root.Table("server") is not { } table)
        {
            return;
        }

        var key = table.Find("admin_port") is not null || table.Find("port") is null ? "admin_port" : "port";
        var other = key == "port" ? "admin_port" : "port";
        table.Report(table.PositionOf(key), key, $"found {server.Port}, which is server.{other} too, allowed is a port of its own");
    }

    private static void CheckHostNames(IReadOnlyList<ReadBackend> backends)
    {
        var first = new Dictionary<string, ConfigTable>(backends.Count, StringComparer.Ordinal);
        foreach (var (config, table) in backends)
        {
            if (config.Hostname.Length > 0 && !first.TryAdd(config.Hostname, table))
            {
                var other = first[config.Hostname];
                table.ReportHere(
                    $"found the same host as {other.Path} on line {other.Toml.HeaderPosition.Line}, allowed is one "
                        + "backend per host (compared without case and trailing dot)"
                );
            }
        }
    }

    /// <summary>
    /// Ports of containers are their own; only local processes, and containers on the host's network, share the loopback address with each
    /// other and with Spawngate.
    /// </summary>
    private static void CheckBackendPorts(ServerConfig server, IReadOnlyList<ReadBackend> backends)
    {
        var first = new Dictionary<int, ConfigTable>();
        foreach (var (config, table) in backends)
        {
            if (!config.UsesLoopbackPort || config.Port == 0)
            {
                continue;
            }

            var owner = OwnPortName(server, config.Port);
            if (owner is null && !first.TryAdd(config.Port, table))
            {
                var other = first[config.Port];
                owner = $"the port of {other.Path} on line {other.PositionOf("port").Line} too";
            }

            if (owner is not null)
            {
                table.Report(
                    table.PositionOf("port"),
                    "port",
                    $"found {config.Port}, which is {owner}, {(config.Kind == BackendKind.Local ? PortChoice : HostNetworkChoice)}"
                );
            }
        }
    }

    private static string? OwnPortName(ServerConfig server, int port)
    {
        if (port == server.Port && Overlap(server.Bind, IPAddress.Loopback))
        {
            return "the proxy's own (server.port)";
        }

        return port == server.AdminPort && Overlap(server.AdminBind, IPAddress.Loopback) ? "the admin API's own (server.admin_port)" : null;
    }

    /// <summary>Two backends with one container would remove each other's at every start. Different engines may use a name twice.</summary>
    private static void CheckContainerNames(IReadOnlyList<ReadBackend> backends)
    {
        var first = new Dictionary<(string? Engine, string Name), ConfigTable>();
        foreach (var (config, table) in backends)
        {
            if (
                config.Docker is null
                || config.Hostname.Length == 0
                || first.TryAdd((config.Docker.DockerHost, config.Docker.ContainerName), table)
            )
            {
                continue;
            }

            var other = first[(config.Docker.DockerHost, config.Docker.ContainerName)];
            table.Report(
                table.PositionOf("container_name"),
                "container_name",
                $"found \"{config.Docker.ContainerName}\", which is the container of {other.Path} on line "
                    + $"{other.Toml.HeaderPosition.Line} too, allowed is a name of its own"
            );
        }
    }

    /// <summary>Whether one port cannot be bound on both addresses. <c>::</c> is bound for IPv4 as well.</summary>
    private static bool Overlap(IPAddress a, IPAddress b)
    {
        a = a.IsIPv4MappedToIPv6 ? a.MapToIPv4() : a;
        b = b.IsIPv4MappedToIPv6 ? b.MapToIPv4() : b;
        return a.Equals(b) || CoversAll(a, b) || CoversAll(b, a);
    }

    private static bool CoversAll(IPAddress any, IPAddress other) =>
        any.Equals(IPAddress.IPv6Any)
        || (any.Equals(IPAddress.Any) && (other.AddressFamily == AddressFamily.InterNetwork || other.Equals(IPAddress.IPv6Any)));
}
