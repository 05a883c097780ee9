using Spawngate.Backends;
using Spawngate.Config;

namespace Spawngate.Routing;

/// <summary>
/// Removed backends that may still run, by what a new one could not share with them: the same program twice, two on one port, two
/// containers of one name. Looked up, not searched: a reload that renames ten thousand backends compares none of them with each other.
/// </summary>
internal sealed class EndingBackends
{
    private readonly ILookup<string, Backend> _byName;
    private readonly ILookup<BackendRoute, Backend> _byRoute;
    private readonly ILookup<int, Backend> _byPort;
    private readonly ILookup<(BackendKind Kind, string Key, string Name), Backend> _byExclusiveName;

    /// <summary>Sorts them.</summary>
    public EndingBackends(IReadOnlyCollection<Backend> ending)
    {
        _byName = ending.ToLookup(static backend => backend.Name, StringComparer.Ordinal);
        _byRoute = ending.ToLookup(static backend => backend.Config.Route);
        _byPort = ending.Where(static backend => backend.Config.FixedPort != 0).ToLookup(static backend => backend.Config.FixedPort);
        _byExclusiveName = ending
            .Where(static backend => backend.Config.Settings.ExclusiveName is not null)
            .ToLookup(static backend => KeyOf(backend.Config.Settings, backend.Config.Settings.ExclusiveName!.Value));
    }

    /// <summary>Those that have to end before a backend with these settings may start.</summary>
    public IReadOnlyList<Backend> PredecessorsOf(BackendConfig settings)
    {
        if (_byName.Count == 0)
        {
            return [];
        }

        var found = _byName[settings.Name].Concat(_byRoute[settings.Route]);
        if (settings.FixedPort is var port and not 0)
        {
            found = found.Concat(_byPort[port]);
        }

        if (settings.Settings.ExclusiveName is { } name)
        {
            found = found.Concat(_byExclusiveName[KeyOf(settings.Settings, name)]);
        }

        return [.. found.Distinct()];
    }

    /// <summary>Whatever the scopes: two of them may be one place, such as an engine with two addresses.</summary>
    private static (BackendKind Kind, string Key, string Name) KeyOf(KindSettings settings, ExclusiveName name) =>
        (settings.Kind, name.Key, name.Name);
}
