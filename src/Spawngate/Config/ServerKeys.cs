using System.Net;
using System.Net.Sockets;
using Spawngate.Logging;
using Spawngate.Platform;
using Spawngate.Protocols.Toml;
using Spawngate.Telemetry;
using static Spawngate.Config.ConfigLines;

namespace Spawngate.Config;

/// <summary>The keys of <c>[server]</c>: their names, how they are read, and how they are printed.</summary>
internal static class ServerKeys
{
    private const string AddressAllowed = "an IPv4 or IPv6 address, such as \"0.0.0.0\", \"127.0.0.1\" or \"::\"";
    private const string NoLimit = " (0 = no limit)";
    private const string NetworkAllowed = "an address or a network, such as \"10.0.0.1\", \"10.0.0.0/8\" or \"fd00::/8\"";

    /// <summary>Their names.</summary>
    public static readonly string[] All =
    [
        "port",
        "bind",
        "admin_port",
        "admin_bind",
        "admin_token",
        "pool_max_idle_per_host",
        "pool_idle_timeout_secs",
        "pid_file",
        "trusted_proxies",
        "max_connections",
        "max_header_bytes",
        "max_headers",
        "memory_limit",
        "max_connections_per_address",
        "max_requests_per_address",
        "request_rate_per_address",
        "header_timeout_secs",
        "keep_alive_timeout_secs",
        "access_log",
        "access_log_format",
        "log_format",
        "server_timing",
        "otlp_endpoint",
    ];

    /// <summary>Writes the effective settings, in the order of <see cref="All"/>.</summary>
    public static void Print(ServerConfig server, ConfigLines to)
    {
        to.Text("[server]");
        to.Line("port", server.Port);
        to.Line("bind", Quoted(server.Bind.ToString()));
        to.Line("admin_port", server.AdminPort);
        to.Line("admin_bind", Quoted(server.AdminBind.ToString()));
        to.Line("admin_token", server.AdminToken is null ? "# unset" : "# set, not shown");
        to.Line("pool_max_idle_per_host", server.PoolMaxIdlePerHost);
        to.Line("pool_idle_timeout_secs", server.PoolIdleTimeoutSecs);
        to.Line("pid_file", server.PidFile is null ? "# none" : Quoted(server.PidFile));
        to.Line("trusted_proxies", List(server.TrustedProxies.Select(network => network.ToString())));
        to.Line("max_connections", server.MaxConnections);
        to.Line("max_header_bytes", server.MaxHeaderBytes);
        to.Line("max_headers", server.MaxHeaders);
        to.Line("memory_limit", Quoted(server.MemoryLimit.Text));
        to.Line("max_connections_per_address", server.MaxConnectionsPerAddress);
        to.Line("max_requests_per_address", server.MaxRequestsPerAddress);
        to.Line("request_rate_per_address", server.RequestRatePerAddress);
        to.Line("header_timeout_secs", server.HeaderTimeoutSecs);
        to.Line("keep_alive_timeout_secs", server.KeepAliveTimeoutSecs);
        to.Line("access_log", Quoted(server.AccessLog));
        to.Line("access_log_format", server.AccessLogFormat == AccessLogFormat.Json ? Quoted("json") : Quoted("combined"));
        to.Line("log_format", server.LogFormat == LogFormat.Json ? Quoted("json") : Quoted("text"));
        to.Line("server_timing", server.ServerTiming ? "true" : "false");
        to.Line("otlp_endpoint", server.OtlpEndpoint is null ? "# none" : Quoted(server.OtlpEndpoint.OriginalString));
    }

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
}
