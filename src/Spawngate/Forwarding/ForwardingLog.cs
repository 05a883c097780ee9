using System.Text;
using Microsoft.Extensions.Logging;

namespace Spawngate.Forwarding;

/// <summary>Log lines of category <c>spawngate.forwarding</c>.</summary>
internal static partial class ForwardingLog
{
    /// <summary>A backend's response could not be read.</summary>
    [LoggerMessage(Level = LogLevel.Warning, Message = "hostname=\"{Hostname}\" Malformed response: {Fault}")]
    public static partial void BadResponse(ILogger log, string hostname, string fault);

    /// <summary>A request was refused before it reached a backend.</summary>
    [LoggerMessage(Level = LogLevel.Debug, Message = "client=\"{Client}\" Request refused: {Fault}")]
    public static partial void Refused(ILogger log, string client, string fault);

    /// <summary>A request failed at a backend.</summary>
    [LoggerMessage(Level = LogLevel.Warning, Message = "client=\"{Client}\" request_id=\"{RequestId}\" code=\"{Code}\" Request failed")]
    public static partial void Failed(ILogger log, string client, string requestId, string code);

    /// <summary>A response was cut after it had begun.</summary>
    [LoggerMessage(Level = LogLevel.Warning, Message = "client=\"{Client}\" request_id=\"{RequestId}\" Response cut: {Cause}")]
    public static partial void Cut(ILogger log, string client, string requestId, string cause);

    /// <summary>A connection ended with an error that nobody expected.</summary>
    [LoggerMessage(Level = LogLevel.Error, Message = "client=\"{Client}\" Connection ended by an unexpected error")]
    public static partial void Unexpected(ILogger log, Exception error, string client);

    /// <summary>No socket could be made for a request.</summary>
    [LoggerMessage(Level = LogLevel.Error, Message = "hostname=\"{Hostname}\" error=\"{Error}\" Cannot open a connection to the backend")]
    public static partial void NoSocket(ILogger log, string hostname, string error);

    /// <summary>Accepting failed for a moment.</summary>
    [LoggerMessage(Level = LogLevel.Error, Message = "error=\"{Error}\" Cannot accept connections for the moment")]
    public static partial void AcceptFailed(ILogger log, string error);

    /// <summary>Logs an error that an administrator should know of; what clients do wrong is not among them.</summary>
    public static void Error(ILogger log, ClientIdentity client, Exchange exchange, ProxyError error)
    {
        if (error is ProxyError.ConnectionFailed or ProxyError.BadBackendResponse or ProxyError.RequestTimeout)
        {
            Failed(log, client.Text, Encoding.ASCII.GetString(exchange.RequestId), Encoding.ASCII.GetString(ProxyErrors.Code(error)));
        }
    }

    /// <summary>Logs a response that its backend cut; one that ended because of the client or of us is not its fault.</summary>
    public static void BodyCut(ILogger log, ClientIdentity client, Exchange exchange, PumpOutcome outcome)
    {
        if (!exchange.IsAborted && outcome is (PumpOutcome.SourceCut or PumpOutcome.SourceBroken))
        {
            var cause = outcome == PumpOutcome.SourceCut ? "the backend ended it early" : "its chunks are malformed";
            Cut(log, client.Text, Encoding.ASCII.GetString(exchange.RequestId), cause);
        }
    }
}
