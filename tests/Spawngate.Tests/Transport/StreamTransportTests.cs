using System.Net;
using System.Net.Sockets;
using Spawngate.Platform;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;
using static Spawngate.Tests.SocketPairs;

namespace Spawngate.Tests;

/// <summary>Which transport there is, and what both of them do alike for whoever accepts.</summary>
[TestFixture]
internal sealed class StreamTransportTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static IEnumerable<StreamTransport> Transports =>
        [.. new HashSet<StreamTransport> { StreamTransport.Chosen, KestrelTransport.Instance }];

    [TestCase(null, true, "epoll", null)]
    [TestCase("", true, "epoll", null)]
    [TestCase("epoll", true, "epoll", null)]
    [TestCase("kestrel", true, "kestrel", null)]
    [TestCase(null, false, "kestrel", null)]
    [TestCase("kestrel", false, "kestrel", null)]
    [TestCase(
        "epoll",
        false,
        "kestrel",
        "SPAWNGATE_TRANSPORT is \"epoll\", and there is epoll on Linux only: unset it, or set it to \"kestrel\""
    )]
    [TestCase(
        "Kestrel",
        true,
        "epoll",
        "SPAWNGATE_TRANSPORT is \"Kestrel\", which names no transport: unset it, or set it to \"epoll\" (Linux) or \"kestrel\""
    )]
    public void It_is_found_by_its_name(string? name, bool isLinux, string found, string? problem)
    {
        var choice = StreamTransport.Find(name, isLinux);
        Assert.That((choice.Transport.Name, choice.Problem), Is.EqualTo((found, problem)));
    }

    [TestCaseSource(nameof(Transports))]
    public async Task A_listener_leaves_clients_in_the_queue_while_nobody_accepts_and_is_stopped(object named)
    {
        var transport = (StreamTransport)named;
        using var socket = Listening();
        using var listener = transport.Listen(socket);
        var waiting = listener.AcceptAsync().AsTask();
        Assert.That(waiting.IsCompleted, Is.False);
        var clients = new List<Socket>();
        for (int i = 0; i < 4; i++)
        {
            clients.Add(await ClientAsync(socket));
        }

        // Two of them come while nobody accepts: the event that tells is not told over and over.
        using var first = new SocketChannel((await waiting.WaitAsync(Patience))!, null);
        Assert.That(listener.Peer, Is.EqualTo(IPAddress.Loopback));
        using var second = new SocketChannel((await listener.AcceptAsync().AsTask().WaitAsync(Patience))!, null);
        using var third = new SocketChannel((await listener.AcceptAsync().AsTask().WaitAsync(Patience))!, null);
        clients[2].Send([7]);
        Assert.That(await third.ReceiveAsync().AsTask().WaitAsync(Patience), Is.EqualTo(1));

        var fourth = await listener.AcceptAsync().AsTask().WaitAsync(Patience);
        Assert.That(fourth, Is.Not.Null);
        fourth!.Close(reset: false);
        var last = listener.AcceptAsync().AsTask();
        listener.Stop();
        Assert.That(await last.WaitAsync(Patience), Is.Null);
        clients.Add(await ClientAsync(socket));
        using var queued = new SocketChannel(listener.TryAccept()!, null);
        Assert.That(listener.TryAccept(), Is.Null);
        clients.ForEach(each => each.Dispose());
    }

    /// <summary>What was accepted belongs to whoever accepted it: it ends with it, and the server with the last of them.</summary>
    [TestCase(true)]
    [TestCase(false)]
    [NonParallelizable]
    public async Task A_client_of_Kestrel_outlives_its_listener_and_gives_its_descriptor_back(bool reset)
    {
        long before = DescriptorBudget.Shared.Count(DescriptorUse.Client);
        using var socket = Listening();
        var listener = KestrelTransport.Instance.Listen(socket);
        var accepting = listener.AcceptAsync().AsTask();
        using var client = await ClientAsync(socket);
        var accepted = (KestrelSocket)(await accepting.WaitAsync(Patience))!;
        using var channel = new SocketChannel(accepted, null);
        listener.Stop();
        listener.Dispose();

        await client.SendAsync(new byte[3]);
        Assert.That(await channel.ReceiveAsync().AsTask().WaitAsync(Patience), Is.EqualTo(3));
        Assert.That(await channel.SendAsync(new byte[5], 0, 5).AsTask().WaitAsync(Patience), Is.EqualTo(5));
        channel.Abort(reset);
        await accepted.Ended.WaitAsync(Patience);

        // Those of tests before this one may still be closing.
        Assert.That(DescriptorBudget.Shared.Count(DescriptorUse.Client), Is.LessThanOrEqualTo(before));
        byte[] received = new byte[9];
        if (reset)
        {
            Assert.That(async () => await ReadToEndAsync(), Throws.InstanceOf<SocketException>());
        }
        else
        {
            Assert.That(await ReadToEndAsync(), Is.EqualTo(5));
        }

        async Task<int> ReadToEndAsync()
        {
            int total = 0;
            while (await client.ReceiveAsync(received).WaitAsync(Patience) is > 0 and var read)
            {
                total += read;
            }

            return total;
        }
    }

    /// <summary>Before Kestrel has begun with it, as while it shakes hands: a receive waits, a send is refused, and a close ends both.</summary>
    [Test]
    public async Task A_receive_that_begins_before_there_are_pipes_waits_for_them()
    {
        var (mine, peer) = Connected();
        using var disposed = peer;
        DescriptorBudget.Shared.Take(DescriptorUse.Client);
        var context = KestrelTransport.Instance.Connect(mine);
        var socket = new KestrelSocket(mine, context);
        using var channel = new SocketChannel(socket, null);
        await peer.SendAsync(new byte[7]);
        var receive = channel.ReceiveAsync().AsTask();
        Assert.That(await channel.SendAsync(new byte[1], 0, 1), Is.EqualTo(-1));
        Assert.That((channel.SendError, receive.IsCompleted), Is.EqualTo((SocketError.NotConnected, false)));

        socket.Attach(context.Transport);
        Assert.That(await receive.WaitAsync(Patience), Is.EqualTo(7));
        channel.Dispose();
        await socket.Ended.WaitAsync(Patience);
        await context.DisposeAsync().AsTask().WaitAsync(Patience);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_close_before_there_are_pipes_ends_a_receive_and_the_pipes_are_left_alone(bool begunBefore)
    {
        var (mine, peer) = Connected();
        using var disposed = peer;
        DescriptorBudget.Shared.Take(DescriptorUse.Client);
        var context = KestrelTransport.Instance.Connect(mine);
        var socket = new KestrelSocket(mine, context);
        using var channel = new SocketChannel(socket, null);
        var receive = begunBefore ? channel.ReceiveAsync().AsTask() : null;
        channel.Abort(reset: false);
        receive ??= channel.ReceiveAsync().AsTask();
        Assert.That(await receive.WaitAsync(Patience), Is.EqualTo(-1));
        await socket.Ended.WaitAsync(Patience);
        socket.Attach(context.Transport);
        Assert.That(await channel.ReceiveAsync().AsTask().WaitAsync(Patience), Is.EqualTo(-1));
        await context.DisposeAsync().AsTask().WaitAsync(Patience);
    }

    /// <summary>Attached, closed, received and sent from different threads at once: everything ends, and once.</summary>
    [Test]
    public async Task Whatever_meets_a_close_ends()
    {
        using var listener = Listening();
        for (int round = 0; round < 300; round++)
        {
            using var peer = await ClientAsync(listener);
            var mine = await listener.AcceptAsync();
            DescriptorBudget.Shared.Take(DescriptorUse.Client);
            var context = KestrelTransport.Instance.Connect(mine);
            var socket = new KestrelSocket(mine, context);
            var channel = new SocketChannel(socket, null);
            if (round % 2 == 0)
            {
                await peer.SendAsync(new byte[10_000]);
            }

            var attach = Task.Run(() => socket.Attach(context.Transport));
            var receive = Task.Run(async () =>
            {
                while (await channel.ReceiveAsync() > 0)
                {
                    channel.Consume(channel.ReceivedLength);
                }
            });
            var send = Task.Run(async () =>
            {
                byte[] much = new byte[300_000];
                while (await channel.SendAsync(much, 0, much.Length) > 0) { }
            });
            var close = Task.Run(() => channel.Abort(reset: round % 3 == 0));
            await Task.WhenAll(attach, receive, send, close, socket.Ended).WaitAsync(Patience);
            await context.DisposeAsync().AsTask().WaitAsync(Patience);
        }
    }
}
