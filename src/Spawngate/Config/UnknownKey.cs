namespace Spawngate.Config;

/// <summary>Explains a key that does not exist: what may have been meant, where it belongs, or what there is.</summary>
internal static class UnknownKey
{
    /// <summary>The message for a key that is not known in a table.</summary>
    /// <param name="name">The key.</param>
    /// <param name="where">The table it was found in.</param>
    /// <param name="allowed">The keys allowed there.</param>
    public static string Explain(string name, string where, IReadOnlyCollection<string> allowed)
    {
        if (HomeOf(name) is { } home)
        {
            return $"found a key that does not belong in {where}, it is one of {home}";
        }

        if (Suggest(name, allowed) is { } suggestion)
        {
            return $"found a key that is unknown in {where}, did you mean {suggestion}?";
        }

        return allowed.Count <= ConfigLimits.ConfigListedKeysMax
            ? $"found a key that is unknown in {where}, allowed are {string.Join(", ", allowed)}"
            : $"found a key that is unknown in {where}";
    }

    /// <summary>The closest of the candidates, or null when none is close: about one slip in three characters.</summary>
    public static string? Suggest(string name, IEnumerable<string> candidates)
    {
        if (name.Length > ConfigLimits.ConfigSuggestionCharsMax)
        {
            return null;
        }

        var lower = name.ToLowerInvariant().Replace('-', '_');
        var best = candidates
            .Select(candidate => (Candidate: candidate, Distance: Distance(lower, candidate)))
            .MinBy(pair => pair.Distance);
        return best.Candidate is not null && best.Distance <= Math.Max(1, Math.Min(name.Length, best.Candidate.Length) / 3)
            ? best.Candidate
            : null;
    }

    /// <summary>
    /// Damerau-Levenshtein distance in its restricted form: insertions, deletions, substitutions and swaps of neighbours, no
    /// piece edited twice.
    /// </summary>
    public static int Distance(string a, string b)
    {
        var beforePrevious = new int[b.Length + 1];
        var previous = Enumerable.Range(0, b.Length + 1).ToArray();
        var current = new int[b.Length + 1];
        for (var i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                current[j] = Math.Min(substitution, 1 + Math.Min(previous[j], current[j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    current[j] = Math.Min(current[j], beforePrevious[j - 2] + 1);
                }
            }

            (beforePrevious, previous, current) = (previous, current, beforePrevious);
        }

        return previous[b.Length];
    }

    private static string? HomeOf(string name)
    {
        if (TimingKeys.All.Contains(name))
        {
            return "[defaults] and of each backend";
        }

        if (BackendKeys.All.Contains(name))
        {
            return "a backend: [backends.\"host.name\"]";
        }

        if (SessionKeys.OfTemplates.Contains(name))
        {
            return "a template: [sessions.templates.NAME]";
        }

        return ServerKeys.All.Contains(name) ? "[server]" : null;
    }
}
