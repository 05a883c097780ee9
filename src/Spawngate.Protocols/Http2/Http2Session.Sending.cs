namespace Spawngate.Protocols.Http2;

/// <content>What is written on streams: heads, data, trailers. All goes into spans of the caller, after what <see cref="WriteControl"/>
/// has.</content>
public sealed partial class Http2Session
{
    /// <summary>Size of the header that <see cref="WriteDataHeader"/> puts in front of data.</summary>
    public const int DataHeaderSize = FrameHeader.Size;

    /// <summary>True when heads and data may be written on the stream in that slot.</summary>
    public bool MaySend(int slot) => _streams[slot].MaySend;

    /// <summary>
    /// Bytes of data that one frame of that stream may have now: what its window, the connection's and the client's largest frame allow.
    /// </summary>
    public int SendQuota(int slot) => Math.Max(0, Math.Min(Math.Min(_streams[slot].Send.Available, _send.Available), _peer.MaxFrameSize));

    /// <summary>Bytes that a head takes at most: a backend's response, and what the caller adds to it.</summary>
    /// <param name="headBytes">Bytes of the head over HTTP/1.1, 0 for none.</param>
    /// <param name="fields">Number of its fields and of those the caller adds, :status included.</param>
    /// <param name="addedBytes">Bytes of names and values that the caller adds.</param>
    public static int HeadBytesNeeded(int headBytes, int fields, int addedBytes)
    {
        int block = headBytes + addedBytes + (fields * CodecLimits.HpackFieldOverheadBytes) + CodecLimits.HpackFieldOverheadBytes;
        return block + (FrameHeader.Size * (1 + (block / CodecLimits.FrameBytes)));
    }

    /// <summary>
    /// Begins a head or a trailer section. What is written into the returned writer must be sent, as the next frames of the connection: it
    /// changes the compression state of both sides. Ends with <see cref="EndHead"/>.
    /// </summary>
    /// <param name="target">At least <see cref="HeadBytesNeeded"/> bytes.</param>
    /// <param name="slot">A stream that <see cref="MaySend"/>.</param>
    public HeaderBlockWriter BeginHead(Span<byte> target, int slot)
    {
        if (!_streams[slot].MaySend)
        {
            throw new InvalidOperationException($"nothing can be sent on a stream that is {_streams[slot].State}");
        }

        return new HeaderBlockWriter(_encoder, target, _streams[slot].IsTunnel);
    }

    /// <summary>
    /// Ends a head or a trailer section: puts its frames in order. Returns the bytes written from the start of the target.
    /// </summary>
    /// <param name="slot">The same slot.</param>
    /// <param name="writer">The writer.</param>
    /// <param name="endStream">True when nothing follows on this stream.</param>
    public int EndHead(int slot, ref HeaderBlockWriter writer, bool endStream)
    {
        ref var stream = ref _streams[slot];
        int length = writer.Finish(stream.Id, endStream, _peer.MaxFrameSize);
        stream.HasResponse |= writer.IsFinal;
        if (endStream)
        {
            EndLocal(slot);
        }

        return length;
    }

    /// <summary>Writes the header of a DATA frame; the data lies, or is put, behind it. Returns <see cref="DataHeaderSize"/>.</summary>
    /// <param name="target">At least <see cref="DataHeaderSize"/> bytes.</param>
    /// <param name="slot">A stream that <see cref="MaySend"/>.</param>
    /// <param name="length">Bytes of data, at most <see cref="SendQuota"/>.</param>
    /// <param name="endStream">True when nothing follows on this stream.</param>
    public int WriteDataHeader(Span<byte> target, int slot, int length, bool endStream)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, SendQuota(slot));
        ref var stream = ref _streams[slot];
        if (!stream.MaySend)
        {
            throw new InvalidOperationException($"nothing can be sent on a stream that is {stream.State}");
        }

        stream.Send.Take(length);
        _send.Take(length);
        _budget.EarnDataBytes(length);
        if (stream.Send.Available > 0 && _send.Available > 0)
        {
            _budget.EarnDataFrame();
        }

        new FrameHeader(length, FrameType.Data, endStream ? FrameFlags.EndStream : FrameFlags.None, stream.Id).Write(target);
        if (endStream)
        {
            EndLocal(slot);
        }

        return DataHeaderSize;
    }

    private void EndLocal(int slot)
    {
        ref var stream = ref _streams[slot];
        stream.State = StreamRules.LocalEnded(stream.State);
        _budget.EarnResponse();
        if (stream.State == StreamState.Closed)
        {
            Close(slot, ClosedBy.End);
        }
    }
}
