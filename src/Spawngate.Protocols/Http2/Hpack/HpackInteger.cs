namespace Spawngate.Protocols.Http2.Hpack;

/// <summary>The integers of RFC 7541 section 5.1: a prefix of some bits, and bytes of seven bits behind it.</summary>
public static class HpackInteger
{
    /// <summary>
    /// Reads one. False when it is cut, or longer than any size here needs (<see cref="CodecLimits.HpackIntegerBytesMax"/>).
    /// </summary>
    /// <param name="block">The header block.</param>
    /// <param name="at">Offset of the byte with the prefix; moved behind the integer.</param>
    /// <param name="prefixBits">Bits of the prefix, 1 to 8.</param>
    /// <param name="value">What was read.</param>
    public static bool TryRead(ReadOnlySpan<byte> block, ref int at, int prefixBits, out int value)
    {
        value = 0;
        if ((uint)at >= (uint)block.Length)
        {
            return false;
        }

        int prefix = (1 << prefixBits) - 1;
        value = block[at++] & prefix;
        if (value < prefix)
        {
            return true;
        }

        for (int i = 0; i < CodecLimits.HpackIntegerBytesMax; i++)
        {
            if (at >= block.Length)
            {
                return false;
            }

            int b = block[at++];
            value += (b & 0x7F) << (7 * i);
            if (b < 0x80)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Writes one; returns its length, at most 6 bytes.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="pattern">The bits in front of the prefix.</param>
    /// <param name="prefixBits">Bits of the prefix, 1 to 8.</param>
    /// <param name="value">Not negative.</param>
    public static int Write(Span<byte> target, byte pattern, int prefixBits, int value)
    {
        int prefix = (1 << prefixBits) - 1;
        if (value < prefix)
        {
            target[0] = (byte)(pattern | value);
            return 1;
        }

        target[0] = (byte)(pattern | prefix);
        value -= prefix;
        int length = 1;
        for (; value >= 0x80; value >>= 7)
        {
            target[length++] = (byte)(value | 0x80);
        }

        target[length++] = (byte)value;
        return length;
    }
}
