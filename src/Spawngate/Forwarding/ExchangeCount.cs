using Spawngate.Backends;
using Spawngate.Protocols.Http1;
using Spawngate.Telemetry;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>Counts an exchange at its end: no lock, no allocation, a dozen additions.</summary>
internal static class ExchangeCount
{
    /// <summary>Counts one.</summary>
    /// <param name="context">Where the gateway's own numbers are.</param>
    /// <param name="exchange">The exchange, before it lets go of anything.</param>
    /// <param name="backend">Its backend; null when none serves the host.</param>
    /// <param name="complete">Whether request and response were completely transferred.</param>
    /// <param name="requestBytes">Bytes of the request's body that followed its head.</param>
    /// <param name="responseBytes">Bytes of the response's body.</param>
    public static void Count(
        ForwardingContext context,
        Exchange exchange,
        Backend? backend,
        bool complete,
        long requestBytes,
        long responseBytes
    )
    {
        var record = exchange.Record;
        if (backend is null)
        {
            CountUnrouted(context, exchange);
            return;
        }

        var traffic = backend.Traffic;

        // Without an answer of the backend, its pump still has the number of the one before.
        responseBytes = record.AnsweredTimestamp != 0 && exchange.Error == ProxyError.None ? responseBytes : 0;
        if (exchange.ReceivedBy == ReceivedProtocol.Http1)
        {
            requestBytes += exchange.BodySentWithHead;
        }

        context.Observer?.OnEnd(exchange, backend, complete, requestBytes, responseBytes);
        traffic.Count(exchange.ReceivedBy, record.Status, requestBytes, responseBytes);
        record.Status = 0;
        if (record.Stage == ExchangeStage.Tunnel)
        {
            traffic.ChangeTunnels(-1);
            exchange.ForgetTunnel();
        }

        if (exchange.Error == ProxyError.NotRunning)
        {
            traffic.CountTurnedAway();
        }

        if (record.HeldTicks > 0)
        {
            context.Traffic.Held.Observe(record.HeldTicks);
        }

        if (record.AnsweredTimestamp == 0)
        {
            return;
        }

        long upstream = record.AnsweredTimestamp - record.SentTimestamp;
        traffic.CountAnswer(upstream);
        if (IsOverheadKnown(exchange, record, requestBytes, responseBytes))
        {
            context.Traffic.Overhead.Observe(context.Time.GetTimestamp() - record.BegunTimestamp - upstream);
        }
    }

    /// <summary>Counts one that no backend serves, if its client was told anything, and once.</summary>
    public static void CountUnrouted(ForwardingContext context, Exchange exchange)
    {
        context.Observer?.OnEnd(exchange, null, complete: true, 0, 0);
        if (exchange.Record.Status != 0)
        {
            context.Traffic.Unrouted.Count(exchange.ReceivedBy, exchange.Record.Status, 0, 0);
            exchange.Record.Status = 0;
        }
    }

    /// <summary>
    /// Only of a request whose body went out with its head, to a backend that was ready, and whose answer was short: in all others somebody
    /// else's time would count as ours.
    /// </summary>
    private static bool IsOverheadKnown(Exchange exchange, ExchangeRecord record, long requestBytes, long responseBytes) =>
        record.HeldTicks == 0
        && requestBytes == exchange.BodySentWithHead
        && responseBytes <= TransportLimits.SmallBufferBytes
        && exchange.Response.Framing.Kind is BodyKind.Length or BodyKind.None;
}
