using System.Runtime.CompilerServices;
using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

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
internal sealed partial class BodyPump(IProgressWatch progress) : BodyFlow(progress)
{
    private bool _broken;
    private BodySlice _slice;
    private int _consumed;
    private TrailerBuffer? _trailers;
    private BodySplice? _splice;

    /// <summary>Prepares for a body.</summary>
    /// <param name="source">Where its bytes arrive.</param>
    /// <param name="reader">Its framing there.</param>
    /// <param name="sink">Where it goes; bytes written there before go first.</param>
    /// <param name="chunkedOut">True to send it chunked.</param>
    /// <param name="acknowledges">
    /// True when the source may wait for the acknowledgement of one piece before it sends the next: it then gets that at once.
    /// </param>
    public void Begin(SocketChannel source, BodyReader reader, SocketChannel sink, bool chunkedOut, bool acknowledges = false)
    {
        BeginFlow(source, reader, sink, chunkedOut);
        Acknowledges = acknowledges;
        _broken = false;
        _trailers?.Clear();
    }

    /// <summary>Forgets the last body.</summary>
    public void Forget() => Reader = default;

    /// <summary>
    /// Copies the body behind what was written to the sink, without sending, if all of it has been received and is small. False, with
    /// nothing changed, if not.
    /// </summary>
    public bool TryCopyWhole()
    {
        var received = Source.Received;
        if (received.Length > TransportLimits.SmallBufferBytes)
        {
            return false;
        }

        var reader = Reader;
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

        var writer = new HeadWriter(Sink.GetOutgoing(total + (2 * TransportLimits.BufferReserveBytes)));
        if (ChunkedOut && total > 0)
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

        if (ChunkedOut)
        {
            writer.Write(total > 0 ? "\r\n0\r\n\r\n"u8 : "0\r\n\r\n"u8);
        }

        Sink.CommitOutgoing(writer.Length);
        Source.Consume(offset);
        Reader = reader;
        return true;
    }

