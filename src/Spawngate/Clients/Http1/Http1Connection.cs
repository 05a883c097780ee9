using System.Runtime.CompilerServices;
using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Clients.Http1;

/// <summary>
/// One client connection that speaks HTTP/1: reads requests one after the other, drives an <see cref="Exchange"/> for each, and relays its
/// answer. Pipelined requests wait in the receive buffer and are answered in order.
/// </summary>
/// <remarks>
/// <code>
///        ┌──────────────────────── keep-alive ─────────────────────────┐
///        ▼                                                             │
///  Reading ──head──▶ Forwarding ──response head──▶ Relaying ──done─────┤
///     │                  │                            │                └──▶ Lingering ──▶ closed
///     └─ refused ────────┴── error before a head ─────┼─ JSON error ──────────▲
///                                                     └─ error after it ──▶ ConnectionEnd
///                                                     └─ 101 ──▶ Tunnel ──▶ closed
/// </code>
/// One task runs through these; a request body is pumped by a second one beside it. From outside come only: the tick
/// (<see cref="OnTick"/>), the end of the client (<see cref="OnReceiveUnobserved"/>) and the drain. They change nothing here but
/// the deadline word, and make the pending operation return.
/// </remarks>
internal sealed partial class Http1Connection : ClientProtocol, IUploadWatcher, IExchangeClient
{
    private readonly ForwardingContext _context;
    private readonly DrainSignal _drain;
    private readonly IUpgradeTaker _upgrades;
    private readonly ClientIdentity _identity;
    private readonly SocketChannel _client;
    private readonly Exchange _exchange;
    private readonly BodyPump _responsePump;
    private readonly Upload _upload;
    private readonly ConnectionWatch _watch;
    private readonly ConnectionEnd _end;
    private readonly ConnectionHolding _holding;
    private ReaderTurn _turn;
    private bool _headConsumed,
        _keep,
        _last,
        _lingerOwed,
        _endsByClose;

    /// <summary>Takes over a connection whose client speaks HTTP/1.</summary>
    /// <param name="context">What all connections share.</param>
    /// <param name="drain">On once the gateway drains.</param>
    /// <param name="upgrades">Takes up a request to go on as HTTP/2.</param>
    /// <param name="client">The connection, with what was received already. The caller disposes of it.</param>
    /// <param name="identity">The client.</param>
    /// <param name="first">The deadline of the first head, which is taken over.</param>
    public Http1Connection(
        ForwardingContext context,
        DrainSignal drain,
        IUpgradeTaker upgrades,
        SocketChannel client,
        ClientIdentity identity,
        ref DeadlineWord first
    )
    {
        _context = context;
        _drain = drain;
        _upgrades = upgrades;
        _identity = identity;
        _client = client;
        _exchange = new Exchange(context);
        _responsePump = new BodyPump(this);
        _upload = new Upload(this);
        _watch = new ConnectionWatch(context, identity, _client, _exchange, _upload, _responsePump);
        _end = new ConnectionEnd(context, _client, _exchange, _upload, _watch);
        _holding = new ConnectionHolding(identity, _client, _exchange, _watch, context, Cut);
        _watch.TakeOver(ref first);
    }

    /// <inheritdoc/>
    internal override (DeadlineKind Deadline, bool ForBody) Awaited => (_watch.Deadline, _upload.AwaitsClient);

    /// <inheritdoc/>
    public override async Task ServeAsync()
    {
        while (true)
        {
            HeadStatus status;
            while ((status = ParseHead()) == HeadStatus.NeedMore)
            {
                if (await ReceiveMoreAsync().ConfigureAwait(false) <= 0 && !await HasLastWordAsync().ConfigureAwait(false))
                {
                    break;
                }
            }

            if (status != HeadStatus.Complete)
            {
                await EndWithoutRequestAsync(status).ConfigureAwait(false);
                return;
            }

            if (_exchange.Request.WantsUpgrade && await BecomesHttp2Async().ConfigureAwait(false))
            {
                return;
            }

            Begin();
            while (_exchange.IsPending)
            {
                _exchange.Advance(await _exchange.NextAsync(this).ConfigureAwait(false), this);
            }

            if (_exchange.State == ExchangeState.Relaying && !_watch.Set(DeadlineKind.Progress, _exchange.TimeoutMs))
            {
                _exchange.FailLate();
            }

            if (_exchange.State != ExchangeState.Relaying)
            {
                await AnswerErrorAsync(_exchange.Error, null).ConfigureAwait(false);
            }
            else if (TryWriteWholeResponse())
            {
                // The common case, without another state machine: all of the response is here and goes out in one send.
                EndWhole(sent: await FlushClientAsync().ConfigureAwait(false));
            }
            else
            {
                await RelayResponseAsync().ConfigureAwait(false);
            }

            if (_lingerOwed && !_client.IsClosed)
            {
                await LingerAsync().ConfigureAwait(false);
            }

            if (!_keep || !PrepareNext())
            {
                return;
            }

            if (_turn.IsOver)
            {
                _turn = default;
                await EventLoop.NextTurn();
            }
        }
    }

