using Spawngate.Config;
using Spawngate.Config.Toml;
using Spawngate.Platform;

namespace Spawngate.Commands;

/// <summary>
/// What <c>spawngate check</c> warns about: a valid file of which something cannot work on this machine in this moment, or should not be
/// so. A unit runs the check before each start, so none of it is an error.
/// </summary>
internal static class CheckWarnings
{
    /// <summary>All of them, a line each.</summary>
    /// <param name="config">The file.</param>
    /// <param name="inherited">What children inherit.</param>
    public static IEnumerable<string> Of(GatewayConfig config, ChildEnvironment inherited)
    {
        foreach (var backend in All(config))
        {
            foreach (string warning in backend.Settings.FindProblems(backend, inherited))
            {
                yield return $"{backend.Origin}: warning: {NameOf(backend)}{warning}";
            }
        }

        if (RootPower.IsAlmighty && All(config).FirstOrDefault(static backend => backend.Settings.SharesOurRights) is { } first)
        {
            yield return $"{first.Origin}: warning: {NameOf(first)}without a user it runs as root with all its "
                + "capabilities, as Spawngate does here";
        }
    }

    private static IEnumerable<BackendConfig> All(GatewayConfig config) =>
        config.Backends.Concat(config.Sessions?.Templates.Select(static template => template.Backend) ?? []);

    private static string NameOf(BackendConfig backend) =>
        backend.Name.Length == 0 ? "a template: " : $"backends.{TomlKeyPath.Quote(backend.Route.ToString())}: ";
}
