using Spawngate.Logging;

namespace Spawngate.Admin;

/// <summary>The bounds of the admin API, each with the reasoning behind its value.</summary>
internal static class AdminLimits
{
    /// <summary>Part of the connections to the admin API, one in so many, that streams and waits may not have.</summary>
    public const int ShortShare = 4;

    /// <summary>Connections that streams and waits may not have at least: a health check, a scraper, a few people and callbacks.</summary>
    public const int ShortMin = 8;

    /// <summary>Connections that wait to be accepted: as many as the runtime's own server has.</summary>
    public const int Backlog = 512;

    /// <summary>
    /// Connections beyond the bound that are being closed for others: each takes some microseconds, and who comes meanwhile waits.
    /// </summary>
    public const int ClosingMax = 64;

    /// <summary>
    /// Seconds an idle connection to the admin API is kept: that of the proxy; scrapers that come once a minute keep theirs.
    /// </summary>
    public const int KeepAliveSecs = 75;

    /// <summary>Part of the connections, one in so many, from which on idle ones are closed early.</summary>
    public const int CrowdedShare = 4;

    /// <summary>Milliseconds for which a connection may be idle then: a page that asks every second keeps its own.</summary>
    public const int CrowdedIdleMs = 5000;

    /// <summary>Bytes of a request body the admin API accepts: no request has more than a small JSON object.</summary>
    public const int RequestBodyBytesMax = 64 * 1024;

    /// <summary>Seconds a client of the admin API may take to send a head.</summary>
    public const int HeaderTimeoutSecs = 10;

    /// <summary>
    /// Clients that follow logs at once: people need a handful, and so many leave callbacks and streams of events their room.
    /// </summary>
    public const int LogFollowersMax = 64;

    /// <summary>Bytes of log written before the client must have taken them: four of the longest lines (16 KiB).</summary>
    public const int LogFlushBytes = 4 * LoggingLimits.OutputLineBytes;

    /// <summary>Seconds the admin API waits at a stop for answers in progress; all of them are short.</summary>
    public const int StopSecs = 2;

    /// <summary>Connections at once to where containers call back: as many starts at a time, on one network.</summary>
    public const int ReadyCallbackConnectionsMax = 256;

    /// <summary>Seconds that a call may wait for a session: longer than any start, shorter than a day of forgotten clients.</summary>
    public const int SessionWaitSecsMax = 3600;

    /// <summary>
    /// Milliseconds between comments in a stream that has nothing to tell, by which both ends notice that the other is gone: below the
    /// minute of common proxies.
    /// </summary>
    public const int SessionHeartbeatMs = 15_000;

    /// <summary>Milliseconds between two looks at a session's use for its stream of events.</summary>
    public const int SessionSampleMs = 1000;

    /// <summary>Seconds after which a call that found no room may try again: sweeping takes about one.</summary>
    public const int SessionsFullRetrySecs = 1;

    /// <summary>Milliseconds between two samples of the numbers: as often as people can read them.</summary>
    public const int HistorySampleMs = 1000;

    /// <summary>Open requests and tunnels that a report lists: what a person looks through; their number is there as well.</summary>
    public const int HoldersListed = 50;

    /// <summary>Events that <c>explain</c> prints: the last five starts and stops, on one screen.</summary>
    public const int ExplainedEvents = 20;

    /// <summary>
    /// Host names with series of their own: at some 60 series each, 60,000 in all, which one Prometheus takes from one target; the rest is
    /// added up.
    /// </summary>
    public const int MetricHostsMax = 1000;

    /// <summary>Characters of what a caller sent that an error repeats: enough to know it again.</summary>
    public const int QuotedCharsMax = 64;
}
