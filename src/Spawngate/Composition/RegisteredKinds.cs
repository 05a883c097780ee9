using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Platform;
using Spawngate.Workloads;
using Spawngate.Workloads.Docker;
using Spawngate.Workloads.Processes;

namespace Spawngate.Composition;

/// <summary>What launchers are made of.</summary>
internal sealed record LauncherParts
{
    /// <summary>The configuration file, by which the gateway knows itself again.</summary>
    public required string ConfigPath { get; init; }

    /// <summary>What local backends inherit.</summary>
    public required ChildEnvironment Children { get; init; }

    /// <summary>Reads the output of children.</summary>
    public required OutputDrain Drain { get; init; }

    /// <summary>Keeps the last lines of all backends.</summary>
    public required OutputLog Output { get; init; }

    /// <summary>Is told of every instance, to end it if the gateway dies.</summary>
    public required Guardian Guardian { get; init; }

    /// <summary>Takes the call of an instance that says that it is ready, by its host and token.</summary>
    public required Func<string, string?, ReadyCallbackOutcome> ReportReady { get; init; }

    /// <summary>Makes the loggers.</summary>
    public required ILoggerFactory Loggers { get; init; }

    /// <summary>Reads a variable of the environment.</summary>
    public required Func<string, string?> Variable { get; init; }

    /// <summary>The time.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>Where the lines of instances go, under a log category.</summary>
    public IOutputSink OutputTo(string category) => new LoggedOutput(Loggers.CreateLogger(category), Output);
}

/// <summary>
/// The kinds of backends that this program has: a line each, all that it takes beside the kind's own folder. The first is that of a table
/// without <c>type</c>.
/// </summary>
internal static class RegisteredKinds
{
    private static readonly Registration[] Registrations =
    [
        new(LocalKind.Shared, static parts => new ProcessLauncher(
            parts.Children,
            parts.Drain,
            parts.OutputTo("backend"),
            parts.Time,
            parts.Guardian
        )),
        new(DockerKind.Shared, MakeDocker),
    ];

    /// <summary>All kinds, for reading configurations.</summary>
    public static BackendKinds All { get; } = new([.. Registrations.Select(static each => each.Kind)]);

    /// <summary>Makes the launchers of a gateway.</summary>
    public static Launchers MakeLaunchers(LauncherParts parts) =>
        new([.. Registrations.Select(each => new KindLauncher(each.Kind, each.MakeLauncher(parts)))]);

    private static DockerLauncher MakeDocker(LauncherParts parts) =>
        new(
            GatewayIdentity.Of(parts.ConfigPath, parts.Variable(GatewayIdentity.Variable)),
            log => new ReadyCallbackListeners(parts.ReportReady, log, parts.Time),
            parts.OutputTo("container"),
            parts.Loggers,
            parts.Variable,
            parts.Time,
            parts.Guardian
        );

    private readonly record struct Registration(BackendKind Kind, Func<LauncherParts, ILauncher> MakeLauncher);
}
