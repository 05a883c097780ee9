using System.Buffers.Text;

namespace Spawngate.Protocols.Http1;

/// <summary>Writes heads into a span that the caller made large enough; see <see cref="BytesNeeded"/>.</summary>
public ref struct HeadWriter
{
    private readonly Span<byte> _target;
    private int _length;

    /// <summary>Writes from the start of <paramref name="target"/>.</summary>
    public HeadWriter(Span<byte> target)
    {
        _target = target;
        _length = 0;
    }

    /// <summary>Bytes written so far.</summary>
    public readonly int Length => _length;

    /// <summary>What was written so far.</summary>
    public readonly ReadOnlySpan<byte> Written => _target[.._length];

    /// <summary>
    /// Upper bound for writing again a head of that size: each field may grow by two bytes ("a:b" becomes "a: b"), and
    /// <paramref name="added"/> is what the caller adds.
    /// </summary>
    public static int BytesNeeded(int headBytes, int fields, int added) => headBytes + (2 * fields) + added;

    /// <summary>Appends bytes as they are.</summary>
    public void Write(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_target[_length..]);
        _length += bytes.Length;
    }

    /// <summary>Appends one byte.</summary>
    public void WriteByte(byte value) => _target[_length++] = value;

    /// <summary>Appends a decimal number.</summary>
    public void WriteNumber(long value)
    {
        Utf8Formatter.TryFormat(value, _target[_length..], out int written);
        _length += written;
    }

    /// <summary>Appends <c>name: value CRLF</c>.</summary>
    public void WriteField(scoped ReadOnlySpan<byte> name, scoped ReadOnlySpan<byte> value)
    {
        Write(name);
        Write(": "u8);
        Write(value);
        Write("\r\n"u8);
    }

    /// <summary>Appends a chunk-size line in front of <paramref name="size"/> bytes of data.</summary>
    public void WriteChunkSize(int size)
    {
        Utf8Formatter.TryFormat(size, _target[_length..], out int written, 'x');
        _length += written;
        Write("\r\n"u8);
    }
}
