using System.Text;
using Spawngate.Backends;
using Spawngate.Overload;
using Spawngate.Protocols.Http1;
using Spawngate.Routing;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>
/// The upstream half of one request: routing, admission, a connection, the request head out and the response head in. It does not
/// know how the client speaks; the client's connection drives it step by step and relays what it yields.
/// </summary>
/// <remarks>
/// <code>
///  Idle ──Start──┬─ ready, pooled ───────────────────────▶ Sending ──▶ AwaitingHead ─┬─▶ Relaying ─┬─▶ End: Idle
///                ├─ ready, none idle ────▶ Connecting ──────▲   ▲           ▲  │     │             └─▶ Tunnelling ─▶ End: Idle
///                │                           ▲  │ refused   │           └──┘     ├─▶ RelayingInterim ─▶ AwaitingHead
///                ├─ not ready ─▶ Waiting ────┴──┼───────────┘                    └─▶ Failed ─▶ End: Idle
///                │                  ▲           │ the process may have just died: asked again, a few times
///                │                  └───────────┘
///                └─ no backend, loop, may not wake it ─▶ Failed          and any other state before Tunnelling ─▶ Failed
///
///  AwaitingHead, ended without a byte (see UpstreamAttempt.Judge) ─▶ Connecting: once more, on a new connection
///                                                                  └─▶ Waiting: by the next instance
/// </code>
/// Each transition is a method here; in debug builds one that is not drawn throws, and so does a call that is out of order. Every step is
/// synchronous: <see cref="NextAsync"/> hands out what is awaited, and the caller awaits it, so a request to a ready backend costs no state
/// machine here. Each attempt at one connection is an <see cref="UpstreamAttempt"/>; what is held of the backend is a
/// <see cref="BackendLease"/>. <see cref="Abort"/> may come from any thread at any time.
/// </remarks>
internal sealed partial class Exchange(ForwardingContext context)
{
    private readonly UpstreamAttempt _attempt = new();
    private int _requestIdLength;
    private Backend? _backend;
    private BackendLease _lease;
    private Admission _admission;
    private BackendWaiter? _waiter;
    private ReconnectPause? _pause;
    private MessageHeads? _heads;
    private int _abortReason;
    private int _reconnects;
    private int _interimBytes;
    private long _awaySince;
    private bool _isAway;
    private bool _retried;
    private bool _noWake;
    private bool _countedPassive;
    private volatile bool _isTunnel;
    private volatile bool _isStreaming;
    private NavigationKind _navigation;
    private int _awaitedStart;
    private ReadyInstance? _endedInstance;
    private HistoryCaller? _cause;
    private byte[]? _serialized;
    private UpgradeOffer? _offer;
    private ExchangeClient _client;

    /// <summary>How far it is.</summary>
    public ExchangeState State { get; private set; } = ExchangeState.Idle;

    /// <summary>True while something is awaited until there is an answer to pass on, or none will come.</summary>
    public bool IsPending => State < ExchangeState.Relaying;

    /// <summary>Whose request it is; null before the first.</summary>
    public ClientAddress? Source => _client.Source;

    /// <summary>How requests are received.</summary>
    public ReceivedProtocol ReceivedBy { get; init; }

    /// <summary>The request's head; its bytes are the client's until <see cref="ExchangeState.Sending"/>.</summary>
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
    public SocketChannel Upstream => _attempt.Channel;

    /// <summary>True when all connections of that instance have been cut, because it is stopped.</summary>
    public bool IsUpstreamAborted => _attempt.IsAttached && _attempt.Pool.IsAborted;

    /// <summary>The same while it can be aborted, else null; from any thread, to look at.</summary>
    public SocketChannel? WatchedUpstream => _attempt.Watched;

    /// <summary>Milliseconds of request_timeout_secs of its backend, or what holds without one.</summary>
    public long TimeoutMs { get; private set; } = ForwardingLimits.SendStallMs;

    /// <summary>
    /// True when the response is one that streams, and not all of it is here: its backend may be silent for <see cref="StreamTimeoutMs"/>.
    /// Until <see cref="NoteStreaming"/> it is what the last response was; from any thread, to look at.
    /// </summary>
    public bool IsStreaming => _isStreaming;

    /// <summary>Tells one response that streams from the next.</summary>
    public int StreamNumber { get; private set; }

    /// <summary>Milliseconds of stream_timeout_secs of its backend; 0 for any time.</summary>
    public long StreamTimeoutMs { get; private set; }

    /// <summary>True once <see cref="Abort"/> was called.</summary>
    public bool IsAborted => Volatile.Read(ref _abortReason) != 0;

