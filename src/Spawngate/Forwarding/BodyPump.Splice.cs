using System.Runtime.CompilerServices;
using Spawngate.Logging;
using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <content>
/// Long bodies through the kernel alone: their data goes from the source into a pipe and from there to the sink, and is not copied. Of
/// chunks only the frames are read, out of the pipe, and written anew; a few bytes of data that are read along with one go out behind the
/// new one.
/// <code>
///  source ══▶ pipe:  data ... │ \r\n 4000 \r\n data ... │ \r\n 4000 \r\n data
///                      │             │        │
///                      ▼             ▼        ▼
///                     sink         read     sink, behind a frame for as much of this chunk as the pipe has
/// </code>
/// </content>
internal sealed partial class BodyPump
{
    private bool _spliceWaits;
    private int _smallMoves;

    /// <summary>
    /// True when the rest may go through the kernel alone: its sender is faster than a large buffer, and much is left or may be, in long
    /// pieces.
    /// </summary>
    private bool MaySplice =>
        _large
        && _filled
        && IsInLongPieces(_reader)
        && !_discarding
        && _source is { ReceivedLength: 0, IsArmed: false }
        && _sink.OutgoingLength == 0;

    private static bool IsInLongPieces(in BodyReader reader) =>
        reader.PieceBytes >= (reader.Kind == BodyKind.Chunked ? ForwardingLimits.SpliceChunkBytesMin : ForwardingLimits.SpliceBytesMin);

    /// <summary>True when frames are to be read or written.</summary>
    private bool IsFramed => _chunkedOut || _reader.Kind == BodyKind.Chunked;

    /// <summary>
    /// Moves data from connection to connection without reading it. Null when the rest, if any, is to be moved as usual; else how the body
    /// ended. Nobody holds a pipe while waiting for more: they are few.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<PumpOutcome?> SpliceAsync(SplicePipe? pipe)
    {
        _smallMoves = 0;
        _filled = false;
        for (; pipe is not null; pipe = SplicePipe.TryRent())
        {
            var outcome = await SpliceReceivedAsync(pipe).ConfigureAwait(false);
            if (!_spliceWaits)
            {
                return outcome;
            }

            if (OwesEndOfChunk && !_source.IsReadable() && !await FlushOwedAsync().ConfigureAwait(false) && !_discarding)
            {
                return PumpOutcome.SinkFailed;
            }

            BeginWait();
            int readable = await _source.WaitReadableAsync().ConfigureAwait(false);
            EndWait();
            if (readable < 0)
            {
                return PumpOutcome.SourceCut;
            }
        }

        return null;
    }

    /// <summary>Moves what is there; <see cref="_spliceWaits"/> says whether more is to be waited for.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<PumpOutcome?> SpliceReceivedAsync(SplicePipe pipe)
    {
        try
        {
            int filled;
            while ((filled = pipe.Fill(_source, IsFramed ? ForwardingLimits.SpliceFramedBytesMax : _reader.RemainingKnown)) > 0)
            {
                _spliceWaits = false;
                bool emptied = IsFramed ? await EmptyFramedAsync(pipe).ConfigureAwait(false) : await EmptyAsync(pipe).ConfigureAwait(false);
                if (!emptied)
                {
                    return _discarding ? null : PumpOutcome.SinkFailed;
                }

                progress.OnProgress();
                _smallMoves = filled < ForwardingLimits.SpliceBytesMin ? _smallMoves + 1 : 0;
                if (
                    _reader.RemainingKnown == 0
                    || _discarding
                    || _source.ReceivedLength > 0
                    || _smallMoves == ForwardingLimits.SpliceSmallInARow
                )
                {
                    _littleInARow = _smallMoves;
                    return null;
                }

                await TakeTurnAsync(filled).ConfigureAwait(false);
            }

            // An end, an error, or a kernel that cannot: a receive finds it too.
            _spliceWaits = filled == SplicePipe.WouldBlock;
            return null;
        }
        finally
        {
            pipe.Return();
        }
    }

