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

    /// <summary>Accepting failed for a moment.</summary>
    [LoggerMessage(Level = LogLevel.Error, Message = "error=\"{Error}\" Cannot accept connections for the moment")]
    public static partial void AcceptFailed(ILogger log, string error);

    /// <summary>Logs an error that is the backend's doing; what clients do wrong and what the lifecycle has logged already is not repeated for each request.</summary>
    public static void ReportError(ILogger log, ProxyError error, ClientIdentity client, ReadOnlySpan<byte> requestId)
    {
        if (error is ProxyError.ConnectionFailed or ProxyError.BadBackendResponse or ProxyError.RequestTimeout)
        {
            Failed(log, client.Text, Ascii(requestId), Ascii(ProxyErrors.Code(error)));
        }
    }

    /// <summary>Logs a response that was cut, unless the client cut it.</summary>
    public static void ReportCut(ILogger log, PumpOutcome outcome, ClientIdentity client, ReadOnlySpan<byte> requestId)
    {
        if (outcome is PumpOutcome.SourceCut or PumpOutcome.SourceBroken)
        {
            Cut(log, client.Text, Ascii(requestId), outcome == PumpOutcome.SourceCut ? "the backend ended it early" : "its chunks are malformed");
        }
    }

    private static string Ascii(ReadOnlySpan<byte> bytes) => System.Text.Encoding.ASCII.GetString(bytes);
}
