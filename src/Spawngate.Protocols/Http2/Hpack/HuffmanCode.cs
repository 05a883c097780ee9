using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Spawngate.Protocols.Http2.Hpack;

/// <summary>The Huffman code of RFC 7541 appendix B, both ways.</summary>
/// <remarks>
/// The code is canonical: codes grow with length, and with the symbol among those of one length, so the lengths below are the whole of it.
/// Codes of up to <see cref="DirectBits"/> bits, which are all printable ASCII uses but a dozen, are decoded by one look-up; longer ones by
/// their length.
/// </remarks>
public static class HuffmanCode
{
    private const int DirectBits = 10;
    private const int LongestBits = 30;

    /// <summary>Short codes that 56 bits hold whatever they are.</summary>
    private const int DirectPerFill = 5;
    private const int EndOfString = 256;

    private static ReadOnlySpan<byte> Lengths =>
        [
            13,
            23,
            28,
            28,
            28,
            28,
            28,
            28,
            28,
            24,
            30,
            28,
            28,
            30,
            28,
            28,
            28,
            28,
            28,
            28,
            28,
            28,
            30,
            28,
            28,
            28,
            28,
            28,
            28,
            28,
            28,
            28,
            6,
            10,
            10,
            12,
            13,
            6,
            8,
            11,
            10,
            10,
            8,
            11,
            8,
            6,
            6,
            6,
            5,
            5,
            5,
            6,
            6,
            6,
            6,
            6,
            6,
            6,
            7,
            8,
            15,
            6,
            12,
            10,
            13,
            6,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            7,
            8,
            7,
            8,
            13,
            19,
            13,
            14,
            6,
            15,
            5,
            6,
            5,
            6,
            5,
            6,
            6,
            6,
            5,
            7,
            7,
            6,
            6,
            6,
            5,
            6,
            7,
            6,
            5,
            5,
            6,
            7,
            7,
            7,
            7,
            7,
            15,
            11,
            14,
            13,
            28,
            20,
            22,
            20,
            20,
            22,
            22,
            22,
            23,
            22,
            23,
            23,
            23,
            23,
            23,
            24,
            23,
            24,
            24,
            22,
            23,
            24,
            23,
            23,
            23,
            23,
            21,
            22,
            23,
            22,
            23,
            23,
            24,
            22,
            21,
            20,
            22,
            22,
            23,
            23,
            21,
            23,
            22,
            22,
            24,
            21,
            22,
            23,
            23,
            21,
            21,
            22,
            21,
            23,
            22,
            23,
            23,
            20,
            22,
            22,
            22,
            23,
            22,
            22,
            23,
            26,
            26,
            20,
            19,
            22,
            23,
            22,
            25,
            26,
            26,
            26,
            27,
            27,
            26,
            24,
            25,
            19,
            21,
            26,
            27,
            27,
            26,
            27,
            24,
            21,
            21,
            26,
            26,
            28,
            27,
            27,
            27,
            20,
            24,
            20,
            21,
            22,
            21,
            21,
            23,
            22,
            22,
            25,
            25,
            24,
            24,
            26,
            23,
            26,
            27,
            26,
            26,
            27,
            27,
            27,
            27,
            27,
            28,
            27,
            27,
            27,
            27,
            27,
            26,
            30,
        ];

    /// <summary>Code of each symbol, in its low bits.</summary>
    private static readonly uint[] Codes = new uint[EndOfString + 1];

    /// <summary>By the next <see cref="DirectBits"/> bits: symbol in the low byte, length above it; 0 for longer codes.</summary>
    private static readonly ushort[] Direct = new ushort[1 << DirectBits];

    /// <summary>By length: the first code of that length, left-aligned in 32 bits.</summary>
    private static readonly uint[] FirstCode = new uint[LongestBits + 2];

    /// <summary>By length: place of its first symbol in <see cref="Symbols"/>.</summary>
    private static readonly ushort[] FirstSymbol = new ushort[LongestBits + 2];

    /// <summary>All symbols by code.</summary>
    private static readonly ushort[] Symbols = new ushort[EndOfString + 1];

    static HuffmanCode()
    {
        uint code = 0;
        int place = 0;
        for (int length = 1; length <= LongestBits; length++)
        {
            code <<= 1;
            FirstCode[length] = code << (32 - length);
            FirstSymbol[length] = (ushort)place;
            for (int symbol = 0; symbol <= EndOfString; symbol++)
            {
                if (Lengths[symbol] != length)
                {
                    continue;
                }

                Codes[symbol] = code;
                Symbols[place++] = (ushort)symbol;
                if (length <= DirectBits)
                {
                    int shift = DirectBits - length;
                    Direct.AsSpan((int)code << shift, 1 << shift).Fill((ushort)((length << 8) | symbol));
                }

                code++;
            }
        }

        FirstCode[LongestBits + 1] = uint.MaxValue;
    }

    /// <summary>Most bytes that so many coded bytes can stand for: no code is shorter than 5 bits.</summary>
    public static int DecodedLengthMax(int codedLength) => (int)((long)codedLength * 8 / 5);

    /// <summary>Length of the coded form in bytes.</summary>
    public static int EncodedLength(ReadOnlySpan<byte> bytes)
    {
        ref byte lengths = ref MemoryMarshal.GetReference(Lengths);
        int bits = 0;
        foreach (byte b in bytes)
        {
            bits += Unsafe.Add(ref lengths, b);
        }

        return (bits + 7) >> 3;
    }

