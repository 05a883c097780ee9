using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace Spawngate.Overload;

/// <summary>
/// Addresses as numbers, without an object: 128 bits in network order, IPv4 in its mapped form (RFC 4291 section 2.5.5.2), and from those
/// the key by which clients are told apart.
/// </summary>
internal static class AddressBits
{
    private const int GroupsOfIPv6 = 8;
    private const int PartsOfIPv4 = 4;
    private const ulong MappedPrefix = 0xFFFFUL << 32;

    /// <summary>Marks keys of IPv4 addresses. As a prefix of IPv6 it would be a multicast address, which nobody sends from.</summary>
    private const ulong KeyOfIPv4 = 0xFFFF_FFFFUL << 32;

    /// <summary>The bits of an address.</summary>
    public static UInt128 Of(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int written);
        return written == PartsOfIPv4
            ? new UInt128(0, MappedPrefix | BinaryPrimitives.ReadUInt32BigEndian(bytes))
            : BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    /// <summary>What clients are told apart by: an IPv4 address, or the first 64 bits of an IPv6 one.</summary>
    public static ulong KeyOf(UInt128 bits)
    {
        ulong upper = (ulong)(bits >> 64);
        ulong lower = (ulong)bits;
        return upper == 0 && lower >> 32 == 0xFFFF ? KeyOfIPv4 | (uint)lower : upper;
    }

    /// <summary>A key as text: an address of IPv4, or a network of IPv6.</summary>
    public static string TextOf(ulong key)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        BinaryPrimitives.WriteUInt64BigEndian(bytes, key);
        return (key & KeyOfIPv4) == KeyOfIPv4
            ? new IPAddress(bytes.Slice(PartsOfIPv4, PartsOfIPv4)).ToString()
            : string.Create(CultureInfo.InvariantCulture, $"{new IPAddress(bytes)}/64");
    }

    /// <summary>Reads an address as proxies write it into X-Forwarded-For: with or without brackets and a port.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out UInt128 bits)
    {
        text = text.Trim(" \t"u8);
        if (!text.IsEmpty && text[0] == '[')
        {
            int end = text.IndexOf((byte)']');
            bits = default;
            return end > 0 && IsPortOrNothing(text[(end + 1)..]) && TryParseIPv6(text[1..end], out bits);
        }

        int colon = text.IndexOf((byte)':');
        if (colon < 0 || text[(colon + 1)..].IndexOf((byte)':') < 0)
        {
            bool isAddress =
                TryParseIPv4(colon < 0 ? text : text[..colon], out uint address) && (colon < 0 || IsPortOrNothing(text[colon..]));
            bits = new UInt128(0, MappedPrefix | address);
            return isAddress;
        }

        return TryParseIPv6(text, out bits);
    }

    private static bool IsPortOrNothing(ReadOnlySpan<byte> text) =>
        text.IsEmpty || (text.Length is > 1 and <= 6 && text[0] == ':' && text[1..].IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0);

    private static bool TryParseIPv4(ReadOnlySpan<byte> text, out uint address)
    {
        address = 0;
        for (int part = 1; part <= PartsOfIPv4; part++)
        {
            int end = part < PartsOfIPv4 ? text.IndexOf((byte)'.') : text.Length;
            if (end is < 1 or > 3 || !TryParseByte(text[..end], out uint value))
            {
                return false;
            }

            address = (address << 8) | value;
            text = text[Math.Min(end + 1, text.Length)..];
        }

        return true;
    }

    private static bool TryParseByte(ReadOnlySpan<byte> text, out uint value)
    {
        value = 0;
        foreach (byte digit in text)
        {
            if (digit is < (byte)'0' or > (byte)'9')
            {
                return false;
            }

            value = (value * 10) + (uint)(digit - '0');
        }

        return value <= byte.MaxValue;
    }

    /// <summary>
    /// RFC 4291 section 2.2: eight groups, of which <c>::</c> stands for one or more that are 0; the last two may be an IPv4 address.
    /// </summary>
    private static bool TryParseIPv6(ReadOnlySpan<byte> text, out UInt128 bits)
    {
        bits = default;
        UInt128 tail = default;
        int groups = 0;
        int gapAt = -1;
        while (!text.IsEmpty)
        {
            if (text.StartsWith("::"u8))
            {
                if (gapAt >= 0)
                {
                    return false;
                }

                (gapAt, bits, tail) = (groups, tail, default);
                text = text[2..];
                continue;
            }

            if (groups > 0 && gapAt != groups && !TrySkipColon(ref text))
            {
                return false;
            }

            if (!TryTakeGroup(ref text, ref tail, ref groups))
            {
                return false;
            }
        }

        bits =
            gapAt < 0 ? tail
            : gapAt == 0 ? tail
            : (bits << (16 * (GroupsOfIPv6 - gapAt))) | tail;
        return gapAt < 0 ? groups == GroupsOfIPv6 : groups < GroupsOfIPv6;
    }

    private static bool TrySkipColon(ref ReadOnlySpan<byte> text)
    {
        if (text.Length < 2 || text[0] != ':')
        {
            return false;
        }

        text = text[1..];
        return true;
    }

    private static bool TryTakeGroup(ref ReadOnlySpan<byte> text, ref UInt128 into, ref int groups)
    {
        int end = text.IndexOf((byte)':');
        var group = end < 0 ? text : text[..end];
        text = text[group.Length..];
        if (group.IndexOf((byte)'.') >= 0)
        {
            groups += 2;
            bool isAddress = TryParseIPv4(group, out uint address) && text.IsEmpty;
            into = (into << 32) | address;
            return isAddress && groups <= GroupsOfIPv6;
        }

        if (group.Length is < 1 or > 4 || ++groups > GroupsOfIPv6)
        {
            return false;
        }

        uint value = 0;
        foreach (byte digit in group)
        {
            if (!char.IsAsciiHexDigit((char)digit))
            {
                return false;
            }

            value = (value << 4) | (uint)((digit & 0xF) + (digit >= 'A' ? 9 : 0));
        }

        into = (into << 16) | value;
        return true;
    }
}
