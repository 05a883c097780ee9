namespace Spawngate.Protocols.Http1;

/// <summary>
/// The one form of all paths that mean the same (RFC 3986 sections 6.2.2 and 5.2.4), to compare by, not to send: octets decoded once, dot
/// segments resolved, and repeated slashes merged.
/// </summary>
public static class NormalPath
{
    /// <summary>Whether a path has that form already, as nearly all have.</summary>
    public static bool IsNormal(ReadOnlySpan<byte> path) =>
        path.Length > 0 && path[0] == '/' && !path.Contains((byte)'%') && path.IndexOf("//"u8) < 0 && path.IndexOf("/."u8) < 0;

    /// <summary>Bytes of room that <see cref="Write"/> needs: it may have to put a slash in front.</summary>
    public static int BytesNeeded(ReadOnlySpan<byte> path) => path.Length + 1;

    /// <summary>Writes the form. Returns its length.</summary>
    /// <param name="path">A path, without a query.</param>
    /// <param name="target">Room for <see cref="BytesNeeded"/>.</param>
    public static int Write(ReadOnlySpan<byte> path, Span<byte> target)
    {
        target[0] = (byte)'/';
        int length = 1;
        int segment = 1;
        for (int i = 0; i < path.Length; )
        {
            byte next = Decode(path, ref i);
            if (next != '/')
            {
                target[length++] = next;
                continue;
            }

            length = EndSegment(target, segment, length);
            if (length > segment)
            {
                target[length++] = (byte)'/';
            }

            segment = length;
        }

        return EndSegment(target, segment, length);
    }

    private static int EndSegment(ReadOnlySpan<byte> target, int segment, int length)
    {
        var last = target[segment..length];
        if (last.SequenceEqual("."u8))
        {
            return segment;
        }

        return last.SequenceEqual(".."u8) ? Math.Max(1, target[..(segment - 1)].LastIndexOf((byte)'/') + 1) : length;
    }

    private static byte Decode(ReadOnlySpan<byte> path, ref int i)
    {
        if (path[i] == '%' && i + 2 < path.Length && char.IsAsciiHexDigit((char)path[i + 1]) && char.IsAsciiHexDigit((char)path[i + 2]))
        {
            i += 3;
            return (byte)((Hex(path[i - 2]) << 4) | Hex(path[i - 1]));
        }

        return path[i++];
    }

    private static int Hex(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}
