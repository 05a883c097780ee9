using System.Text;

namespace Spawngate.Telemetry;

/// <summary>How lines of the access log are written.</summary>
internal enum AccessLogFormat : byte
{
    /// <summary>NCSA combined, with more at its end.</summary>
    Combined,

    /// <summary>One JSON object a line.</summary>
    Json,
}

/// <summary>What a request came to; see <see cref="AccessLine"/> for how it is told.</summary>
internal readonly ref struct FinishedRequest
{
    /// <summary>The request.</summary>
    public required RequestNote Note { get; init; }

    /// <summary>Its id; empty when it was refused before it had one.</summary>
    public ReadOnlySpan<byte> RequestId { get; init; }

    /// <summary>The backend's key; null when no backend serves the host.</summary>
    public string? Backend { get; init; }

    /// <summary>Code of the error that the gateway answered; empty when it did not.</summary>
    public ReadOnlySpan<byte> Error { get; init; }

    /// <summary>What the client was told, or 499.</summary>
    public required int Status { get; init; }

    /// <summary>Bytes of the request's body.</summary>
    public required long BytesIn { get; init; }

    /// <summary>Bytes of the response's body.</summary>
    public required long BytesOut { get; init; }

    /// <summary>Microseconds from its head to its end.</summary>
    public required long TotalUs { get; init; }

    /// <summary>Microseconds that it was held.</summary>
    public long HeldUs { get; init; }

    /// <summary>Microseconds from its head being sent to the head of the answer; negative when there was none.</summary>
    public required long UpstreamUs { get; init; }

    /// <summary>Whether it was held for a start.</summary>
    public bool IsCold => HeldUs > 0;

    /// <summary>Whether it was sent to a backend.</summary>
    public bool IsSent { get; init; }

    /// <summary>Whether request and answer were transferred whole.</summary>
    public bool IsComplete { get; init; }
}

/// <summary>
/// Formats one line of the access log. The formats are described in docs/reference/logs.md, field by field:
/// <code>
///   203.0.113.7 - - [22/Nov/2026:13:00:01 +0000] "GET /a?b=c HTTP/1.1" 200 512 "-" "curl/8.5" host="app.example.com" id="5f…" time=0.812345 upstream=0.001234 start=cold in=0 forwarded="-"
///   └ NCSA combined ────────────────────────────────────────────────────────────────────────┘ └ ours ──────────────────────────────────────────────────────────────────────────────────────┘
/// </code>
/// </summary>
internal static class AccessLine
{
    /// <summary>
    /// Upper bound of everything but text from outside: names and punctuation (260 in JSON), two times, six numbers of up to 20 digits, an
    /// address, a backend's key and an error's code.
    /// </summary>
    private const int FixedBytes = 1024;

    /// <summary>Bytes that a line may need.</summary>
    public static int BytesNeeded(AccessLogFormat format, in FinishedRequest request) =>
        FixedBytes
        + (
            (request.Note.TextBytes + request.RequestId.Length)
            * (format == AccessLogFormat.Json ? RecordWriter.JsonBytes : RecordWriter.EscapedBytes)
        );

    /// <summary>Writes a line with its end; returns its length.</summary>
    public static int Write(AccessLogFormat format, Span<byte> target, in FinishedRequest request, DateTime utc)
    {
        var writer = new RecordWriter(target);
        if (format == AccessLogFormat.Json)
        {
            WriteJson(ref writer, request, utc);
        }
        else
        {
            WriteCombined(ref writer, request, utc);
        }

        return writer.Length;
    }

