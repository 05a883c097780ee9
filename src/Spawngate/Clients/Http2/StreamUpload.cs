using System.Buffers;
using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Clients.Http2;

/// <summary>
/// The request body of a stream on its way to the backend. DATA is copied into a buffer, which the stream's flow-control window bounds, and
/// sent on as one piece while the next gathers. Only what has been sent opens the window again, so a backend that does not read stops its
/// own client and nobody else.
/// </summary>
/// <remarks>
/// <code>
///  Reset ──▶ gathering ── Open ──▶ gathering and sending ─┬─ all sent ─────▶ complete
///                                        │                └─ send failed ──▶ failed: what comes is thrown away
///                                        └─ Close ──▶ closed, once no send is under way
/// </code>
/// State changes happen within the connection's gate; <see cref="Pump"/> sends outside of it, one send at a time.
/// </remarks>
internal sealed class StreamUpload
{
    private const int ChunkFrameBytes = 2 * TransportLimits.BufferReserveBytes;

    private readonly Http2Connection _connection;
    private readonly StreamExchange _stream;
    private readonly SocketContinuation _continuation;
    private readonly Signal<bool> _quiet = new();
    private byte[] _gathering = [];
    private int _start;
    private int _end;
    private byte[] _sendingBuffer = [];
    private int _sendingData;
    private long _forwarded;
    private byte[] _trailers = [];
    private SocketChannel? _upstream;
    private bool _chunked;
    private bool _ended;
    private bool _endSent;
    private bool _sending;
    private bool _failed;
    private bool _awaitsQuiet;
    private bool _tunnel;

    /// <summary>Makes that of a _stream.</summary>
    public StreamUpload(Http2Connection connection, StreamExchange stream)
    {
        _connection = connection;
        _stream = stream;
        _continuation = new SocketContinuation(
            sent =>
            {
                AfterSend(sent);
                Pump();
            },
            connection
        );
    }

    /// <summary>True when the client has ended the body, and all of it has been sent on.</summary>
    public bool IsComplete => _endSent && !_sending;

    /// <summary>Bytes of the body that have arrived.</summary>
    public long BodyBytes { get; private set; }

    /// <summary>Bytes of its buffers; within the gate.</summary>
    public int HeldBytes => _gathering.Length + _sendingBuffer.Length + _trailers.Length;

    /// <summary>True when it is the client whose bytes are missing.</summary>
    public bool AwaitsClient => !_ended && _start == _end && !_sending;

    /// <summary>True when nothing more will be sent on.</summary>
    public bool IsOver => IsComplete || _failed;

    /// <summary>True once <see cref="Open"/> was called.</summary>
    public bool IsOpen => _upstream is not null;

    /// <summary>What has gathered.</summary>
    public ReadOnlySpan<byte> Gathered => _gathering.AsSpan(_start, _end - _start);

    /// <summary>Prepares for a request.</summary>
    /// <param name="ended">True when it has no body.</param>
    public void Reset(bool ended)
    {
        BodyBytes = 0;
        _ended = _endSent = ended;
        _failed = _sending = _awaitsQuiet = _tunnel = false;
        _upstream = null;
        _start = _end = 0;
        _forwarded = 0;
        _trailers = [];
    }

    /// <summary>Takes DATA; within the gate. True when <see cref="Pump"/> has something to do.</summary>
    public bool OnData(ReadOnlySpan<byte> data, bool ends)
    {
        BodyBytes += data.Length;
        _ended |= ends;
        if (_failed)
        {
            _stream.Consume(data.Length);
            return false;
        }

        if (_tunnel)
        {
            _stream.OnTunnelBytes(data);
        }

        if (data.Length > 0 && _gathering.Length - _end < data.Length + TransportLimits.BufferReserveBytes)
        {
            MakeRoom(data.Length);
        }

        data.CopyTo(_gathering.AsSpan(_end));
        _end += data.Length;
        return _upstream is not null && !_sending;
    }

    /// <summary>
    /// The body ends with trailers: their lines, each with CRLF; within the gate. True when <see cref="Pump"/> has something to do.
    /// </summary>
    public bool OnTrailers(ReadOnlySpan<byte> lines)
    {
        _trailers = lines.ToArray();
        return OnData(default, ends: true);
    }

    /// <summary>So many of the gathered bytes went out with the head; within the gate.</summary>
    public void Skip(int bytes)
    {
        _start += bytes;
        _stream.Consume(bytes);
    }

    /// <summary>The backend takes the body from now on; within the gate. Call <see cref="Pump"/> then.</summary>
    public void Open(SocketChannel upstream, bool chunked, bool tunnel)
    {
        _upstream = upstream;
        _chunked = chunked;
        _tunnel = tunnel;
        _endSent = _ended && _start == _end && !chunked && !tunnel;
    }

    /// <summary>Sends what has gathered. From anywhere, outside of the gate.</summary>
    public void Pump()
    {
        while (TryTake(out int offset, out int count))
        {
            if (!_continuation.TryGetResult(_upstream!.SendAsync(_sendingBuffer, offset, count), out int sent))
            {
                return;
            }

            AfterSend(sent);
        }
    }

