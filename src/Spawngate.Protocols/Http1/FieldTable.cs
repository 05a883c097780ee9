using System.Runtime.CompilerServices;

namespace Spawngate.Protocols.Http1;

/// <summary>One field line as offsets from the first byte of its head.</summary>
public readonly struct HeaderField
{
    internal HeaderField(KnownHeader known, int nameStart, int nameLength, int valueStart, int valueLength)
    {
        Known = known;
        NameStart = nameStart;
        NameLength = nameLength;
        ValueStart = valueStart;
        ValueLength = valueLength;
    }

    /// <summary>Which of the understood fields it is.</summary>
    public KnownHeader Known { get; }

    /// <summary>Offset of the name.</summary>
    public int NameStart { get; }

    /// <summary>Length of the name in bytes.</summary>
    public int NameLength { get; }

    /// <summary>Offset of the value, white space around it excluded.</summary>
    public int ValueStart { get; }

    /// <summary>Length of the value in bytes.</summary>
    public int ValueLength { get; }

    /// <summary>The name within the bytes of the head.</summary>
    public ReadOnlySpan<byte> Name(ReadOnlySpan<byte> head) => head.Slice(NameStart, NameLength);

    /// <summary>The value within the bytes of the head.</summary>
    public ReadOnlySpan<byte> Value(ReadOnlySpan<byte> head) => head.Slice(ValueStart, ValueLength);
}

/// <summary>
/// The field lines of one head, kept as offsets in a table that is used again for the next head, with what the fields say
/// together about framing and the connection. No strings, no copies.
/// </summary>
/// <param name="allowsEqualLengths">
/// True to take several equal Content-Lengths for one (RFC 9110 section 8.6); then there is one field of them.
/// </param>
public sealed class FieldTable(bool allowsEqualLengths = false)
{
    private HeaderField[] _fields = new HeaderField[16];
    private int _connectionOptions;

    /// <summary>The fields in order of arrival.</summary>
    public ReadOnlySpan<HeaderField> Fields => _fields.AsSpan(0, Count);

    /// <summary>Number of fields.</summary>
    public int Count { get; private set; }

    /// <summary>Value of Content-Length, or -1.</summary>
    public long ContentLength { get; private set; } = -1;

    /// <summary>True when Transfer-Encoding ends with chunked and names nothing else.</summary>
    public bool IsChunked { get; private set; }

    /// <summary>True when there is any Transfer-Encoding.</summary>
    public bool HasTransferEncoding { get; private set; }

    /// <summary><c>Connection: close</c>.</summary>
    public bool ConnectionClose { get; private set; }

    /// <summary><c>Connection: keep-alive</c>.</summary>
    public bool ConnectionKeepAlive { get; private set; }

    /// <summary><c>Connection: upgrade</c>.</summary>
    public bool ConnectionUpgrade { get; private set; }

    /// <summary>True when Connection names options besides close, keep-alive and upgrade, so fields may have to be dropped.</summary>
    public bool ConnectionNominates { get; private set; }

    /// <summary>True when one of those is not itself the name of a hop-by-hop field, so that it may name a trailer field, too.</summary>
    public bool ConnectionNominatesEndToEnd { get; private set; }

    /// <summary>Index of the Host field, or -1.</summary>
    public int HostIndex { get; private set; } = -1;

    private uint _present;

    /// <summary>True when at least one such field is there.</summary>
    public bool Has(KnownHeader header) => (_present & (1u << (int)header)) != 0;

    /// <summary>Forgets everything, to read the next head.</summary>
    public void Reset()
    {
        Count = 0;
        ContentLength = -1;
        HostIndex = -1;
        _present = 0;
        _connectionOptions = 0;
        IsChunked =
            HasTransferEncoding =
            ConnectionClose =
            ConnectionKeepAlive =
            ConnectionUpgrade =
            ConnectionNominates =
            ConnectionNominatesEndToEnd =
                false;
    }

