using System.Globalization;

namespace Spawngate.Protocols.Toml;

/// <summary>
/// Integers and floats. The grammar is stricter than that of .NET, so it is checked by hand before anything is converted.
/// </summary>
internal static class TomlNumbers
{
    private const string IntegerRange = "whole numbers from -9223372036854775808 to 9223372036854775807 are allowed";

    /// <summary>Reads a number; <paramref name="error"/> says why there is none.</summary>
    public static TomlValue? Read(ReadOnlySpan<char> token, TomlPosition position, out string? error)
    {
        error = null;
        if (token is "inf" or "+inf")
        {
            return new TomlFloat(position, double.PositiveInfinity);
        }

        if (token is "-inf")
        {
            return new TomlFloat(position, double.NegativeInfinity);
        }

        if (token is "nan" or "+nan" or "-nan")
        {
            return new TomlFloat(position, double.NaN);
        }

        if (token.Length > 1 && token[0] == '0' && char.IsAsciiLetter(token[1]) && token[1] is not ('e' or 'E'))
        {
            return ReadPrefixed(token, position, out error);
        }

        var unsigned = token[0] is '+' or '-' ? token[1..] : token;
        return unsigned.ContainsAny(".eE")
            ? ReadFloat(token, unsigned, position, out error)
            : ReadDecimal(token, unsigned, position, out error);
    }

    private static TomlValue? ReadPrefixed(ReadOnlySpan<char> token, TomlPosition position, out string? error)
    {
        var style = token[1] switch
        {
            'x' => NumberStyles.AllowHexSpecifier,
            'b' => NumberStyles.AllowBinarySpecifier,
            'o' => NumberStyles.None,
            _ => (NumberStyles?)null,
        };
        var digits = token[2..];
        var allowed = token[1] switch
        {
            'x' => "0123456789abcdefABCDEF",
            'o' => "01234567",
            _ => "01",
        };
        if (style is null || !AreDigits(digits, allowed))
        {
            error =
                $"found {TomlSyntax.Clip(token)}, allowed are digits after a lower-case 0x, 0o or 0b, with single "
                + "underscores between digits";
            return null;
        }

        var plain = WithoutUnderscores(digits);
        var fits =
            style == NumberStyles.None
                ? TryParseOctal(plain, out var value)
                : long.TryParse(plain, style.Value, CultureInfo.InvariantCulture, out value) && value >= 0;
        error = fits ? null : $"found {TomlSyntax.Clip(token)}, {IntegerRange}";
        return fits ? new TomlInteger(position, value) : null;
    }

    private static TomlValue? ReadDecimal(ReadOnlySpan<char> token, ReadOnlySpan<char> unsigned, TomlPosition position, out string? error)
    {
        error = IntegerPartError(token, unsigned);
        if (error is not null)
        {
            return null;
        }

        if (long.TryParse(WithoutUnderscores(token), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
        {
            return new TomlInteger(position, value);
        }

        error = $"found {TomlSyntax.Clip(token)}, {IntegerRange}";
        return null;
    }

    private static TomlValue? ReadFloat(ReadOnlySpan<char> token, ReadOnlySpan<char> unsigned, TomlPosition position, out string? error)
    {
        var exponentAt = unsigned.IndexOfAny('e', 'E');
        var mantissa = exponentAt < 0 ? unsigned : unsigned[..exponentAt];
        var exponent = exponentAt < 0 ? "0" : unsigned[(exponentAt + 1)..];
        if (exponent.Length > 0 && exponent[0] is '+' or '-')
        {
            exponent = exponent[1..];
        }

        var dotAt = mantissa.IndexOf('.');
        var whole = dotAt < 0 ? mantissa : mantissa[..dotAt];
        var fraction = dotAt < 0 ? "0" : mantissa[(dotAt + 1)..];
        error = IntegerPartError(token, whole);
        if (error is null && !(AreDigits(fraction, "0123456789") && AreDigits(exponent, "0123456789")))
        {
            error = $"found {TomlSyntax.Clip(token)}, a float is digits, then a dot and digits, or an exponent, or both";
        }

        return error is null
            ? new TomlFloat(position, double.Parse(WithoutUnderscores(token), NumberStyles.Float, CultureInfo.InvariantCulture))
            : null;
    }

    private static string? IntegerPartError(ReadOnlySpan<char> token, ReadOnlySpan<char> digits)
    {
        if (!AreDigits(digits, "0123456789"))
        {
            return $"found {TomlSyntax.Clip(token)}, a number is digits with single underscores between digits; a string needs quotes";
        }

        return digits.Length > 1 && digits[0] == '0' ? $"found {TomlSyntax.Clip(token)}, numbers have no leading zeros" : null;
    }

    /// <summary>Digits, with single underscores between them.</summary>
    private static bool AreDigits(ReadOnlySpan<char> text, ReadOnlySpan<char> allowed)
    {
        var afterDigit = false;
        foreach (var c in text)
        {
            var isDigit = allowed.Contains(c);
            if (!isDigit && !(c == '_' && afterDigit))
            {
                return false;
            }

            afterDigit = isDigit;
        }

        return afterDigit;
    }

    private static string WithoutUnderscores(ReadOnlySpan<char> digits) => digits.ToString().Replace("_", "", StringComparison.Ordinal);

    private static bool TryParseOctal(string digits, out long value)
    {
        value = 0;
        foreach (var digit in digits)
        {
            if (value > long.MaxValue >> 3)
            {
                return false;
            }

            value = (value << 3) | (long)(digit - '0');
        }

        return true;
    }
}
