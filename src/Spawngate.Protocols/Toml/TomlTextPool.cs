namespace Spawngate.Protocols.Toml;

/// <summary>
/// Makes strings, each text once as long as it comes again soon: a file of ten thousand tables repeats the same few keys and values. A
/// direct-mapped cache, so neither its size nor its cost depends on the file.
/// </summary>
internal sealed class TomlTextPool
{
    private readonly string?[] _recent = new string?[CodecLimits.TomlPooledTexts];

    /// <summary>The string of these characters.</summary>
    public string Get(ReadOnlySpan<char> text)
    {
        if (text.Length is 0 or > CodecLimits.TomlPooledCharsMax)
        {
            return text.ToString();
        }

        ref var recent = ref _recent[(uint)string.GetHashCode(text) % CodecLimits.TomlPooledTexts];
        return recent is not null && text.SequenceEqual(recent) ? recent : recent = text.ToString();
    }
}
