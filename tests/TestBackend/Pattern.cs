using System.Security.Cryptography;

namespace TestBackend;

/// <summary>
/// The bytes that <c>/bytes</c> sends: a function of the offset alone, so that both ends can compute any part of them, and not
/// periodic in any power of two, so that a block that is lost, doubled or swapped changes the checksum.
/// </summary>
internal static class Pattern
{
    /// <summary>Fills <paramref name="target"/> with the pattern that starts at <paramref name="offset"/>.</summary>
    public static void Fill(Span<byte> target, long offset)
    {
        for (int i = 0; i < target.Length; i++)
        {
            long at = offset + i;
            target[i] = (byte)(at ^ (at >> 7) ^ (at >> 15) ^ (at % 251));
        }
    }

    /// <summary>The first <paramref name="length"/> bytes of the pattern.</summary>
    public static byte[] Take(int length)
    {
        byte[] bytes = new byte[length];
        Fill(bytes, 0);
        return bytes;
    }

    /// <summary>SHA-256 of the first <paramref name="length"/> bytes, in lower-case hexadecimal.</summary>
    public static string Sha256(long length)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] block = new byte[64 * 1024];
        for (long offset = 0; offset < length; offset += block.Length)
        {
            Span<byte> part = block.AsSpan(0, (int)Math.Min(block.Length, length - offset));
            Fill(part, offset);
            hash.AppendData(part);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
