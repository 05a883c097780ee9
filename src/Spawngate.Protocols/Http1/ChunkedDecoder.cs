namespace Spawngate.Protocols.Http1;

/// <summary>What <see cref="ChunkedDecoder.Next"/> found.</summary>
public enum ChunkEvent : byte
{
    /// <summary>More bytes are needed.</summary>
    NeedMore,

    /// <summary>A piece of body data: the event's slice.</summary>
    Data,

    /// <summary>A trailer field line without its CRLF: the event's slice.</summary>
    Trailer,

    /// <summary>The body is complete.</summary>
    End,

    /// <summary>The coding is broken; where the body ends can no longer be known.</summary>
    Broken,
}

/// <summary>
/// Reads the chunked transfer coding (RFC 9112 section 7.1), strictly. Chunk extensions are checked and dropped.
/// </summary>
/// <param name="allowsPadding">
/// True to take a size line with blanks around what it says, as RFC 2616 section 2.1 allowed and some servers still send it. For responses
/// only: of two parties that read a request one might refuse it.
/// </param>
/// <remarks>
/// <code>
///        ┌────────────── CRLF ─────────────┐
///        ▼                                 │
///  Size ─── size&gt;0 [ext] CRLF ──▶ Data ──▶ DataEnd
///    │
///    └── size=0 [ext] CRLF ──▶ Trailers ── CRLF ──▶ Done
///                               └ field-line CRLF ┘ (repeated)
/// </code>
/// </remarks>
public struct ChunkedDecoder(bool allowsPadding)
{
    private enum Stage : byte
    {
        Size,
        Data,
        DataEnd,
        Trailers,
        Done,
        Broken,
    }

    private Stage _stage;
    private long _size;
    private long _remaining;
    private int _trailerBytes;

    /// <summary>True when the last chunk and the trailers have been read.</summary>
    public readonly bool IsDone => _stage == Stage.Done;

    /// <summary>Bytes of data of the chunk whose size line was read last.</summary>
    public readonly long ChunkBytes => _size;

    /// <summary>Bytes that come next and are data of this chunk; 0 in front of anything else.</summary>
    public readonly long DataBytes => _stage == Stage.Data ? _remaining : 0;

    /// <summary>So many of <see cref="DataBytes"/> went another way.</summary>
    public void Skip(long bytes)
    {
        _remaining -= bytes;
        _stage = _remaining == 0 ? Stage.DataEnd : Stage.Data;
    }

    /// <summary>Reads one event off the front of the input.</summary>
    /// <param name="input">Bytes not consumed yet.</param>
    /// <param name="consumed">How many of them this event used up. With NeedMore an unfinished line stays.</param>
    /// <param name="start">Offset of the event's slice in the input.</param>
    /// <param name="length">Length of the event's slice.</param>
    public ChunkEvent Next(ReadOnlySpan<byte> input, out int consumed, out int start, out int length)
    {
        consumed = start = length = 0;
        while (true)
        {
            var rest = input[consumed..];
            switch (_stage)
            {
                case Stage.Size:
                    if (!ReadSizeLine(rest, out int used))
                    {
                        return _stage == Stage.Broken ? ChunkEvent.Broken : ChunkEvent.NeedMore;
                    }

                    consumed += used;
                    break;
                case Stage.Data:
                    if (rest.IsEmpty)
                    {
                        return ChunkEvent.NeedMore;
                    }

                    start = consumed;
                    length = (int)Math.Min(_remaining, rest.Length);
                    consumed += length;
                    Skip(length);
                    return ChunkEvent.Data;
                case Stage.DataEnd:
                    if (rest.Length < 2)
                    {
                        return rest.IsEmpty || rest[0] == '\r' ? ChunkEvent.NeedMore : Break();
                    }

                    if (rest[0] != '\r' || rest[1] != '\n')
                    {
                        return Break();
                    }

                    consumed += 2;
                    _stage = Stage.Size;
                    break;
                case Stage.Trailers:
                    return NextTrailer(rest, ref consumed, out start, out length);
                case Stage.Done:
                    return ChunkEvent.End;
                default:
                    return ChunkEvent.Broken;
            }
        }
    }

