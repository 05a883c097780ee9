namespace Spawngate.Backends.Probing;

/// <summary>The bounds of health probes, each with the reasoning behind its value.</summary>
internal static class ProbeLimits
{
    /// <summary>
    /// Milliseconds during which a refused connection is retried quickly: a start that takes longer does not notice 100 ms more.
    /// </summary>
    public const int FastPhaseMs = 5_000;

    /// <summary>
    /// Milliseconds during which a refused connection is retried after 1 ms; after it 5 ms, so that a fast start loses about 1 ms and a
    /// slow one 2 %.
    /// </summary>
    public const int EagerPhaseMs = 250;

    /// <summary>
    /// Milliseconds between quick retries after the eager phase: 200 refused connections a second cost about 0.5 % of a core.
    /// </summary>
    public const int FastRetryMs = 5;

    /// <summary>
    /// Milliseconds one health check may take at most, as users of other checkers expect (HAProxy, Kubernetes: 1 to 5 s).
    /// </summary>
    public const int TimeoutMs = 5_000;

    /// <summary>
    /// Milliseconds after which an instance is asked again whose kind tells its health while it starts: a call to its engine takes one.
    /// </summary>
    public const int ToldHealthMs = 1_000;

    /// <summary>Bytes of a health response's head: the usual 8 KiB of servers and proxies; past it the check fails.</summary>
    public const int HeadBytesMax = 8_192;

    /// <summary>Bytes of a health response's body that are read to keep the connection; past it, closing is cheaper than reading.</summary>
    public const int BodyBytesMax = 65_536;

    /// <summary>Interim (1xx) responses read before a health answer: one 100 and a few 103 are sane, more are not.</summary>
    public const int InterimResponsesMax = 8;

    /// <summary>
    /// Milliseconds a connection to a forwarded port must stay open to count as accepted by the container, where the container itself
    /// cannot be asked: the forwarder tries to connect at once, and closes in a millisecond when it cannot; on an overloaded machine after
    /// some hundred.
    /// </summary>
    public const int ForwardedMs = 500;

    /// <summary>
    /// Milliseconds after which it is first looked whether an instance that does not listen where it was told listens elsewhere: later than
    /// most starts take, which so never pay for it.
    /// </summary>
    public const int OtherPortsFirstLookMs = 500;

    /// <summary>Milliseconds between two such looks, each of which reads the table of processes (some ms).</summary>
    public const int OtherPortsLookMs = 250;

    /// <summary>
    /// Milliseconds that an instance must have been seen to listen elsewhere, its own port closed all the while, before that counts: longer
    /// than programs take from their first port (metrics, a debugger) to that of their service.
    /// </summary>
    public const int OtherPortMs = 2_000;
}
