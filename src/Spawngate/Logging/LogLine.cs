using System.Text;

namespace Spawngate.Logging;

/// <summary>
/// Builds one log line in a reusable buffer. The format is fixed:
/// <code>
///   2026-01-31T12:00:00.123Z INFO backend: hostname="app.example.com" stream="stdout" Listening on 3000
///   └ UTC, milliseconds ───┘ └lvl └category └ the message, which puts its fields first
/// </code>
/// What comes from outside cannot forge a line: control characters in the message are escaped.
/// </summary>
internal sealed class LogLine
{
    [ThreadStatic]
    private static LogLine? t_current;

    /// <summary>Columns of a category and its colon on a terminal: <c>spawngate.forwarding:</c>.</summary>
    private const int CategoryColumns = 21;

    private byte[] _buffer = new byte[LoggingLimits.LogLineFirstBytes];
    private byte[] _clean = [];
    private int _length;

    /// <summary>The line so far.</summary>
    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, _length);

    /// <summary>Begins a line in this thread's buffer; it is valid until the thread begins another.</summary>
    /// <param name="time">When.</param>
    /// <param name="level">How important.</param>
    /// <param name="category">Of what.</param>
    /// <param name="style">How it looks; not JSON.</param>
    public static LogLine Begin(DateTimeOffset time, LogLevel level, ReadOnlySpan<byte> category, LogStyle style = LogStyle.Plain)
    {
        LogLine line = t_current ??= new LogLine();
        line._length = 0;
        if (style == LogStyle.Plain)
        {
            line.AppendTime(time.UtcDateTime);
            line.Append(NameOf(level));
            line.Append(category);
            line.Append(": "u8);
            return line;
        }

        bool coloured = style == LogStyle.Coloured;
        line.Append(coloured ? "\x1b[2m"u8 : default);
        line.AppendTime(time.UtcDateTime);
        line.Append(coloured ? "\x1b[0m"u8 : default);
        line.Append(coloured ? ColourOf(level) : default);
        line.Append(NameOf(level));
        line.Append(coloured ? "\x1b[0m"u8 : default);
        line.Append(level is LogLevel.Information or LogLevel.Warning ? " "u8 : default);
        line.Append(coloured ? "\x1b[36m"u8 : default);
        line.Append(category);
        line.Append(coloured ? "\x1b[0m: "u8 : ": "u8);
        for (int column = category.Length + 1; column < CategoryColumns; column++)
        {
            line.Append(" "u8);
        }

        return line;
    }

    private static ReadOnlySpan<byte> ColourOf(LogLevel level) =>
        level switch
        {
            LogLevel.Trace or LogLevel.Debug => "\x1b[34m"u8,
            LogLevel.Information => "\x1b[32m"u8,
            LogLevel.Warning => "\x1b[33m"u8,
            _ => "\x1b[1;31m"u8,
        };

    /// <summary>Adds bytes as they are; what does not fit is left out.</summary>
    public void Append(ReadOnlySpan<byte> text)
    {
        int room = Reserve(text.Length);
        text = text.Length > room ? text[..room] : text;
        text.CopyTo(_buffer.AsSpan(_length));
        _length += text.Length;
    }

    /// <summary>Adds text, with what does not belong in a log line escaped.</summary>
    public void Append(string text)
    {
        int room = Reserve(Encoding.UTF8.GetMaxByteCount(text.Length));
        Encoding.UTF8.GetEncoder().Convert(text, _buffer.AsSpan(_length, room), flush: true, out _, out int written, out _);
        Span<byte> added = _buffer.AsSpan(_length, written);
        if (LineText.IsClean(added))
        {
            _length += written;
            return;
        }

        int length = LineText.Clean(added, ref _clean);
        Append(_clean.AsSpan(0, length));
    }

    /// <summary>Ends the line.</summary>
    public ReadOnlySpan<byte> End()
    {
        _buffer[_length++] = (byte)'\n';
        return Bytes;
    }

    // Most lines are short, and every thread that logs keeps a buffer. One byte always stays for the line end.
    private int Reserve(int bytes)
    {
        int needed = Math.Min(LoggingLimits.LogLineBytes, _length + bytes + 1);
        if (needed > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Min(LoggingLimits.LogLineBytes, Math.Max(needed, _buffer.Length * 2)));
        }

        return _buffer.Length - 1 - _length;
    }

    private static ReadOnlySpan<byte> NameOf(LogLevel level) =>
        level switch
        {
            LogLevel.Trace => " TRACE "u8,
            LogLevel.Debug => " DEBUG "u8,
            LogLevel.Information => " INFO "u8,
            LogLevel.Warning => " WARN "u8,
            _ => " ERROR "u8,
        };

    private void AppendTime(DateTime utc)
    {
        Span<byte> text = stackalloc byte[24];
        "0000-00-00T00:00:00.000Z"u8.CopyTo(text);
        Digits(text[..4], utc.Year);
        Digits(text[5..7], utc.Month);
        Digits(text[8..10], utc.Day);
        Digits(text[11..13], utc.Hour);
        Digits(text[14..16], utc.Minute);
        Digits(text[17..19], utc.Second);
        Digits(text[20..23], utc.Millisecond);
        Append(text);
    }

    private static void Digits(Span<byte> place, int value)
    {
        for (int i = place.Length - 1; i >= 0; i--)
        {
            place[i] = (byte)('0' + (value % 10));
            value /= 10;
        }
    }
}
