namespace Spawngate.Config.Toml;

/// <summary>
/// Keeps strings, so that each text is one object as long as it comes again soon: a file of ten thousand tables repeats the same few keys
/// and values. A direct-mapped cache, so neither its size nor its cost depends on the file.
/// </summary>
internal sealed class TomlTextPool
{
    private readonly string?[] _recent = new string?[TomlLimits.PooledTexts];

    /// <summary>The string of these characters.</summary>
    /// <param name="text">The characters.</param>
    /// <param name="made">The string if there is one already.</param>
    public string Get(ReadOnlySpan<char> text, string? made = null)
    {
        if (text.Length is 0 or > TomlLimits.PooledCharsMax)
        {
            return made ?? text.ToString();
        }

        var sum = text.Length + text[0] + (5 * text[text.Length / 2]) + (11 * text[^1]);
        ref var recent = ref _recent[(uint)sum % TomlLimits.PooledTexts];
        return recent is not null && text.SequenceEqual(recent) ? recent : recent = made ?? text.ToString();
    }
}
