using System.Buffers;
using System.Globalization;
using System.Text;

namespace Spawngate.Config.Toml;

/// <summary>What messages about TOML say: what stands in a place, and why something is no value.</summary>
internal static class TomlWords
{
    /// <summary>What must be instead of a carriage return alone.</summary>
    public const string LoneReturn = "found a carriage return without a line feed, line breaks are LF or CR LF";

    private const string Escapes =
        "allowed are \\b \\t \\n \\f \\r \\e \\\" \\\\ and Unicode scalar values as \\xHH \\uHHHH \\UHHHHHHHH; "
        + "a '…' string takes backslashes as they are";

    private const string Dates =
        "allowed are 1979-05-27, 07:32:00, and both joined by T or a blank, with an optional fraction and offset (Z or +01:00)";

    private const string ControlCharacters =
        "\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008\u000B\u000C\u000E\u000F\u0010\u0011\u0012\u0013\u0014\u0015\u0016"
        + "\u0017\u0018\u0019\u001A\u001B\u001C\u001D\u001E\u001F\u007F";

    /// <summary>What a key may consist of without quotes.</summary>
    public static readonly SearchValues<char> BareKeyCharacters = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    );

    /// <summary>What may not stand in a string or comment; line ends, which may stand in some strings, are not among it.</summary>
    public static readonly SearchValues<char> Controls = SearchValues.Create(ControlCharacters);

    /// <summary>What ends a number, date or boolean.</summary>
    private static readonly SearchValues<char> WordEnds = SearchValues.Create($"{ControlCharacters}\t\n\r ,]}}#=[{{\"'");

    /// <summary>The number, date, boolean or bare word that the text begins with; empty when there is none.</summary>
    public static ReadOnlySpan<char> FirstWord(ReadOnlySpan<char> text)
    {
        var length = text.IndexOfAny(WordEnds);
        return length < 0 ? text : text[..length];
    }

    /// <summary>Says what the text begins with.</summary>
    public static string Describe(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty)
        {
            return "the end of the file";
        }

        if (text[0] == '\n' || text.StartsWith("\r\n"))
        {
            return "the end of the line";
        }

        _ = Rune.DecodeFromUtf16(text, out var rune, out _);
        return Rune.IsControl(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Format
            ? $"the character U+{rune.Value:X4}"
            : $"'{rune}'";
    }

    /// <summary>Says why a word is no value.</summary>
    public static string NoValue(ReadOnlySpan<char> word)
    {
        var shown = word.Length <= TomlLimits.ShownCharsMax ? word.ToString() : string.Concat(word[..TomlLimits.ShownCharsMax], "…");
        var unsigned = word.TrimStart("+-");
        if (unsigned.IsEmpty || !char.IsAsciiDigit(unsigned[0]))
        {
            return $"found {shown}, which is no value: strings need quotes, booleans are true and false";
        }

        return $"found {shown}, {(IsDateLike(word) ? $"which is no valid date or time; {Dates}" : NumberRule(unsigned))}";
    }

    /// <summary>Says that a character may not stand where it is.</summary>
    public static string Forbidden(char control, bool inComment) =>
        control == '\r' ? LoneReturn
        : inComment ? $"found {Describe([control])} in a comment, control characters other than tab are not allowed"
        : $"found {Describe([control])} in a string, control characters other than tab must be written as escapes "
            + $"(\\u{(int)control:X4}) in a \"…\" string";

    /// <summary>Says that an escape is none.</summary>
    /// <param name="text">The text from its backslash on.</param>
    public static string NoEscape(ReadOnlySpan<char> text)
    {
        if (text.Length < 2 || text[1] is not ('x' or 'u' or 'U'))
        {
            return $"found a backslash before {Describe(text[1..])}, {Escapes}";
        }

        var digits = text[1] switch
        {
            'x' => 2,
            'u' => 4,
            _ => 8,
        };
        var count = 0;
        while (count < digits && count + 2 < text.Length && char.IsAsciiHexDigit(text[count + 2]))
        {
            count++;
        }

        return $"found the escape {text[..(count + 2)]}, {Escapes}";
    }

    /// <summary>Says that a string does not end.</summary>
    /// <param name="text">The text from its first quote on.</param>
    public static string NoEnd(ReadOnlySpan<char> text) =>
        IsMultiline(text)
            ? $"the multi-line string that begins here never ends, closing {text[..3]} are needed"
            : $"the string that begins here does not end on its line, a closing {text[0]} is needed";

    /// <summary>Whether the string that the text begins with may have more than one line.</summary>
    public static bool IsMultiline(ReadOnlySpan<char> text) => text.StartsWith("\"\"\"") || text.StartsWith("'''");

    private static bool IsDateLike(ReadOnlySpan<char> word) =>
        word.Length > 4 && word[4] == '-' && !word[..4].ContainsAnyExceptInRange('0', '9')
        || word.Length > 2 && word[2] == ':' && !word[..2].ContainsAnyExceptInRange('0', '9');

    private static string NumberRule(ReadOnlySpan<char> unsigned)
    {
        if (unsigned.Length > 1 && unsigned[0] == '0' && char.IsAsciiLetter(unsigned[1]) && unsigned[1] is not ('e' or 'E'))
        {
            return "allowed are up to 64 bits as digits after a lower-case 0x, 0o or 0b, with single underscores between digits";
        }

        if (unsigned.ContainsAny(".eE"))
        {
            return "a float is digits, then a dot and digits, or an exponent, or both; a string needs quotes";
        }

        if (unsigned.Length > 1 && unsigned[0] == '0')
        {
            return "numbers have no leading zeros";
        }

        return unsigned.ContainsAnyExceptInRange('0', '9')
            ? "a number is digits with single underscores between digits; a string needs quotes"
            : $"whole numbers from {long.MinValue} to {long.MaxValue} are allowed";
    }
}
