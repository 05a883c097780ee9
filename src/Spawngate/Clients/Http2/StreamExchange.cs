using System.Runtime.InteropServices;
using Spawngate.Backends;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;

namespace Spawngate.Clients.Http2;

/// <summary>
/// One stream of a connection while its request is served: drives an <see cref="Exchange"/>, and puts its answer into frames. Used again for later streams of the
/// same connection.
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
/// One task runs through these. What comes from other threads (DATA, resets and windows from the reader, its turn from whoever sends, the tick) changes its
/// state within the connection's gate, and makes what it waits for return.
/// </remarks>
internal sealed class StreamExchange
{
    private readonly Http2Connection _connection;
    private readonly ForwardingContext _context;
    private readonly Exchange _exchange;
    private readonly StreamUpload _upload;
    private readonly Signal _begun = new();
    private readonly Signal _turn = new();
    private DeadlineWord _deadline;
    private StreamBody _body;
    private ExchangeStep _step;
    private byte[] _head = [];
    private int _headLength;
    private ProxyError _refusal;
    private string? _detail;
    private bool _waitsForTurn;
    private bool _queued;
    private bool _gone;
    private bool _isTunnel;
    private bool _awaitsTunnelEnd;
    private bool _skipped;
    private volatile bool _responding;
    private volatile bool _awaitsContinue;
    private WriteOutcome _turnOutcome;

    /// <summary>Makes one that waits for <see cref="Begin"/>.</summary>
    public StreamExchange(Http2Connection connection, ForwardingContext context)
    {
        _connection = connection;
        _context = context;
        _exchange = new Exchange(context) { ReceivedBy = ReceivedProtocol.Http2 };
        _upload = new StreamUpload(connection, this);
        _ = ServeAsync();
    }

    /// <summary>How far writing got.</summary>
    internal enum WriteOutcome : byte
    {
        /// <summary>It has to wait for a window, or for room.</summary>
        Wait,

        /// <summary>The backend has to send more.</summary>
        Input,

        /// <summary>All has been written.</summary>
        Done,

        /// <summary>The backend's framing is broken.</summary>
        Broken,

        /// <summary>The stream is closed: the client reset it, or left.</summary>
        Gone,
    }

    /// <summary>The request's head, filled in by the session.</summary>
    public RequestHead Request => _exchange.Request;

    /// <summary>The slot of the stream.</summary>
    public int Slot { get; private set; }

    /// <summary>How urgent its response is, 0 to 7 (RFC 9218).</summary>
    public int Urgency { get; set; }

    /// <summary>The next one in the same queue of the scheduler.</summary>
    public StreamExchange? NextWaiting { get; set; }

    /// <summary>The next one that is to be told that its turn has come.</summary>
    public StreamExchange? NextWoken { get; set; }

    /// <summary>True while the connection's reader collects what of the body came along with the head.</summary>
    public bool IsDeferred { get; private set; }

    /// <summary>The request body.</summary>
    public StreamUpload Upload => _upload;

    /// <summary>Takes up a request; within the gate. Follow with <see cref="Begin"/> or <see cref="Defer"/>.</summary>
    public void Assign(int slot, bool ended, bool isTunnel, int urgency)
    {
        Slot = slot;
        Urgency = urgency;
        _isTunnel = isTunnel;
        _gone = _waitsForTurn = _queued = _responding = _awaitsTunnelEnd = _skipped = false;
        _exchange.Revive();
        _refusal = ProxyError.None;
        _detail = null;
        _headLength = 0;
        _awaitsContinue = !ended && Request.Fields.Has(KnownHeader.Expect);
        _upload.Reset(ended || (!isTunnel && Request.Framing.Kind == BodyKind.None)); // The head of a tunnel has no body; what follows are its bytes.
    }

    /// <summary>Keeps the head until the first of the body is there.</summary>
    public void Defer(ReadOnlySpan<byte> head)
    {
        KeepHead(head);
        IsDeferred = true;
    }

    /// <summary>Begins, with what has been kept.</summary>
    public void BeginDeferred()
    {
        IsDeferred = false;
        if (_gone)
        {
            _step = ExchangeStep.Failed;
            _refusal = ProxyError.ClientGone;
            _begun.Set();
            return;
        }

        Begin(_head.AsSpan(0, _headLength));
    }

    /// <summary>Routes the request and, if the backend is ready, sends it; on the reader's thread.</summary>
    public void Begin(ReadOnlySpan<byte> head)
    {
        var step = _exchange.Start(head, _upload.Gathered, _connection.Identity);
        AfterDispatch(step, head);
        _step = step;
        _begun.Set();
    }

