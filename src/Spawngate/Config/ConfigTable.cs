using System.Globalization;
using Spawngate.Config.Toml;

namespace Spawngate.Config;

/// <summary>A file while it is being read.</summary>
/// <param name="File">The file as the user named it.</param>
/// <param name="Errors">Where errors are noted.</param>
/// <param name="Kinds">The kinds that its backends may have.</param>
internal sealed record ConfigReading(string File, List<ConfigError> Errors, BackendKinds Kinds);

/// <summary>
/// One table of the file while it is being read: takes typed, bounded values out of it and notes what is wrong with them. A
/// wrong value is noted and replaced by the fallback, so that the rest is checked all the same.
/// </summary>
/// <param name="reading">The file it stands in.</param>
/// <param name="table">The table as read.</param>
/// <param name="above">The table it is in; null for the root.</param>
/// <param name="name">Its key there.</param>
internal sealed class ConfigTable(ConfigReading reading, TomlTable table, ConfigTable? above = null, string name = "")
{
    /// <summary>The table's full path, put together when an error asks for it.</summary>
    public string Path => above is null ? "" : TomlKeyPath.Append(above.Path, name);

    /// <summary>The table as read.</summary>
    public TomlTable Toml => table;

    /// <summary>The file, for the log.</summary>
    public string File => reading.File;

    /// <summary>The kinds that backends may have.</summary>
    public BackendKinds Kinds => reading.Kinds;

    /// <summary>Finds a key.</summary>
    public TomlEntry? Find(string key) => table.TryGet(key, out var entry) ? entry : null;

    /// <summary>Where a key's value stands, or the table if it has no such key.</summary>
    public TomlPosition PositionOf(string key) => Find(key)?.Value.Position ?? table.HeaderPosition;

    /// <summary>Notes an error at a place.</summary>
    public void Report(TomlPosition position, string key, string message) =>
        reading.Errors.Add(new ConfigError(reading.File, position, TomlKeyPath.Append(Path, key), message));

    /// <summary>Notes an error of the table itself.</summary>
    public void ReportHere(string message) => reading.Errors.Add(new ConfigError(reading.File, table.HeaderPosition, Path, message));

    /// <summary>Notes that the value of a key is wrong.</summary>
    public void ReportValue(TomlEntry entry, string allowed) =>
        Report(entry.Value.Position, entry.Name, $"found {ConfigText.Describe(entry.Value)}, allowed is {allowed}");

    /// <summary>Notes an element of an array as wrong.</summary>
    public void ReportElement(TomlEntry entry, int index, string message) =>
        reading.Errors.Add(
            new ConfigError(
                reading.File,
                ((TomlArray)entry.Value).Items[index].Position,
                $"{TomlKeyPath.Append(Path, entry.Name)}[{index}]",
                message
            )
        );

    /// <summary>Notes that a required key is missing, unless a syntax error in the same table may have hidden it.</summary>
    public void ReportMissing(string key, string needed)
    {
        if (!table.IsIncomplete)
        {
            Report(table.HeaderPosition, key, $"found no such key, {needed}");
        }
    }

    /// <summary>A table below this one; null when it is missing or, which is noted, something else.</summary>
    public ConfigTable? Table(string key)
    {
        if (Find(key) is not { } entry)
        {
            return null;
        }

        if (entry.Value is TomlTable below)
        {
            return new ConfigTable(reading, below, this, key);
        }

        ReportValue(entry, $"a table: [{TomlKeyPath.Append(Path, key)}] on a line of its own");
        return null;
    }

    /// <summary>A whole number between two bounds, both allowed.</summary>
    public int Int(string key, int fallback, int min, int max, string note = "")
    {
        if (Find(key) is not { } entry)
        {
            return fallback;
        }

        if (entry.Value is TomlInteger integer && integer.Value >= min && integer.Value <= max)
        {
            return (int)integer.Value;
        }

        var quotes = entry.Value is TomlString ? ", without quotes" : "";
        ReportValue(entry, string.Create(CultureInfo.InvariantCulture, $"a whole number from {min} to {max}{quotes}{note}"));
        return fallback;
    }

    /// <summary>True or false.</summary>
    public bool Flag(string key, bool fallback)
    {
        if (Find(key) is not { } entry)
        {
            return fallback;
        }

        if (entry.Value is TomlBoolean flag)
        {
            return flag.Value;
        }

        ReportValue(entry, "true or false, without quotes");
        return fallback;
    }

    /// <summary>A string that satisfies a condition.</summary>
    public string? Text(string key, string? fallback, Func<string, bool> isAllowed, string allowed)
    {
        if (Find(key) is not { } entry)
        {
            return fallback;
        }

        if (entry.Value is TomlString text && isAllowed(text.Value))
        {
            return text.Value;
        }

        ReportValue(entry, allowed);
        return fallback;
    }

    /// <summary>An array of strings.</summary>
    public IReadOnlyList<string> TextList(string key, Func<string, bool> isAllowed, string allowed)
    {
        if (Find(key) is not { } entry)
        {
            return [];
        }

        if (entry.Value is TomlArray { Items.Count: 0 })
        {
            return [];
        }

        if (entry.Value is not TomlArray array)
        {
            ReportValue(entry, "an array of strings, such as [\"a\", \"b\"]");
            return [];
        }

        var list = new string[array.Items.Count];
        for (var i = 0; i < array.Items.Count; i++)
        {
            if (array.Items[i] is TomlString text && isAllowed(text.Value))
            {
                list[i] = text.Value;
            }
            else
            {
                list[i] = "";
                ReportElement(entry, i, $"found {ConfigText.Describe(array.Items[i])}, allowed is {allowed}");
            }
        }

        return list;
    }

    /// <summary>Notes every key that is not known here, with the one that may have been meant.</summary>
    /// <param name="known">The keys that may stand here.</param>
    /// <param name="where">The table, for the message.</param>
    public void ReportUnknown(IReadOnlyCollection<string> known, string where)
    {
        foreach (var entry in table.Entries)
        {
            if (!known.Contains(entry.Name))
            {
                Report(entry.Position, entry.Name, UnknownKey.Explain(entry.Name, where, known, reading.Kinds));
            }
        }
    }
}
