using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;

namespace Spawngate.Clients.Http2;

/// <summary>
/// Tells of requests that HTTP/2 resets instead of answering them (RFC 9113 section 8.1.1): in the log at the level of what clients do
/// wrong, and in the access log like those that HTTP/1.1 refuses. How many there can be is bounded by the budget of resets.
/// </summary>
internal static class StreamFaults
{
    /// <summary>The status that stands for a malformed request.</summary>
    private const int MalformedStatus = 400;

    /// <summary>The status that stands for a stream above what was announced.</summary>
    private const int RefusedStatus = 503;

    /// <summary>Tells of a fault of the client; outside of the gate.</summary>
    /// <param name="context">Where to.</param>
    /// <param name="client">The client.</param>
    /// <param name="kind">What became of the stream, or the connection.</param>
    /// <param name="found">Why.</param>
    /// <param name="isTooMuch">True when it is refused because of the heads of all open requests together.</param>
    /// <param name="next">The exchange that the request would have had.</param>
    /// <param name="head">What was understood of its head.</param>
    public static void Tell(
        ForwardingContext context,
        ClientIdentity client,
        Http2EventKind kind,
        in Http2Event found,
        bool isTooMuch,
        StreamExchange next,
        ReadOnlySpan<byte> head
    )
    {
        if (kind == Http2EventKind.ConnectionError)
        {
            ForwardingLog.ConnectionFault(context.Log, client.Text, found.Code.ToString());
            return;
        }

        ForwardingLog.Reset(
            context.Log,
            client.Text,
            found.StreamId,
            isTooMuch ? "the heads of its open requests are too long together" : Describe(found)
        );
        bool refused = found.Code == ErrorCode.RefusedStream;
        if (kind == Http2EventKind.StreamRefused && (refused || found.Code == ErrorCode.Protocol))
        {
            next.NoteReset(
                refused ? RefusedStatus : MalformedStatus,
                refused ? ProxyError.None : ProxyError.BadRequest,
                refused && !isTooMuch ? default : LineOf(next.Request, head)
            );
        }
    }

    /// <summary>A request that its client broke while it was served ends without an answer.</summary>
    public static void NoteUntold(Exchange exchange, ProxyError error)
    {
        if (error == ProxyError.BadRequest && exchange.Record.Status == 0)
        {
            exchange.Record.SetReset(MalformedStatus, error);
        }
    }

    /// <summary>Method and target as the head has them; empty when it did not come so far.</summary>
    public static ReadOnlySpan<byte> LineOf(RequestHead request, ReadOnlySpan<byte> head) =>
        request.IsPristine || head.IndexOf(" HTTP/1.1\r\n"u8) is not (>= 0 and var end) ? default : head[..end];

    private static string Describe(in Http2Event found) =>
        found.Code switch
        {
            _ when found.Malformed != MalformedReason.None => MalformedReasons.Describe(found.Malformed),
            ErrorCode.RefusedStream => "there are more streams than are allowed",
            ErrorCode.FlowControl => "more was sent than the window allows",
            ErrorCode.StreamClosed => "a frame came for a stream that is closed",
            ErrorCode.EnhanceYourCalm => "the trailers are too long",
            _ => $"error {found.Code}",
        };
}
