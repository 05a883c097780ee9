using System.Net.Sockets;
using System.Text;
using Spawngate.Backends;
using Spawngate.Overload;
using Spawngate.Platform;
using Spawngate.Protocols.Http1;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;
using Spawngate.Transport;
using Spawngate.Upstreams;

namespace Spawngate.Forwarding;

/// <summary>
/// The upstream half of one request: routing, admission, a connection, the request head out and the response head in. It does not
/// know how the client speaks; the client's connection drives it step by step and relays what it yields.
/// </summary>
/// <remarks>
/// <code>
///  Start ─┬─ ready ─────────────┬─ pooled ──────────────▶ Send ──▶ Receive ─┬─▶ Respond
///         │                     └─ none idle ─▶ Connect ──▲         ▲  │    ├─▶ Interim ─▶ Receive
///         ├─ not ready ─▶ Wait ──┘                │       │         └──┘    └─▶ Failed
///         └─ no backend, loop, may not wake it ─▶ Failed  │ refused: the process may have just died: Wait again, a few times
///                                                 ▼
///              Receive, closed without a byte: once more, on a new connection ─▶ Connect, or by the next process ─▶ Wait
/// </code>
/// A request that got no byte of an answer is sent again only while its body is still the client's, and only if it is idempotent or the
/// kernel knows that not one byte of it arrived. On a connection that was used before, that is a close which crossed the request: it goes
/// out on a new one. A reset on a new connection means that the process ended and left the request unread: the next process gets it, never
/// the same. Every step is synchronous; the awaits stand in the caller, so a request to a ready backend costs no state machine here.
/// <see cref="Abort"/> may come from any thread at any time. The upstream connection then belongs to whoever exchanges it out of its field
/// first: the end of the exchange, or the abort.
/// </remarks>
internal sealed partial class Exchange(ForwardingContext context)
{
    private int _requestIdLength;
    private Backend? _backend;
    private ReadyInstance? _run;
    private BackendWaiter? _waiter;
    private ReconnectPause? _pause;
    private MessageHeads? _heads;
    private UpstreamConnection? _upstream;
    private UpstreamConnection? _abortable;
    private int _abortReason;
    private int _reconnects;
    private int _interimBytes;
    private bool _retried;
    private bool _receivedAny;
    private bool _bodyHeld;
    private bool _bodyTaken;
    private bool _noWake;
    private volatile bool _isTunnel;
    private bool _countedPassive;
    private NavigationKind _navigation;
    private int _awaitedStart;
    private long _sentBefore;
    private ReadyInstance? _endedRun;
    private HistoryCaller? _cause;
    private byte[]? _serialized;
    private UpgradeOffer? _offer;
    private ExchangeClient _client;

    /// <summary>Whose request it is; null before the first.</summary>
    public ClientAddress? Source => _client.Source;

    /// <summary>How requests are received.</summary>
    public ReceivedProtocol ReceivedBy { get; init; }

    /// <summary>The request's head; its bytes are the client's until <see cref="ExchangeStep.Send"/>.</summary>
    public RequestHead Request => Heads.Request;

    /// <summary>The response's head; its bytes lie at the front of the upstream channel.</summary>
    public ResponseHead Response => Heads.Response;

    /// <summary>What is noted of it.</summary>
    public ExchangeRecord Record => Heads.Record;

    /// <summary>What Server-Timing says of it; empty when nobody wants to know.</summary>
    public ReadOnlySpan<byte> ServerTiming => Forwarding.ServerTiming.Of(this, context);

    /// <summary>Why it failed.</summary>
    public ProxyError Error { get; private set; }

    /// <summary>The same for the log, where the error does not tell enough.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>Its backend, until <see cref="End"/>; null when no backend serves the host.</summary>
    public Backend? Backend => _backend;

    /// <summary>What to answer in the place of the JSON error; null for that.</summary>
    public OwnReply? Reply { get; private set; }

