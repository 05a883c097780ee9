using System.Runtime.CompilerServices;
using Spawngate.Clients.Shared;
using Spawngate.Protocols.Http2;
using Spawngate.Transport;

namespace Spawngate.Clients.Http2;

/// <content>How the reader goes on: what it reads in a turn, and what it waits for.</content>
internal sealed partial class Http2Connection
{
    /// <summary>Waits until there is something to go on with; not positive when there will be nothing.</summary>
    private ValueTask<int> WaitAsync(ReaderPause pause)
    {
        if (pause != ReaderPause.None)
        {
            return PassAsync(pause);
        }

        var receiving = _client.ReceiveAsync();
        if (!receiving.IsCompleted)
        {
            _turn = default;
        }

        return receiving;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> PassAsync(ReaderPause pause)
    {
        _turn = default;
        if (pause == ReaderPause.ForLook)
        {
            await _look;

            // Who has ended takes no answer any more: what it had asked before need not begin.
            return _client.PeerHasEnded ? 0 : 1;
        }

        if (pause == ReaderPause.ForRoom)
        {
            await Reader.WaitAsync().ConfigureAwait(false);
        }

        await EventLoop.NextTurn();
        return 1;
    }

    /// <summary>True while the client owes it to us to read, before we read on.</summary>
    private bool MustWait => !Writer.Output.TakesHeads && !_failed && !_lingerOver;

    /// <summary>True while it is not read because of a look that is still to come.</summary>
    public bool AwaitsLook => _awaitsLook;

    /// <summary>Why not to read on at this moment; within the gate.</summary>
    /// <param name="next">What would be read.</param>
    private ReaderPause Pause(ReadOnlySpan<byte> next)
    {
        _awaitsLook = false;
        if (MustWait)
        {
            Reader.Begin();
            return ReaderPause.ForRoom;
        }

        // Requests of who is refused at this moment cost little, and are over at once.
        _awaitsLook =
            _open > 0
            && !_failed
            && Session.BeginsRequest(next)
            && _growth.IsSpent(_client.LoopIndex)
            && (Identity.IsTrusted || !Identity.Source.IsMarked);
        if (!_awaitsLook)
        {
            return ReaderPause.None;
        }

        _look.Begin();
        return ReaderPause.ForLook;
    }

    /// <summary>
    /// Takes up what has been received, as far as there is room for the answers, and it has not begun so many requests that others should
    /// get a turn.
    /// </summary>
    private ReaderPause ReadEvents()
    {
        Http2EventKind kind;
        ReaderPause pause;
        int at = 0;
        bool filled = _client.IsFull;
        do
        {
            kind = ReadEvent(ref at, out pause);
        } while (pause == ReaderPause.None && kind is not (Http2EventKind.NeedMore or Http2EventKind.ConnectionError));

        bool ends = kind == Http2EventKind.ConnectionError;
        EndOfBatch(consumed: ends ? _client.ReceivedLength : at, makesRoom: filled && !ends);
        return pause;
    }

    private Http2EventKind ReadEvent(ref int at, out ReaderPause pause)
    {
        Http2EventKind kind;
        Http2Event found;
        StreamExchange? begun = null;
        bool wasFailed;
        bool isTooMuch;
        lock (Gate)
        {
            if ((pause = Pause(_client.Received[at..])) != ReaderPause.None)
            {
                return Http2EventKind.NeedMore;
            }

            wasFailed = _failed;
            kind = Session.Read(_client.Received[at..], _next.Request, _context.Clock.NowMs, out int consumed, out found);
            isTooMuch = kind == Http2EventKind.Request && !MayHold(Session.HeadBytes.Length);
            if (kind is Http2EventKind.Data or Http2EventKind.Trailers)
            {
                OnBody(kind, found, at);
            }
            else
            {
                kind = isTooMuch ? Session.RefuseRequest(ref found) : kind;
                begun = OnEvent(kind, found);
            }

            at += consumed;
        }

        if (begun is not null)
        {
            Begin(begun, kind, found);
        }

        if (
            !wasFailed
            && !found.ByPeer
            && kind is Http2EventKind.StreamRefused or Http2EventKind.StreamReset or Http2EventKind.ConnectionError
        )
        {
            StreamFaults.Tell(_context, Identity, kind, found, isTooMuch, _next, Session.HeadBytes);
        }

        if (isTooMuch)
        {
            _next.Request.Reset();
        }

        if (kind is Http2EventKind.Request or Http2EventKind.RequestRefused or Http2EventKind.Trailers or Http2EventKind.StreamRefused)
        {
            // A head that is refused has been decoded, too.
            _turn.Add(Session.HeadBytes.Length);
            pause = _turn.IsOver ? ReaderPause.ForOthers : ReaderPause.None;
        }

        return kind;
    }

    private void EndOfBatch(int consumed, bool makesRoom)
    {
        _client.Consume(consumed);
        if (makesRoom)
        {
            _client.EnsureRoom(TransportLimits.LargeBufferBytes / 2);
        }

        BeginDeferred();
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

    private void BeginDeferred()
    {
        foreach (var stream in _deferred)
        {
            try
            {
                stream.BeginDeferred();
            }
            catch (Exception fault)
            {
                stream.Abandon(fault);
            }
        }

        _deferred.Clear();
    }

    /// <summary>Between requests a client may be silent for the keep-alive time, but within a frame only for that of a head.</summary>
    private void WatchForRest()
    {
        bool within = !Session.IsBetweenFrames || _client.ReceivedLength > 0;
        if (within != (_deadline.Kind == DeadlineKind.Head))
        {
            _deadline.Set(
                within ? DeadlineKind.Head : DeadlineKind.KeepAlive,
                _context.DueIn((within ? _context.Server.HeaderTimeoutSecs : _context.Server.KeepAliveTimeoutSecs) * 1000L)
            );
        }
    }
}
