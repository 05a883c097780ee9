using System.Text;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;

namespace Spawngate.Clients.Http2;

/// <summary>Writes the heads and trailers of responses as frames; within the gate of the connection.</summary>
internal static class ResponseFrames
{
    /// <summary>Fields that a head gains: :status, date, x-request-id, and those of an error.</summary>
    private const int AddedFields = 10;

    /// <summary>Bytes of their names and values: the longest request id, a date, names and short values.</summary>
    private const int AddedBytes = ForwardingLimits.RequestIdBytesMax + 256 + ForwardingLimits.ServerTimingBytes;

    /// <summary>Writes a backend's head, interim or final.</summary>
    /// <param name="session">The connection's state.</param>
    /// <param name="slot">The stream.</param>
    /// <param name="output">Where it goes.</param>
    /// <param name="exchange">The exchange that has the head.</param>
    /// <param name="date">The time, for a backend that does not say it.</param>
    /// <param name="endStream">True when there is no body.</param>
    public static void WriteHead(
        Http2Session session,
        int slot,
        Http2Output output,
        Exchange exchange,
        ReadOnlySpan<byte> date,
        bool endStream
    )
    {
        var response = exchange.Response;
        exchange.Record.Status = response.Status;
        var head = exchange.Upstream.Received[..response.Length];
        var target = output.Reserve(Http2Session.HeadBytesNeeded(response.Length, response.Fields.Count + AddedFields, AddedBytes));
        var writer = session.BeginHead(target, slot);
        writer.Response(response, head);
        if (!response.IsInterim)
        {
            if (!response.Fields.Has(KnownHeader.Date))
            {
                writer.Field("date"u8, date);
            }

            if (!response.Fields.Has(KnownHeader.RequestId))
            {
                writer.Field("x-request-id"u8, exchange.RequestId);
            }

            WriteTiming(ref writer, exchange);
        }

        output.Commit(session.EndHead(slot, ref writer, endStream));
    }

    /// <summary>Writes the head of one of our own errors.</summary>
    public static void WriteErrorHead(
        Http2Session session,
        int slot,
        Http2Output output,
        Exchange exchange,
        ProxyError error,
        int length,
        ReadOnlySpan<byte> date,
        bool endStream
    )
    {
        var reply = exchange.Reply;
        int fields = AddedFields + (reply?.Fields.Count ?? 0);
        var writer = session.BeginHead(
            output.Reserve(Http2Session.HeadBytesNeeded(0, fields, AddedBytes + (reply?.FieldBytes ?? 0))),
            slot
        );
        exchange.Record.SetAnswer(error, endStream ? 0 : length);
        writer.Status(exchange.Record.Status);
        writer.Field("content-type"u8, reply is null ? "application/json"u8 : Encoding.ASCII.GetBytes(reply.ContentType));
        writer.Field("content-length"u8, length);
        if (error != ProxyError.None)
        {
            writer.Field("x-proxy-error"u8, ProxyErrors.Code(error));
            writer.Field("vary"u8, "Accept"u8);
        }

        foreach (var (name, value) in reply?.Fields ?? [])
        {
            writer.Field(Encoding.ASCII.GetBytes(name), Encoding.ASCII.GetBytes(value));
        }

        writer.Field("date"u8, date);
        if (!exchange.RequestId.IsEmpty)
        {
            writer.Field("x-request-id"u8, exchange.RequestId);
        }

        WriteTiming(ref writer, exchange);
        if (exchange.RetryAfterSecs > 0)
        {
            writer.Field("retry-after"u8, exchange.RetryAfterSecs);
        }

        output.Commit(session.EndHead(slot, ref writer, endStream));
    }

    private static void WriteTiming(ref HeaderBlockWriter writer, Exchange exchange)
    {
        if (exchange.ServerTiming is { IsEmpty: false } timing)
        {
            writer.Field("server-timing"u8, timing);
        }
    }

    /// <summary>Writes the trailers that end a stream.</summary>
    public static void WriteTrailers(Http2Session session, int slot, Http2Output output, ReadOnlySpan<byte> lines)
    {
        int fields = lines.Count((byte)'\n');
        var writer = session.BeginHead(output.Reserve(Http2Session.HeadBytesNeeded(lines.Length, fields, 0)), slot);
        while (!lines.IsEmpty)
        {
            int end = lines.IndexOf("\r\n"u8);
            writer.Trailer(lines[..end]);
            lines = lines[(end + 2)..];
        }

        output.Commit(session.EndHead(slot, ref writer, endStream: true));
    }
}
