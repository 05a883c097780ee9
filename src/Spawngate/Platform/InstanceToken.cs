using System.Globalization;

namespace Spawngate.Platform;

/// <summary>
/// The ready token of one start as three numbers. Every process of an instance carries it in its environment, inside the value of
/// <c>SERVERLESS_PROXY_READY_URL</c>, so a process that has left its group can still be matched to its instance.
/// </summary>
internal readonly record struct InstanceToken(ulong First, ulong Second, ulong Third)
{
    /// <summary>Name of the variable that carries it.</summary>
    public const string Variable = "SERVERLESS_PROXY_READY_URL";

    /// <summary>Bytes of a token.</summary>
    public const int Bytes = 3 * sizeof(ulong);

    private const int WordDigits = 2 * sizeof(ulong);

    /// <summary>The token at the end of a ready URL; null when there is none.</summary>
    public static InstanceToken? OfReadyUrl(string url) => OfReadyUrl(System.Text.Encoding.UTF8.GetBytes(url));

    /// <summary>
    /// The token in a block of <c>NAME=value</c> entries that each end with a zero byte; null when no whole entry carries one.
    /// </summary>
    public static InstanceToken? Find(ReadOnlySpan<byte> environment)
    {
        ReadOnlySpan<byte> name = "SERVERLESS_PROXY_READY_URL="u8;
        while (environment.IndexOf(name) is var at and >= 0)
        {
            environment = environment[(at + name.Length)..];
            int end = environment.IndexOf((byte)0);
            if (end < 0)
            {
                return null;
            }

            if (OfReadyUrl(environment[..end]) is { } token)
            {
                return token;
            }
        }

        return null;
    }

    private static InstanceToken? OfReadyUrl(ReadOnlySpan<byte> url)
    {
        ReadOnlySpan<byte> name = "token="u8;
        int at = url.LastIndexOf(name);
        ReadOnlySpan<byte> digits = at < 0 ? default : url[(at + name.Length)..];
        return digits.Length == 2 * Bytes && Word(digits, 0) is { } first && Word(digits, 1) is { } second && Word(digits, 2) is { } third
            ? new InstanceToken(first, second, third)
            : null;
    }

    private static ulong? Word(ReadOnlySpan<byte> digits, int index) =>
        ulong.TryParse(
            digits.Slice(index * WordDigits, WordDigits),
            NumberStyles.AllowHexSpecifier,
            CultureInfo.InvariantCulture,
            out ulong word
        )
            ? word
            : null;
}
