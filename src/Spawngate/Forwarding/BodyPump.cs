using System.Runtime.CompilerServices;
using Spawngate.Logging;
using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>How a body transfer ended.</summary>
internal enum PumpOutcome : byte
{
    /// <summary>The whole body has been sent on.</summary>
    Complete,

    /// <summary>The source ended or failed before the body did.</summary>
    SourceCut,

    /// <summary>The source's framing is broken.</summary>
    SourceBroken,

    /// <summary>The sink does not take bytes any more.</summary>
    SinkFailed,
}

/// <summary>Told whenever a body moved, to put deadlines off.</summary>
internal interface IProgressWatch
{
    /// <summary>Bytes were received or sent.</summary>
    void OnProgress();
}

/// <summary>
/// Moves one body from one connection to another, with back-pressure: nothing more is read until what was read has been sent.
/// </summary>
/// <remarks>
/// Bytes go out from where they were received. To send chunks, the size line is put in front of the data in the same
/// buffer, into bytes that are used up or into its reserve; the CRLF that closes a chunk goes behind the data where there is
/// room, else in front of the next chunk. Several received chunks go out in one send: short ones are joined to one, long ones get their
/// frame where they lie. Used again for every body of a connection.
/// <code>
///  copying ── a receive filled a large buffer, much is left ──▶ splicing: pipe filled, pipe emptied into the sink, wait until readable
///     ▲                                                             │
///     └─ little came several times in a row, short chunks, ─────────┘
///        body done, discarded, end, error
/// </code>
/// </remarks>
internal sealed partial class BodyPump(IProgressWatch progress)
{
    private const int NotWaiting = 0;
    private const int Waiting = 1;
    private const int WaitingBetweenChunks = 2;
    private const int Probing = 3;

    private SocketChannel _source = null!;
    private SocketChannel _sink = null!;
    private BodyReader _reader;
    private bool _chunkedOut;
    private bool _owesCrlf;
    private bool _broken;
    private BodySlice _run;
    private int _consumed;
    private int _turnBytes;
    private bool _large;
    private bool _filled;
    private int _littleInARow;
    private TrailerBuffer? _trailers;
    private volatile bool _discarding;
    private int _wait;

    /// <summary>Prepares for a body.</summary>
    /// <param name="source">Where its bytes arrive.</param>
    /// <param name="reader">Its framing there.</param>
    /// <param name="sink">Where it goes; bytes written there before go first.</param>
    /// <param name="chunkedOut">True to send it chunked.</param>
    public void Begin(SocketChannel source, BodyReader reader, SocketChannel sink, bool chunkedOut)
    {
        _source = source;
        _sink = sink;
        _reader = reader;
        _chunkedOut = chunkedOut;
        _owesCrlf = _broken = _large = _filled = _discarding = false;
        _turnBytes = _littleInARow = 0;
        SplicedBytes = 0;
        _trailers?.Clear();
    }

    /// <summary>Forgets the last body.</summary>
    public void Forget() => _reader = default;

    /// <summary>True when the whole body has been read from the source.</summary>
    public bool IsSourceComplete => _reader.IsComplete;

    /// <summary>Bytes of this body so far, without any framing.</summary>
    public long BodyBytes => _reader.Taken;

    /// <summary>Bytes of this body that went from kernel to kernel.</summary>
    public long SplicedBytes { get; private set; }

    /// <summary>True while it waits for the source to send more, rather than for the sink to take it.</summary>
    public bool AwaitsSource => Volatile.Read(ref _wait) != NotWaiting;

    /// <summary>From now on the rest is read and thrown away: its receiver does not want it any more.</summary>
    public void Discard() => _discarding = true;

    /// <summary>
    /// Sends a byte ahead of the next chunk, from any thread, to see whether the sink is still there: a zero in front of its size, which
    /// may have any number of them, the last chunk's too (RFC 9112 section 7.1). False when the connection is over; null when nothing could
    /// be sent, because no chunk is about to begin.
    /// </summary>
    public bool? ProbeSink()
    {
        if (Interlocked.CompareExchange(ref _wait, Probing, WaitingBetweenChunks) != WaitingBetweenChunks)
        {
            return null;
        }

        bool? sent = _sink.TrySendAhead((byte)'0');
        Volatile.Write(ref _wait, WaitingBetweenChunks);
        return sent;
    }

