using System.Text;
using System.Text.Json;
using Spawngate.Backends;
using Spawngate.Forwarding;
using Spawngate.Overload;
using Spawngate.Protocols.Http1;
using Spawngate.Telemetry;

namespace Spawngate.Tests;

/// <summary>Lines of the access log, byte by byte, and what hostile clients put into them.</summary>
internal sealed class AccessLineTests
{
    private static readonly DateTime Time = new(2026, 11, 2, 3, 4, 5, 67, DateTimeKind.Utc);
    private static readonly ClientIdentity Client = new("203.0.113.7", isTrusted: true, new Spawngate.Overload.ClientAddress(1));

    [Test]
    public void A_combined_line_is_as_documented()
    {
        var note = Note(
            "GET /a?b=c HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: curl/8.5\r\nreferer: http://x/\r\n"
                + "X-Forwarded-For: 10.0.0.1\r\n\r\n"
        );
        string line = Format(AccessLogFormat.Combined, Warm(note));
        Assert.That(
            line,
            Is.EqualTo(
                "203.0.113.7 - - [02/Nov/2026:03:04:05 +0000] \"GET /a?b=c HTTP/1.1\" 200 512 \"http://x/\" \"curl/8.5\" "
                    + "host=\"app.example.com\" id=\"id-1\" time=1.234567 upstream=0.001234 start=warm in=7 forwarded=\"10.0.0.1\"\n"
            )
        );
    }

    [Test]
    public void A_line_says_what_is_not_there()
    {
        var note = new RequestNote();
        note.TakeRefused("\r\nGET \"/ HTTP/9\r\nMore: of it"u8, Client, 1);
        var request = new FinishedRequest
        {
            Note = note,
            Status = 400,
            BytesIn = 0,
            BytesOut = 80,
            TotalUs = -1,
            UpstreamUs = -1,
        };
        Assert.That(
            Format(AccessLogFormat.Combined, request),
            Is.EqualTo(
                "203.0.113.7 - - [02/Nov/2026:03:04:05 +0000] \"GET \\x22/ HTTP/9\" 400 80 \"-\" \"-\" host=\"-\" id=\"-\" "
                    + "time=0.000000 upstream=- start=- in=0 forwarded=\"-\"\n"
            )
        );
        var json = Json(request);
        Assert.That(json.GetProperty("target").GetString(), Is.EqualTo("GET \"/ HTTP/9"));
        foreach (
            string name in new[]
            {
                "method",
                "protocol",
                "host",
                "backend",
                "referer",
                "user_agent",
                "request_id",
                "start",
                "upstream_ms",
                "error",
                "forwarded_for",
            }
        )
        {
            Assert.That(json.GetProperty(name).ValueKind, Is.EqualTo(JsonValueKind.Null), name);
        }
    }

    [Test]
    public void A_json_line_names_every_field()
    {
        var note = Note("POST /a HTTP/1.0\r\nHost: app.example.com\r\n\r\n");
        var json = Json(
            new FinishedRequest
            {
                Note = note,
                RequestId = "id-1"u8,
                Backend = "*.example.com",
                Error = "REQUEST_TIMEOUT"u8,
                Status = 504,
                BytesIn = 1,
                BytesOut = 2,
                TotalUs = 5_000_001,
                HeldUs = 4_000_000,
                UpstreamUs = 999,
                IsSent = true,
                IsComplete = true,
            }
        );
        Assert.That(
            json.GetRawText(),
            Is.EqualTo(
                "{\"time\":\"2026-11-02T03:04:05.067Z\",\"client\":\"203.0.113.7\",\"forwarded_for\":null,\"method\":\"POST\","
                    + "\"target\":\"/a\",\"protocol\":\"HTTP/1.0\",\"host\":\"app.example.com\","
                    + "\"backend\":\"*.example.com\",\"status\":504,\"error\":\"REQUEST_TIMEOUT\",\"complete\":true,"
                    + "\"bytes_out\":2,\"bytes_in\":1,\"referer\":null,\"user_agent\":null,\"request_id\":\"id-1\","
                    + "\"start\":\"cold\",\"duration_ms\":5000.001,\"held_ms\":4000.000,\"upstream_ms\":0.999}"
            )
        );
    }

