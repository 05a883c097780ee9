using System.Buffers.Text;
using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Overload;
using Spawngate.Platform;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;
using Spawngate.Runtime;
using Spawngate.Transport;

namespace Spawngate.Clients.Http2;

/// <summary>
/// One client connection that speaks HTTP/2: a reader that hands requests to <see cref="StreamExchange"/>s, and an
/// <see cref="Http2Writer"/> that sends what they have to say. See docs/concepts/http2.md.
/// </summary>
/// <remarks>
/// <code>
///  Open ──▶ GOAWAY (drain, idle) ── last stream ended, all sent ──▶ send side shut ── client ends, or a moment ──▶ closed
///    │                                     ▲
///    └── connection error: GOAWAY, streams cancelled
///    └── client ended or broke: streams cancelled ──▶ closed
/// </code>
/// <see cref="Gate"/> guards the session, the writer and the state of streams. It is held for microseconds: nothing within it waits, and no
/// task is resumed within it.
/// <para>
/// A client that does not read is not read from: while <see cref="Http2Output.TakesHeads"/> is false, no further frame is taken up. It is
/// cut when it takes nothing for as long as its requests may (<see cref="SendStall"/>). Nor does another request begin beside those in
/// flight while all clients together take too much at once (<see cref="GrowthQuota"/>).
/// </para>
/// </remarks>
internal sealed partial class Http2Connection : ClientProtocol, ICallbackOwner
{
    private readonly ForwardingContext _context;
    private readonly DrainSignal _drain;
    private readonly SocketChannel _client;
    private readonly List<StreamExchange> _free = [];
    private readonly List<StreamExchange> _deferred = [];
    private readonly List<StreamExchange> _toPump = [];
    private readonly LingeringStreams _lingering;
    private readonly GrowthQuota _growth;
    private readonly GrowthWait _look;
    private readonly TaskCompletionSource _quiet = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private StreamExchange?[] _streams = new StreamExchange?[Http2Limits.StreamsKept];
    private StreamExchange _next;
    private long _settingsDueMs;
    private ReaderTurn _turn;
    private DeadlineWord _deadline;
    private PeerWatch _peer;
    private SendStall _stall;
    private RateFloor _taking;
    private long _stallMs = ForwardingLimits.SendStallMs;
    private bool _lingerOver;
    private bool _awaitsLook;
    private int _open;
    private int _adopted;
    private bool _goingAway;
    private bool _closing;
    private bool _failed;
    private bool _readerEnded;
    private bool _sendShut;

    /// <summary>Takes over a connection on which the preface, or an upgrade, was seen.</summary>
    public Http2Connection(ForwardingContext context, DrainSignal drain, ClientIdentity identity, SocketChannel client)
    {
        _context = context;
        _drain = drain;
        _client = client;
        Identity = identity;
        Writer = new Http2Writer(this, client);
        Session = new Http2Session(context.RequestLimits, context.Clock.NowMs);
        _lingering = new LingeringStreams(Session);
        _growth = context.ClientLimits.Growth;
        _look = new GrowthWait(_growth, client.LoopIndex);
        SetWebSocketKey();
        _next = new StreamExchange(this, context);
        _settingsDueMs = context.DueIn(context.Server.HeaderTimeoutSecs * 1000L);
        _deadline.Set(DeadlineKind.KeepAlive, _settingsDueMs);
    }

    /// <summary>Guards all that streams share.</summary>
    public Lock Gate { get; } = new();

    /// <summary>The protocol's state.</summary>
    public Http2Session Session { get; }

    /// <summary>The sending half.</summary>
    public Http2Writer Writer { get; }

    /// <summary>Whether the reader waits for room.</summary>
    public ReaderWait Reader { get; } = new();

    /// <summary>Streams that are being served; within the gate.</summary>
    public int OpenStreams => _open;

    /// <summary>The client.</summary>
    public ClientIdentity Identity { get; }

