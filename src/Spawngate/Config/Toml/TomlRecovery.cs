namespace Spawngate.Config.Toml;

/// <summary>
/// Finds where reading can go on after a statement that could not be read: the next line, or, when the error is inside
/// brackets that span lines, the line after they close or the next line that can only be a statement of its own.
/// </summary>
internal static class TomlRecovery
{
    /// <summary>In place of the beginning of the value: the statement has none, or reading did not get so far.</summary>
    public const int NoValue = -1;

    /// <summary>An open inline table behind whose brace the line ends: it is meant to have several lines.</summary>
    private const char Spread = '\n';

    /// <summary>Finds the line where the next statement begins.</summary>
    /// <param name="text">The text.</param>
    /// <param name="valueAt">Where the value of the statement begins, up to which no bracket counts.</param>
    /// <param name="failedAt">Where reading failed.</param>
    /// <returns>Its index; negative if the text ends before.</returns>
    public static int FindNextStatement(ReadOnlySpan<char> text, int valueAt, int failedAt)
    {
        var at = valueAt == NoValue ? failedAt : valueAt;
        var brackets = new Stack<char>();
        var last = '\0';
        while (at < text.Length && (at < failedAt || brackets.Count > 0))
        {
            at = Pass(text, at, brackets, ref last);
            var isPastFailure = at < text.Length && text[at - 1] == '\n' && IndexOfFirst(text, at) >= failedAt;
            if (isPastFailure && LooksLikeStatement(text[at..], mayBeKey: MayEnd(brackets, last)))
            {
                return at;
            }
        }

        if (valueAt != NoValue && at == failedAt && at < text.Length && text[at] is ('"' or '\''))
        {
            at = PassString(text, at);
        }

        var lineEnd = text[at..].IndexOf('\n');
        return lineEnd < 0 ? -1 : at + lineEnd + 1;
    }

    /// <summary>Passes a string, a comment or a character, and notes which brackets are open.</summary>
    private static int Pass(ReadOnlySpan<char> text, int at, Stack<char> brackets, ref char last)
    {
        var c = text[at];
        switch (c)
        {
            case '#':
                var comment = text[at..].IndexOf('\n');
                return comment < 0 ? text.Length : at + comment;
            case '"' or '\'':
                last = c;
                return PassString(text, at);
            case '[' or '{':
                brackets.Push(c);
                break;
            case ']' or '}':
                brackets.TryPop(out _);
                break;
            case '\n' when last == '{' && brackets.TryPeek(out var innermost) && innermost == '{':
                brackets.Pop();
                brackets.Push(Spread);
                break;
        }

        last = c is ' ' or '\t' or '\r' or '\n' ? last : c;
        return at + 1;
    }

    /// <summary>
    /// Passes a string, or only its quote if it does not end on its line: what follows may then be misread, but not skipped. A string of
    /// several lines without an end takes the rest of the text.
    /// </summary>
    private static int PassString(ReadOnlySpan<char> text, int at)
    {
        var quote = text[at];
        var isMultiline = TomlWords.IsMultiline(text[at..]);
        var quotes = isMultiline ? text.Slice(at, 3) : text.Slice(at, 1);
        for (var i = at + quotes.Length; i < text.Length && (isMultiline || text[i] != '\n'); i++)
        {
            if (text[i..].StartsWith(quotes))
            {
                return i + quotes.Length;
            }

            i += text[i] == '\\' && quote == '"' && (isMultiline || !text[(i + 1)..].StartsWith("\n")) ? 1 : 0;
        }

        return isMultiline ? text.Length : at + 1;
    }

    /// <summary>
    /// Whether the innermost bracket may have been forgotten to be closed, so that a line with a key is a statement of its own. An array
    /// has no keys. An inline table has, but those that begin on its line mostly end there, unless a comma says that more comes.
    /// </summary>
    private static bool MayEnd(Stack<char> brackets, char last) =>
        !brackets.TryPeek(out var innermost) || innermost == '[' || (innermost == '{' && last != ',');

    private static int IndexOfFirst(ReadOnlySpan<char> text, int at)
    {
        var blanks = text[at..].IndexOfAnyExcept(" \t");
        return blanks < 0 ? text.Length : at + blanks;
    }

    /// <summary>Whether the line is <c>bare-key =</c> or an unindented <c>[header]</c>, neither of which can be part of an array.</summary>
    private static bool LooksLikeStatement(ReadOnlySpan<char> rest, bool mayBeKey)
    {
        var lineEnd = rest.IndexOf('\n');
        var line = (lineEnd < 0 ? rest : rest[..lineEnd]).TrimEnd("\r");
        if (line.StartsWith("["))
        {
            var afterBrackets = line.TrimStart('[');
            return !afterBrackets.IsEmpty && char.IsAsciiLetter(afterBrackets[0]) && line.Contains(']') && !line.Contains(',');
        }

        var key = line.TrimStart(" \t");
        var keyLength = key.IndexOfAnyExcept(TomlWords.BareKeyCharacters);
        return mayBeKey && keyLength > 0 && key[keyLength..].TrimStart(" \t").StartsWith("=");
    }
}