    /// <summary>Seconds for Retry-After; 0 for none.</summary>
    public int RetryAfterSecs { get; private set; }

    /// <summary>The id sent to the backend.</summary>
    public ReadOnlySpan<byte> RequestId => Heads.RequestId.AsSpan(0, _requestIdLength);

    /// <summary>Bytes of the request body that went out together with the head.</summary>
    public int BodySentWithHead { get; private set; }

    /// <summary>True when this request was passed on as an upgrade.</summary>
    public bool IsUpgrade => _offer is not null;

    /// <summary>The upstream's bytes; only between Connect or Send and <see cref="End"/>.</summary>
    public SocketChannel Upstream => _upstream!.Channel;

    /// <summary>The same while it can be aborted, else null; from any thread, to look at.</summary>
    public SocketChannel? WatchedUpstream => Volatile.Read(ref _abortable)?.Channel;

    /// <summary>Milliseconds of request_timeout_secs of its backend, or what holds without one.</summary>
    public long TimeoutMs { get; private set; } = ForwardingLimits.SendStallMs;

    /// <summary>True once <see cref="Abort"/> was called.</summary>
    public bool IsAborted => Volatile.Read(ref _abortReason) != 0;

    /// <summary>Forgets an abort of the request before; when nobody can abort any more who means that one.</summary>
    public void Revive() => Volatile.Write(ref _abortReason, 0);

    /// <summary>Forgets the last request, so that nothing of it shows up in the answer to the next.</summary>
    public void Reset()
    {
        Request.Reset();
        Heads.Record.Reset();
        Error = ProxyError.None;
        Reply = null;
        RetryAfterSecs = 0;
        TimeoutMs = ForwardingLimits.SendStallMs;
        _requestIdLength = 0;
    }

    /// <summary>Gives the heads back until the next request; when nothing of one is there.</summary>
    public void ReleaseHeads()
    {
        if (_heads is { } heads)
        {
            Volatile.Write(ref _heads, null);
            MessageHeads.Return(heads);
        }
    }

    /// <summary>Routes the request and, if the backend is ready, writes its head to a connection.</summary>
    /// <param name="head">The bytes of the head.</param>
    /// <param name="body">Bytes of the body that are there already.</param>
    /// <param name="client">The peer.</param>
    public ExchangeStep Start(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body, ClientIdentity client)
    {
        Error = ProxyError.None;
        Reply = null;
        _navigation = NavigationKind.None;
        RetryAfterSecs = 0;
        BodySentWithHead = 0;
        _reconnects = _interimBytes = 0;
        _retried = _receivedAny = _bodyHeld = _bodyTaken = _isTunnel = false;
        _endedRun = null;
        _cause = null;
        _serialized = null;
        _requestIdLength = ProxyHeaders.TakeRequestId(Request, head, context, Heads.RequestId);
        context.Observer?.OnBegin(this, head, client);
        if (_client.Enter(context, Request, head, client) is not ProxyError.None and var refusal)
        {
            RetryAfterSecs = ForwardingLimits.RefusalRetrySecs;
            return Fail(refusal);
        }

        bool hasEnded = false;
        _backend = Request.HostLength > 0 ? context.Backends.Find(Request.Host(head), out hasEnded) : context.Backends.Anything;
        if (_backend is null)
        {
            return Fail(
                hasEnded ? ProxyError.SessionEnded
                : Request.HostLength == 0 ? ProxyError.MissingHostHeader
                : ProxyError.UnknownHost
            );
        }

        if (ProxyHeaders.IsLoop(Request, head, context.Pseudonym, _backend.ViaMark))
        {
            return Fail(ProxyError.LoopDetected);
        }

        if (ProxyHeaders.IsLastHop(Request, head))
        {
            return Fail(ProxyError.NotImplemented);
        }

        TimeoutMs = _backend.Config.RequestTimeoutSecs * 1000L;
        Record.BegunTimestamp = context.Time.GetTimestamp();
        _noWake = _backend.Config.NoWake is { } noWake && noWake.Cover(Request, head);
        Record.Begin(_backend, Request, head, client, ReceivedBy, _noWake, context.Clock.NowMs);
        _offer = UpgradeOffer.Of(Request, head, ReceivedBy);
        if (_noWake)
        {
            return AfterWait(_backend.EnterPassive(out _countedPassive), head, body, client);
        }

        _navigation = _backend.Config.WaitingPage
            ? NavigationClassifier.Of(Request, head, _backend.Word.Phase == BackendPhase.Ready, out _awaitedStart)
            : NavigationKind.None;
        if (_navigation == NavigationKind.Poll && _backend.Word.Phase == BackendPhase.Ready)
        {
            return Give(WaitingPage.Ready);
        }

        if (_navigation != NavigationKind.Poll && _backend.TryEnter(out _run))
        {
            return Dispatch(head, body, client);
        }

        _cause = ExchangeRecord.CallerOf(Request, head, client);
        return ExchangeStep.Wait;
    }