    /// <summary>Reads one field line (RFC 9112 section 5) and notes what it says.</summary>
    /// <param name="head">The head from its first byte.</param>
    /// <param name="start">Offset of the line.</param>
    /// <param name="end">Offset of its CR.</param>
    internal HeadFault Add(ReadOnlySpan<byte> head, int start, int end)
    {
        var line = head[start..end];
        if (line[0] is (byte)' ' or (byte)'\t')
        {
            return HeadFault.LineFolding;
        }

        int colon = line.IndexOf((byte)':');
        if (colon <= 0)
        {
            return HeadFault.BadFieldName;
        }

        var name = line[..colon];
        if (!Grammar.IsToken(name))
        {
            return name[^1] is (byte)' ' or (byte)'\t' ? HeadFault.SpaceBeforeColon : HeadFault.BadFieldName;
        }

        var raw = line[(colon + 1)..];
        if (!Grammar.IsFieldValue(raw))
        {
            return HeadFault.ControlCharacter;
        }

        var value = Grammar.TrimOws(raw);
        int valueStart = value.IsEmpty ? end : start + colon + 1 + raw.IndexOfAnyExcept((byte)' ', (byte)'\t');
        var known = KnownHeaders.Identify(name);
        var fault = Append(known, start, colon, valueStart, value);
        return fault == HeadFault.None && known == KnownHeader.None && KnownHeaders.IsFramingLookalike(name)
            ? HeadFault.LookalikeFieldName
            : fault;
    }

    /// <summary>Adds a field whose name and value have been checked, and notes what it says.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal HeadFault Append(KnownHeader known, int nameStart, int nameLength, int valueStart, ReadOnlySpan<byte> value)
    {
        if (allowsEqualLengths && known == KnownHeader.ContentLength && ContentLength >= 0)
        {
            return TryParseEqualLengths(value, out long length) && length == ContentLength
                ? HeadFault.None
                : HeadFault.RepeatedContentLength;
        }

        if (Count == _fields.Length)
        {
            Array.Resize(ref _fields, _fields.Length * 2);
        }

        _fields[Count] = new HeaderField(known, nameStart, nameLength, valueStart, value.Length);
        var fault = known == KnownHeader.None ? HeadFault.None : Note(known, value);
        Count++;
        _present |= 1u << (int)known;
        return fault;
    }

    /// <summary>Makes the value of the last field longer by that many bytes that were put behind it.</summary>
    internal void ExtendLast(int bytes)
    {
        ref var last = ref _fields[Count - 1];
        last = new HeaderField(last.Known, last.NameStart, last.NameLength, last.ValueStart, last.ValueLength + bytes);
    }

    /// <summary>
    /// Makes a field the last one: its line of <paramref name="bytes"/> bytes has been moved behind all others, to
    /// <paramref name="start"/>.
    /// </summary>
    internal void MoveToEnd(int index, int bytes, int start)
    {
        var moved = _fields[index];
        for (int i = index; i < Count - 1; i++)
        {
            var field = _fields[i + 1];
            _fields[i] = new HeaderField(
                field.Known,
                field.NameStart - bytes,
                field.NameLength,
                field.ValueStart - bytes,
                field.ValueLength
            );
        }

        _fields[Count - 1] = new HeaderField(
            moved.Known,
            start,
            moved.NameLength,
            start + moved.ValueStart - moved.NameStart,
            moved.ValueLength
        );
        HostIndex -= HostIndex > index ? 1 : 0;
    }

