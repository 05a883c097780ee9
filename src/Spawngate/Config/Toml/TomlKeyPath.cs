using System.Text;

namespace Spawngate.Config.Toml;

/// <summary>Writes key paths as TOML writes them: <c>backends."api.example.com".port</c>.</summary>
internal static class TomlKeyPath
{
    /// <summary>The path of <paramref name="name"/> inside <paramref name="parent"/> (empty for the root).</summary>
    public static string Append(string parent, string name) => parent.Length == 0 ? Quote(name) : $"{parent}.{Quote(name)}";

    /// <summary>The key as it must be written: bare where TOML allows it, else quoted, with control characters escaped.</summary>
    public static string Quote(string name)
    {
        if (name.Length > 0 && !name.AsSpan().ContainsAnyExcept(TomlWords.BareKeyCharacters))
        {
            return name;
        }

        return QuoteText(name);
    }

    /// <summary>The text as a basic string on one line, with control characters escaped.</summary>
    public static string QuoteText(string text)
    {
        var quoted = new StringBuilder(text.Length + 2).Append('"');
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                _ when char.IsControl(c) => quoted.Append($"\\u{(int)c:X4}"),
                _ => quoted.Append(c),
            };
        }

        return quoted.Append('"').ToString();
    }
}
