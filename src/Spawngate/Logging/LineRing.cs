using System.Buffers.Binary;
using System.Text;

namespace Spawngate.Logging;

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

/// <summary>One line of the end of an output.</summary>
/// <param name="Stream">Where it was written to.</param>
/// <param name="Text">The line, without its end.</param>
internal readonly record struct StreamLine(OutputStream Stream, string Text)
{
    /// <summary>Name of the stream: <c>stdout</c> or <c>stderr</c>.</summary>
    public string StreamName => Stream == OutputStream.Stdout ? "stdout" : "stderr";

    /// <summary>For people: <c>stderr: no such table</c>.</summary>
    public override string ToString() => $"{StreamName}: {Text}";
}

/// <summary>
/// The last lines of something, bounded in number and bytes, in one array that grows with its content and is then used as a ring. No line
/// costs an object, and a thousand rings are only a thousand arrays for the garbage collector. Not thread-safe.
/// </summary>
/// <remarks>
/// <code>
///   bytes   … line │ free │ oldest line │ line │ line … (round the end of the array) … line │ newest line │ free
///   line    time (8) │ length, and the stream in its lowest bit (4) │ UTF-8
/// </code>
/// </remarks>
internal sealed class LineRing(int linesMax, int bytesMax)
{
    private const int HeadBytes = sizeof(long) + sizeof(int);

    private byte[] _bytes = [];
    private int _start;
    private int _used;
    private int _text;
    private int _count;
    private int _lastAt;

    /// <summary>Lines held.</summary>
    public int Count => _count;

    /// <summary>Bytes of the array.</summary>
    public int Bytes => _bytes.Length;

    /// <summary>Adds a line; the oldest ones make room.</summary>
    public void Append(DateTimeOffset time, OutputStream stream, ReadOnlySpan<byte> line)
    {
        line = line.Length > bytesMax ? line[..bytesMax] : line;
        while (_count == linesMax || _text + line.Length > bytesMax)
        {
            DropOldest();
        }

        MakeRoom(HeadBytes + line.Length);
        Span<byte> head = stackalloc byte[HeadBytes];
        BinaryPrimitives.WriteInt64LittleEndian(head, time.UtcTicks);
        BinaryPrimitives.WriteInt32LittleEndian(head[sizeof(long)..], (line.Length << 1) | (int)stream);
        _lastAt = _used;
        Put(_used, head);
        Put(_used + HeadBytes, line);
        _used += HeadBytes + line.Length;
        _text += line.Length;
        _count++;
    }

    /// <summary>Drops the oldest lines until what is left fits into so many bytes, and gives the rest of the array back.</summary>
    public void Trim(int bytes)
    {
        while (_used > bytes)
        {
            DropOldest();
        }

        Resize(_used);
    }

    /// <summary>The lines held, oldest first.</summary>
    public OutputLine[] ToArray()
    {
        var lines = new OutputLine[_count];
        for (int i = 0, at = 0; i < _count; i++)
        {
            lines[i] = Read(at, out int length);
            at += length;
        }

        return lines;
    }

    /// <summary>The last line; only when there is one.</summary>
    public OutputLine Last() => Read(_lastAt, out _);

    private OutputLine Read(int at, out int length)
    {
        var (time, stream, text) = ReadHead(at);
        length = HeadBytes + text;
        Span<byte> line = text <= LoggingLimits.StackLineBytes ? stackalloc byte[LoggingLimits.StackLineBytes] : new byte[text];
        Take(at + HeadBytes, line[..text]);
        return new OutputLine(new DateTimeOffset(time, TimeSpan.Zero), stream, Encoding.UTF8.GetString(line[..text]));
    }

    private (long Time, OutputStream Stream, int Text) ReadHead(int at)
    {
        Span<byte> head = stackalloc byte[HeadBytes];
        Take(at, head);
        int kind = BinaryPrimitives.ReadInt32LittleEndian(head[sizeof(long)..]);
        return (BinaryPrimitives.ReadInt64LittleEndian(head), (OutputStream)(kind & 1), kind >> 1);
    }

    private void DropOldest()
    {
        int text = ReadHead(0).Text;
        int length = HeadBytes + text;
        _start = (_start + length) % _bytes.Length;
        _used -= length;
        _lastAt -= length;
        _text -= text;
        _count--;
    }

    /// <summary>
    /// Twice what is needed, so that growing to the bound copies each byte about once; never more than the bound and the heads of all
    /// lines.
    /// </summary>
    private void MakeRoom(int bytes)
    {
        int needed = _used + bytes;
        if (needed > _bytes.Length)
        {
            Resize(Math.Min(Math.Max(LoggingLimits.OutputLogFirstBytes, 2 * needed), bytesMax + (linesMax * HeadBytes)));
        }
    }

    private void Resize(int bytes)
    {
        byte[] target = GC.AllocateUninitializedArray<byte>(bytes);
        Take(0, target.AsSpan(0, _used));
        _bytes = target;
        _start = 0;
    }

    /// <summary>Places count from the oldest line.</summary>
    private void Put(int at, ReadOnlySpan<byte> source)
    {
        var first = Split(at, source.Length, out var rest);
        source[..first.Length].CopyTo(first);
        source[first.Length..].CopyTo(rest);
    }

    private void Take(int at, Span<byte> target)
    {
        var first = Split(at, target.Length, out var rest);
        first.CopyTo(target);
        rest.CopyTo(target[first.Length..]);
    }

    /// <summary>The bytes at a place: the part up to the end of the array, and the rest at its front.</summary>
    private Span<byte> Split(int at, int length, out Span<byte> rest)
    {
        int from = length == 0 ? 0 : (_start + at) % _bytes.Length;
        int first = Math.Min(length, _bytes.Length - from);
        rest = _bytes.AsSpan(0, length - first);
        return _bytes.AsSpan(from, first);
    }
}
