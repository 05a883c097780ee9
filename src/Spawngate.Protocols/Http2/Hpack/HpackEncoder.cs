namespace Spawngate.Protocols.Http2.Hpack;

/// <summary>
/// Encodes header blocks (RFC 7541 section 6): names in lower case, what repeats as an index, the rest in the Huffman code where that is
/// shorter.
/// </summary>
/// <remarks>
/// Entries of the table are found by two hashes, of the name and of the whole field. A bucket holds the number of the newest entry, an
/// entry that of the next older one; numbers of evicted entries end a chain, so evicting costs nothing here.
/// </remarks>
public sealed class HpackEncoder
{
    private const int Buckets = 128;
    private const byte Indexed = 0x80;
    private const byte LiteralIndexing = 0x40;
    private const byte SizeUpdate = 0x20;
    private const byte LiteralNever = 0x10;
    private const byte Literal = 0x00;

    private readonly DynamicTable _table;
    private readonly int _ownSizeMax;
    private uint[] _byName = [];
    private uint[] _byField = [];
    private int _smallestSize = int.MaxValue;

    /// <summary>Makes an encoder with an empty table.</summary>
    /// <param name="tableSizeMax">Most it uses, whatever the peer allows.</param>
    public HpackEncoder(int tableSizeMax)
    {
        _ownSizeMax = tableSizeMax;
        _table = new DynamicTable(Math.Min(tableSizeMax, CodecLimits.HpackTableBytes));
    }

    /// <summary>Size of the dynamic table as RFC 7541 section 4.1 counts it.</summary>
    public int TableSize => _table.Size;

    /// <summary>Bytes of its arrays.</summary>
    internal int HeldBytes => _table.HeldBytes + (sizeof(uint) * (_byName.Length + _byField.Length));

    /// <summary>Takes up SETTINGS_HEADER_TABLE_SIZE of the peer; the next block says so at its start (RFC 7541 section 4.2).</summary>
    /// <param name="sizeMax">The setting's value.</param>
    public void SetTableSizeLimit(uint sizeMax)
    {
        int size = (int)Math.Min((uint)_ownSizeMax, sizeMax);
        if (size != _table.SizeMax || _smallestSize != int.MaxValue)
        {
            _smallestSize = Math.Min(_smallestSize, size);
            _table.Resize(size);
        }
    }

    /// <summary>Begins a block: writes the sizes that changed since the last one. Returns the length.</summary>
    /// <param name="target">At least <see cref="CodecLimits.HpackFieldOverheadBytes"/> bytes.</param>
    public int Begin(Span<byte> target)
    {
        if (_smallestSize == int.MaxValue)
        {
            return 0;
        }

        int length = HpackInteger.Write(target, SizeUpdate, 5, _smallestSize);
        if (_smallestSize != _table.SizeMax)
        {
            length += HpackInteger.Write(target[length..], SizeUpdate, 5, _table.SizeMax);
        }

        _smallestSize = int.MaxValue;
        return length;
    }

    /// <summary>Encodes <c>:status</c>. Returns the length.</summary>
    public int EncodeStatus(Span<byte> target, int status)
    {
        int index = status switch
        {
            200 => 0,
            204 => 1,
            206 => 2,
            304 => 3,
            400 => 4,
            404 => 5,
            500 => 6,
            _ => -1,
        };
        if (index >= 0)
        {
            target[0] = (byte)(Indexed | (StaticTable.Status200 + index));
            return 1;
        }

        ReadOnlySpan<byte> digits = [(byte)('0' + (status / 100)), (byte)('0' + (status / 10 % 10)), (byte)('0' + (status % 10))];
        return Encode(target, ":status"u8, digits, Indexing.Always);
    }

    /// <summary>Encodes one field. Returns the length.</summary>
    /// <param name="target">At least name, value and <see cref="CodecLimits.HpackFieldOverheadBytes"/>.</param>
    /// <param name="name">In lower case.</param>
    /// <param name="value">The value.</param>
    public int Encode(Span<byte> target, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) =>
        Encode(target, name, value, IndexingPolicy.Of(name));

