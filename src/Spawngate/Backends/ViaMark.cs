using System.Buffers.Binary;
using System.Buffers.Text;

namespace Spawngate.Backends;

/// <summary>
/// What stands for a backend in Via, so that a request which comes to the same one again is known for a loop (RFC 9110 section 7.6.3). It
/// is a hash of the backend's key with a secret of this process, so it stays the same over reloads, tells nothing of the key, and nobody
/// can make up that of another.
/// <code>
///   Via: 1.1 spawngate-5f0c91aa-03be72d9
///            └ this gateway ──┘ └ mark ┘
/// </code>
/// </summary>
internal static class ViaMark
{
    /// <summary>
    /// Bytes of a mark: hexadecimal digits of 32 bits. Two backends of one chain are taken for each other once in four billion chains.
    /// </summary>
    public const int Bytes = sizeof(ulong);

    /// <summary>The mark of a backend, as its bytes.</summary>
    /// <param name="key">The backend's key.</param>
    public static ulong Of(string key)
    {
        // The runtime seeds this hash at random in each process (Marvin32).
        Span<byte> digits = stackalloc byte[Bytes];
        Utf8Formatter.TryFormat(
            (uint)string.GetHashCode(key, StringComparison.Ordinal),
            digits,
            out _,
            new System.Buffers.StandardFormat('x', Bytes)
        );
        return BinaryPrimitives.ReadUInt64LittleEndian(digits);
    }

    /// <summary>True when the text begins with that mark.</summary>
    public static bool Is(ReadOnlySpan<byte> text, ulong mark) =>
        text.Length >= Bytes && BinaryPrimitives.ReadUInt64LittleEndian(text) == mark;

    /// <summary>Puts a gateway's part and a backend's together.</summary>
    /// <param name="target">Takes as many bytes as both have.</param>
    /// <param name="gateway">The gateway's part.</param>
    /// <param name="mark">The backend's.</param>
    public static ReadOnlySpan<byte> Join(Span<byte> target, ReadOnlySpan<byte> gateway, ulong mark)
    {
        gateway.CopyTo(target);
        BinaryPrimitives.WriteUInt64LittleEndian(target[gateway.Length..], mark);
        return target[..(gateway.Length + Bytes)];
    }
}
