using System.Net.Sockets;
using Spawngate.Logging;
using Spawngate.Overload;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>What an HTTP/2 connection holds for its client is counted, and little more than what the client said.</summary>
internal sealed class Http2MemoryTests
{
    private const int Streams = 100;
    private const int LongBytes = 15_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>A literal; its length is 127 and 14,873 in two pieces of seven bits.</summary>
    private static readonly byte[] Long = [0x00, 1, (byte)'x', 0x7f, 0x99, 0x74, .. Enumerable.Repeat((byte)'y', LongBytes)];

    [Test]
    public async Task Requests_that_wait_hold_their_heads_and_not_powers_of_two()
    {
        using var stage = await Http2Stage.StartAsync();
        var connection = stage.Connection;
        var received = new List<Socket>();
        for (int i = 0; i < Streams; i++)
        {
            await stage.Client.SendAsync(Http2Stage.Request(i, Long));
            received.Add(await ReceivedAsync(stage.Backend));
        }

        // Each has its head, in what was written to the backend, and a small buffer for the answer.
        long held = connection.OnTick(stage.NowMs) - (Streams * OverloadLimits.ClientRequestBytes);
        Assert.That(
            held,
            Is.InRange(
                Streams * LongBytes,
                (Streams * (LongBytes + (2 * TransportLimits.SmallBufferBytes))) + (4 * TransportLimits.LargeBufferBytes)
            )
        );

        stage.Client.Dispose();
        await stage.Serving.WaitAsync(Patience);
        Assert.That(connection.OnTick(stage.NowMs), Is.LessThan(4 * TransportLimits.LargeBufferBytes));
        received.ForEach(static each => each.Dispose());
    }

    /// <summary>Accepts a connection and reads one request from it, which stays without an answer.</summary>
    private static async Task<Socket> ReceivedAsync(Socket listener)
    {
        var socket = await listener.AcceptAsync().WaitAsync(Patience);
        byte[] buffer = new byte[TransportLimits.LargeBufferBytes];
        for (int length = 0; buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8) < 0; )
        {
            int more = await socket.ReceiveAsync(buffer.AsMemory(length)).AsTask().WaitAsync(Patience);
            Assert.That(more, Is.Positive);
            length += more;
        }

        return socket;
    }
}
