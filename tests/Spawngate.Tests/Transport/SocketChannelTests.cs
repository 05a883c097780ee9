using System.Net;
using System.Net.Sockets;
using Spawngate.Platform;
using Spawngate.Telemetry;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>How a connection goes and ends, as its peer sees it, with the transport of this process and with Kestrel's.</summary>
[TestFixture(false)]
[TestFixture(true)]
internal sealed class SocketChannelTests(bool kestrel)
{
    /// <summary>More than the peer's socket takes, so that some of it is still in ours when it is closed.</summary>
    private const int Length = 3_000_000;

    [TestCase(true)]
    [TestCase(false)]
    public async Task What_was_sent_before_the_end_arrives_even_while_a_receive_is_armed(bool armed)
    {
        var (mine, peer) = await ConnectedAsync();
        using var disposed = peer;
        var channel = Open(mine);
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
        using var channel = Open(mine);

        channel.Abort(reset: true);

        Assert.That(async () => await ReadAsync(peer, 1), Throws.InstanceOf<SocketException>());
    }

    [Test]
    public async Task Bytes_go_both_ways_and_each_end_is_told()
    {
        var (mine, peer) = await ConnectedAsync();
        using var disposed = peer;
        using var channel = Open(mine);
        channel.Write("ping"u8);
        Assert.That(await channel.FlushAsync(), Is.EqualTo(4));
        channel.ReleaseOutgoing();
        Assert.That(await ReadAsync(peer, 4), Is.EqualTo(4));
        Assert.That(channel.Arm(), "nothing is there yet");
        await peer.SendAsync("pong"u8.ToArray());
        Assert.That(await channel.ReceiveAsync(), Is.EqualTo(4));
        Assert.That(channel.Received.SequenceEqual("pong"u8));
        peer.Shutdown(SocketShutdown.Send);
        Assert.That(await channel.ReceiveAsync(), Is.Zero);
        Assert.That((channel.HasSomethingToRead(), channel.TrySendAhead((byte)'!')), Is.EqualTo((true, (bool?)true)));
        channel.ShutdownSend();
        Assert.That(await ReadAsync(peer, 9), Is.EqualTo(1), "the byte that was sent ahead, and the end");
    }

    [Test]
    public async Task An_abort_ends_what_is_pending()
    {
        var (mine, peer) = await ConnectedAsync();
        using var disposed = peer;
        using var channel = Open(mine);
        var receive = channel.ReceiveAsync().AsTask();
        channel.Abort(reset: false);
        Assert.That(await receive.WaitAsync(TimeSpan.FromSeconds(60)), Is.LessThanOrEqualTo(0));
        Assert.That(await channel.ReceiveAsync(), Is.LessThanOrEqualTo(0));
    }

    /// <summary>The kernel tells an error once, to whichever call comes next, and then says end of stream.</summary>
    [Test]
    [Platform("Linux")]
    public async Task An_error_that_any_call_was_told_of_never_becomes_an_end(
        [Values("send", "send ahead", "receive", "splice to", "splice from")] string call,
        [Values(0, 5)] int before
    )
    {
        var (mine, peer) = await ConnectedAsync();
        using var channel = Open(mine);
        if ((kestrel || StreamTransport.Chosen is KestrelTransport) && call.StartsWith("splice", StringComparison.Ordinal))
        {
            Assert.That(await FailAsync(channel, call), Is.EqualTo(-SocketCalls.ENOSYS), "it says so, and is not asked again");
            return;
        }

        await peer.SendAsync(new byte[before]);
        peer.LingerState = new LingerOption(true, 0);
        peer.Dispose();
        Assert.That(
            () => Spawngate.Platform.TcpInfo.TryRead(channel.Handle, out var info) && info.IsGone,
            Is.True.After(30).Seconds.PollEvery(1)
        );

        if (before > 0)
        {
            Assert.That(await channel.ReceiveAsync(), Is.EqualTo(before), "what came before the error is there");
        }

        Assert.That(await FailAsync(channel, call), Is.LessThan(0));
        Assert.That(await channel.ReceiveAsync(), Is.EqualTo(-1));
        Assert.That(channel.WasReset);
        channel.Arm();
        Assert.That((channel.ArmedResultIsEnd, channel.ArmedResultIsError), Is.EqualTo((true, true)));
        Assert.That(await channel.ReceiveAsync(), Is.EqualTo(-1));
    }

    /// <summary>A reset that comes after it takes nothing back: all that the peer had to say is there.</summary>
    [Test]
    public async Task An_end_before_an_error_stays_an_end()
    {
        var (mine, peer) = await ConnectedAsync();
        using var channel = Open(mine);
        await channel.SendAsync(new byte[1], 0, 1);
        peer.Shutdown(SocketShutdown.Send);
        Assert.That(await channel.ReceiveAsync(), Is.Zero);
        peer.LingerState = new LingerOption(true, 0);
        peer.Dispose();
        Assert.That(() => channel.TrySendAhead(1), Is.False.After(30).Seconds.PollEvery(1));

        Assert.That(await channel.ReceiveAsync(), Is.Zero);
    }

    [Test]
    public async Task A_refused_connect_says_so()
    {
        var nobody = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        nobody.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using var channel = new SocketChannel(
            (kestrel ? KestrelTransport.Instance : StreamTransport.Chosen).TryCreate(AddressFamily.InterNetwork)!,
            null
        );
        Assert.That(await channel.ConnectAsync(nobody.LocalEndPoint!), Is.EqualTo(-1));
        Assert.That(channel.SendError, Is.EqualTo(SocketError.ConnectionRefused));
        nobody.Dispose();
    }

    private SocketChannel Open(Socket socket) => new(kestrel ? AdoptedSocket.OfKestrel(socket) : AdoptedSocket.Of(socket), null);

    private static async Task<int> FailAsync(SocketChannel channel, string call)
    {
        switch (call)
        {
            case "send":
                return await channel.SendAsync(new byte[1], 0, 1);
            case "send ahead":
                return channel.TrySendAhead(1) == false ? -1 : 0;
            case "receive":
                return await channel.ReceiveAsync();
        }

        using var pipe = new System.IO.Pipes.AnonymousPipeServerStream(System.IO.Pipes.PipeDirection.Out);
        await pipe.WriteAsync(new byte[1]);
        return call == "splice to"
            ? channel.SpliceTo((int)pipe.SafePipeHandle.DangerousGetHandle(), 100)
            : channel.SpliceFrom((int)pipe.ClientSafePipeHandle.DangerousGetHandle(), 1, more: false);
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
