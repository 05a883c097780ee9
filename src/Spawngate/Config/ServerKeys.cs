using System.Net;
using System.Net.Sockets;
using Spawngate.Config.Toml;
using Spawngate.Logging;
using Spawngate.Platform;
using Spawngate.Telemetry;
using static Spawngate.Config.ConfigLines;

namespace Spawngate.Config;

/// <summary>The keys of <c>[server]</c>: their names, how they are read, and how they are printed.</summary>
internal static class ServerKeys
{
    private const string AddressAllowed = "an IPv4 or IPv6 address, such as \"0.0.0.0\", \"127.0.0.1\" or \"::\"";
    private const string NoLimit = " (0 = no limit)";
    private const string NetworkAllowed = "an address or a network, such as \"10.0.0.1\", \"10.0.0.0/8\" or \"fd00::/8\"";

    // In the order of the documentation.
    private static readonly ServerKey[] Keys =
    [
        new("port", static server => Number(server.Port)),
        new("bind", static server => Quoted(server.Bind.ToString())),
        new("admin_port", static server => Number(server.AdminPort)),
        new("admin_bind", static server => Quoted(server.AdminBind.ToString())),
        new("admin_token", static server => server.AdminToken is null ? "# unset" : "# set, not shown")
        {
            Differs = static (server, other) => server.AdminToken != other.AdminToken,
        },
        new("pool_max_idle_per_host", static server => Number(server.PoolMaxIdlePerHost)),
        new("pool_idle_timeout_secs", static server => Number(server.PoolIdleTimeoutSecs)),
        new("pid_file", static server => server.PidFile is null ? "# none" : Quoted(server.PidFile)),
        new("trusted_proxies", static server => List(server.TrustedProxies.Select(static network => network.ToString()))),
        new("max_connections", static server => Number(server.MaxConnections)),
        new("max_header_bytes", static server => Number(server.MaxHeaderBytes)),
        new("max_headers", static server => Number(server.MaxHeaders)),
        new("memory_limit", static server => Quoted(server.MemoryLimit.Text)),
        new("max_connections_per_address", static server => Number(server.MaxConnectionsPerAddress)),
        new("max_requests_per_address", static server => Number(server.MaxRequestsPerAddress)),
        new("request_rate_per_address", static server => Number(server.RequestRatePerAddress)),
        new("header_timeout_secs", static server => Number(server.HeaderTimeoutSecs)),
        new("keep_alive_timeout_secs", static server => Number(server.KeepAliveTimeoutSecs)),
        new("access_log", static server => Quoted(server.AccessLog)),
        new("access_log_format", static server => Quoted(server.AccessLogFormat == AccessLogFormat.Json ? "json" : "combined")),
        new("log_format", static server => Quoted(server.LogFormat == LogFormat.Json ? "json" : "text")),
        new("server_timing", static server => server.ServerTiming ? "true" : "false"),
        new("otlp_endpoint", static server => server.OtlpEndpoint is null ? "# none" : Quoted(server.OtlpEndpoint.OriginalString)),
    ];

    /// <summary>Their names.</summary>
    public static readonly string[] All = [.. Keys.Select(static key => key.Name)];

    /// <summary>Writes the effective settings, in the order of <see cref="All"/>.</summary>
    public static void Print(ServerConfig server, ConfigLines to)
    {
        to.Text("[server]");
        foreach (var key in Keys)
        {
            to.Line(key.Name, key.Print(server));
        }
    }

    /// <summary>The keys that differ, in the order of <see cref="All"/>: they need a restart.</summary>
    public static IReadOnlyList<string> Changed(ServerConfig server, ServerConfig other) =>
        [.. Keys.Where(key => key.Differs(server, other)).Select(static key => key.Name)];

