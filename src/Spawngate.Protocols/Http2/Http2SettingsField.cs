namespace Spawngate.Protocols.Http2;

/// <summary>
/// The HTTP2-Settings field of an upgrade request: the payload of a SETTINGS frame in base64url without padding (RFC 7540 section 3.2.1).
/// </summary>
public static class Http2SettingsField
{
    /// <summary>Decodes it. False when it is not base64url, does not fit, or is no list of whole settings.</summary>
    /// <param name="value">The field's value.</param>
    /// <param name="target">Where the payload goes.</param>
    /// <param name="length">Its length.</param>
    public static bool TryDecode(ReadOnlySpan<byte> value, Span<byte> target, out int length)
    {
        length = 0;
        int size = (int)((long)value.Length * 6 / 8);
        if (size > target.Length || size % 6 != 0 || value.Length % 4 == 1)
        {
            return false;
        }

        uint pending = 0;
        int bits = 0;
        foreach (byte b in value)
        {
            int digit = Digit(b);
            if (digit < 0)
            {
                return false;
            }

            pending = (pending << 6) | (uint)digit;
            bits += 6;
            if (bits >= 8)
            {
                bits -= 8;
                target[length++] = (byte)(pending >> bits);
            }
        }

        return (pending & ((1u << bits) - 1)) == 0;
    }

    private static int Digit(byte b) =>
        b switch
        {
            >= (byte)'A' and <= (byte)'Z' => b - 'A',
            >= (byte)'a' and <= (byte)'z' => b - 'a' + 26,
            >= (byte)'0' and <= (byte)'9' => b - '0' + 52,
            (byte)'-' => 62,
            (byte)'_' => 63,
            _ => -1,
        };
}
