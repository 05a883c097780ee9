namespace TestBackend;

/// <summary>
/// Bytes that belong to one exchange: each is a function of the exchange's number and its place, so that one that strays into another
/// exchange is seen.
/// </summary>
internal static class MarkedBytes
{
    /// <summary>Field of the response that repeats the number.</summary>
    public const string Field = "X-Mark";

    /// <summary>Fills <paramref name="target"/> with the bytes of an exchange from <paramref name="offset"/> on.</summary>
    public static void Fill(Span<byte> target, int number, long offset)
    {
        for (int i = 0; i < target.Length; i++)
        {
            target[i] = At(number, offset + i);
        }
    }

    /// <summary>The place of the first byte that is not the exchange's; -1 when all are.</summary>
    public static long FindStranger(ReadOnlySpan<byte> bytes, int number, long offset)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] != At(number, offset + i))
            {
                return offset + i;
            }
        }

        return -1;
    }

    private static byte At(int number, long offset) => (byte)((number * 31) + (number >> 8) + offset + (offset >> 8) + (offset % 251));
}
