namespace Spawngate.Protocols.Toml;

/// <summary>Dates and times: RFC 3339 section 5.6, of which the offset, the time or the date may be missing.</summary>
internal static class TomlDateTimes
{
    private const string Allowed =
        "allowed are 1979-05-27, 07:32:00, and both joined by T or a blank, with an optional fraction and offset (Z or +01:00)";

    /// <summary>Whether the text begins as only a date or a time can.</summary>
    public static bool LooksLike(ReadOnlySpan<char> token) => StartsDate(token) || StartsTime(token);

    /// <summary>Whether the text is exactly a date, so that a blank and a time may follow.</summary>
    public static bool IsDateAlone(ReadOnlySpan<char> token) => token.Length == 10 && StartsDate(token);

    /// <summary>Whether a time begins here.</summary>
    public static bool StartsTime(ReadOnlySpan<char> text) => text.Length >= 3 && AreDigits(text[..2]) && text[2] == ':';

    /// <summary>Reads a date or time; <paramref name="error"/> says why there is none.</summary>
    public static TomlValue? Read(ReadOnlySpan<char> token, TomlPosition position, out string? error)
    {
        var rest = token;
        var hasDate = StartsDate(token);
        var isSound = !hasDate || TakeDate(ref rest);
        var hasTime = !hasDate;
        if (isSound && hasDate && !rest.IsEmpty)
        {
            hasTime = rest[0] is 'T' or 't' or ' ';
            isSound = hasTime;
            rest = rest[1..];
        }

        isSound = isSound && (!hasTime || TakeTime(ref rest));
        var hasOffset = isSound && hasDate && hasTime && !rest.IsEmpty;
        isSound = isSound && (!hasOffset || TakeOffset(ref rest)) && rest.IsEmpty;
        error = isSound ? null : $"found {TomlSyntax.Clip(token)}, which is no valid date or time; {Allowed}";
        return isSound ? new TomlDateTime(position, KindOf(hasDate, hasTime, hasOffset), Normalise(token)) : null;
    }

    private static TomlDateTimeKind KindOf(bool hasDate, bool hasTime, bool hasOffset) =>
        (hasDate, hasTime, hasOffset) switch
        {
            (true, true, true) => TomlDateTimeKind.OffsetDateTime,
            (true, true, false) => TomlDateTimeKind.LocalDateTime,
            (true, false, _) => TomlDateTimeKind.LocalDate,
            _ => TomlDateTimeKind.LocalTime,
        };

    private static string Normalise(ReadOnlySpan<char> token) => token.ToString().Replace(' ', 'T').ToUpperInvariant();

    private static bool StartsDate(ReadOnlySpan<char> text) => text.Length >= 5 && AreDigits(text[..4]) && text[4] == '-';

    /// <summary><c>YYYY-MM-DD</c>, a day that exists.</summary>
    private static bool TakeDate(ref ReadOnlySpan<char> rest)
    {
        if (rest.Length < 10 || !AreDigits(rest[..4]) || !AreDigits(rest[5..7]) || rest[7] != '-' || !AreDigits(rest[8..10]))
        {
            return false;
        }

        var year = int.Parse(rest[..4]);
        var month = int.Parse(rest[5..7]);
        var day = int.Parse(rest[8..10]);
        rest = rest[10..];
        return month is >= 1 and <= 12 && day >= 1 && day <= DaysIn(year, month);
    }

    /// <summary>
    /// Year 0 is a leap year of the proleptic calendar, but unknown to <see cref="DateTime"/>; 400 years on, the calendar repeats.
    /// </summary>
    private static int DaysIn(int year, int month) => DateTime.DaysInMonth(year == 0 ? 400 : year, month);

    /// <summary><c>HH:MM:SS</c> with an optional fraction; second 60 is a leap second (RFC 3339 section 5.7).</summary>
    private static bool TakeTime(ref ReadOnlySpan<char> rest)
    {
        if (rest.Length < 8 || !StartsTime(rest) || !AreDigits(rest[3..5]) || rest[5] != ':' || !AreDigits(rest[6..8]))
        {
            return false;
        }

        var isSound = int.Parse(rest[..2]) <= 23 && int.Parse(rest[3..5]) <= 59 && int.Parse(rest[6..8]) <= 60;
        rest = rest[8..];
        if (rest.IsEmpty || rest[0] != '.')
        {
            return isSound;
        }

        var fraction = rest[1..].IndexOfAnyExceptInRange('0', '9');
        fraction = fraction < 0 ? rest.Length - 1 : fraction;
        rest = rest[(1 + fraction)..];
        return isSound && fraction > 0;
    }

    private static bool TakeOffset(ref ReadOnlySpan<char> rest)
    {
        if (rest[0] is 'Z' or 'z')
        {
            rest = rest[1..];
            return true;
        }

        if (rest.Length < 6 || rest[0] is not ('+' or '-') || !StartsTime(rest[1..]) || !AreDigits(rest[4..6]))
        {
            return false;
        }

        var isSound = int.Parse(rest[1..3]) <= 23 && int.Parse(rest[4..6]) <= 59;
        rest = rest[6..];
        return isSound;
    }

    private static bool AreDigits(ReadOnlySpan<char> text) => !text.ContainsAnyExceptInRange('0', '9');
}
