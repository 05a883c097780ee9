using System.Buffers.Binary;
using System.Buffers.Text;
using System.Numerics;

namespace Spawngate.Protocols.Http1;

/// <summary>
/// The answer to a Sec-WebSocket-Key (RFC 6455 section 4.2.2): Base64 of the SHA-1 (RFC 3174) of the key and a fixed text. It proves that a
/// server understood the handshake, and nothing else.
/// <code>
///   dGhlIHNhbXBsZSBub25jZQ== │ 258EAFA5-E914-47DA-95CA-C5AB0DC85B11 │ 80 00 … │ 480        two blocks of 64 bytes
///   └ key, 24                  └ 36                                   └ padding └ bits, 64
/// </code>
/// </summary>
public static class WebSocketAccept
{
    /// <summary>Bytes of a key: Base64 of 16.</summary>
    public const int KeyBytes = 24;

    /// <summary>Bytes of an answer: Base64 of 20.</summary>
    public const int Bytes = 28;

    private const int BlockBytes = 64;
    private const int Rounds = 80;

    /// <summary>True when <paramref name="accept"/> is the answer to <paramref name="key"/>.</summary>
    /// <param name="key">A key of <see cref="KeyBytes"/>.</param>
    /// <param name="accept">The value of Sec-WebSocket-Accept.</param>
    public static bool Answers(ReadOnlySpan<byte> key, ReadOnlySpan<byte> accept)
    {
        Span<byte> expected = stackalloc byte[Bytes];
        Write(key, expected);
        return accept.SequenceEqual(expected);
    }

    /// <summary>Writes the answer to a key.</summary>
    /// <param name="key">A key of <see cref="KeyBytes"/>.</param>
    /// <param name="accept">Takes <see cref="Bytes"/>.</param>
    public static void Write(ReadOnlySpan<byte> key, Span<byte> accept)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, KeyBytes);
        Span<byte> message = stackalloc byte[2 * BlockBytes];
        message.Clear();
        key.CopyTo(message);
        var text = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"u8;
        text.CopyTo(message[KeyBytes..]);
        int length = KeyBytes + text.Length;
        message[length] = 0x80;
        BinaryPrimitives.WriteInt64BigEndian(message[^sizeof(long)..], length * 8L);

        Span<uint> state = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
        AddBlock(state, message[..BlockBytes]);
        AddBlock(state, message[BlockBytes..]);
        Span<byte> digest = stackalloc byte[state.Length * sizeof(uint)];
        for (int i = 0; i < state.Length; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(digest[(i * sizeof(uint))..], state[i]);
        }

        Base64.EncodeToUtf8(digest, accept, out _, out _);
    }

    /// <summary>RFC 3174 section 6.1.</summary>
    private static void AddBlock(Span<uint> state, ReadOnlySpan<byte> block)
    {
        Span<uint> words = stackalloc uint[Rounds];
        for (int t = 0; t < Rounds; t++)
        {
            words[t] =
                t < 16
                    ? BinaryPrimitives.ReadUInt32BigEndian(block[(t * sizeof(uint))..])
                    : BitOperations.RotateLeft(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1);
        }

        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4]);
        for (int t = 0; t < Rounds; t++)
        {
            uint mixed = (t / 20) switch
            {
                0 => ((b & c) | (~b & d)) + 0x5A82_7999,
                1 => (b ^ c ^ d) + 0x6ED9_EBA1,
                2 => ((b & c) | (b & d) | (c & d)) + 0x8F1B_BCDC,
                _ => (b ^ c ^ d) + 0xCA62_C1D6,
            };
            (a, b, c, d, e) = (BitOperations.RotateLeft(a, 5) + mixed + e + words[t], a, BitOperations.RotateLeft(b, 30), c, d);
        }

        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
    }
}