    /// <summary>Takes note of a request that its client took back before it began; <see cref="End"/> follows.</summary>
    public void NoteCancelled(ReadOnlySpan<byte> head, ClientIdentity client)
    {
        if (context.Observer is { } observer)
        {
            _requestIdLength = ProxyHeaders.TakeRequestId(Request, head, context, Heads.RequestId);
            observer.OnBegin(this, head, client);
            _backend = context.Backends.Find(Request.Host(head), out _);
        }
    }

    /// <summary>Waits until the backend is ready or has failed.</summary>
    public async Task<Admission> WaitAsync()
    {
        if (_reconnects > 0)
        {
            var pause = new ReconnectPause();
            Volatile.Write(ref _pause, pause);
            Interlocked.MemoryBarrier();
            await pause
                .PassAsync(IsAborted ? TimeSpan.Zero : ForwardingLimits.ReconnectPause(_reconnects), context.Time)
                .ConfigureAwait(false);
        }

        if (_noWake && _backend!.EnterPassive(out _countedPassive) is { Outcome: not AdmissionOutcome.NoRoom } decided)
        {
            return decided;
        }

        if (_navigation == NavigationKind.Poll && _backend!.FailureSince(_awaitedStart) is { } failed)
        {
            return failed;
        }

        var waiter = _backend!.Enqueue(
            new WakeCause(WakeKind.Request, null, _cause),
            yields: _navigation != NavigationKind.None,
            passive: _noWake
        );
        Volatile.Write(ref _waiter, waiter);
        Interlocked.MemoryBarrier();
        if (IsAborted)
        {
            _backend.Cancel(waiter);
        }

        var admission = await (
            _navigation == NavigationKind.None ? waiter.Decision : WaitingPage.HoldAsync(this, _backend, waiter, _navigation, context.Time)
        ).ConfigureAwait(false);
        Volatile.Write(ref _waiter, null);
        _countedPassive = waiter.CountedPassive;
        Record.Hold(waiter.EnqueuedTimestamp, context.Time.GetTimestamp(), admission.Instance?.Steps ?? default);
        return admission;
    }

    /// <summary>Goes on after <see cref="WaitAsync"/>.</summary>
    public ExchangeStep AfterWait(Admission admission, ReadOnlySpan<byte> head, ReadOnlySpan<byte> body, ClientIdentity client)
    {
        RetryAfterSecs = admission.RetryAfterSecs;
        _run = admission.Instance;
        if (_navigation != NavigationKind.None && WaitingPage.Answer(context, _backend!, _navigation, admission) is { } reply)
        {
            return Give(reply);
        }

        return admission.Outcome switch
        {
            AdmissionOutcome.Admitted when ReferenceEquals(_run, _endedRun) => AwaitNextRun(),
            AdmissionOutcome.Admitted => Dispatch(head, body, client),
            AdmissionOutcome.NoRoom => ExchangeStep.Wait,
            AdmissionOutcome.ShuttingDown when _backend!.EphemeralLifetime is not null => Fail(ProxyError.SessionEnded),
            _ => Fail(ProxyErrors.Of(admission.Outcome)),
        };
    }

