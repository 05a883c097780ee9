using System.Buffers.Text;
using Spawngate.Forwarding;
using Spawngate.Platform;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;
using Spawngate.Transport;

namespace Spawngate.Clients.Http2;

/// <summary>
/// One client connection that speaks HTTP/2: a reader that hands requests to <see cref="StreamExchange"/>s, and an <see cref="Http2Writer"/> that sends what they
/// have to say. See docs/http2.md.
/// </summary>
/// <remarks>
/// <code>
///  Open ──▶ GOAWAY (drain, idle) ── last stream ended, all sent ──▶ send side shut ── client ends, or a moment ──▶ closed
///    │                                     ▲
///    └── connection error: GOAWAY, streams cancelled
///    └── client ended or broke: streams cancelled ──▶ closed
/// </code>
/// <see cref="Gate"/> guards the session, the writer and the state of streams. It is held for microseconds: nothing within it waits, and no task is
/// resumed within it.
/// </remarks>
internal sealed class Http2Connection
{
    private readonly ForwardingContext _context;
    private readonly ClientConnections _connections;
    private readonly SocketChannel _client;
    private readonly long _settingsDueMs;
    private readonly List<StreamExchange> _free = [];
    private readonly List<StreamExchange> _deferred = [];
    private readonly List<StreamExchange> _toPump = [];
    private readonly TaskCompletionSource _quiet = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private StreamExchange?[] _streams = new StreamExchange?[Limits.Http2StreamsKept];
    private StreamExchange _next;
    private DeadlineWord _deadline;
    private PeerWatch _peer;
    private int _open;
    private int _adopted;
    private bool _goingAway;
    private bool _closing;
    private bool _failed;
    private bool _readerEnded;
    private bool _sendShut;

