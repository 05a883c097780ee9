using System.Net;
using Spawngate.Config.Toml;

namespace Spawngate.Config;

/// <summary>The keys of <c>[sessions]</c> and of its templates.</summary>
internal static class SessionKeys
{
    /// <summary>Name of the table.</summary>
    public const string Section = "sessions";

    /// <summary>Name of the table in it that has the templates.</summary>
    public const string Templates = "templates";

    /// <summary>The key of a template that says which variables a call may set.</summary>
    public const string AllowEnv = "allow_env";

    private const string GracePeriod = "grace_period_secs";
    private const string LifetimeLimit = "lifetime_limit_secs";
    private const string DomainAllowed = "a host name without wildcard, such as \"session.localhost\"";
    private const string UrlAllowed =
        "an http or https address with {} in the place of the id, such as \"http://{}.session.localhost:8080/\"";
    private const string ApiBaseAllowed = "an http or https address without query, such as \"http://127.0.0.1:9999\"";
    private const string ImageAllowed = "an image reference, in which * stands for any text, such as \"registry.local/ide:*\"";

    private const string VariableAllowed =
        "the name of a variable that Spawngate does not set itself, in which * stands for any text, such as \"SESSION_*\"";

    /// <summary>The names of the keys of <c>[sessions]</c>.</summary>
    public static readonly string[] All = ["domain", "url_template", "api_base", "max", "allow_images", Templates];

    /// <summary>The names of the keys that only templates have.</summary>
    public static readonly string[] OfTemplates = [GracePeriod, LifetimeLimit, AllowEnv];

    /// <summary>Reads the table; null when the file has none.</summary>
    public static SessionsConfig? Read(ConfigTable root, BackendTimings defaults, Func<string, bool> folderExists)
    {
        if (root.Table(Section) is not { } table)
        {
            return null;
        }

        table.ReportUnknown(All, "[sessions]");
        if (table.Find("domain") is null)
        {
            table.ReportMissing("domain", "sessions need the domain below which they answer, such as domain = \"session.localhost\"");
        }

        return new SessionsConfig
        {
            Domain = ReadDomain(table),
            UrlTemplate = table.Text("url_template", null, IsUrlTemplate, UrlAllowed),
            ApiBase = table.Text("api_base", null, IsApiBase, ApiBaseAllowed)?.TrimEnd('/'),
            Max = table.Int("max", ConfigLimits.SessionsUsual, 1, ConfigLimits.SessionsMax),
            AllowImages = table.TextList("allow_images", ConfigText.IsVisibleAscii, ImageAllowed),
            Templates = ReadTemplates(table, defaults, folderExists),
            Kinds = table.Kinds,
            Defaults = defaults,
        };
    }

    private static string ReadDomain(ConfigTable table)
    {
        if (table.Find("domain") is not { Value: TomlString text } entry)
        {
            return table.Text("domain", "", static _ => true, DomainAllowed)!;
        }

        var problem = HostName.Normalise(text.Value, out var domain);
        if (problem is null && (domain.Contains('*') || domain.StartsWith('[') || IPAddress.TryParse(domain, out _)))
        {
            table.ReportValue(entry, DomainAllowed);
        }
        else if (problem is null && domain.Length > ConfigLimits.SessionDomainCharsMax)
        {
            table.Report(
                entry.Value.Position,
                entry.Name,
                $"found a domain of {domain.Length} characters, allowed are {ConfigLimits.SessionDomainCharsMax}: the "
                    + "id of a session comes before it"
            );
        }
        else if (problem is not null)
        {
            table.Report(entry.Value.Position, entry.Name, problem);
        }

        return domain;
    }

    private static List<SessionTemplate> ReadTemplates(ConfigTable sessions, BackendTimings defaults, Func<string, bool> folderExists)
    {
        if (sessions.Find(Templates) is { Value: TomlArray { IsArrayOfTables: true } } array)
        {
            sessions.Report(
                array.Value.Position,
                array.Name,
                "found an array of tables, allowed is one table per template: [sessions.templates.NAME]"
            );
            return [];
        }

        if (sessions.Table(Templates) is not { } tables)
        {
            return [];
        }

        var templates = new List<SessionTemplate>(tables.Toml.Entries.Length);
        foreach (var entry in tables.Toml.Entries)
        {
            if (!IsTemplateName(entry.Name))
            {
                tables.Report(
                    entry.Position,
                    entry.Name,
                    $"found a name that no template can have, allowed are 1 to {ConfigLimits.SessionTemplateCharsMax} "
                        + "letters, digits, -, _ and ."
                );
            }

            if (tables.Table(entry.Name) is { } table)
            {
                templates.Add(ReadTemplate(table, entry.Name, defaults, folderExists));
            }
        }

        return templates;
    }

    private static SessionTemplate ReadTemplate(ConfigTable table, string name, BackendTimings defaults, Func<string, bool> folderExists)
    {
        table.ReportUnknown([.. table.Kinds.Keys, .. OfTemplates], "a template");
        var backend = BackendKeys.ReadSettings(table, BackendRoute.None, givenName: null, defaults, folderExists);
        ReportWhatSessionsDecide(table, backend);
        return new SessionTemplate(name, backend)
        {
            GracePeriodSecs = table.Int(GracePeriod, SessionTemplate.GracePeriodSecsDefault, 1, ConfigLimits.SecsMax),
            LifetimeLimitSecs = TimingKeys.Secs(table, LifetimeLimit, 0, " (0 = none)"),
            AllowEnv = ReadAllowEnv(table, backend.Kind),
        };
    }

    private static IReadOnlyList<string>? ReadAllowEnv(ConfigTable table, BackendKind kind)
    {
        if (table.Find(AllowEnv) is null)
        {
            return kind.AllowEnvDefault;
        }

        return table.TextList(AllowEnv, CallerVariables.IsPattern, VariableAllowed);
    }

    /// <summary>Of what stands in a template there are many, so nothing in it may be there only once.</summary>
    private static void ReportWhatSessionsDecide(ConfigTable table, BackendConfig backend)
    {
        foreach (var entry in table.Toml.Entries)
        {
            foreach (var kind in table.Kinds.All)
            {
                if (kind.WhyNotInTemplate(entry.Name) is { } reason)
                {
                    table.Report(entry.Position, entry.Name, $"found in a template, allowed only in a backend; {reason}");
                }
            }
        }

        if (table.Find("idle_timeout_secs") is { } idle)
        {
            table.Report(
                idle.Position,
                idle.Name,
                $"found in a template, allowed only in a backend; sessions have {GracePeriod} in its place"
            );
        }

        backend.Settings.CheckTemplate(table, backend.Port);
    }

    private static bool IsTemplateName(string name) =>
        name.Length is > 0 and <= ConfigLimits.SessionTemplateCharsMax
        && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    private static bool IsUrlTemplate(string text) =>
        text.Contains(SessionsConfig.IdMark, StringComparison.Ordinal)
        && IsHttp(text.Replace(SessionsConfig.IdMark, "id", StringComparison.Ordinal), out _);

    private static bool IsApiBase(string text) => IsHttp(text, out var uri) && uri is { Query: "", Fragment: "" };

    private static bool IsHttp(string text, out Uri? uri)
    {
        uri = null;
        return ConfigText.IsVisibleAscii(text)
            && Uri.TryCreate(text, UriKind.Absolute, out uri)
            && (uri.Scheme is "http" or "https")
            && uri.Host.Length > 0;
    }
}