    [Test]
    public void Whatever_a_client_sends_stays_within_its_quotes([Values] AccessLogFormat format)
    {
        byte[] all = [.. Enumerable.Range(0, 256).Select(static value => (byte)value)];
        for (int value = 0; value < 256; value++)
        {
            var note = new RequestNote();
            note.TakeRefused([(byte)'a', .. value is '\r' or '\n' ? all.AsSpan(0, 0) : [(byte)value], (byte)'b'], Client, 1);
            var request = new FinishedRequest
            {
                Note = note,
                RequestId = all,
                Status = 400,
                BytesIn = 0,
                BytesOut = 0,
                TotalUs = 0,
                UpstreamUs = -1,
            };
            byte[] line = Bytes(format, request);
            Assert.That(line.AsSpan().Count((byte)'\n'), Is.EqualTo(1), $"byte {value}");
            Assert.That(line.AsSpan(0, line.Length - 1).IndexOfAnyExceptInRange((byte)0x20, (byte)0x7E), Is.EqualTo(-1), $"byte {value}");
            if (format == AccessLogFormat.Json)
            {
                var json = JsonDocument.Parse(line).RootElement;
                Assert.That(json.GetProperty("request_id").GetString(), Is.EqualTo(Encoding.Latin1.GetString(all)));
                Assert.That(json.GetProperty("target").GetString(), Is.EqualTo(value is '\r' or '\n' ? "ab" : $"a{(char)value}b"));
            }
            else
            {
                Assert.That(Encoding.ASCII.GetString(line).Count(static c => c == '"'), Is.EqualTo(12), $"byte {value}");
            }
        }
    }

    [Test]
    public void The_longest_texts_fit_the_room_that_was_reserved([Values] AccessLogFormat format)
    {
        string odd = new('\xFF', 8000);
        var note = Note(
            $"GET /{new string('x', 7000)} HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: {odd}\r\nReferer: {odd}\r\n"
                + $"X-Forwarded-For: {odd}\r\n\r\n"
        );
        var request = new FinishedRequest
        {
            Note = note,
            RequestId = "0"u8,
            Backend = new string('b', 253),
            Error = "REQUEST_HEADER_FIELDS_TOO_LARGE"u8,
            Status = int.MaxValue,
            BytesIn = long.MaxValue,
            BytesOut = long.MaxValue,
            TotalUs = long.MaxValue,
            HeldUs = long.MaxValue,
            UpstreamUs = long.MaxValue,
        };
        int length = Bytes(format, request).Length;
        Assert.That(note.Target.Length, Is.EqualTo(TelemetryLimits.NoteTargetBytes));
        Assert.That(note.UserAgent.Length, Is.EqualTo(TelemetryLimits.NoteFieldBytes));
        Assert.That(
            length,
            Is.LessThanOrEqualTo(AccessLine.BytesNeeded(format, request)).And.LessThan(TelemetryLimits.RecordBufferBytesMax)
        );
    }

    [Test]
    public void A_peer_that_is_not_trusted_says_nothing_of_others()
    {
        var note = Note(
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n",
            new ClientIdentity("198.51.100.1", isTrusted: false, new ClientAddress(1))
        );
        Assert.That(note.ForwardedFor.IsEmpty);
    }

    [Test]
    public void A_note_that_is_used_again_keeps_nothing()
    {
        var note = Note("GET /first HTTP/1.1\r\nHost: first\r\nUser-Agent: first\r\n\r\n");
        note.TakeRefused("x"u8, Client, 1);
        Assert.That(note.IsRequest, Is.False);
        Assert.That(Format(AccessLogFormat.Json, Warm(note)), Does.Not.Contain("first"));
        note.Forget();
        Assert.That(note.IsTaken, Is.False);
    }

    private static FinishedRequest Warm(RequestNote note) =>
        new()
        {
            Note = note,
            RequestId = "id-1"u8,
            Backend = "app.example.com",
            Status = 200,
            BytesIn = 7,
            BytesOut = 512,
            TotalUs = 1_234_567,
            UpstreamUs = 1234,
            IsSent = true,
            IsComplete = true,
        };

    private static RequestNote Note(string head, ClientIdentity? client = null)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(head);
        var request = new RequestHead();
        Assert.That(RequestHeadParser.Parse(request, bytes, new HeadLimits(8192, 65536, 100)), Is.EqualTo(HeadStatus.Complete));
        var note = new RequestNote();
        note.Take(request, bytes, client ?? Client, ReceivedProtocol.Http1, 1);
        return note;
    }

    private static JsonElement Json(in FinishedRequest request) => JsonDocument.Parse(Format(AccessLogFormat.Json, request)).RootElement;

    private static string Format(AccessLogFormat format, in FinishedRequest request) => Encoding.UTF8.GetString(Bytes(format, request));

    private static byte[] Bytes(AccessLogFormat format, in FinishedRequest request)
    {
        byte[] target = new byte[AccessLine.BytesNeeded(format, request)];
        return target[..AccessLine.Write(format, target, request, Time)];
    }
}
