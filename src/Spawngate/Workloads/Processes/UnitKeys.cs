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
    public const string Memory = "memory";

    /// <summary>The limit of processor time, called as that of containers.</summary>
    public const string Cpus = "cpus";

    /// <summary>The niceness.</summary>
    public const string Nice = "nice";

    /// <summary>The mask of permissions.</summary>
    public const string Umask = "umask";

    private const long NanoPerCpu = 1_000_000_000;
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
            MemoryBytes = ReadMemory(table),
            NanoCpus = ReadCpus(table),
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

    private static long? ReadMemory(ConfigTable table)
    {
        if (table.Find(Memory) is not { } entry)
        {
            return null;
        }

        if (entry.Value is TomlString text && ByteSize.TryParse(text.Value, out long bytes) && bytes >= ProcessLimits.MemoryBytesMin)
        {
            return bytes;
        }

        table.ReportValue(entry, "a size of at least 4m in b, k, m or g, such as \"512m\", \"1.5g\" or \"2gb\"");
        return null;
    }

    private static long? ReadCpus(ConfigTable table)
    {
        if (table.Find(Cpus) is not { } entry)
        {
            return null;
        }

        decimal amount = entry.Value switch
        {
            TomlString text when ByteSize.TryParseAmount(text.Value, out decimal parsed) => parsed,
            TomlInteger integer => integer.Value,
            TomlFloat { Value: > 0 and <= int.MaxValue } number => (decimal)number.Value,
            _ => 0,
        };
        if (amount * 100 >= 1 && amount <= ProcessLimits.CpusMax)
        {
            return (long)(amount * NanoPerCpu);
        }

        table.ReportValue(entry, "a number of cores from 0.01 to 8192, such as \"1.0\" or 0.5");
        return null;
    }
}