    /// <summary>
    /// Copies the body behind what was written to the sink, without sending, if all of it has been received and is small. False, with
    /// nothing changed, if not.
    /// </summary>
    public bool TryCopyWhole()
    {
        var received = _source.Received;
        if (received.Length > TransportLimits.SmallBufferBytes)
        {
            return false;
        }

        var reader = _reader;
        var probe = reader;
        int offset = 0;
        int total = 0;
        ChunkEvent e;
        while ((e = probe.Next(received[offset..], out int consumed, out _, out int length)) == ChunkEvent.Data)
        {
            offset += consumed;
            total += length;
        }

        if (e != ChunkEvent.End)
        {
            return false;
        }

        var writer = new HeadWriter(_sink.GetOutgoing(total + (2 * TransportLimits.BufferReserveBytes)));
        if (_chunkedOut && total > 0)
        {
            writer.WriteChunkSize(total);
        }

        offset = 0;
        while (true)
        {
            e = reader.Next(received[offset..], out int consumed, out int start, out int length);
            writer.Write(received.Slice(offset + start, length));
            offset += consumed;
            if (e == ChunkEvent.End)
            {
                break;
            }
        }

        if (_chunkedOut)
        {
            writer.Write(total > 0 ? "\r\n0\r\n\r\n"u8 : "0\r\n\r\n"u8);
        }

        _sink.CommitOutgoing(writer.Length);
        _source.Consume(offset);
        _reader = reader;
        return true;
    }

    /// <summary>Moves the whole body.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<PumpOutcome> RunAsync()
    {
        _filled = _source.IsFull;
        await GatherAsync(PrepareGather()).ConfigureAwait(false);

        while (true)
        {
            bool ended = TakeRun();
            if (
                IsPlainRun
                    ? await _sink.SendReceivedAsync(_source, _run.Start, _run.Length).ConfigureAwait(false) < 0 && !_discarding
                    : OwesRun(ended) && !await SendRunAsync(ended).ConfigureAwait(false) && !_discarding
            )
            {
                return PumpOutcome.SinkFailed;
            }

            _source.Consume(_consumed);
            if (ended || _broken)
            {
                return ended ? PumpOutcome.Complete : PumpOutcome.SourceBroken;
            }

            progress.OnProgress();
            await TakeTurnAsync(0).ConfigureAwait(false);
            if (TakeShortcut() is { } shortcut)
            {
                if (await shortcut.ConfigureAwait(false) is { } outcome)
                {
                    return outcome;
                }

                continue;
            }

            // A head still waits for a first piece of body, or a chunk for its end, but none is here: it does not wait any longer (an event
            // stream may be silent for long).
            if (
                (_sink.OutgoingLength > 0 || OwesEndOfChunk)
                && _source.Arm()
                && !await FlushOwedAsync().ConfigureAwait(false)
                && !_discarding
            )
            {
                return PumpOutcome.SinkFailed;
            }

            BeginWait();
            int received = await _source.ReceiveAsync().ConfigureAwait(false);
            EndWait();
            if (received > 0)
            {
                _turnBytes += received;
                NoteReceived(received);
                progress.OnProgress();
                continue;
            }

            if (received < 0 || _reader.Kind != BodyKind.UntilClose)
            {
                return PumpOutcome.SourceCut;
            }

            _run = default;
            return _discarding || await SendRunAsync(ended: true).ConfigureAwait(false) ? PumpOutcome.Complete : PumpOutcome.SinkFailed;
        }
    }

    /// <summary>Makes room for what comes next, and begins to move it in a shorter way where there is one.</summary>
    private ValueTask<PumpOutcome?>? TakeShortcut()
    {
        if (MaySplice && SplicePipe.TryRent() is { } pipe)
        {
            return SpliceAsync(pipe);
        }

        GrowBuffer();
        return MayRelay ? RelayAsync() : null;
    }

    /// <summary>True when whatever comes next goes on as it is.</summary>
    private bool MayRelay =>
        _reader.Kind == BodyKind.UntilClose
        && !_chunkedOut
        && !_large
        && !_discarding
        && !_source.IsArmed
        && _source.ReceivedLength == 0
        && _sink.OutgoingLength == 0;

