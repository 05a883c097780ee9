using System.Buffers;

namespace Spawngate.Protocols.Http1;

/// <summary>Character classes of RFC 9110 section 5.6 and RFC 3986, as vectorised searches over bytes.</summary>
public static class Grammar
{
    private static readonly SearchValues<byte> TokenBytes = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8
    );

    /// <summary>Everything that is not HTAB, SP, VCHAR or obs-text (RFC 9110 section 5.5): the control characters.</summary>
    private static readonly SearchValues<byte> NotInFieldValue = SearchValues.Create(ControlsExceptTab());

    /// <summary>Visible ASCII without "#": a fragment is never part of a request target (RFC 9112 section 3.2).</summary>
    private static readonly SearchValues<byte> TargetBytes = SearchValues.Create(VisibleAsciiWithout((byte)'#'));

    private static readonly SearchValues<byte> VisibleBytes = SearchValues.Create(VisibleAsciiWithout(0));

    /// <summary>reg-name of RFC 3986 section 3.2.2: unreserved, sub-delims and "%".</summary>
    private static readonly SearchValues<byte> RegNameBytes = SearchValues.Create(
        "-._~!$&'()*+,;=%0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8
    );

    private static readonly SearchValues<byte> IpLiteralBytes = SearchValues.Create("0123456789abcdefABCDEF:.vV%-_~"u8);

    private static readonly SearchValues<byte> Digits = SearchValues.Create("0123456789"u8);

    /// <summary>True for a non-empty token (RFC 9110 section 5.6.2).</summary>
    public static bool IsToken(ReadOnlySpan<byte> bytes) => !bytes.IsEmpty && bytes.IndexOfAnyExcept(TokenBytes) < 0;

    /// <summary>True when every byte may stand in a field value (RFC 9110 section 5.5), obs-text included.</summary>
    public static bool IsFieldValue(ReadOnlySpan<byte> bytes) => bytes.IndexOfAny(NotInFieldValue) < 0;

    /// <summary>True when every byte may stand in a request target: visible ASCII without "#".</summary>
    public static bool IsTarget(ReadOnlySpan<byte> bytes) => !bytes.IsEmpty && bytes.IndexOfAnyExcept(TargetBytes) < 0;

    /// <summary>True for 1 or more visible ASCII characters.</summary>
    public static bool IsVisibleAscii(ReadOnlySpan<byte> bytes) => !bytes.IsEmpty && bytes.IndexOfAnyExcept(VisibleBytes) < 0;

    /// <summary>Removes optional white space (SP and HTAB, RFC 9110 section 5.6.3) at both ends.</summary>
    public static ReadOnlySpan<byte> TrimOws(ReadOnlySpan<byte> bytes)
    {
        int start = 0;
        int end = bytes.Length;
        while (start < end && bytes[start] is (byte)' ' or (byte)'\t')
        {
            start++;
        }

        while (end > start && bytes[end - 1] is (byte)' ' or (byte)'\t')
        {
            end--;
        }

        return bytes[start..end];
    }

    /// <summary>Compares ASCII without case; <paramref name="lower"/> must be lower case and of letters, digits and "-" only.</summary>
    public static bool EqualsIgnoreCase(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> lower)
    {
        if (bytes.Length != lower.Length)
        {
            return false;
        }

        for (int i = 0; i < bytes.Length; i++)
        {
            byte b = bytes[i];
            if ((uint)(b - 'A') <= 'Z' - 'A')
            {
                b |= 0x20;
            }

            if (b != lower[i])
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Checks <c>uri-host [":" port]</c> (RFC 9110 section 7.2); user information and anything outside ASCII is refused.</summary>
    public static bool IsHost(ReadOnlySpan<byte> value)
    {
        ReadOnlySpan<byte> port;
        if (!value.IsEmpty && value[0] == '[')
        {
            int close = value.IndexOf((byte)']');
            if (close < 3 || value[1..close].IndexOfAnyExcept(IpLiteralBytes) >= 0)
            {
                return false;
            }

            port = value[(close + 1)..];
        }
        else
        {
            int colon = value.IndexOf((byte)':');
            var name = colon < 0 ? value : value[..colon];
            port = colon < 0 ? default : value[colon..];
            if (name.IsEmpty || name.IndexOfAnyExcept(RegNameBytes) >= 0)
            {
                return false;
            }
        }

        return port.IsEmpty || (port[0] == ':' && IsPort(port[1..]));
    }

    /// <summary>
    /// Reads a Content-Length value: digits only, within 63 bits (RFC 9110 section 8.6). A list, even of equal numbers,
    /// is refused: two parties could read it differently.
    /// </summary>
    public static bool TryParseLength(ReadOnlySpan<byte> value, out long length)
    {
        length = 0;
        if (value.IsEmpty || value.Length > 19)
        {
            return false;
        }

        foreach (byte b in value)
        {
            uint digit = (uint)(b - '0');
            if (digit > 9 || length > (long.MaxValue - digit) / 10)
            {
                return false;
            }

            length = (length * 10) + digit;
        }

        return true;
    }

    private static bool IsPort(ReadOnlySpan<byte> digits)
    {
        if (digits.Length > 5 || digits.IndexOfAnyExcept(Digits) >= 0)
        {
            return false;
        }

        int port = 0;
        foreach (byte b in digits)
        {
            port = (port * 10) + (b - '0');
        }

        return port <= 65535;
    }

    private static byte[] ControlsExceptTab()
    {
        var controls = new List<byte>();
        for (int b = 0; b < 0x20; b++)
        {
            if (b != '\t')
            {
                controls.Add((byte)b);
            }
        }

        controls.Add(0x7F);
        return [.. controls];
    }

    private static byte[] VisibleAsciiWithout(byte excluded)
    {
        var visible = new List<byte>();
        for (int b = 0x21; b < 0x7F; b++)
        {
            if (b != excluded)
            {
                visible.Add((byte)b);
            }
        }

        return [.. visible];
    }
}
