using System.Globalization;
using Spawngate.Config.Toml;

namespace Spawngate.Config;

/// <summary>How values appear in error messages, and the tests on text that several keys share.</summary>
internal static class ConfigText
{
    /// <summary>What was found, for "found …, allowed is …".</summary>
    public static string Describe(TomlValue value) =>
        value switch
        {
            TomlString { Value: "" } => "an empty string",
            TomlString text => $"the string {Quote(text.Value)}",
            TomlInteger integer => integer.Value.ToString(CultureInfo.InvariantCulture),
            TomlFloat number => $"the float {number.Value.ToString("R", CultureInfo.InvariantCulture)}",
            TomlBoolean truth => truth.Value ? "true" : "false",
            TomlDateTime time => $"{time.Kind} ({time.Text})",
            _ => value.Kind,
        };

    /// <summary>The text in quotes, on one line and not too long.</summary>
    public static string Quote(string text) =>
        text.Length > ConfigLimits.ShownCharsMax
            ? TomlKeyPath.QuoteText($"{text.AsSpan(0, ConfigLimits.ShownCharsMax)}…")
            : TomlKeyPath.QuoteText(text);

    /// <summary>Whether the text can be handed to the operating system: not empty and without NUL.</summary>
    public static bool IsFilled(string text) => text.Length > 0 && IsWithoutNul(text);

    /// <summary>Whether the text contains no NUL, which would cut it short.</summary>
    public static bool IsWithoutNul(string text) => !text.Contains('\0');

    /// <summary>Whether the text is one word of visible ASCII characters.</summary>
    public static bool IsVisibleAscii(string text) => text.Length > 0 && !text.AsSpan().ContainsAnyExceptInRange('!', '~');
}
