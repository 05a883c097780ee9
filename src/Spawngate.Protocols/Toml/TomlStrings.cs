using System.Buffers;
using System.Globalization;
using System.Text;

namespace Spawngate.Protocols.Toml;

/// <summary>
/// Reads the four string notations. An error inside a string (a bad escape, a control character) is noted and reading goes on to
/// the closing quote, so that it does not hide what follows; only a string without an end gives null.
/// </summary>
internal static class TomlStrings
{
    /// <summary>Whether a multi-line string begins here.</summary>
    public static bool AtMultiline(in TomlCursor at) => at.Rest.StartsWith("\"\"\"") || at.Rest.StartsWith("'''");

    /// <summary>Reads the string that begins at the cursor.</summary>
    public static string? Read(ref TomlCursor at)
    {
        var quote = at.Peek();
        if (AtMultiline(at))
        {
            return ReadMultiline(ref at, quote);
        }

        return ReadSingleLine(ref at, quote);
    }

    private static string? ReadSingleLine(ref TomlCursor at, char quote)
    {
        var start = at.Position;
        var stops = quote == '"' ? TomlSyntax.BasicStringStops : TomlSyntax.LiteralStringStops;
        at.Advance(1);
        StringBuilder? built = null;
        while (true)
        {
            var run = TakeRun(ref at, stops);
            if (at.AtLineEnd)
            {
                at.Report(start, $"the string that begins here does not end on its line, a closing {quote} is needed");
                return null;
            }

            if (at.Peek() == quote)
            {
                at.Advance(1);
                return built is null ? at.Text(run) : built.Append(run).ToString();
            }

            built = (built ?? new StringBuilder()).Append(run);
            ReadSpecial(ref at, built);
        }
    }

    private static string? ReadMultiline(ref TomlCursor at, char quote)
    {
        var start = at.Position;
        var stops = quote == '"' ? TomlSyntax.BasicStringStops : TomlSyntax.LiteralStringStops;
        at.Advance(3);
        if (at.AtNewline)
        {
            at.AdvanceNewline(); // A line break right after the opening quotes is not part of the string.
        }

        var built = new StringBuilder();
        while (true)
        {
            built.Append(TakeRun(ref at, stops));
            if (at.AtEnd)
            {
                at.ReportAndStop(start, $"the multi-line string that begins here never ends, closing {quote}{quote}{quote} are needed");
                return null;
            }

            if (at.Peek() == quote)
            {
                if (TakeQuotes(ref at, quote, built))
                {
                    return built.ToString();
                }
            }
            else if (at.AtNewline)
            {
                built.Append(at.Peek() == '\r' ? "\r\n" : "\n");
                at.AdvanceNewline();
            }
            else if (at.Peek() == '\\' && AtLineContinuation(at))
            {
                SkipLineContinuation(ref at);
            }
            else
            {
                ReadSpecial(ref at, built);
            }
        }
    }

    private static ReadOnlySpan<char> TakeRun(ref TomlCursor at, SearchValues<char> stops)
    {
        var rest = at.Rest;
        var length = rest.IndexOfAny(stops);
        length = length < 0 ? rest.Length : length;
        at.Advance(length);
        return rest[..length];
    }

    /// <summary>One or two quotes are text; three to five end the string, those beyond the last three being text before the end.</summary>
    private static bool TakeQuotes(ref TomlCursor at, char quote, StringBuilder built)
    {
        const int quotesMost = 5;
        var count = 1;
        while (count < quotesMost && at.Peek(count) == quote)
        {
            count++;
        }

        at.Advance(count);
        built.Append(quote, count >= 3 ? count - 3 : count);
        return count >= 3;
    }

    private static bool AtLineContinuation(in TomlCursor at)
    {
        var rest = at.Rest[1..].TrimStart(" \t");
        return rest.StartsWith("\n") || rest.StartsWith("\r\n");
    }

    private static void SkipLineContinuation(ref TomlCursor at)
    {
        at.Advance(1);
        at.SkipBlanks();
        while (at.AtNewline)
        {
            at.AdvanceNewline();
            at.SkipBlanks();
        }
    }

    /// <summary>An escape, or a character that may not stand in a string.</summary>
    private static void ReadSpecial(ref TomlCursor at, StringBuilder built)
    {
        if (at.Peek() == '\\')
        {
            ReadEscape(ref at, built);
            return;
        }

        at.Report(
            at.Peek() == '\r'
                ? "found a carriage return without a line feed, line breaks are LF or CR LF"
                : $"found {TomlSyntax.Describe(at.Rest)} in a string, control characters other than tab must be written "
                    + $"as escapes (\\u{(int)at.Peek():X4}) in a \"…\" string"
        );
        at.Advance(1);
    }

    private static void ReadEscape(ref TomlCursor at, StringBuilder built)
    {
        var escaped = at.Peek(1);
        if (escaped is 'u' or 'U')
        {
            ReadUnicodeEscape(ref at, escaped == 'u' ? 4 : 8, built);
            return;
        }

        var plain = escaped switch
        {
            'b' => '\b',
            't' => '\t',
            'n' => '\n',
            'f' => '\f',
            'r' => '\r',
            '"' => '"',
            '\\' => '\\',
            _ => '\0',
        };
        if (plain == '\0')
        {
            at.Report(
                $"found a backslash before {TomlSyntax.Describe(at.Rest[1..])}, allowed are \\b \\t \\n \\f \\r \\\" "
                    + "\\\\ \\uXXXX \\UXXXXXXXX; a '…' string takes backslashes as they are"
            );
            at.Advance(1);
            return;
        }

        built.Append(plain);
        at.Advance(2);
    }

    private static void ReadUnicodeEscape(ref TomlCursor at, int digits, StringBuilder built)
    {
        var rest = at.Rest[2..];
        var hex = rest[..Math.Min(digits, rest.Length)];
        var isNumber = uint.TryParse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code);
        if (hex.Length < digits || !isNumber)
        {
            at.Report($"found an incomplete \\{at.Peek(1)} escape, exactly {digits} hexadecimal digits must follow it");
            at.Advance(2);
            return;
        }

        if (!Rune.TryCreate(code, out var rune))
        {
            at.Report($"found the escape of U+{code:X4}, allowed are Unicode scalar values: 0 to D7FF and E000 to 10FFFF");
            at.Advance(2 + digits);
            return;
        }

        Span<char> utf16 = stackalloc char[2];
        built.Append(utf16[..rune.EncodeToUtf16(utf16)]);
        at.Advance(2 + digits);
    }
}