    /// <summary>Takes them out of the table.</summary>
    public static ServerConfig Read(ConfigTable table)
    {
        table.ReportUnknown(All, "[server]");
        var standard = new ServerConfig();
        return new ServerConfig
        {
            Port = table.Int("port", standard.Port, 1, ConfigLimits.PortMax),
            Bind = Address(table, "bind", standard.Bind),
            AdminPort = table.Int("admin_port", standard.AdminPort, 1, ConfigLimits.PortMax),
            AdminBind = Address(table, "admin_bind", standard.AdminBind),
            AdminToken = AdminToken(table),
            PoolMaxIdlePerHost = table.Int("pool_max_idle_per_host", standard.PoolMaxIdlePerHost, 0, ConfigLimits.PoolIdlePerHostMax),
            PoolIdleTimeoutSecs = TimingKeys.Secs(table, "pool_idle_timeout_secs", standard.PoolIdleTimeoutSecs),
            PidFile = table.Text("pid_file", null, ConfigText.IsFilled, "the path of a file"),
            TrustedProxies = TrustedProxies(table, standard.TrustedProxies),
            SetsMaxConnections = table.Find("max_connections") is not null,
            MaxConnections = table.Int("max_connections", standard.MaxConnections, 1, PlatformLimits.ConnectionsMax),
            MaxHeaderBytes = table.Int(
                "max_header_bytes",
                standard.MaxHeaderBytes,
                ConfigLimits.HeaderBytesMin,
                ConfigLimits.HeaderBytesMax
            ),
            MaxHeaders = table.Int("max_headers", standard.MaxHeaders, 1, ConfigLimits.HeadersMax),
            MemoryLimit = MemoryLimitOf(table) ?? standard.MemoryLimit,
            MaxConnectionsPerAddress = table.Int(
                "max_connections_per_address",
                standard.MaxConnectionsPerAddress,
                0,
                ConfigLimits.PerAddressMax,
                NoLimit
            ),
            MaxRequestsPerAddress = table.Int(
                "max_requests_per_address",
                standard.MaxRequestsPerAddress,
                0,
                ConfigLimits.PerAddressMax,
                NoLimit
            ),
            RequestRatePerAddress = table.Int(
                "request_rate_per_address",
                standard.RequestRatePerAddress,
                0,
                ConfigLimits.PerAddressMax,
                NoLimit
            ),
            HeaderTimeoutSecs = TimingKeys.Secs(table, "header_timeout_secs", standard.HeaderTimeoutSecs),
            KeepAliveTimeoutSecs = TimingKeys.Secs(table, "keep_alive_timeout_secs", standard.KeepAliveTimeoutSecs),
            AccessLog = AccessLog(table, standard.AccessLog),
            AccessLogFormat =
                table.Text("access_log_format", null, static text => text is "combined" or "json", "\"combined\" or \"json\"") == "json"
                    ? AccessLogFormat.Json
                    : standard.AccessLogFormat,
            LogFormat =
                table.Text("log_format", null, static text => text is "text" or "json", "\"text\" or \"json\"") == "json"
                    ? LogFormat.Json
                    : standard.LogFormat,
            OtlpEndpoint = OtlpEndpoint(table),
            ServerTiming = table.Flag("server_timing", standard.ServerTiming),
        };
    }

    /// <summary>
    /// An address in its full notation. .NET also reads <c>1</c>, <c>127.1</c> and <c>010.0.0.1</c> as IPv4 addresses, which hardly
    /// anyone means.
    /// </summary>
    public static bool TryParseAddress(string text, out IPAddress address)
    {
        if (!IPAddress.TryParse(text, out address!))
        {
            return false;
        }

        return address.AddressFamily == AddressFamily.InterNetworkV6 ? !text.StartsWith('[') : address.ToString() == text;
    }

    private static IPAddress Address(ConfigTable table, string key, IPAddress fallback)
    {
        var text = table.Text(key, null, text => TryParseAddress(text, out _), AddressAllowed);
        return text is not null && TryParseAddress(text, out var address) ? address : fallback;
    }

    /// <summary>The token travels in a header, and it is a secret: a wrong one is not shown.</summary>
    private static string? AdminToken(ConfigTable table)
    {
        if (table.Find("admin_token") is not { } entry)
        {
            return null;
        }

        if (entry.Value is TomlString token && ConfigText.IsVisibleAscii(token.Value))
        {
            return token.Value;
        }

        var found = entry.Value switch
        {
            TomlString { Value: "" } => "an empty string",
            TomlString => "a string with blanks, control or non-ASCII characters",
            var other => other.Kind,
        };
        table.Report(entry.Value.Position, entry.Name, $"found {found}, allowed is a string of visible ASCII characters without blanks");
        return null;
    }

    /// <summary>
    /// Off, standard output, or a file that can be written. A word that is none of the first two is a misspelling rather than a file: its
    /// path has to have a slash.
    /// </summary>
    private static string AccessLog(ConfigTable table, string fallback)
    {
        const string Allowed = "\"off\", \"stdout\" or the path of a file, such as \"/var/log/spawngate/access.log\" or \"./access.log\"";
        string? target = table.Text(
            "access_log",
            null,
            static text => text is ServerConfig.AccessLogOff or ServerConfig.AccessLogStdout || IsPath(text),
            Allowed
        );
        if (target is ServerConfig.AccessLogOff or ServerConfig.AccessLogStdout or null)
        {
            return target ?? fallback;
        }

        if (AppendFile.FindProblem(target) is { } problem && table.Find("access_log") is { } entry)
        {
            table.Report(
                entry.Value.Position,
                entry.Name,
                $"found {ConfigText.Describe(entry.Value)}, {problem}, allowed is {Allowed} that can be written"
            );
        }

        return target;
    }