    /// <summary>Connects the new connection.</summary>
    public ValueTask<int> ConnectAsync() => Upstream.ConnectAsync(_upstream!.Pool.Endpoint);

    /// <summary>Goes on after <see cref="ConnectAsync"/>.</summary>
    public ExchangeStep AfterConnect(int result)
    {
        Record.ConnectTicks = context.Time.GetTimestamp() - Record.ConnectTimestamp;
        if (result >= 0 && _upstream!.Pool.IsTrusted && !Upstream.IsSelfConnected)
        {
            return ExchangeStep.Send;
        }

        if (result < 0 && Upstream.SendError == SocketError.AddressNotAvailable && _upstream!.Pool.TakesPorts && !IsAborted)
        {
            _serialized = Upstream.Outgoing.ToArray();
            return AwaitNextRun(SocketShortage.Ports);
        }

        bool refused = result >= 0 || Upstream.SendError is SocketError.ConnectionRefused or SocketError.ConnectionReset;
        if (!refused || IsAborted)
        {
            return Fail(ProxyError.ConnectionFailed, $"no connection to the backend ({Upstream.SendError})");
        }

        // Refused by a backend that was ready: most likely it has just died and its exit is being noticed. Leave and ask again:
        // then this request waits for the new start like every other. Whoever listens there next may be somebody else.
        _upstream!.Pool.Mistrust(refused: result < 0 || Upstream.IsSelfConnected);
        _serialized = Upstream.Outgoing.ToArray();
        return AwaitNextRun();
    }

    /// <summary>Sends the head and what went with it.</summary>
    public ValueTask<int> SendAsync() => Upstream.FlushAsync();

    /// <summary>
    /// Goes on after <see cref="SendAsync"/>. A failed send is not the end: the backend may have answered early and closed.
    /// </summary>
    public ExchangeStep AfterSend()
    {
        // A close that crossed the head on a reused connection shows now: the backend's kernel answers at once. As long as the body is not
        // touched, the request can still be sent elsewhere.
        Record.SentTimestamp = context.Time.GetTimestamp();
        _bodyHeld = BodyFollows && _upstream!.IsReused && Upstream.HasSomethingToRead();
        return ExchangeStep.Receive;
    }

    /// <summary>True when the body may be taken from the client and sent on; from then on the request cannot be repeated.</summary>
    public bool TryTakeBody()
    {
        if (_bodyHeld)
        {
            return false;
        }

        _bodyTaken = true;
        Upstream.ReleaseOutgoing();
        return true;
    }

    /// <summary>Receives more of the response.</summary>
    public ValueTask<int> ReceiveAsync() => Upstream.ReceiveAsync();

    /// <summary>Goes on after <see cref="ReceiveAsync"/>.</summary>
    /// <param name="result">Its result.</param>
    public ExchangeStep AfterReceive(int result)
    {
        if (result > 0)
        {
            _receivedAny = true;
            _bodyHeld = false;
            return ParseResponse();
        }

        if (IsAborted || _receivedAny)
        {
            return Fail(
                _receivedAny ? ProxyError.BadBackendResponse : ProxyError.ConnectionFailed,
                FailureReasons.OfHalfResponse(Upstream)
            );
        }

        // RFC 9110 section 9.2.2: a request that is not idempotent is not repeated unless it is known that it was never applied.
        if (_bodyTaken || !(Request.IsIdempotent || IsUndelivered()))
        {
            return FailUnanswered();
        }

        if (_upstream!.IsReused && !_retried)
        {
            return RetryOnNewConnection();
        }

        // A forwarder ends its connections like a server that has had enough of them, also when what is behind it has died.
        if (!(Upstream.WasReset || _upstream.Pool.IsForwarded) || _endedRun is not null)
        {
            return FailUnanswered();
        }

        _endedRun = _run;
        _serialized = Upstream.Outgoing.ToArray();
        return AwaitNextRun();
    }

