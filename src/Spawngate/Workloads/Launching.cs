using System.Net;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Platform;
using Spawngate.Upstreams;

namespace Spawngate.Workloads;

/// <summary>
/// The seam between a backend's lifecycle and what it runs as: a local process, a container. Three things cross it:
/// start, stop (in two strengths) and "has exited".
/// </summary>
internal interface ILauncher
{
    /// <summary>Starts one instance. Never throws for a cause outside this program: the result carries the failure.</summary>
    /// <param name="request">What to start.</param>
    /// <param name="cancel">
    /// Cancelled when the instance is no longer wanted; an instance that was already started is then killed by the launcher.
    /// </param>
    Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel);

    /// <summary>
    /// Prepares, at the start of the gateway and beside it, what launches will need. Called at most once; does not block.
    /// </summary>
    /// <param name="possible">The settings of all backends and templates of its kind.</param>
    void Begin(IEnumerable<KindSettings> possible) { }

    /// <summary>Ends what goes on beside the instances, all of which have ended.</summary>
    Task StopAsync() => Task.CompletedTask;

    /// <summary>Milliseconds that <see cref="StopAsync"/> takes at most.</summary>
    long StopMsMax => 0;
}

/// <summary>All that a launcher needs to know about one start.</summary>
/// <param name="Config">Effective settings of the backend.</param>
/// <param name="InstanceNumber">Number of this start, unique within the backend.</param>
/// <param name="Port">
/// Loopback port the backend shall listen on; already chosen if the configuration leaves it open. 0 when the launcher chooses it.
/// </param>
/// <param name="ReadyUrl">Value of SERVERLESS_PROXY_READY_URL, with the token of this start.</param>
internal sealed record LaunchRequest(BackendConfig Config, int InstanceNumber, int Port, string ReadyUrl)
{
    /// <summary>What the launcher is doing, for the message when that takes too long.</summary>
    public LaunchStage Stage { get; } = new();

    /// <summary>
    /// Called when the instance says by its own means that it is ready (<c>READY=1</c> of sd_notify(3)), on any thread, perhaps more than
    /// once; does not block. Null when nobody wants to know.
    /// </summary>
    public Action? NotifiedReady { get; init; }
}

/// <summary>What a launcher is doing at this moment. It writes; anybody may read.</summary>
internal sealed class LaunchStage
{
    private volatile string? _text;
    private volatile string? _status;

    /// <summary>For people: <c>pulling image x</c>; null for nothing worth telling.</summary>
    public string? Text
    {
        get => _text;
        set => _text = value;
    }

    /// <summary>What the instance said last that it is doing (<c>STATUS=</c> of sd_notify(3)); null when it said nothing.</summary>
    public string? Status
    {
        get => _status;
        set => _status = value;
    }
}

/// <summary>Where an instance is reached.</summary>
/// <param name="EndPoint">Address and port.</param>
/// <param name="IsForwarded">Whether somebody else accepts there in the instance's place, and passes on.</param>
internal sealed record LaunchedAt(IPEndPoint EndPoint, bool IsForwarded)
{
    /// <summary>
    /// The instance's own address behind a forwarder, if this machine reaches it; null otherwise. Good for asking whether it listens, not
    /// for requests.
    /// </summary>
    public IPEndPoint? Behind { get; init; }

    /// <summary>The listening socket that the instance was started with; null when it makes its own.</summary>
    public ActivationSocket? Listener { get; init; }
}

/// <summary>A started instance, or why there is none.</summary>
/// <param name="Workload">The instance; null when the start failed.</param>
/// <param name="Error">The cause, for the log and the admin API; null when it started.</param>
internal sealed record LaunchResult(IWorkload? Workload, string? Error)
{
    /// <summary>Milliseconds from the request to the running process, for the log and the admin API; 0 when unknown.</summary>
    public double SpawnMs { get; init; }

