using System.Buffers;
using System.Buffers.Text;

namespace Spawngate.Telemetry;

/// <summary>
/// Writes parts of a line into a span that the caller made large enough. Nothing of what comes from outside can end a line or a string.
/// </summary>
internal ref struct RecordWriter(Span<byte> target)
{
    /// <summary>Bytes that one byte may become in <see cref="WriteEscaped"/>: <c>\x1B</c>.</summary>
    public const int EscapedBytes = 4;

    /// <summary>Bytes that one byte may become in <see cref="WriteJson"/>: <c>\u001b</c>.</summary>
    public const int JsonBytes = 6;

    private static readonly SearchValues<byte> Plain = SearchValues.Create([
        .. Enumerable.Range(0x20, 0x5F).Where(static value => value is not ('"' or '\\')).Select(static value => (byte)value),
    ]);

    private readonly Span<byte> _target = target;

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    private static ReadOnlySpan<byte> Months => "JanFebMarAprMayJunJulAugSepOctNovDec"u8;

    private static ReadOnlySpan<byte> Digits => "0123456789abcdef"u8;

    /// <summary>Adds bytes as they are.</summary>
    public void Write(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_target[Length..]);
        Length += bytes.Length;
    }

    /// <summary>Adds a number.</summary>
    public void Write(long number)
    {
        Utf8Formatter.TryFormat(number, _target[Length..], out int written);
        Length += written;
    }

    /// <summary>Adds microseconds as a decimal number.</summary>
    /// <param name="micros">How many.</param>
    /// <param name="unit">How many are one unit: a power of ten.</param>
    public void WriteMicros(long micros, int unit)
    {
        micros = Math.Max(0, micros);
        Write(micros / unit);
        _target[Length++] = (byte)'.';
        for (int digit = unit / 10; digit > 0; digit /= 10)
        {
            _target[Length++] = (byte)('0' + (micros / digit % 10));
        }
    }

    /// <summary>
    /// Adds text as it may stand between quotes of a combined line: quotes, backslashes, controls and what is not ASCII become <c>\xHH</c>.
    /// </summary>
    public void WriteEscaped(scoped ReadOnlySpan<byte> text)
    {
        for (int at = WritePlain(text); at < text.Length; at += 1 + WritePlain(text[(at + 1)..]))
        {
            Write("\\x"u8);
            _target[Length++] = UpperHex(text[at] >> 4);
            _target[Length++] = UpperHex(text[at] & 15);
        }
    }

    /// <summary>The same between quotes, or <c>-</c> in them for nothing.</summary>
    public void WriteQuoted(scoped ReadOnlySpan<byte> text)
    {
        _target[Length++] = (byte)'"';
        if (text.IsEmpty)
        {
            _target[Length++] = (byte)'-';
        }

        WriteEscaped(text);
        _target[Length++] = (byte)'"';
    }

    /// <summary>Adds a string of JSON, or null for nothing. A byte that is not ASCII becomes the character of its number.</summary>
    public void WriteJson(scoped ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
        {
            Write("null"u8);
            return;
        }

        _target[Length++] = (byte)'"';
        for (int at = WritePlain(text); at < text.Length; at += 1 + WritePlain(text[(at + 1)..]))
        {
            byte odd = text[at];
            _target[Length++] = (byte)'\\';
            if (odd is (byte)'"' or (byte)'\\')
            {
                _target[Length++] = odd;
                continue;
            }

            Write("u00"u8);
            WriteHex(odd);
        }

        _target[Length++] = (byte)'"';
    }

    /// <summary>Adds two digits of a byte.</summary>
    public void WriteHex(byte value)
    {
        _target[Length++] = Digits[value >> 4];
        _target[Length++] = Digits[value & 15];
    }

    /// <summary>Adds a time as <c>22/Nov/2026:13:00:01 +0000</c>.</summary>
    public void WriteLogTime(DateTime utc)
    {
        WritePadded(utc.Day, 2);
        _target[Length++] = (byte)'/';
        Write(Months.Slice(3 * (utc.Month - 1), 3));
        _target[Length++] = (byte)'/';
        WritePadded(utc.Year, 4);
        _target[Length++] = (byte)':';
        WriteClock(utc);
        Write(" +0000"u8);
    }

    /// <summary>Adds a time as <c>2026-11-22T13:00:01.123Z</c>.</summary>
    public void WriteIsoTime(DateTime utc)
    {
        WritePadded(utc.Year, 4);
        _target[Length++] = (byte)'-';
        WritePadded(utc.Month, 2);
        _target[Length++] = (byte)'-';
        WritePadded(utc.Day, 2);
        _target[Length++] = (byte)'T';
        WriteClock(utc);
        _target[Length++] = (byte)'.';
        WritePadded(utc.Millisecond, 3);
        _target[Length++] = (byte)'Z';
    }

    private void WriteClock(DateTime utc)
    {
        WritePadded(utc.Hour, 2);
        _target[Length++] = (byte)':';
        WritePadded(utc.Minute, 2);
        _target[Length++] = (byte)':';
        WritePadded(utc.Second, 2);
    }

    private void WritePadded(int value, int digits)
    {
        for (int place = Length + digits - 1; place >= Length; place--)
        {
            _target[place] = (byte)('0' + (value % 10));
            value /= 10;
        }

        Length += digits;
    }

    /// <summary>Adds what needs no escape, up to a byte that does; returns how many bytes that were.</summary>
    private int WritePlain(scoped ReadOnlySpan<byte> text)
    {
        int plain = text.IndexOfAnyExcept(Plain);
        plain = plain < 0 ? text.Length : plain;
        Write(text[..plain]);
        return plain;
    }

    private static byte UpperHex(int digit) => (byte)(digit < 10 ? '0' + digit : 'A' + digit - 10);
}