    private static void WriteCombined(ref RecordWriter writer, in FinishedRequest request, DateTime utc)
    {
        var note = request.Note;
        writer.Write(note.Client!.Address);
        writer.Write(" - - ["u8);
        writer.WriteLogTime(utc);
        writer.Write("] "u8);
        if (note.IsRequest)
        {
            writer.Write("\""u8);
            writer.WriteEscaped(note.Method);
            writer.Write(" "u8);
            writer.WriteEscaped(note.Target);
            writer.Write(" "u8);
            writer.Write(note.Protocol);
            writer.Write("\""u8);
        }
        else
        {
            writer.WriteQuoted(note.Line);
        }

        writer.Write(" "u8);
        writer.Write(request.Status);
        writer.Write(" "u8);
        writer.Write(request.BytesOut);
        writer.Write(" "u8);
        writer.WriteQuoted(note.Referer);
        writer.Write(" "u8);
        writer.WriteQuoted(note.UserAgent);
        writer.Write(" host="u8);
        writer.WriteQuoted(note.Host);
        writer.Write(" id="u8);
        writer.WriteQuoted(request.RequestId);
        writer.Write(" time="u8);
        writer.WriteMicros(request.TotalUs, 1_000_000);
        writer.Write(" upstream="u8);
        if (request.UpstreamUs < 0)
        {
            writer.Write("-"u8);
        }
        else
        {
            writer.WriteMicros(request.UpstreamUs, 1_000_000);
        }

        writer.Write(
            request.IsCold ? " start=cold in="u8
            : request.IsSent ? " start=warm in="u8
            : " start=- in="u8
        );
        writer.Write(request.BytesIn);
        writer.Write(" forwarded="u8);
        writer.WriteQuoted(note.ForwardedFor);
        writer.Write("\n"u8);
    }

    private static void WriteJson(ref RecordWriter writer, in FinishedRequest request, DateTime utc)
    {
        var note = request.Note;
        writer.Write("{\"time\":\""u8);
        writer.WriteIsoTime(utc);
        writer.Write("\",\"client\":"u8);
        writer.WriteJson(note.Client!.Address);
        writer.Write(",\"forwarded_for\":"u8);
        writer.WriteJson(note.ForwardedFor);
        writer.Write(",\"method\":"u8);
        writer.WriteJson(note.Method);
        writer.Write(",\"target\":"u8);
        writer.WriteJson(note.IsRequest ? note.Target : note.Line);
        writer.Write(",\"protocol\":"u8);
        writer.WriteJson(note.Protocol);
        writer.Write(",\"host\":"u8);
        writer.WriteJson(note.Host);
        writer.Write(",\"backend\":"u8);
        WriteHostname(ref writer, request.Backend);
        writer.Write(",\"status\":"u8);
        writer.Write(request.Status);
        writer.Write(",\"error\":"u8);
        writer.WriteJson(request.Error);
        writer.Write(",\"complete\":"u8);
        writer.Write(request.IsComplete ? "true"u8 : "false"u8);
        writer.Write(",\"bytes_out\":"u8);
        writer.Write(request.BytesOut);
        writer.Write(",\"bytes_in\":"u8);
        writer.Write(request.BytesIn);
        writer.Write(",\"referer\":"u8);
        writer.WriteJson(note.Referer);
        writer.Write(",\"user_agent\":"u8);
        writer.WriteJson(note.UserAgent);
        writer.Write(",\"request_id\":"u8);
        writer.WriteJson(request.RequestId);
        writer.Write(",\"start\":"u8);
        writer.Write(
            request.IsCold ? "\"cold\""u8
            : request.IsSent ? "\"warm\""u8
            : "null"u8
        );
        writer.Write(",\"duration_ms\":"u8);
        writer.WriteMicros(request.TotalUs, 1000);
        writer.Write(",\"held_ms\":"u8);
        writer.WriteMicros(request.HeldUs, 1000);
        writer.Write(",\"upstream_ms\":"u8);
        if (request.UpstreamUs < 0)
        {
            writer.Write("null"u8);
        }
        else
        {
            writer.WriteMicros(request.UpstreamUs, 1000);
        }

        writer.Write("}\n"u8);
    }

    private static void WriteHostname(ref RecordWriter writer, string? hostname)
    {
        Span<byte> bytes = stackalloc byte[TelemetryLimits.NoteHostBytes];
        hostname = hostname?.Length > bytes.Length ? null : hostname;
        writer.WriteJson(bytes[..Encoding.ASCII.GetBytes(hostname, bytes)]);
    }
}
