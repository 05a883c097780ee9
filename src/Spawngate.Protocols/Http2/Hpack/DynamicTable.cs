using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Spawngate.Protocols.Http2.Hpack;

/// <summary>
/// A dynamic table (RFC 7541 section 2.3.2): a queue of fields bounded by size, in which each counts 32 bytes more than its name and value.
/// </summary>
/// <remarks>
/// <code>
///  text:     … evicted │ oldest entry … newest entry │ free           (grows to twice the table's size; moved to the front when full)
///  entries:  a ring; entry number n is in place n mod its length
/// </code>
/// The text of an entry lies in one piece. Moving happens once per table size written, so it costs less than the writing. Both arrays grow
/// with what is put in: a connection that indexes little has little.
/// </remarks>
public sealed class DynamicTable
{
    /// <summary>What an entry counts besides its bytes (RFC 7541 section 4.1).</summary>
    public const int EntryOverhead = 32;

    /// <summary>One field of the table.</summary>
    internal struct Entry
    {
        /// <summary>Where its text begins.</summary>
        public int Start;

        /// <summary>Length of the name.</summary>
        public int NameLength;

        /// <summary>Length of the value, which lies behind the name.</summary>
        public int ValueLength;

        /// <summary>What it is; of the decoder's table.</summary>
        public FieldTraits Traits;

        /// <summary>Hash of the name; of the encoder's table, like all below.</summary>
        public uint NameHash;

        /// <summary>Hash of the field.</summary>
        public uint FieldHash;

        /// <summary>Number of the next older entry in the same bucket of names.</summary>
        public uint NextByName;

        /// <summary>Number of the next older entry in the same bucket of fields.</summary>
        public uint NextByField;

        /// <summary>What it counts.</summary>
        public readonly int Size => NameLength + ValueLength + EntryOverhead;
    }

    private byte[] _text = [];
    private Entry[] _entries = [];
    private int _textEnd;

    /// <summary>Makes an empty table.</summary>
    /// <param name="sizeMax">Size it may have, which <see cref="Resize"/> may lower or raise.</param>
    public DynamicTable(int sizeMax) => SizeMax = sizeMax;

    /// <summary>Number of entries.</summary>
    public int Count { get; private set; }

    /// <summary>Size of all entries.</summary>
    public int Size { get; private set; }

    /// <summary>Size it may have.</summary>
    public int SizeMax { get; private set; }

    /// <summary>Bytes of its arrays.</summary>
    internal int HeldBytes => _text.Length + (_entries.Length * Unsafe.SizeOf<Entry>());

    /// <summary>How many entries were ever inserted: the newest has this number, the oldest <c>Inserted - Count + 1</c>.</summary>
    internal uint Inserted { get; private set; }

    /// <summary>Sets the size it may have, evicting what no longer fits (RFC 7541 section 4.3).</summary>
    public void Resize(int sizeMax)
    {
        SizeMax = sizeMax;
        Evict(sizeMax);
    }

    /// <summary>
    /// Inserts a field, evicting from the oldest (RFC 7541 section 4.4). A field larger than the table empties it and is not inserted.
    /// </summary>
    /// <returns>False when it was not inserted.</returns>
    /// <param name="name">May lie in this table, even in an entry that is evicted by this insertion.</param>
    /// <param name="value">May not.</param>
    /// <param name="traits">What it is.</param>
    internal bool Insert(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, FieldTraits traits)
    {
        long size = (long)name.Length + value.Length + EntryOverhead;
        if (size > SizeMax)
        {
            Evict(0);
            return false;
        }

        // Evicting moves no text, so a name in an evicted entry is still there; making room takes care of it.
        Evict(SizeMax - (int)size);
        int length = name.Length + value.Length;
        if (Count == _entries.Length)
        {
            GrowEntries();
        }

        if (_textEnd + length <= _text.Length)
        {
            Write(name, value);
        }
        else if (_text.Length < 2 * SizeMax)
        {
            // The old array is left as it is, with the name that may lie in it.
            int live = Size - (Count * EntryOverhead);
            MoveToFront(new byte[Math.Min(2 * SizeMax, Math.Max(2 * _text.Length, CodecLimits.HpackTextBytesMin + live + length))]);
            Write(name, value);
        }
        else
        {
            WriteMoving(name, value);
        }

        Inserted++;
        ref var entry = ref _entries[Inserted & (uint)(_entries.Length - 1)];
        entry.Start = _textEnd;
        entry.NameLength = name.Length;
        entry.ValueLength = value.Length;
        entry.Traits = traits;
        _textEnd += length;
        Size += (int)size;
        Count++;
        return true;
    }

    /// <summary>The entry with that age: 0 is the newest.</summary>
    internal ref Entry ByAge(int age) => ref _entries[(Inserted - (uint)age) & (uint)(_entries.Length - 1)];

    /// <summary>The entry with that number, which must not be evicted.</summary>
    internal ref Entry ByNumber(uint number) => ref _entries[number & (uint)(_entries.Length - 1)];

    /// <summary>True while the entry with that number is in the table; numbers may wrap around.</summary>
    internal bool IsLive(uint number) => Inserted - number < (uint)Count;

    /// <summary>True when the first number is the older: a chain ends where numbers, having wrapped around, would lead back.</summary>
    internal bool IsOlder(uint number, uint than) => Inserted - number > Inserted - than;

    internal ReadOnlySpan<byte> NameOf(in Entry entry) => _text.AsSpan(entry.Start, entry.NameLength);

    internal ReadOnlySpan<byte> ValueOf(in Entry entry) => _text.AsSpan(entry.Start + entry.NameLength, entry.ValueLength);

    private void Evict(int sizeLeft)
    {
        while (Size > sizeLeft)
        {
            Size -= ByAge(Count - 1).Size;
            Count--;
        }

        Debug.Assert(Count > 0 || Size == 0, "an empty table has no size");
    }

    private void Write(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        name.CopyTo(_text.AsSpan(_textEnd));
        value.CopyTo(_text.AsSpan(_textEnd + name.Length));
    }

    /// <summary>Moves the live text to the front of its array and writes a new entry's behind it.</summary>
    private void WriteMoving(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        // The name may lie in text that the move overwrites.
        Span<byte> parked = name.Length <= CodecLimits.HpackParkedNameBytesMax ? stackalloc byte[name.Length] : new byte[name.Length];
        name.CopyTo(parked);
        MoveToFront(_text);
        Debug.Assert(_textEnd + name.Length + value.Length <= _text.Length, "there is room for all entries twice");
        Write(parked, value);
    }

    private void MoveToFront(byte[] target)
    {
        int end = 0;
        if (Count > 0)
        {
            int from = ByAge(Count - 1).Start;
            end = _textEnd - from;
            _text.AsSpan(from, end).CopyTo(target);
            for (int age = 0; age < Count; age++)
            {
                ByAge(age).Start -= from;
            }
        }

        _text = target;
        _textEnd = end;
    }

    private void GrowEntries()
    {
        var entries = new Entry[Math.Max(CodecLimits.HpackEntriesMin, 2 * _entries.Length)];
        for (uint number = Inserted - (uint)Count + 1; number != Inserted + 1; number++)
        {
            entries[number & (uint)(entries.Length - 1)] = ByNumber(number);
        }

        _entries = entries;
    }
}
