using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Overload;
using Spawngate.Transport;

namespace Spawngate.Clients.Http1;

/// <summary>What an HTTP/1 connection holds, and how it gives that up; on the tick.</summary>
internal sealed class ConnectionHolding(
    ClientIdentity peer,
    SocketChannel client,
    Exchange exchange,
    ConnectionWatch watch,
    ForwardingContext context,
    Action abort
) : ISheddable
{
    private HeldMemory _memory;
    private long _closedMs;
    private long _shedMs;
    private ClientAddress _surveyed = peer.Source;

    /// <summary>Bytes that it holds.</summary>
    public long Measure(long nowMs)
    {
        bool inExchange = watch.InExchange;
        return _memory.Look(client, exchange.WatchedUpstream, inExchange && !client.IsArmed, nowMs, context.ClientLimits.MemoryIsTight)
            + (inExchange ? OverloadLimits.ClientRequestBytes : 0);
    }

    /// <summary>Adds it to those that hold something, for the client whose request it serves.</summary>
    public void AddTo(HoldingSurvey survey, long held)
    {
        bool inExchange = watch.InExchange;
        _surveyed = SourceNow;
        survey.Add(
            _surveyed,
            new ClientHolding(
                this,
                held,
                1,
                exchange.WatchedUpstream is null ? 0 : 1,
                !inExchange && watch.Deadline == DeadlineKind.KeepAlive
            )
        );
    }

    /// <inheritdoc/>
    public bool IsEnding =>
        Math.Max(_shedMs, _closedMs) is var since and not 0 && context.Clock.NowMs - since < 2 * ConnectionLimits.LingerMs;

    /// <inheritdoc/>
    public void CloseIfIdle()
    {
        _closedMs = context.Clock.NowMs;
        watch.CloseIfIdle();
    }

    /// <inheritdoc/>
    public void Shed()
    {
        // A proxy's connection may serve another client by now; and an idle one is closed in order, since a request may be on its way.
        if (peer.IsTrusted && !(watch.InExchange && ReferenceEquals(SourceNow, _surveyed)))
        {
            CloseIfIdle();
            return;
        }

        // What has no answer yet is told why. If that does not end it within the time that is given for it, the next time does.
        bool again = _shedMs != 0;
        _shedMs = context.Clock.NowMs;
        watch.IsShed = true;
        bool inExchange = watch.InExchange;
        bool tells = inExchange && watch.IsUnanswered && !again;
        if (inExchange)
        {
            exchange.Abort(ProxyError.Overloaded);
        }

        if (!tells)
        {
            abort();
        }
    }

    /// <summary>Whose request it serves, else the peer.</summary>
    private ClientAddress SourceNow => watch.InExchange ? exchange.Source ?? peer.Source : peer.Source;
}
