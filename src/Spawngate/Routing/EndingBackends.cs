using Spawngate.Backends;
using Spawngate.Config;

namespace Spawngate.Routing;

/// <summary>
/// Removed backends that may still run, by what a new one could not share with them: the same program twice, two on one port, two
/// containers of one name. Looked up, not searched: a reload that renames ten thousand backends compares none of them with each other.
/// </summary>
internal sealed class EndingBackends
{
    private readonly ILookup<string, Backend> _byHostname;
    private readonly ILookup<int, Backend> _byPort;
    private readonly ILookup<string, Backend> _byContainer;

    /// <summary>Sorts them.</summary>
    public EndingBackends(IReadOnlyCollection<Backend> ending)
    {
        _byHostname = ending.ToLookup(static backend => backend.Hostname, StringComparer.Ordinal);
        _byPort = ending.Where(static backend => FixedPort(backend.Config) != 0).ToLookup(static backend => FixedPort(backend.Config));
        _byContainer = ending
            .Where(static backend => backend.Config.Docker is not null)
            .ToLookup(static backend => backend.Config.Docker!.ContainerName, StringComparer.Ordinal);
    }

    /// <summary>Those that have to end before a backend with these settings may start.</summary>
    public IReadOnlyList<Backend> PredecessorsOf(BackendConfig settings)
    {
        if (_byHostname.Count == 0)
        {
            return [];
        }

        var found = _byHostname[settings.Hostname];
        if (FixedPort(settings) is var port and not 0)
        {
            found = found.Concat(_byPort[port]);
        }

        if (settings.Docker is { } docker)
        {
            found = found.Concat(_byContainer[docker.ContainerName]);
        }

        return [.. found.Distinct()];
    }

    /// <summary>The port that it takes on this machine whatever else runs; 0 for none: a container gets a free one.</summary>
    private static int FixedPort(BackendConfig settings) => settings.UsesLoopbackPort ? settings.Port : 0;
}
