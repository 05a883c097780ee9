using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Clients;
using Spawngate.Clients.Http2;
using Spawngate.Config;
using Spawngate.Forwarding;
using Spawngate.Overload;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>What an HTTP/2 connection holds for its client is counted, and little more than what the client said.</summary>
internal sealed class Http2MemoryTests
{
    private const string Host = "app.example.com";
    private const int Streams = 100;
    private const int LongBytes = 15_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Test]
    public async Task Requests_that_wait_hold_their_heads_and_not_powers_of_two()
    {
        using var back = Listening();
        using var front = Listening();
        var time = new FakeTime();
        var server = new ServerConfig();
        using var backends = await ReadyBackends.StartAsync(time, NullLogger.Instance, server, ReadyBackends.Config(Host, ((IPEndPoint)back.LocalEndPoint!).Port));
        using var connections = new ClientConnections(backends.Clock);
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(front.LocalEndPoint!);
        using var channel = new SocketChannel(StreamSocket.Of(await front.AcceptAsync()), null, waits: true);
        var context = new ForwardingContext(server, backends.Set, time, backends.Clock, NullLogger.Instance);
        var connection = new Http2Connection(context, connections, new ClientIdentity("127.0.0.1", true, new ClientAddress(1)), channel);
        var serving = connection.RunAsync();
        await client.SendAsync((byte[])[.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0]);
        var received = new List<Socket>();
        for (int i = 0; i < Streams; i++)
        {
            await client.SendAsync(Request(1 + (2 * i)));
            received.Add(await ReceivedAsync(back));
        }

        // Each has its head, in what was written to the backend, and a small buffer for the answer.
        long held = connection.OnTick(backends.Clock.NowMs) - (Streams * Limits.ClientRequestBytes);
        Assert.That(held, Is.InRange(Streams * LongBytes, (Streams * (LongBytes + (2 * Limits.SmallBufferBytes))) + (4 * Limits.LargeBufferBytes)));

        client.Dispose();
        await serving.WaitAsync(Patience);
        Assert.That(connection.OnTick(backends.Clock.NowMs), Is.LessThan(4 * Limits.LargeBufferBytes));
        received.ForEach(static each => each.Dispose());
    }

    /// <summary>Accepts a connection and reads one request from it, which stays without an answer.</summary>
    private static async Task<Socket> ReceivedAsync(Socket listener)
    {
        var socket = await listener.AcceptAsync().WaitAsync(Patience);
        byte[] buffer = new byte[Limits.LargeBufferBytes];
        for (int length = 0; buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8) < 0;)
        {
            int more = await socket.ReceiveAsync(buffer.AsMemory(length)).AsTask().WaitAsync(Patience);
            Assert.That(more, Is.Positive);
            length += more;
        }

        return socket;
    }

    private static byte[] Request(int id)
    {
        byte[] host = Encoding.ASCII.GetBytes(Host);

        // GET, http, / and literals without indexing; the length of the long one is 127 and 14,873 in two pieces of seven bits.
        byte[] block = [0x82, 0x86, 0x84, 0x01, (byte)host.Length, .. host, 0x00, 1, (byte)'x', 0x7f, 0x99, 0x74, .. Enumerable.Repeat((byte)'y', LongBytes)];
        byte[] frame = [0, 0, 0, 1, 5, 0, 0, 0, 0, .. block];
        frame[1] = (byte)(block.Length >> 8);
        frame[2] = (byte)block.Length;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), id);
        return frame;
    }

    private static Socket Listening()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        return listener;
    }
}
