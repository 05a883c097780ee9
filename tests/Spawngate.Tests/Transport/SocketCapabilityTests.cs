using Spawngate.Clients.Shared;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>A socket that declines everything but receiving, sending and ending serves clients all the same.</summary>
[TestFixture]
internal sealed class SocketCapabilityTests
{
    private const int LongBytes = 5_000_000;

    [Test]
    public async Task A_socket_says_what_it_can()
    {
        var (client, server) = await WireEnd.PairAsync();
        using var end = client;
        var socket = AdoptedSocket.Of(server);
        var declining = new DecliningSocket(socket);
        Assert.That(declining.Capabilities, Is.EqualTo(SocketCapabilities.None));
        Assert.That(declining.TryAskPeer(out _), Is.False);
        if (OperatingSystem.IsLinux())
        {
            var splices = StreamTransport.Chosen is EpollTransport ? SocketCapabilities.Splice : SocketCapabilities.None;
            Assert.That(socket.Capabilities, Is.EqualTo(splices | SocketCapabilities.Probe));
            Assert.That(socket.TryAskPeer(out var info) && info.BytesAcked >= 0);
        }

        socket.Close(reset: false);
    }

    [Test]
    public async Task Long_bodies_pass_both_ways_without_being_spliced()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync(wrap: static socket => new DecliningSocket(socket));
        byte[] body = new byte[LongBytes];
        new Random(7).NextBytes(body);

        var sending = client.SendAsync([
            .. System.Text.Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: {LongBytes}\r\n\r\n"),
            .. body,
        ]);
        var backend = await stage.AcceptAsync();
        var request = await backend.ReadAsync();
        await sending;
        Assert.That(request.Body.AsSpan().SequenceEqual(body), "the upload");

        var answering = backend.SendAsync([
            .. System.Text.Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {LongBytes}\r\n\r\n"),
            .. body,
        ]);
        var response = await client.ReadAsync();
        await answering;
        Assert.That(response.Body.AsSpan().SequenceEqual(body), "the answer");
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task Whether_the_client_is_there_is_not_asked_by_what_it_declines(bool hasEndedItsSide)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync(wrap: static socket => new DecliningSocket(socket));
        await client.SendAsync("GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n");
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        if (hasEndedItsSide)
        {
            client.EndSending(); // It waits for its answer, however long that takes.
        }

        for (int i = 0; i < 100; i++)
        {
            stage.Time.AdvanceMs(100);
        }

        await backend.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));
    }

    /// <summary>Where the kernel does not say what the peer took, another send says that the last one was taken.</summary>
    [Test]
    public async Task A_slow_client_is_seen_to_take_by_what_is_sent()
    {
        var (wire, server) = await WireEnd.PairAsync();
        using var end = wire;
        using var client = new SocketChannel(new DecliningSocket(AdoptedSocket.Of(server)), null);
        var watch = new PeerWatch();
        byte[] much = new byte[32 * 1024 * 1024];
        var first = client.SendAsync(much, 0, much.Length).AsTask();
        Assert.That(client.IsSending, "more than the kernel takes");
        Assert.That((watch.HasSendMoved(client, null), watch.HasSendMoved(client, null)), Is.EqualTo((false, false)));
        Assert.That(watch.ClientAcked, Is.Zero, "nothing is known of what the peer's kernel took");
        for (long left = much.Length; left > 0; left -= much.Length)
        {
            await end.ReadTextAsync(much.Length);
        }

        Assert.That(await first, Is.EqualTo(much.Length));
        var second = client.SendAsync(much, 0, much.Length).AsTask();
        Assert.That(watch.HasSendMoved(client, null), Is.True);
        Assert.That(watch.HasSendMoved(client, null), Is.False);
        client.Abort(reset: true);
        Assert.That(await second, Is.LessThan(0));
    }
}
