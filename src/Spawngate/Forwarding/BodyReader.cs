using Spawngate.Protocols.Http1;

namespace Spawngate.Forwarding;

/// <summary>Finds the data of one body in the bytes received for it, whatever its framing.</summary>
internal struct BodyReader
{
    private readonly BodyKind _kind;
    private long _remaining;
    private long _taken;
    private ChunkedDecoder _chunked;

    /// <summary>Starts at the first byte of a body.</summary>
    /// <param name="framing">Its framing.</param>
    /// <param name="alreadyTaken">Bytes of it, of known length, that went out another way.</param>
    /// <param name="ofResponse">True for a backend's, which may pad its chunk sizes.</param>
    public BodyReader(BodyFraming framing, int alreadyTaken, bool ofResponse = false)
    {
        _chunked = new ChunkedDecoder(allowsPadding: ofResponse);
        _kind = framing.Kind;
        _remaining = framing.Length - alreadyTaken;
        DropsTrailers = framing.DropsTrailers;
    }

    /// <summary>True when trailer fields are not to be sent on.</summary>
    public readonly bool DropsTrailers { get; }

    /// <summary>How the end is known.</summary>
    public readonly BodyKind Kind => _kind;

    /// <summary>True when nothing of the body is left to read.</summary>
    public readonly bool IsComplete =>
        _kind switch
        {
            BodyKind.None => true,
            BodyKind.Length => _remaining == 0,
            BodyKind.Chunked => _chunked.IsDone,
            _ => false,
        };

    /// <summary>Bytes of data so far, without any framing.</summary>
    public readonly long Taken => _taken;

    /// <summary>Bytes known to be left; long.MaxValue when unknown.</summary>
    public readonly long RemainingKnown =>
        _kind == BodyKind.Length ? _remaining
        : _kind == BodyKind.None ? 0
        : long.MaxValue;

    /// <summary>
    /// Bytes that come next and are data for certain: all that are left, as far as that is known, or those of this chunk.
    /// </summary>
    public readonly long DataBytes => _kind == BodyKind.Chunked ? _chunked.DataBytes : RemainingKnown;

    /// <summary>How many bytes of data come in one piece: all of them, or as many as the last chunk had.</summary>
    public readonly long PieceBytes => _kind == BodyKind.Chunked ? _chunked.ChunkBytes : RemainingKnown;

    /// <summary>So many of <see cref="DataBytes"/> went another way.</summary>
    public void Skip(int bytes)
    {
        _taken += bytes;
        if (_kind == BodyKind.Chunked)
        {
            _chunked.Skip(bytes);
        }
        else if (_kind == BodyKind.Length)
        {
            _remaining -= bytes;
        }
    }

    /// <summary>Takes the next event off the front of <paramref name="received"/>; see <see cref="ChunkedDecoder.Next"/>.</summary>
    public ChunkEvent Next(ReadOnlySpan<byte> received, out int consumed, out int start, out int length)
    {
        if (_kind == BodyKind.Chunked)
        {
            var found = _chunked.Next(received, out consumed, out start, out length);
            _taken += found == ChunkEvent.Data ? length : 0;
            return found;
        }

        consumed = start = length = 0;
        if (IsComplete)
        {
            return ChunkEvent.End;
        }

        if (received.IsEmpty)
        {
            return ChunkEvent.NeedMore;
        }

        consumed = length = _kind == BodyKind.UntilClose ? received.Length : (int)Math.Min(_remaining, received.Length);
        _remaining -= length;
        _taken += length;
        return ChunkEvent.Data;
    }
}
