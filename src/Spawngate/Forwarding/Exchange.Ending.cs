using Spawngate.Upstreams;

namespace Spawngate.Forwarding;

/// <content>How an exchange ends, or is ended, and whose its connection is until then.</content>
internal sealed partial class Exchange
{
    /// <summary>
    /// Ends the exchange: the connection goes back to the pool, or is closed, and the backend is left. Call once, after the last byte of
    /// the response has been sent, or it has failed.
    /// </summary>
    /// <param name="reusable">True when request and response were both completely transferred.</param>
    /// <param name="requestBytes">Bytes of the request's body that followed its head.</param>
    /// <param name="responseBytes">Bytes of the response's body.</param>
    public void End(bool reusable, long requestBytes = 0, long responseBytes = 0)
    {
        try
        {
            ExchangeCount.Count(context, this, _backend, reusable, requestBytes, responseBytes);
        }
        finally
        {
            LetGo(reusable);
        }
    }

    /// <summary>
    /// Whatever fails, for want of memory say: a backend that is not left would never be idle, nor an address that is not left have its
    /// place again.
    /// </summary>
    private void LetGo(bool reusable)
    {
        try
        {
            if (_upstream is not null)
            {
                ReleaseUpstream(reusable && Response.IsPersistent && !IsUpgrade);
            }
        }
        finally
        {
            LeaveBackend();
            _backend = null;
            _client.Leave();
            Record.End();
        }
    }

    /// <summary>
    /// Ends it from outside: pending operations fail and the caller's next step is <see cref="ExchangeStep.Failed"/> with this reason. Only
    /// the first counts.
    /// </summary>
    public void Abort(ProxyError reason)
    {
        Interlocked.CompareExchange(ref _abortReason, (int)reason, 0);
        CutUpstream();
        Volatile.Read(ref _pause)?.Cut();
        if (Volatile.Read(ref _waiter) is { } waiter)
        {
            _backend?.Cancel(waiter);
        }
    }

    /// <summary>
    /// The backend's answer came in the moment its time ran out: fails with the reason of the abort that this brought or is about to bring.
    /// </summary>
    public ExchangeStep FailLate() => Fail(ProxyError.RequestTimeout);

    /// <summary>The backend's answer cannot be passed on.</summary>
    public ExchangeStep FailAnswered(string reason) => Fail(ProxyError.BadBackendResponse, reason);

    /// <summary>
    /// Closes the upstream connection, whose exchange is over or cannot go on; what waits for it returns. Of a tunnel, an end in order
    /// would say that all was sent: it is reset. So is that of a client that has to give up what it holds: an end in order would keep its
    /// local port for a minute (TIME-WAIT).
    /// </summary>
    public void CutUpstream() =>
        Interlocked
            .Exchange(ref _abortable, null)
            ?.Channel.Abort(reset: _isTunnel || Volatile.Read(ref _abortReason) == (int)ProxyError.Overloaded);

    private ExchangeStep Give(OwnReply reply)
    {
        Reply = reply;
        RetryAfterSecs = reply.RetryAfterSecs;
        return Fail(reply.Error);
    }

    private ExchangeStep Fail(ProxyError error, string reason = FailureReasons.NoConnection)
    {
        int aborted = Volatile.Read(ref _abortReason);
        Reply = aborted != 0 ? null : Reply;
        Error = aborted != 0 ? (ProxyError)aborted : error;
        Reason = Error == ProxyError.RequestTimeout ? FailureReasons.OfTimeout(_receivedAny) : reason;
        return ExchangeStep.Failed;
    }

    private void Attach(UpstreamConnection upstream)
    {
        _upstream = upstream;
        _sentBefore = upstream.Channel.SentTotal;
        Volatile.Write(ref _abortable, upstream);
        if (IsAborted)
        {
            // The abort may have come between its look at the field and our write: it must find this connection, too.
            CutUpstream();
        }
    }

    private void ReleaseUpstream(bool reusable)
    {
        var upstream = _upstream!;
        _upstream = null;
        bool ours = Interlocked.Exchange(ref _abortable, null) is not null;
        if (ours && reusable)
        {
            upstream.Pool.Return(upstream);
        }
        else
        {
            upstream.Pool.Discard(upstream);
        }
    }

    private void LeaveBackend()
    {
        if (_run is { } run)
        {
            _run = null;
            _backend!.Leave(run, _countedPassive, Record.Stage == ExchangeStage.Tunnel);
            _countedPassive = false;
        }
    }
}