    private ValueTask<int> ReceiveMoreAsync()
    {
        var receiving = _client.ReceiveAsync();
        if (!receiving.IsCompleted)
        {
            _turn = default; // Others have theirs now.
        }

        return receiving;
    }

    private HeadStatus ParseHead()
    {
        if (_client.ReceivedLength == 0)
        {
            return HeadStatus.NeedMore;
        }

        var status = RequestHeadParser.Parse(_exchange.Request, _client.Received, _context.RequestLimits);
        if (status == HeadStatus.NeedMore && !_exchange.Request.IsPristine && _watch.Deadline == DeadlineKind.KeepAlive)
        {
            _watch.Set(DeadlineKind.Head, _context.Server.HeaderTimeoutSecs * 1000L);
        }

        return status;
    }

    /// <summary>
    /// Goes on as HTTP/2 if the request asks for it and that is possible (<c>Upgrade: h2c</c>, RFC 7540 section 3.2): then the rest of the
    /// connection is not ours. Other requests are served as if they had not asked.
    /// </summary>
    private async ValueTask<bool> BecomesHttp2Async()
    {
        if (!_upgrades.TryTakeUp(_exchange.Request))
        {
            return false;
        }

        _client.Write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"u8);
        _watch.Set(DeadlineKind.Progress, ConnectionLimits.LingerMs);
        if (await FlushClientAsync().ConfigureAwait(false))
        {
            _upgrades.Begin(_client.Received[.._exchange.Request.Length]);
            _client.Consume(_exchange.Request.Length);
        }

        _watch.Clear();
        return true;
    }

    /// <summary>
    /// The receive returned no bytes. If that was our own idle deadline, a request may have arrived in the same moment: it is still
    /// answered, as the last one.
    /// </summary>
    private async ValueTask<bool> HasLastWordAsync()
    {
        if (!_watch.HasFired || !_exchange.Request.IsPristine || await _client.ReceiveAsync().ConfigureAwait(false) <= 0)
        {
            return false;
        }

        _last = true;
        _watch.Restart(DeadlineKind.Head, _context.Server.HeaderTimeoutSecs * 1000L);
        return true;
    }

    /// <summary>A head is complete: routes it and writes it to the backend.</summary>
    private void Begin()
    {
        var request = _exchange.Request;
        _turn.Add(request.Length);
        _watch.InExchange = true;
        _headConsumed = false;
        _upload.Reset(request.Framing.Kind != BodyKind.None, request.IsHttp11 && request.Fields.Has(KnownHeader.Expect));
        var received = _client.Received;
        AfterDispatch(_exchange.Start(received[..request.Length], received[request.Length..], _identity));
    }

    /// <inheritdoc/>
    void IExchangeClient.OnAdmission()
    {
        var received = _client.Received;
        int headLength = _headConsumed ? 0 : _exchange.Request.Length;
        AfterDispatch(_exchange.AfterWait(received[..headLength], received[headLength..], _identity));
    }

    /// <inheritdoc/>
    void IExchangeClient.OnHeld()
    {
        // No deadline of ours runs, the start has its own. An armed receive tells when the client leaves.
        _watch.Clear();
        _watch.WatchClient();
    }

    private void AfterDispatch(ExchangeState state)
    {
        if (state == ExchangeState.Waiting)
        {
            ((IExchangeClient)this).OnHeld();
            return;
        }

        if (!_headConsumed)
        {
            _client.Consume(_exchange.Request.Length + _exchange.BodySentWithHead);
            _headConsumed = true;
            _upload.SetRest(_exchange.Request.Framing, _exchange.BodySentWithHead);
        }

        if (!_watch.Set(DeadlineKind.Response, _exchange.TimeoutMs))
        {
            // The idle time ran out in the moment the request came: it is served, within its own time, as the last one.
            _last = true;
            _watch.Restart(DeadlineKind.Response, _exchange.TimeoutMs);
        }
    }

    /// <inheritdoc/>
    void IExchangeClient.OnHeadSent(int sent)
    {
        if (!_upload.IsPending)
        {
            _watch.WatchClient();
        }
        else if (sent >= 0)
        {
            BeginUpload();
        }
    }

    /// <inheritdoc/>
    void IExchangeClient.OnReceived(int received)
    {
        if (received > 0 && _upload.IsPending)
        {
            BeginUpload();
        }
    }

    /// <summary>Pumps the request body beside the response, once the backend is known to take this request.</summary>
    private void BeginUpload()
    {
        if (!_upload.IsBegun && _exchange.TryTakeBody())
        {
            _upload.Begin(_client, _exchange.Request.Framing, _exchange.BodySentWithHead, _exchange.Upstream);
        }
    }

