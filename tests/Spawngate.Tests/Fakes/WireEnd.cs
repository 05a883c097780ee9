using System.Net;
using System.Net.Sockets;
using System.Text;
using Spawngate.Transport;

namespace Spawngate.Tests.Fakes;

/// <summary>
/// One end of a TCP connection in the hands of a test: text out, text and messages in. Whatever does not come within its patience fails the
/// test.
/// </summary>
internal sealed class WireEnd(Socket socket) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly List<byte> _received = [];
    private readonly byte[] _buffer = new byte[8192];

    public Socket Socket => socket;

    /// <summary>The run of the connection under test, where there is one.</summary>
    public Task Served { get; set; } = Task.CompletedTask;

    /// <summary>Number of the event loop of that connection.</summary>
    public int Loop { get; set; }

    /// <summary>The other end of that connection, where there is one.</summary>
    public StreamSocket? Gateway { get; set; }

    /// <summary>True once the peer has ended its side.</summary>
    public bool Ended { get; private set; }

    /// <summary>Text received and not yet read.</summary>
    public string Pending => Encoding.Latin1.GetString([.. _received]);

    public static async Task<WireEnd> ConnectAsync(EndPoint endpoint, int receiveBuffer = 0)
    {
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveBuffer > 0)
        {
            socket.ReceiveBufferSize = receiveBuffer;
        }

        await socket.ConnectAsync(endpoint);
        return new WireEnd(socket);
    }

    /// <summary>Two connected ends.</summary>
    public static async Task<(WireEnd Client, Socket Server)> PairAsync(int bufferBytes = 0)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (bufferBytes > 0)
        {
            listener.ReceiveBufferSize = listener.SendBufferSize = client.ReceiveBufferSize = client.SendBufferSize = bufferBytes;
        }

        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        await client.ConnectAsync(listener.LocalEndPoint!);
        var server = await listener.AcceptAsync();
        server.NoDelay = true;
        return (new WireEnd(client), server);
    }

    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(byte[] bytes)
    {
        for (int sent = 0; sent < bytes.Length; )
        {
            sent += await socket.SendAsync(bytes.AsMemory(sent)).AsTask().WaitAsync(Patience);
        }
    }

    /// <summary>Reads the next message, request or response.</summary>
    public async Task<StrictMessage> ReadAsync(bool toHead = false)
    {
        while (true)
        {
            var message = StrictHttp.TryRead([.. _received], Ended, toHead, out int consumed);
            if (message is not null)
            {
                _received.RemoveRange(0, consumed);
                return message;
            }

            Assert.That(Ended, Is.False, () => $"The peer ended within a message: {Pending}");
            await ReceiveAsync();
        }
    }

    /// <summary>Reads a head only, and leaves what is behind it.</summary>
    public async Task<string> ReadHeadAsync()
    {
        while (!Pending.Contains("\r\n\r\n", StringComparison.Ordinal))
        {
            Assert.That(Ended, Is.False, () => $"The peer ended within a head: {Pending}");
            await ReceiveAsync();
        }

        return Take(Pending.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4);
    }

    /// <summary>Passes when something has been received, and leaves it there.</summary>
    public async Task PeekAsync() => await socket.ReceiveAsync(new byte[1], SocketFlags.Peek).WaitAsync(Patience);

    /// <summary>Reads that many characters.</summary>
    public async Task<string> ReadTextAsync(int length)
    {
        while (_received.Count < length)
        {
            Assert.That(Ended, Is.False, () => $"The peer ended after: {Pending}");
            await ReceiveAsync();
        }

        return Take(length);
    }

    /// <summary>Reads until the peer ends its side in order.</summary>
    public async Task<string> ReadToEndAsync()
    {
        while (!Ended)
        {
            await ReceiveAsync();
        }

        return Take(_received.Count);
    }

    /// <summary>Reads until the peer resets the connection; an orderly end fails the test.</summary>
    public async Task<string> ReadToResetAsync()
    {
        try
        {
            await ReadToEndAsync();
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return Pending;
        }

        throw new AssertionException($"The connection ended in order after: {Pending}");
    }

    /// <summary>Reads until the peer ends its side, in order or not.</summary>
    public async Task<string> ReadToResetOrEndAsync()
    {
        try
        {
            return await ReadToEndAsync();
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return Take(_received.Count);
        }
    }

    /// <summary>Whether bytes have arrived that nobody has read; a close then is a reset.</summary>
    public bool HasUnread => socket.Available > 0;

    /// <summary>Ends our side only.</summary>
    public void EndSending() => socket.Shutdown(SocketShutdown.Send);

    /// <summary>Closes with a reset.</summary>
    public void Reset()
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Dispose();
    }

    /// <summary>
    /// Is gone without a word, as a machine is that lost its power: what comes next is answered by a reset. Needs the right to repair
    /// sockets (tcp(7)).
    /// </summary>
    public void Vanish()
    {
        const int Tcp = 6,
            Repair = 19;
        try
        {
            socket.SetRawSocketOption(Tcp, Repair, [1, 0, 0, 0]);
        }
        catch (SocketException e)
        {
            Assert.Ignore("TCP_REPAIR: " + e.Message);
        }

        socket.Dispose();
    }

    public void Dispose() => socket.Dispose();

    public async Task ReceiveAsync()
    {
        int count = await socket.ReceiveAsync(_buffer.AsMemory()).AsTask().WaitAsync(Patience);
        Ended = count == 0;
        _received.AddRange(_buffer.AsSpan(0, count));
    }

    private string Take(int length)
    {
        string text = Encoding.Latin1.GetString([.. _received.Take(length)]);
        _received.RemoveRange(0, length);
        return text;
    }
}
