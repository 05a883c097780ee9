using System.Buffers.Binary;
using System.Text.Unicode;

namespace Spawngate.Telemetry;

/// <summary>
/// Writes protocol buffers into a span that the caller made large enough: the few shapes that OTLP needs.
/// <code>
///   field = tag (number × 8 + kind) value      kind 0: varint · 1: eight bytes · 2: length, then so many bytes
/// </code>
/// </summary>
internal ref struct ProtoWriter(Span<byte> target)
{
    /// <summary>
    /// Bytes of the length of a message whose end is not known when it begins: a varint of three bytes counts up to 2 MiB.
    /// </summary>
    private const int OpenLengthBytes = 3;

    private readonly Span<byte> _target = target;

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>Adds a field that is a varint.</summary>
    public void Varint(int field, ulong value)
    {
        WriteVarint((uint)field << 3);
        WriteVarint(value);
    }

    /// <summary>Adds a field of eight bytes.</summary>
    public void Fixed64(int field, ulong value)
    {
        WriteVarint(((uint)field << 3) | 1);
        BinaryPrimitives.WriteUInt64LittleEndian(_target[Length..], value);
        Length += sizeof(ulong);
    }

    /// <summary>Adds bytes that are there in hexadecimal.</summary>
    public void FromHex(int field, scoped ReadOnlySpan<byte> hex)
    {
        WriteVarint(((uint)field << 3) | 2);
        WriteVarint((uint)hex.Length / 2);
        for (int i = 0; i < hex.Length; i += 2)
        {
            _target[Length++] = (byte)((Nibble(hex[i]) << 4) | Nibble(hex[i + 1]));
        }
    }

    /// <summary>
    /// Adds a string. It has to be UTF-8, or receivers refuse all that came with it: other bytes become the characters of their numbers.
    /// </summary>
    public void Text(int field, scoped ReadOnlySpan<byte> text)
    {
        WriteVarint(((uint)field << 3) | 2);
        if (Utf8.IsValid(text))
        {
            WriteVarint((uint)text.Length);
            text.CopyTo(_target[Length..]);
            Length += text.Length;
            return;
        }

        int odd = 0;
        foreach (byte value in text)
        {
            odd += value >> 7;
        }

        WriteVarint((uint)(text.Length + odd));
        foreach (byte value in text)
        {
            if (value >= 0x80)
            {
                _target[Length++] = (byte)(0xC0 | (value >> 6));
            }

            _target[Length++] = value < 0x80 ? value : (byte)(0x80 | (value & 0x3F));
        }
    }

    /// <summary>Begins a message within a message; returns what <see cref="Close"/> wants.</summary>
    public int Open(int field)
    {
        WriteVarint(((uint)field << 3) | 2);
        Length += OpenLengthBytes;
        return Length;
    }

    /// <summary>Ends it.</summary>
    public void Close(int opened)
    {
        int bytes = Length - opened;
        _target[opened - 3] = (byte)(bytes | 0x80);
        _target[opened - 2] = (byte)((bytes >> 7) | 0x80);
        _target[opened - 1] = (byte)(bytes >> 14);
    }

    /// <summary>Adds an attribute that is text.</summary>
    public void Attribute(int field, scoped ReadOnlySpan<byte> key, scoped ReadOnlySpan<byte> value)
    {
        int attribute = BeginAttribute(field, key, out int any);
        Text(1, value);
        Close(any);
        Close(attribute);
    }

    /// <summary>Adds an attribute that is a number.</summary>
    public void Attribute(int field, scoped ReadOnlySpan<byte> key, long value)
    {
        int attribute = BeginAttribute(field, key, out int any);
        Varint(3, (ulong)value);
        Close(any);
        Close(attribute);
    }

    /// <summary>Adds an attribute that is true or false.</summary>
    public void Attribute(int field, scoped ReadOnlySpan<byte> key, bool value)
    {
        int attribute = BeginAttribute(field, key, out int any);
        Varint(2, value ? 1UL : 0);
        Close(any);
        Close(attribute);
    }

    private void WriteVarint(ulong value)
    {
        while (value >= 0x80)
        {
            _target[Length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _target[Length++] = (byte)value;
    }

    /// <summary>Begins a message whose length is known.</summary>
    public void BeginMessage(int field, int bytes)
    {
        WriteVarint(((uint)field << 3) | 2);
        WriteVarint((uint)bytes);
    }

    /// <summary>Bytes of a varint.</summary>
    public static int BytesOf(ulong value) => 1 + (System.Numerics.BitOperations.Log2(value | 1) / 7);

    /// <summary>Adds bytes as they are.</summary>
    public void WriteRaw(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_target[Length..]);
        Length += bytes.Length;
    }

    private int BeginAttribute(int field, scoped ReadOnlySpan<byte> key, out int any)
    {
        int attribute = Open(field);
        Text(1, key);
        any = Open(2);
        return attribute;
    }

    private static int Nibble(byte digit) => digit <= '9' ? digit - '0' : digit - 'a' + 10;
}
