using System.Buffers;

namespace Spawngate.Protocols.Http2;

/// <summary>Bytes that grow: a small array of its own, and a rented one for what does not fit.</summary>
internal struct HeadBuffer
{
    private byte[]? _own;
    private byte[]? _bytes;

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>What was written.</summary>
    public readonly Span<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Starts anew; a rented array is given back.</summary>
    public void Clear()
    {
        if (_bytes is not null && _bytes != _own)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
        }

        _bytes = _own;
        Length = 0;
    }

    /// <summary>Size of its arrays.</summary>
    public readonly int HeldBytes => (_own?.Length ?? 0) + (IsRented ? _bytes!.Length : 0);

    /// <summary>True when it holds a rented array.</summary>
    public readonly bool IsRented => _bytes != _own;

    /// <summary>Appends bytes.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        Length += bytes.Length;
    }

    /// <summary>Appends <c>name: value CRLF</c>; the value begins at <c>start + name.Length + 2</c>.</summary>
    public void WriteField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        int size = name.Length + value.Length + 4;
        var target = Reserve(size);
        name.CopyTo(target);
        target[name.Length + 1] = (byte)' ';
        target[name.Length] = (byte)':';
        value.CopyTo(target[(name.Length + 2)..]);
        target[size - 1] = (byte)'\n';
        target[size - 2] = (byte)'\r';
        Length += size;
    }

    /// <summary>Appends bytes that the caller writes into the end of <see cref="Written"/>.</summary>
    public void Extend(int bytes)
    {
        Reserve(bytes);
        Length += bytes;
    }

    /// <summary>Takes bytes away at the end.</summary>
    public void Shorten(int by) => Length -= by;

    /// <summary>Moves a piece behind all others.</summary>
    public void MoveToEnd(int start, int length)
    {
        Reserve(length);
        _bytes.AsSpan(start, length).CopyTo(_bytes.AsSpan(Length));
        _bytes.AsSpan(start + length, Length - start).CopyTo(_bytes.AsSpan(start));
    }

    private Span<byte> Reserve(int size)
    {
        if (_bytes is null || _bytes.Length - Length < size)
        {
            Grow(size);
        }

        return _bytes.AsSpan(Length);
    }

    private void Grow(int size)
    {
        if (_bytes is null && size <= CodecLimits.HeadBufferBytes)
        {
            _bytes = _own = new byte[CodecLimits.HeadBufferBytes];
            return;
        }

        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(2 * Length, Length + size));
        Written.CopyTo(larger);
        if (_bytes is not null && _bytes != _own)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
        }

        _bytes = larger;
    }
}
