using System.Diagnostics.CodeAnalysis;
using Spawngate.Config;
using Spawngate.Platform;

namespace Spawngate.Sessions;

/// <summary>
/// What names a session: 120 random bits, written as 24 characters of <c>a-z2-7</c> (RFC 4648 base 32, lower case, no padding), which are
/// one label of a host name.
/// </summary>
/// <param name="High">The first 60 bits.</param>
/// <param name="Low">The last 60 bits.</param>
internal readonly record struct SessionId(ulong High, ulong Low)
{
    private const int BitsPerChar = 5;
    private const int CharsPerHalf = ConfigLimits.SessionIdChars / 2;

    /// <summary>A new one, which nobody can guess.</summary>
    public static SessionId New()
    {
        Span<byte> random = stackalloc byte[2 * sizeof(ulong)];
        Entropy.Fill(random);
        const ulong Half = (1UL << (BitsPerChar * CharsPerHalf)) - 1;
        return new SessionId(BitConverter.ToUInt64(random) & Half, BitConverter.ToUInt64(random[sizeof(ulong)..]) & Half);
    }

    /// <summary>Reads one from a label of a host name in lower case; every id is written in one way only.</summary>
    public static bool TryParse(ReadOnlySpan<byte> label, out SessionId id)
    {
        id = default;
        if (
            label.Length != ConfigLimits.SessionIdChars
            || !TryParseHalf(label[..CharsPerHalf], out ulong high)
            || !TryParseHalf(label[CharsPerHalf..], out ulong low)
        )
        {
            return false;
        }

        id = new SessionId(high, low);
        return true;
    }

    /// <summary>Reads one from text in any case.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out SessionId id)
    {
        id = default;
        if (text?.Length != ConfigLimits.SessionIdChars)
        {
            return false;
        }

        Span<byte> label = stackalloc byte[ConfigLimits.SessionIdChars];
        for (int i = 0; i < label.Length; i++)
        {
            char c = char.ToLowerInvariant(text[i]);
            label[i] = char.IsAscii(c) ? (byte)c : (byte)0;
        }

        return TryParse(label, out id);
    }

    /// <summary>The 24 characters.</summary>
    public override string ToString() => string.Create(ConfigLimits.SessionIdChars, this, static (text, id) =>
        {
            WriteHalf(text[..CharsPerHalf], id.High);
            WriteHalf(text[CharsPerHalf..], id.Low);
        });

    private static bool TryParseHalf(ReadOnlySpan<byte> label, out ulong half)
    {
        half = 0;
        foreach (byte c in label)
        {
            int value = c switch
            {
                >= (byte)'a' and <= (byte)'z' => c - 'a',
                >= (byte)'2' and <= (byte)'7' => c - '2' + 26,
                _ => -1,
            };
            if (value < 0)
            {
                return false;
            }

            half = (half << BitsPerChar) | (uint)value;
        }

        return true;
    }

    private static void WriteHalf(Span<char> text, ulong half)
    {
        const string Alphabet = "abcdefghijklmnopqrstuvwxyz234567";
        for (int i = text.Length - 1; i >= 0; i--)
        {
            text[i] = Alphabet[(int)(half & 31)];
            half >>= BitsPerChar;
        }
    }
}
