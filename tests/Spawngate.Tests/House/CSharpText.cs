using System.Text;
using System.Text.RegularExpressions;

namespace Spawngate.Tests;

/// <summary>
/// C# source with the contents of strings and comments blanked out, line breaks kept: what is left can be searched for names and
/// braces. A scanner, not a parser; it knows just enough (raw, verbatim and interpolated strings) not to be fooled.
/// </summary>
internal static class CSharpText
{
    /// <summary>The source with every character inside strings, character literals and comments replaced by a blank.</summary>
    public static string Mask(string source)
    {
        var masked = source.ToCharArray();
        var at = 0;
        while (at < source.Length)
        {
            var end = EndOfMasked(source, at);
            for (var i = at; i < end; i++)
            {
                masked[i] = source[i] is '\n' or '\r' ? source[i] : ' ';
            }

            at = end > at ? end : at + 1;
        }

        return new string(masked);
    }

    /// <summary>The source without its raw and verbatim strings, whose text is written as it is; line breaks stay.</summary>
    public static string WithoutRawText(string source)
    {
        var kept = new StringBuilder(source.Length);
        var at = 0;
        while (at < source.Length)
        {
            var end = Math.Max(EndOfMasked(source, at), at + 1);
            var token = source.AsSpan(at, end - at);
            if (Regex.IsMatch(token, "^(?:\\$?@\\$?\"|\\$*\"\"\"+(?!\"))") && end > at + 2)
            {
                kept.Append('\n', token.Count('\n'));
            }
            else
            {
                kept.Append(token);
            }

            at = end;
        }

        return kept.ToString();
    }

    /// <summary>The end of the string or comment that begins at <paramref name="at"/>, or <paramref name="at"/> if none does.</summary>
    private static int EndOfMasked(string source, int at)
    {
        var rest = source.AsSpan(at);
        if (rest.StartsWith("//"))
        {
            return IndexOrEnd(source, "\n", at, 0);
        }

        if (rest.StartsWith("/*"))
        {
            return IndexOrEnd(source, "*/", at + 2, 2);
        }

        if (rest[0] == '\'')
        {
            return EndOfCharacter(source, at);
        }

        var prefix = 0;
        while (prefix < rest.Length && rest[prefix] is '$' or '@')
        {
            prefix++;
        }

        return prefix < rest.Length && rest[prefix] == '"' ? EndOfString(source, at + prefix, rest[..prefix]) : at;
    }

    private static int EndOfCharacter(string source, int at)
    {
        var match = Regex.Match(source[at..Math.Min(source.Length, at + 12)], @"^'(\\.[^']*|[^\\'])'");
        return match.Success ? at + match.Length : at;
    }

    private static int EndOfString(string source, int quoteAt, ReadOnlySpan<char> prefix)
    {
        var quotes = source.AsSpan(quoteAt).IndexOfAnyExcept('"');
        quotes = quotes < 0 ? source.Length - quoteAt : quotes;
        if (quotes >= 3 && !prefix.Contains('@'))
        {
            var close = IndexOrEnd(source, new string('"', quotes), quoteAt + quotes, quotes);
            while (close < source.Length && source[close] == '"')
            {
                close++;
            }

            return close;
        }

        var isVerbatim = prefix.Contains('@');
        var isInterpolated = prefix.Contains('$');
        return EndOfQuoted(source, quoteAt + 1, isVerbatim, isInterpolated);
    }

    /// <summary>Holes of interpolated strings count as part of the string, with the strings inside them.</summary>
    private static int EndOfQuoted(string source, int at, bool isVerbatim, bool isInterpolated)
    {
        var holes = 0;
        while (at < source.Length)
        {
            var c = source[at];
            if (holes > 0)
            {
                var inner = EndOfMasked(source, at);
                holes +=
                    inner > at ? 0
                    : c == '{' ? 1
                    : c == '}' ? -1
                    : 0;
                at = inner > at ? inner : at + 1;
                continue;
            }

            var isEscape = c == '\\' && !isVerbatim;
            var isDoubled =
                at + 1 < source.Length && source[at + 1] == c && ((c == '"' && isVerbatim) || (c is '{' or '}' && isInterpolated));
            if (isEscape || isDoubled)
            {
                at += 2;
                continue;
            }

            if (c == '"')
            {
                return at + 1;
            }

            holes += c == '{' && isInterpolated ? 1 : 0;
            at++;
        }

        return at;
    }

    private static int IndexOrEnd(string source, string what, int from, int after)
    {
        var found = source.IndexOf(what, from, StringComparison.Ordinal);
        return found < 0 ? source.Length : found + after;
    }
}