    /// <summary>Ends it, wherever it is: passes when no send is under way. The caller has seen to it that a send does not last.</summary>
    public ValueTask<bool> CloseAsync()
    {
        lock (_connection.Gate)
        {
            _failed = true;
            if (!_sending)
            {
                Free();
                return default;
            }

            _quiet.Reset();
            _awaitsQuiet = true;
            return _quiet.WaitAsync();
        }
    }

    private bool TryTake(out int offset, out int count)
    {
        offset = count = 0;
        lock (_connection.Gate)
        {
            bool last = _ended && !_endSent;
            if (_sending || _failed || _upstream is null || (_start == _end && !last))
            {
                return false;
            }

            (_sendingBuffer, _gathering) = (_gathering, []);
            _sendingData = _end - _start;
            offset = _start;
            count = _sendingData;
            _start = _end = 0;
            if (_chunked)
            {
                Frame(ref offset, ref count, last);
            }

            // Behind what may fail for want of memory: else its end would wait for a send that is not under way.
            _sending = true;
            _endSent = last;
            return count > 0 || EndWithoutBytes();
        }
    }

    /// <summary>Nothing is left to send but the end: a tunnel's is the end of our side, any other body's is its length.</summary>
    private bool EndWithoutBytes()
    {
        _sending = false;
        Return(ref _sendingBuffer);
        EndTunnel();
        return false;
    }

    private void Frame(ref int offset, ref int count, bool last)
    {
        int tailMax = ChunkFrameBytes + _trailers.Length;
        if (_sendingBuffer.Length - (offset + count) < tailMax || offset < TransportLimits.BufferReserveBytes)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(TransportLimits.BufferReserveBytes + count + tailMax);
            _sendingBuffer.AsSpan(offset, count).CopyTo(larger.AsSpan(TransportLimits.BufferReserveBytes));
            Return(ref _sendingBuffer);
            _sendingBuffer = larger;
            offset = TransportLimits.BufferReserveBytes;
        }

        int data = count;
        if (data > 0)
        {
            var size = new HeadWriter(stackalloc byte[TransportLimits.BufferReserveBytes]);
            size.WriteChunkSize(data);
            offset -= size.Length;
            size.Written.CopyTo(_sendingBuffer.AsSpan(offset));
            count += size.Length;
        }

        var tail = new HeadWriter(_sendingBuffer.AsSpan(offset + count));
        if (data > 0)
        {
            tail.Write("\r\n"u8);
        }

        if (last)
        {
            tail.Write("0\r\n"u8);
            tail.Write(_trailers);
            tail.Write("\r\n"u8);
        }

        count += tail.Length;
    }

    /// <summary>A long body whose backend keeps up is not held up by the first window.</summary>
    private void Widen()
    {
        bool wasWide = _forwarded >= Http2Limits.WidenAfterBytes;
        _forwarded += _sendingData;
        if (!wasWide && _forwarded >= Http2Limits.WidenAfterBytes)
        {
            _connection.Session.WidenWindow(_stream.Slot, Http2Limits.WideStreamBytes, Http2Limits.WideConnectionBytes);
        }
    }

    /// <summary>The client has ended its side of a tunnel: so does ours towards the backend.</summary>
    private void EndTunnel()
    {
        if (_tunnel)
        {
            _upstream!.ShutdownSend();
            _stream.Sender.OnTunnelUploadEnded();
        }
    }

    private void AfterSend(int sent)
    {
        bool awaited;
        lock (_connection.Gate)
        {
            _sending = false;
            Return(ref _sendingBuffer);
            _stream.Consume(_sendingData);
            if (sent < 0)
            {
                // The backend does not take it any more; its answer may still come.
                _failed = true;
                _endSent = false;
                _stream.Consume(_end - _start);
                Free();
                _stream.Sender.OnTunnelUploadEnded();
            }
            else if (_endSent)
            {
                EndTunnel();
            }
            else
            {
                Widen();
            }

            awaited = _awaitsQuiet;
            _awaitsQuiet = false;
            if (awaited)
            {
                Free();
            }
        }

        if (awaited)
        {
            _quiet.Set(true);
            return;
        }

        if (sent > 0)
        {
            _stream.OnUploadProgress();
        }
    }

    private void MakeRoom(int size)
    {
        int held = _end - _start;
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(TransportLimits.SmallBufferBytes, ChunkFrameBytes + (2 * (held + size))));
        Gathered.CopyTo(larger.AsSpan(TransportLimits.BufferReserveBytes));
        Return(ref _gathering);
        _gathering = larger;
        _start = TransportLimits.BufferReserveBytes;
        _end = _start + held;
    }

    private void Free()
    {
        _start = _end = 0;
        Return(ref _gathering);
    }

    private static void Return(ref byte[] buffer)
    {
        if (buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        buffer = [];
    }
}
