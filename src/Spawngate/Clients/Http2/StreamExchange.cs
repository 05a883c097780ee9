using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;
using Spawngate.Runtime;
using Spawngate.Telemetry;
using Spawngate.Transport;

namespace Spawngate.Clients.Http2;

/// <summary>Which head a stream writes next.</summary>
internal enum HeadKind : byte
{
    /// <summary>An interim one of the backend.</summary>
    Interim,

    /// <summary>The backend's final one.</summary>
    Response,

    /// <summary>One of our own.</summary>
    Own,
}

/// <summary>
/// One stream of a connection while its request is served: drives an <see cref="Exchange"/>, and puts its answer into frames. Used again
/// for later streams of the same connection.
/// </summary>
/// <remarks>
/// <code>
///        ┌───────────────────────────────────── next request ──────────────────────────────────┐
///        ▼                                                                                     │
///  free ── Begin ──▶ Forwarding ──response head──▶ Responding ─┬─ all written ────▶ Finishing ─┘
///                        │                            ▲  │     ├─ backend cut ──▶ reset ──▲
///                        ├─ error: a body of our own ─┘  │     └─ client reset ───────────▲
///                        └─ client reset ────────────────┼────────────────────────────────▲
///                                                        └─ no window, no room: waits for its turn
/// </code>
/// One task runs through these. What comes from other threads (DATA, resets and windows from the reader, its turn from whoever sends, the
/// tick) changes its state within the connection's gate, and makes what it waits for return.
/// </remarks>
internal sealed partial class StreamExchange : IExchangeClient
{
    private readonly Http2Connection _connection;
    private readonly ForwardingContext _context;
    private readonly Exchange _exchange;
    private readonly StreamUpload _upload;
    private readonly Signal<bool> _begun = new();
    private readonly StreamSender _sender;
    private DeadlineWord _deadline;
    private long _bodyBytesSeen;
    private long _upstreamAcked;
    private byte[] _head = [];
    private int _headLength;
    private ProxyError _refusal;
    private string? _detail;
    private HeadKind _headKind;
    private ProxyError _answer;
    private byte[] _answerBody = [];
    private bool _isBodyless;
    private bool _isBegun;
    private bool _isTunnel;
    private bool _skipped;
    private volatile bool _responding;
    private volatile bool _awaitsContinue;
    private volatile bool _awaitsInput;
    private StreamSilence _silence;

    /// <summary>Makes one that waits for <see cref="Begin"/>.</summary>
    public StreamExchange(Http2Connection connection, ForwardingContext context)
    {
        _connection = connection;
        _context = context;
        _exchange = new Exchange(context) { ReceivedBy = ReceivedProtocol.Http2 };
        _upload = new StreamUpload(connection, this);
        _sender = new StreamSender(connection, this);
        _ = ServeAsync();
    }

    /// <summary>The request's head, filled in by the session.</summary>
    public RequestHead Request => _exchange.Request;

    /// <summary>The slot of the stream.</summary>
    public int Slot { get; private set; }

    /// <summary>The response's body.</summary>
    public StreamSender Sender => _sender;

    /// <summary>The request body.</summary>
    public StreamUpload Upload => _upload;

    /// <summary>Milliseconds that its client may leave a send waiting; 0 for any time, as in a tunnel, in which no deadline runs.</summary>
    public long TimeoutMs =>
        _responding && !_deadline.HasFired && _deadline.Kind == DeadlineKind.None && !_sender.HasWholeBody ? 0 : _exchange.TimeoutMs;

    /// <summary>True when the response opened a tunnel.</summary>
    private bool IsTunnelOpen => _headKind == HeadKind.Response && _isTunnel && _exchange.Response.Status == 101;

    /// <summary>Takes up a request; within the gate. Follow with <see cref="Begin"/> or <see cref="Defer"/>.</summary>
    public void Assign(int slot, bool ended, bool isTunnel, int urgency)
    {
        Slot = slot;
        _isTunnel = isTunnel;
        IsEnding = false;
        _serial++;
        _bodyBytesSeen = _upstreamAcked = 0;
        _taking.Restart();
        _giving.Restart();
        _responding = _skipped = _isBegun = false;
        _headKind = HeadKind.Interim;
        _sender.Reset(slot, urgency);
        _exchange.Revive();
        _refusal = ProxyError.None;
        _detail = null;
        _headLength = 0;
        _awaitsContinue = !ended && Request.Fields.Has(KnownHeader.Expect);
        // The head of a tunnel has no body; what follows are its bytes.
        _upload.Reset(ended || (!isTunnel && Request.Framing.Kind == BodyKind.None));
    }

