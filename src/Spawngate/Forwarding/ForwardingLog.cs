using System.Text;

namespace Spawngate.Forwarding;

/// <summary>Log lines of category <c>spawngate.forwarding</c>.</summary>
internal static partial class ForwardingLog
{
    /// <summary>A request was refused before it reached a backend.</summary>
    [LoggerMessage(Level = LogLevel.Debug, Message = "client=\"{Client}\" Request refused: {Fault}")]
    public static partial void Refused(ILogger log, string client, string fault);

    /// <summary>A request over HTTP/2 was reset because of what its client sent.</summary>
    [LoggerMessage(Level = LogLevel.Debug, Message = "client=\"{Client}\" stream=\"{Stream}\" Request reset: {Fault}")]
    public static partial void Reset(ILogger log, string client, int stream, string fault);

    /// <summary>A connection over HTTP/2 was ended because of what its client sent.</summary>
    [LoggerMessage(Level = LogLevel.Debug, Message = "client=\"{Client}\" code=\"{Code}\" Connection ended by a fault of the client")]
    public static partial void ConnectionFault(ILogger log, string client, string code);

    /// <summary>A request failed: its client got an error in the place of an answer, or left before it had one.</summary>
    [LoggerMessage(
        Message = "hostname=\"{Hostname}\" client=\"{Client}\" request_id=\"{RequestId}\" "
            + "method=\"{Method}\" host=\"{Host}\" path=\"{Path}\" code=\"{Code}\" Request failed: {Reason}"
    )]
    public static partial void Failed(
        ILogger log,
        LogLevel level,
        string hostname,
        string client,
        string requestId,
        string method,
        string host,
        string path,
        string code,
        string reason
    );

    /// <summary>A response was cut after it had begun.</summary>
    [LoggerMessage(
        Message = "hostname=\"{Hostname}\" client=\"{Client}\" request_id=\"{RequestId}\" "
            + "method=\"{Method}\" host=\"{Host}\" path=\"{Path}\" Response cut: {Cause}"
    )]
    public static partial void Cut(
        ILogger log,
        LogLevel level,
        string hostname,
        string client,
        string requestId,
        string method,
        string host,
        string path,
        string cause
    );

