using Spawngate.Config;

namespace Spawngate.Backends;

/// <summary>
/// The seam between a backend's lifecycle and what it runs as: a local process or a container. Three things cross it:
/// start, stop (in two strengths) and "has exited".
/// </summary>
internal interface ILauncher
{
    /// <summary>Starts one run. Never throws for a cause outside this program: the result carries the failure.</summary>
    /// <param name="request">What to start.</param>
    /// <param name="cancel">Cancelled when the run is no longer wanted; a run that was already started is then killed by the launcher.</param>
    Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel);
}

/// <summary>All that a launcher needs to know about one start.</summary>
/// <param name="Config">Effective settings of the backend.</param>
/// <param name="Generation">Number of this start, unique within the backend.</param>
/// <param name="Port">Loopback port the backend shall listen on; already chosen if the configuration leaves it open.</param>
/// <param name="ReadyUrl">Value of SERVERLESS_PROXY_READY_URL, with the token of this start.</param>
internal sealed record LaunchRequest(BackendConfig Config, int Generation, int Port, string ReadyUrl);

/// <summary>A started run, or why there is none.</summary>
/// <param name="Run">The run; null when the start failed.</param>
/// <param name="Error">The cause, for the log and the admin API; null when it started.</param>
internal sealed record LaunchResult(ILaunchedRun? Run, string? Error)
{
    /// <summary>Milliseconds from the request to the running process, for the log and the admin API; 0 when unknown.</summary>
    public double SpawnMs { get; init; }
}

/// <summary>How a run ended.</summary>
/// <param name="Description">For people: <c>exited with status 3</c>, <c>killed by signal 9 (SIGKILL)</c>.</param>
/// <param name="Code">Exit status, or null when a signal or the engine ended it.</param>
/// <param name="LastStderrLines">The last lines it wrote to stderr, oldest first, bounded.</param>
internal sealed record ExitReport(string Description, int? Code, IReadOnlyList<string> LastStderrLines);

/// <summary>One running process or container.</summary>
internal interface ILaunchedRun
{
    /// <summary>For people and reports: <c>pid 1234</c> or <c>container 0a1b…</c>.</summary>
    string Description { get; }

    /// <summary>Process id of a local run; null for containers.</summary>
    int? Pid { get; }

    /// <summary>Completes, exactly once and never faulted, when the run has ended; continuations run asynchronously.</summary>
    Task<ExitReport> Exited { get; }

    /// <summary>Asks it to end: SIGTERM to the whole process group and then to what has left it, or Docker stop. No effect on an ended run.</summary>
    /// <param name="graceMs">Milliseconds until <see cref="Kill"/> follows.</param>
    void Terminate(long graceMs);

    /// <summary>Ends it for certain: SIGKILL to the whole process group. Also called after the leader's exit, to end what it left behind.</summary>
    void Kill();
}