    /// <summary>Keeps the head until the first of the body is there.</summary>
    public void Defer(ReadOnlySpan<byte> head) => KeepHead(head, TransportLimits.SmallBufferBytes);

    /// <summary>Begins, with what has been kept.</summary>
    public void BeginDeferred()
    {
        if (_sender.IsGone)
        {
            _exchange.NoteCancelled(_head.AsSpan(0, _headLength), _connection.Identity);
            _exchange.FailUnbegun();
            _refusal = _exchange.Error;
            Run();
            return;
        }

        Begin(_head.AsSpan(0, _headLength));
    }

    /// <summary>Routes the request and, if the backend is ready, sends it; on the reader's thread.</summary>
    public void Begin(ReadOnlySpan<byte> head)
    {
        var state = _exchange.Start(head, _upload.Gathered, _connection.Identity);
        AfterDispatch(state, head);
        Run();
    }

    /// <summary>It could not be begun, because of a fault that ends the connection: it ends with it.</summary>
    public void Abandon(Exception fault)
    {
        CallbackGuard.OnFault(fault, nameof(StreamExchange), _connection);
        if (!_isBegun)
        {
            _refusal = ProxyError.ClientGone;
            _exchange.IsTold = true; // By the fault's own line.
            _exchange.FailUnbegun();
            Run();
        }
    }

    /// <summary>Answers a head that the session refused.</summary>
    /// <param name="error">The answer.</param>
    /// <param name="detail">What it says.</param>
    /// <param name="head">The head, as far as it is known.</param>
    public void Refuse(ProxyError error, string detail, ReadOnlySpan<byte> head)
    {
        var line = StreamFaults.LineOf(Request, head);
        _exchange.NoteRefused(error, head);
        _context.Observer?.OnRefused(_exchange, line, _connection.Identity);
        _refusal = error;
        _detail = detail;
        Run();
    }

    /// <summary>Notes a request that the session reset instead: it never becomes one.</summary>
    /// <param name="status">The status that stands for it in the access log.</param>
    /// <param name="error">The error that does.</param>
    /// <param name="line">The method and the target, as far as they are known.</param>
    public void NoteReset(int status, ProxyError error, ReadOnlySpan<byte> line)
    {
        _context.Observer?.OnRefused(_exchange, line, _connection.Identity);
        _exchange.Record.SetReset(status, error);
        ExchangeCount.CountUnrouted(_context, _exchange);
        _exchange.Reset();
    }

    /// <summary>The stream was reset, or the connection ends: ends what is under way at the backend; within the gate.</summary>
    /// <param name="reason">Whether the client went, or was at fault.</param>
    public void OnGone(ProxyError reason = ProxyError.ClientGone)
    {
        _exchange.Abort(reason);
        _sender.OnGone();
    }

    /// <summary>So many bytes of DATA have been passed on or thrown away; within the gate.</summary>
    public void Consume(int bytes)
    {
        if (bytes > 0)
        {
            _connection.Session.ConsumeData(Slot, bytes);
        }
    }

    /// <summary>Body bytes went to the backend.</summary>
    public void OnUploadProgress()
    {
        OnProgress();
        _connection.Writer.FlushSoon();
    }

    /// <summary>Adds it to what holds a backend, if it does; within the gate.</summary>
    public void AddTo(ActiveRequestSearch search) => _exchange.AddTo(search);