    /// <summary>
    /// A client that leaves or breaks its framing takes the exchange along; a backend that stops reading does not, since its answer may
    /// still come.
    /// </summary>
    void IUploadWatcher.OnUploadEnded(PumpOutcome outcome, Exception? unexpected)
    {
        if (unexpected is not null)
        {
            ForwardingLog.Unexpected(_context.Log, unexpected, _identity.Text);
        }

        if (outcome is PumpOutcome.SourceCut or PumpOutcome.SourceBroken)
        {
            _exchange.Abort(outcome == PumpOutcome.SourceBroken ? ProxyError.BadRequest : ProxyError.ClientGone);
        }
        else if (outcome == PumpOutcome.Complete)
        {
            // Watched before it is said that the body is done: from then on the connection's own task may read.
            _client.Shrink();
            _watch.WatchClient();
        }
    }

    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<int> IExchangeClient.RelayInterimAsync()
    {
        if (_exchange.Request.IsHttp11)
        {
            _watch.BeginAnswer(ConnectionPhase.SendingInterim);
            _exchange.WriteResponseHead(_client, chunked: false, default, default);
            if (!await FlushClientAsync().ConfigureAwait(false))
            {
                _exchange.Abort(ProxyError.ClientGone);
            }

            _watch.EndAnswer();
            if (_exchange.Response.Status == 100)
            {
                _upload.OnContinue();
            }
        }

        return 0;
    }

    /// <summary>Writes the final head; true when the whole body could be put behind it and nothing else has to happen.</summary>
    private bool TryWriteWholeResponse()
    {
        _watch.BeginAnswer(ConnectionPhase.Responding);
        _end.BeginAnswer();
        var response = _exchange.Response;
        bool chunked = WriteFinalHead();
        _exchange.NoteStreaming();
        _exchange.Upstream.Consume(response.Length);
        _responsePump.Begin(
            _exchange.Upstream,
            new BodyReader(response.Framing, 0, ofResponse: true),
            _client,
            chunked,
            acknowledges: true
        );
        if (_upload.IsPending || response.Status == 101)
        {
            return false;
        }

        return response.Framing.Kind == BodyKind.None || _responsePump.TryCopyWhole();
    }

    private void EndWhole(bool sent)
    {
        if (!sent)
        {
            ForwardingLog.BodyCut(_context, _identity, _exchange, PumpOutcome.SinkFailed);
        }

        EndExchange(reusable: sent);
        _keep &= sent;
    }

    /// <summary>Decides whether the connection is kept, and writes the head. True when the body goes out chunked.</summary>
    private bool WriteFinalHead()
    {
        var request = _exchange.Request;
        var kind = _exchange.Response.Framing.Kind;
        bool lengthUnknown = kind is BodyKind.Chunked or BodyKind.UntilClose;
        bool chunked = lengthUnknown && request.IsHttp11;
        _endsByClose = lengthUnknown && !chunked;
        _keep =
            request.IsPersistent
            && !_drain.IsOn
            && !_last
            // HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
            && !_endsByClose
            // Answered instead of 100-continue: the client may send its body or not, so nobody could tell what its next bytes are.
            && !(_upload.IsPending && request.Fields.Has(KnownHeader.Expect));
        _lingerOwed = !_keep;
        var connection = ProxyHeaders.ConnectionOption(_exchange.Response, _keep, request.IsHttp11);
        _exchange.WriteResponseHead(_client, chunked, connection, _exchange.RequestId);
        return chunked;
    }

    /// <summary>What <see cref="TryWriteWholeResponse"/> left to do: streams the body, waits for the upload, or becomes a tunnel.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask RelayResponseAsync()
    {
        if (_exchange.Response.Status == 101)
        {
            await TunnelAsync().ConfigureAwait(false);
            return;
        }

        var outcome = await _responsePump.RunAsync().ConfigureAwait(false);
        if (outcome != PumpOutcome.Complete)
        {
            // Begun and cut: the client must see that it is not complete (RFC 9112 section 8).
            ForwardingLog.BodyCut(_context, _identity, _exchange, outcome);
            _keep = false;
            await _end.CutAsync(outcome == PumpOutcome.SinkFailed, _endsByClose).ConfigureAwait(false);
            EndExchange(reusable: false);
            _lingerOwed = !_endsByClose;
            if (_endsByClose)
            {
                await _end.ResetAsync().ConfigureAwait(false);
            }

            return;
        }

        bool uploaded = await _end.FinishUploadAsync().ConfigureAwait(false);
        EndExchange(reusable: uploaded);
        if (!uploaded)
        {
            await LingerAsync().ConfigureAwait(false);
        }

        _keep &= uploaded;
    }

