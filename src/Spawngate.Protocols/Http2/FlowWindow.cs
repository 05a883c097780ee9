using System.Diagnostics;

namespace Spawngate.Protocols.Http2;

/// <summary>What we may send (RFC 9113 section 6.9): on a stream, or on the connection.</summary>
/// <param name="available">Bytes that may be sent at first.</param>
public struct SendWindow(int available)
{
    /// <summary>Bytes that may be sent; negative after the peer lowered SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113 section 6.9.2).</summary>
    public int Available { get; private set; } = available;

    /// <summary>
    /// Takes up a WINDOW_UPDATE, or a change of the initial size. False when the window would exceed 2^31-1 (RFC 9113 section 6.9.1).
    /// </summary>
    public bool TryChange(long by)
    {
        long changed = Available + by;
        if (changed is > FrameHeader.Largest or < int.MinValue)
        {
            return false;
        }

        Available = (int)changed;
        return true;
    }

    /// <summary>Bytes were sent.</summary>
    public void Take(int bytes)
    {
        Debug.Assert(bytes == 0 || bytes <= Available, "sent no more than allowed");
        Available -= bytes;
    }
}

/// <summary>
/// What the client may send: on a stream, or on the connection. Bytes it has sent are either held by our caller, or consumed and not told
/// yet, or told.
/// </summary>
/// <param name="size">Bytes that may be held.</param>
public struct ReceiveWindow(int size)
{
    private int _untold;

    /// <summary>Bytes that may be held.</summary>
    public int Size { get; private set; } = size;

    /// <summary>Bytes the client may still send.</summary>
    public int Available { get; private set; } = size;

    /// <summary>The client sent bytes, padding included. False when it was more than allowed.</summary>
    public bool TryReceive(int bytes)
    {
        if (bytes > Available)
        {
            return false;
        }

        Available -= bytes;
        return true;
    }

    /// <summary>Bytes were consumed, or thrown away.</summary>
    public void Consume(int bytes) => _untold += bytes;

    /// <summary>Raises the size; the difference is told with the next update.</summary>
    public void Widen(int size)
    {
        if (size > Size)
        {
            _untold += size - Size;
            Size = size;
        }
    }

    /// <summary>True when an update is worth its frame: half of the window waits to be told.</summary>
    public readonly bool IsUpdateDue => _untold > 0 && _untold >= Size / 2;

    /// <summary>The increment to tell now.</summary>
    public int TakeUpdate()
    {
        int increment = _untold;
        Available += increment;
        _untold = 0;
        return increment;
    }
}
