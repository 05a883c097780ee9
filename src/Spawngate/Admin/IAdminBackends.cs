using System.Diagnostics.CodeAnalysis;
using Spawngate.Backends;
using Spawngate.Sessions;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;

namespace Spawngate.Admin;

/// <summary>
/// All that the admin API asks of the backends. Names of backends that cross this seam are normalised like host names, which most of
/// them are: lower case, without port and trailing dot. No call blocks; commands are posted to the backend's lifecycle and answered before
/// they are done.
/// </summary>
internal interface IAdminBackends
{
    /// <summary>A report of every backend, in the order of the configuration file, and then of every session that lives.</summary>
    IReadOnlyList<BackendReport> ReportAll();

    /// <summary>A report of the backend whose name is <paramref name="name"/>; null when there is none.</summary>
    BackendReport? Report(string name);

    /// <summary>
    /// A report of the backend that a request for <paramref name="hostname"/> is routed to, wildcards included; null when there is none.
    /// </summary>
    BackendReport? ReportRouted(string hostname);

    /// <summary>What holds a backend and what happened to it, in addition to its report; null when it has gone meanwhile.</summary>
    BackendDetails? Describe(BackendReport report);

    /// <summary>What is counted of the gateway as a whole.</summary>
    GatewayNumbers Gateway { get; }

    /// <summary>What is counted of sessions, by template.</summary>
    IReadOnlyList<SessionNumbers> SessionNumbers { get; }

    /// <summary>What is counted of a backend; null when there is none, or nothing of it.</summary>
    BackendNumbers? Numbers(string name);

    /// <summary>Reads along with the histories of all backends; null when too many do. Dispose the reader to stop.</summary>
    HistoryReader? ReadEvents();

    /// <summary>Hands a command to the backend of that name.</summary>
    CommandOutcome Post(string name, AdminCommand command);

    /// <summary>Declares a start ready.</summary>
    /// <param name="name">Name of the backend.</param>
    /// <param name="token">
    /// The token of the ready callback as received; null when none was sent. The backend compares it, in constant time.
    /// </param>
    /// <param name="adminAuthorised">The caller proved to know the admin token, which stands in for the token of the start.</param>
    ReadyCallbackOutcome ReportReady(string name, string? token, bool adminAuthorised);

    /// <summary>An instance works on, for so many seconds at least: its busy URL was called.</summary>
    /// <param name="name">Name of the backend.</param>
    /// <param name="token">The token of the instance as received. The backend compares it, in constant time.</param>
    /// <param name="secs">Seconds from now; 0 to end the lease.</param>
    Task<LeaseOutcome> LeaseAsync(string name, string token, int secs);

    /// <summary>The retained output lines of the backend, oldest first; empty when there are none.</summary>
    IReadOnlyList<BackendLogLine> ReadLog(string name);

    /// <summary>The retained output lines and every new one; null when the backend has too many followers already.</summary>
    IBackendLogFollower? FollowLog(string name);
}

/// <summary>
/// One reader of a backend's output. It is bounded: who reads too slowly misses lines, and no writer waits. Dispose it to stop.
/// </summary>
internal interface IBackendLogFollower : IDisposable
{
    /// <summary>The lines from before, oldest first.</summary>
    IReadOnlyList<BackendLogLine> Past { get; }

    /// <summary>Lines this reader has missed so far because it was too slow.</summary>
    long Missed { get; }

    /// <summary>Takes the next new line if one is there.</summary>
    bool TryRead([NotNullWhen(true)] out BackendLogLine? line);

    /// <summary>Completes with true once a line may be there, with false when the backend is no longer configured.</summary>
    /// <param name="cancel">Ends the wait with an <see cref="OperationCanceledException"/>.</param>
    ValueTask<bool> WaitAsync(CancellationToken cancel);
}

/// <summary>What became of a command.</summary>
internal enum CommandOutcome
{
    /// <summary>The backend has it and does it in its turn.</summary>
    Accepted,

    /// <summary>No backend has that name.</summary>
    UnknownHost,

    /// <summary>More commands wait for this backend than it takes.</summary>
    TooMany,
}

/// <summary>What an operator can ask of a backend.</summary>
internal enum AdminCommand
{
    /// <summary>Start it unless it runs.</summary>
    Start,

    /// <summary>Drain and stop it.</summary>
    Stop,

    /// <summary>Stop it, then start it anew.</summary>
    Restart,
}

/// <summary>One line that a backend wrote.</summary>
/// <param name="Time">When it was read.</param>
/// <param name="Stream"><c>stdout</c> or <c>stderr</c>.</param>
/// <param name="Text">The line without its end.</param>
internal sealed record BackendLogLine(DateTimeOffset Time, string Stream, string Text);
