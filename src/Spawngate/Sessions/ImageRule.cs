namespace Spawngate.Sessions;

/// <summary>A pattern of <c>sessions.allow_images</c>.</summary>
internal static class ImageRule
{
    /// <summary>Whether one of the patterns matches the whole image reference.</summary>
    public static bool Allows(IReadOnlyList<string> patterns, string image) => patterns.Any(pattern => Matches(pattern, image));

    /// <summary>
    /// Whether a text matches a pattern in which <c>*</c> stands for any text, also for none. Each part between two stars is taken at its first place: if a match exists at all,
    /// one with that exists, so no choice has to be taken back and no pattern takes long.
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