    /// <summary>Where it is reached, when the launcher chose that; null when it is the loopback port of the request.</summary>
    public LaunchedAt? Place { get; init; }
}

/// <summary>How an instance ended.</summary>
/// <param name="Description">For people: <c>exited with status 3</c>, <c>killed by signal 9 (SIGKILL)</c>.</param>
/// <param name="Code">Exit status, or null when a signal or the engine ended it.</param>
/// <param name="LastLines">The last lines it wrote to stdout and stderr, oldest first, bounded.</param>
internal sealed record ExitReport(string Description, int? Code, IReadOnlyList<StreamLine> LastLines)
{
    /// <summary>What to do about it, for people; null when nothing is known.</summary>
    public string? Advice { get; init; }

    /// <summary>How it ended, with what to do about it, or else when that was.</summary>
    /// <param name="when">For people: <c>before it was ready</c>; empty for nothing.</param>
    public string Explain(string when) =>
        Advice is { } advice ? $"{Description}: {advice}"
        : when.Length == 0 ? Description
        : $"{Description} {when}";

    /// <summary>The number of the signal that ended it; null when none did, or when that is not known.</summary>
    public int? Signal { get; init; }
}

/// <summary>What its kind says of an instance's health.</summary>
/// <param name="IsHealthy">Whether it is healthy; null when that is not known, or not yet.</param>
/// <param name="Detail">For people.</param>
internal readonly record struct HealthFinding(bool? IsHealthy, string Detail);

/// <summary>One running process or container.</summary>
internal interface IWorkload
{
    /// <summary>For people and reports: <c>pid 1234</c> or <c>container 0a1b…</c>.</summary>
    string Description { get; }

    /// <summary>Process id of a local instance; null for containers.</summary>
    int? Pid { get; }

    /// <summary>What its kind tells of it in reports: values of <see cref="BackendKind.ReportFields"/>, which never change.</summary>
    IReadOnlyList<KeyValuePair<string, string>> Facts => [];

    /// <summary>Completes, exactly once and never faulted, when the instance has ended; continuations run asynchronously.</summary>
    Task<ExitReport> Exited { get; }

    /// <summary>Whether <see cref="FindListenerAsync"/> can tell anything.</summary>
    bool TellsListener => false;

    /// <summary>Finds out who listens where it is reached.</summary>
    /// <param name="at">Where that is.</param>
    Task<ListenerFinding> FindListenerAsync(IPEndPoint at) => Task.FromResult(new ListenerFinding(ListenerOwner.Hidden, ""));

    /// <summary>Finds out where it listens, wherever that is; empty when that cannot be told.</summary>
    Task<IReadOnlyList<IPEndPoint>> FindListenersAsync() => Task.FromResult<IReadOnlyList<IPEndPoint>>([]);

    /// <summary>
    /// Whether its kind has it checked in another way than by asking it over its port: then <see cref="FindHealthAsync"/> says whether it
    /// is ready and healthy, and nothing else is asked.
    /// </summary>
    bool TellsHealth => false;

    /// <summary>Completes when <see cref="FindHealthAsync"/> may find something else from now on; then there is another one.</summary>
    Task HealthChanged => Task.CompletedTask;

    /// <summary>Finds out whether it is healthy.</summary>
    /// <param name="cancel">Ends it with an <see cref="OperationCanceledException"/>.</param>
    Task<HealthFinding> FindHealthAsync(CancellationToken cancel) => Task.FromResult(new HealthFinding(null, ""));

    /// <summary>
    /// Asks it to end: SIGTERM to the whole process group and then to what has left it, or Docker stop. No effect on an ended instance.
    /// </summary>
    /// <param name="graceMs">Milliseconds until <see cref="Kill"/> follows.</param>
    void Terminate(long graceMs);

    /// <summary>
    /// Ends it for certain: SIGKILL to the whole process group. Also called after the leader's exit, to end what it left behind.
    /// </summary>
    void Kill();
}
