using System.Net;
using System.Net.Sockets;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

[TestFixture]
internal sealed class PeerEndTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Test]
    public async Task Bytes_are_no_end_and_an_end_behind_bytes_is_one()
    {
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var peer = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await peer.ConnectAsync(listener.LocalEndPoint!);
        using var channel = new SocketChannel(AdoptedSocket.Of(await listener.AcceptAsync()), null);

        await peer.SendAsync("x"u8.ToArray());
        Assert.That(SpinWait.SpinUntil(channel.HasSomethingToRead, Patience));
        Assert.That(channel.PeerHasEnded, Is.False);

        peer.Shutdown(SocketShutdown.Send);
        Assert.That(SpinWait.SpinUntil(() => channel.PeerHasEnded, Patience), "nothing was read");
        Assert.That(channel.HasUnread, Is.True);
    }
}
