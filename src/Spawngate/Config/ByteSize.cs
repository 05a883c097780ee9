using System.Globalization;

namespace Spawngate.Config;

/// <summary>Sizes of memory as the file writes them.</summary>
internal static class ByteSize
{
    /// <summary>Reads <c>512m</c>, <c>1.5g</c>, <c>2gb</c>, <c>256M</c> or a plain number of bytes.</summary>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        var number = text.AsSpan();
        if (number.Length > 1 && char.ToLowerInvariant(number[^1]) == 'b' && char.IsAsciiLetter(number[^2]))
        {
            number = number[..^1];
        }

        var unit = number.IsEmpty ? '\0' : char.ToLowerInvariant(number[^1]);
        long factor = unit switch
        {
            'k' => 1L << 10,
            'm' => 1L << 20,
            'g' => 1L << 30,
            _ => 1,
        };
        if (unit is 'b' or 'k' or 'm' or 'g')
        {
            number = number[..^1];
        }

        if (!TryParseAmount(number, out var amount) || amount > long.MaxValue / factor)
        {
            return false;
        }

        bytes = (long)(amount * factor);
        return true;
    }

    /// <summary>Reads a number without sign, with or without a fraction.</summary>
    public static bool TryParseAmount(ReadOnlySpan<char> text, out decimal amount)
    {
        amount = 0;
        return !text.IsEmpty
            && char.IsAsciiDigit(text[0])
            && char.IsAsciiDigit(text[^1])
            && decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out amount);
    }
}
