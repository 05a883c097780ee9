using System.Buffers;
using System.Diagnostics;

namespace Spawngate.Protocols.Http2;

/// <summary>
/// Frames that the protocol itself sends and that wait to be written, in order. It is bounded: a client that causes more than it reads gets
/// no more answers. Empty, it has no buffer.
/// </summary>
internal sealed class ControlOutbox
{
    private byte[] _bytes = [];
    private int _start;
    private int _end;

    /// <summary>Bytes that wait.</summary>
    public int Length => _end - _start;

    /// <summary>Size of its buffer.</summary>
    public int HeldBytes => _bytes.Length;

    /// <summary>Room for one frame of that size; empty when there is none. Followed by <see cref="Commit"/>.</summary>
    /// <param name="size">Its size.</param>
    /// <param name="isLast">True for the GOAWAY that ends the connection: it may use the reserve.</param>
    public Span<byte> Reserve(int size, bool isLast = false)
    {
        if (Length + size > CodecLimits.ControlBytesMax - (isLast ? 0 : CodecLimits.ControlReserveBytes))
        {
            return default;
        }

        if (_end + size > _bytes.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(2 * Length, Length + size));
            int length = Length;
            _bytes.AsSpan(_start, length).CopyTo(larger);
            ReturnBuffer();
            _bytes = larger;
            _end = length;
        }

        return _bytes.AsSpan(_end, size);
    }

    /// <summary>The frame has been written into what was reserved.</summary>
    public void Commit(int size) => _end += size;

    /// <summary>Moves as many whole frames as fit. Returns their bytes.</summary>
    public int Take(Span<byte> target)
    {
        int length = 0;
        while (length < Length)
        {
            int next = length + FrameHeader.Size + FrameHeader.Read(_bytes.AsSpan(_start + length)).Length;
            if (next > target.Length)
            {
                break;
            }

            length = next;
        }

        Debug.Assert(length <= Length, "whole frames only");
        _bytes.AsSpan(_start, length).CopyTo(target);
        _start += length;
        if (_start == _end)
        {
            ReturnBuffer();
        }

        return length;
    }

    private void ReturnBuffer()
    {
        if (_bytes.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
        }

        _bytes = [];
        _start = _end = 0;
    }
}
