using Spawngate.Config;
using Spawngate.Config.Toml;

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

        BackendConfig? settings = template?.Backend ?? OfImage(config, request.Image!);
        error = settings is null
            ? SpawnError.ImageNotAllowed(request.Image!)
            : ImageError(config, settings.Settings, request)
                ?? PortError(config, settings.Settings, request)
                ?? EnvError(template, request);
        if (error is not null)
        {
            return null;
        }

        settings = settings! with
        {
            Settings = request.Image is { } image ? settings.Settings.WithImage(image) : settings.Settings,
            Port = request.Port ?? settings.Port,
        };

        return new SpawnPlan(
            template?.Name ?? SessionTotals.NoTemplate,
            settings with
            {
                Env = Merge(settings.Env, request.Env),
            },
            request.GracePeriodSecs ?? template?.GracePeriodSecs ?? SessionTemplate.GracePeriodSecsDefault,
            template?.LifetimeLimitSecs ?? 0
        );
    }

    /// <summary>The settings of one session.</summary>
    /// <param name="hostname">Its host.</param>
    /// <param name="id">Its id.</param>
    /// <param name="key">Its key; null without one.</param>
    public BackendConfig For(string hostname, string id, string? key) =>
        Settings with
        {
            Route = new BackendRoute(hostname),
            IdleTimeoutSecs = GracePeriodSecs,

            // Behind what template and call say: the last of a name holds. Without a key it is empty, as one that the gateway itself
            // inherited would be taken for it.
            Env = [.. Settings.Env, new(CallerVariables.SessionId, id), new(CallerVariables.SessionKey, key ?? "")],
            Settings = Settings.Settings.ForSession(hostname),
        };

    private static SessionTemplate? FindTemplate(SessionsConfig config, SpawnRequest request, out SpawnError? error)
    {
        error = null;
        string names =
            config.Templates.Count == 0
                ? "there are none"
                : $"allowed are {string.Join(", ", config.Templates.Select(static template => template.Name))}";
        if (request.Template is { } name)
        {
            SessionTemplate? template = config.FindTemplate(name);
            error = template is null
                ? SpawnError.BadField("template", $"found {ConfigText.Quote(name)}, which is no template, {names}")
                : null;
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

    private static BackendConfig? OfImage(SessionsConfig config, string image) =>
        config.Kinds.OfImages is not { } kind
            ? null
            : new BackendConfig(config.Defaults)
            {
                Route = BackendRoute.None,
                Port = SessionLimits.ImagePort,
                Settings = kind.OfImage(image),
            };

    private static SpawnError? ImageError(SessionsConfig config, KindSettings settings, SpawnRequest request)
    {
        if (request.Image is not { } image)
        {
            return null;
        }

        if (!settings.Kind.RunsImages)
        {
            return SpawnError.BadField(
                "image",
                $"found with a template of type \"{settings.Kind.Name}\", allowed only for {config.Kinds.TitlesOfImages}"
            );
        }

        return TextPattern.MatchesAny(config.AllowImages, image) || (request.Template is not null && image == settings.ImageReference)
            ? null
            : SpawnError.ImageNotAllowed(image);
    }

    private static SpawnError? PortError(SessionsConfig config, KindSettings settings, SpawnRequest request) =>
        request.Port is null || !settings.UsesLoopbackPort
            ? null
            : SpawnError.BadField(
                "port",
                $"found with a template of type \"{settings.Kind.Name}\", whose sessions get a free port each, "
                    + $"allowed only for {config.Kinds.TitlesOfImages}"
            );

    /// <summary>A call that names an image and no template gets a container of nobody's: there it may set what it likes.</summary>
    private static SpawnError? EnvError(SessionTemplate? template, SpawnRequest request)
    {
        if (
            template is null
            || request.Env.FirstOrDefault(variable => !CallerVariables.Allows(template.AllowEnv, variable.Key)).Key is not { } name
        )
        {
            return null;
        }

        string key = $"{SessionKeys.Section}.{SessionKeys.Templates}.{TomlKeyPath.Quote(template.Name)}.{SessionKeys.AllowEnv}";
        return SpawnError.EnvNotAllowed(
            name,
            TextPattern.MatchesAny(template.AllowEnv!, name)
                ? $"found a variable that steers loaders, interpreters or libraries, which {key} allows by its whole name only"
                : $"found a variable that {key} does not allow"
        );
    }

    private static IReadOnlyList<KeyValuePair<string, string>> Merge(
        IReadOnlyList<KeyValuePair<string, string>> settings,
        IReadOnlyList<KeyValuePair<string, string>> request
    )
    {
        if (request.Count == 0)
        {
            return settings;
        }

        HashSet<string> replaced = [.. request.Select(static variable => variable.Key)];
        return [.. settings.Where(variable => !replaced.Contains(variable.Key)), .. request];
    }
}
