using Spawngate.Config;

namespace Spawngate.Workloads;

/// <summary>A kind of backend and what starts it.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Launcher">Its launcher.</param>
internal readonly record struct KindLauncher(BackendKind Kind, ILauncher Launcher);

/// <summary>The launchers of a gateway, one for each kind of backend.</summary>
/// <param name="all">All of them.</param>
internal sealed class Launchers(params IReadOnlyList<KindLauncher> all)
{
    /// <summary>The kinds that can be started.</summary>
    public BackendKinds Kinds { get; } = new([.. all.Select(static each => each.Kind)]);

    /// <summary>Milliseconds that <see cref="StopAsync"/> takes at most.</summary>
    public long StopMsMax => all.Select(static each => each.Launcher.StopMsMax).DefaultIfEmpty().Max();

    /// <summary>The launcher of a kind.</summary>
    /// <exception cref="ArgumentException">The gateway does not know that kind.</exception>
    public ILauncher Of(BackendKind kind)
    {
        foreach (var each in all)
        {
            if (each.Kind == kind)
            {
                return each.Launcher;
            }
        }

        throw new ArgumentException($"Nothing starts backends of type {kind.Name}.", nameof(kind));
    }

    /// <summary>Prepares, beside the start of the gateway, what launches will need.</summary>
    /// <param name="possible">The settings of all backends and templates.</param>
    public void Begin(IEnumerable<KindSettings> possible)
    {
        var byKind = possible.ToLookup(static settings => settings.Kind);
        foreach (var each in all)
        {
            each.Launcher.Begin(byKind[each.Kind]);
        }
    }

    /// <summary>Ends what goes on beside the instances, all of which have ended.</summary>
    public Task StopAsync() => Task.WhenAll(all.Select(static each => each.Launcher.StopAsync()));
}