    /// <summary>
    /// The short way for messages of tunnels, one of which fits the buffer: nothing is looked for in them. How the body ended; null when
    /// what was received wants the long way.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<PumpOutcome?> RelayAsync()
    {
        while (true)
        {
            BeginWait();
            int received = await _source.ReceiveAsync().ConfigureAwait(false);
            EndWait();
            if (received <= 0)
            {
                return received < 0 ? PumpOutcome.SourceCut : PumpOutcome.Complete;
            }

            _turnBytes += received;
            progress.OnProgress();
            NoteReceived(received);
            if (_filled || _discarding || _turnBytes >= ForwardingLimits.PumpTurnBytes)
            {
                return null;
            }

            _reader.Skip(received);
            int sent = await _sink.SendReceivedAsync(_source, 0, received).ConfigureAwait(false);
            _source.Consume(received);
            if (sent < 0)
            {
                return _discarding ? null : PumpOutcome.SinkFailed;
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask GatherAsync(int missing)
    {
        while (missing > 0 && !_source.Arm() && await _source.ReceiveAsync().ConfigureAwait(false) is > 0 and var more)
        {
            missing -= more;
        }
    }

    private bool OwesRun(bool ended) => !_discarding && (_run.Length > 0 || (ended && (_chunkedOut || _sink.OutgoingLength > 0)));

    /// <summary>True when what was found goes on as it is: nothing is put around it, and nothing waits to go before it.</summary>
    private bool IsPlainRun => _run.Length > 0 && !_chunkedOut && !_discarding && _sink.OutgoingLength == 0;

    /// <summary>Gives others a turn after so many bytes.</summary>
    private ValueTask TakeTurnAsync(int moved)
    {
        _turnBytes += moved;
        if (_turnBytes < ForwardingLimits.PumpTurnBytes)
        {
            return default;
        }

        _turnBytes = 0;
        return YieldAsync();

        static async ValueTask YieldAsync() => await EventLoop.NextTurn();
    }

    /// <summary>
    /// Makes room for a whole body of middling length whose first part filled the buffer, while its head still waits to be sent: it then
    /// goes out in one piece. How much is missing, or 0.
    /// </summary>
    private int PrepareGather()
    {
        long missing = _reader.RemainingKnown - _source.ReceivedLength;
        if (
            _chunkedOut
            || _discarding
            || _sink.OutgoingLength == 0
            || missing <= 0
            || _reader.RemainingKnown > ForwardingLimits.GatherBytesMax
            || !_source.IsFull
            || _source.IsArmed
        )
        {
            return 0;
        }

        _source.EnsureRoom((int)missing);
        return (int)missing;
    }

    /// <summary>Finds and joins all data received so far. True when the body ends within it.</summary>
    private bool TakeRun()
    {
        _consumed = 0;
        _run = default;
        while (true)
        {
            var received = _source.Received;
            var e = _reader.Next(received[_consumed..], out int consumed, out int start, out int length);
            start += _consumed;
            _consumed += consumed;
            switch (e)
            {
                case ChunkEvent.Data:
                    _run.Add(_source, start, length, _chunkedOut);
                    break;
                case ChunkEvent.Trailer when _reader.DropsTrailers:
                    break;
                case ChunkEvent.Trailer:
                    (_trailers ??= new TrailerBuffer()).Add(received.Slice(start, length));
                    break;
                case ChunkEvent.End:
                    return true;
                default:
                    _broken = e == ChunkEvent.Broken;
                    return false;
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> SendRunAsync(bool ended)
    {
        // A head that waits to be sent takes a first piece along: to copy that costs less than to send twice.
        if (_sink.OutgoingLength > 0)
        {
            bool fits = _run.Length <= ForwardingLimits.GatherBytesMax;
            if (fits && _run.Length > 0)
            {
                WriteSmallRun();
            }

            if (!await FlushAsync().ConfigureAwait(false))
            {
                return false;
            }

            if (fits && !ended)
            {
                return true;
            }

            _run.Length = fits ? 0 : _run.Length;
        }

        bool tailSent = false;
        if (_run.Length > 0 && await SendInPlaceAsync(ended, out tailSent).ConfigureAwait(false) < 0)
        {
            return false;
        }

        if (!ended || !_chunkedOut || tailSent)
        {
            return true;
        }

        WriteEnd();
        return await FlushAsync().ConfigureAwait(false);
    }

    private void WriteSmallRun()
    {
        var run = _source.Received.Slice(_run.Start, _run.Length);
        var writer = new HeadWriter(_sink.GetOutgoing(_run.Length + (2 * TransportLimits.BufferReserveBytes)));
        if (_chunkedOut)
        {
            writer.WriteChunkSize(_run.ChunkLength);
        }

        writer.Write(run);
        if (_chunkedOut)
        {
            writer.Write("\r\n"u8);
        }

        _sink.CommitOutgoing(writer.Length);
    }

    private ValueTask<int> SendInPlaceAsync(bool ended, out bool tailSent)
    {
        tailSent = false;
        if (!_chunkedOut)
        {
            return _sink.SendReceivedAsync(_source, _run.Start, _run.Length);
        }

        var tail = ended && _trailers is not { IsEmpty: false } ? "\r\n0\r\n\r\n"u8 : "\r\n"u8;
        bool roomBehind = (_consumed == _source.ReceivedLength && !_source.IsArmed) || _consumed - _run.End >= tail.Length;
        tailSent = roomBehind && tail.Length > 2;
        bool owed = _owesCrlf;
        _owesCrlf = !roomBehind;
        return _sink.SendChunkAsync(_source, _run.Start, _run.Length, _run.ChunkLength, owed, roomBehind ? tail : default);
    }

    private void WriteEnd()
    {
        WriteOwed();
        _sink.Write("0\r\n"u8);
        _sink.Write(_trailers is null ? default : _trailers.Written);
        _sink.Write("\r\n"u8);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> FlushAsync(bool more = false)
    {
        int sent = await _sink.FlushAsync(more).ConfigureAwait(false);
        _sink.ReleaseOutgoing();
        return sent >= 0;
    }

    /// <summary>
    /// True when the chunk that the source sent has come to its end, and has none here yet. In the middle of one the end waits for the next
    /// frame.
    /// </summary>
    private bool OwesEndOfChunk => _owesCrlf && !_discarding && (_reader.Kind != BodyKind.Chunked || _reader.DataBytes == 0);

    private ValueTask<bool> FlushOwedAsync()
    {
        WriteOwed();
        return FlushAsync();
    }

    private void WriteOwed()
    {
        if (_owesCrlf)
        {
            _sink.Write("\r\n"u8);
            _owesCrlf = false;
        }
    }

    /// <summary>The source has to send more. What the sink was sent is whole, but for a chunk of the source that goes on.</summary>
    private void BeginWait() =>
        Volatile.Write(ref _wait, _chunkedOut && !_owesCrlf && !_discarding && _sink.OutgoingLength == 0 ? WaitingBetweenChunks : Waiting);

    private void EndWait()
    {
        var spin = default(SpinWait);
        while (Volatile.Read(ref _wait) != Waiting && Interlocked.CompareExchange(ref _wait, NotWaiting, WaitingBetweenChunks) == Probing)
        {
            spin.SpinOnce(sleep1Threshold: -1); // Within a send that does not wait.
        }

        Volatile.Write(ref _wait, NotWaiting);
    }

    /// <summary>Remembers how much comes at once.</summary>
    private void NoteReceived(int received)
    {
        _filled = _source.IsFull;
        _littleInARow = received < TransportLimits.SmallBufferBytes / 2 ? _littleInARow + 1 : 0;
    }

    /// <summary>
    /// A body that comes faster than a small buffer takes it gets a large one. To announce a long body is not enough: its bytes must be
    /// there, or thousands of clients that announce and then fall silent would hold a large buffer each.
    /// </summary>
    private void GrowBuffer()
    {
        if (_source.IsArmed)
        {
            return;
        }

        _large =
            _large
            || (_filled && _source.ReceiveBufferBytes >= TransportLimits.SmallBufferBytes)
            || (_reader.RemainingKnown is > TransportLimits.SmallBufferBytes and < long.MaxValue && _source.IsReadable());
        if (
            _littleInARow >= ForwardingLimits.LittleReceivesInARow
            && _large
            && _source.ReceivedLength == 0
            && _reader.RemainingKnown == long.MaxValue
        )
        {
            // Whoever spoke at length has gone over to short messages, or to silence.
            _large = false;
            _source.Shrink();
        }

        // Not what a connection waits in.
        _source.EnsureRoom(_large ? TransportLimits.LargeBufferBytes / 2 : TransportLimits.WaitBufferBytes);
    }
}
