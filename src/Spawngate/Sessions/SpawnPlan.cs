using Spawngate.Config;

namespace Spawngate.Sessions;

/// <summary>What a session is made of: a template, and what the call says otherwise.</summary>
/// <param name="Template">Name of the template, or <see cref="SessionTotals.NoTemplate"/>.</param>
/// <param name="Settings">The settings; host, container and idle time are put in for each session.</param>
/// <param name="GracePeriodSecs">Seconds without use after which it is swept.</param>
/// <param name="LifetimeLimitSecs">Seconds after which it ends in any case; 0 for none.</param>
internal sealed record SpawnPlan(string Template, BackendConfig Settings, int GracePeriodSecs, int LifetimeLimitSecs)
{
    /// <summary>Makes the plan of a call.</summary>
    /// <returns>Null, with the reason, when the configuration does not allow it.</returns>
    public static SpawnPlan? Make(SessionsConfig config, SpawnRequest request, out SpawnError? error)
    {
        SessionTemplate? template = FindTemplate(config, request, out error);
        if (error is not null)
        {
            return null;
        }

        BackendConfig settings = template?.Backend ?? OfImage(config, request.Image!);
        error = settings.Docker is null ? LocalError(request) : ImageError(config, settings.Docker, request);
        if (error is not null)
        {
            return null;
        }

        if (settings.Docker is { } docker)
        {
            settings = settings with { Docker = docker with { Image = request.Image ?? docker.Image }, Port = request.Port ?? settings.Port };
        }

        return new SpawnPlan(
            template?.Name ?? SessionTotals.NoTemplate,
            settings with { Env = Merge(settings.Env, request.Env) },
            request.GracePeriodSecs ?? template?.GracePeriodSecs ?? SessionTemplate.GracePeriodSecsDefault,
            template?.LifetimeLimitSecs ?? 0);
    }

    /// <summary>The settings of one session.</summary>
    public BackendConfig For(string hostname) => Settings with
    {
        Hostname = hostname,
        IdleTimeoutSecs = GracePeriodSecs,
        Docker = Settings.Docker is { } docker ? docker with { ContainerName = DockerKeys.DefaultContainerName(hostname) } : null,
    };

    private static SessionTemplate? FindTemplate(SessionsConfig config, SpawnRequest request, out SpawnError? error)
    {
        error = null;
        string names = config.Templates.Count == 0 ? "there are none" : $"allowed are {string.Join(", ", config.Templates.Select(static template => template.Name))}";
        if (request.Template is { } name)
        {
            SessionTemplate? template = config.FindTemplate(name);
            error = template is null ? SpawnError.BadField("template", $"found {ConfigText.Quote(name)}, which is no template, {names}") : null;
            return template;
        }

        if (request.Image is not null)
        {
            return null;
        }

        if (config.Templates.Count == 1)
        {
            return config.Templates[0];
        }

        error = SpawnError.BadField("template", $"found no such field, {names}");
        return null;
    }

    private static BackendConfig OfImage(SessionsConfig config, string image) => new(config.Defaults)
    {
        Hostname = "",
        Kind = BackendKind.Docker,
        Port = Limits.SessionImagePort,
        Docker = new DockerConfig { Image = image, ContainerName = "" },
    };

    private static SpawnError? LocalError(SpawnRequest request) =>
        request.Image is not null ? SpawnError.BadField("image", "found with a template of type \"local\", allowed only for Docker")
        : request.Port is not null ? SpawnError.BadField("port", "found with a template of type \"local\", whose sessions get a free port each, allowed only for Docker")
        : null;

    private static SpawnError? ImageError(SessionsConfig config, DockerConfig docker, SpawnRequest request) =>
        request.Image is not { } image || ImageRule.Allows(config.AllowImages, image) || (request.Template is not null && image == docker.Image)
            ? null
            : SpawnError.ImageNotAllowed(image);

    private static IReadOnlyList<KeyValuePair<string, string>> Merge(IReadOnlyList<KeyValuePair<string, string>> settings, IReadOnlyList<KeyValuePair<string, string>> request)
    {
        if (request.Count == 0)
        {
            return settings;
        }

        HashSet<string> replaced = [.. request.Select(static variable => variable.Key)];
        return [.. settings.Where(variable => !replaced.Contains(variable.Key)), .. request];
    }
}
