using System.Runtime.InteropServices;
using Spawngate.Protocols.Http2;

namespace Spawngate.Clients.Http2;

/// <summary>How far a stream got with writing its response.</summary>
internal enum WriteOutcome : byte
{
    /// <summary>It has to wait: for a window, for room, or for the other side of a tunnel.</summary>
    Wait,

    /// <summary>The backend has to send more.</summary>
    Input,

    /// <summary>The head has been written.</summary>
    Head,

    /// <summary>All has been written.</summary>
    Done,

    /// <summary>The backend's framing is broken.</summary>
    Broken,

    /// <summary>The stream is closed: the client reset it, or left.</summary>
    Gone,
}

/// <summary>
/// Puts the heads and the body of one stream's response into frames as windows and room in the output allow. When they do not, its task
/// waits, and whoever makes room writes on its behalf. So a stream holds its slot until its head is among what is to be sent next, and a
/// client that does not read is soon not read from.
/// </summary>
/// <remarks>
/// <code>
///  BeginHead ─┬─ written ─────────────────────────────────▶ Head
///             └─ no room: in line ── TakeTurn: written ───▶ Head
///
///           ┌─ backend has to send more ──▶ Input ── Advance ──┐
///  Advance ─┼─ no room, others wait ──▶ in line ── TakeTurn ───┼─▶ …
///           ├─ no window ──▶ waiting ── window opens ──▶ in line
///           └─ end, broken, gone ──▶ told to the task
/// </code>
/// Everything here happens within the connection's gate, but the waiting.
/// </remarks>
internal sealed class StreamSender(Http2Connection connection, StreamExchange stream)
{
    private readonly Signal<WriteOutcome> _turn = new();
    private StreamBody _body;
    private WriteOutcome _turnOutcome;
    private int _slot;
    private bool _waits;
    private bool _waitsForTunnel;
    private bool _headWaits;
    private bool _queued;

    /// <summary>How urgent its response is, 0 to 7 (RFC 9218).</summary>
    public int Urgency { get; set; }

    /// <summary>How urgent it was when it got in line.</summary>
    public int QueuedUrgency { get; set; }

    /// <summary>The next one in the same queue of the scheduler.</summary>
    public StreamSender? NextWaiting { get; set; }

    /// <summary>The next one that is to be told that its turn has come.</summary>
    public StreamSender? NextWoken { get; set; }

    /// <summary>Bytes of the backend's body so far.</summary>
    public long BodyBytes => _body.Bytes;

    /// <summary>
    /// True when the backend has ended a body that its end marks, as that of a tunnel: only the client is waited for. From any thread, to
    /// look at.
    /// </summary>
    public bool HasWholeBody => _body.IsSourceEnded;

    /// <summary>True once the stream was reset, or its connection ends.</summary>
    public bool IsGone { get; private set; }

    /// <summary>True while a head waits for room.</summary>
    public bool HeadWaits => _headWaits;

    /// <summary>Takes up a stream.</summary>
    public void Reset(int slot, int urgency)
    {
        _slot = slot;
        Urgency = urgency;
        _body = default;
        IsGone = _waits = _waitsForTunnel = _queued = false;
    }

    /// <summary>Nobody wants it any more.</summary>
    public void OnGone()
    {
        IsGone = true;
        EndHeadWait();
        if (_queued)
        {
            _queued = false;
            connection.Writer.Scheduler.Remove(this);
        }

        Wake(WriteOutcome.Gone);
    }

    /// <summary>Its window, or the connection's, has opened.</summary>
    public void OnWindowOpened()
    {
        if (_waits && !_queued)
        {
            Enqueue();
        }
    }

    /// <summary>Its turn to write; called by whoever makes room.</summary>
    public void TakeTurn()
    {
        _queued = false;
        if (!_waits)
        {
            return;
        }

        var outcome = EndHeadWait() ? WriteHead() : Write(framesMax: 1);
        if (outcome != WriteOutcome.Wait)
        {
            Wake(outcome);
        }
    }

    /// <summary>Writes the head that its stream has, now or in its turn.</summary>
    public WriteOutcome BeginHead()
    {
        var writer = connection.Writer;
        writer.WriteControl();
        if (writer.HeadsWaiting == 0 && writer.Output.TakesHeads)
        {
            return WriteHead();
        }

        if (IsGone)
        {
            return WriteOutcome.Gone;
        }

        Enqueue();
        writer.HeadsWaiting++;
        _headWaits = true;
        return BeginWait();
    }

    /// <summary>Begins the body; its head has just been written.</summary>
    public WriteOutcome Begin(in StreamBody body)
    {
        _body = body;
        return Advance();
    }

