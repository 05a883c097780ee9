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
            if (_attempt.IsAttached)
            {
                _attempt.Release(reusable && Response.IsPersistent && !IsUpgrade);
            }
        }
        finally
        {
            try
            {
                _lease.Dispose();
            }
            finally
            {
                _countedPassive = false;
                _admission = default; // It would keep a backend that is removed meanwhile.
                _endedInstance = null;
                _backend = null;
                _client.Leave();
                Record.End();
                State = ExchangeState.Idle; // From any state: a client that leaves ends it wherever it is.
            }
        }
    }

    /// <summary>
    /// Ends it from outside: pending operations fail and the caller's next step is <see cref="ExchangeState.Failed"/> with this reason.
    /// Only the first counts.
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
    public ExchangeState FailLate() => Fail(ProxyError.RequestTimeout);

    /// <summary>It could not be begun, or its client took it back before: nobody is to be told.</summary>
    public ExchangeState FailUnbegun() => Fail(ProxyError.ClientGone);

    /// <summary>Its head was refused, and is answered without having been begun.</summary>
    /// <param name="error">The error.</param>
    /// <param name="head">The head, as far as it is there.</param>
    public void NoteRefused(ProxyError error, ReadOnlySpan<byte> head) => Reply = ErrorPage.Of(error, Request.Method, head);

    /// <summary>The backend's answer cannot be passed on.</summary>
    public ExchangeState FailAnswered(string reason) => Fail(ProxyError.BadBackendResponse, reason);

    /// <summary>
    /// Closes the upstream connection, whose exchange is over or cannot go on; what waits for it returns. Of a tunnel, an end in order
    /// would say that all was sent: it is reset. So is that of a client that has to give up what it holds: an end in order would keep its
    /// local port for a minute (TIME-WAIT).
    /// </summary>
    public void CutUpstream() => _attempt.Cut(reset: _isTunnel || Volatile.Read(ref _abortReason) == (int)ProxyError.Overloaded);

    private ExchangeState Give(OwnReply reply)
    {
        Reply = reply;
        RetryAfterSecs = reply.RetryAfterSecs;
        return Fail(reply.Error);
    }

    /// <summary>It is not even asked for admission.</summary>
    private ExchangeState Refuse(ProxyError error, ReadOnlySpan<byte> head)
    {
        Record.NoteRefused(Request, head);
        return Fail(error, head);
    }

    /// <summary>It fails while its head is still the client's.</summary>
    private ExchangeState Fail(ProxyError error, ReadOnlySpan<byte> head)
    {
        Reply = ErrorPage.Of(error, Request.Method, head);
        return Fail(error);
    }

    private ExchangeState Fail(ProxyError error, string reason = FailureReasons.NoConnection)
    {
        int aborted = Volatile.Read(ref _abortReason);
        Error = aborted != 0 ? (ProxyError)aborted : error;
        if (aborted != 0 || Reply is null)
        {
            Reply = ErrorPage.Of(Error, Request.Method, SentHead);
        }

        Reason =
            Error != ProxyError.RequestTimeout ? reason
            : State == ExchangeState.Waiting ? FailureReasons.NoRoom
            : FailureReasons.OfTimeout(_attempt.ReceivedAny);
        return Go(ExchangeState.Failed);
    }

    /// <summary>The head as it was written for the backend, as long as it is kept.</summary>
    private ReadOnlySpan<byte> SentHead =>
        _serialized is not null ? _serialized
        : _attempt.IsAttached ? Upstream.Outgoing
        : default;
}
