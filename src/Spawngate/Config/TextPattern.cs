namespace Spawngate.Config;

/// <summary>A pattern in which <c>*</c> stands for any text, also for none: of images and of variables that calls may name.</summary>
internal static class TextPattern
{
    /// <summary>Whether one of the patterns matches the whole text.</summary>
    public static bool MatchesAny(IReadOnlyList<string> patterns, string text) => patterns.Any(pattern => Matches(pattern, text));

    /// <summary>
    /// Whether a pattern matches the whole text. Each part between two stars is taken at its first place: if a match exists at all, one
    /// with that exists, so no choice has to be taken back and no pattern takes long.
    /// </summary>
    public static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text)
    {
        int star = pattern.IndexOf('*');
        if (star < 0)
        {
            return text.SequenceEqual(pattern);
        }

        if (!text.StartsWith(pattern[..star], StringComparison.Ordinal))
        {
            return false;
        }

        text = text[star..];
        pattern = pattern[(star + 1)..];
        for (star = pattern.IndexOf('*'); star >= 0; star = pattern.IndexOf('*'))
        {
            int at = text.IndexOf(pattern[..star], StringComparison.Ordinal);
            if (at < 0)
            {
                return false;
            }

            text = text[(at + star)..];
            pattern = pattern[(star + 1)..];
        }

        return text.EndsWith(pattern, StringComparison.Ordinal);
    }
}
