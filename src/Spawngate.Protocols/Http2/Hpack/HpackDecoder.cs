using System.Buffers;

namespace Spawngate.Protocols.Http2.Hpack;

/// <summary>Decodes header blocks (RFC 7541 section 6), one field at a time.</summary>
/// <remarks>
/// <code>
///  1xxxxxxx  indexed                        01xxxxxx  literal, enters the table     001xxxxx  size of the table
///  0000xxxx  literal                        0001xxxx  literal, never to be indexed
/// </code>
/// Between <see cref="Begin"/> and <see cref="End"/> the block is one span. A block must be decoded to its end, whatever becomes of its
/// fields.
/// </remarks>
public sealed class HpackDecoder
{
    private readonly DynamicTable _table;
    private int _sizeLimit;
    private byte[] _scratch = [];
    private byte[] _own = [];
    private int _updatesLeft;
    private bool _updateOwed;

    /// <summary>Makes a decoder with an empty table.</summary>
    /// <param name="tableSizeMax">What SETTINGS_HEADER_TABLE_SIZE allows the peer.</param>
    public HpackDecoder(int tableSizeMax)
    {
        _sizeLimit = tableSizeMax;
        _table = new DynamicTable(tableSizeMax);
    }

    /// <summary>Size of the dynamic table as RFC 7541 section 4.1 counts it.</summary>
    public int TableSize => _table.Size;

    /// <summary>Bytes of its arrays.</summary>
    internal int HeldBytes => _table.HeldBytes + _own.Length;

    /// <summary>Number of entries in the dynamic table.</summary>
    public int TableCount => _table.Count;

    /// <summary>
    /// Changes what the peer is allowed, once it has acknowledged the setting. A lower limit has to be taken up at the start of the next
    /// block (RFC 7541 section 4.2).
    /// </summary>
    public void SetTableSizeLimit(int tableSizeMax)
    {
        _updateOwed |= tableSizeMax < _table.SizeMax;
        _sizeLimit = tableSizeMax;
    }

    /// <summary>Begins a block of that many bytes.</summary>
    public void Begin(int blockLength)
    {
        // RFC 7541 section 4.2: the smallest size in between and the last one, at the start only.
        _updatesLeft = 2;
        int needed = HuffmanCode.DecodedLengthMax(blockLength);
        if (needed <= CodecLimits.HpackScratchBytesMax)
        {
            _scratch = _own.Length > 0 ? _own : _own = new byte[CodecLimits.HpackScratchBytesMax];
        }
        else
        {
            _scratch = ArrayPool<byte>.Shared.Rent(needed);
        }
    }

    /// <summary>Ends a block, decoded to its end or broken.</summary>
    public void End()
    {
        if (_scratch != _own)
        {
            ArrayPool<byte>.Shared.Return(_scratch);
        }

        _scratch = [];
    }

    /// <summary>Decodes the next field.</summary>
    /// <param name="block">The whole block.</param>
    /// <param name="at">Where in it; 0 at first.</param>
    /// <param name="field">What was decoded; holds until the next call.</param>
    public HpackStatus Next(ReadOnlySpan<byte> block, scoped ref int at, out HpackField field)
    {
        field = default;
        while (at < block.Length)
        {
            int first = block[at];
            if (first >= 0x80)
            {
                return !IsUpdateMissing() && HpackInteger.TryRead(block, ref at, 7, out int index) && TryLookUp(index, ref field)
                    ? HpackStatus.Field
                    : HpackStatus.Broken;
            }

            if ((first & 0xE0) != 0x20)
            {
                return !IsUpdateMissing() && TryReadLiteral(block, ref at, first, ref field) ? HpackStatus.Field : HpackStatus.Broken;
            }

            if (!TryReadSizeUpdate(block, ref at))
            {
                return HpackStatus.Broken;
            }
        }

        return at > 0 && _updateOwed ? HpackStatus.Broken : HpackStatus.End;
    }

    /// <summary>Before the first field: no size update may follow, and one that is owed must have come.</summary>
    private bool IsUpdateMissing()
    {
        _updatesLeft = 0;
        return _updateOwed;
    }

    private bool TryReadSizeUpdate(ReadOnlySpan<byte> block, ref int at)
    {
        if (_updatesLeft-- <= 0 || !HpackInteger.TryRead(block, ref at, 5, out int size) || size > _sizeLimit)
        {
            return false;
        }

        _updateOwed = false;
        _table.Resize(size);
        return true;
    }

    private bool TryLookUp(int index, ref HpackField field)
    {
        if ((uint)(index - 1) < StaticTable.Count)
        {
            field.Name = StaticTable.Name(index);
            field.Value = StaticTable.Value(index);
            field.Traits = StaticTable.TraitsOf(index);
            return true;
        }

        int age = index - StaticTable.Count - 1;
        if ((uint)age >= (uint)_table.Count)
        {
            return false;
        }

        ref var entry = ref _table.ByAge(age);
        field.Name = _table.NameOf(entry);
        field.Value = _table.ValueOf(entry);
        field.Traits = entry.Traits;
        return true;
    }

    private bool TryReadLiteral(ReadOnlySpan<byte> block, scoped ref int at, int first, ref HpackField field)
    {
        bool indexing = first >= 0x40;
        field.NeverIndexed = (first & 0xF0) == 0x10;
        if (!HpackInteger.TryRead(block, ref at, indexing ? 6 : 4, out int index))
        {
            return false;
        }

        int used = 0;
        if (index == 0 ? !TryReadString(block, ref at, ref used, out field.Name) : !TryLookUp(index, ref field))
        {
            return false;
        }

        if (!TryReadString(block, ref at, ref used, out field.Value))
        {
            return false;
        }

        field.Traits = FieldTraits.Classify(field.Name, field.Value);
        if (indexing && _table.Insert(field.Name, field.Value, field.Traits))
        {
            // The table may have moved its text, and with it the name that was looked up.
            ref var entry = ref _table.ByAge(0);
            field.Name = _table.NameOf(entry);
            field.Value = _table.ValueOf(entry);
        }

        return true;
    }

    /// <summary>A string literal (RFC 7541 section 5.2), as it is or decoded into the scratch behind what is in use there.</summary>
    private bool TryReadString(ReadOnlySpan<byte> block, scoped ref int at, scoped ref int scratchUsed, out ReadOnlySpan<byte> text)
    {
        text = default;
        if (at >= block.Length)
        {
            return false;
        }

        bool huffman = block[at] >= 0x80;
        if (!HpackInteger.TryRead(block, ref at, 7, out int length) || length > block.Length - at)
        {
            return false;
        }

        text = block.Slice(at, length);
        at += length;
        if (!huffman)
        {
            return true;
        }

        if (!HuffmanCode.TryDecode(text, _scratch.AsSpan(scratchUsed), out int decoded))
        {
            return false;
        }

        text = _scratch.AsSpan(scratchUsed, decoded);
        scratchUsed += decoded;
        return true;
    }
}
