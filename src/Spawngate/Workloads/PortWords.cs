using System.Globalization;
using System.Text;

namespace Spawngate.Workloads;

/// <summary>
/// Puts the port of a run into arguments and values of the environment, for programs that take it there and not from <c>PORT</c>.
/// <code>
///   $PORT  ${PORT}  ${PORT:-3000}  {port}      the port, also within a text: --port=$PORT, 0.0.0.0:$PORT, http://x:{port}/
///   $PORTAL  $PORT_2  ${port}                  other words, left as they are
///   $$PORT  $${PORT}  {{port}}                 $PORT, ${PORT} and {port} as they are written
///   \$PORT                                     left as it is: it was written for a shell
/// </code>
/// </summary>
internal static class PortWords
{
    private const string Word = "PORT";
    private const string Braced = "{port}";

    /// <summary>The text with the port in its places.</summary>
    public static string Replace(string text, int port)
    {
        if (!text.Contains(Word, StringComparison.Ordinal) && !text.Contains(Braced, StringComparison.Ordinal))
        {
            return text;
        }

        string number = port.ToString(CultureInfo.InvariantCulture);
        var result = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length; )
        {
            ReadOnlySpan<char> rest = text.AsSpan(at);
            int literal = LiteralLength(rest, out int skipped);
            int word = literal == 0 ? WordLength(rest, at == 0 ? '\0' : text[at - 1]) : 0;
            if (word > 0)
            {
                result.Append(number);
                at += word;
            }
            else
            {
                literal = Math.Max(1, literal);
                result.Append(rest[skipped..literal]);
                at += skipped > 0 && rest[0] == '{' ? literal + 1 : literal;
            }
        }

        return result.ToString();
    }

    /// <summary>Characters that stand for themselves: an escaped word. 0 when it begins with none.</summary>
    /// <param name="text">The text from here on.</param>
    /// <param name="skipped">How many of them, at the beginning, are the escape and are left out.</param>
    private static int LiteralLength(ReadOnlySpan<char> text, out int skipped)
    {
        skipped = 0;
        if (text.StartsWith("{" + Braced + "}"))
        {
            skipped = 1;
            return 1 + Braced.Length; // The last bracket is left out as well.
        }

        if (text is ['$' or '\\', '$', ..] && DollarLength(text[1..]) is > 0 and var length)
        {
            skipped = text[0] == '$' ? 1 : 0;
            return 1 + length;
        }

        return 0;
    }

    /// <summary>Characters of a word that is the port; 0 when it begins with none.</summary>
    private static int WordLength(ReadOnlySpan<char> text, char before) =>
        text[0] == '$' ? DollarLength(text)
        : before != '$' && text.StartsWith(Braced) ? Braced.Length
        : 0;

    /// <summary>The same, of those that begin with a dollar sign.</summary>
    private static int DollarLength(ReadOnlySpan<char> text)
    {
        if (text[1..].StartsWith(Word))
        {
            int end = 1 + Word.Length;
            return end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] == '_') ? 0 : end;
        }

        if (!text[1..].StartsWith("{" + Word))
        {
            return 0;
        }

        // The default of a shell's word never counts: there is a port.
        int name = 2 + Word.Length;
        int close = text[name..].IndexOfAny("{}$") + name;
        bool isDefault = text[name..].StartsWith(":-") || text[name..].StartsWith("-");
        return close >= name && text[close] == '}' && (close == name || isDefault) ? close + 1 : 0;
    }
}