    /// <summary>Encodes one field that way. Returns the length.</summary>
    public int Encode(Span<byte> target, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, Indexing indexing)
    {
        uint nameHash = HpackHash.OfName(name);
        uint fieldHash = HpackHash.OfField(nameHash, value);
        int nameIndex = StaticTable.Find(name, nameHash);
        if (indexing != Indexing.Never)
        {
            int index = nameIndex > 0 ? FindStaticValue(nameIndex, name, value) : 0;
            index = index > 0 ? index : FindField(name, value, fieldHash);
            if (index > 0)
            {
                return HpackInteger.Write(target, Indexed, 7, index);
            }
        }

        nameIndex = nameIndex > 0 ? nameIndex : FindName(name, nameHash);
        bool enters =
            (indexing == Indexing.Always || (indexing == Indexing.ForName && nameIndex == 0))
            && name.Length + value.Length + DynamicTable.EntryOverhead <= _table.SizeMax / 4;
        int length = enters
            ? HpackInteger.Write(target, LiteralIndexing, 6, nameIndex)
            : HpackInteger.Write(target, indexing == Indexing.Never ? LiteralNever : Literal, 4, nameIndex);
        if (nameIndex == 0)
        {
            length += WriteString(target[length..], name);
        }

        length += WriteString(target[length..], value);
        if (enters)
        {
            Insert(name, value, nameHash, fieldHash);
        }

        return length;
    }

    private static int WriteString(Span<byte> target, ReadOnlySpan<byte> text)
    {
        int coded = HuffmanCode.EncodedLength(text);
        if (coded >= text.Length)
        {
            int prefix = HpackInteger.Write(target, 0, 7, text.Length);
            text.CopyTo(target[prefix..]);
            return prefix + text.Length;
        }

        int length = HpackInteger.Write(target, 0x80, 7, coded);
        return length + HuffmanCode.Encode(text, target.Slice(length, coded));
    }

    /// <summary>Of the names that are in the static table several times: the entry that has the value too.</summary>
    private static int FindStaticValue(int index, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        for (
            ;
            index <= StaticTable.Count
                && (value.IsEmpty || !StaticTable.Value(index).IsEmpty)
                && StaticTable.Name(index).SequenceEqual(name);
            index++
        )
        {
            if (StaticTable.Value(index).SequenceEqual(value))
            {
                return index;
            }
        }

        return 0;
    }

    private int FindField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, uint hash)
    {
        if (_byField.Length == 0)
        {
            return 0;
        }

        uint number = _byField[hash % Buckets];
        while (_table.IsLive(number))
        {
            ref var entry = ref _table.ByNumber(number);
            if (entry.FieldHash == hash && _table.NameOf(entry).SequenceEqual(name) && _table.ValueOf(entry).SequenceEqual(value))
            {
                return IndexOf(number);
            }

            if (!_table.IsOlder(entry.NextByField, number))
            {
                break;
            }

            number = entry.NextByField;
        }

        return 0;
    }

    private int FindName(ReadOnlySpan<byte> name, uint hash)
    {
        if (_byName.Length == 0)
        {
            return 0;
        }

        uint number = _byName[hash % Buckets];
        while (_table.IsLive(number))
        {
            ref var entry = ref _table.ByNumber(number);
            if (entry.NameHash == hash && _table.NameOf(entry).SequenceEqual(name))
            {
                return IndexOf(number);
            }

            if (!_table.IsOlder(entry.NextByName, number))
            {
                break;
            }

            number = entry.NextByName;
        }

        return 0;
    }

    private int IndexOf(uint number) => StaticTable.Count + 1 + (int)(_table.Inserted - number);

    private void Insert(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, uint nameHash, uint fieldHash)
    {
        if (_byName.Length == 0)
        {
            _byName = new uint[Buckets];
            _byField = new uint[Buckets];
        }

        // Bucket 0 of a new array means entry 0, which never existed: numbers begin at 1.
        if (!_table.Insert(name, value, default))
        {
            return;
        }

        uint number = _table.Inserted;
        ref var entry = ref _table.ByNumber(number);
        entry.NameHash = nameHash;
        entry.FieldHash = fieldHash;
        entry.NextByName = _byName[nameHash % Buckets];
        entry.NextByField = _byField[fieldHash % Buckets];
        _byName[nameHash % Buckets] = _byField[fieldHash % Buckets] = number;
    }
}
