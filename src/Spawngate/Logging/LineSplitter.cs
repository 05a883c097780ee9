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
/// Cuts a stream of bytes into lines at LF or CR LF. A line over <see cref="LoggingLimits.OutputLineBytes"/> is handed on cut, with a mark, as
/// soon as that is clear, and its rest is skipped. The result does not depend on how the stream was split into chunks.
/// </summary>
internal sealed class LineSplitter(ILineSink sink)
{
    private static readonly byte[] CutMark = Encoding.UTF8.GetBytes($" [cut at {LoggingLimits.OutputLineBytes} bytes]");

    // One byte more than a line may have: it may turn out to be the CR of its end.
    private const int PartialBytes = LoggingLimits.OutputLineBytes + 1;

    private byte[] _partial = [];
    private byte[] _clean = [];
    private int _length;
    private bool _skipping;

    /// <summary>Takes the next bytes of the stream.</summary>
    public void Feed(ReadOnlyMemory<byte> chunk)
    {
        while (!chunk.IsEmpty)
        {
            int end = chunk.Span.IndexOf((byte)'\n');
            ReadOnlyMemory<byte> part = end < 0 ? chunk : chunk[..end];
            chunk = end < 0 ? default : chunk[(end + 1)..];
            TakePart(part, end >= 0);
        }
    }

    /// <summary>The stream has ended: an unfinished line is a line.</summary>
    public void Complete()
    {
        if (_length > 0)
        {
            Emit(_partial.AsMemory(0, _length), cut: false);
        }

        _length = 0;
        _skipping = false;
        _partial = [];
    }

    private void TakePart(ReadOnlyMemory<byte> part, bool ended)
    {
        if (_skipping)
        {
            _skipping = !ended;
            return;
        }

        if (_length > 0 || !ended)
        {
            int room = PartialBytes - _length;
            bool over = part.Length > room;
            Keep(over ? part[..room] : part);
            part = _partial.AsMemory(0, _length);
            if (over || (IsFull(part.Span) && !ended))
            {
                EmitCut(part, ended);
                return;
            }
        }

        if (ended)
        {
            part = part.Span is [.., (byte)'\r'] ? part[..^1] : part;
            Emit(part, part.Length > LoggingLimits.OutputLineBytes);
            _length = 0;
        }
    }

    private static bool IsFull(ReadOnlySpan<byte> line) => line.Length > LoggingLimits.OutputLineBytes && line[^1] != (byte)'\r';

    private void EmitCut(ReadOnlyMemory<byte> line, bool ended)
    {
        Emit(line, cut: true);
        _length = 0;
        _skipping = !ended;
    }

    private void Keep(ReadOnlyMemory<byte> part)
    {
        int needed = _length + part.Length;
        if (_partial.Length < needed)
        {
            Array.Resize(ref _partial, Math.Min(PartialBytes, Math.Max(needed, Math.Max(256, _partial.Length * 2))));
        }

        part.CopyTo(_partial.AsMemory(_length));
        _length = needed;
    }

    private void Emit(ReadOnlyMemory<byte> line, bool cut)
    {
        if (cut)
        {
            line = line[..CharacterBoundary(line.Span[..LoggingLimits.OutputLineBytes])];
        }

        if (!cut && LineText.IsClean(line.Span))
        {
            sink.OnLine(line);
            return;
        }

        int length = LineText.Clean(line.Span, ref _clean, CutMark.Length);
        if (cut)
        {
            CutMark.CopyTo(_clean, length);
            length += CutMark.Length;
        }

        sink.OnLine(_clean.AsMemory(0, length));
    }

    // A cut must not turn the last character into a replacement mark, so an unfinished sequence at the end is left out.
    private static int CharacterBoundary(ReadOnlySpan<byte> line)
    {
        for (int back = 1; back <= 3 && back <= line.Length; back++)
        {
            byte lead = line[^back];
            if ((lead & 0xC0) == 0x80)
            {
                continue;
            }

            int needed =
                lead >= 0xF0 ? 4
                : lead >= 0xE0 ? 3
                : lead >= 0xC0 ? 2
                : 1;
            return needed > back ? line.Length - back : line.Length;
        }

        return line.Length;
    }
}

/// <summary>
/// Makes bytes from outside fit for a log line: invalid UTF-8 is replaced, control characters other than tab are escaped as <c>\x1B</c>.
/// </summary>
internal static class LineText
{
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
    /// <returns>Its length.</returns>
    public static int Clean(ReadOnlySpan<byte> text, ref byte[] buffer, int spare = 0)
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

    private static byte Hex(int digit) => (byte)(digit < 10 ? '0' + digit : 'A' + digit - 10);
}
