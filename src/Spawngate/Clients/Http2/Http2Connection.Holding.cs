using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Overload;
using Spawngate.Protocols.Http1;

namespace Spawngate.Clients.Http2;

/// <content>What a connection and its streams hold, and how they give that up.</content>
internal sealed partial class Http2Connection : ISheddable
{
    private HeldMemory _memory;
    private long _headBytes;
    private bool _isShed;
    private bool _isCut;

    /// <summary>
    /// Adds what it holds, and for whom: all of it for the client, or, if that speaks for others, each request for whom it names; on the
    /// tick.
    /// </summary>
    /// <param name="survey">Where it is added.</param>
    /// <param name="held">Bytes that it holds, as of this tick.</param>
    public override void AddTo(HoldingSurvey survey, long held)
    {
        lock (Gate)
        {
            int upstreams = 0;
            foreach (var stream in _streams)
            {
                upstreams += stream?.Upstreams ?? 0;
                if (Identity.IsTrusted && stream?.Source is { } source && !ReferenceEquals(source, Identity.Source))
                {
                    survey.Add(source, stream.Survey());
                    held -= stream.HeldBytes;
                    upstreams -= stream.Upstreams;
                }
            }

            survey.Add(Identity.Source, new ClientHolding(this, Math.Max(held, 0), 1, upstreams, _open == 0));
        }
    }

    /// <summary>Cuts a client that takes nothing of what is sent, or hardly anything; on the tick.</summary>
    private void CutWhenSlow(bool taken, long nowMs)
    {
        bool stalled = _stall.IsOver(IsSendWaiting, taken, nowMs, _stallMs);
        bool slow = _taking.IsBelow(IsSendWaiting && _stallMs < long.MaxValue && _peer.ClientAcked != 0, _peer.ClientAcked, nowMs);
        if ((stalled || slow) && !_isCut)
        {
            _isCut = true;
            ForwardingLog.TooSlow(_context, Identity, _open, stalled ? FailureReasons.TakingNothing : FailureReasons.TakingTooSlowly);
            Cut();
        }
    }

    /// <summary>True while the client has yet to take what was sent.</summary>
    public bool IsSendWaiting => _client.IsSendWaiting;

    /// <summary>Has the kernel ask a client that is only waited for whether it is still there; on the tick.</summary>
    public void KeepAlive() => _peer.KeepAlive(_client);

    /// <summary>True while the stream has a request; within the gate.</summary>
    public bool IsServing(StreamExchange stream) => _streams[stream.Slot] == stream;

    /// <summary>
    /// True when a head of that length may be held besides those of the open streams; one may always, and any for which a proxy names a
    /// client: those count by themselves. Within the gate.
    /// </summary>
    private bool MayHold(int headBytes) =>
        _headBytes == 0
        || (Identity.IsTrusted && _next.Request.Fields.Has(KnownHeader.ForwardedFor))
        || _headBytes + headBytes <= Http2Limits.HeadsBytesMax;

    /// <inheritdoc/>
    public bool IsEnding => _isShed || (_closing && _open == 0);

    /// <inheritdoc/>
    public void Shed()
    {
        if (Identity.IsTrusted)
        {
            ShedUnnamed();
            return;
        }

        _isShed = true;
        lock (Gate)
        {
            foreach (var stream in _streams)
            {
                stream?.OnGone(ProxyError.Overloaded);
            }
        }

        Cut();
        Writer.FlushSoon();
    }

    /// <summary>Of a proxy's connection only those requests are its own that name no client.</summary>
    private void ShedUnnamed()
    {
        List<StreamExchange> unnamed = [];
        lock (Gate)
        {
            foreach (var stream in _streams)
            {
                if (stream is not null && ReferenceEquals(stream.Source, Identity.Source))
                {
                    stream.Survey();
                    unnamed.Add(stream);
                }
            }
        }

        unnamed.ForEach(static stream => stream.Shed());
    }
}
