using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Clients.Http2;

/// <summary>Why <see cref="StreamBody.Take"/> stopped.</summary>
internal enum BodyStop : byte
{
    /// <summary>The target is full, or too small for what is there.</summary>
    Full,

    /// <summary>The backend has to send more.</summary>
    Input,

    /// <summary>The body is complete.</summary>
    End,

    /// <summary>Its framing is broken.</summary>
    Broken,
}

/// <summary>The body of a response on its way into DATA frames: that of a backend, out of its framing, or one of our own.</summary>
internal struct StreamBody
{
    private SocketChannel? _source;
    private BodyReader _reader;
    private ReadOnlyMemory<byte> _own;
    private bool _sourceEnded;
    private bool _large;
    private int _taken;

    /// <summary>True when the backend has ended a body that its end marks.</summary>
    public readonly bool IsSourceEnded => _sourceEnded;

    /// <summary>Trailer lines that came with the end, each with CRLF.</summary>
    public List<byte>? Trailers { get; private set; }

    /// <summary>A body of the backend, at the front of its channel.</summary>
    public static StreamBody Of(SocketChannel source, BodyFraming framing) =>
        new() { _source = source, _reader = new BodyReader(framing, 0, ofResponse: true) };

    /// <summary>A body of our own.</summary>
    public static StreamBody Of(ReadOnlyMemory<byte> own) => new() { _own = own };

    /// <summary>Bytes of the backend's body so far, without any framing.</summary>
    public readonly long Bytes => _reader.Taken;

    /// <summary>Copies what is there and fits. Its length, and why it is not more.</summary>
    public int Take(Span<byte> target, out BodyStop stop)
    {
        if (_source is null)
        {
            return TakeOwn(target, out stop);
        }

        int filled = 0;
        while (true)
        {
            var received = _source.Received;
            var probe = _reader;
            var found = probe.Next(received, out int consumed, out int start, out int length);
            if (found == ChunkEvent.Data && length > target.Length - filled)
            {
                int room = target.Length - filled;
                if (room == 0)
                {
                    stop = BodyStop.Full;
                    return filled;
                }

                probe = _reader;
                probe.Next(received[..(start + room)], out consumed, out start, out length);
            }

            _reader = probe;
            if (found == ChunkEvent.Data)
            {
                received.Slice(start, length).CopyTo(target[filled..]);
                filled += length;
            }
            else if (found == ChunkEvent.Trailer)
            {
                (Trailers ??= []).AddRange(received.Slice(start, length));
                Trailers.AddRange("\r\n"u8);
            }

            _source.Consume(consumed);
            _taken += consumed;
            switch (found)
            {
                case ChunkEvent.End:
                    stop = BodyStop.End;
                    return filled;
                case ChunkEvent.Broken:
                    stop = BodyStop.Broken;
                    return filled;
                case ChunkEvent.NeedMore:
                    stop = _sourceEnded ? BodyStop.End : BodyStop.Input;
                    return filled;
            }
        }
    }

    /// <summary>Makes room for more input: a body that goes on beyond a small buffer gets a large one.</summary>
    public void PrepareInput()
    {
        _large |=
            _taken >= TransportLimits.SmallBufferBytes || _reader.RemainingKnown is > TransportLimits.SmallBufferBytes and < long.MaxValue;
        if (_large && !_source!.IsArmed)
        {
            _source.EnsureRoom(TransportLimits.LargeBufferBytes / 2);
        }
    }

    /// <summary>The backend ended its side. False when the body was to go on.</summary>
    public bool EndSource()
    {
        _sourceEnded = _reader.Kind == BodyKind.UntilClose;
        return _sourceEnded;
    }

    private int TakeOwn(Span<byte> target, out BodyStop stop)
    {
        int length = Math.Min(target.Length, _own.Length);
        _own.Span[..length].CopyTo(target);
        _own = _own[length..];
        stop = _own.IsEmpty ? BodyStop.End : BodyStop.Full;
        return length;
    }
}
