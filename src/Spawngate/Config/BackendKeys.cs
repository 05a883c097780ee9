using Spawngate.Config.Toml;

namespace Spawngate.Config;

/// <summary>A backend as read, with its table for the checks that need positions.</summary>
/// <param name="Config">Its effective settings.</param>
/// <param name="Table">Where they came from.</param>
internal readonly record struct ReadBackend(BackendConfig Config, ConfigTable Table);

/// <summary>The keys of a <c>[backends."…"]</c> table.</summary>
internal static class BackendKeys
{
    /// <summary>The key that gives a backend its name.</summary>
    public const string Name = "name";

    /// <summary>The keys that every backend and every template may have, beside those of its kind and <see cref="TimingKeys"/>.</summary>
    public static readonly IReadOnlyList<string> Common = ["type", "port", "args", "env"];

    /// <summary>The keys that backends may have and templates may not.</summary>
    public static readonly IReadOnlyList<string> OfBackends = [Name];

    private static readonly string NameAllowed =
        $"1 to {ConfigLimits.BackendNameCharsMax} letters, digits, -, ., _ and *, the first a letter, a digit or *, the last no dot";

    /// <summary>Reads every backend of the file. One that has errors comes back too, with defaults in their place.</summary>
    public static List<ReadBackend> ReadAll(ConfigTable root, BackendTimings defaults, Func<string, bool> folderExists)
    {
        if (root.Find("backends") is { Value: TomlArray { IsArrayOfTables: true } } array)
        {
            root.Report(
                array.Value.Position,
                array.Name,
                "found an array of tables, allowed is one table per host: [backends.\"host.name\"]"
            );
            return [];
        }

        if (root.Table("backends") is not { } hosts)
        {
            return [];
        }

        var backends = new List<ReadBackend>(hosts.Toml.Entries.Length);
        foreach (var entry in hosts.Toml.Entries)
        {
            if (ReportSplitHost(hosts, entry))
            {
                continue;
            }

            if (BackendRoute.Parse(entry.Name, out var route) is { } problem)
            {
                hosts.Report(entry.Position, entry.Name, problem);
            }

            if (hosts.Table(entry.Name) is { } table)
            {
                backends.Add(new ReadBackend(Read(table, route, defaults, folderExists), table));
            }
        }

        return backends;
    }

    /// <summary>
    /// A host name without quotes, <c>[backends.api.example.com]</c>, is to TOML a chain of tables. If one that looks like a backend hangs
    /// at its end, the missing quotes are the one mistake to report.
    /// </summary>
    private static bool ReportSplitHost(ConfigTable hosts, TomlEntry entry)
    {
        var name = entry.Name;
        var below = entry.Value as TomlTable;
        while (below is { Entries: [{ Value: TomlTable next } only, ..] } && !hosts.Kinds.Keys.Contains(only.Name))
        {
            name = $"{name}.{only.Name}";
            below = next;
        }

        var isSplit = name != entry.Name && HasAny(below!, hosts.Kinds.Keys);
        if (isSplit)
        {
            hosts.Report(entry.Position, entry.Name, $"found a host name without quotes, allowed is [backends.\"{name}\"]");
        }

        return isSplit;
    }

    private static BackendConfig Read(ConfigTable table, BackendRoute route, BackendTimings defaults, Func<string, bool> folderExists)
    {
        table.ReportUnknown(table.Kinds.BackendKeys, "a backend");
        return ReadSettings(table, route, ReadName(table, route), defaults, folderExists);
    }

    /// <summary>Takes the keys out of a table that backends and templates have; what else stands there is the caller's.</summary>
    public static BackendConfig ReadSettings(
        ConfigTable table,
        BackendRoute route,
        string? givenName,
        BackendTimings defaults,
        Func<string, bool> folderExists
    )
    {
        var kind = ReadKind(table);
        table.Kinds.ReportKeysOfOthers(table, kind);
        return new BackendConfig(TimingKeys.Read(table, defaults))
        {
            Route = route,
            GivenName = givenName,
            Port = (kind ?? table.Kinds.Default).ReadPort(table),
            Args = table.TextList("args", ConfigText.IsWithoutNul, "a string (in quotes, numbers too, without NUL)"),
            Env = ReadEnv(table),
            Settings = kind?.Read(table, givenName ?? route.ToString(), folderExists) ?? UnknownKind.Settings,
            File = table.File,
            Position = table.Toml.HeaderPosition,
        };
    }

    /// <summary>The name that the table gives; null when that is none, or the route, as which it is called anyway.</summary>
    private static string? ReadName(ConfigTable table, BackendRoute route)
    {
        var name = table.Text(Name, null, IsName, NameAllowed)?.ToLowerInvariant();
        return name == route.ToString() ? null : name;
    }

    /// <summary>One that needs no escapes in addresses, and is none of the labels that metrics have for what is no backend.</summary>
    private static bool IsName(string text) =>
        text.Length is > 0 and <= ConfigLimits.BackendNameCharsMax
        && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '*')
        && (char.IsAsciiLetterOrDigit(text[0]) || text[0] == '*')
        && text[^1] != '.';

    /// <summary>The kind, or null when it cannot be told: then nothing that depends on it is checked.</summary>
    private static BackendKind? ReadKind(ConfigTable table)
    {
        var kinds = table.Kinds;
        if (table.Find("type") is null)
        {
            return kinds.LacksType(table) ? null : kinds.Default;
        }

        var type = table.Text("type", null, text => kinds.Find(text) is not null, kinds.NamesAllowed);
        return type is null ? null : kinds.Find(type);
    }

    private static bool HasAny(TomlTable table, string[] keys)
    {
        foreach (var entry in table.Entries)
        {
            if (keys.Contains(entry.Name))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Values may be secrets, so messages name only their kind.</summary>
    private static IReadOnlyList<KeyValuePair<string, string>> ReadEnv(ConfigTable table)
    {
        if (table.Table("env") is not { } env)
        {
            return [];
        }

        var variables = new List<KeyValuePair<string, string>>(env.Toml.Entries.Length);
        foreach (var entry in env.Toml.Entries)
        {
            if (entry.Name.Length == 0 || entry.Name.Contains('=', StringComparison.Ordinal) || !ConfigText.IsWithoutNul(entry.Name))
            {
                env.Report(entry.Position, entry.Name, "found a name that no variable can have, allowed is any text without = and NUL");
            }

            if (entry.Value is not TomlString text)
            {
                env.Report(
                    entry.Value.Position,
                    entry.Name,
                    $"found {entry.Value.Kind}, allowed is a string (in quotes, numbers and booleans too)"
                );
            }
            else if (!ConfigText.IsWithoutNul(text.Value))
            {
                env.Report(entry.Value.Position, entry.Name, "found a string that contains NUL, allowed is a string without it");
            }
            else
            {
                variables.Add(new KeyValuePair<string, string>(entry.Name, text.Value));
            }
        }

        return variables;
    }
}
