using System.Net;
using System.Net.Sockets;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>How a connection ends, as its peer sees it.</summary>
[TestFixture]
internal sealed class TransportSocketChannelTests
{
    /// <summary>More than the peer's socket takes, so that some of it is still in ours when it is closed.</summary>
    private const int Length = 3_000_000;

    [TestCase(true)]
    [TestCase(false)]
    public async Task What_was_sent_before_the_end_arrives_even_while_a_receive_is_armed(bool armed)
    {
        var (mine, peer) = await ConnectedAsync();
        using var disposed = peer;
        var channel = new SocketChannel(StreamSocket.Of(mine), null);
        if (armed)
        {
            Assert.That(channel.Arm());
        }

        // The kernel may not take all of it at once; then the peer has to read some before.
        var sent = channel.SendAsync(new byte[Length], 0, Length).AsTask();
        var received = await ReadAsync(peer, Length / 2);
        Assert.That(await sent, Is.EqualTo(Length));
        channel.Dispose();

        Assert.That(received + await ReadAsync(peer, int.MaxValue), Is.EqualTo(Length), "a reset destroys what was not yet read");
    }

    [Test]
    public async Task A_cut_is_seen_as_a_reset()
    {
        var (mine, peer) = await ConnectedAsync();
        using var disposed = peer;
        using var channel = new SocketChannel(StreamSocket.Of(mine), null);

        channel.Abort(reset: true);

        Assert.That(async () => await ReadAsync(peer, 1), Throws.InstanceOf<SocketException>());
    }

    /// <summary>Reads to the end of the stream, or until so many bytes have come.</summary>
    private static async Task<int> ReadAsync(Socket socket, int most)
    {
        var buffer = new byte[64 * 1024];
        var total = 0;
        int read;
        while (total < most && (read = await socket.ReceiveAsync(buffer)) > 0)
        {
            total += read;
        }

        return total;
    }

    private static async Task<(Socket Mine, Socket Peer)> ConnectedAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var accepted = listener.AcceptAsync();
        await peer.ConnectAsync(listener.LocalEndPoint!);
        return (await accepted, peer);
    }
}
