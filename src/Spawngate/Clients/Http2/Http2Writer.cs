using Spawngate.Protocols.Http2;
using Spawngate.Runtime;
using Spawngate.Transport;

namespace Spawngate.Clients.Http2;

/// <summary>
/// The sending half of a connection: who may write next, what waits to be sent, and the one send that is under way. Also wakes the tasks of
/// streams, which must not go on within the gate.
/// </summary>
/// <remarks>
/// <code>
///            ┌── one stream is all there is, or much waits ──────────┐
///  written ──┤                                                       ├──▶ sending ──▶ those who waited for room write on ──┐
///            └── others are at work: a turn through the thread pool ─┘       ▲                                             │
///                (they add theirs meanwhile)                                 └─────────────── more was written ────────────┘
/// </code>
/// </remarks>
internal sealed class Http2Writer : IThreadPoolWorkItem, ICallbackOwner
{
    private readonly Http2Connection _connection;
    private readonly SocketChannel _client;
    private readonly SocketContinuation _sending;
    private StreamSender? _woken;
    private bool _flushQueued;

    /// <summary>Makes that of a connection.</summary>
    public Http2Writer(Http2Connection connection, SocketChannel client)
    {
        _connection = connection;
        _client = client;
        Output = new Http2Output(client);
        _sending = new SocketContinuation(
            sent =>
            {
                if (AfterSend(sent))
                {
                    Send();
                }
            },
            this
        );
    }

    /// <summary>What waits to be sent.</summary>
    public Http2Output Output { get; }

    /// <summary>Who may write next.</summary>
    public Http2Scheduler Scheduler { get; } = new();

    /// <summary>Heads that wait for room; within the gate. Others stand behind them.</summary>
    public int HeadsWaiting { get; set; }

    /// <summary>True when nothing waits or is under way; within the gate.</summary>
    public bool IsQuiet => IsIdle && Output.Length == 0 && _connection.Session.ControlLength == 0;

    /// <summary>True when nothing is under way, though something may wait that cannot be sent any more; within the gate.</summary>
    public bool IsIdle => !Output.IsSending && !_flushQueued;

    /// <summary>
    /// Puts control frames that wait into the output; within the gate, and before any other frame. When there is no room, there is none for
    /// other frames either, and they wait in the session, which bounds them.
    /// </summary>
    public void WriteControl()
    {
        var session = _connection.Session;
        while (session.ControlLength > 0 && Output.TakesHeads)
        {
            Output.Commit(session.WriteControl(Output.Reserve(session.ControlLength + Http2Limits.ControlRoomBytes)));
        }
    }

    /// <summary>Lets those write who wait for room; within the gate.</summary>
    public void TakeTurns()
    {
        while (Output.Room > Http2Session.DataHeaderSize && Scheduler.Take() is { } stream)
        {
            stream.TakeTurn();
        }
    }

    /// <summary>Has a stream's task go on; within the gate, <see cref="ResumeWoken"/> follows outside of it.</summary>
    public void Wake(StreamSender stream)
    {
        stream.NextWoken = _woken;
        _woken = stream;
    }

    /// <summary>Lets those go on that were woken within the gate.</summary>
    public void ResumeWoken()
    {
        _connection.Reader.Resume();
        if (Volatile.Read(ref _woken) is null)
        {
            return;
        }

        StreamSender? woken;
        lock (_connection.Gate)
        {
            woken = _woken;
            _woken = null;
        }

        while (woken is not null)
        {
            var next = woken.NextWoken;
            woken.NextWoken = null;
            woken.Resume();
            woken = next;
        }
    }

    /// <summary>Sends what waits, now or together with what others are about to write; outside of the gate.</summary>
    public void FlushSoon()
    {
        ResumeWoken();
        bool queue;
        bool take = false;
        lock (_connection.Gate)
        {
            WriteControl();
            queue = _connection.OpenStreams > 1 && !_flushQueued && !Output.IsSending && Output.Length is > 0 and < Http2Limits.FlushBytes;
            if (!queue && !_flushQueued)
            {
                take = Output.TryTake();
            }

            _flushQueued |= queue;
        }

        if (queue)
        {
            if (EventLoop.Current is { } loop)
            {
                loop.Defer(this);
            }
            else
            {
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
            }
        }
        else if (take)
        {
            Send();
        }
    }

    /// <inheritdoc/>
    void IThreadPoolWorkItem.Execute()
    {
        try
        {
            bool take;
            lock (_connection.Gate)
            {
                _flushQueued = false;
                take = Output.TryTake();
            }

            if (take)
            {
                Send();
            }
            else
            {
                _connection.EndWhenQuiet();
            }
        }
        catch (Exception fault)
        {
            CallbackGuard.OnFault(fault, nameof(Http2Writer), this);
        }
    }

    /// <summary>The connection is cut: nobody knows what of its output has been sent.</summary>
    public void OnCallbackFault()
    {
        lock (_connection.Gate)
        {
            Output.Abandon();
            _flushQueued = false;
        }

        _client.Abort(reset: true);
        _connection.OnCallbackFault();
    }

    /// <summary>
    /// Sends what was taken, and what has come since, until nothing waits. What throws here would leave a send under way for ever, and its
    /// caller may be a stream.
    /// </summary>
    private void Send()
    {
        try
        {
            int sent;
            do
            {
                if (!_sending.TryGetResult(Output.SendAsync(), out sent))
                {
                    return;
                }
            } while (AfterSend(sent));
        }
        catch (Exception fault)
        {
            CallbackGuard.OnFault(fault, nameof(Http2Writer), this);
        }
    }

    /// <summary>A send has ended. True when there is more to send.</summary>
    private bool AfterSend(int sent)
    {
        bool more;
        lock (_connection.Gate)
        {
            Output.Sent();
            if (sent < 0)
            {
                Output.Clear();
            }

            TakeTurns();
            WriteControl();
            more = sent >= 0 && !_flushQueued && Output.TryTake();
            if (more && HeadsWaiting > 0)
            {
                TakeTurns(); // Or those who come meanwhile would take the room.
            }

            _connection.WakeReader();
        }

        if (sent < 0)
        {
            _client.Abort(reset: true); // The reader sees it, and cancels the streams.
        }

        ResumeWoken();
        if (!more)
        {
            _connection.EndWhenQuiet();
        }

        return more;
    }
}
