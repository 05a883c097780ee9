using Spawngate.Config;
using Spawngate.Workloads;
using Spawngate.Workloads.Docker;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

/// <summary>The settings of local and Docker backends as tests make and read them.</summary>
internal static class KindsInTests
{
    extension(BackendConfig config)
    {
        /// <summary>What the keys of a Docker backend say; null for one of another kind.</summary>
        public DockerSettings? Docker => config.Settings as DockerSettings;

        /// <summary>What the keys of a local backend say; null for one of another kind.</summary>
        public LocalSettings? Local => config.Settings as LocalSettings;
    }

    /// <summary>The settings of a local backend.</summary>
    public static LocalSettings Runs(string command) => new() { Command = command };

    /// <summary>Launchers of which one starts all that is local, and the other, or the same, all containers.</summary>
    public static Launchers Launch(ILauncher local, ILauncher? docker = null) =>
        new(new KindLauncher(LocalKind.Shared, local), new KindLauncher(DockerKind.Shared, docker ?? local));
}
