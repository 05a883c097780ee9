using System.Text;
using Spawngate.Backends;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Runtime;
using Spawngate.Telemetry;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>
/// W3C Trace Context as it is read and passed on, spans as they are encoded, and the exporter before collectors of all kinds.
/// </summary>
internal sealed class TraceTests
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";
    private const string Parent = "b7ad6b7169203331";
    private static readonly ClientIdentity Client = new("203.0.113.7", isTrusted: false, new Spawngate.Overload.ClientAddress(1));
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly TraceIds _ids = new();

    [TestCase($"00-{TraceId}-{Parent}-01", "01")]
    [TestCase($"00-{TraceId}-{Parent}-03", "03")]
    [TestCase($"00-{TraceId}-{Parent}-ff", "03")]
    [TestCase($"cc-{TraceId}-{Parent}-01", "01")]
    [TestCase($"cc-{TraceId}-{Parent}-01-what-comes-later", "01")]
    public void A_valid_trace_is_continued(string value, string flags)
    {
        var trace = Read($"traceparent: {value}\r\nTraceState: a=b\r\n", out string sent);
        Assert.That((trace.IsSampled, Encoding.ASCII.GetString(trace.Parent)), Is.EqualTo((true, Parent)));
        string ours = Encoding.ASCII.GetString(trace.SpanId);
        Assert.That(ours, Does.Match("^[0-9a-f]{16}$").And.Not.EqualTo(Parent));
        Assert.That(
            sent,
            Does.Contain($"\r\ntraceparent: 00-{TraceId}-{ours}-{flags}\r\n").And.Contain("\r\nTraceState: a=b\r\n").And.Not.Contain(Parent)
        );
    }

    [TestCase("")]
    [TestCase($"00-{TraceId}-{Parent}")]
    [TestCase($"00-{TraceId}-{Parent}-01-more")]
    [TestCase($"00-{TraceId}-{Parent}-0g")]
    [TestCase($"ff-{TraceId}-{Parent}-01")]
    [TestCase($"0g-{TraceId}-{Parent}-01")]
    [TestCase($"cc-{TraceId}-{Parent}-01.more")]
    [TestCase($"00-00000000000000000000000000000000-{Parent}-01")]
    [TestCase($"00-{TraceId}-0000000000000000-01")]
    [TestCase($"00-0AF7651916CD43DD8448EB211C80319C-{Parent}-01")]
    [TestCase($"00_{TraceId}_{Parent}_01")]
    public void Anything_else_begins_a_trace_and_loses_the_state(string value)
    {
        var trace = Read($"traceparent: {value}\r\ntracestate: a=b\r\n", out string sent);
        Assert.That((trace.IsSampled, trace.Parent.IsEmpty), Is.EqualTo((true, true)));
        string id = Encoding.ASCII.GetString(trace.TraceId);
        Assert.That(id, Does.Match("^[0-9a-f]{32}$").And.Not.EqualTo(TraceId));
        Assert.That(
            sent,
            Does.Contain($"\r\ntraceparent: 00-{id}-{Encoding.ASCII.GetString(trace.SpanId)}-01\r\n").And.Not.Contain("tracestate")
        );
        Assert.That(sent.Split("traceparent:"), Has.Length.EqualTo(2), "one of them");
    }

    [Test]
    public void Two_parents_are_none()
    {
        var trace = Read($"traceparent: 00-{TraceId}-{Parent}-01\r\ntraceparent: 00-{TraceId}-{Parent}-01\r\n", out string sent);
        Assert.That(trace.Parent.IsEmpty);
        Assert.That(sent, Does.Not.Contain(TraceId));
    }

    [Test]
    public void A_trace_that_is_not_sampled_passes_unchanged()
    {
        string fields = $"TraceParent: 00-{TraceId}-{Parent}-00\r\ntracestate: a=b\r\n";
        var trace = Read(fields, out string sent);
        Assert.That(trace.IsSampled, Is.False);
        Assert.That(sent, Does.Contain(fields));
    }

    [Test]
    public void Without_tracing_everything_passes_unchanged()
    {
        const string fields = "traceparent: nonsense\r\ntracestate: a=b\r\ntraceparent: again\r\n";
        Assert.That(Send(fields, null), Does.Contain(fields));
    }

    [Test]
    public void Ids_are_not_given_twice()
    {
        var seen = new HashSet<string>();
        byte[] id = new byte[32];
        for (int i = 0; i < 100_000; i++)
        {
            _ids.WriteTraceId(id);
            Assert.That(seen.Add(Encoding.ASCII.GetString(id)));
            _ids.WriteSpanId(id.AsSpan(0, 16));
            Assert.That(seen.Add(Encoding.ASCII.GetString(id, 0, 16)));
        }
    }

    [Test]
    public void The_longest_span_of_the_oddest_bytes_fits_and_is_valid()
    {
        string odd = new('\xFF', 8000);
        var note = Note($"GET /{new string('a', 8000)} HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: {odd}\r\nReferer: {odd}\r\n\r\n");
        var record = new ExchangeRecord
        {
            QueuedTimestamp = 1,
            ConnectTimestamp = 2,
            SentTimestamp = 3,
            AnsweredTimestamp = 4,
            Start = new(1, 1, 1),
        };
        var request = new FinishedRequest
        {
            Note = note,
            RequestId = Encoding.ASCII.GetBytes(new string('i', 128)),
            Backend = new string('b', 253),
            Error = "REQUEST_HEADER_FIELDS_TOO_LARGE"u8,
            Status = 504,
            BytesIn = long.MaxValue,
            BytesOut = long.MaxValue,
            TotalUs = 1,
            HeldUs = 1,
            UpstreamUs = -1,
        };
        byte[] target = new byte[SpanRecord.BytesNeeded(request)];
        int length = SpanRecord.Write(target, request, record, SpanClock.Read(TimeProvider.System));
        var span = new ProtoMessage(target.AsSpan(0, length)).Messages(2).Single();
        Assert.That(
            span.Messages(9).Single(static each => each.Text(1) == "user_agent.original").Messages(2).Single().Text(1),
            Is.EqualTo(new string('\xFF', TelemetryLimits.NoteFieldBytes))
        );
        Assert.That(
            span.Messages(11).Select(static each => each.Text(2)),
            Is.EqualTo(["queue", "spawn", "ready", "connect", "upstream", "answer"])
        );
    }

    [Test]
    public async Task A_batch_says_who_sent_it_and_what_happened()
    {
        using var collector = new OtlpCollector();
        var counts = new RecordCounts();
        using var clock = new CoarseClock(TimeProvider.System);
        await using (
            var exporter = new SpanExporter(
                new Uri($"http://127.0.0.1:{collector.Port}/base/"),
                "my service",
                counts,
                clock,
                TimeProvider.System,
                new RecordingLog()
            )
        )
        {
            Add(exporter, 3);
        }

        Assert.That(
            collector.Heads[0],
            Does.StartWith("POST /base/v1/traces HTTP/1.1\r\n").And.Contain("Content-Type: application/x-protobuf\r\n")
        );
        Assert.That(collector.Spans, Has.Count.EqualTo(3));
        Assert.That((counts.Written, counts.Dropped), Is.EqualTo((3, 0)));
        var (service, span) = collector.Spans[0];
        Assert.That(
            (service, span.TraceId, span.Parent, span.Name, span.Kind, span.IsError),
            Is.EqualTo(("my service", TraceId, Parent, "GET", 2, true))
        );
        Assert.That(span.Attributes["url.path"], Is.EqualTo("/a"), "without the query");
        Assert.That(span.Attributes["http.response.status_code"], Is.EqualTo(503L));
        Assert.That(span.Attributes["spawngate.cold_start"], Is.EqualTo(true));
        Assert.That(span.Attributes["error.type"], Is.EqualTo("QUEUE_FULL"));
        Assert.That(span.End, Is.GreaterThanOrEqualTo(span.Start));
        Assert.That(
            DateTimeOffset.UnixEpoch.AddTicks((long)(span.End / 100)),
            Is.EqualTo(TimeProvider.System.GetUtcNow()).Within(TimeSpan.FromMinutes(1))
        );
    }

    [Test]
    public async Task A_collector_that_is_away_gets_the_spans_when_it_is_back()
    {
        var time = new FakeTime();
        var log = new RecordingLog();
        var counts = new RecordCounts();
        using var clock = new CoarseClock(time);
        using var collector = new OtlpCollector { Status = 503 };
        var exporter = new SpanExporter(new Uri($"http://127.0.0.1:{collector.Port}"), "s", counts, clock, time, log);
        Add(exporter, 5);
        Until(() => collector.Heads.Count >= 3, () => time.AdvanceMs(TelemetryLimits.OtlpRetryMs));
        Assert.That(
            log.Records.Count(static record => record.Text.Contains("it answers 503")),
            Is.EqualTo(1),
            "said once a minute at most"
        );
        collector.Status = 200;
        Until(() => counts.Written == 5, () => time.AdvanceMs(TelemetryLimits.OtlpRetryMs));
        await exporter.DisposeAsync();
        Assert.That(collector.Spans, Has.Count.EqualTo(5));
        Assert.That(counts.Dropped, Is.Zero);
    }

    [Test]
    public async Task A_batch_that_is_refused_for_good_is_dropped_and_counted()
    {
        var time = new FakeTime();
        var counts = new RecordCounts();
        using var clock = new CoarseClock(time);
        using var collector = new OtlpCollector { Status = 400 };
        var exporter = new SpanExporter(new Uri($"http://127.0.0.1:{collector.Port}"), "s", counts, clock, time, new RecordingLog());
        Add(exporter, 5);
        Until(() => counts.Dropped == 5, () => time.AdvanceMs(TelemetryLimits.OtlpPeriodMs));
        collector.Status = 200;
        Add(exporter, 2);
        await exporter.DisposeAsync();
        Assert.That((counts.Written, counts.Dropped), Is.EqualTo((2, 5)));
    }

    [Test]
    public async Task A_collector_that_never_answers_holds_nobody_up_and_memory_is_bounded()
    {
        const int spans = 30_000;
        var counts = new RecordCounts();
        using var clock = new CoarseClock(TimeProvider.System);
        using var collector = new OtlpCollector { IsSilent = true };
        var exporter = new SpanExporter(
            new Uri($"http://127.0.0.1:{collector.Port}"),
            "s",
            counts,
            clock,
            TimeProvider.System,
            new RecordingLog()
        );
        Add(exporter, spans);
        await exporter.DisposeAsync().AsTask().WaitAsync(Patience);
        Assert.That((counts.Written, counts.Dropped), Is.EqualTo((0, spans)));
    }

    private void Add(SpanExporter exporter, int count)
    {
        var note = Note($"GET /a?secret=1 HTTP/1.1\r\nHost: app.example.com\r\ntraceparent: 00-{TraceId}-{Parent}-01\r\n\r\n");
        var record = new ExchangeRecord();
        for (int i = 0; i < count; i++)
        {
            exporter.Add(
                new FinishedRequest
                {
                    Note = note,
                    RequestId = "id"u8,
                    Error = "QUEUE_FULL"u8,
                    Status = 503,
                    BytesIn = 1,
                    BytesOut = 2,
                    TotalUs = 3,
                    HeldUs = 4,
                    UpstreamUs = -1,
                },
                record
            );
        }
    }

    private TraceContext Read(string fields, out string sent)
    {
        byte[] head = Encoding.Latin1.GetBytes($"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        var request = Parse(head);
        var trace = new TraceContext();
        trace.Begin(request, head, _ids);
        sent = Send(fields, trace);
        return trace;
    }

    private static string Send(string fields, TraceContext? trace)
    {
        byte[] head = Encoding.Latin1.GetBytes($"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        var request = Parse(head);
        byte[] target = new byte[ProxyHeaders.RequestBytesNeeded(request)];
        return Encoding.Latin1.GetString(target, 0, ProxyHeaders.WriteRequest(target, request, head, Client, "id"u8, "1.1 x"u8, trace));
    }

    private RequestNote Note(string head)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(head);
        var request = Parse(bytes);
        var note = new RequestNote { Trace = new TraceContext() };
        note.Take(request, bytes, Client, ReceivedProtocol.Http1, TimeProvider.System.GetTimestamp());
        note.Trace.Begin(request, bytes, _ids);
        return note;
    }

    private static RequestHead Parse(byte[] head)
    {
        var request = new RequestHead();
        Assert.That(RequestHeadParser.Parse(request, head, new HeadLimits(8192, 65536, 100)), Is.EqualTo(HeadStatus.Complete));
        return request;
    }

    private static void Until(Func<bool> holds, Action between) =>
        Assert.That(
            SpinWait.SpinUntil(
                () =>
                {
                    between();
                    return holds();
                },
                Patience
            )
        );
}