    /// <summary>
    /// Writes the response head that was read, interim or final, behind what waits to be sent to an HTTP/1 client; see
    /// <see cref="ProxyHeaders.WriteResponse"/>.
    /// </summary>
    public void WriteResponseHead(SocketChannel client, bool chunked, ReadOnlySpan<byte> connection, ReadOnlySpan<byte> requestId)
    {
        Record.Status = Response.Status;
        var target = client.GetOutgoing(ProxyHeaders.ResponseBytesNeeded(Response));
        client.CommitOutgoing(
            ProxyHeaders.WriteResponse(
                target,
                Response,
                Upstream.Received[..Response.Length],
                chunked,
                connection,
                requestId,
                requestId.IsEmpty ? default : context.Date,
                requestId.IsEmpty ? default : ServerTiming
            )
        );
    }

    /// <summary>The interim response has been relayed.</summary>
    public ExchangeStep AfterInterim()
    {
        Upstream.Consume(Response.Length);
        Response.Reset();
        return Upstream.ReceivedLength > 0 ? ParseResponse() : ExchangeStep.Receive;
    }

    /// <summary>Protocols were switched: from now on it is a tunnel.</summary>
    public void BecomeTunnel()
    {
        _isTunnel = true;
        Record.Stage = ExchangeStage.Tunnel;
        _backend!.Traffic.ChangeTunnels(1);
        _backend.BecomeTunnel(_run!);
    }

    /// <summary>Adds it to what holds a backend, if it does; from any thread.</summary>
    public void AddTo(ActiveRequestSearch search) => Volatile.Read(ref _heads)?.Record.AddTo(search);

    /// <summary>The request's id for a line in the log, from any thread; empty when it is over.</summary>
    public string IdForLog() =>
        Volatile.Read(ref _heads) is { } heads ? Encoding.ASCII.GetString(heads.RequestId.AsSpan(0, _requestIdLength)) : "";

    /// <summary>True while bytes of the request's body are to follow its head.</summary>
    private bool BodyFollows =>
        Request.Framing.Kind == BodyKind.Chunked || (Request.Framing.Kind == BodyKind.Length && BodySentWithHead < Request.Framing.Length);

    private ExchangeStep RetryOnNewConnection()
    {
        _retried = true;
        _bodyHeld = false;
        _backend!.Traffic.CountRetried();
        _backend.Traffic.CountSent();
        var old = _upstream!;
        if (TryCreate(old.Pool) is not { } fresh)
        {
            _serialized = old.Channel.Outgoing.ToArray();
            return AwaitNextRun(SocketShortage.Descriptors);
        }

        fresh.Channel.Write(old.Channel.Outgoing);
        ReleaseUpstream(reusable: false);
        Attach(fresh);
        return ExchangeStep.Connect;
    }

    /// <summary>
    /// Leaves a process that seems to have ended and asks again; in the worst case the gateway has not noticed its end yet, which takes
    /// moments. Or the system had nothing left for another connection: idle ones are closed at the next tick, and others end.
    /// </summary>
    /// <param name="shortage">What there was none of; nothing when the connection was refused.</param>
    private ExchangeStep AwaitNextRun(SocketShortage shortage = SocketShortage.None)
    {
        if (_reconnects == ForwardingLimits.ReconnectsMax)
        {
            if (shortage == SocketShortage.None)
            {
                RetryAfterSecs = 0;
                return Fail(ProxyError.ConnectionFailed, FailureReasons.Refused);
            }

            RetryAfterSecs = context.NoteNoSocket(_backend!.Hostname, shortage);
            return Fail(ProxyError.Overloaded);
        }

        _reconnects++;
        _backend!.Traffic.CountRetried();
        if (_upstream is not null)
        {
            ReleaseUpstream(reusable: false);
        }

        LeaveBackend();
        return ExchangeStep.Wait;
    }

