using System.Text;

namespace Spawngate.Diagnostics;

/// <summary>Which stream of a backend a line came from.</summary>
internal enum OutputStream : byte
{
    /// <summary>Standard output.</summary>
    Stdout,

    /// <summary>Standard error.</summary>
    Stderr,
}

/// <summary>One line that a backend wrote.</summary>
/// <param name="Time">When it was read.</param>
/// <param name="Stream">Where it was written to.</param>
/// <param name="Text">The line, without its end.</param>
internal readonly record struct OutputLine(DateTimeOffset Time, OutputStream Stream, string Text);

/// <summary>
/// The last lines of something, bounded in number and bytes. Slots keep their buffers, so once it has turned round a stream of lines of
/// similar length costs copies only. Not thread-safe.
/// </summary>
internal sealed class LineRing(int linesMax, int bytesMax)
{
    private Slot[] _slots = [];
    private int _first;
    private int _count;
    private int _bytes;

    /// <summary>Lines held.</summary>
    public int Count => _count;

    /// <summary>Adds a line; the oldest ones make room.</summary>
    public void Append(DateTimeOffset time, OutputStream stream, ReadOnlySpan<byte> line)
    {
        line = line.Length > bytesMax ? line[..bytesMax] : line;
        if (_count == _slots.Length && _slots.Length < linesMax)
        {
            Grow();
        }

        if (_count == linesMax)
        {
            DropOldest(keepBuffer: true);
        }

        while (_bytes + line.Length > bytesMax)
        {
            DropOldest(keepBuffer: false); // Buffers count by their content, so what the byte bound drops must go.
        }

        ref Slot slot = ref _slots[(_first + _count) % _slots.Length];
        slot.Store(time, stream, line);
        _count++;
        _bytes += line.Length;
    }

    /// <summary>The lines held, oldest first.</summary>
    public OutputLine[] ToArray()
    {
        var lines = new OutputLine[_count];
        for (int i = 0; i < _count; i++)
        {
            lines[i] = Read(i);
        }

        return lines;
    }

    /// <summary>The last line; only when there is one.</summary>
    public OutputLine Last() => Read(_count - 1);

    private OutputLine Read(int index)
    {
        ref Slot slot = ref _slots[(_first + index) % _slots.Length];
        return new OutputLine(slot.Time, slot.Stream, Encoding.UTF8.GetString(slot.Buffer!, 0, slot.Length));
    }

    private void DropOldest(bool keepBuffer)
    {
        ref Slot slot = ref _slots[_first];
        _bytes -= slot.Length;
        if (!keepBuffer)
        {
            slot.Buffer = null;
        }

        _first = (_first + 1) % _slots.Length;
        _count--;
    }

    private void Grow()
    {
        var slots = new Slot[Math.Min(linesMax, Math.Max(16, _slots.Length * 2))];
        for (int i = 0; i < _count; i++)
        {
            slots[i] = _slots[(_first + i) % _slots.Length];
        }

        _slots = slots;
        _first = 0;
    }

    private struct Slot
    {
        public DateTimeOffset Time;
        public byte[]? Buffer;
        public int Length;
        public OutputStream Stream;

        public void Store(DateTimeOffset time, OutputStream stream, ReadOnlySpan<byte> line)
        {
            // A buffer is reused unless it would waste more than it saves.
            if (Buffer is null || Buffer.Length < line.Length || Buffer.Length > (2 * line.Length) + 128)
            {
                Buffer = new byte[(line.Length + 31) & ~31];
            }

            line.CopyTo(Buffer);
            Time = time;
            Stream = stream;
            Length = line.Length;
        }
    }
}