    private static MemoryLimit? MemoryLimitOf(ConfigTable table) =>
        table.Text("memory_limit", null, static text => MemoryLimit.Parse(text) is not null, MemoryLimit.Allowed) is { } text
            ? MemoryLimit.Parse(text)
            : null;

    private static Uri? OtlpEndpoint(ConfigTable table) =>
        table.Text(
            "otlp_endpoint",
            null,
            static text => TryParseCollector(text, out _),
            "the address of an OTLP collector over HTTP, such as \"http://127.0.0.1:4318\""
        )
            is { } text
        && TryParseCollector(text, out var collector)
            ? collector
            : null;

    private static bool TryParseCollector(string text, out Uri? collector) =>
        Uri.TryCreate(text, UriKind.Absolute, out collector) && collector is { Scheme: "http", Query: "", Fragment: "", UserInfo: "" };

    private static bool IsPath(string text) => ConfigText.IsFilled(text) && (text.Contains('/') || Path.IsPathRooted(text));

    private static IReadOnlyList<IPNetwork> TrustedProxies(ConfigTable table, IReadOnlyList<IPNetwork> fallback)
    {
        if (table.Find("trusted_proxies") is not { } entry)
        {
            return fallback;
        }

        if (entry.Value is not TomlArray array)
        {
            table.ReportValue(entry, $"an array, each element {NetworkAllowed}");
            return fallback;
        }

        var networks = new List<IPNetwork>(array.Items.Count);
        for (var i = 0; i < array.Items.Count; i++)
        {
            var error = $"allowed is {NetworkAllowed}";
            if (array.Items[i] is TomlString text && TryParseNetwork(text.Value, out var network, ref error))
            {
                networks.Add(network);
            }
            else
            {
                table.ReportElement(entry, i, $"found {ConfigText.Describe(array.Items[i])}, {error}");
            }
        }

        return networks;
    }

    /// <summary>
    /// An address alone is a network of one. Bits after the prefix are refused: <c>10.1.2.3/8</c> may mean one machine, and would trust 16
    /// million.
    /// </summary>
    private static bool TryParseNetwork(string text, out IPNetwork network, ref string error)
    {
        network = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (
            !TryParseAddress(slash < 0 ? text : text[..slash], out var address)
            || address is { AddressFamily: AddressFamily.InterNetworkV6, ScopeId: not 0 }
        )
        {
            return false;
        }

        var bits = address.GetAddressBytes().Length * 8;
        var prefix = bits;
        if (slash >= 0 && !(IsDecimal(text.AsSpan(slash + 1)) && int.TryParse(text.AsSpan(slash + 1), out prefix) && prefix <= bits))
        {
            error = $"allowed after / is a whole number from 0 to {bits}";
            return false;
        }

        var masked = Mask(address, prefix);
        if (!masked.Equals(address))
        {
            error =
                $"which has bits set after the first {prefix}; allowed is the network \"{masked}/{prefix}\" or the "
                + $"address \"{address}\" alone";
            return false;
        }

        network =
            address.IsIPv4MappedToIPv6 && prefix >= 96 ? new IPNetwork(address.MapToIPv4(), prefix - 96) : new IPNetwork(address, prefix);
        return true;
    }

    private static bool IsDecimal(ReadOnlySpan<char> text) => !text.IsEmpty && !text.ContainsAnyExceptInRange('0', '9');

    private static IPAddress Mask(IPAddress address, int prefix)
    {
        var bytes = address.GetAddressBytes();
        for (var i = 0; i < bytes.Length; i++)
        {
            var keptBits = Math.Clamp(prefix - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xFF << (8 - keptBits));
        }

        return new IPAddress(bytes);
    }

    /// <summary>A key: how its value is printed, and whether it has another one in another configuration.</summary>
    private sealed record ServerKey(string Name, Func<ServerConfig, string> Print)
    {
        /// <summary>What is not printed in full is compared otherwise.</summary>
        public Func<ServerConfig, ServerConfig, bool> Differs { get; init; } = (server, other) => Print(server) != Print(other);
    }
}