    /// <summary>Moves the whole body.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<PumpOutcome> RunAsync()
    {
        Filled = Source.IsFull;
        await GatherAsync(PrepareGather()).ConfigureAwait(false);

        while (true)
        {
            bool ended = TakeSlice();
            if (
                IsPlainSlice
                    ? await Sink.SendReceivedAsync(Source, _slice.Start, _slice.Length).ConfigureAwait(false) < 0 && !IsDiscarding
                    : OwesSlice(ended) && !await SendSliceAsync(ended).ConfigureAwait(false) && !IsDiscarding
            )
            {
                return PumpOutcome.SinkFailed;
            }

            Source.Consume(_consumed);
            if (ended || _broken)
            {
                return ended ? PumpOutcome.Complete : PumpOutcome.SourceBroken;
            }

            OnProgress();
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
                (Sink.OutgoingLength > 0 || OwesEndOfChunk)
                && Source.Arm()
                && !await FlushOwedAsync().ConfigureAwait(false)
                && !IsDiscarding
            )
            {
                return PumpOutcome.SinkFailed;
            }

            BeginWait();
            int received = await ReceiveRestAsync().ConfigureAwait(false);
            EndWait();
            if (received > 0)
            {
                TurnBytes += received;
                NoteReceived(received);
                OnProgress();
                continue;
            }

            if (received < 0 || Reader.Kind != BodyKind.UntilClose)
            {
                return PumpOutcome.SourceCut;
            }

            _slice = default;
            return IsDiscarding || await SendSliceAsync(ended: true).ConfigureAwait(false) ? PumpOutcome.Complete : PumpOutcome.SinkFailed;
        }
    }

    private ValueTask<int> ReceiveRestAsync() => AcknowledgedAsync(Source.ReceiveAsync());

    /// <summary>Makes room for what comes next, and begins to move it in a shorter way where there is one.</summary>
    private ValueTask<PumpOutcome?>? TakeShortcut()
    {
        if (MaySplice && SplicePipe.TryRent() is { } pipe)
        {
            return (_splice ??= new BodySplice(this)).RunAsync(pipe);
        }

        GrowBuffer();
        return MayRelay ? RelayAsync() : null;
    }

    /// <summary>
    /// True when the rest may go through the kernel alone: its sender is faster than a large buffer, and much is left or may be, in long
    /// pieces.
    /// </summary>
    private bool MaySplice =>
        Large
        && Filled
        && BodySplice.IsInLongPieces(Reader)
        && !IsDiscarding
        && Source is { ReceivedLength: 0, IsArmed: false }
        && Sink.OutgoingLength == 0
        && Source.Can(SocketCapabilities.Splice)
        && Sink.Can(SocketCapabilities.Splice);

    /// <summary>True when whatever comes next goes on as it is.</summary>
    private bool MayRelay =>
        Reader.Kind == BodyKind.UntilClose
        && !ChunkedOut
        && !Large
        && !IsDiscarding
        && !Source.IsArmed
        && Source.ReceivedLength == 0
        && Sink.OutgoingLength == 0;

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
            int received = await ReceiveRestAsync().ConfigureAwait(false);
            EndWait();
            if (received <= 0)
            {
                return received < 0 ? PumpOutcome.SourceCut : PumpOutcome.Complete;
            }

            TurnBytes += received;
            OnProgress();
            NoteReceived(received);
            if (Filled || IsDiscarding || TurnBytes >= ForwardingLimits.PumpTurnBytes)
            {
                return null;
            }

            Reader.Skip(received);
            int sent = await Sink.SendReceivedAsync(Source, 0, received).ConfigureAwait(false);
            Source.Consume(received);
            if (sent < 0)
            {
                return IsDiscarding ? null : PumpOutcome.SinkFailed;
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask GatherAsync(int missing)
    {
        while (missing > 0 && !Source.Arm() && await Source.ReceiveAsync().ConfigureAwait(false) is > 0 and var more)
        {
            missing -= more;
        }
    }

    private bool OwesSlice(bool ended) => !IsDiscarding && (_slice.Length > 0 || (ended && (ChunkedOut || Sink.OutgoingLength > 0)));

    /// <summary>True when what was found goes on as it is: nothing is put around it, and nothing waits to go before it.</summary>
    private bool IsPlainSlice => _slice.Length > 0 && !ChunkedOut && !IsDiscarding && Sink.OutgoingLength == 0;

    /// <summary>
    /// Makes room for a whole body of middling length whose first part filled the buffer, while its head still waits to be sent: it then
    /// goes out in one piece. How much is missing, or 0.
    /// </summary>
    private int PrepareGather()
    {
        long missing = Reader.RemainingKnown - Source.ReceivedLength;
        if (
            ChunkedOut
            || IsDiscarding
            || Sink.OutgoingLength == 0
            || missing <= 0
            || Reader.RemainingKnown > ForwardingLimits.GatherBytesMax
            || !Source.IsFull
            || Source.IsArmed
        )
        {
            return 0;
        }

        Source.EnsureRoom((int)missing);
        return (int)missing;
    }

    /// <summary>Finds and joins all data received so far. True when the body ends within it.</summary>
    private bool TakeSlice()
    {
        _consumed = 0;
        _slice = default;
        while (true)
        {
            var received = Source.Received;
            var e = Reader.Next(received[_consumed..], out int consumed, out int start, out int length);
            start += _consumed;
            _consumed += consumed;
            switch (e)
            {
                case ChunkEvent.Data:
                    _slice.Add(Source, start, length, ChunkedOut);
                    break;
                case ChunkEvent.Trailer when Reader.DropsTrailers:
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
    private async ValueTask<bool> SendSliceAsync(bool ended)
    {
        // A head that waits to be sent takes a first piece along: to copy that costs less than to send twice.
        if (Sink.OutgoingLength > 0)
        {
            bool fits = _slice.Length <= ForwardingLimits.GatherBytesMax;
            if (fits && _slice.Length > 0)
            {
                WriteSmallSlice();
            }

            if (!await FlushAsync().ConfigureAwait(false))
            {
                return false;
            }

            if (fits && !ended)
            {
                return true;
            }

            _slice.Length = fits ? 0 : _slice.Length;
        }

        bool tailSent = false;
        if (_slice.Length > 0 && await SendInPlaceAsync(ended, out tailSent).ConfigureAwait(false) < 0)
        {
            return false;
        }

        if (!ended || !ChunkedOut || tailSent)
        {
            return true;
        }

        WriteEnd();
        return await FlushAsync().ConfigureAwait(false);
    }

    private void WriteSmallSlice()
    {
        var slice = Source.Received.Slice(_slice.Start, _slice.Length);
        var writer = new HeadWriter(Sink.GetOutgoing(_slice.Length + (2 * TransportLimits.BufferReserveBytes)));
        if (ChunkedOut)
        {
            writer.WriteChunkSize(_slice.ChunkLength);
        }

        writer.Write(slice);
        if (ChunkedOut)
        {
            writer.Write("\r\n"u8);
        }

        Sink.CommitOutgoing(writer.Length);
    }

    private ValueTask<int> SendInPlaceAsync(bool ended, out bool tailSent)
    {
        tailSent = false;
        if (!ChunkedOut)
        {
            return Sink.SendReceivedAsync(Source, _slice.Start, _slice.Length);
        }

        var tail = ended && _trailers is not { IsEmpty: false } ? "\r\n0\r\n\r\n"u8 : "\r\n"u8;
        bool roomBehind = (_consumed == Source.ReceivedLength && !Source.IsArmed) || _consumed - _slice.End >= tail.Length;
        tailSent = roomBehind && tail.Length > 2;
        bool owed = OwesCrlf;
        OwesCrlf = !roomBehind;
        return Sink.SendChunkAsync(Source, _slice.Start, _slice.Length, _slice.ChunkLength, owed, roomBehind ? tail : default);
    }

    private void WriteEnd()
    {
        WriteOwed();
        Sink.Write("0\r\n"u8);
        Sink.Write(_trailers is null ? default : _trailers.Written);
        Sink.Write("\r\n"u8);
    }

    /// <summary>Remembers how much comes at once.</summary>
    private void NoteReceived(int received)
    {
        Filled = Source.IsFull;
        LittleInARow = received < TransportLimits.SmallBufferBytes / 2 ? LittleInARow + 1 : 0;
    }

    /// <summary>
    /// A body that comes faster than a small buffer takes it gets a large one. To announce a long body is not enough: its bytes must be
    /// there, or thousands of clients that announce and then fall silent would hold a large buffer each.
    /// </summary>
    private void GrowBuffer()
    {
        if (Source.IsArmed)
        {
            return;
        }

        Large =
            Large
            || (Filled && Source.ReceiveBufferBytes >= TransportLimits.SmallBufferBytes)
            || (Reader.RemainingKnown is > TransportLimits.SmallBufferBytes and < long.MaxValue && Source.IsReadable());
        if (
            LittleInARow >= ForwardingLimits.LittleReceivesInARow
            && Large
            && Source.ReceivedLength == 0
            && Reader.RemainingKnown == long.MaxValue
        )
        {
            // Whoever spoke at length has gone over to short messages, or to silence.
            Large = false;
            Source.Shrink();
        }

        // Not what a connection waits in.
        Source.EnsureRoom(Large ? TransportLimits.LargeBufferBytes / 2 : TransportLimits.WaitBufferBytes);
    }
}