    /// <summary>RFC 9112 section 7.1.1. Returns false when the line is unfinished or broken (then the stage says so).</summary>
    private bool ReadSizeLine(ReadOnlySpan<byte> rest, out int used)
    {
        used = 0;
        int lf = rest[..Math.Min(rest.Length, CodecLimits.ChunkSizeLineBytesMax)].IndexOf((byte)'\n');
        if (lf < 0)
        {
            if (rest.Length >= CodecLimits.ChunkSizeLineBytesMax)
            {
                Break();
            }

            return false;
        }

        if (
            lf == 0
            || rest[lf - 1] != '\r'
            || !TryReadSize(allowsPadding ? Grammar.TrimOws(rest[..(lf - 1)]) : rest[..(lf - 1)], out long size)
        )
        {
            Break();
            return false;
        }

        used = lf + 1;
        _size = _remaining = size;
        _stage = size == 0 ? Stage.Trailers : Stage.Data;
        return true;
    }

    private static bool TryReadSize(ReadOnlySpan<byte> line, out long size)
    {
        size = 0;
        int digits = 0;
        while (digits < line.Length && HexValue(line[digits]) is var value and >= 0)
        {
            if (digits == 16 || size > (long.MaxValue >> 4))
            {
                return false;
            }

            size = (size << 4) | (long)value;
            digits++;
        }

        return digits > 0 && IsExtension(line[digits..]);
    }

    /// <summary>chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) (RFC 9112 section 7.1.1).</summary>
    private static bool IsExtension(ReadOnlySpan<byte> rest)
    {
        if (!Grammar.IsFieldValue(rest))
        {
            return false;
        }

        while (!rest.IsEmpty)
        {
            rest = SkipBws(rest);
            if (rest.IsEmpty || rest[0] != ';')
            {
                return false;
            }

            rest = SkipBws(rest[1..]);
            int nameEnd = rest.IndexOfAny(" \t;="u8);
            var name = nameEnd < 0 ? rest : rest[..nameEnd];
            if (!Grammar.IsToken(name))
            {
                return false;
            }

            rest = rest[name.Length..];
            var next = SkipBws(rest);
            if (!next.IsEmpty && next[0] == '=' && !SkipValue(SkipBws(next[1..]), out rest))
            {
                return false;
            }
        }

        return true;
    }

    private static bool SkipValue(ReadOnlySpan<byte> value, out ReadOnlySpan<byte> rest)
    {
        rest = default;
        if (value.IsEmpty || value[0] != '"')
        {
            int end = value.IndexOfAny(" \t;"u8);
            var token = end < 0 ? value : value[..end];
            rest = value[token.Length..];
            return Grammar.IsToken(token);
        }

        for (int i = 1; i < value.Length; i++)
        {
            if (value[i] == '\\')
            {
                i++;
            }
            else if (value[i] == '"')
            {
                rest = value[(i + 1)..];
                return true;
            }
        }

        return false;
    }

    private ChunkEvent NextTrailer(ReadOnlySpan<byte> rest, ref int consumed, out int start, out int length)
    {
        start = length = 0;
        int lf = rest.IndexOf((byte)'\n');
        if (lf < 0)
        {
            return _trailerBytes + rest.Length > CodecLimits.TrailerBytesMax ? Break() : ChunkEvent.NeedMore;
        }

        _trailerBytes += lf + 1;
        if (lf == 0 || rest[lf - 1] != '\r' || _trailerBytes > CodecLimits.TrailerBytesMax)
        {
            return Break();
        }

        start = consumed;
        length = lf - 1;
        consumed += lf + 1;
        if (length == 0)
        {
            _stage = Stage.Done;
            return ChunkEvent.End;
        }

        return IsFieldLine(rest[..length]) ? ChunkEvent.Trailer : Break();
    }

    private static bool IsFieldLine(ReadOnlySpan<byte> line)
    {
        int colon = line.IndexOf((byte)':');
        return colon > 0 && Grammar.IsToken(line[..colon]) && Grammar.IsFieldValue(line[(colon + 1)..]);
    }

    private static ReadOnlySpan<byte> SkipBws(ReadOnlySpan<byte> rest)
    {
        int i = rest.IndexOfAnyExcept((byte)' ', (byte)'\t');
        return i < 0 ? default : rest[i..];
    }

    private static int HexValue(byte b) =>
        b switch
        {
            >= (byte)'0' and <= (byte)'9' => b - '0',
            >= (byte)'a' and <= (byte)'f' => b - 'a' + 10,
            >= (byte)'A' and <= (byte)'F' => b - 'A' + 10,
            _ => -1,
        };

    private ChunkEvent Break()
    {
        _stage = Stage.Broken;
        return ChunkEvent.Broken;
    }
}
