using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Transport;

namespace Spawngate.Clients.Http1;

/// <summary>What a connection does, as far as its deadlines have to know.</summary>
internal enum ConnectionPhase : byte
{
    /// <summary>Nothing of the answer to the current request has been written.</summary>
    Unanswered,

    /// <summary>An interim response is being sent.</summary>
    SendingInterim,

    /// <summary>The final response is being sent.</summary>
    Responding,

    /// <summary>Protocols are switched.</summary>
    Tunnelling,
}

/// <summary>
/// What may end a client connection from outside while its own task waits: its deadline, and the end of the client. It changes nothing of
/// the connection but its deadline word, and makes the pending operation return.
/// </summary>
/// <remarks>
/// The tick and socket completions come on their own threads; everything else is called by the connection's task or its upload.
/// </remarks>
internal sealed class ConnectionWatch(
    ForwardingContext context,
    ClientIdentity identity,
    SocketChannel client,
    Exchange exchange,
    Upload upload,
    BodyPump answer
)
{
    private DeadlineWord _deadline;
    private PeerWatch _peer;
    private RateFloor _taking;
    private RateFloor _giving;
    private StreamSilence _silence;
    private volatile ConnectionPhase _phase;
    private volatile bool _receiveShut;
    private bool _inExchange;

    /// <summary>True between the head of a request and the end of its exchange.</summary>
    public bool InExchange
    {
        get => _inExchange;
        set
        {
            _inExchange = value;
            _giving.Restart();
        }
    }

    /// <summary>The deadline that runs.</summary>
    public DeadlineKind Deadline => _deadline.Kind;

    /// <summary>True once a deadline has fired and has not been restarted.</summary>
    public bool HasFired => _deadline.HasFired;

    /// <summary>True while nothing of the answer to the current request has been written.</summary>
    public bool IsUnanswered => _phase == ConnectionPhase.Unanswered;

    /// <summary>True once it was told to give up what it holds: it has little time left for its last answer.</summary>
    public bool IsShed { get; set; }

    /// <summary>What the connection does now.</summary>
    public ConnectionPhase Phase
    {
        set => _phase = value;
    }

    /// <summary>Goes on with the deadline of the first head; one that has fired has ended the receiving side.</summary>
    public void TakeOver(ref DeadlineWord first)
    {
        _deadline.TakeOver(ref first);
        _receiveShut = _deadline.HasFired;
    }

    /// <summary>Sets the deadline so many milliseconds from now (0: never). False when the previous one has fired already.</summary>
    public bool Set(DeadlineKind kind, long ms) => _deadline.Set(kind, context.DueIn(ms));

    /// <summary>Ends the deadline.</summary>
    public void Clear() => _deadline.Set(DeadlineKind.None, 0);

    /// <summary>Sets a deadline even though the previous one has fired and has been dealt with.</summary>
    public void Restart(DeadlineKind kind, long ms) => _deadline.Restart(kind, context.DueIn(ms));

    /// <summary>
    /// An answer, interim or final, is going to be written. Its first byte may have been sent already, to see whether the client is still
    /// there.
    /// </summary>
    public void BeginAnswer(ConnectionPhase phase)
    {
        _phase = phase;
        if (_peer.BeginAnswer(phase == ConnectionPhase.Responding, context.Clock.NowMs))
        {
            client.SkipSentAhead();
        }
    }

    /// <summary>The answer has been sent whole.</summary>
    public void EndAnswer()
    {
        _phase = ConnectionPhase.Unanswered;
        _peer.EndAnswer(context.Clock.NowMs);
    }

    /// <summary>Arms a receive, which tells when the client speaks or leaves.</summary>
    public void WatchClient()
    {
        if (!client.Arm())
        {
            OnReceiveUnobserved();
        }
    }

    /// <summary>
    /// An armed receive ended: the client may have ended its side, perhaps only half of it, which is found out later. An error means that
    /// it is gone.
    /// </summary>
    public void OnReceiveUnobserved()
    {
        if (!client.ArmedResultIsEnd)
        {
            return;
        }

        if (client.ArmedResultIsError)
        {
            exchange.Abort(ProxyError.ClientGone);
        }
        else if (!_receiveShut)
        {
            _peer.OnClientEnded(context.Clock.NowMs);
        }
    }

    /// <summary>Bytes of a body moved.</summary>
    public void OnProgress()
    {
        if (_deadline.Kind is DeadlineKind.Response or DeadlineKind.Progress)
        {
            Set(_phase == ConnectionPhase.Responding ? DeadlineKind.Progress : DeadlineKind.Response, exchange.TimeoutMs);
        }

        _peer.OnProgress(context.Clock.NowMs);
    }

    /// <summary>Looks at the deadlines and at the client; on the coarse tick.</summary>
    public void OnTick(long nowMs)
    {
        if (_peer.HasSendMoved(client, exchange.WatchedUpstream))
        {
            _deadline.PutOff(context.DueIn(exchange.TimeoutMs));
            _peer.OnProgress(nowMs);
        }

        if (exchange.IsStreaming && _phase == ConnectionPhase.Responding && InExchange)
        {
            OnStreaming(nowMs);
        }

        if (_deadline.TryFire(nowMs, out var kind))
        {
            OnDeadline(kind);
        }

        OnRates(nowMs);
        if (InExchange && _peer.IsClientGone(client, answer, nowMs, _phase == ConnectionPhase.Tunnelling))
        {
            exchange.Abort(ProxyError.ClientGone);
        }
    }

    /// <summary>
    /// A response that streams: the silence of its backend has a limit of its own, or none while the client is there. What the client does
    /// not take, or does not give, is late as in any other.
    /// </summary>
    private void OnStreaming(long nowMs)
    {
        bool isSilent = answer.AwaitsSource && !client.IsSending && !exchange.IsAborted;
        if (isSilent)
        {
            // A client that has vanished without a word is found out by the kernel only.
            _peer.KeepAlive(client);
            _deadline.PutOff(context.DueIn(exchange.TimeoutMs));
        }

        if (_silence.IsOver(isSilent, exchange.StreamNumber, answer.BodyBytes, nowMs, exchange.StreamTimeoutMs))
        {
            ForwardingLog.StreamSilent(context, identity, exchange);
            Restart(DeadlineKind.Progress, ConnectionLimits.LingerMs);
            exchange.Abort(ProxyError.ClientGone);
        }
    }

    /// <summary>
    /// A client that takes an answer, or gives a body of known length, hardly at all is late although it makes progress. A body without a
    /// length may be one that is made as it is sent.
    /// </summary>
    private void OnRates(long nowMs)
    {
        bool counts = InExchange && exchange.TimeoutMs > 0 && _phase != ConnectionPhase.Tunnelling;
        if (_taking.IsBelow(counts && client.IsSending && _peer.ClientAcked != 0, _peer.ClientAcked, nowMs))
        {
            ForwardingLog.TooSlow(context, identity, exchange, FailureReasons.TakingTooSlowly);
            exchange.Abort(ProxyError.ClientGone);
            client.Abort(reset: true);
        }
        else if (_giving.IsBelow(counts && IsUnanswered && upload.HasLength && upload.AwaitsClient, upload.BodyBytes, nowMs))
        {
            exchange.Abort(ProxyError.ClientTimeout);
        }
    }

    /// <summary>Ends the connection if it waits for a request.</summary>
    public void CloseIfIdle()
    {
        if (_deadline.TryFireNow(DeadlineKind.KeepAlive))
        {
            OnDeadline(DeadlineKind.KeepAlive);
        }
    }

    /// <summary>
    /// Ends our side and reads what the client still sends until it ends its own (RFC 9112 section 9.6): closing with unread bytes, or with
    /// a receive pending, is a reset, which may overtake the answer.
    /// </summary>
    public async Task LingerAsync()
    {
        client.ShutdownSend();
        Restart(DeadlineKind.Linger, ConnectionLimits.LingerMs);
        do
        {
            client.Consume(client.ReceivedLength);
        } while (await client.ReceiveAsync().ConfigureAwait(false) > 0);
    }

    private void OnDeadline(DeadlineKind kind)
    {
        switch (kind)
        {
            case DeadlineKind.KeepAlive or DeadlineKind.Head or DeadlineKind.Linger:
                _receiveShut = true;
                client.ShutdownReceive();
                break;
            case DeadlineKind.Response when _phase == ConnectionPhase.Unanswered:
                exchange.Abort(upload.AwaitsClient ? ProxyError.ClientTimeout : ProxyError.RequestTimeout);
                break;
            default:
                // Unless it is the client that takes nothing, the connection's own task ends it, so that answers before this one arrive; a
                // second time it does not.
                bool again = exchange.IsAborted;
                if (!again && InExchange)
                {
                    ForwardingLog.Stalled(context, identity, exchange, client.IsSending, upload.AwaitsClient);
                }

                Restart(DeadlineKind.Progress, ConnectionLimits.LingerMs);
                exchange.Abort(ProxyError.ClientGone);
                if (again || client.IsSending || !InExchange)
                {
                    client.Abort(reset: true);
                }

                break;
        }
    }
}
