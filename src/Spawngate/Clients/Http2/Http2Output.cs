using Spawngate.Transport;

namespace Spawngate.Clients.Http2;

/// <summary>
/// The frames of a connection that wait to be sent. While one buffer is on its way the next one fills, so that what many streams have to
/// say goes out together. All but the sending itself happens within the connection's gate.
/// </summary>
/// <remarks>
/// <code>
///  Reserve, Commit ──▶ filling ── TryTake ──▶ sending ── SendAsync ──▶ Sent
/// </code>
/// Room for data ends at <see cref="Http2Limits.OutputBytes"/>, that for heads and control frames at
/// <see cref="Http2Limits.HeadRoomBytes"/>; what was begun below it is written whole.
/// </remarks>
internal sealed class Http2Output(SocketChannel client)
{
    private byte[] _filling = [];
    private int _length;
    private byte[] _sending = [];
    private int _sendingLength;
    private bool _large;
    private bool _abandoned;

    /// <summary>Bytes that wait for the next send.</summary>
    public int Length => _length;

    /// <summary>Bytes of data, with its frame header, that may still be added.</summary>
    public int Room => Http2Limits.OutputBytes - _length;

    /// <summary>True while a head, or control frames, may be added. Else no further request is read either.</summary>
    public bool TakesHeads => _length < Http2Limits.HeadRoomBytes;

    /// <summary>Size of both buffers.</summary>
    public int HeldBytes => _filling.Length + _sending.Length;

    /// <summary>True while a send is under way.</summary>
    public bool IsSending { get; private set; }

    /// <summary>Room for at least so many bytes behind those that wait; follow with <see cref="Commit"/>.</summary>
    public Span<byte> Reserve(int sizeMin)
    {
        if (_filling.Length - _length < sizeMin)
        {
            byte[] larger = BufferPool.Rent(
                Math.Max(_length + sizeMin, _large ? TransportLimits.LargeBufferBytes : TransportLimits.SmallBufferBytes)
            );
            Buffer.BlockCopy(_filling, 0, larger, 0, _length);
            BufferPool.Return(_filling);
            _filling = larger;
        }

        return _filling.AsSpan(_length);
    }

    /// <summary>Counts bytes written into <see cref="Reserve"/>.</summary>
    public void Commit(int bytes) => _length += bytes;

    /// <summary>Begins a send of all that waits. False when there is nothing, or a send is under way.</summary>
    public bool TryTake()
    {
        if (IsSending || _length == 0 || _abandoned)
        {
            return false;
        }

        (_sending, _sendingLength, _filling, _length) = (_filling, _length, [], 0);

        // A connection that says much begins its next buffer large, instead of growing into it.
        _large = _sendingLength > TransportLimits.SmallBufferBytes / 2;
        return IsSending = true;
    }

    /// <summary>Sends what was taken. Its length, or -1.</summary>
    public ValueTask<int> SendAsync() => client.SendAsync(_sending, 0, _sendingLength);

    /// <summary>The send has ended.</summary>
    public void Sent()
    {
        IsSending = false;
        BufferPool.Return(_sending);
        _sending = [];
    }

    /// <summary>Throws away all there is after a fault: a send may still be under way, so its buffer goes to nobody else.</summary>
    public void Abandon()
    {
        _abandoned = true;
        IsSending = false;
        _sending = [];
        Clear();
    }

    /// <summary>Throws away what waits: nobody will read it.</summary>
    public void Clear()
    {
        BufferPool.Return(_filling);
        _filling = [];
        _length = 0;
    }
}
