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

    /// <summary>Before Kestrel has begun with it, as while it shakes hands: a receive waits, and a send is refused.</summary>
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

    /// <summary>The backend answers early and closes; what of the request is still sent then finds nobody.</summary>
    [TestCaseSource(nameof(Transports))]
    public async Task An_answer_that_ended_in_order_stays_whole_though_a_send_fails_after_it(object named)
    {
        var (mine, peer) = Connected();
        using var channel = new SocketChannel(Adopt(mine, (StreamTransport)named), null);
        await peer.SendAsync(new byte[10_000]);
        peer.Dispose();
        Assert.That(SpinWait.SpinUntil(() => channel.PeerHasEnded, Patience));
        using var patience = new CancellationTokenSource(Patience);
        while (await channel.SendAsync(new byte[10], 0, 10) > 0)
        {
            patience.Token.ThrowIfCancellationRequested();
        }

        Assert.That(await DrainAsync(channel), Is.EqualTo((10_000, 0)));
    }

    /// <summary>Kestrel goes on sending after an error that is no reset, and reads an end after it.</summary>
    [TestCaseSource(nameof(Transports))]
    [Platform("Linux")]
    public async Task A_connection_that_timed_out_has_not_ended_in_order(object named)
    {
        const int Tcp = 6,
            UserTimeout = 18,
            TimeoutMs = 500;
        var (mine, peer) = Connected();
        using var disposed = peer;
        mine.SetRawSocketOption(Tcp, UserTimeout, BitConverter.GetBytes(TimeoutMs));
        using var channel = new SocketChannel(Adopt(mine, (StreamTransport)named), null);
        byte[] much = new byte[60_000];
        using var patience = new CancellationTokenSource(Patience);
        while (await channel.SendAsync(much, 0, much.Length).AsTask().WaitAsync(Patience) > 0)
        {
            patience.Token.ThrowIfCancellationRequested();
        }

        Assert.That(await DrainAsync(channel), Is.EqualTo((0, -1)));
    }

    /// <summary>Kestrel asks a connected socket for its addresses, which one that was closed or reset meanwhile does not have.</summary>
    [Test]
    public async Task A_connect_that_meets_a_close_or_a_reset_ends([Values(null, true, false)] bool? closeWithReset)
    {
        using var listener = Listening();
        listener.Blocking = false;
        using var stop = new CancellationTokenSource();
        var accepting = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                if (listener.Poll(1000, SelectMode.SelectRead))
                {
                    var accepted = listener.Accept();
                    accepted.LingerState = new LingerOption(true, 0);
                    accepted.Dispose();
                }
            }
        });
        var random = new Random(7);
        for (int round = 0; round < 1000; round++)
        {
            using var channel = new SocketChannel(KestrelTransport.Instance.TryCreate(AddressFamily.InterNetwork)!, null);
            int spin = random.Next(4000);
            var close = Task.Run(() =>
            {
                Thread.SpinWait(spin);
                if (closeWithReset is { } reset)
                {
                    channel.Abort(reset);
                }
            });
            await Task.WhenAll(close, channel.ConnectAsync(listener.LocalEndPoint!).AsTask()).WaitAsync(Patience);
        }

        await stop.CancelAsync();
        await accepting;
    }

    /// <summary>Whoever closes may hold a lock that whoever waits takes.</summary>
    [Test]
    public async Task A_close_does_not_run_who_waits_for_pipes()
    {
        var (mine, peer) = Connected();
        using var disposed = peer;
        DescriptorBudget.Shared.Take(DescriptorUse.Client);
        var context = KestrelTransport.Instance.Connect(mine);
        var channel = new SocketChannel(new KestrelSocket(mine, context), null);
        int closing = 0;
        var receive = ReceiveAsync();
        Volatile.Write(ref closing, Environment.CurrentManagedThreadId);
        channel.Abort(reset: false);
        Volatile.Write(ref closing, 0);
        Assert.That(await receive.WaitAsync(Patience), Is.False);
        await context.DisposeAsync();

        async Task<bool> ReceiveAsync()
        {
            await channel.ReceiveAsync().ConfigureAwait(false);
            return Volatile.Read(ref closing) == Environment.CurrentManagedThreadId;
        }
    }

    /// <summary>One that is refused before its pipes are handed over, as by a handshake that fails, waits for nothing any more.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public async Task A_client_that_Kestrel_does_not_let_through_is_closed(bool throws)
    {
        var (mine, peer) = Connected();
        using var disposed = peer;
        DescriptorBudget.Shared.Take(DescriptorUse.Client);
        var context = KestrelTransport.Instance.Connect(mine);
        var socket = new KestrelSocket(mine, context);
        context.Features.Set(socket);
        using var channel = new SocketChannel(socket, null);
        var receive = channel.ReceiveAsync().AsTask();
        var served = KestrelClients.EndWithKestrel(_ => throws ? throw new IOException("refused") : Task.CompletedTask)(context);
        await served.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Assert.That(await receive.WaitAsync(Patience), Is.EqualTo(-1));
        Assert.That(served.IsFaulted, Is.EqualTo(throws));
        await context.DisposeAsync().AsTask().WaitAsync(Patience);
        Assert.That(channel.HasUnread, Is.False);
    }

    private static StreamSocket Adopt(Socket socket, StreamTransport transport) =>
        transport is KestrelTransport ? AdoptedSocket.OfKestrel(socket) : AdoptedSocket.Of(socket);

    private static async Task<(int Total, int Last)> DrainAsync(SocketChannel channel)
    {
        int total = 0;
        int read;
        while ((read = await channel.ReceiveAsync().AsTask().WaitAsync(Patience)) > 0)
        {
            total += read;
            channel.Consume(read);
        }

        return (total, read);
    }
}