    /// <summary>So many lines of the two kinds above were not written.</summary>
    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "hostname=\"{Hostname}\" count=\"{Count}\" More requests failed, or responses were cut, than there are lines about it"
    )]
    public static partial void Held(ILogger log, string hostname, int count);

    /// <summary>A client was cut in the middle of an exchange: it takes its answer too slowly.</summary>
    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "hostname=\"{Hostname}\" client=\"{Client}\" request_id=\"{RequestId}\" "
            + "method=\"{Method}\" host=\"{Host}\" path=\"{Path}\" Client cut: {Cause}"
    )]
    public static partial void ClientCut(
        ILogger log,
        string hostname,
        string client,
        string requestId,
        string method,
        string host,
        string path,
        string cause
    );

    /// <summary>A connection over HTTP/2 was cut with all its streams: its client takes too slowly what is sent.</summary>
    [LoggerMessage(Level = LogLevel.Information, Message = "client=\"{Client}\" streams=\"{Streams}\" Client cut: {Cause}")]
    public static partial void ConnectionCut(ILogger log, string client, int streams, string cause);

    /// <summary>So many lines of the two kinds above were not written.</summary>
    [LoggerMessage(Level = LogLevel.Information, Message = "count=\"{Count}\" More clients were cut than there are lines about it")]
    public static partial void ClientCutsHeld(ILogger log, int count);

    /// <summary>A connection ended with an error that nobody expected.</summary>
    [LoggerMessage(Level = LogLevel.Error, Message = "client=\"{Client}\" Connection ended by an unexpected error")]
    public static partial void Unexpected(ILogger log, Exception error, string client);

    /// <summary>No socket could be made for a request.</summary>
    [LoggerMessage(Level = LogLevel.Error, Message = "error=\"{Error}\" Cannot open connections to backends for the moment")]
    public static partial void NoSocket(ILogger log, string error);

    /// <summary>It has failed so often since.</summary>
    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "error=\"{Error}\" failures=\"{Failures}\" Still cannot open connections to backends after {DurationMs} ms"
    )]
    public static partial void StillNoSocket(ILogger log, string error, long failures, long durationMs);

    /// <summary>It has not failed for a while.</summary>
    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "failures=\"{Failures}\" Connections to backends can be opened again after {DurationMs} ms"
    )]
    public static partial void SocketsAgain(ILogger log, long failures, long durationMs);

    /// <summary>Accepting failed for a moment.</summary>
    [LoggerMessage(Level = LogLevel.Error, Message = "error=\"{Error}\" Cannot accept connections for the moment")]
    public static partial void AcceptFailed(ILogger log, string error);

    /// <summary>It has failed so often since.</summary>
    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "error=\"{Error}\" failures=\"{Failures}\" Still cannot accept connections after {DurationMs} ms"
    )]
    public static partial void AcceptStillFails(ILogger log, string error, long failures, long durationMs);

    /// <summary>It has not failed for a while.</summary>
    [LoggerMessage(Level = LogLevel.Information, Message = "failures=\"{Failures}\" Connections are accepted again after {DurationMs} ms")]
    public static partial void AcceptsAgain(ILogger log, long failures, long durationMs);

    /// <summary>
    /// Logs a request that failed, once: what a backend or its limits brought about as a warning, what clients do wrong, or want no more,
    /// for who looks for it.
    /// </summary>
    public static void Error(ForwardingContext context, ClientIdentity client, Exchange exchange, ProxyError error)
    {
        var level = FailureReasons.LevelOf(error);
        if (exchange.State != ExchangeState.Failed || exchange.IsTold || !context.Log.IsEnabled(level))
        {
            return; // What was no request has a line of its own.
        }

        exchange.IsTold = true;
        if (level > LogLevel.Debug && !MayTell(context, exchange))
        {
            return;
        }

        var line = exchange.LineForLog();
        Failed(
            context.Log,
            level,
            exchange.Backend?.Name ?? "",
            client.Text,
            exchange.IdForLog(),
            line.Method,
            line.Host,
            line.Path,
            Encoding.ASCII.GetString(ProxyErrors.Code(error)),
            FailureReasons.Of(error) ?? exchange.Reason
        );
    }

    /// <summary>
    /// Logs a response that is cut, once: a warning when its backend did that; for who looks for it when its client left or had to go.
    /// </summary>
    public static void BodyCut(ForwardingContext context, ClientIdentity client, Exchange exchange, PumpOutcome outcome)
    {
        bool byBackend = !exchange.IsAborted && outcome is (PumpOutcome.SourceCut or PumpOutcome.SourceBroken);
        WriteCut(
            context,
            client,
            exchange,
            byBackend ? LogLevel.Warning : LogLevel.Debug,
            byBackend
                ? FailureReasons.OfCut(exchange, isBroken: outcome == PumpOutcome.SourceBroken)
                : FailureReasons.OfAbort(exchange.AbortReason)
        );
    }

    /// <summary>Logs an exchange that its client did not let come to its end, unless it is known already why.</summary>
    public static void Unfinished(ForwardingContext context, ClientIdentity client, Exchange exchange)
    {
        if (exchange.State == ExchangeState.Failed)
        {
            Error(context, client, exchange, ProxyError.ClientGone);
        }
        else if (exchange.State == ExchangeState.Relaying)
        {
            BodyCut(context, client, exchange, PumpOutcome.SinkFailed);
        }
    }

    /// <summary>Logs a response that streams and is cut because its backend was silent for too long; on the tick.</summary>
    public static void StreamSilent(ForwardingContext context, ClientIdentity client, Exchange exchange) =>
        WriteCut(context, client, exchange, LogLevel.Warning, FailureReasons.StreamSilent);

    /// <summary>
    /// Logs an exchange that is cut in the middle of its answer because nothing of it has moved for as long as it may; on the tick.
    /// </summary>
    /// <param name="context">Whose log.</param>
    /// <param name="client">Whose request.</param>
    /// <param name="exchange">The exchange.</param>
    /// <param name="takesNothing">True when it is the client that takes nothing.</param>
    /// <param name="givesNothing">True when more of the request's body is to come from it.</param>
    public static void Stalled(ForwardingContext context, ClientIdentity client, Exchange exchange, bool takesNothing, bool givesNothing)
    {
        if (takesNothing || givesNothing)
        {
            TooSlow(context, client, exchange, takesNothing ? FailureReasons.TakingNothing : FailureReasons.BothSilent);
        }
        else
        {
            WriteCut(context, client, exchange, LogLevel.Warning, FailureReasons.SendingNothing);
        }
    }

    /// <summary>Logs a client that is cut in the middle of an answer because it takes it too slowly; on the tick.</summary>
    public static void TooSlow(ForwardingContext context, ClientIdentity client, Exchange exchange, string cause)
    {
        exchange.IsTold = true;
        if (MayTellOfClient(context))
        {
            var line = exchange.LineForLog();
            string hostname = exchange.Backend?.Name ?? "";
            ClientCut(context.Log, hostname, client.Text, exchange.IdForLog(), line.Method, line.Host, line.Path, cause);
        }
    }

    /// <summary>Logs a connection over HTTP/2 that is cut because its client takes too slowly what is sent.</summary>
    public static void TooSlow(ForwardingContext context, ClientIdentity client, int streams, string cause)
    {
        if (MayTellOfClient(context))
        {
            ConnectionCut(context.Log, client.Text, streams, cause);
        }
    }

    private static bool MayTellOfClient(ForwardingContext context)
    {
        bool passes = context.ClientNotices.TryPass(context.Clock.NowMs, out int held);
        if (held > 0)
        {
            ClientCutsHeld(context.Log, held);
        }

        return passes;
    }

    private static void WriteCut(ForwardingContext context, ClientIdentity client, Exchange exchange, LogLevel level, string cause)
    {
        if (exchange.IsTold || !context.Log.IsEnabled(level))
        {
            return;
        }

        exchange.IsTold = true;
        if (level > LogLevel.Debug && !MayTell(context, exchange))
        {
            return;
        }

        var line = exchange.LineForLog();
        string hostname = exchange.Backend?.Name ?? "";
        Cut(context.Log, level, hostname, client.Text, exchange.IdForLog(), line.Method, line.Host, line.Path, cause);
    }

    /// <summary>A backend that fails with every request would flood the log: says how much was left out once there is room again.</summary>
    private static bool MayTell(ForwardingContext context, Exchange exchange)
    {
        int held = 0;
        bool passes = exchange.Backend is not { } backend || backend.FailureNotices.TryPass(context.Clock.NowMs, out held);
        if (held > 0)
        {
            Held(context.Log, exchange.Backend!.Name, held);
        }

        return passes;
    }
}
