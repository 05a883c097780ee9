namespace Spawngate.Config;

/// <summary>Explains a key that does not exist: what may have been meant, where it belongs, or what there is.</summary>
internal static class UnknownKey
{
    /// <summary>The message for a key that is not known in a table.</summary>
    /// <param name="name">The key.</param>
    /// <param name="where">The table it was found in.</param>
    /// <param name="allowed">The keys allowed there.</param>
    /// <param name="kinds">The kinds of backends, whose keys may have been meant.</param>
    public static string Explain(string name, string where, IReadOnlyCollection<string> allowed, BackendKinds kinds)
    {
        if (HomeOf(name, kinds) is { } home)
        {
            return $"found a key that does not belong in {where}, it is one of {home}";
        }

        if (Suggest(name, allowed) is { } suggestion)
        {
            return $"found a key that is unknown in {where}, did you mean {suggestion}?";
        }

        return allowed.Count <= ConfigLimits.ListedKeysMax
            ? $"found a key that is unknown in {where}, allowed are {string.Join(", ", allowed)}"
            : $"found a key that is unknown in {where}";
    }

    /// <summary>The closest of the candidates, or null when none is close: about one slip in three characters.</summary>
    public static string? Suggest(string name, IEnumerable<string> candidates)
    {
        if (name.Length > ConfigLimits.SuggestionCharsMax)
        {
            return null;
        }

        var lower = name.ToLowerInvariant().Replace('-', '_');
        // Of another length by more than may be wrong it cannot be close, and there may be thousands of mistakes.
        var best = candidates
            .Where(candidate => Math.Abs(candidate.Length - lower.Length) <= SlipsMax(lower, candidate))
            .Select(candidate => (Candidate: candidate, Distance: Distance(lower, candidate)))
            .DefaultIfEmpty()
            .MinBy(pair => pair.Distance);
        return best.Candidate is not null && best.Distance <= SlipsMax(lower, best.Candidate) ? best.Candidate : null;
    }

    private static int SlipsMax(string name, string candidate) => Math.Max(1, Math.Min(name.Length, candidate.Length) / 3);

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

    private static string? HomeOf(string name, BackendKinds kinds)
    {
        if (TimingKeys.All.Contains(name))
        {
            return "[defaults] and of each backend";
        }

        if (kinds.BackendKeys.Contains(name))
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
