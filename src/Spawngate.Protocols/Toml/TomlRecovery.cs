namespace Spawngate.Protocols.Toml;

/// <summary>
/// Finds where reading can go on after a statement that could not be read: the next line, or, when the error is inside
/// brackets that span lines, the line after they close or the next line that can only be a statement of its own.
/// </summary>
internal static class TomlRecovery
{
    /// <summary>Moves the cursor to the start of the next statement.</summary>
    /// <param name="at">The cursor, where reading failed.</param>
    /// <param name="statementLine">The line the broken statement began on.</param>
    /// <param name="openBrackets">How many brackets were open.</param>
    public static void GoToNextStatement(ref TomlCursor at, int statementLine, int openBrackets)
    {
        if (openBrackets > 0 && at.Line > statementLine)
        {
            var failedAt = at.Offset;
            at.ReturnToLineStart();
            if (LooksLikeStatement(at.Rest))
            {
                return;
            }

            at.Advance(failedAt - at.Offset);
        }

        while (openBrackets > 0 && !at.AtEnd)
        {
            openBrackets += PassOne(ref at);
            if (at.Offset == at.LineStart && LooksLikeStatement(at.Rest))
            {
                return;
            }
        }

        at.SkipToLineEnd();
        if (!at.AtEnd)
        {
            at.AdvanceNewline();
        }
    }

    /// <summary>Passes a line break, a comment, a string or a character, and says how that changes the number of open brackets.</summary>
    private static int PassOne(ref TomlCursor at)
    {
        if (at.AtNewline)
        {
            at.AdvanceNewline();
            return 0;
        }

        switch (at.Peek())
        {
            case '#':
                at.SkipToLineEnd();
                return 0;
            case '"' or '\'':
                PassString(ref at);
                return 0;
            case var c:
                at.Advance(1);
                return c is '[' or '{' ? 1
                    : c is ']' or '}' ? -1
                    : 0;
        }
    }

    /// <summary>
    /// Passes a string, or only its quote if it does not end on this line: what follows may then be misread, but not skipped.
    /// </summary>
    private static void PassString(ref TomlCursor at)
    {
        var quote = at.Peek();
        var rest = at.Rest[1..];
        var lineEnd = rest.IndexOf('\n');
        rest = lineEnd < 0 ? rest : rest[..lineEnd];
        var length = 0;
        while (length < rest.Length && rest[length] != quote)
        {
            length += rest[length] == '\\' && quote == '"' ? 2 : 1;
        }

        at.Advance(length < rest.Length ? length + 2 : 1);
    }

    /// <summary>Whether the line is <c>bare-key =</c> or an unindented <c>[header]</c>, neither of which can be part of an array.</summary>
    private static bool LooksLikeStatement(ReadOnlySpan<char> rest)
    {
        var lineEnd = rest.IndexOf('\n');
        var line = (lineEnd < 0 ? rest : rest[..lineEnd]).TrimEnd("\r");
        if (line.StartsWith("["))
        {
            var afterBrackets = line.TrimStart('[');
            return !afterBrackets.IsEmpty && char.IsAsciiLetter(afterBrackets[0]) && line.Contains(']') && !line.Contains(',');
        }

        var key = line.TrimStart(" \t");
        var keyLength = key.IndexOfAnyExcept(TomlSyntax.BareKeyCharacters);
        return keyLength > 0 && key[keyLength..].TrimStart(" \t").StartsWith("=");
    }
}
