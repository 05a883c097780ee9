using Spawngate.Config;

namespace Spawngate.Workloads.Docker;

/// <summary>A volume, or a path of the engine's machine, inside the container: <c>data:/data</c>, <c>/host:/path:ro</c>.</summary>
/// <param name="Source">Name of the volume, or an absolute path.</param>
/// <param name="Target">Absolute path in the container, without a slash at its end.</param>
internal sealed record ContainerVolume(string Source, string Target)
{
    /// <summary>What is allowed, for messages.</summary>
    public const string Allowed =
        "\"NAME:/path\" or \"/host/path:/path\", and behind that :ro, :rw, :nocopy (volumes), :z or :Z (SELinux), as in \"data:/data:ro\"";

    private static readonly char[] Separators = [':'];

    /// <summary>Whether programs in the container cannot write there.</summary>
    public bool IsReadOnly { get; private init; }

    /// <summary>Whether a new volume stays empty, instead of getting what the image has there.</summary>
    public bool IsNotFilled { get; private init; }

    /// <summary>How SELinux is to label a path of the machine: <c>z</c> shared, <c>Z</c> private; empty for as it is.</summary>
    public string Label { get; private init; } = "";

    /// <summary>Whether it is a path of the engine's machine, not a volume.</summary>
    public bool IsHostPath => Source[0] == '/';

    /// <summary>Reads one; null for what is none.</summary>
    public static ContainerVolume? Parse(string text)
    {
        var parts = text.Split(Separators);
        if (parts.Length is not (2 or 3) || !ContainerPath.IsOne(parts[1]) || !(IsName(parts[0]) || IsPathOfMachine(parts[0])))
        {
            return null;
        }

        var volume = new ContainerVolume(parts[0], ContainerPath.Normal(parts[1]));
        var words = parts.Length == 3 ? parts[2].Split(',') : [];
        return words.Distinct().Count() == words.Length
            ? words.Aggregate((ContainerVolume?)volume, static (one, word) => one?.With(word))
            : null;
    }

    /// <summary>As the file has it.</summary>
    public override string ToString()
    {
        List<string> words = [.. Words()];
        return $"{Source}:{Target}{(words.Count > 0 ? ":" : "")}{string.Join(',', words)}";
    }

    private static bool IsPathOfMachine(string text) => text == "/" || ContainerPath.IsOne(text);

    private static bool IsName(string text) =>
        text.Length >= 2
        && char.IsAsciiLetterOrDigit(text[0])
        && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');

    private ContainerVolume? With(string word) =>
        word switch
        {
            "ro" => this with { IsReadOnly = true },
            "rw" when !IsReadOnly => this,
            "nocopy" when !IsHostPath => this with { IsNotFilled = true },
            "z" or "Z" when IsHostPath && Label.Length == 0 => this with { Label = word },
            _ => null,
        };

    private IEnumerable<string> Words()
    {
        if (IsReadOnly)
        {
            yield return "ro";
        }

        if (IsNotFilled)
        {
            yield return "nocopy";
        }

        if (Label.Length > 0)
        {
            yield return Label;
        }
    }
}

/// <summary>A file system in memory inside the container: <c>/run</c>, <c>/tmp:size=64m,mode=1777</c>.</summary>
/// <param name="Target">Absolute path in the container, without a slash at its end.</param>
/// <param name="Options">Options of the mount; empty for Docker's.</param>
internal sealed record ContainerTmpfs(string Target, string Options)
{
    /// <summary>What is allowed, for messages.</summary>
    public const string Allowed = "\"/path\", or with options of the mount \"/path:size=64m,mode=1777\"";

    /// <summary>Reads one; null for what is none.</summary>
    public static ContainerTmpfs? Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var (path, options) = colon < 0 ? (text, "") : (text[..colon], text[(colon + 1)..]);
        return ContainerPath.IsOne(path) && (colon < 0 || ConfigText.IsVisibleAscii(options))
            ? new ContainerTmpfs(ContainerPath.Normal(path), options)
            : null;
    }

    /// <summary>As the file has it.</summary>
    public override string ToString() => Options.Length == 0 ? Target : $"{Target}:{Options}";
}

/// <summary>Paths as Docker takes them for mounts.</summary>
internal static class ContainerPath
{
    /// <summary>Whether it is an absolute path below the root that goes through no <c>.</c> and <c>..</c>.</summary>
    public static bool IsOne(string text) =>
        text.Length > 1
        && text[0] == '/'
        && Normal(text).Length > 0
        && !text.Any(char.IsControl)
        && text.Split('/').All(static part => part is not ("." or ".."));

    /// <summary>Without slashes at its end, and without double ones.</summary>
    public static string Normal(string path) =>
        string.Concat(path.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(static part => "/" + part));
}
