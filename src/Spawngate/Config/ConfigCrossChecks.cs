using System.Net;
using System.Net.Sockets;

namespace Spawngate.Config;

/// <summary>What no key can get wrong alone: host names, ports and other names that two of them claim.</summary>
internal static class ConfigCrossChecks
{
    /// <summary>Notes every conflict at the later of the two places.</summary>
    public static void Check(ConfigTable root, ServerConfig server, IReadOnlyList<ReadBackend> backends)
    {
        CheckServerPorts(root, server);
        CheckRoutes(backends);
        CheckNames(backends);
        CheckBackendPorts(server, backends);
        CheckExclusiveNames(backends);
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

    private static void CheckRoutes(IReadOnlyList<ReadBackend> backends)
    {
        var first = new Dictionary<BackendRoute, ConfigTable>(backends.Count);
        foreach (var (config, table) in backends)
        {
            if (!config.Route.IsNone && !first.TryAdd(config.Route, table))
            {
                var other = first[config.Route];
                table.ReportHere(
                    $"found the same host as {other.Path} on line {other.Toml.HeaderPosition.Line}, allowed is one "
                        + "backend per host (compared without case and trailing dot)"
                );
            }
        }
    }

    /// <summary>Two that were given none are two of one route, which is told already.</summary>
    private static void CheckNames(IReadOnlyList<ReadBackend> backends)
    {
        if (backends.All(static backend => backend.Config.GivenName is null))
        {
            return;
        }

        var first = new Dictionary<string, ReadBackend>(backends.Count, StringComparer.Ordinal);
        foreach (var backend in backends)
        {
            if (backend.Config.Name.Length == 0 || first.TryAdd(backend.Config.Name, backend))
            {
                continue;
            }

            var other = first[backend.Config.Name];
            var (given, taken) = backend.Config.GivenName is null ? (other, backend) : (backend, other);
            if (given.Config.GivenName is { } name)
            {
                given.Table.Report(
                    given.Table.PositionOf(BackendKeys.Name),
                    BackendKeys.Name,
                    $"found \"{name}\", which is the name of {taken.Table.Path} on line {taken.Table.Toml.HeaderPosition.Line} too"
                        + $"{(taken.Config.GivenName is null ? " (its host)" : "")}, allowed is a name of its own"
                );
            }
        }
    }

    /// <summary>
    /// Many kinds have ports of their own; those that listen on the loopback address share it with each other and with Spawngate.
    /// </summary>
    private static void CheckBackendPorts(ServerConfig server, IReadOnlyList<ReadBackend> backends)
    {
        var first = new Dictionary<int, ConfigTable>();
        foreach (var (config, table) in backends)
        {
            if (config.FixedPort == 0)
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
                table.Report(table.PositionOf("port"), "port", $"found {config.Port}, which is {owner}, {config.Settings.PortAdvice}");
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
    private static void CheckExclusiveNames(IReadOnlyList<ReadBackend> backends)
    {
        var first = new Dictionary<(BackendKind Kind, ExclusiveName Name), ConfigTable>();
        foreach (var (config, table) in backends)
        {
            if (config.Settings.ExclusiveName is not { } name || config.Route.IsNone || first.TryAdd((config.Kind, name), table))
            {
                continue;
            }

            var other = first[(config.Kind, name)];
            table.Report(
                table.PositionOf(name.Key),
                name.Key,
                $"found \"{name.Name}\", which is {name.Noun} of {other.Path} on line {other.Toml.HeaderPosition.Line} too, "
                    + "allowed is a name of its own"
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
