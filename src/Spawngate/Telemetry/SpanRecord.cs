using System.Text;

namespace Spawngate.Telemetry;

/// <summary>
/// Writes a finished request as a span of OTLP (opentelemetry/proto/trace/v1/trace.proto), tag included, so that spans one behind the other
/// are the spans of a ScopeSpans. Names follow OpenTelemetry's semantic conventions for HTTP servers.
/// </summary>
internal static class SpanRecord
{
    private const int SpanField = 2;
    private const int AttributeField = 9;
    private const int EventField = 11;
    private const int KindServer = 2;
    private const int StatusError = 2;

    /// <summary>
    /// Upper bound of all but text from outside: ids and times 120, twelve attributes with their names 700, six events 150, a backend's key
    /// 253, an error's code 32.
    /// </summary>
    private const int FixedBytes = 1536;

    /// <summary>Bytes that a span may need: a byte that is not UTF-8 becomes two.</summary>
    public static int BytesNeeded(in FinishedRequest request) => FixedBytes + (2 * (request.Note.TextBytes + request.RequestId.Length));

    /// <summary>Writes the span; returns its length.</summary>
    /// <param name="target">Where it goes.</param>
    /// <param name="request">The request.</param>
    /// <param name="timings">Its moments.</param>
    /// <param name="clock">Turns moments into times.</param>
    public static int Write(Span<byte> target, in FinishedRequest request, RequestTimings timings, in SpanClock clock)
    {
        var note = request.Note;
        var trace = note.Trace!;
        var writer = new ProtoWriter(target);
        int span = writer.Open(SpanField);
        writer.FromHex(1, trace.TraceId);
        writer.FromHex(2, trace.SpanId);
        if (!trace.Parent.IsEmpty)
        {
            writer.FromHex(4, trace.Parent);
        }

        writer.Text(5, note.Method);
        writer.Varint(6, KindServer);
        writer.Fixed64(7, clock.NanosOf(note.TakenTimestamp));
        writer.Fixed64(8, clock.NanosOf(clock.EndTimestamp));
        WriteAttributes(ref writer, request);
        WriteEvents(ref writer, timings, clock);
        if (request.Status >= 500)
        {
            int status = writer.Open(15);
            writer.Varint(3, StatusError);
            writer.Close(status);
        }

        writer.Close(span);
        return writer.Length;
    }

    private static void WriteAttributes(ref ProtoWriter writer, in FinishedRequest request)
    {
        var note = request.Note;
        var path = note.Target;
        int query = path.IndexOf((byte)'?');
        writer.Attribute(AttributeField, "http.request.method"u8, note.Method);

        // Without its query, which may hold secrets that are nobody's business in a collector.
        writer.Attribute(AttributeField, "url.path"u8, query < 0 ? path : path[..query]);
        writer.Attribute(AttributeField, "url.scheme"u8, note.Client!.Scheme);
        writer.Attribute(AttributeField, "server.address"u8, note.Host);
        writer.Attribute(AttributeField, "client.address"u8, note.Client!.Address);
        writer.Attribute(AttributeField, "network.protocol.version"u8, note.IsHttp2 ? "2"u8 : note.Protocol[^3..]);
        writer.Attribute(AttributeField, "http.response.status_code"u8, request.Status);
        writer.Attribute(AttributeField, "http.request.body.size"u8, request.BytesIn);
        writer.Attribute(AttributeField, "http.response.body.size"u8, request.BytesOut);
        writer.Attribute(AttributeField, "spawngate.request_id"u8, request.RequestId);
        writer.Attribute(AttributeField, "spawngate.cold_start"u8, request.IsCold);
        if (!note.UserAgent.IsEmpty)
        {
            writer.Attribute(AttributeField, "user_agent.original"u8, note.UserAgent);
        }

        if (request.Backend is { } backend)
        {
            Span<byte> key = stackalloc byte[TelemetryLimits.NoteHostBytes];
            writer.Attribute(
                AttributeField,
                "spawngate.backend"u8,
                key[..Encoding.ASCII.GetBytes(backend.AsSpan(0, Math.Min(backend.Length, key.Length)), key)]
            );
        }

        if (!request.Error.IsEmpty)
        {
            writer.Attribute(AttributeField, "error.type"u8, request.Error);
        }
    }

    private static void WriteEvents(ref ProtoWriter writer, RequestTimings timings, in SpanClock clock)
    {
        WriteEvent(ref writer, "queue"u8, timings.QueuedTimestamp, clock);
        if (timings.Start.Ready != 0)
        {
            WriteEvent(ref writer, "spawn"u8, timings.Start.Spawned, clock);
            WriteEvent(ref writer, "ready"u8, timings.Start.Ready, clock);
        }

        WriteEvent(ref writer, "connect"u8, timings.ConnectTimestamp, clock);
        WriteEvent(ref writer, "upstream"u8, timings.SentTimestamp, clock);
        WriteEvent(ref writer, "answer"u8, timings.AnsweredTimestamp, clock);
    }

    private static void WriteEvent(ref ProtoWriter writer, ReadOnlySpan<byte> name, long timestamp, in SpanClock clock)
    {
        if (timestamp == 0)
        {
            return;
        }

        int opened = writer.Open(EventField);
        writer.Fixed64(1, clock.NanosOf(timestamp));
        writer.Text(2, name);
        writer.Close(opened);
    }
}

/// <summary>Turns exact moments into nanoseconds since 1970, by what both clocks showed at the end of the span.</summary>
/// <param name="EndTimestamp">The exact time at the end.</param>
/// <param name="EndNanos">The same in nanoseconds since 1970.</param>
/// <param name="Frequency">Ticks a second of the exact time.</param>
internal readonly record struct SpanClock(long EndTimestamp, ulong EndNanos, long Frequency)
{
    /// <summary>Reads both clocks.</summary>
    public static SpanClock Read(TimeProvider time) =>
        new(time.GetTimestamp(), (ulong)(time.GetUtcNow().UtcTicks - DateTimeOffset.UnixEpoch.Ticks) * 100, time.TimestampFrequency);

    /// <summary>The time of a moment.</summary>
    public ulong NanosOf(long timestamp) => EndNanos - (ulong)((EndTimestamp - timestamp) * (1_000_000_000.0 / Frequency));
}
