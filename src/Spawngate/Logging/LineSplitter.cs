using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Spawngate.Logging;

/// <summary>Receives the lines of one stream.</summary>
internal interface ILineSink
{
    /// <summary>
    /// One line without its end: valid UTF-8, no control characters but tab. The memory is valid during the call only. Must not block or
    /// throw.
    /// </summary>
    void OnLine(ReadOnlyMemory<byte> line);
}

/// <summary>
/// Cuts a stream of bytes into lines at LF, CR LF or CR. A line over <see cref="LoggingLimits.OutputLineBytes"/> is handed on cut, with a
/// mark, as soon as that is clear, and its rest is skipped. Escape sequences are left out: no terminal reads these lines. The result does
/// not depend on how the stream was split into chunks.
/// </summary>
/// <remarks>
/// <code>
///   10 %\r20 %\r\n    two lines: progress that overwrites itself. A CR makes no empty line, unless an LF follows
///   .....  .....\n    with <see cref="FlushPartial"/> in between: a line for each part, and none for the LF alone
/// </code>
/// </remarks>
internal sealed class LineSplitter(ILineSink sink)
{
    private static readonly byte[] CutMark = Encoding.UTF8.GetBytes($" [cut at {LoggingLimits.OutputLineBytes} bytes]");

    private byte[] _partial = [];
    private byte[] _clean = [];
    private int _length;
    private bool _skipping;
    private bool _isAfterCr;
    private bool _owesEmpty;
    private bool _isContinued;
    private bool _isTorn;

    /// <summary>Whether a line has begun that has not ended, of which something can be handed on.</summary>
    public bool HasPartial => _length > 0 && !_isTorn;

    /// <summary>Lines that have ended so far.</summary>
    public long Ended { get; private set; }

    /// <summary>Takes the next bytes of the stream.</summary>
    public void Feed(ReadOnlyMemory<byte> chunk)
    {
        _isTorn = false;
        while (!chunk.IsEmpty)
        {
            if (_isAfterCr)
            {
                chunk = TakeAfterCr(chunk);
                continue;
            }

            int end = chunk.Span.IndexOfAny((byte)'\n', (byte)'\r');
            bool isCr = end >= 0 && chunk.Span[end] == (byte)'\r';
            ReadOnlyMemory<byte> part = end < 0 ? chunk : chunk[..end];
            chunk = end < 0 ? default : chunk[(end + 1)..];
            TakePart(part, end >= 0, isCr);
        }
    }

    /// <summary>
    /// Hands on the line that has begun, as far as it is: what comes until its end is another line. A character or an escape sequence of
    /// which the rest is to come stays.
    /// </summary>
    public void FlushPartial()
    {
        int whole = LineText.WholeLength(_partial.AsSpan(0, _length));
        if (whole > 0)
        {
            _isContinued |= Emit(_partial.AsMemory(0, whole), cut: false, mayBeEmpty: false);
            _partial.AsSpan(whole, _length - whole).CopyTo(_partial);
            _length -= whole;
        }

        _isTorn = _length > 0;
    }

    /// <summary>The stream has ended: an unfinished line is a line.</summary>
    public void Complete()
    {
        if (_length > 0)
        {
            Emit(_partial.AsMemory(0, _length), cut: false, mayBeEmpty: false);
        }

        _length = 0;
        _skipping = _isAfterCr = _owesEmpty = _isContinued = false;
        _partial = [];
    }

    // A CR has ended the line. The LF of a CR LF belongs to it.
    private ReadOnlyMemory<byte> TakeAfterCr(ReadOnlyMemory<byte> chunk)
    {
        _isAfterCr = false;
        bool isLf = chunk.Span[0] == (byte)'\n';
        if (isLf && _owesEmpty)
        {
            sink.OnLine(default);
        }

        _owesEmpty = false;
        return isLf ? chunk[1..] : chunk;
    }

    private void TakePart(ReadOnlyMemory<byte> part, bool ended, bool isCr)
    {
        if (_skipping)
        {
            _skipping = !ended;
            _isAfterCr = isCr;
            return;
        }

        bool over = part.Length > LoggingLimits.OutputLineBytes - _length;
        if (_length > 0 || !ended)
        {
            Keep(over ? part[..(LoggingLimits.OutputLineBytes - _length)] : part);
            part = _partial.AsMemory(0, _length);
        }

        if (!ended && !over)
        {
            return;
        }

        // Of a line that was handed on as it came, the end alone is nothing new.
        bool isRest = _isContinued && part.IsEmpty;
        bool isTold = isRest || Emit(part, over, mayBeEmpty: !isCr);
        _owesEmpty = isCr && !isTold;
        _length = 0;
        _skipping = over && !ended;
        _isAfterCr = isCr;
        _isContinued = false;
        Ended++;
    }

    private void Keep(ReadOnlyMemory<byte> part)
    {
        int needed = _length + part.Length;
        if (_partial.Length < needed)
        {
            Array.Resize(
                ref _partial,
                Math.Min(LoggingLimits.OutputLineBytes, Math.Max(needed, Math.Max(LoggingLimits.LinePartFirstBytes, _partial.Length * 2)))
            );
        }

        part.CopyTo(_partial.AsMemory(_length));
        _length = needed;
    }

