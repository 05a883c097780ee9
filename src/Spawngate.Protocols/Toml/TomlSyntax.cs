using System.Buffers;
using System.Text;

namespace Spawngate.Protocols.Toml;

/// <summary>The character classes of the TOML grammar, and how characters are shown in messages.</summary>
internal static class TomlSyntax
{
    private const string Controls =
        "\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008\u000A\u000B\u000C\u000D\u000E\u000F\u0010\u0011\u0012\u0013"
        + "\u0014\u0015\u0016\u0017\u0018\u0019\u001A\u001B\u001C\u001D\u001E\u001F\u007F";

    /// <summary>What a key may consist of without quotes.</summary>
    public static readonly SearchValues<char> BareKeyCharacters = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    );

    /// <summary>What ends a run of plain text in a comment or a literal multi-line string: every control character but tab.</summary>
    public static readonly SearchValues<char> ControlCharacters = SearchValues.Create(Controls);

    /// <summary>What ends a run of plain text in a basic string.</summary>
    public static readonly SearchValues<char> BasicStringStops = SearchValues.Create(Controls + "\"\\");

    /// <summary>What ends a run of plain text in a literal string.</summary>
    public static readonly SearchValues<char> LiteralStringStops = SearchValues.Create(Controls + "'");

    /// <summary>What ends a number, date or boolean.</summary>
    public static readonly SearchValues<char> ScalarStops = SearchValues.Create(Controls + "\t ,]}#=[{\"'");

    /// <summary>The text for a message: all of it, or its beginning if it is long.</summary>
    public static string Clip(ReadOnlySpan<char> text)
    {
        const int shown = 40;
        return text.Length <= shown ? text.ToString() : string.Concat(text[..shown], "…");
    }

    /// <summary>Says what stands at the start of <paramref name="rest"/>, for a message.</summary>
    public static string Describe(ReadOnlySpan<char> rest)
    {
        if (rest.IsEmpty)
        {
            return "the end of the file";
        }

        if (rest[0] == '\n' || rest.StartsWith("\r\n"))
        {
            return "the end of the line";
        }

        if (Rune.DecodeFromUtf16(rest, out var rune, out _) != OperationStatus.Done)
        {
            return "half of a surrogate pair";
        }

        return Rune.IsControl(rune) || Rune.GetUnicodeCategory(rune) is System.Globalization.UnicodeCategory.Format
            ? $"the character U+{rune.Value:X4}"
            : $"'{rune}'";
    }
}