    /// <summary>Serves the connection until it has ended. The caller disposes of the channel.</summary>
    public override async Task ServeAsync()
    {
        Writer.FlushSoon();
        try
        {
            while (await WaitAsync(_client.IsClosed ? ReaderPause.None : ReadEvents()).ConfigureAwait(false) > 0) { }
        }
        finally
        {
            // Also after an error nobody expected: its streams still use the channel, which the caller disposes of.
            AbandonStreams();
            await _quiet.Task.ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Looks whether a request that asks to upgrade can be taken up, as stream 1. False when its settings are wrong: then there is no
    /// upgrade.
    /// </summary>
    /// <param name="settings">The value of its HTTP2-Settings field.</param>
    public bool TryAdopt(ReadOnlySpan<byte> settings)
    {
        Span<byte> payload = stackalloc byte[Http2Limits.UpgradeSettingsBytes];
        _adopted = Http2SettingsField.TryDecode(settings, payload, out int length) ? Session.AdoptUpgrade(payload[..length]) : -1;
        return _adopted >= 0;
    }

    /// <summary>Begins the request that was taken up; before <see cref="ServeAsync"/>.</summary>
    /// <param name="head">Its head, as received.</param>
    public void BeginAdopted(ReadOnlySpan<byte> head)
    {
        RequestHeadParser.Parse(_next.Request, head, _context.RequestLimits);
        StreamExchange stream;
        lock (Gate)
        {
            stream = Attach(_adopted, ended: true, isTunnel: false);
        }

        try
        {
            stream.Begin(head);
        }
        catch (Exception fault)
        {
            stream.Abandon(fault);
        }
    }

    /// <summary>
    /// Has the reader go on if there is room again, or no reason to wait any more; within the gate, <see cref="ReaderWait.Resume"/> follows
    /// outside of it.
    /// </summary>
    public void WakeReader()
    {
        if (!MustWait)
        {
            Reader.End();
        }
    }

    /// <summary>Looks at the deadlines of the connection and its streams; on the coarse tick. Bytes that they hold.</summary>
    public override long OnTick(long nowMs)
    {
        bool taken = _peer.HasSendMoved(_client, null);
        long held = _memory.Look(_client, null, !_client.IsArmed, nowMs, _context.ClientLimits.MemoryIsTight);
        lock (Gate)
        {
            held += Writer.Output.HeldBytes + Session.HeldBytes;
            long stallMs = 0;
            foreach (var stream in _streams)
            {
                if (stream is not null)
                {
                    stream.OnTick(nowMs, taken, !_awaitsLook);
                    held += stream.Measure(nowMs);
                    stallMs = Math.Max(stallMs, stream.TimeoutMs == 0 ? long.MaxValue : stream.TimeoutMs);
                }
            }

            // Without streams, what held for the last ones.
            _stallMs =
                stallMs != 0 ? stallMs
                : _stallMs == long.MaxValue ? ForwardingLimits.SendStallMs
                : _stallMs;
            _lingering.EndDue(nowMs);
            if (Reader.IsWaiting || _awaitsLook)
            {
                PutOffUnread();
            }

            if (Session.AwaitsSettingsAck && nowMs >= _settingsDueMs)
            {
                Session.Fail(ErrorCode.SettingsTimeout);
                Fail();
            }

            if (_drain.IsOn && !_goingAway)
            {
                // Gently: what the client opens until it has heard of it is still served.
                _goingAway = true;
                Session.GoAway(final: false);
            }
        }

        CutWhenSlow(taken, nowMs);

        if (_deadline.TryFire(nowMs, out var kind))
        {
            OnDeadline(kind);
        }

        Writer.FlushSoon();
        EndWhenQuiet();
        return held;
    }

    /// <summary>
    /// What the client has said is not read, so it is not late; within the gate. Where it is its own fault, <see cref="SendStall"/> tells
    /// when it is gone.
    /// </summary>
    private void PutOffUnread()
    {
        _settingsDueMs = _context.DueIn(_context.Server.HeaderTimeoutSecs * 1000L);
        if (_deadline.Kind is (DeadlineKind.Head or DeadlineKind.KeepAlive) and var kind)
        {
            _deadline.Set(kind, _settingsDueMs);
        }
    }

    /// <summary>Adds those of its streams to what holds a backend that do; from any thread.</summary>
    public override void AddTo(ActiveRequestSearch search)
    {
        lock (Gate)
        {
            foreach (var stream in _streams)
            {
                stream?.AddTo(search);
            }
        }
    }

    /// <summary>The gateway drains: no more streams; the connection ends with the last.</summary>
    public override void CloseIfIdle()
    {
        lock (Gate)
        {
            Close();
        }

        Writer.FlushSoon();
        EndWhenQuiet();
    }

    private void Cut() => _client.Abort(reset: true);

    /// <summary>A stream is over; on its own task.</summary>
    public void OnFinished(StreamExchange stream)
    {
        bool isLast;
        bool firstMayBegin;
        lock (Gate)
        {
            _streams[stream.Slot] = null;
            _open--;
            _headBytes -= stream.HeadBytes;
            _growth.Release(_client.LoopIndex, stream.HeadBytes);
            _lingering.Release(stream.Slot, _closing ? 0 : _context.DueIn(Http2Limits.ResetHoldMs));
            if (_free.Count < Http2Limits.StreamsKept)
            {
                _free.Add(stream);
            }

            isLast = _open == 0;
            firstMayBegin = isLast && _awaitsLook;
            if (isLast && !_readerEnded && !_failed)
            {
                // Of a connection that ends, the time to take what was sent.
                _deadline.Restart(
                    _closing ? DeadlineKind.Linger : DeadlineKind.KeepAlive,
                    _context.DueIn(_context.Server.KeepAliveTimeoutSecs * 1000L)
                );
            }
        }

        if (firstMayBegin)
        {
            _look.End();
        }

        Writer.FlushSoon();
        if (isLast)
        {
            EndWhenQuiet();
        }
    }

    /// <summary>The key of WebSockets towards backends: it only shows that the backend understood (RFC 6455 section 1.3).</summary>
    private void SetWebSocketKey()
    {
        Span<byte> random = stackalloc byte[16];
        Span<byte> key = stackalloc byte[24];
        Entropy.Fill(random);
        Base64.EncodeToUtf8(random, key, out _, out _);
        Session.SetWebSocketKey(key);
    }

    /// <summary>Takes up an event that is not about a body; within the gate. A request that is to begin, if it is one.</summary>
    private StreamExchange? OnEvent(Http2EventKind kind, in Http2Event found)
    {
        switch (kind)
        {
            case Http2EventKind.Request or Http2EventKind.RequestRefused:
                return Attach(found.Slot, found.EndStream, found.IsTunnel);
            case Http2EventKind.StreamReset when _streams[found.Slot] is { } stream:
                stream.OnGone(found.ByPeer ? ProxyError.ClientGone : ProxyError.BadRequest);
                break;
            case Http2EventKind.StreamReset:
                _lingering.OnEnded(found.Slot);
                break;
            case Http2EventKind.WindowOpened when found.Slot >= 0:
                _streams[found.Slot]?.Sender.OnWindowOpened();
                break;
            case Http2EventKind.WindowOpened or Http2EventKind.Settings:
                foreach (var stream in _streams)
                {
                    stream?.Sender.OnWindowOpened();
                }

                break;
            case Http2EventKind.PriorityChanged when _streams[found.Slot] is { } stream:
                stream.Sender.Urgency = Session.Stream(found.Slot).Priority.Urgency;
                break;
            case Http2EventKind.GoAway:
                Close();
                break;
            case Http2EventKind.ConnectionError:
                Fail();
                break;
        }

        return null;
    }

    private void OnBody(Http2EventKind kind, in Http2Event found, int at)
    {
        if (_streams[found.Slot] is not { } stream)
        {
            _lingering.OnEnded(found.Slot);
            return;
        }

        bool ready =
            kind == Http2EventKind.Data
                ? stream.Upload.OnData(_client.Received.Slice(at + found.Start, found.Length), found.EndStream)
                : stream.Upload.OnTrailers(Session.HeadBytes);
        if (ready && !_toPump.Contains(stream))
        {
            _toPump.Add(stream);
        }
    }

    /// <summary>Gives a stream its exchange; within the gate.</summary>
    private StreamExchange Attach(int slot, bool ended, bool isTunnel)
    {
        var stream = _next;
        if (_free.Count > 0)
        {
            _next = _free[^1];
            _free.RemoveAt(_free.Count - 1);
        }
        else
        {
            _next = new StreamExchange(this, _context);
        }

        if (slot >= _streams.Length)
        {
            Array.Resize(ref _streams, Math.Max(_streams.Length * 2, slot + 1));
        }

        _streams[slot] = stream;
        _open++;
        _deadline.Set(DeadlineKind.None, 0);
        stream.Assign(slot, ended, isTunnel, Session.Stream(slot).Priority.Urgency);
        stream.HeadBytes = Session.HeadBytes.Length;
        _headBytes += stream.HeadBytes;
        _growth.Take(_client.LoopIndex, stream.HeadBytes);
        return stream;
    }

    private void Begin(StreamExchange stream, Http2EventKind kind, in Http2Event found)
    {
        try
        {
            BeginRequest(stream, kind, found);
        }
        catch (Exception fault)
        {
            stream.Abandon(fault);
        }
    }

    private void BeginRequest(StreamExchange stream, Http2EventKind kind, in Http2Event found)
    {
        if (kind == Http2EventKind.RequestRefused)
        {
            var fault = stream.Request.Fault;
            ForwardingLog.Refused(_context.Log, Identity.Text, HeadFaults.Describe(fault));
            stream.Refuse(ErrorResponse.ForFault(fault), ErrorResponse.Detail(fault), Session.HeadBytes);
        }
        else if (found.EndStream || found.IsTunnel)
        {
            stream.Begin(Session.HeadBytes);
        }
        else
        {
            // Its body is usually right behind it, and then goes out in one send with the head.
            stream.Defer(Session.HeadBytes);
            _deferred.Add(stream);
        }
    }
}