    /// <returns>False when nothing is left of it and it may not be empty: then nothing was handed on.</returns>
    private bool Emit(ReadOnlyMemory<byte> line, bool cut, bool mayBeEmpty)
    {
        if (cut)
        {
            line = line[..LoggingLimits.OutputLineBytes];
            line = line[..LineText.WholeLength(line.Span)];
        }

        if (!cut && LineText.IsClean(line.Span))
        {
            if (line.IsEmpty && !mayBeEmpty)
            {
                return false;
            }

            sink.OnLine(line);
            return true;
        }

        int length = LineText.Clean(line.Span, ref _clean, CutMark.Length, dropsSequences: true);
        if (cut)
        {
            CutMark.CopyTo(_clean, length);
            length += CutMark.Length;
        }

        if (length == 0 && !mayBeEmpty)
        {
            return false;
        }

        sink.OnLine(_clean.AsMemory(0, length));
        return true;
    }
}

/// <summary>
/// Makes bytes from outside fit for a log line: invalid UTF-8 is replaced, control characters other than tab are escaped as <c>\x1B</c>.
/// Of what programs write, escape sequences (ECMA-48: colours, movements of the cursor, titles) are left out.
/// </summary>
internal static class LineText
{
    private const byte Escape = 0x1B;
    private const byte Bell = 0x07;

    // C0 controls but tab, DEL, and 0xC2, which leads the C1 controls (and harmless characters: the slow path tells).
    private static readonly SearchValues<byte> Suspects = SearchValues.Create([
        .. Enumerable.Range(0, 32).Where(static value => value != '\t').Select(static value => (byte)value),
        0x7F,
        0xC2,
    ]);

    /// <summary>Whether the text can be used as it is.</summary>
    public static bool IsClean(ReadOnlySpan<byte> text) => !text.ContainsAny(Suspects) && Utf8.IsValid(text);

    /// <summary>
    /// Writes the cleaned text to the start of <paramref name="buffer"/>, growing it, with room for <paramref name="spare"/> bytes after
    /// it.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="buffer">Gets it.</param>
    /// <param name="spare">Bytes that stay free behind it.</param>
    /// <param name="dropsSequences">Whether escape sequences are left out; else they show.</param>
    /// <returns>Its length.</returns>
    public static int Clean(ReadOnlySpan<byte> text, ref byte[] buffer, int spare = 0, bool dropsSequences = false)
    {
        // One byte becomes four at most: \x00 for a control, three for a replacement mark.
        int bound = (text.Length * 4) + spare;
        if (buffer.Length < bound)
        {
            buffer = new byte[bound];
        }

        int length = 0;
        while (!text.IsEmpty)
        {
            if (dropsSequences && text[0] == Escape && EscapeLength(text) is > 0 and var sequence)
            {
                text = text[sequence..];
                continue;
            }

            Rune.DecodeFromUtf8(text, out Rune rune, out int consumed);
            if (Rune.IsControl(rune) && rune.Value != '\t')
            {
                "\\x"u8.CopyTo(buffer.AsSpan(length));
                buffer[length + 2] = Hex(rune.Value >> 4);
                buffer[length + 3] = Hex(rune.Value & 15);
                length += 4;
            }
            else
            {
                length += rune.EncodeToUtf8(buffer.AsSpan(length)); // An invalid sequence was decoded as U+FFFD.
            }

            text = text[consumed..];
        }

        return length;
    }

    /// <summary>
    /// How much of an unfinished text is whole: up to the character or the escape sequence of which the rest is missing at its end.
    /// </summary>
    public static int WholeLength(ReadOnlySpan<byte> text)
    {
        int at = 0;
        while (text[at..].IndexOf(Escape) is var next and >= 0)
        {
            at += next;
            int length = EscapeLength(text[at..]);
            if (length < 0 && text.Length - at <= LoggingLimits.EscapeBytes)
            {
                return at;
            }

            at += Math.Max(1, length);
        }

        for (int back = 1; back <= 3 && back <= text.Length; back++)
        {
            byte lead = text[^back];
            if ((lead & 0xC0) != 0x80)
            {
                int needed =
                    lead >= 0xF0 ? 4
                    : lead >= 0xE0 ? 3
                    : lead >= 0xC0 ? 2
                    : 1;
                return needed > back ? text.Length - back : text.Length;
            }
        }

        return text.Length;
    }

    /// <summary>Bytes of the escape sequence that a text begins with; 0 when it is none, negative when its rest is missing.</summary>
    private static int EscapeLength(ReadOnlySpan<byte> text)
    {
        const int Missing = -1;
        if (text.Length < 2)
        {
            return Missing;
        }

        switch (text[1])
        {
            case (byte)'[': // Control sequence: parameters and intermediates, then a final byte.
                return FinalLength(text, 2, (byte)'@');
            case (byte)']' or (byte)'P' or (byte)'X' or (byte)'^' or (byte)'_': // A text, ended by BEL or ESC \.
                int end = text[2..].IndexOfAny(Bell, Escape) + 2;
                return end < 2 || (text[end] == Escape && end + 1 == text.Length) ? Missing
                    : text[end] == Bell ? end + 1
                    : text[end + 1] == (byte)'\\' ? end + 2
                    : 0;
            case >= (byte)' ' and < (byte)'0': // Intermediates, then a final byte.
                return FinalLength(text, 1, (byte)'0');
            case >= (byte)'0' and <= (byte)'~':
                return 2;
            default:
                return 0;
        }
    }

    /// <summary>The same for one whose final byte follows bytes below it.</summary>
    private static int FinalLength(ReadOnlySpan<byte> text, int from, byte firstFinal)
    {
        const int Missing = -1;
        int at = from;
        while (at < text.Length && text[at] >= (byte)' ' && text[at] < firstFinal)
        {
            at++;
        }

        return at == text.Length ? Missing
            : text[at] <= (byte)'~' && text[at] >= firstFinal ? at + 1
            : 0;
    }

    private static byte Hex(int digit) => (byte)(digit < 10 ? '0' + digit : 'A' + digit - 10);
}
