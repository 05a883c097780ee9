using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Spawngate.Forwarding;

namespace Spawngate.Tests.Fakes;

/// <summary>An HTTP/2 client that sends the same GET on stream after stream over a blocking socket, and allocates nothing itself.</summary>
internal sealed class Http2LoopbackClient
{
    private const int HeaderSize = 9;
    private const byte EndStream = 1;

    private readonly Socket _socket;
    private readonly byte[] _request;
    private readonly byte[] _received = new byte[65536];
    private int _length;
    private int _id = -1;

    public Http2LoopbackClient(Socket socket, string host)
    {
        _socket = socket;

        // GET, http and / of the static table, :authority as a literal that is not indexed: the block is the same each time.
        byte[] block = [0x82, 0x86, 0x84, 0x01, (byte)host.Length, .. Encoding.ASCII.GetBytes(host)];
        _request = [0, 0, (byte)block.Length, 1, 4 | EndStream, 0, 0, 0, 0, .. block];
        byte[] window = [0, 0, 4, 8, 0, 0, 0, 0, 0, 0x3f, 0, 0, 0];
        _socket.Send([.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, .. window]);
    }

    /// <summary>One request and its whole answer, which must be a 200.</summary>
    public void Exchange()
    {
        _id += 2;
        BinaryPrimitives.WriteInt32BigEndian(_request.AsSpan(5), _id);
        _socket.Send(_request);
        while (!TakeFrame()) { }
    }

    /// <summary>Takes one frame; true when it ends the stream.</summary>
    private bool TakeFrame()
    {
        Fill(HeaderSize);
        int payload = (_received[0] << 16) | (_received[1] << 8) | _received[2];
        Fill(HeaderSize + payload);
        byte type = _received[3];
        bool ends = type is 0 or 1 && (_received[4] & EndStream) != 0;

        // :status 200 is 0x88, after what may be a change of the table size.
        if (type is 3 or 7 || (type == 1 && _received.AsSpan(HeaderSize, Math.Min(payload, 4)).IndexOf((byte)0x88) < 0))
        {
            throw new InvalidOperationException($"A frame of type {type} came: {Convert.ToHexString(_received, 0, HeaderSize + payload)}");
        }

        _length -= HeaderSize + payload;
        _received.AsSpan(HeaderSize + payload, _length).CopyTo(_received);
        return ends;
    }

    private void Fill(int length)
    {
        while (_length < length)
        {
            int received = _socket.Receive(_received.AsSpan(_length));
            _length += received > 0 ? received : throw new InvalidOperationException("The gateway closed the connection");
        }
    }
}