    /// <summary>Looks at its deadline; on the tick, within the gate, so that it is still that of the request it was set for.</summary>
    /// <param name="nowMs">Coarse time.</param>
    /// <param name="clientTakes">True when the client's kernel has taken bytes of a send that is under way.</param>
    /// <param name="isRead">False while what the client has to say is not read: then it is not late.</param>
    public void OnTick(long nowMs, bool clientTakes, bool isRead)
    {
        if (!isRead && ((_upload.AwaitsClient && !_responding && !_awaitsContinue) || _sender.AwaitsWindow))
        {
            _deadline.PutOff(_context.DueIn(_exchange.TimeoutMs));
            _taking.Restart();
            _giving.Restart();
        }

        // What goes into a window that opens a little at a time is progress, too, long before its task hears of it; and so is what a
        // backend takes of a send that is pending.
        bool moved = _sender.BodyBytes != _bodyBytesSeen;
        _bodyBytesSeen = _sender.BodyBytes;
        moved |= _exchange.WatchedUpstream is { } upstream && PeerWatch.HasMoved(upstream, ref _upstreamAcked);
        if (moved || (clientTakes && (_responding || _sender.HeadWaits)))
        {
            _deadline.PutOff(_context.DueIn(_exchange.TimeoutMs));
        }

        OnRates(nowMs);
        if (_responding && _exchange.IsStreaming && IsSilentTooLong(nowMs))
        {
            ForwardingLog.StreamSilent(_context, _connection.Identity, _exchange);
            _connection.Session.Reset(Slot, ErrorCode.Cancel);
            OnGone();
            return;
        }

        if (!_deadline.TryFire(nowMs, out var kind))
        {
            return;
        }

        if (kind == DeadlineKind.Response && !_responding && !_sender.HeadWaits)
        {
            _exchange.Abort(_upload.AwaitsClient && !_awaitsContinue ? ProxyError.ClientTimeout : ProxyError.RequestTimeout);
            return;
        }

        if (kind == DeadlineKind.Linger)
        {
            // A WebSocket was told goodbye, and its client does not answer: nobody is at fault.
            _connection.Session.Reset(Slot, ErrorCode.None);
            OnGone();
            return;
        }

        ForwardingLog.Stalled(
            _context,
            _connection.Identity,
            _exchange,
            _sender.AwaitsWindow || _sender.HeadWaits || _connection.IsSendWaiting,
            _upload.AwaitsClient
        );
        _connection.Session.Reset(Slot, ErrorCode.Cancel);
        OnGone();
    }

    /// <summary>Receives more of the response, of which a backend may keep a small rest until what is here is acknowledged.</summary>
    private ValueTask<int> ReceiveInputAsync()
    {
        var receiving = _exchange.Upstream.ReceiveAsync();
        if (!receiving.IsCompleted && !IsTunnelOpen)
        {
            _exchange.Upstream.AcknowledgeNow();
        }

        return receiving;
    }

    /// <summary>See <see cref="Http1.ConnectionWatch"/>: the silence of a backend that streams has a limit of its own.</summary>
    private bool IsSilentTooLong(long nowMs)
    {
        bool isSilent = _awaitsInput && !_exchange.IsAborted;
        if (isSilent)
        {
            _connection.KeepAlive();
            _deadline.PutOff(_context.DueIn(_exchange.TimeoutMs));
        }

        return _silence.IsOver(isSilent, _exchange.StreamNumber, _sender.BodyBytes, nowMs, _exchange.StreamTimeoutMs);
    }

    /// <summary>One task for all requests that it ever serves, with every wait in it: so that none of them allocates.</summary>
    private async Task ServeAsync()
    {
        while (true)
        {
            await _begun.WaitAsync().ConfigureAwait(false);
            bool complete = false;
            try
            {
                while (_exchange.IsPending)
                {
                    _exchange.Advance(await _exchange.NextAsync(this).ConfigureAwait(false), this);
                }

                var outcome = Respond();
                while (outcome < WriteOutcome.Done)
                {
                    outcome =
                        outcome == WriteOutcome.Input
                            ? AfterInput(await ReceiveInputAsync().ConfigureAwait(false))
                            : AfterTurn(await _sender.WaitAsync().ConfigureAwait(false));
                }

                complete = outcome == WriteOutcome.Done;
            }
            catch (Exception e)
            {
                OnFault(e);
            }

            if (!complete && !_isTunnel)
            {
                ForwardingLog.Unfinished(_context, _connection.Identity, _exchange);
            }

            if (!_upload.IsComplete)
            {
                _exchange.CutUpstream();
            }

            try
            {
                await _upload.CloseAsync().ConfigureAwait(false);
            }
            catch (Exception e)
            {
                OnFault(e);
            }

            Finish(complete);
        }
    }

    /// <summary>What has been written of its frames is not known, and they share the compression state: the connection ends.</summary>
    private void OnFault(Exception fault)
    {
        ForwardingLog.Unexpected(_context.Log, fault, _connection.Identity.Text);
        _exchange.Abort(ProxyError.ClientGone);
        _connection.OnCallbackFault();
    }

    private void Run()
    {
        _isBegun = true;
        _begun.Set(true);
    }

    /// <summary>Gives everything back, and itself to the next request.</summary>
    private void Finish(bool complete)
    {
        try
        {
            _exchange.End(reusable: complete && _upload.IsComplete, _upload.BodyBytes, _sender.BodyBytes);
            _exchange.Reset();
            _deadline.Restart(DeadlineKind.None, 0);
            ReturnHead();
        }
        catch (Exception e)
        {
            OnFault(e);
        }

        _begun.Reset();
        _connection.OnFinished(this);
    }