    /// <summary>Answers a head that the session refused.</summary>
    public void Refuse(ProxyError error, string detail)
    {
        _refusal = error;
        _detail = detail;
        _step = ExchangeStep.Failed;
        _begun.Set();
    }

    /// <summary>The stream was reset, or the connection ends: ends what is under way at the backend; within the gate.</summary>
    public void OnGone()
    {
        _gone = true;
        _exchange.Abort(ProxyError.ClientGone);
        Wake(WriteOutcome.Gone);
    }

    /// <summary>Its window, or the connection's, has opened; within the gate.</summary>
    public void OnWindowOpened()
    {
        if (_waitsForTurn && !_queued)
        {
            Enqueue();
        }
    }

    /// <summary>Its turn to write; within the gate, called by whoever makes room.</summary>
    public void TakeTurn()
    {
        _queued = false;
        if (!_waitsForTurn)
        {
            return;
        }

        var outcome = Write(framesMax: 1);
        if (outcome == WriteOutcome.Wait)
        {
            return;
        }

        Wake(outcome);
    }

    /// <summary>Lets its task go on after <see cref="Wake"/>; outside of the gate.</summary>
    public void Resume() => _turn.Set();

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
        _connection.FlushSoon();
    }

    /// <summary>Looks at its deadline; on the tick, within the gate, so that it is still that of the request it was set for.</summary>
    /// <param name="nowMs">Coarse time.</param>
    /// <param name="clientTakes">True when the client's kernel has taken bytes of a send that is under way.</param>
    public void OnTick(long nowMs, bool clientTakes)
    {
        if (clientTakes)
        {
            _deadline.PutOff(_context.DueIn(_exchange.TimeoutMs));
        }

        if (!_deadline.TryFire(nowMs, out var kind))
        {
            return;
        }

        if (kind == DeadlineKind.Response && !_responding)
        {
            _exchange.Abort(_upload.AwaitsClient && !_awaitsContinue ? ProxyError.ClientTimeout : ProxyError.RequestTimeout);
            return;
        }

        _connection.Session.Reset(Slot, ErrorCode.Cancel);
        OnGone();
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            await _begun.WaitAsync().ConfigureAwait(false);
            bool complete = false;
            try
            {
                complete = await ServeOneAsync().ConfigureAwait(false);
            }
            catch (Exception e)
            {
                ForwardingLog.Unexpected(_context.Log, e, _connection.Identity.Text);
                _exchange.Abort(ProxyError.ClientGone);
            }

            if (!_upload.IsComplete)
            {
                _exchange.CutUpstream();
            }

            await _upload.CloseAsync().ConfigureAwait(false);
            _exchange.End(reusable: complete && _upload.IsComplete);
            _exchange.Reset();
            _deadline.Set(DeadlineKind.None, 0);
            _body = default;
            ReturnHead();
            _begun.Reset();
            _connection.OnFinished(this);
        }
    }

    /// <summary>Serves one request. True when its response was written whole.</summary>
    private async ValueTask<bool> ServeOneAsync()
    {
        var step = _step;
        while (step < ExchangeStep.Respond)
        {
            step = step switch
            {
                ExchangeStep.Receive => AfterReceive(await _exchange.ReceiveAsync().ConfigureAwait(false)),
                ExchangeStep.Send => AfterSend(await _exchange.SendAsync().ConfigureAwait(false)),
                ExchangeStep.Connect => _exchange.AfterConnect(await _exchange.ConnectAsync().ConfigureAwait(false)),
                ExchangeStep.Wait => AfterWait(await _exchange.WaitAsync().ConfigureAwait(false)),
                _ => RelayInterim(),
            };
        }

        _responding = true;
        var outcome = step == ExchangeStep.Respond ? BeginResponse() : BeginError();
        while (true)
        {
            switch (outcome)
            {
                case WriteOutcome.Input:
                    outcome = await ReadMoreAsync().ConfigureAwait(false);
                    break;
                case WriteOutcome.Wait:
                    await _turn.WaitAsync().ConfigureAwait(false);
                    outcome = _turnOutcome;
                    OnProgress();
                    break;
                case WriteOutcome.Done:
                    return await EndTunnelAsync().ConfigureAwait(false);
                case WriteOutcome.Broken:
                    ForwardingLog.BodyCut(_context.Log, _connection.Identity, _exchange, PumpOutcome.SourceBroken);
                    return false;
                default:
                    return false;
            }
        }
    }

    private ExchangeStep AfterWait(Admission admission)
    {
        var head = _head.AsSpan(0, _headLength);
        ExchangeStep step;
        lock (_connection.Gate)
        {
            // Within the gate, so that no DATA moves what has gathered while it is copied behind the head.
            step = _exchange.AfterWait(admission, head, _upload.Gathered, _connection.Identity);
            SkipSent(step);
        }

        _deadline.Set(step == ExchangeStep.Wait ? DeadlineKind.None : DeadlineKind.Response, _context.DueIn(_exchange.TimeoutMs));
        return step;
    }

    private void AfterDispatch(ExchangeStep step, ReadOnlySpan<byte> head)
    {
        if (step == ExchangeStep.Wait)
        {
            if (_headLength == 0)
            {
                KeepHead(head);
            }

            return;
        }

        lock (_connection.Gate)
        {
            SkipSent(step);
        }

        _deadline.Set(DeadlineKind.Response, _context.DueIn(_exchange.TimeoutMs));
    }

    private void SkipSent(ExchangeStep step)
    {
        // Once: a head that is sent again takes the same bytes along.
        if (!_skipped && step is ExchangeStep.Send or ExchangeStep.Connect)
        {
            _skipped = true;
            _upload.Skip(_exchange.BodySentWithHead);
        }
    }

    private ExchangeStep AfterSend(int sent)
    {
        var step = _exchange.AfterSend();
        if (sent >= 0 && !_isTunnel)
        {
            OpenUpload();
        }

        return step;
    }

    private ExchangeStep AfterReceive(int received)
    {
        var step = _exchange.AfterReceive(received);
        if (received > 0 && !_isTunnel)
        {
            OpenUpload();
        }

        return step;
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

    private ExchangeStep RelayInterim()
    {
        _awaitsContinue &= _exchange.Response.Status != 100;
        lock (_connection.Gate)
        {
            if (_connection.MayWrite(this))
            {
                ResponseFrames.WriteHead(_connection.Session, Slot, _connection.Output, _exchange, default, endStream: false);
            }
        }

        _connection.FlushSoon();
        return _exchange.AfterInterim();
    }

    private WriteOutcome BeginResponse()
    {
        var response = _exchange.Response;
        bool opensTunnel = _isTunnel && response.Status == 101;
        if (_isTunnel && !opensTunnel && response.Status is >= 200 and < 300)
        {
            // To the client any 2xx would mean that the tunnel stands (RFC 8441 section 5).
            return BeginError(ProxyError.BadBackendResponse);
        }

        _deadline.Set(opensTunnel ? DeadlineKind.None : DeadlineKind.Progress, _context.DueIn(_exchange.TimeoutMs));
        var framing = opensTunnel ? new BodyFraming(BodyKind.UntilClose, 0) : response.Framing;
        WriteOutcome outcome;
        lock (_connection.Gate)
        {
            if (!_connection.MayWrite(this))
            {
                return WriteOutcome.Gone;
            }

            bool empty = framing.Kind == BodyKind.None || framing is { Kind: BodyKind.Length, Length: 0 };
            ResponseFrames.WriteHead(_connection.Session, Slot, _connection.Output, _exchange, _context.Date, endStream: empty);
            _exchange.Upstream.Consume(response.Length);
            _body = StreamBody.Of(_exchange.Upstream, framing);
            if (opensTunnel)
            {
                _upload.Open(_exchange.Upstream, chunked: false, tunnel: true);
            }

            outcome = empty ? WriteOutcome.Done : Advance();
        }

        if (opensTunnel)
        {
            _exchange.TryTakeBody();
            _upload.Pump();
        }

        _connection.FlushSoon();
        return outcome;
    }

    private WriteOutcome BeginError()
    {
        var error = _refusal != ProxyError.None ? _refusal : _exchange.Error;
        return error == ProxyError.ClientGone ? WriteOutcome.Gone : BeginError(error);
    }

    private WriteOutcome BeginError(ProxyError error)
    {
        ForwardingLog.Error(_context.Log, _connection.Identity, _exchange, error);
        byte[] body = ProxyErrors.Body(error, _detail);
        bool empty = Request.Method == MethodKind.Head;
        _deadline.Restart(DeadlineKind.Progress, _context.DueIn(Limits.LingerMs));
        WriteOutcome outcome;
        lock (_connection.Gate)
        {
            if (!_connection.MayWrite(this))
            {
                return WriteOutcome.Gone;
            }

            ResponseFrames.WriteErrorHead(_connection.Session, Slot, _connection.Output, _exchange, error, body.Length, _context.Date, empty);
            _body = StreamBody.Of(body);
            outcome = empty ? WriteOutcome.Done : Advance();
        }

        _connection.FlushSoon();
        return outcome;
    }

    private async ValueTask<WriteOutcome> ReadMoreAsync()
    {
        _body.PrepareInput();
        int received = await _exchange.ReceiveAsync().ConfigureAwait(false);
        if (received <= 0 && (received < 0 || !_body.EndSource()))
        {
            ForwardingLog.BodyCut(_context.Log, _connection.Identity, _exchange, PumpOutcome.SourceCut);
            return WriteOutcome.Gone;
        }

        OnProgress();
        WriteOutcome outcome;
        lock (_connection.Gate)
        {
            outcome = _gone ? WriteOutcome.Gone : Advance();
        }

        _connection.FlushSoon();
        return outcome;
    }

    /// <summary>Writes what there is, or stands in line when others wait; within the gate.</summary>
    private WriteOutcome Advance()
    {
        if (_connection.Scheduler.HasWaiting(Urgency))
        {
            _turn.Reset();
            _waitsForTurn = true;
            Enqueue();
            return WriteOutcome.Wait;
        }

        var outcome = Write(int.MaxValue);
        if (outcome == WriteOutcome.Wait && !_waitsForTurn)
        {
            _turn.Reset();
            _waitsForTurn = true;
        }

        return outcome;
    }

    /// <summary>Puts data into frames while windows and room allow; within the gate. With <see cref="WriteOutcome.Wait"/> it stands in line, unless it is a window that it waits for.</summary>
    private WriteOutcome Write(int framesMax)
    {
        var session = _connection.Session;
        var output = _connection.Output;
        _connection.WriteControl();
        for (int frames = 0; ; frames++)
        {
            if (_gone || !session.MaySend(Slot))
            {
                return WriteOutcome.Gone;
            }

            int room = output.Room - Http2Session.DataHeaderSize;
            if (room <= 0 || frames == framesMax)
            {
                Enqueue();
                return WriteOutcome.Wait;
            }

            int quota = Math.Min(session.SendQuota(Slot), room);
            var target = output.Reserve(Http2Session.DataHeaderSize + quota);
            int length = _body.Take(target.Slice(Http2Session.DataHeaderSize, quota), out var stop);
            bool trailers = stop == BodyStop.End && _body.Trailers is { Count: > 0 };
            if (length > 0 || (stop == BodyStop.End && !trailers))
            {
                output.Commit(session.WriteDataHeader(target, Slot, length, stop == BodyStop.End && !trailers) + length);
            }

            switch (stop)
            {
                case BodyStop.End:
                    if (trailers)
                    {
                        ResponseFrames.WriteTrailers(session, Slot, output, CollectionsMarshal.AsSpan(_body.Trailers));
                    }

                    return WriteOutcome.Done;
                case BodyStop.Input:
                    return WriteOutcome.Input;
                case BodyStop.Broken:
                    return WriteOutcome.Broken;
                case BodyStop.Full when session.SendQuota(Slot) == 0:
                    return WriteOutcome.Wait; // The window's opening puts it in line.
            }
        }
    }

    /// <summary>A tunnel ends when both sides have ended; within it no deadline runs. True when the response was complete.</summary>
    private async ValueTask<bool> EndTunnelAsync()
    {
        if (!_isTunnel || _exchange.Response.Status != 101 || _upload.IsOver)
        {
            return true;
        }

        lock (_connection.Gate)
        {
            if (_gone || _upload.IsOver)
            {
                return true;
            }

            _turn.Reset();
            _awaitsTunnelEnd = true;
        }

        await _turn.WaitAsync().ConfigureAwait(false);
        return true;
    }

    /// <summary>A tunnel's upload has ended; within the gate.</summary>
    public void OnTunnelUploadEnded()
    {
        if (_awaitsTunnelEnd)
        {
            Wake(WriteOutcome.Done);
        }
    }

    private void Enqueue()
    {
        if (!_queued)
        {
            _queued = true;
            _connection.Scheduler.Add(this);
        }
    }

    /// <summary>Its task goes on when the gate has been left, see <see cref="Http2Connection.ResumeWoken"/>.</summary>
    private void Wake(WriteOutcome outcome)
    {
        if (_waitsForTurn || _awaitsTunnelEnd)
        {
            _waitsForTurn = _awaitsTunnelEnd = false;
            _turnOutcome = outcome;
            _connection.Wake(this);
        }
    }

    private void OnProgress()
    {
        if (_deadline.Kind is DeadlineKind.Response or DeadlineKind.Progress)
        {
            _deadline.Set(_responding ? DeadlineKind.Progress : DeadlineKind.Response, _context.DueIn(_exchange.TimeoutMs));
        }
    }

    private void KeepHead(ReadOnlySpan<byte> head)
    {
        _head = Transport.BufferPool.Rent(head.Length);
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
