using Spawngate.Runtime;

namespace Spawngate.Upstreams;

/// <summary>The bounds of connections to backends, each with the reasoning behind its value.</summary>
internal static class UpstreamLimits
{
    /// <summary>Milliseconds between trims of a pool, and how long a surplus idle connection is spared: ten ticks.</summary>
    public const int PoolTrimPeriodMs = 1000;

    /// <summary>
    /// Looks a millisecond apart at an instance that refuses connections: a development server that starts its child anew is away for some
    /// hundred, a process whose end is being noticed for a few.
    /// </summary>
    public const int AcceptPollsEager = 250;

    /// <summary>Milliseconds between later looks.</summary>
    public const int AcceptPollMs = 20;

    /// <summary>
    /// Milliseconds on the coarse clock for which a new connection has had no byte of an answer, beside an idle one, before the idle ones
    /// are closed: two ticks, so between 100 and 200 ms. Most answers come before.
    /// </summary>
    public const int BlockedLookMs = 2 * RuntimeLimits.ClockTickMs;

    /// <summary>
    /// Milliseconds before idle connections are closed again after that has helped nobody: to open one anew takes 0.1 ms, so a backend that
    /// is only slow loses nothing that shows.
    /// </summary>
    public const int BlockedPauseMs = 1000;

    /// <summary>New connections that are looked at to see whether it helped: the first that is served tells.</summary>
    public const int BlockedTriedMax = 8;

    /// <summary>
    /// Connections served at once after which a backend counts as one that idle ones do not block: servers with fewer threads than that,
    /// each bound to a connection, are known; to look at as many takes 30 µs a tick.
    /// </summary>
    public const int ServedAtOnceEnough = 64;

    /// <summary>Other connections that are looked at when one was answered by a backend that seems blocked: 0.3 µs each.</summary>
    public const int RefutingLooksMax = 64;

    /// <summary>Milliseconds that one such look may take: a connect to this machine is answered at once, or not at all.</summary>
    public const int AcceptConnectMs = 1_000;

    /// <summary>
    /// Bytes sent over one connection between two checks that show that the other side takes them: more than the pings of a WebSocket, far
    /// less than an upload.
    /// </summary>
    public const int SignOfLifeBytes = 1_024;
}
