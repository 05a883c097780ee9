namespace Spawngate.Logging;

/// <summary>
/// Which log lines are wanted, by category: <c>info,spawngate.forwarding=debug</c>. The directive with the longest matching category wins;
/// a category matches itself and what follows it after a dot.
/// </summary>
internal sealed class LogFilter
{
    private const string LevelWords = "off, error, warn, info, debug, trace";

    private const string OwnRoot = "spawngate";

    // The web framework reports every request at info; only its warnings matter unless someone asks.
    private static readonly string[] QuietRoots = ["Microsoft", "System"];

    private readonly List<(string Category, LogLevel Level)> _directives = [];
    private readonly List<string> _warnings = [];
    private LogLevel _default = LogLevel.Information;

    // A directive that is a single word and neither a level nor one of these is taken for a misspelt level.
    private readonly string[] _knownRoots;

    private LogFilter(IEnumerable<string> outputs) => _knownRoots = [OwnRoot, .. QuietRoots, .. outputs];

    /// <summary>What could not be understood, for the log; the directives concerned are ignored.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Reads <c>SPAWNGATE_LOG</c>, or <c>RUST_LOG</c> when that is not set.</summary>
    /// <param name="getVariable">Gives the value of an environment variable, or null.</param>
    /// <param name="outputs">The categories of what backends write.</param>
    public static LogFilter FromEnvironment(Func<string, string?> getVariable, IEnumerable<string> outputs)
    {
        string? own = getVariable("SPAWNGATE_LOG");
        return own is not null ? Parse(own, outputs, "SPAWNGATE_LOG") : Parse(getVariable("RUST_LOG"), outputs, "RUST_LOG");
    }

    /// <summary>Reads directives.</summary>
    /// <param name="text">
    /// Comma-separated <c>level</c>, <c>category=level</c> or <c>category</c> (which means its trace level); null or empty means
    /// <c>info</c>.
    /// </param>
    /// <param name="outputs">The categories of what backends write.</param>
    /// <param name="source">Where they are from, for the warnings.</param>
    public static LogFilter Parse(string? text, IEnumerable<string> outputs, string source = "SPAWNGATE_LOG")
    {
        var filter = new LogFilter(outputs);
        foreach (string directive in (text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            filter.Add(directive, source);
        }

        return filter;
    }

    /// <summary>The lowest level that is logged for a category; <see cref="LogLevel.None"/> when nothing is.</summary>
    public LogLevel LevelOf(string category)
    {
        int longest = -1;
        LogLevel level = _default;
        foreach ((string prefix, LogLevel directiveLevel) in _directives)
        {
            // Of two directives for the same category the later one wins.
            if (prefix.Length >= longest && Covers(prefix, category))
            {
                longest = prefix.Length;
                level = directiveLevel;
            }
        }

        bool quiet = longest < 0 && level < LogLevel.Warning && QuietRoots.Any(root => Covers(root, category));
        return quiet ? LogLevel.Warning : level;
    }

    private static bool Covers(string prefix, string category) =>
        category.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)
        && (category.Length == prefix.Length || category[prefix.Length] == '.');

    private void Add(string directive, string source)
    {
        int equals = directive.IndexOf('=', StringComparison.Ordinal);
        string left = (equals < 0 ? directive : directive[..equals]).Trim().Replace("::", ".", StringComparison.Ordinal);
        if (equals < 0 && ParseLevel(left) is { } everywhere)
        {
            _default = everywhere;
        }
        else if (
            equals < 0
            && IsCategory(left)
            && (left.Contains('.', StringComparison.Ordinal) || _knownRoots.Contains(left, StringComparer.OrdinalIgnoreCase))
        )
        {
            _directives.Add((left, LogLevel.Trace));
        }
        else if (equals < 0)
        {
            Warn(source, directive, $"\"{directive}\" is neither a level ({LevelWords}) nor a known category");
        }
        else if (!IsCategory(left))
        {
            Warn(source, directive, $"\"{left}\" is not a category");
        }
        else if (ParseLevel(directive[(equals + 1)..].Trim()) is { } level)
        {
            _directives.Add((left, level));
        }
        else
        {
            Warn(source, directive, $"\"{directive[(equals + 1)..].Trim()}\" is not a level ({LevelWords})");
        }
    }

    private void Warn(string source, string directive, string why) =>
        _warnings.Add($"{source}: directive \"{directive}\" is ignored: {why}");

    private static bool IsCategory(string text) =>
        text.Length > 0
        && text[0] != '.'
        && text[^1] != '.'
        && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    private static LogLevel? ParseLevel(string text) =>
        text.ToLowerInvariant() switch
        {
            "off" => LogLevel.None,
            "error" => LogLevel.Error,
            "warn" => LogLevel.Warning,
            "info" => LogLevel.Information,
            "debug" => LogLevel.Debug,
            "trace" => LogLevel.Trace,
            _ => null,
        };
}
