using System.Security.Cryptography;

namespace Spawngate.Platform;

/// <summary>
/// Random bytes that nobody can guess. On Unix they come from the kernel by way of the C library: the runtime's own generator loads OpenSSL
/// at its first use, which costs every start milliseconds and memory, and ends the process where there is no OpenSSL, as in an image with
/// nothing in it.
/// </summary>
internal static class Entropy
{
    /// <summary>Fills a buffer of at most 256 bytes, the most that one call of <c>getentropy</c> gives.</summary>
    /// <exception cref="InvalidOperationException">The kernel gives none.</exception>
    public static unsafe void Fill(Span<byte> buffer)
    {
        if (OperatingSystem.IsWindows())
        {
            RandomNumberGenerator.Fill(buffer);
            return;
        }

        fixed (byte* bytes = buffer)
        {
            if (Libc.GetEntropy(bytes, (nuint)buffer.Length) != 0)
            {
                throw new InvalidOperationException($"The system gives no random bytes: {Libc.Describe(Libc.Errno)}");
            }
        }
    }

    /// <summary>Makes an array of random bytes.</summary>
    public static byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        Fill(bytes);
        return bytes;
    }
}
