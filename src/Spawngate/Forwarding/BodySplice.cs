using System.Runtime.CompilerServices;
using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>
/// Long bodies through the kernel alone: their data goes from the source into a pipe and from there to the sink, and is not copied. Of
/// chunks only the frames are read, out of the pipe, and written anew; a few bytes of data that are read along with one go out behind the
/// new one.
/// <code>
///  source ══▶ pipe:  data ... │ \r\n 4000 \r\n data ... │ \r\n 4000 \r\n data
///                      │             │        │
///                      ▼             ▼        ▼
///                     sink         read     sink, behind a frame for as much of this chunk as the pipe has
/// </code>
/// </summary>
/// <param name="flow">How far the body is.</param>
internal sealed class BodySplice(BodyFlow flow)
{
    private bool _waits;
    private int _smallMoves;

    /// <summary>True when what comes next is in pieces so long that a way around the copy pays.</summary>
    public static bool IsInLongPieces(in BodyReader reader) =>
        reader.PieceBytes >= (reader.Kind == BodyKind.Chunked ? ForwardingLimits.SpliceChunkBytesMin : ForwardingLimits.SpliceBytesMin);

    /// <summary>
    /// Moves data from connection to connection without reading it. Null when the rest, if any, is to be moved as usual; else how the body
    /// ended. Nobody holds a pipe while waiting for more: they are few.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<PumpOutcome?> RunAsync(SplicePipe? pipe)
    {
        _smallMoves = 0;
        flow.Filled = false;
        for (; pipe is not null; pipe = SplicePipe.TryRent())
        {
            var outcome = await MoveReceivedAsync(pipe).ConfigureAwait(false);
            if (!_waits)
            {
                return outcome;
            }

            if (
                flow.OwesEndOfChunk
                && !flow.Source.IsReadable()
                && !await flow.FlushOwedAsync().ConfigureAwait(false)
                && !flow.IsDiscarding
            )
            {
                return PumpOutcome.SinkFailed;
            }

            flow.BeginWait();
            int readable = await flow.AcknowledgedAsync(flow.Source.WaitReadableAsync()).ConfigureAwait(false);
            flow.EndWait();
            if (readable < 0)
            {
                return PumpOutcome.SourceCut;
            }
        }

        return null;
    }

    /// <summary>Moves what is there; <see cref="_waits"/> says whether more is to be waited for.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<PumpOutcome?> MoveReceivedAsync(SplicePipe pipe)
    {
        try
        {
            int filled;
            while (
                (filled = pipe.Fill(flow.Source, flow.IsFramed ? ForwardingLimits.SpliceFramedBytesMax : flow.Reader.RemainingKnown)) > 0
            )
            {
                _waits = false;
                bool emptied = flow.IsFramed
                    ? await EmptyFramedAsync(pipe).ConfigureAwait(false)
                    : await EmptyAsync(pipe).ConfigureAwait(false);
                if (!emptied)
                {
                    return flow.IsDiscarding ? null : PumpOutcome.SinkFailed;
                }

                flow.OnProgress();
                _smallMoves = filled < ForwardingLimits.SpliceBytesMin ? _smallMoves + 1 : 0;
                if (
                    flow.Reader.RemainingKnown == 0
                    || flow.IsDiscarding
                    || flow.Source.ReceivedLength > 0
                    || _smallMoves == ForwardingLimits.SpliceSmallInARow
                )
                {
                    flow.LittleInARow = _smallMoves;
                    return null;
                }

                await flow.TakeTurnAsync(filled).ConfigureAwait(false);
            }

            // An end, an error, or a kernel that cannot: a receive finds it too.
            _waits = filled == SplicePipe.WouldBlock;
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
        flow.Reader.Skip(pipe.Length);
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
            if (flow.IsDiscarding || (flow.Reader.DataBytes == 0 && !TryReadFrame(pipe, out piece)))
            {
                break;
            }

            int count = (int)Math.Min(flow.Reader.DataBytes, pipe.Length);
            if (flow.ChunkedOut)
            {
                WriteFrame(piece.Length + count);
            }

            flow.Sink.Write(flow.Source.Received.Slice(piece.Start, piece.Length));
            flow.Source.Consume(flow.Source.ReceivedLength);
            held = pipe.Length > count;
            sent = flow.Sink.OutgoingLength == 0 || await flow.FlushAsync(more: pipe.Length > 0).ConfigureAwait(false);
            if (sent)
            {
                // Only now: without its frame the data stays in the pipe, and is received.
                flow.Reader.Skip(count);
                sent = await DrainAsync(pipe, count, held).ConfigureAwait(false);
            }
        }

        // What was to follow at once did not.
        if (held)
        {
            SplicePipe.Push(flow.Sink);
        }

        // Nothing while all is well.
        flow.Source.TakeFrom(pipe, pipe.Length);
        return sent;
    }

    /// <summary>
    /// Reads the frame that the pipe begins with, and finds the data that came along. False, with nothing but the bytes taken, when what
    /// follows is not a long chunk of which more is there.
    /// </summary>
    private bool TryReadFrame(SplicePipe pipe, out BodySlice piece)
    {
        piece = default;
        flow.Source.TakeFrom(pipe, ForwardingLimits.SpliceFrameBytes);
        var probe = flow.Reader;
        if (probe.Next(flow.Source.Received, out _, out int start, out int length) != ChunkEvent.Data || !IsInLongPieces(probe))
        {
            return false;
        }

        // A long chunk does not end in what was taken: its data is all of the rest.
        flow.Reader = probe;
        piece.Add(flow.Source, start, length, flow.ChunkedOut);
        return true;
    }

    private void WriteFrame(int size)
    {
        flow.WriteOwed();
        var writer = new HeadWriter(flow.Sink.GetOutgoing(TransportLimits.BufferReserveBytes));
        writer.WriteChunkSize(size);
        flow.Sink.CommitOutgoing(writer.Length);
        flow.OwesCrlf = true;
    }

    /// <summary>
    /// Moves bytes from the pipe to the sink. When that takes nothing a little is sent as usual, which waits until there is room again.
    /// False when the sink takes no more; the pipe then holds what follows those bytes, if the rest is to be thrown away.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> DrainAsync(SplicePipe pipe, int count, bool more)
    {
        flow.SplicedBytes += count;
        while (count > 0)
        {
            int drained = pipe.Drain(flow.Sink, count, more);
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
                && !flow.IsDiscarding
                && drained != SplicePipe.Failed
                && await flow.Sink.SendAsync(buffer, 0, read).ConfigureAwait(false) >= 0;
            while (
                !sent && count > 0 && pipe.Read(buffer.AsSpan(0, Math.Min(count, TransportLimits.SmallBufferBytes))) is > 0 and var dropped
            )
            {
                count -= dropped;
            }

            BufferPool.Return(buffer);
            flow.OnProgress();
            if (!sent)
            {
                return false;
            }
        }

        return true;
    }
}
