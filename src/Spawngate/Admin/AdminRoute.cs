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

    /// <summary><c>/busy/{host}/{token}</c>.</summary>
    Busy,

    /// <summary><c>/spawn</c>.</summary>
    Spawn,

    /// <summary><c>/backend/{id}</c>.</summary>
    Session,

    /// <summary><c>/backend/{id}/ready</c>.</summary>
    SessionReady,

    /// <summary><c>/backend/{id}/status</c>.</summary>
    SessionStatus,

    /// <summary><c>/backend/{id}/status/stream</c>.</summary>
    SessionStatusStream,

    /// <summary><c>/backend/{id}/events</c>.</summary>
    SessionEvents,
}

/// <summary>A path of the admin API, understood.</summary>
/// <param name="Target">What it stands for.</param>
/// <param name="Name">The normalised name of a backend, or the id of a session, in it; empty when it has none.</param>
internal readonly record struct AdminRoute(AdminTarget Target, string Name)
{
    /// <summary>The token in it; empty when it has none.</summary>
    public string Token { get; init; } = "";

    /// <summary>Whether the target is asked for by POST.</summary>
    public bool IsPost =>
        Target
            is AdminTarget.Start
                or AdminTarget.Stop
                or AdminTarget.Restart
                or AdminTarget.Ready
                or AdminTarget.Busy
                or AdminTarget.Spawn;

    /// <summary>Whether it is a session or what makes one.</summary>
    public bool IsOfSessions => Target >= AdminTarget.Spawn;

    /// <summary>Whether the target changes something.</summary>
    public bool Changes => IsPost || Target == AdminTarget.Session;

    /// <summary>
    /// Whether everybody may ask, token or not. <see cref="AdminTarget.Ready"/> and <see cref="AdminTarget.Busy"/> are open here because
    /// they check a token of their own.
    /// </summary>
    public bool IsOpen => Target is AdminTarget.Health or AdminTarget.Version or AdminTarget.Ready or AdminTarget.Busy;

    /// <summary>Value of the Allow header.</summary>
    public string AllowedMethods =>
        IsPost ? "POST"
        : Target == AdminTarget.Session ? "DELETE"
        : "GET, HEAD";

    /// <summary>Whether it may be asked for by that method.</summary>
    public bool Allows(string method) =>
        IsPost ? HttpMethods.IsPost(method)
        : Target == AdminTarget.Session ? HttpMethods.IsDelete(method)
        : HttpMethods.IsGet(method) || HttpMethods.IsHead(method);

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
            ["", "busy", { Length: > 0 } host, { Length: > 0 } token] => new(AdminTarget.Busy, Normalise(host)) { Token = token },
            ["", "spawn"] => new(AdminTarget.Spawn, ""),
            ["", "backend", { Length: > 0 } id] => new(AdminTarget.Session, id),
            ["", "backend", { Length: > 0 } id, "ready"] => new(AdminTarget.SessionReady, id),
            ["", "backend", { Length: > 0 } id, "status"] => new(AdminTarget.SessionStatus, id),
            ["", "backend", { Length: > 0 } id, "status", "stream"] => new(AdminTarget.SessionStatusStream, id),
            ["", "backend", { Length: > 0 } id, "events"] => new(AdminTarget.SessionEvents, id),
            _ => new(AdminTarget.None, ""),
        };
    }

    /// <summary>A path for the log, which gets no token.</summary>
    public static string WithoutToken(string path) => Parse(path) is { Token.Length: > 0 } route ? $"/busy/{route.Name}/…" : path;

    /// <summary>A host name as the configuration's keys are compared: lower case, without port and trailing dot.</summary>
    public static string Normalise(string host)
    {
        int colon = host.IndexOf(':', host.LastIndexOf(']') + 1);
        string name = colon < 0 ? host : host[..colon];
        return (name.EndsWith('.') ? name[..^1] : name).ToLowerInvariant();
    }

    private static AdminTarget BackendLeaf(string leaf) =>
        leaf switch
        {
            "logs" => AdminTarget.Log,
            "start" => AdminTarget.Start,
            "stop" => AdminTarget.Stop,
            "restart" => AdminTarget.Restart,
            _ => AdminTarget.None,
        };
}