    /// <summary>Encodes; the rest of the last byte is filled with ones (RFC 7541 section 5.2). Returns the length.</summary>
    /// <param name="bytes">What to encode.</param>
    /// <param name="target">At least <see cref="EncodedLength"/> bytes.</param>
    public static int Encode(ReadOnlySpan<byte> bytes, Span<byte> target)
    {
        ref byte lengths = ref MemoryMarshal.GetReference(Lengths);
        ulong pending = 0;
        int bits = 0;
        int written = 0;
        foreach (byte b in bytes)
        {
            int length = Unsafe.Add(ref lengths, b);
            pending = (pending << length) | Codes[b];
            bits += length;
            if (bits >= 32)
            {
                bits -= 32;
                BinaryPrimitives.WriteUInt32BigEndian(target[written..], (uint)(pending >> bits));
                written += 4;
            }
        }

        while (bits >= 8)
        {
            bits -= 8;
            target[written++] = (byte)(pending >> bits);
        }

        if (bits > 0)
        {
            target[written++] = (byte)((pending << (8 - bits)) | (0xFFu >> bits));
        }

        return written;
    }

    /// <summary>
    /// Decodes. False when the string holds the end-of-string code, or is padded with more than 7 bits or with anything but ones (RFC 7541
    /// section 5.2).
    /// </summary>
    /// <param name="coded">The coded string.</param>
    /// <param name="target">At least <see cref="DecodedLengthMax"/> bytes.</param>
    /// <param name="length">Bytes decoded.</param>
    public static bool TryDecode(ReadOnlySpan<byte> coded, Span<byte> target, out int length)
    {
        length = 0;
        if (target.Length < DecodedLengthMax(coded.Length))
        {
            throw new ArgumentException("the target is too small", nameof(target));
        }

        ref byte to = ref MemoryMarshal.GetReference(target);
        ref ushort direct = ref MemoryMarshal.GetArrayDataReference(Direct);
        ulong pending = 0; // Left-aligned; bits behind those that are counted are zeros, or those that follow.
        int bits = 0;
        int at = 0;
        int written = 0;
        if (!TryDecodeBulk(coded, ref to, ref at, ref pending, ref bits, ref written))
        {
            return false;
        }

        while (true)
        {
            Refill(coded, ref at, ref pending, ref bits);
            while (bits >= LongestBits || (at == coded.Length && bits > 0))
            {
                int entry = Unsafe.Add(ref direct, (int)(pending >> (64 - DirectBits)));
                int used = entry >> 8;
                if (entry == 0 && !TryDecodeLong((uint)(pending >> 32), out entry, out used))
                {
                    return false;
                }

                if (used > bits)
                {
                    length = written;
                    return IsPadding(pending, bits);
                }

                Unsafe.Add(ref to, written++) = (byte)entry;
                pending <<= used;
                bits -= used;
            }

            if (bits == 0 && at == coded.Length)
            {
                length = written;
                return true;
            }
        }
    }

    /// <summary>
    /// All but the last eight bytes: the bits are filled up to 56 at least, which five short codes cannot use up. False for the
    /// end-of-string code.
    /// </summary>
    private static bool TryDecodeBulk(ReadOnlySpan<byte> coded, ref byte to, ref int at, ref ulong pending, ref int bits, ref int written)
    {
        ref ushort direct = ref MemoryMarshal.GetArrayDataReference(Direct);
        ulong window = pending;
        int left = bits;
        int count = written;
        while (coded.Length - at >= sizeof(ulong))
        {
            window |= BinaryPrimitives.ReadUInt64BigEndian(coded[at..]) >> left;
            int filled = (63 - left) >> 3;
            at += filled;
            left += filled << 3;
            int entry = Unsafe.Add(ref direct, (int)(window >> (64 - DirectBits)));
            for (int i = 0; i < DirectPerFill && entry != 0; i++)
            {
                Unsafe.Add(ref to, count++) = (byte)entry;
                window <<= entry >> 8;
                left -= entry >> 8;
                entry = Unsafe.Add(ref direct, (int)(window >> (64 - DirectBits)));
            }

            if (entry != 0 || left < LongestBits)
            {
                continue;
            }

            if (!TryDecodeLong((uint)(window >> 32), out entry, out int used))
            {
                return false;
            }

            Unsafe.Add(ref to, count++) = (byte)entry;
            window <<= used;
            left -= used;
        }

        pending = window;
        bits = left;
        written = count;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Refill(ReadOnlySpan<byte> coded, ref int at, ref ulong pending, ref int bits)
    {
        if (coded.Length - at >= 4 && bits <= 32)
        {
            pending |= (ulong)BinaryPrimitives.ReadUInt32BigEndian(coded[at..]) << (32 - bits);
            at += 4;
            bits += 32;
            return;
        }

        while (at < coded.Length && bits <= 56)
        {
            pending |= (ulong)coded[at++] << (56 - bits);
            bits += 8;
        }
    }

    /// <summary>What is left is padding when it is shorter than a byte and all ones, as the end-of-string code begins.</summary>
    private static bool IsPadding(ulong pending, int bits) => bits < 8 && BitOperations.LeadingZeroCount(~pending) >= bits;

    /// <summary>A code longer than <see cref="DirectBits"/>; false for the end-of-string code.</summary>
    private static bool TryDecodeLong(uint pending, out int symbol, out int length)
    {
        length = DirectBits + 1;
        while (length < LongestBits && pending >= FirstCode[length + 1])
        {
            length++;
        }

        int place = FirstSymbol[length] + (int)((pending - FirstCode[length]) >> (32 - length));
        symbol = place <= EndOfString ? Symbols[place] : EndOfString;
        return symbol != EndOfString;
    }
}
