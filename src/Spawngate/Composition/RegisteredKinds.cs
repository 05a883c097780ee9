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

    /// <summary>Takes the call of an instance that works on, by its host, token and seconds.</summary>
    public required Func<string, string, int, Task<LeaseOutcome>> Lease { get; init; }

    /// <summary>Makes the loggers.</summary>
    public required ILoggerFactory Loggers { get; init; }

    /// <summary>Reads a variable of the environment.</summary>
    public required Func<string, string?> Variable { get; init; }

    /// <summary>The time.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>Where the lines of a kind's instances go.</summary>
    public IOutputSink OutputOf(BackendKind kind) => new LoggedOutput(Loggers.CreateLogger(kind.OutputCategory), Output);
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
            parts.OutputOf(LocalKind.Shared),
            parts.Time,
            parts.Guardian,
            new ControlGroups(IdentityOf(parts).Instance)
        )),
        new(DockerKind.Shared, MakeDocker, static (engine, time) => new OrphanContainers(engine, time).EndAsync()),
    ];

    /// <summary>All kinds, for reading configurations.</summary>
    public static BackendKinds All { get; } = new([.. Registrations.Select(static each => each.Kind)]);

    /// <summary>The log categories of what backends write.</summary>
    public static IEnumerable<string> OutputCategories => Registrations.Select(static each => each.Kind.OutputCategory);

    /// <summary>Makes the launchers of a gateway.</summary>
    public static Launchers MakeLaunchers(LauncherParts parts) =>
        new([.. Registrations.Select(each => new KindLauncher(each.Kind, each.MakeLauncher(parts)))]);

    /// <summary>Ends what a dead gateway has left at a place, in the words of the kind that made it.</summary>
    public static Task<OrphansEnded> EndOrphansAsync(GuardedResource resource, TimeProvider time)
    {
        Func<GuardedResource, TimeProvider, Task<OrphansEnded>>? end = Array
            .Find(Registrations, each => each.Kind.Name == resource.Kind)
            .EndOrphans;
        return end?.Invoke(resource, time)
            ?? Task.FromResult(new OrphansEnded(0, "What is there is left for the next start of the gateway: nothing here ends it"));
    }

    private static GatewayIdentity IdentityOf(LauncherParts parts) =>
        GatewayIdentity.Of(parts.ConfigPath, parts.Variable(GatewayIdentity.Variable));

    private static DockerLauncher MakeDocker(LauncherParts parts) =>
        new(
            IdentityOf(parts),
            log => new ReadyCallbackListeners(parts.ReportReady, parts.Lease, log, parts.Time),
            parts.OutputOf(DockerKind.Shared),
            parts.Loggers,
            parts.Variable,
            parts.Time,
            parts.Guardian
        );

    /// <param name="Kind">The kind.</param>
    /// <param name="MakeLauncher">Makes its launcher.</param>
    /// <param name="EndOrphans">Ends what is left at a place that its launcher told the guard; null when it tells none.</param>
    private readonly record struct Registration(
        BackendKind Kind,
        Func<LauncherParts, ILauncher> MakeLauncher,
        Func<GuardedResource, TimeProvider, Task<OrphansEnded>>? EndOrphans = null
    );
}
