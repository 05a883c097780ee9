using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>
/// What the log says of a request that a backend failed, for people who look for the cause. All of it is decided before a byte of the
/// answer went to the client.
/// </summary>
internal static class FailureReasons
{
    /// <summary>There is no connection that the request could go over.</summary>
    public const string NoConnection = "no connection to the backend could be opened";

    /// <summary>The connection was reset in the place of an answer.</summary>
    public const string Reset = "the backend reset the connection without an answer";

    /// <summary>The connection was refused, again and again.</summary>
    public const string Refused = "the backend refused the connection";

    /// <summary>The connection ended in the place of an answer.</summary>
    /// <param name="upstream">The connection.</param>
    /// <param name="isAborted">Whether we ended it, because the backend is stopped.</param>
    public static string OfNoResponse(SocketChannel upstream, bool isAborted) =>
        isAborted ? "the backend was stopped before it answered (drain_timeout_secs)"
        : upstream.WasReset ? Reset
        : "the backend closed the connection without an answer";

    /// <summary>The connection ended after something had come.</summary>
    /// <param name="upstream">The connection.</param>
    public static string OfHalfResponse(SocketChannel upstream) =>
        (upstream.ReceivedLength > 0, upstream.WasReset) switch
        {
            (true, false) => "the backend closed the connection in the middle of its response head",
            (true, true) => "the backend reset the connection in the middle of its response head",
            (false, false) => "the backend closed the connection after an interim response",
            _ => "the backend reset the connection after an interim response",
        };

    /// <summary>No response head came in time.</summary>
    /// <param name="receivedAny">Whether anything of one came.</param>
    public static string OfTimeout(bool receivedAny) =>
        receivedAny ? "the backend did not send all of its response head in time" : "the backend did not answer in time";

    /// <summary>A client takes hardly anything of what is sent.</summary>
    public static string TakingTooSlowly { get; } =
        $"it took less than {ForwardingLimits.RateBytesMin} bytes in {ForwardingLimits.RateWindowMs / 1000} s";

    /// <summary>A client takes nothing of what is sent.</summary>
    public const string TakingNothing = "it takes nothing any more";

    /// <summary>The rest of an answer does not come, nor what a client has yet to send.</summary>
    public const string BothSilent = "neither it nor the backend sends anything any more";

    /// <summary>A response that streams pauses for too long.</summary>
    public const string StreamSilent = "the backend sent nothing for longer than stream_timeout_secs";

    /// <summary>The backend had no room for the request in time.</summary>
    public const string NoRoom = "the backend had no room for it within request_timeout_secs (max_concurrency)";

    /// <summary>The rest of an answer does not come.</summary>
    public const string SendingNothing = "nothing more comes from the backend";

    /// <summary>What the error alone tells; null where there is more to say.</summary>
    public static string? Of(ProxyError error) =>
        error switch
        {
            ProxyError.MissingHostHeader => "it names no host",
            ProxyError.UnknownHost => "no backend serves this host",
            ProxyError.BackendShuttingDown => "the backend is being stopped",
            ProxyError.BackendUnhealthy => "the health checks of the backend fail",
            ProxyError.BackendStartFailed => "the backend could not be started",
            ProxyError.BackendStarting => "the backend is starting",
            ProxyError.QueueFull => "too many requests wait for the backend (max_queued_requests)",
            ProxyError.NotRunning => "the backend does not run, and this request does not start it (no_wake)",
            ProxyError.SessionEnded => "the session has ended",
            ProxyError.LoopDetected => "it goes in a loop",
            ProxyError.NotImplemented => "its Max-Forwards is used up",
            ProxyError.TooManyRequests => "a limit of the client's address is reached",
            ProxyError.Overloaded => "the gateway runs low on memory, descriptors or ports",
            ProxyError.ClientTimeout => "the client did not send its body in time",
            ProxyError.BadRequest => "its body is malformed",
            ProxyError.ClientGone => "the client left before it had an answer",
            _ => null,
        };

    /// <summary>
    /// At which level a failed request is told: what whoever runs the backend should know of is a warning, what clients bring about
    /// themselves is for who looks for it.
    /// </summary>
    public static LogLevel LevelOf(ProxyError error) =>
        error switch
        {
            ProxyError.ConnectionFailed
            or ProxyError.BadBackendResponse
            or ProxyError.RequestTimeout
            or ProxyError.BackendStartFailed
            or ProxyError.BackendUnhealthy
            or ProxyError.QueueFull
            or ProxyError.LoopDetected => LogLevel.Warning,
            ProxyError.BackendShuttingDown => LogLevel.Information,
            _ => LogLevel.Debug,
        };

    /// <summary>Why a response that had begun goes no further, when it is not its backend that ended it.</summary>
    public static string OfAbort(ProxyError reason) =>
        reason switch
        {
            ProxyError.Overloaded => "the gateway runs low on memory, descriptors or ports",
            ProxyError.BadRequest => "the rest of the request is malformed",
            ProxyError.ClientTimeout => "the client did not send the rest of its request in time",
            _ => "the client left",
        };

    /// <summary>How the backend cut a response that had begun.</summary>
    /// <param name="exchange">The exchange.</param>
    /// <param name="isBroken">Whether it is the framing of its body that cannot be read.</param>
    public static string OfCut(Exchange exchange, bool isBroken) =>
        isBroken ? "its chunks are malformed"
        : exchange.IsUpstreamAborted ? "the backend was stopped before the end (drain_timeout_secs)"
        : exchange.Upstream.WasReset ? "the backend reset the connection"
        : "the backend ended it early";

    /// <summary>Why a final response cannot be passed on whose head could be read; null when it can.</summary>
    /// <param name="response">The response.</param>
    /// <param name="received">Its head, and what came along of its body.</param>
    /// <param name="offer">What upgrade the request asked for; null for none.</param>
    public static string? OfResponse(ResponseHead response, ReadOnlySpan<byte> received, UpgradeOffer? offer) =>
        response.Status == 101 ? UpgradeOffer.FaultOf(offer, response, received)
        : response.Framing.Kind == BodyKind.Chunked && IsBroken(response.Framing, received[response.Length..]) ? "its chunks are malformed"
        : null;

    /// <summary>Once the head has gone out a broken body can only be cut, so what is there of it is looked at before.</summary>
    private static bool IsBroken(BodyFraming framing, ReadOnlySpan<byte> received)
    {
        var reader = new BodyReader(framing, 0, ofResponse: true);
        ChunkEvent found;
        while ((found = reader.Next(received, out int consumed, out _, out _)) is ChunkEvent.Data or ChunkEvent.Trailer)
        {
            received = received[consumed..];
        }

        return found == ChunkEvent.Broken;
    }
}