    private WriteOutcome Respond()
    {
        _responding = true;
        return Settle(_exchange.State == ExchangeState.Relaying ? BeginResponse() : BeginError());
    }

    private WriteOutcome AfterTurn(WriteOutcome outcome)
    {
        OnProgress();
        if (outcome == WriteOutcome.Head)
        {
            lock (_connection.Gate)
            {
                outcome = BeginBody();
            }

            AfterHead();
        }

        return Settle(outcome);
    }

    /// <summary>A tunnel is done when both sides have ended; within it no deadline runs. Of broken framing the log hears.</summary>
    private WriteOutcome Settle(WriteOutcome outcome)
    {
        if (outcome == WriteOutcome.Input)
        {
            _sender.PrepareInput();
            _awaitsInput = true;
        }
        else if (outcome == WriteOutcome.Broken)
        {
            ForwardingLog.BodyCut(_context, _connection.Identity, _exchange, PumpOutcome.SourceBroken);
        }
        else if (outcome == WriteOutcome.Done && IsTunnelOpen)
        {
            lock (_connection.Gate)
            {
                return _upload.IsOver ? outcome : _sender.AwaitTunnelEnd();
            }
        }

        return outcome;
    }

    /// <inheritdoc/>
    void IExchangeClient.OnHeld() => _deadline.Set(DeadlineKind.None, 0);

    /// <inheritdoc/>
    void IExchangeClient.OnAdmission()
    {
        var head = _head.AsSpan(0, _headLength);
        ExchangeState state;
        lock (_connection.Gate)
        {
            // Within the gate, so that no DATA moves what has gathered while it is copied behind the head.
            state = _exchange.AfterWait(head, _upload.Gathered, _connection.Identity);
            SkipSent(state);
        }

        if (state is ExchangeState.Sending or ExchangeState.Connecting)
        {
            ReturnHead();
        }

        _deadline.Set(state == ExchangeState.Waiting ? DeadlineKind.None : DeadlineKind.Response, _context.DueIn(_exchange.TimeoutMs));
    }

    private void AfterDispatch(ExchangeState state, ReadOnlySpan<byte> head)
    {
        if (state == ExchangeState.Waiting)
        {
            if (_headLength == 0)
            {
                KeepHead(head, TransportLimits.WaitBufferBytes);
            }

            return;
        }

        lock (_connection.Gate)
        {
            SkipSent(state);
        }

        ReturnHead();
        _deadline.Set(DeadlineKind.Response, _context.DueIn(_exchange.TimeoutMs));
    }

    private void SkipSent(ExchangeState state)
    {
        // Once: a head that is sent again takes the same bytes along.
        if (!_skipped && state is ExchangeState.Sending or ExchangeState.Connecting)
        {
            _skipped = true;
            _upload.Skip(_exchange.BodySentWithHead);
        }
    }

    /// <inheritdoc/>
    void IExchangeClient.OnHeadSent(int sent)
    {
        if (sent >= 0 && !_isTunnel)
        {
            OpenUpload();
        }
    }

    /// <inheritdoc/>
    void IExchangeClient.OnReceived(int received)
    {
        if (received > 0 && !_isTunnel)
        {
            OpenUpload();
        }
    }

    /// <summary>Sends the request body on, once the backend is known to take this request.</summary>
    private void OpenUpload()
    {
        var framing = _exchange.Request.Framing;
        if (_upload.IsOpen || framing.Kind == BodyKind.None || !_exchange.TryTakeBody())
        {
            return;
        }

        lock (_connection.Gate)
        {
            _upload.Open(_exchange.Upstream, framing.Kind == BodyKind.Chunked, tunnel: false);
        }

        _upload.Pump();
    }

    private void OnProgress()
    {
        if (_deadline.Kind is DeadlineKind.Response or DeadlineKind.Progress)
        {
            _deadline.Set(_responding ? DeadlineKind.Progress : DeadlineKind.Response, _context.DueIn(_exchange.TimeoutMs));
        }
    }

    /// <summary>Keeps the head; one longer than so many bytes in an array of its size.</summary>
    private void KeepHead(ReadOnlySpan<byte> head, int pooledBytesMax)
    {
        _head = head.Length <= pooledBytesMax ? Transport.BufferPool.Rent(head.Length) : GC.AllocateUninitializedArray<byte>(head.Length);
        head.CopyTo(_head);
        _headLength = head.Length;
    }

    private void ReturnHead()
    {
        Transport.BufferPool.Return(_head);
        _head = [];
        _headLength = 0;
    }
}