    /// <summary>The backend sent more, or, with no bytes, ended its side. False when the body is cut.</summary>
    public bool TakeInput(int received) => received > 0 || (received == 0 && _body.EndSource());

    /// <summary>Makes room for more of the backend's bytes; outside of the gate, before they are received.</summary>
    public void PrepareInput() => _body.PrepareInput();

    /// <summary>Writes what there is, or stands in line when others wait.</summary>
    public WriteOutcome Advance()
    {
        if (IsGone)
        {
            return WriteOutcome.Gone;
        }

        bool inLine = connection.Writer.Scheduler.HasWaiting(Urgency);
        if (inLine)
        {
            Enqueue();
        }

        var outcome = inLine ? WriteOutcome.Wait : Write(int.MaxValue);
        return outcome == WriteOutcome.Wait ? BeginWait() : outcome;
    }

    /// <summary>The response is complete, but the client still sends through the tunnel.</summary>
    public WriteOutcome AwaitTunnelEnd()
    {
        if (IsGone)
        {
            return WriteOutcome.Gone;
        }

        _turn.Reset();
        _waitsForTunnel = true;
        return WriteOutcome.Wait;
    }

    /// <summary>The client's side of the tunnel has ended.</summary>
    public void OnTunnelUploadEnded()
    {
        if (_waitsForTunnel)
        {
            Wake(WriteOutcome.Done);
        }
    }

    /// <summary>True when it waits for the client to open a window; within the gate.</summary>
    public bool AwaitsWindow => _waits && !HeadWaits && connection.Session.SendQuota(_slot) == 0;

    /// <summary>Waits for what comes of it; outside of the gate.</summary>
    public ValueTask<WriteOutcome> WaitAsync() => _turn.WaitAsync();

    /// <summary>Lets its task go on after it was woken; outside of the gate.</summary>
    public void Resume() => _turn.Set(_turnOutcome);

    private WriteOutcome BeginWait()
    {
        _turn.Reset();
        _waits = true;
        return WriteOutcome.Wait;
    }

    private bool EndHeadWait()
    {
        bool waited = _headWaits;
        _headWaits = false;
        connection.Writer.HeadsWaiting -= waited ? 1 : 0;
        return waited;
    }

    private WriteOutcome WriteHead()
    {
        connection.Writer.WriteControl();
        if (IsGone || !connection.Session.MaySend(_slot))
        {
            return WriteOutcome.Gone;
        }

        stream.WriteHead();
        return WriteOutcome.Head;
    }

    /// <summary>With <see cref="WriteOutcome.Wait"/> it stands in line, unless it is a window that it waits for.</summary>
    private WriteOutcome Write(int framesMax)
    {
        var session = connection.Session;
        var output = connection.Writer.Output;
        connection.Writer.WriteControl();
        for (int frames = 0; ; frames++)
        {
            if (IsGone || !session.MaySend(_slot))
            {
                return WriteOutcome.Gone;
            }

            int room = output.Room - Http2Session.DataHeaderSize;
            if (room <= 0 || frames == framesMax)
            {
                Enqueue();
                return WriteOutcome.Wait;
            }

            int quota = Math.Min(session.SendQuota(_slot), room);
            var target = output.Reserve(Http2Session.DataHeaderSize + quota);
            int length = _body.Take(target.Slice(Http2Session.DataHeaderSize, quota), out var stop);
            bool trailers = stop == BodyStop.End && _body.Trailers is { Count: > 0 };
            if (length > 0 || (stop == BodyStop.End && !trailers))
            {
                output.Commit(session.WriteDataHeader(target, _slot, length, stop == BodyStop.End && !trailers) + length);
            }

            switch (stop)
            {
                case BodyStop.End:
                    if (trailers)
                    {
                        ResponseFrames.WriteTrailers(session, _slot, output, CollectionsMarshal.AsSpan(_body.Trailers));
                    }

                    return WriteOutcome.Done;
                case BodyStop.Input:
                    return WriteOutcome.Input;
                case BodyStop.Broken:
                    return WriteOutcome.Broken;
                case BodyStop.Full when session.SendQuota(_slot) == 0:
                    return WriteOutcome.Wait; // The window's opening puts it in line.
            }
        }
    }

    private void Enqueue()
    {
        if (!_queued)
        {
            _queued = true;
            connection.Writer.Scheduler.Add(this);
        }
    }

    /// <summary>Its task goes on when the gate has been left, see <see cref="Http2Writer.ResumeWoken"/>.</summary>
    private void Wake(WriteOutcome outcome)
    {
        if (_waits || _waitsForTunnel)
        {
            _waits = _waitsForTunnel = false;
            _turnOutcome = outcome;
            connection.Writer.Wake(this);
        }
    }
}
