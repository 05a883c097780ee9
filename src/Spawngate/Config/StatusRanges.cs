using System.Globalization;

namespace Spawngate.Config;

/// <summary>Status codes of HTTP, as codes and ranges: <c>200-299</c>, <c>401</c>. Two are equal when they are written alike.</summary>
internal sealed class StatusRanges : IEquatable<StatusRanges>
{
    /// <summary>What counts when the file says nothing.</summary>
    public static readonly StatusRanges Success = new(["200-299"], [(200, 299)]);

    /// <summary>For messages: how they are written.</summary>
    public const string Allowed = "codes and ranges of 200 to 599, such as \"200-299\", \"200-299, 401\" or [\"200-299\", \"401\"]";

    private readonly string[] _entries;
    private readonly (int From, int To)[] _ranges;

    private StatusRanges(string[] entries, (int From, int To)[] ranges)
    {
        _entries = entries;
        _ranges = ranges;
    }

    /// <summary>Them as the file writes them.</summary>
    public string Text => string.Join(", ", _entries);

    /// <summary>Takes them out of a table: a string with commas, or an array of strings.</summary>
    /// <param name="table">The table.</param>
    /// <param name="key">The key.</param>
    /// <param name="fallback">What holds when the key is not there, or wrong.</param>
    public static StatusRanges Read(ConfigTable table, string key, StatusRanges fallback)
    {
        if (table.Find(key) is not { } entry)
        {
            return fallback;
        }

        if (entry.Value is Toml.TomlString)
        {
            string? text = table.Text(key, null, static text => Parse(text.Split(',')) is not null, Allowed);
            return text is null ? fallback : Parse(text.Split(','))!;
        }

        var list = table.TextList(key, static text => Parse([text]) is not null, Allowed);
        if (list.Count == 0)
        {
            table.ReportValue(entry, Allowed);
            return fallback;
        }

        return Parse(list) ?? fallback;
    }

    /// <summary>Reads codes and ranges; null when one is none.</summary>
    public static StatusRanges? Parse(IReadOnlyList<string> entries)
    {
        if (entries.Count is 0 or > ConfigLimits.StatusRangesMax)
        {
            return null;
        }

        var ranges = new (int From, int To)[entries.Count];
        var texts = new string[entries.Count];
        for (int i = 0; i < ranges.Length; i++)
        {
            texts[i] = entries[i].Trim();
            int dash = texts[i].IndexOf('-', StringComparison.Ordinal);
            string from = dash < 0 ? texts[i] : texts[i][..dash];
            string to = dash < 0 ? texts[i] : texts[i][(dash + 1)..];
            if (!TryCode(from, out ranges[i].From) || !TryCode(to, out ranges[i].To) || ranges[i].From > ranges[i].To)
            {
                return null;
            }
        }

        return new StatusRanges(texts, ranges);
    }

    /// <summary>Whether a status is one of them.</summary>
    public bool Contain(int status) => Array.Exists(_ranges, range => status >= range.From && status <= range.To);

    /// <inheritdoc/>
    public bool Equals(StatusRanges? other) => other is not null && _entries.AsSpan().SequenceEqual(other._entries);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as StatusRanges);

    /// <inheritdoc/>
    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    // 1xx is never the last word, and 101 would be another protocol.
    private static bool TryCode(string text, out int code) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out code) && text.Length == 3 && code is >= 200 and <= 599;
}
