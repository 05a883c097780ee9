using System.Net;
using Spawngate.Logging;
using Spawngate.Telemetry;

namespace Spawngate.Config;

/// <summary>The <c>[server]</c> table, with defaults applied. A changed key needs a restart.</summary>
internal sealed record ServerConfig
{
    /// <summary>No access log.</summary>
    public const string AccessLogOff = "off";

    /// <summary>The access log goes to standard output.</summary>
    public const string AccessLogStdout = "stdout";

    /// <summary>Port of the proxy listener.</summary>
    public int Port { get; init; } = 80;

    /// <summary>Address the proxy listener binds to.</summary>
    public IPAddress Bind { get; init; } = IPAddress.Any;

    /// <summary>Port of the admin API.</summary>
    public int AdminPort { get; init; } = 9999;

    /// <summary>Address the admin API binds to.</summary>
    public IPAddress AdminBind { get; init; } = IPAddress.Loopback;

    /// <summary>Bearer token of the admin API; null when none is asked for.</summary>
    public string? AdminToken { get; init; }

    /// <summary>Idle upstream connections kept per backend.</summary>
    public int PoolMaxIdlePerHost { get; init; } = 10;

    /// <summary>Seconds an idle upstream connection is kept.</summary>
    public int PoolIdleTimeoutSecs { get; init; } = 90;

    /// <summary>Path of the PID file; null when none is written.</summary>
    public string? PidFile { get; init; }

    /// <summary>Networks whose X-Forwarded-* headers are believed.</summary>
    public IReadOnlyList<IPNetwork> TrustedProxies { get; init; } =
    [new IPNetwork(IPAddress.Parse("127.0.0.0"), 8), new IPNetwork(IPAddress.IPv6Loopback, 128)];

    /// <summary>Client connections served at once; more wait in the accept backlog.</summary>
    public int MaxConnections { get; init; } = 65536;

    /// <summary>Whether the file says how many those are: then somebody counts on it.</summary>
    public bool SetsMaxConnections { get; init; }

    /// <summary>Bound of request line and headers together, in bytes (431).</summary>
    public int MaxHeaderBytes { get; init; } = 32768;

    /// <summary>Bound of the number of header fields (431).</summary>
    public int MaxHeaders { get; init; } = 100;

    /// <summary>Bound of all that clients make the gateway hold; past 3/4 of it whoever holds most is refused or cut first.</summary>
    public MemoryLimit MemoryLimit { get; init; } = MemoryLimit.Standard;

    /// <summary>Connections of one client address; more are closed. 0 = no limit.</summary>
    public int MaxConnectionsPerAddress { get; init; }

    /// <summary>Requests in flight of one client address (429). 0 = no limit.</summary>
    public int MaxRequestsPerAddress { get; init; }

    /// <summary>Requests a second of one client address (429). 0 = no limit.</summary>
    public int RequestRatePerAddress { get; init; }

    /// <summary>Seconds a client may take to send a head (408).</summary>
    public int HeaderTimeoutSecs { get; init; } = 10;

    /// <summary>Seconds an idle client connection is kept.</summary>
    public int KeepAliveTimeoutSecs { get; init; } = 75;

    /// <summary>Where the access log goes: <see cref="AccessLogOff"/>, <see cref="AccessLogStdout"/>, or the path of a file.</summary>
    public string AccessLog { get; init; } = AccessLogOff;

    /// <summary>How its lines are written.</summary>
    public AccessLogFormat AccessLogFormat { get; init; }

    /// <summary>How the gateway's own log is written.</summary>
    public LogFormat LogFormat { get; init; }

    /// <summary>Whether responses say in Server-Timing where the time went.</summary>
    public bool ServerTiming { get; init; }

    /// <summary>The collector that gets a span for every sampled request; null for none.</summary>
    public Uri? OtlpEndpoint { get; init; }
}