    /// <summary>
    /// True when the backend's kernel has taken no byte of this request. It acknowledges what it takes in, before any process reads it, so
    /// such a request cannot have had an effect. The connection's first acknowledgement is that of its SYN, which counts one.
    /// </summary>
    private bool IsUndelivered() => TcpInfo.TryRead(Upstream.Handle, out var info) && info.BytesAcked <= _sentBefore + 1;

    private ExchangeStep Dispatch(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body, ClientIdentity client)
    {
        Record.Stage = ExchangeStage.Request;
        _backend!.Traffic.CountSent();
        Response.Reset();
        int bodyInHand = _serialized is null ? BodyInHand(body.Length) : BodySentWithHead;
        BodySentWithHead = bodyInHand;
        var upstream = _run!.Pool.TryRent();
        var step = upstream is null ? ExchangeStep.Connect : ExchangeStep.Send;
        upstream ??= TryCreate(_run.Pool);
        if (upstream is null)
        {
            return AwaitNextRun(SocketShortage.Descriptors);
        }

        Attach(upstream);
        var channel = upstream.Channel;
        if (_serialized is not null)
        {
            channel.Write(_serialized);
        }
        else
        {
            int needed = ProxyHeaders.RequestBytesNeeded(Request) + bodyInHand;
            byte[] gateway =
                ReceivedBy == ReceivedProtocol.Http2 ? context.ViaHttp2
                : Request.IsHttp11 ? context.Via
                : context.ViaHttp10;
            var via = ViaMark.Join(stackalloc byte[ForwardingLimits.ViaBytesMax], gateway, _backend.ViaMark);
            channel.CommitOutgoing(
                ProxyHeaders.WriteRequest(channel.GetOutgoing(needed), Request, head, client, RequestId, via, Heads.Note?.Trace)
            );
            channel.Write(body[..bodyInHand]);
            if (ReceivedBy == ReceivedProtocol.Http2 && bodyInHand == 0)
            {
                channel.CompactOutgoing(); // One connection may have hundreds of them.
            }
        }

        return IsAborted ? Fail(ProxyError.ConnectionFailed) : step;
    }

    /// <summary>
    /// Body bytes that are there already and of known length share the segment with the head, and can be sent again with it.
    /// </summary>
    private int BodyInHand(int available) => Request.Framing.Kind == BodyKind.Length ? (int)Math.Min(available, Request.Framing.Length) : 0;

    /// <summary>Out of descriptors is an answer for this request, not an end of its connection.</summary>
    private UpstreamConnection? TryCreate(UpstreamPool pool)
    {
        _backend!.Traffic.CountOpened();
        Record.ConnectTimestamp = context.Time.GetTimestamp();
        return pool.TryCreate();
    }

    private ExchangeStep ParseResponse()
    {
        switch (ResponseHeadParser.Parse(Response, Upstream.Received, Request.Method == MethodKind.Head, ForwardingContext.ResponseLimits))
        {
            case HeadStatus.NeedMore:
                return ExchangeStep.Receive;
            case HeadStatus.Complete when Response.IsInterim:
                return (_interimBytes += Response.Length) <= ForwardingLimits.InterimBytesMax
                    ? ExchangeStep.Interim
                    : FailAnswered("interim responses without end");
            case HeadStatus.Complete:
                string? fault = FailureReasons.OfResponse(Response, Upstream.Received, _offer);
                Record.AnsweredTimestamp = fault is null ? context.Time.GetTimestamp() : 0;
                return fault is null ? ExchangeStep.Respond : FailAnswered(fault);
            default:
                return FailAnswered(HeadFaults.Describe(Response.Fault));
        }
    }

    /// <summary>Its heads and what goes along with them.</summary>
    public MessageHeads Heads => _heads ??= MessageHeads.Rent();

    private ExchangeStep FailUnanswered() =>
        Fail(ProxyError.ConnectionFailed, Upstream.WasReset ? FailureReasons.Reset : FailureReasons.Closed);
}
