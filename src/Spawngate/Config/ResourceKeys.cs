using System.Globalization;
using Spawngate.Config.Toml;

namespace Spawngate.Config;

/// <summary>What a backend may use of the machine, written alike for every kind that can be held to it.</summary>
internal static class ResourceKeys
{
    /// <summary>The limit of memory.</summary>
    public const string Memory = "memory";

    /// <summary>The limit of processor time.</summary>
    public const string Cpus = "cpus";

    private const long NanoPerCpu = 1_000_000_000;
    private const long BytesPerMegabyte = 1024 * 1024;

    /// <summary>Takes <c>memory</c> out of a table, in bytes; null for no limit, or when it is wrong.</summary>
    /// <param name="table">The table.</param>
    /// <param name="megabytesMin">The least that the kind can be held to.</param>
    public static long? ReadMemory(ConfigTable table, long megabytesMin)
    {
        if (table.Find(Memory) is not { } entry)
        {
            return null;
        }

        if (entry.Value is TomlString text && ByteSize.TryParse(text.Value, out long bytes) && bytes >= megabytesMin * BytesPerMegabyte)
        {
            return bytes;
        }

        string least = megabytesMin.ToString(CultureInfo.InvariantCulture);
        table.ReportValue(entry, $"a size of at least {least}m in b, k, m or g, such as \"512m\", \"1.5g\" or \"2gb\"");
        return null;
    }

    /// <summary>Takes <c>cpus</c> out of a table, in billionths of a core; null for no limit, or when it is wrong.</summary>
    public static long? ReadCpus(ConfigTable table)
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
        if (amount * ConfigLimits.CpuShareMin >= 1 && amount <= ConfigLimits.CpusMax)
        {
            return (long)(amount * NanoPerCpu);
        }

        table.ReportValue(entry, "a number of cores from 0.01 to 8192, such as \"1.0\" or 0.5");
        return null;
    }
}