    /// <summary>
    /// True when the Connection field names <paramref name="field"/>, so that it must not be forwarded (RFC 9110 section 7.6.1).
    /// </summary>
    public bool IsNominated(ReadOnlySpan<byte> head, in HeaderField field)
    {
        // What we write ourselves from what we understood cannot be taken away by the sender: naming it would be an attack.
        if (field.Known is KnownHeader.Host or KnownHeader.ContentLength or KnownHeader.Via)
        {
            return false;
        }

        var name = field.Name(head);
        foreach (ref readonly var candidate in Fields)
        {
            if (candidate.Known != KnownHeader.Connection)
            {
                continue;
            }

            var rest = candidate.Value(head);
            while (NextListItem(ref rest, out var item))
            {
                if (System.Text.Ascii.EqualsIgnoreCase(item, name))
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>
    /// Takes the next item off a comma-separated list (RFC 9110 section 5.6.1), white space trimmed; empty items are skipped.
    /// </summary>
    public static bool NextListItem(scoped ref ReadOnlySpan<byte> list, out ReadOnlySpan<byte> item)
    {
        while (!list.IsEmpty)
        {
            int comma = list.IndexOf((byte)',');
            item = Grammar.TrimOws(comma < 0 ? list : list[..comma]);
            list = comma < 0 ? default : list[(comma + 1)..];
            if (!item.IsEmpty)
            {
                return true;
            }
        }

        item = default;
        return false;
    }

    private HeadFault Note(KnownHeader known, ReadOnlySpan<byte> value)
    {
        switch (known)
        {
            case KnownHeader.Host:
                if (HostIndex >= 0)
                {
                    return HeadFault.RepeatedHost;
                }

                HostIndex = Count;
                return HeadFault.None;
            case KnownHeader.ContentLength:
                return NoteContentLength(value);
            case KnownHeader.TransferEncoding:
                return NoteTransferEncoding(value);
            case KnownHeader.Connection:
                return NoteConnection(value);
            default:
                return HeadFault.None;
        }
    }

    private HeadFault NoteContentLength(ReadOnlySpan<byte> value)
    {
        if (ContentLength >= 0)
        {
            return HeadFault.RepeatedContentLength;
        }

        if (!(allowsEqualLengths ? TryParseEqualLengths(value, out long length) : Grammar.TryParseLength(value, out length)))
        {
            return HeadFault.BadContentLength;
        }

        ContentLength = length;
        return HeadFault.None;
    }

    /// <summary>One number, or the same one several times, with commas between.</summary>
    private static bool TryParseEqualLengths(ReadOnlySpan<byte> value, out long length)
    {
        int comma = value.IndexOf((byte)',');
        bool isEqual = Grammar.TryParseLength(comma < 0 ? value : Grammar.TrimOws(value[..comma]), out length);
        while (isEqual && comma >= 0)
        {
            value = value[(comma + 1)..];
            comma = value.IndexOf((byte)',');
            isEqual = Grammar.TryParseLength(Grammar.TrimOws(comma < 0 ? value : value[..comma]), out long next) && next == length;
        }

        return isEqual;
    }

    /// <summary>Several lines form one list; chunked must be the last item of all, once (RFC 9112 sections 6.1 and 7).</summary>
    private HeadFault NoteTransferEncoding(ReadOnlySpan<byte> value)
    {
        HasTransferEncoding = true;
        bool any = false;
        var rest = value;
        while (NextListItem(ref rest, out var item))
        {
            any = true;
            if (IsChunked)
            {
                return HeadFault.BadTransferEncoding;
            }

            if (!Grammar.EqualsIgnoreCase(item, "chunked"u8))
            {
                int semicolon = item.IndexOf((byte)';');
                return Grammar.IsToken(semicolon < 0 ? item : Grammar.TrimOws(item[..semicolon]))
                    ? HeadFault.UnknownTransferCoding
                    : HeadFault.BadTransferEncoding;
            }

            IsChunked = true;
        }

        return any ? HeadFault.None : HeadFault.BadTransferEncoding;
    }

    private HeadFault NoteConnection(ReadOnlySpan<byte> value)
    {
        var rest = value;
        while (NextListItem(ref rest, out var item))
        {
            if (!Grammar.IsToken(item) || ++_connectionOptions > CodecLimits.ConnectionOptionsMax)
            {
                return HeadFault.BadConnection;
            }

            if (Grammar.EqualsIgnoreCase(item, "close"u8))
            {
                ConnectionClose = true;
            }
            else if (Grammar.EqualsIgnoreCase(item, "keep-alive"u8))
            {
                ConnectionKeepAlive = true;
            }
            else if (Grammar.EqualsIgnoreCase(item, "upgrade"u8))
            {
                ConnectionUpgrade = true;
            }
            else
            {
                ConnectionNominates = true;
                ConnectionNominatesEndToEnd |= !KnownHeaders.IsHopByHop(KnownHeaders.Identify(item));
            }
        }

        return HeadFault.None;
    }
}
