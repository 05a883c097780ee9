namespace Spawngate.Backends.Probing;

/// <summary>The bounds of health probes, each with the reasoning behind its value.</summary>
internal static class ProbeLimits
{
    /// <summary>
    /// Milliseconds during which a refused connection is retried quickly: a start that takes longer does not notice 100 ms more.
    /// </summary>
    public const int ProbeFastPhaseMs = 5_000;

    /// <summary>
    /// Milliseconds during which a refused connection is retried after 1 ms; after it 5 ms, so that a fast start loses about 1 ms and a
    /// slow one 2 %.
    /// </summary>
    public const int ProbeEagerPhaseMs = 250;

    /// <summary>
    /// Milliseconds between quick retries after the eager phase: 200 refused connections a second cost about 0.5 % of a core.
    /// </summary>
    public const int ProbeFastRetryMs = 5;

    /// <summary>
    /// Milliseconds one health check may take at most, as users of other checkers expect (HAProxy, Kubernetes: 1 to 5 s).
    /// </summary>
    public const int ProbeTimeoutMs = 5_000;

    /// <summary>Bytes of a health response's head: the usual 8 KiB of servers and proxies; past it the check fails.</summary>
    public const int ProbeHeadBytesMax = 8_192;

    /// <summary>Bytes of a health response's body that are read to keep the connection; past it, closing is cheaper than reading.</summary>
    public const int ProbeBodyBytesMax = 65_536;

    /// <summary>Interim (1xx) responses read before a health answer: one 100 and a few 103 are sane, more are not.</summary>
    public const int ProbeInterimResponsesMax = 8;

    /// <summary>
    /// Milliseconds a connection to a forwarded port must stay open to count as accepted by the container, where the container itself
    /// cannot be asked: the forwarder tries to connect at once, and closes in a millisecond when it cannot; on an overloaded machine after
    /// some hundred.
    /// </summary>
    public const int ProbeForwardedMs = 500;
}