    /// <summary>Why; none before.</summary>
    public ProxyError AbortReason => (ProxyError)Volatile.Read(ref _abortReason);

    /// <summary>True once the log has a line about its failure, or counts it: it has one.</summary>
    public bool IsTold { get; set; }

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
    public ExchangeState Start(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body, ClientIdentity client)
    {
        Expect(ExchangeState.Idle);
        Error = ProxyError.None;
        Reply = null;
        _navigation = NavigationKind.None;
        RetryAfterSecs = 0;
        BodySentWithHead = 0;
        _reconnects = _interimBytes = 0;
        _retried = _isTunnel = _isAway = IsTold = false;
        _awaySince = 0;
        _attempt.Reset();
        _endedInstance = null;
        _cause = null;
        _serialized = null;
        _requestIdLength = ProxyHeaders.TakeRequestId(Request, head, context, Heads.RequestId);
        context.Observer?.OnBegin(this, head, client);
        if (_client.Enter(context, Request, head, client) is not ProxyError.None and var refusal)
        {
            RetryAfterSecs = ForwardingLimits.RefusalRetrySecs;
            return Refuse(refusal, head);
        }

        _backend = Route(head, out bool hasEnded);
        if (_backend is null)
        {
            return Refuse(
                hasEnded ? ProxyError.SessionEnded
                    : Request.HostLength == 0 ? ProxyError.MissingHostHeader
                    : ProxyError.UnknownHost,
                head
            );
        }

        if (ProxyHeaders.IsLoop(Request, head, context.Pseudonym, _backend.ViaMark))
        {
            return Refuse(ProxyError.LoopDetected, head);
        }

        if (ProxyHeaders.IsLastHop(Request, head))
        {
            return Refuse(ProxyError.NotImplemented, head);
        }

        TimeoutMs = _backend.Config.RequestTimeoutSecs * 1000L;
        Record.BegunTimestamp = context.Time.GetTimestamp();
        _noWake = _backend.Config.NoWake is { } noWake && noWake.Cover(Request, head);
        Record.Begin(_backend, Request, head, client, ReceivedBy, _noWake, context.Clock.NowMs);
        _offer = UpgradeOffer.Of(Request, head, ReceivedBy);
        if (_noWake)
        {
            return AfterAdmission(_backend.EnterPassive(out _countedPassive), head, body, client);
        }

        _navigation = _backend.Config.WaitingPage
            ? NavigationClassifier.Of(Request, head, _backend.Word.Phase == BackendPhase.Ready, out _awaitedStart)
            : NavigationKind.None;
        if (_navigation == NavigationKind.Poll && _backend.Word.Phase == BackendPhase.Ready)
        {
            return Give(WaitingPage.Ready);
        }

        if (_navigation != NavigationKind.Poll && _backend.TryLease(out _lease))
        {
            return Dispatch(head, body, client);
        }

        _cause = ExchangeRecord.CallerOf(Request, head, client);
        return Go(ExchangeState.Waiting);
    }

    /// <summary>Takes note of a request that its client took back before it began; <see cref="End"/> follows.</summary>
    public void NoteCancelled(ReadOnlySpan<byte> head, ClientIdentity client)
    {
        IsTold = false;
        Record.NoteRefused(Request, head);
        if (context.Observer is { } observer)
        {
            _requestIdLength = ProxyHeaders.TakeRequestId(Request, head, context, Heads.RequestId);
            observer.OnBegin(this, head, client);
            _backend = Route(head, out _);
        }
    }

    // The one place where it is decided whose a request is.
    private Backend? Route(ReadOnlySpan<byte> head, out bool hasEnded)
    {
        BackendTable table = context.Backends.Table;
        hasEnded = false;
        return Request.HostLength > 0 ? table.Find(Request.Host(head), out hasEnded) : table.Anything;
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

    /// <summary>Adds it to what holds a backend, if it does; from any thread.</summary>
    public void AddTo(ActiveRequestSearch search) => Volatile.Read(ref _heads)?.Record.AddTo(search, _webSocket?.Tunnel);

    /// <summary>The request's id for a line in the log, from any thread; empty when it is over.</summary>
    public string IdForLog() =>
        Volatile.Read(ref _heads) is { } heads ? Encoding.ASCII.GetString(heads.RequestId.AsSpan(0, _requestIdLength)) : "";

    /// <summary>What it is, for a line in the log, from any thread; empty when it is over.</summary>
    public RequestLine LineForLog() => Volatile.Read(ref _heads)?.Record.ToLine(_backend) ?? new RequestLine("", "", "");

    /// <summary>Its heads and what goes along with them.</summary>
    public MessageHeads Heads => _heads ??= MessageHeads.Rent();
}
