using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;

namespace Spawngate.Logging;

/// <summary>
/// Builds one log line as a JSON object in a reusable buffer:
/// <code>
///   {"time":"2026-01-31T12:00:00.123Z","level":"info","category":"backend","message":"Listening on 3000","properties":{"hostname":"app.example.com","stream":"stdout"}}
/// </code>
/// A text that is too long is cut, and the object is whole all the same.
/// </summary>
internal sealed class JsonLogLine
{
    /// <summary>What ends an object: the properties' brace, its own, and the line's end.</summary>
    private const int EndBytes = 3;

    private static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    [ThreadStatic]
    private static JsonLogLine? t_current;

    private byte[] _buffer = new byte[LoggingLimits.LogLineFirstBytes];
    private byte[] _utf8 = [];
    private int _length;
    private bool _hasProperty;

    /// <summary>Begins a line in this thread's buffer; it is valid until the thread begins another.</summary>
    public static JsonLogLine Begin(DateTimeOffset time, LogLevel level, ReadOnlySpan<byte> category)
    {
        var line = t_current ??= new JsonLogLine();
        line._length = 0;
        line._hasProperty = false;
        line.Raw("{\"time\":\""u8);
        line.Raw(Encoding.ASCII.GetBytes(time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture)));
        line.Raw("\",\"level\":"u8);
        line.Raw(NameOf(level));
        line.Raw(",\"category\":"u8);
        line.Text(category, LoggingLimits.JsonLogTailBytes);
        return line;
    }

    /// <summary>Adds the message; once, before the properties.</summary>
    public JsonLogLine Message(ReadOnlySpan<byte> text)
    {
        Raw(",\"message\":"u8);
        Text(text, LoggingLimits.JsonLogTailBytes);
        Raw(",\"properties\":{"u8);
        return this;
    }

    /// <summary>Adds the message; once, before the properties.</summary>
    public JsonLogLine Message(string text) => Message(Utf8(text));

    /// <summary>Adds a property.</summary>
    public JsonLogLine Property(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (BeginProperty(name))
        {
            Text(value, EndBytes);
        }

        return this;
    }

    /// <summary>Adds a property: numbers and booleans as such, all else as text.</summary>
    public JsonLogLine Property(string name, object? value)
    {
        if (!BeginProperty(Utf8(name)))
        {
            return this;
        }

        switch (value)
        {
            case null:
                Raw("null"u8);
                break;
            case bool truth:
                Raw(truth ? "true"u8 : "false"u8);
                break;
            case int or long or uint or ulong or short or ushort or byte or sbyte:
                Raw(Encoding.ASCII.GetBytes(Convert.ToString(value, CultureInfo.InvariantCulture)!));
                break;
            case double number when double.IsFinite(number):
                Raw(Encoding.ASCII.GetBytes(number.ToString("R", CultureInfo.InvariantCulture)));
                break;
            default:
                Text(Utf8(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""), EndBytes);
                break;
        }

        return this;
    }

    /// <summary>Ends the line.</summary>
    public ReadOnlySpan<byte> End()
    {
        Raw("}}\n"u8);
        return _buffer.AsSpan(0, _length);
    }

    private static ReadOnlySpan<byte> NameOf(LogLevel level) =>
        level switch
        {
            LogLevel.Trace => "\"trace\""u8,
            LogLevel.Debug => "\"debug\""u8,
            LogLevel.Information => "\"info\""u8,
            LogLevel.Warning => "\"warn\""u8,
            _ => "\"error\""u8,
        };

    /// <summary>Begins a property if there is room for its name and for a number or an empty text.</summary>
    private bool BeginProperty(ReadOnlySpan<byte> name)
    {
        if (_length + name.Length + LoggingLimits.JsonLogPropertyBytes > LoggingLimits.JsonLogLineBytes)
        {
            return false;
        }

        Raw(_hasProperty ? ",\""u8 : "\""u8);
        _hasProperty = true;
        Raw(name);
        Raw("\":"u8);
        return true;
    }

    /// <summary>Adds a string, cut so that so many bytes stay free behind it.</summary>
    private void Text(ReadOnlySpan<byte> text, int keepFree)
    {
        Raw("\""u8);
        OperationStatus status;
        do
        {
            int bytesMax = LoggingLimits.JsonLogLineBytes - keepFree - 1 - _length;
            int room = Math.Max(0, Math.Min(bytesMax, _buffer.Length - 1 - _length));
            status = Encoder.EncodeUtf8(text, _buffer.AsSpan(_length, room), out int consumed, out int written);
            _length += written;
            text = text[consumed..];
            if (status != OperationStatus.DestinationTooSmall || room == bytesMax)
            {
                break;
            }

            Grow(_length + 1 + text.Length);
        } while (true);
        Raw("\""u8);
    }

    private void Raw(ReadOnlySpan<byte> bytes)
    {
        Grow(_length + bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(_length));
        _length += bytes.Length;
    }

    private void Grow(int needed)
    {
        if (needed >= _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Min(LoggingLimits.JsonLogLineBytes + EndBytes, Math.Max(needed + 1, 2 * _buffer.Length)));
        }
    }

    private ReadOnlySpan<byte> Utf8(string text)
    {
        int bytesMax = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (_utf8.Length < bytesMax)
        {
            _utf8 = new byte[bytesMax];
        }

        return _utf8.AsSpan(0, Encoding.UTF8.GetBytes(text, _utf8));
    }
}