    /// <summary>Moves all that the pipe holds to the sink. False when that takes no more.</summary>
    private ValueTask<bool> EmptyAsync(SplicePipe pipe)
    {
        _reader.Skip(pipe.Length);
        return DrainAsync(pipe, pipe.Length, more: false);
    }

    /// <summary>
    /// Moves the data of the pipe to the sink, and reads what is between. What is not followed by data of a long chunk is left as received,
    /// with all behind it. False when the sink takes no more; what it was not given is left as received, too, if the rest is to be thrown
    /// away.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> EmptyFramedAsync(SplicePipe pipe)
    {
        bool sent = true;
        bool held = false;
        while (sent && pipe.Length > 0)
        {
            var piece = default(BodySlice);
            if (_discarding || (_reader.DataBytes == 0 && !TryReadFrame(pipe, out piece)))
            {
                break;
            }

            int count = (int)Math.Min(_reader.DataBytes, pipe.Length);
            if (_chunkedOut)
            {
                WriteFrame(piece.Length + count);
            }

            _sink.Write(_source.Received.Slice(piece.Start, piece.Length));
            _source.Consume(_source.ReceivedLength);
            held = pipe.Length > count;
            sent = _sink.OutgoingLength == 0 || await FlushAsync(more: pipe.Length > 0).ConfigureAwait(false);
            if (sent)
            {
                // Only now: without its frame the data stays in the pipe, and is received.
                _reader.Skip(count);
                sent = await DrainAsync(pipe, count, held).ConfigureAwait(false);
            }
        }

        // What was to follow at once did not.
        if (held)
        {
            SplicePipe.Push(_sink);
        }

        // Nothing while all is well.
        _source.TakeFrom(pipe, pipe.Length);
        return sent;
    }

    /// <summary>
    /// Reads the frame that the pipe begins with, and finds the data that came along. False, with nothing but the bytes taken, when what
    /// follows is not a long chunk of which more is there.
    /// </summary>
    private bool TryReadFrame(SplicePipe pipe, out BodySlice piece)
    {
        piece = default;
        _source.TakeFrom(pipe, ForwardingLimits.SpliceFrameBytes);
        var probe = _reader;
        if (probe.Next(_source.Received, out _, out int start, out int length) != ChunkEvent.Data || !IsInLongPieces(probe))
        {
            return false;
        }

        // A long chunk does not end in what was taken: its data is all of the rest.
        _reader = probe;
        piece.Add(_source, start, length, _chunkedOut);
        return true;
    }

    private void WriteFrame(int size)
    {
        WriteOwed();
        var writer = new HeadWriter(_sink.GetOutgoing(TransportLimits.BufferReserveBytes));
        writer.WriteChunkSize(size);
        _sink.CommitOutgoing(writer.Length);
        _owesCrlf = true;
    }

    /// <summary>
    /// Moves bytes from the pipe to the sink. When that takes nothing a little is sent as usual, which waits until there is room again.
    /// False when the sink takes no more; the pipe then holds what follows those bytes, if the rest is to be thrown away.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> DrainAsync(SplicePipe pipe, int count, bool more)
    {
        SplicedBytes += count;
        while (count > 0)
        {
            int drained = pipe.Drain(_sink, count, more);
            if (drained > 0)
            {
                count -= drained;
                continue;
            }

            byte[] buffer = BufferPool.Rent(TransportLimits.SmallBufferBytes);
            int read = pipe.Read(buffer.AsSpan(0, Math.Min(count, TransportLimits.SmallBufferBytes)));
            count -= read;
            bool sent =
                read > 0
                && !_discarding
                && drained != SplicePipe.Failed
                && await _sink.SendAsync(buffer, 0, read).ConfigureAwait(false) >= 0;
            while (
                !sent && count > 0 && pipe.Read(buffer.AsSpan(0, Math.Min(count, TransportLimits.SmallBufferBytes))) is > 0 and var dropped
            )
            {
                count -= dropped;
            }

            BufferPool.Return(buffer);
            progress.OnProgress();
            if (!sent)
            {
                return false;
            }
        }

        return true;
    }
}
