using Spawngate.Config;
using Spawngate.Config.Toml;

namespace Spawngate.Workloads.Processes;

/// <summary>The keys of <see cref="UnitSettings"/>.</summary>
internal static class UnitKeys
{
    /// <summary>Who makes the listening socket.</summary>
    public const string Listen = "listen";

    /// <summary>The value of <see cref="Listen"/> with which we make it.</summary>
    public const string ListenFd = "fd";

    /// <summary>The user.</summary>
    public const string User = "user";

    /// <summary>The group.</summary>
    public const string Group = "group";

    /// <summary>The file of variables.</summary>
    public const string EnvFile = "env_file";

    /// <summary>The memory limit, called as that of containers.</summary>
    public const string Memory = ResourceKeys.Memory;

    /// <summary>The limit of processor time, called as that of containers.</summary>
    public const string Cpus = ResourceKeys.Cpus;

    /// <summary>The niceness.</summary>
    public const string Nice = "nice";

    /// <summary>The mask of permissions.</summary>
    public const string Umask = "umask";

    private const string AccountAllowed = "a name, or a number from 0 to 4294967294";

    /// <summary>All of them.</summary>
    public static readonly string[] All = [Listen, User, Group, EnvFile, Memory, Cpus, Nice, Umask];

    /// <summary>Takes them out of a table.</summary>
    public static UnitSettings Read(ConfigTable table)
    {
        if (!Array.Exists(All, key => table.Find(key) is not null))
        {
            return UnitSettings.None;
        }

        string? file = table.Text(EnvFile, null, IsFile, "the path of a file of KEY=VALUE lines, with a - before it if it may be missing");
        return new UnitSettings
        {
            PassesSocket = table.Text(Listen, null, static text => text == ListenFd, $"\"{ListenFd}\", or no such key") is not null,
            User = ReadAccount(table, User),
            Group = ReadAccount(table, Group),
            EnvFile = file?.TrimStart('-'),
            IsEnvFileOptional = file?[0] == '-',
            MemoryBytes = ResourceKeys.ReadMemory(table, ProcessLimits.MemoryMegabytesMin),
            NanoCpus = ResourceKeys.ReadCpus(table),
            Nice = table.Find(Nice) is null ? null : table.Int(Nice, 0, ProcessLimits.NiceMin, ProcessLimits.NiceMax),
            Umask = table.Text(Umask, null, IsUmask, "1 to 4 octal digits in quotes, such as \"0027\""),
        };
    }

    private static bool IsFile(string text) => text is not ['-', '-', ..] && ConfigText.IsFilled(text.TrimStart('-'));

    private static bool IsUmask(string text) =>
        text.Length is >= 1 and <= 4 && text.All(static c => c is >= '0' and <= '7') && (text.Length <= 3 || text[0] == '0');

    private static string? ReadAccount(ConfigTable table, string key)
    {
        if (table.Find(key) is { Value: TomlInteger { Value: >= 0 and < uint.MaxValue } number })
        {
            return ConfigLines.Number(number.Value);
        }

        return table.Text(key, null, static text => text.Length > 0 && text.All(IsAccountCharacter) && text[0] != '-', AccountAllowed);
    }

    private static bool IsAccountCharacter(char c) => c > ' ' && c is not (':' or ',' or '/' or '\x7f');
}
