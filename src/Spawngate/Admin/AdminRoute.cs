namespace Spawngate.Admin;

/// <summary>What a path of the admin API stands for.</summary>
internal enum AdminTarget
{
    /// <summary>No such path.</summary>
    None,

    /// <summary><c>/</c>.</summary>
    Page,

    /// <summary><c>/health</c>.</summary>
    Health,

    /// <summary><c>/version</c>.</summary>
    Version,

    /// <summary><c>/metrics</c>.</summary>
    Metrics,

    /// <summary><c>/events</c>.</summary>
    Events,

    /// <summary><c>/backends</c>.</summary>
    BackendList,

    /// <summary><c>/backends/{host}</c>.</summary>
    Backend,

    /// <summary><c>/backends/{host}/logs</c>.</summary>
    Log,

    /// <summary><c>/backends/{host}/start</c>.</summary>
    Start,

    /// <summary><c>/backends/{host}/stop</c>.</summary>
    Stop,

    /// <summary><c>/backends/{host}/restart</c>.</summary>
    Restart,

    /// <summary><c>/ready/{host}</c>.</summary>
    Ready,
}

/// <summary>A path of the admin API, understood.</summary>
/// <param name="Target">What it stands for.</param>
/// <param name="Hostname">The normalised host name in it; empty when it has none.</param>
internal readonly record struct AdminRoute(AdminTarget Target, string Hostname)
{
    /// <summary>Whether the target changes something and is therefore asked for by POST.</summary>
    public bool IsPost => Target is AdminTarget.Start or AdminTarget.Stop or AdminTarget.Restart or AdminTarget.Ready;

    /// <summary>Whether everybody may ask, token or not. <see cref="AdminTarget.Ready"/> is open here because it checks a token of its own.</summary>
    public bool IsOpen => Target is AdminTarget.Health or AdminTarget.Version or AdminTarget.Ready;

    /// <summary>Value of the Allow header.</summary>
    public string AllowedMethods => IsPost ? "POST" : "GET, HEAD";

    /// <summary>Understands a path, percent-decoding already done.</summary>
    public static AdminRoute Parse(string path)
    {
        string[] parts = path.Split('/');
        return parts switch
        {
            ["", ""] => new(AdminTarget.Page, ""),
            ["", "health"] => new(AdminTarget.Health, ""),
            ["", "version"] => new(AdminTarget.Version, ""),
            ["", "metrics"] => new(AdminTarget.Metrics, ""),
            ["", "events"] => new(AdminTarget.Events, ""),
            ["", "backends"] => new(AdminTarget.BackendList, ""),
            ["", "backends", { Length: > 0 } host] => new(AdminTarget.Backend, Normalise(host)),
            ["", "backends", { Length: > 0 } host, var leaf] => new(BackendLeaf(leaf), Normalise(host)),
            ["", "ready", { Length: > 0 } host] => new(AdminTarget.Ready, Normalise(host)),
            _ => new(AdminTarget.None, ""),
        };
    }

    /// <summary>A host name as the configuration's keys are compared: lower case, without port and trailing dot.</summary>
    public static string Normalise(string host)
    {
        int colon = host.IndexOf(':', host.LastIndexOf(']') + 1);
        string name = colon < 0 ? host : host[..colon];
        return (name.EndsWith('.') ? name[..^1] : name).ToLowerInvariant();
    }

    private static AdminTarget BackendLeaf(string leaf) => leaf switch
    {
        "logs" => AdminTarget.Log,
        "start" => AdminTarget.Start,
        "stop" => AdminTarget.Stop,
        "restart" => AdminTarget.Restart,
        _ => AdminTarget.None,
    };
}
