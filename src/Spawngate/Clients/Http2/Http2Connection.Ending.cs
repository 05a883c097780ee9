using Spawngate.Clients.Shared;
using Spawngate.Protocols.Http2;

namespace Spawngate.Clients.Http2;

/// <content>How a connection ends, see the diagram of <see cref="Http2Connection"/>.</content>
internal sealed partial class Http2Connection
{
    /// <summary>No new streams; the connection ends when the last has; within the gate.</summary>
    private void Close()
    {
        if (_closing)
        {
            return;
        }

        _goingAway = _closing = true;
        Session.GoAway(final: true);
        _lingering.EndDue(long.MaxValue);
    }

    /// <summary>
    /// The session has failed, and its GOAWAY waits: what the client still sends is thrown away for a moment, in which it may read why;
    /// within the gate.
    /// </summary>
    private void Fail()
    {
        if (!_failed)
        {
            _failed = _goingAway = _closing = true;
            CancelStreams();
            _deadline.Restart(DeadlineKind.Linger, _context.DueIn(ConnectionLimits.LingerMs));
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

        BeginDeferred(); // After an error: nothing else would tell that they have ended.
        if (!_sendShut)
        {
            _client.Abort(reset: false);
        }

        Writer.ResumeWoken();
        EndWhenQuiet();
    }

    /// <summary>
    /// Once all streams have ended and all has been sent: ends our side, and says so to the reader when that has ended, too.
    /// </summary>
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
                // What the client still sends is read and thrown away for a moment: closing with unread bytes would be a reset, and might
                // overtake the last answers.
                _deadline.Restart(DeadlineKind.Linger, _context.DueIn(ConnectionLimits.LingerMs));
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
            lock (Gate)
            {
                _lingerOver = true;
                WakeReader();
            }

            Reader.Resume();
            return;
        }

        lock (Gate)
        {
            // A client that never takes the GOAWAY keeps the connection no longer than one that does.
            Close();
            if (_open == 0)
            {
                _deadline.Restart(DeadlineKind.Linger, _context.DueIn(ConnectionLimits.LingerMs));
            }
        }

        Writer.FlushSoon();
        EndWhenQuiet();
    }

    /// <summary>Cuts the connection: its reader finds it broken, and ends what is left.</summary>
    public void OnCallbackFault()
    {
        _client.Abort(reset: true);
        lock (Gate)
        {
            Session.Fail(ErrorCode.Internal);
            Fail();
            WakeReader();
        }

        Writer.ResumeWoken();
        EndWhenQuiet();
    }
}