    /// <summary>Splices both sides until both have ended; a half-close is passed on (http1-conformance.md).</summary>
    private async ValueTask TunnelAsync()
    {
        _keep = _lingerOwed = false;

        // The request is complete before its connection becomes a tunnel, and its body moves within its deadline.
        if (!await FlushClientAsync().ConfigureAwait(false) || !await _upload.EndedAsync().ConfigureAwait(false))
        {
            return;
        }

        _watch.Phase = ConnectionPhase.Tunnelling;
        _watch.Clear();
        var webSocket = _exchange.WatchWebSocket();
        if (webSocket is not null)
        {
            webSocket.OnFarewell = () => _watch.Restart(DeadlineKind.Linger, ConnectionLimits.LingerMs);
        }

        await Tunnel.RunAsync(_client, _exchange, _upload.Pump, _responsePump, webSocket).ConfigureAwait(false);
    }

    /// <summary>The client gets a JSON error, if nothing of a response has been sent.</summary>
    private async ValueTask AnswerErrorAsync(ProxyError error, string? detail)
    {
        _keep = false;
        ForwardingLog.Error(_context, _identity, _exchange, error);
        if (error == ProxyError.ClientGone || _client.IsClosed)
        {
            return;
        }

        bool unread = _upload.IsPending || _upload.IsBegun || !_watch.InExchange;
        bool last = _last || _exchange.IsAborted || _watch.HasFired || _drain.IsOn;
        _keep = !unread && !last && error != ProxyError.Overloaded && _exchange.Request.IsPersistent;
        _watch.BeginAnswer(ConnectionPhase.Responding);
        _watch.Restart(DeadlineKind.Progress, ConnectionLimits.LingerMs);
        ErrorResponse.Write(_client, error, detail, _exchange, _keep, _context.Time);
        if (!await FlushClientAsync().ConfigureAwait(false))
        {
            _keep = false;
            return;
        }

        if (!unread)
        {
            EndExchange(reusable: false);
            _lingerOwed = !_keep;
            return;
        }

        if (_watch.IsShed)
        {
            await _end.ShedAsync().ConfigureAwait(false);
            EndExchange(reusable: false);
            return;
        }

        await _end.FinishUploadAsync().ConfigureAwait(false);
        EndExchange(reusable: false);
        ExchangeCount.CountUnrouted(_context, _exchange);
        await LingerAsync().ConfigureAwait(false);
    }

    private async ValueTask EndWithoutRequestAsync(HeadStatus status)
    {
        _context.Observer?.OnRefused(_exchange, _client.Received, _identity);
        if (status == HeadStatus.Refused)
        {
            var fault = _exchange.Request.Fault;
            ForwardingLog.Refused(_context.Log, _identity.Text, HeadFaults.Describe(fault));
            var error = ErrorResponse.ForFault(fault);
            _exchange.NoteRefused(error, _client.Received);
            await AnswerErrorAsync(error, ErrorResponse.Detail(fault)).ConfigureAwait(false);
        }
        else if (_watch.HasFired && !_exchange.Request.IsPristine)
        {
            ForwardingLog.Refused(_context.Log, _identity.Text, "its head did not come in time");
            await AnswerErrorAsync(ProxyError.ClientTimeout, null).ConfigureAwait(false);
        }
        ExchangeCount.CountUnrouted(_context, _exchange);
    }

    private Task LingerAsync()
    {
        _lingerOwed = false;
        return _watch.IsShed ? _end.ShedAsync() : _watch.LingerAsync();
    }

    /// <summary>Ready for the next request; false when the connection has to end.</summary>
    private bool PrepareNext()
    {
        if (_exchange.IsAborted || !_watch.Set(DeadlineKind.KeepAlive, _context.Server.KeepAliveTimeoutSecs * 1000L))
        {
            return false;
        }

        _watch.EndAnswer();
        _upload.Reset(pending: false, expectsContinue: false);
        _exchange.Reset();
        if (_client.ReceivedLength == 0)
        {
            _client.Shrink();
            _exchange.ReleaseHeads();
        }

        return true;
    }

    /// <inheritdoc/>
    public override async ValueTask EndAsync()
    {
        if (_upload.IsRunning)
        {
            Cut();
        }

        try
        {
            await _upload.EndedAsync().ConfigureAwait(false);
        }
        finally
        {
            EndExchange(reusable: false);
            _exchange.ReleaseHeads();
        }
    }

    private void EndExchange(bool reusable)
    {
        if (_watch.InExchange)
        {
            _watch.InExchange = false;
            _exchange.End(reusable, _upload.BodyBytes, _responsePump.BodyBytes);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> FlushClientAsync()
    {
        int sent = await _client.FlushAsync().ConfigureAwait(false);
        _client.ReleaseOutgoing();
        return sent >= 0;
    }
}
