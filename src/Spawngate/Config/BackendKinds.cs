using Spawngate.Config.Toml;

namespace Spawngate.Config;

/// <summary>The kinds of backends that a gateway knows, and whose which key is.</summary>
internal sealed class BackendKinds
{
    /// <summary>No kinds: for reading what has nothing to do with backends.</summary>
    public static readonly BackendKinds None = new([]);

    private readonly Dictionary<string, List<BackendKind>> _owners = new(StringComparer.Ordinal);

    /// <summary>Makes the list.</summary>
    /// <param name="all">The kinds; the first is that of a table without <c>type</c>.</param>
    public BackendKinds(IReadOnlyList<BackendKind> all)
    {
        All = all;
        foreach (var kind in all)
        {
            foreach (var key in kind.Keys)
            {
                if (!_owners.TryGetValue(key, out var owners))
                {
                    _owners.Add(key, owners = []);
                }

                owners.Add(kind);
            }
        }

        Keys = [.. Config.BackendKeys.Common, .. all.SelectMany(static kind => kind.Keys).Distinct(), .. TimingKeys.All];
        BackendKeys = [.. Keys, .. Config.BackendKeys.OfBackends];
        ReportFields = [.. all.SelectMany(static kind => kind.ReportFields).Distinct()];
    }

    /// <summary>All of them.</summary>
    public IReadOnlyList<BackendKind> All { get; }

    /// <summary>The kind of a table without <c>type</c>.</summary>
    public BackendKind Default => All[0];

    /// <summary>The kind of a session whose call names an image and no template; null when none runs images.</summary>
    public BackendKind? OfImages => All.FirstOrDefault(static kind => kind.RunsImages);

    /// <summary>The names of the keys that any backend, and any template of sessions, may have.</summary>
    public string[] Keys { get; }

    /// <summary>Those, and the keys that only backends have.</summary>
    public string[] BackendKeys { get; }

    /// <summary>The fields that kinds add to reports, in the order in which they stand there.</summary>
    public IReadOnlyList<string> ReportFields { get; }

    /// <summary>The values that <c>type</c> may have, for messages.</summary>
    public string NamesAllowed => Join(All.Select(static kind => $"\"{kind.Name}\""));

    /// <summary>The kinds that run images, for messages.</summary>
    public string TitlesOfImages => Join(All.Where(static kind => kind.RunsImages).Select(static kind => kind.Title));

    /// <summary>The kind of that name; null when there is none.</summary>
    public BackendKind? Find(string name)
    {
        foreach (var kind in All)
        {
            if (kind.Name == name)
            {
                return kind;
            }
        }

        return null;
    }

    /// <summary>Whether a table has keys of another kind than the default one, of which it has not even the main key.</summary>
    public bool LacksType(ConfigTable table)
    {
        if (table.Find("type") is not null || table.Find(Default.MainKey) is not null)
        {
            return false;
        }

        foreach (var entry in table.Toml.Entries)
        {
            if (_owners.TryGetValue(entry.Name, out var owners) && !owners.Contains(Default))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Notes every key that only other kinds have.</summary>
    /// <param name="table">The table.</param>
    /// <param name="kind">Its kind; null for one that cannot be told.</param>
    public void ReportKeysOfOthers(ConfigTable table, BackendKind? kind)
    {
        if (kind is null && !LacksType(table))
        {
            return; // Its type is wrong: any key may be right.
        }

        foreach (var entry in table.Toml.Entries)
        {
            if (_owners.TryGetValue(entry.Name, out var owners) && !owners.Contains(kind ?? Default))
            {
                ReportKeyOfOthers(table, entry, kind, owners);
            }
        }
    }

    private static void ReportKeyOfOthers(ConfigTable table, TomlEntry entry, BackendKind? kind, List<BackendKind> owners)
    {
        var where =
            kind is null ? "a backend without type"
            : "aeiou".Contains(kind.Name[0]) ? $"an {kind.Name} backend"
            : $"a {kind.Name} backend";
        var types = Join(owners.Select(static owner => $"type = \"{owner.Name}\""));
        var instead = kind?.Instead(entry.Name) is { } hint ? $"; {hint}" : "";
        table.Report(entry.Position, entry.Name, $"found in {where}, allowed only with {types}{instead}");
    }

    private static string Join(IEnumerable<string> words)
    {
        string[] all = [.. words];
        return all.Length < 2 ? string.Concat(all) : $"{string.Join(", ", all[..^1])} or {all[^1]}";
    }
}