    /// <summary>Takes over a connection on which the preface, or an upgrade, was seen.</summary>
    public Http2Connection(ForwardingContext context, ClientConnections connections, ClientIdentity identity, SocketChannel client)
    {
        _context = context;
        _connections = connections;
        _client = client;
        Identity = identity;
        Writer = new Http2Writer(this, client);
        Session = new Http2Session(context.RequestLimits, context.Clock.NowMs);
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

    /// <summary>Streams that are being served; within the gate.</summary>
    public int OpenStreams => _open;

    /// <summary>The client.</summary>
    public ClientIdentity Identity { get; }

    /// <summary>Serves the connection until it has ended. The caller disposes of the channel.</summary>
    public async Task RunAsync()
    {
        Writer.FlushSoon();
        try
        {
            do
            {
                while (ReadEvents())
                {
                    await EventLoop.NextTurn();
                }
            }
            while (await _client.ReceiveAsync().ConfigureAwait(false) > 0);
        }
        finally
        {
            // Also after an error nobody expected: its streams still use the channel, which the caller disposes of.
            AbandonStreams();
            await _quiet.Task.ConfigureAwait(false);
        }
    }

    /// <summary>Looks whether a request that asks to upgrade can be taken up, as stream 1. False when its settings are wrong: then there is no upgrade.</summary>
    /// <param name="settings">The value of its HTTP2-Settings field.</param>
    public bool TryAdopt(ReadOnlySpan<byte> settings)
    {
        Span<byte> payload = stackalloc byte[Limits.Http2UpgradeSettingsBytes];
        _adopted = Http2SettingsField.TryDecode(settings, payload, out int length) ? Session.AdoptUpgrade(payload[..length]) : -1;
        return _adopted >= 0;
    }

    /// <summary>Begins the request that was taken up; before <see cref="RunAsync"/>.</summary>
    /// <param name="head">Its head, as received.</param>
    public void BeginAdopted(ReadOnlySpan<byte> head)
    {
        RequestHeadParser.Parse(_next.Request, head, _context.RequestLimits);
        StreamExchange stream;
        lock (Gate)
        {
            stream = Attach(_adopted, ended: true, isTunnel: false);
        }

        stream.Begin(head);
    }

    /// <summary>Looks at the deadlines of the connection and its streams; on the coarse tick.</summary>
    public void OnTick(long nowMs)
    {
        bool taken = _peer.HasSendMoved(_client, null);
        lock (Gate)
        {
            foreach (var stream in _streams)
            {
                stream?.OnTick(nowMs, taken);
            }

            if (Session.AwaitsSettingsAck && nowMs >= _settingsDueMs)
            {
                Session.Fail(ErrorCode.SettingsTimeout);
                Fail();
            }

            if (_connections.IsDraining && !_goingAway)
            {
                // Gently: what the client opens until it has heard of it is still served.
                _goingAway = true;
                Session.GoAway(final: false);
            }
        }

        if (_deadline.TryFire(nowMs, out var kind))
        {
            OnDeadline(kind);
        }

        Writer.FlushSoon();
        EndWhenQuiet();
    }

    /// <summary>Adds those of its streams to what holds a backend that do; from any thread.</summary>
    public void AddTo(HolderSearch search)
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
    public void CloseIfIdle()
    {
        lock (Gate)
        {
            Close();
        }

        Writer.FlushSoon();
        EndWhenQuiet();
    }

    /// <summary>Cuts the connection, whatever it does.</summary>
    public void Abort() => _client.Abort(reset: true);

    /// <summary>True when the stream can take frames; within the gate. Control frames that wait go first.</summary>
    public bool MayWrite(StreamExchange stream)
    {
        Writer.WriteControl();
        return _streams[stream.Slot] == stream && Session.MaySend(stream.Slot);
    }

    /// <summary>A stream is over; on its own task.</summary>
    public void OnFinished(StreamExchange stream)
    {
        bool isLast;
        lock (Gate)
        {
            Session.Release(stream.Slot);
            _streams[stream.Slot] = null;
            _open--;
            if (_free.Count < Limits.Http2StreamsKept)
            {
                _free.Add(stream);
            }

            isLast = _open == 0;
            if (isLast && !_readerEnded && !_failed)
            {
                // Of a connection that ends, the time to take what was sent.
                _deadline.Restart(_closing ? DeadlineKind.Linger : DeadlineKind.KeepAlive, _context.DueIn(_context.Server.KeepAliveTimeoutSecs * 1000L));
            }
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

    /// <summary>Takes up what has been received. True when it has begun so many requests that others should get a turn before it goes on.</summary>
    private bool ReadEvents()
    {
        bool ends = false;
        int at = 0;
        int requests = 0;
        bool filled = _client.IsFull;
        while (!ends && requests < Limits.Http2RequestsPerTurn)
        {
            Http2EventKind kind;
            Http2Event found;
            StreamExchange? begun = null;
            lock (Gate)
            {
                kind = Session.Read(_client.Received[at..], _next.Request, _context.Clock.NowMs, out int consumed, out found);
                if (kind is Http2EventKind.Data or Http2EventKind.Trailers)
                {
                    OnBody(kind, found, at);
                }
                else
                {
                    begun = OnEvent(kind, found);
                }

                at += consumed;
            }

            if (begun is not null)
            {
                requests++;
                Begin(begun, kind, found);
            }

            ends = kind == Http2EventKind.ConnectionError;
            if (kind == Http2EventKind.NeedMore)
            {
                break;
            }
        }

        _client.Consume(ends ? _client.ReceivedLength : at);
        if (filled && !ends)
        {
            _client.EnsureRoom(Limits.LargeBufferBytes / 2);
        }

        EndOfBatch();
        return requests == Limits.Http2RequestsPerTurn;
    }

    private void EndOfBatch()
    {
        foreach (var stream in _deferred)
        {
            stream.BeginDeferred();
        }

        _deferred.Clear();
        foreach (var stream in _toPump)
        {
            stream.Upload.Pump();
        }

        _toPump.Clear();
        if (_open == 0 && _client.ReceivedLength == 0)
        {
            _client.Shrink();
        }

        lock (Gate)
        {
            Writer.TakeTurns();
            if (_open == 0 && !_goingAway && _deadline.Kind is DeadlineKind.KeepAlive or DeadlineKind.Head)
            {
                WatchForRest();
            }
        }

        Writer.FlushSoon();
    }

    /// <summary>Between requests a client may be silent for the keep-alive time, but within a frame only for that of a head.</summary>
    private void WatchForRest()
    {
        bool within = !Session.IsBetweenFrames || _client.ReceivedLength > 0;
        if (within != (_deadline.Kind == DeadlineKind.Head))
        {
            _deadline.Set(within ? DeadlineKind.Head : DeadlineKind.KeepAlive, _context.DueIn((within ? _context.Server.HeaderTimeoutSecs : _context.Server.KeepAliveTimeoutSecs) * 1000L));
        }
    }

    /// <summary>Takes up an event that is not about a body; within the gate. A request that is to begin, if it is one.</summary>
    private StreamExchange? OnEvent(Http2EventKind kind, in Http2Event found)
    {
        switch (kind)
        {
            case Http2EventKind.Request or Http2EventKind.RequestRefused:
                return Attach(found.Slot, found.EndStream, found.IsTunnel);
            case Http2EventKind.StreamReset:
                _streams[found.Slot]?.OnGone();
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
            return;
        }

        bool ready = kind == Http2EventKind.Data
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
        return stream;
    }

    private void Begin(StreamExchange stream, Http2EventKind kind, in Http2Event found)
    {
        if (kind == Http2EventKind.RequestRefused)
        {
            var fault = stream.Request.Fault;
            ForwardingLog.Refused(_context.Log, Identity.Text, HeadFaults.Describe(fault));
            stream.Refuse(ErrorResponse.ForFault(fault), ErrorResponse.Detail(fault));
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

    /// <summary>No new streams; the connection ends when the last has; within the gate.</summary>
    private void Close()
    {
        if (_closing)
        {
            return;
        }

        _goingAway = _closing = true;
        Session.GoAway(final: true);
    }

    /// <summary>The session has failed, and its GOAWAY waits: what the client still sends is thrown away for a moment, in which it may read why; within the gate.</summary>
    private void Fail()
    {
        if (!_failed)
        {
            _failed = _goingAway = _closing = true;
            CancelStreams();
            _deadline.Restart(DeadlineKind.Linger, _context.DueIn(Limits.LingerMs));
        }
    }

    private void CancelStreams()
    {
        foreach (var stream in _streams)
        {
            stream?.OnGone();
        }
    }

    /// <summary>The reader has ended: nobody is left to answer.</summary>
    private void AbandonStreams()
    {
        lock (Gate)
        {
            _readerEnded = _goingAway = _closing = true;
            _deadline.Set(DeadlineKind.None, 0);
            CancelStreams();
        }

        if (!_sendShut)
        {
            _client.Abort(reset: false);
        }

        Writer.ResumeWoken();
        EndWhenQuiet();
    }

    /// <summary>Once all streams have ended and all has been sent: ends our side, and says so to the reader when that has ended, too.</summary>
    public void EndWhenQuiet()
    {
        bool shut;
        bool over;
        lock (Gate)
        {
            bool quiet = _closing && _open == 0 && (_readerEnded ? Writer.IsIdle : Writer.IsQuiet);
            shut = quiet && !_sendShut;
            _sendShut |= quiet;
            over = quiet && _readerEnded;
            if (over)
            {
                Writer.Output.Clear();
            }
            else if (shut)
            {
                // What the client still sends is read and thrown away for a moment: closing with unread bytes would be a reset, and might overtake the last answers.
                _deadline.Restart(DeadlineKind.Linger, _context.DueIn(Limits.LingerMs));
            }
        }

        if (shut)
        {
            _client.ShutdownSend();
        }

        if (over)
        {
            _quiet.TrySetResult();
        }
    }

    private void OnDeadline(DeadlineKind kind)
    {
        if (kind == DeadlineKind.Linger)
        {
            _client.ShutdownReceive();
            return;
        }

        lock (Gate)
        {
            // A client that never takes the GOAWAY keeps the connection no longer than one that does.
            Close();
            if (_open == 0)
            {
                _deadline.Restart(DeadlineKind.Linger, _context.DueIn(Limits.LingerMs));
            }
        }

        Writer.FlushSoon();
        EndWhenQuiet();
    }
}
