using Spawngate.Protocols.Toml;

namespace Spawngate.Config;

/// <summary>A backend as read, with its table for the checks that need positions.</summary>
/// <param name="Config">Its effective settings.</param>
/// <param name="Table">Where they came from.</param>
internal readonly record struct ReadBackend(BackendConfig Config, ConfigTable Table);

/// <summary>The keys of a <c>[backends."…"]</c> table.</summary>
internal static class BackendKeys
{
    private static readonly string[] LocalOnly = ["command", "working_dir"];

    /// <summary>The names of all keys that any backend may have.</summary>
    public static readonly string[] All = ["type", "port", "args", "env", .. LocalOnly, .. DockerKeys.All, .. TimingKeys.All];

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

            var problem = HostName.Normalise(entry.Name, out var hostname);
            if (problem is not null)
            {
                hosts.Report(entry.Position, entry.Name, problem);
            }

            if (hosts.Table(entry.Name) is { } table)
            {
                backends.Add(new ReadBackend(Read(table, problem is null ? hostname : "", defaults, folderExists), table));
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
        while (below is { Entries: [{ Value: TomlTable next } only, ..] } && !All.Contains(only.Name))
        {
            name = $"{name}.{only.Name}";
            below = next;
        }

        var isSplit = name != entry.Name && HasAny(below!, All);
        if (isSplit)
        {
            hosts.Report(entry.Position, entry.Name, $"found a host name without quotes, allowed is [backends.\"{name}\"]");
        }

        return isSplit;
    }

    private static BackendConfig Read(ConfigTable table, string hostname, BackendTimings defaults, Func<string, bool> folderExists)
    {
        table.ReportUnknown(All, "a backend");
        return ReadSettings(table, hostname, defaults, folderExists);
    }

    /// <summary>Takes the keys of a backend out of a table; what else stands there is the caller's.</summary>
    public static BackendConfig ReadSettings(ConfigTable table, string hostname, BackendTimings defaults, Func<string, bool> folderExists)
    {
        var kind = ReadKind(table);
        ReportKeysOfOtherKind(table, kind);
        return new BackendConfig(TimingKeys.Read(table, defaults))
        {
            Hostname = hostname,
            Kind = kind ?? BackendKind.Docker, // Never used: not to know the kind is an error, and as Docker it claims no port.
            Port = ReadPort(table, kind),
            Command = kind == BackendKind.Local ? ReadCommand(table) : null,
            Args = table.TextList("args", ConfigText.IsWithoutNul, "a string (in quotes, numbers too, without NUL)"),
            WorkingDir = kind == BackendKind.Local ? ReadWorkingDir(table, folderExists) : null,
            Env = ReadEnv(table),
            Docker = kind == BackendKind.Docker ? DockerKeys.Read(table, hostname) : null,
            File = table.File,
            Position = table.Toml.HeaderPosition,
        };
    }

    /// <summary>The kind, or null when it cannot be told: then nothing that depends on it is checked.</summary>
    private static BackendKind? ReadKind(ConfigTable table)
    {
        var type = table.Text("type", null, text => text is "local" or "docker", "\"local\" or \"docker\"");
        if (type is not null)
        {
            return type == "docker" ? BackendKind.Docker : BackendKind.Local;
        }

        return table.Find("type") is null && !LacksDockerType(table) ? BackendKind.Local : null;
    }

    /// <summary>Docker keys and no command: what is missing is the type.</summary>
    private static bool LacksDockerType(ConfigTable table) =>
        table.Find("type") is null && table.Find("command") is null && HasAny(table.Toml, DockerKeys.All);

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

    private static void ReportKeysOfOtherKind(ConfigTable table, BackendKind? kind)
    {
        var lacksType = LacksDockerType(table);
        foreach (var entry in table.Toml.Entries)
        {
            if (kind == BackendKind.Docker && LocalOnly.Contains(entry.Name))
            {
                var instead = entry.Name == "command" ? "; the container's command line is args" : "";
                table.Report(entry.Position, entry.Name, $"found in a docker backend, allowed only with type = \"local\"{instead}");
            }
            else if ((kind == BackendKind.Local || lacksType) && DockerKeys.All.Contains(entry.Name))
            {
                var where = lacksType ? "a backend without type" : "a local backend";
                table.Report(entry.Position, entry.Name, $"found in {where}, allowed only with type = \"docker\"");
            }
        }
    }

    private static int ReadPort(ConfigTable table, BackendKind? kind)
    {
        if (kind != BackendKind.Docker)
        {
            return table.Int("port", 0, 0, ConfigLimits.PortMax, " (0 = a free port is chosen at each start)");
        }

        if (table.Find("port") is null)
        {
            table.ReportMissing("port", "a docker backend needs the port its container listens on, such as port = 3000");
        }

        return table.Int("port", 0, 1, ConfigLimits.PortMax, " (the container's port)");
    }

    private static string? ReadCommand(ConfigTable table)
    {
        if (table.Find("command") is null)
        {
            table.ReportMissing(
                "command",
                "a local backend needs the program to run, such as command = \"node\" (its arguments go into args)"
            );
        }

        return table.Text("command", null, ConfigText.IsFilled, "the name or path of a program");
    }

    private static string? ReadWorkingDir(ConfigTable table, Func<string, bool> folderExists)
    {
        var folder = table.Text("working_dir", null, ConfigText.IsFilled, "the path of an existing folder");
        if (folder is null || folderExists(folder))
        {
            return folder;
        }

        var hint = folder.StartsWith('~') ? "; ~ is not expanded, write the home folder out" : "";
        table.ReportValue(table.Find("working_dir")!.Value, $"the path of an existing folder{hint}");
        return null;
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
