using Docker.DotNet.Models;

namespace Spawngate.Workloads.Docker;

/// <summary>What an image says that decides how its container is made.</summary>
/// <param name="config">Its configuration, as the engine tells it.</param>
internal sealed class ImageFacts(DockerOCIImageConfig? config)
{
    private const string NoCheck = "NONE";
    private const string SystemInit = "init";

    /// <summary>Programs that expect to be PID 1 and do what an init has to do there. Some refuse to run below another one.</summary>
    private static readonly HashSet<string> Inits = new(StringComparer.Ordinal)
    {
        SystemInit, // s6-overlay's /init, and /sbin/init
        "s6-svscan",
        "s6-linux-init",
        "tini",
        "tini-static",
        "dumb-init",
        "docker-init",
        "catatonit",
        "systemd",
        "runit",
        "runit-init",
        "my_init",
        "openrc-init",
    };

    private static readonly HashSet<string> Shells = new(StringComparer.Ordinal) { "sh", "bash", "ash", "dash" };

    /// <summary>Its health check; null when it has none.</summary>
    public HealthcheckConfig? Healthcheck => config?.Healthcheck is { Test: [not NoCheck, ..] } check ? check : null;

    /// <summary>Whether what it starts is an init itself, directly or by its entry point's last word.</summary>
    /// <param name="args">The arguments of the backend, which take the place of its command.</param>
    public bool BringsInit(IReadOnlyList<string> args)
    {
        var entry = ProgramOf([.. config?.Entrypoint ?? []]);
        var command = ProgramOf(args.Count > 0 ? args : [.. config?.Cmd ?? []]);
        // An entry point may hand over to the command. The mere word init is more likely to be told to it.
        return IsInit(entry) || (IsInit(command) && (entry.Length == 0 || command != SystemInit));
    }

    /// <summary>The paths that it declares as volumes and at which nothing is mounted, in their order by name.</summary>
    public IReadOnlyList<string> LooseVolumes(ContainerOptions options) =>
        [
            .. (config?.Volumes?.Keys ?? [])
                .Select(ContainerPath.Normal)
                .Where(path => path.Length > 0 && !options.IsMounted(path))
                .Order(StringComparer.Ordinal),
        ];

    private static bool IsInit(string program) => Inits.Contains(NameOf(program));

    private static string NameOf(string program) => program[(program.LastIndexOf('/') + 1)..];

    /// <summary>The program of a command line, behind a shell that only runs it; empty for none.</summary>
    private static string ProgramOf(IReadOnlyList<string> words)
    {
        if (words is [var shell, "-c", var script, ..] && Shells.Contains(NameOf(shell)))
        {
            string[] inside = script.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            return inside is ["exec", var executed, ..] ? executed
                : inside.Length > 0 ? inside[0]
                : "";
        }

        return words.Count > 0 ? words[0] : "";
    }
}
