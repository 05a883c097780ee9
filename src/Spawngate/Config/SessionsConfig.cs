using System.Globalization;
using Spawngate.Platform;

namespace Spawngate.Config;

/// <summary>The <c>[sessions]</c> table: what a call may have started for itself.</summary>
internal sealed record SessionsConfig
{
    /// <summary>What stands for the id in <see cref="UrlTemplate"/>.</summary>
    public const string IdMark = "{}";

    /// <summary>A session answers at <c>{id}.{domain}</c>; in the form in which hosts are compared.</summary>
    public required string Domain { get; init; }

    /// <summary>Address of a session with <see cref="IdMark"/> for its id; null for the proxy's own.</summary>
    public string? UrlTemplate { get; init; }

    /// <summary>
    /// Prefix of the addresses of the admin API that a call is given, without a slash at its end; null for the admin address.
    /// </summary>
    public string? ApiBase { get; init; }

    /// <summary>Sessions that live at once.</summary>
    public int Max { get; init; } = ConfigLimits.SessionsUsual;

    /// <summary>Images that a call may name itself; <c>*</c> stands for any text.</summary>
    public IReadOnlyList<string> AllowImages { get; init; } = [];

    /// <summary>The templates in file order; names are unique.</summary>
    public IReadOnlyList<SessionTemplate> Templates { get; init; } = [];

    /// <summary>The timings of a session without template.</summary>
    public BackendTimings Defaults { get; init; } = new();

    /// <summary>The template of that name; null when there is none.</summary>
    public SessionTemplate? FindTemplate(string name) => Templates.FirstOrDefault(template => template.Name == name);

    /// <summary>The address template in force.</summary>
    public string UrlTemplateOf(ServerConfig server) =>
        UrlTemplate
        ?? string.Create(CultureInfo.InvariantCulture, $"http://{IdMark}.{Domain}{(server.Port == 80 ? "" : $":{server.Port}")}/");

    /// <summary>The prefix of API addresses in force.</summary>
    public string ApiBaseOf(ServerConfig server) => ApiBase ?? $"http://{LocalAddress.Of(server.AdminBind, server.AdminPort)}";

    /// <summary>Addresses of the Docker engines that sessions may need; null among them is the usual search.</summary>
    public IEnumerable<string?> DockerHosts()
    {
        IEnumerable<string?> hosts = Templates
            .Where(static template => template.Backend.Docker is not null)
            .Select(static template => template.Backend.Docker!.DockerHost);
        return AllowImages.Count == 0 ? hosts : hosts.Append(null);
    }
}

/// <summary>One <c>[sessions.templates.NAME]</c> table.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Backend">The settings of its sessions; host, container and idle time are those of each session.</param>
internal sealed record SessionTemplate(string Name, BackendConfig Backend)
{
    /// <summary>Seconds without use after which a session is swept, unless the file says otherwise.</summary>
    public const int GracePeriodSecsDefault = 300;

    /// <summary>Seconds without use after which a session is swept.</summary>
    public int GracePeriodSecs { get; init; } = GracePeriodSecsDefault;

    /// <summary>Seconds after its creation at which it ends in any case; 0 for none.</summary>
    public int LifetimeLimitSecs { get; init; }

    /// <summary>Patterns of the variables that a call may set, see <see cref="CallerVariables.Allows"/>; null for any.</summary>
    public IReadOnlyList<string>? AllowEnv { get; init; }

    /// <summary>Whether two tables mean the same, wherever they stand.</summary>
    public bool HasSameSettings(SessionTemplate other) =>
        Name == other.Name
        && GracePeriodSecs == other.GracePeriodSecs
        && LifetimeLimitSecs == other.LifetimeLimitSecs
        && (AllowEnv is null ? other.AllowEnv is null : other.AllowEnv is not null && AllowEnv.SequenceEqual(other.AllowEnv))
        && Backend.HasSameSettings(other.Backend);
}
