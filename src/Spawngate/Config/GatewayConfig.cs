namespace Spawngate.Config;

/// <summary>A whole, valid configuration file.</summary>
internal sealed record GatewayConfig
{
    /// <summary>The file it was read from, as given by the user.</summary>
    public string Path { get; init; } = "";

    /// <summary>The <c>[server]</c> table.</summary>
    public ServerConfig Server { get; init; } = new();

    /// <summary>The <c>[defaults]</c> table.</summary>
    public BackendTimings Defaults { get; init; } = new();

    /// <summary>All backends in file order; host names are unique.</summary>
    public IReadOnlyList<BackendConfig> Backends { get; init; } = [];

    /// <summary>The <c>[sessions]</c> table; null when there is none.</summary>
    public SessionsConfig? Sessions { get; init; }
}
