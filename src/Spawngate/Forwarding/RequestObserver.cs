using Spawngate.Backends;
using Spawngate.Telemetry;

namespace Spawngate.Forwarding;

/// <summary>Hands every finished request to those who keep a record of it. There is one only when somebody does.</summary>
/// <param name="time">The time.</param>
internal sealed class RequestObserver(TimeProvider time)
{
    /// <summary>What is logged when the client left before it was told anything; nginx uses the same number.</summary>
    public const int ClientLeftStatus = 499;

    /// <summary>The access log; null for none.</summary>
    public AccessLog? Access { get; init; }

    /// <summary>Takes spans; null for none.</summary>
    public SpanExporter? Spans { get; init; }

    /// <summary>A request has come.</summary>
    /// <param name="exchange">Its exchange, with the head that was read.</param>
    /// <param name="head">The bytes of the head.</param>
    /// <param name="client">The peer.</param>
    public void OnBegin(Exchange exchange, ReadOnlySpan<byte> head, ClientIdentity client)
    {
        var note = exchange.Heads.Note ??= new RequestNote();
        note.Take(exchange.Request, head, client, exchange.ReceivedBy, time.GetTimestamp());
        if (Spans is not null)
        {
            (note.Trace ??= new TraceContext()).Begin(exchange.Request, head, Spans.Ids);
        }
    }

    /// <summary>A head has come that is refused.</summary>
    /// <param name="exchange">The exchange that it would have had.</param>
    /// <param name="received">What there is of it.</param>
    /// <param name="client">The peer.</param>
    public void OnRefused(Exchange exchange, ReadOnlySpan<byte> received, ClientIdentity client) =>
        (exchange.Heads.Note ??= new RequestNote()).TakeRefused(received, client, time.GetTimestamp());

    /// <summary>An exchange is over, and still has all that is known of it.</summary>
    /// <param name="exchange">The exchange.</param>
    /// <param name="backend">Its backend; null for none.</param>
    /// <param name="complete">Whether request and response were completely transferred, as far as a connection can be used again.</param>
    /// <param name="requestBytes">Bytes of the request's body.</param>
    /// <param name="responseBytes">Bytes of the backend's body.</param>
    public void OnEnd(Exchange exchange, Backend? backend, bool complete, long requestBytes, long responseBytes)
    {
        var record = exchange.Record;
        if (exchange.Heads.Note is not { IsTaken: true } note)
        {
            return;
        }

        if (record.Status != 0 || note.IsRequest)
        {
            // An interim response alone is no answer.
            bool told = record.Status is 101 or >= 200;
            long now = time.GetTimestamp();
            bool answered = record.AnsweredTimestamp != 0 && !record.HasAnswer;
            var finished = new FinishedRequest
            {
                Note = note,
                RequestId = note.IsRequest ? exchange.RequestId : default,
                Backend = backend?.Hostname,
                Error = record.Answer == ProxyError.None ? default : ProxyErrors.Code(record.Answer),
                Status = told ? record.Status : ClientLeftStatus,
                BytesIn = requestBytes,
                BytesOut = answered ? responseBytes : record.AnswerBytes,
                TotalUs = Micros(now - note.TakenTimestamp),
                HeldUs = Micros(record.HeldTicks),
                UpstreamUs = answered ? Micros(record.AnsweredTimestamp - record.SentTimestamp) : -1,
                IsSent = record.SentTimestamp != 0,
                IsComplete = told && !record.IsReset && (complete || record.HasAnswer || record.Stage == ExchangeStage.Tunnel),
            };
            Access?.Add(finished);
            if (note is { IsRequest: true, Trace.IsSampled: true })
            {
                Spans?.Add(finished, record);
            }
        }

        note.Forget();
    }

    private long Micros(long ticks) => (long)(ticks * (1_000_000.0 / time.TimestampFrequency));
}
