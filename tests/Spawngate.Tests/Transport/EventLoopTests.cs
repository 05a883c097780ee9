using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Spawngate.Platform;
using Spawngate.Telemetry;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;
using static Spawngate.Tests.SocketPairs;

namespace Spawngate.Tests;

/// <summary>The event loops, and that their sockets never miss what the kernel says.</summary>
[TestFixture]
internal sealed class EventLoopTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Test]
    [EventLoops]
    public async Task What_is_posted_from_anywhere_runs_once_and_in_order_on_the_thread_of_the_loop()
    {
        const int Items = 20_000;
        var loop = EventLoop.Next();
        var seen = new List<(int Sender, int Number)>();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool elsewhere = false;
        void See(int sender, int number)
        {
            elsewhere |= !ReferenceEquals(EventLoop.Current, loop);
            seen.Add((sender, number)); // Only this one thread touches it, which is part of what is tested.
            if (seen.Count == 2 * Items)
            {
                done.SetResult();
            }
        }

        Parallel.For(0, 2, sender =>
        {
            for (int i = 0; i < Items; i++)
            {
                int number = i;
                loop.Post(new PostedItem(() => See(sender, number)));
            }
        });
        await done.Task.WaitAsync(Patience);

        Assert.That(elsewhere, Is.False);
        foreach (int sender in new[] { 0, 1 })
        {
            Assert.That(seen.Where(each => each.Sender == sender).Select(each => each.Number), Is.EqualTo(Enumerable.Range(0, Items)));
        }
    }

    [Test]
    [EventLoops]
    public async Task A_turn_is_taken_on_the_same_thread_after_what_others_deferred()
    {
        var loop = EventLoop.Next();
        var order = new List<string>();
        var done = new TaskCompletionSource<EventLoop?>(TaskCreationOptions.RunContinuationsAsynchronously);
        async Task TakeTurnAsync()
        {
            loop.Defer(new PostedItem(() => order.Add("deferred")));
            order.Add("before");
            await EventLoop.NextTurn();
            order.Add("after");
            done.SetResult(EventLoop.Current);
        }

        loop.Post(new PostedItem(() => _ = TakeTurnAsync()));

        Assert.That(await done.Task.WaitAsync(Patience), Is.SameAs(loop));
        Assert.That(order, Is.EqualTo(new[] { "before", "deferred", "after" }));
        Assert.That(EventLoop.Current, Is.Null, "a test is no loop");
        await EventLoop.NextTurn();
    }

    /// <summary>
    /// Of two sockets with events in one batch the first hears that the second has one, the second that the first has none left; and what
    /// comes meanwhile is found by looking again.
    /// </summary>
    [Test]
    [EventLoops]
    public async Task A_descriptor_with_an_event_still_to_come_was_not_just_looked_at_without_result()
    {
        var loop = EventLoop.Next();
        (Socket Mine, Socket Peer)[] pairs = [.. Enumerable.Range(0, 3).Select(static _ => Connected())];
        int[] fds = [.. pairs.Select(static pair => (int)pair.Mine.Handle)];
        var looked = new List<(bool Other, bool Quiet)>();
        var foundLater = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        void OnEvents(int self)
        {
            looked.Add((loop.HasJustLooked(fds[1 - self]), loop.HasJustLooked(fds[2])));
            if (looked.Count == 1)
            {
                return;
            }

            // The kernel knows of this at once, and the loop when it looks again, which it does when it is asked often.
            pairs[2].Peer.Send("z"u8);
            bool all = true;
            for (int i = 0; i <= TransportLimits.JustLookedMax; i++)
            {
                all &= loop.HasJustLooked(fds[2]);
            }

            foundLater.TrySetResult(!all);
        }

        var targets = Enumerable.Range(0, 3).Select(self => new Target(self < 2 ? () => OnEvents(self) : static () => { })).ToList();
        loop.Post(
            new PostedItem(() =>
            {
                for (int i = 0; i < 3; i++)
                {
                    loop.Add(fds[i], targets[i], EpollInstance.In | EpollInstance.EdgeTriggered);
                }

                // Within a batch, so that the next brings both.
                pairs[0].Peer.Send("x"u8);
                pairs[1].Peer.Send("y"u8);
            })
        );

        Assert.That(await foundLater.Task.WaitAsync(Patience), Is.True);
        Assert.That(looked, Is.EqualTo(new[] { (false, true), (true, true) }));
        for (int i = 0; i < 3; i++)
        {
            loop.Remove(fds[i], targets[i]);
            pairs[i].Mine.Dispose();
            pairs[i].Peer.Dispose();
        }
    }

    /// <summary>
    /// A hundred that each take all the time there is for turns, and work that another thread posts in the middle of them.
    /// </summary>
    [Test]
    [EventLoops]
    public async Task However_many_gave_up_their_turn_what_is_new_comes_between_them()
    {
        const int Turns = 100;
        const int PostedAt = 10;
        var loop = EventLoop.Next();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int ran = 0;
        int ranBefore = 0;
        void TakeTurn()
        {
            if (++ran == PostedAt)
            {
                var other = new Thread(() => loop.Post(new PostedItem(() => ranBefore = ran)));
                other.Start();
                other.Join();
            }

            var spent = Stopwatch.StartNew();
            while (spent.ElapsedMilliseconds < TransportLimits.LoopTurnsMs)
            {
                Thread.SpinWait(100);
            }

            if (ran == Turns)
            {
                done.SetResult();
            }
        }

        loop.Post(
            new PostedItem(() =>
            {
                for (int i = 0; i < Turns; i++)
                {
                    EventLoop.NextTurn().GetAwaiter().OnCompleted(TakeTurn);
                }
            })
        );
        await done.Task.WaitAsync(Patience);
        Assert.That(ranBefore, Is.EqualTo(PostedAt), "the turn in which it was posted was the last before it");
    }

    [Test]
    public async Task Bytes_and_the_end_behind_them_are_both_told_however_they_come()
    {
        for (int i = 0; i < 300; i++)
        {
            var (mine, peer) = await ConnectedAsync();
            using var channel = mine;
            var first = i % 2 == 0 ? mine.ReceiveAsync() : default;
            await peer.SendAsync(new byte[10]);
            if (i % 3 > 0)
            {
                peer.Shutdown(SocketShutdown.Send);
            }

            Assert.That(await (i % 2 == 0 ? first : mine.ReceiveAsync()).AsTask().WaitAsync(Patience), Is.EqualTo(10));
            peer.Dispose();
            Assert.That(await mine.ReceiveAsync().AsTask().WaitAsync(Patience), Is.Zero);
            Assert.That(await mine.ReceiveAsync().AsTask().WaitAsync(Patience), Is.Zero, "an end stays one");
        }
    }

    [Test]
    public async Task Urgent_data_in_the_middle_hides_nothing_that_follows()
    {
        var (mine, peer) = await ConnectedAsync();
        using var channel = mine;
        using var other = peer;
        await peer.SendAsync("ab"u8.ToArray());
        await peer.SendAsync("!"u8.ToArray(), SocketFlags.OutOfBand);
        await peer.SendAsync("cd"u8.ToArray());
        while (mine.ReceivedLength < 4)
        {
            Assert.That(await mine.ReceiveAsync().AsTask().WaitAsync(Patience), Is.Positive);
        }

        Assert.That(Encoding.ASCII.GetString(mine.Received), Is.EqualTo("abcd"), "the urgent byte is no part of the stream");
    }

    [Test]
    public async Task A_connect_that_meets_a_close_takes_no_number_from_another()
    {
        using var target = Listening();
        using var listener = Listening();
        for (int i = 0; i < 400; i++)
        {
            using var start = new Barrier(2);
            var connecting = new SocketChannel(StreamTransport.Chosen.TryCreate(AddressFamily.InterNetwork)!, null);
            var closing = Task.Run(() =>
            {
                start.SignalAndWait();
                connecting.Abort(reset: true);
            });
            start.SignalAndWait();
            Thread.SpinWait(i % 200);
            var connected = connecting.ConnectAsync(target.LocalEndPoint!).AsTask();
            var (next, peer) = await ConnectedAsync(listener);
            var receive = next.ReceiveAsync().AsTask();
            await closing;
            Assert.That(await connected.WaitAsync(Patience), Is.Zero.Or.EqualTo(-1));
            peer.Send([2]);
            Assert.That(await receive.WaitAsync(Patience), Is.EqualTo(1));
            next.Dispose();
            peer.Dispose();
            connecting.Dispose();
        }
    }

    [Test]
    public async Task No_event_is_missed_by_threads_that_take_turns()
    {
        // Each answer is awaited on whichever thread the one before ended on: a loop's or the pool's.
        var (a, b) = await PairAsync();
        using var first = a;
        using var second = b;
        var echo = EchoAsync(b);
        for (int i = 0; i < 5_000; i++)
        {
            a.Write([(byte)i]);
            Assert.That(await a.FlushAsync().AsTask().WaitAsync(Patience), Is.EqualTo(1));
            a.ReleaseOutgoing();
            if (i % 7 == 0)
            {
                await Task.Yield();
            }

            Assert.That(await a.ReceiveAsync().AsTask().WaitAsync(Patience), Is.EqualTo(1));
            Assert.That(a.Received[0], Is.EqualTo((byte)i));
            a.Consume(1);
        }

        a.ShutdownSend();
        await echo.WaitAsync(Patience);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_close_from_any_thread_ends_what_is_pending(bool reset)
    {
        var (channel, peer) = await ConnectedAsync();
        using var owned = channel;
        using var other = peer;
        var receive = channel.ReceiveAsync().AsTask();
        var send = channel.SendAsync(new byte[64 << 20], 0, 64 << 20).AsTask();
        Assert.That((receive.IsCompleted, send.IsCompleted), Is.EqualTo((false, false)));

        await Task.Run(() => channel.Abort(reset));

        Assert.That(await receive.WaitAsync(Patience), Is.EqualTo(-1));
        Assert.That(await send.WaitAsync(Patience), Is.EqualTo(-1));
        Assert.That(await channel.ReceiveAsync().AsTask().WaitAsync(Patience), Is.EqualTo(-1), "and so does what is begun afterwards");
        Assert.That(await channel.SendAsync(new byte[1], 0, 1).AsTask().WaitAsync(Patience), Is.EqualTo(-1));
    }

    [Test]
    public async Task A_close_that_meets_a_begin_leaves_nobody_waiting()
    {
        using var listener = Listening();
        for (int i = 0; i < 1000; i++)
        {
            var (channel, peer) = await ConnectedAsync(listener);
            using var owned = channel;
            using var other = peer;
            using var start = new Barrier(2);
            var closing = Task.Run(() =>
            {
                start.SignalAndWait();
                channel.Abort(reset: false);
            });
            start.SignalAndWait();
            Thread.SpinWait(i % 100);
            Assert.That(await channel.ReceiveAsync().AsTask().WaitAsync(Patience), Is.EqualTo(-1));
            await closing;
        }
    }

    [Test]
    public async Task A_number_that_is_taken_again_tells_the_new_connection_nothing_of_the_old()
    {
        using var listener = Listening();
        for (int i = 0; i < 700; i++)
        {
            var (channel, peer) = await ConnectedAsync(listener);
            var pending = channel.ReceiveAsync();
            peer.Send([1]);
            peer.Dispose(); // Its events may still be under way when the number is free again.
            channel.Abort(reset: i % 2 == 0);
            int old = await pending.AsTask().WaitAsync(Patience);
            Assert.That(old, Is.EqualTo(-1).Or.EqualTo(1).Or.EqualTo(0));
            channel.Dispose();

            var (next, nextPeer) = await ConnectedAsync(listener);
            var receive = next.ReceiveAsync().AsTask();
            nextPeer.Send([2]);
            Assert.That(await receive.WaitAsync(Patience), Is.EqualTo(1));
            Assert.That(next.Received[0], Is.EqualTo(2));
            next.Dispose();
            nextPeer.Dispose();
        }
    }

    [Test]
    public async Task A_connect_tells_why_it_failed()
    {
        using var taken = Listening();
        var endpoint = (IPEndPoint)taken.LocalEndPoint!;
        using (var good = new SocketChannel(StreamTransport.Chosen.TryCreate(AddressFamily.InterNetwork)!, null))
        {
            Assert.That(await good.ConnectAsync(endpoint).AsTask().WaitAsync(Patience), Is.Zero);
            Assert.That(good.IsSelfConnected, Is.False);
        }

        taken.Dispose();
        using var refused = new SocketChannel(StreamTransport.Chosen.TryCreate(AddressFamily.InterNetwork)!, null);
        Assert.That(await refused.ConnectAsync(endpoint).AsTask().WaitAsync(Patience), Is.EqualTo(-1));
        Assert.That(refused.SendError, Is.EqualTo(SocketError.ConnectionRefused));
    }

    [Test]
    public async Task A_connect_that_gets_no_answer_is_pending_until_it_is_closed()
    {
        // A full queue of one: the kernel answers no further SYN.
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        var channels = new List<SocketChannel>();
        Task<int> last;
        do
        {
            channels.Add(new SocketChannel(StreamTransport.Chosen.TryCreate(AddressFamily.InterNetwork)!, null));
            last = channels[^1].ConnectAsync(full.LocalEndPoint!).AsTask();
        } while (last.IsCompleted && channels.Count < 8);

        Assert.That(last.IsCompleted, Is.False);
        channels[^1].Abort(reset: false);
        Assert.That(await last.WaitAsync(Patience), Is.EqualTo(-1));
        channels.ForEach(each => each.Dispose());
    }

    [Test]
    public async Task A_send_larger_than_the_kernel_takes_goes_on_as_the_peer_reads()
    {
        var (channel, peer) = await ConnectedAsync();
        using var owned = channel;
        using var other = peer;
        var bytes = new byte[20 << 20];
        new Random(1).NextBytes(bytes);
        var send = channel.SendAsync(bytes, 0, bytes.Length).AsTask();
        Assert.That(send.IsCompleted, Is.False);
        var got = new byte[bytes.Length];
        for (int read = 0; read < got.Length; )
        {
            read += await peer.ReceiveAsync(got.AsMemory(read, Math.Min(got.Length - read, 300_000)));
        }

        Assert.That(await send.WaitAsync(Patience), Is.EqualTo(bytes.Length));
        Assert.That(got.AsSpan().SequenceEqual(bytes));
    }

    private static async Task EchoAsync(SocketChannel channel)
    {
        while (await channel.ReceiveAsync() is > 0 and var count)
        {
            channel.Write(channel.Received[..count]);
            channel.Consume(count);
            await channel.FlushAsync();
            channel.ReleaseOutgoing();
        }
    }

    private static async Task<(SocketChannel A, SocketChannel B)> PairAsync()
    {
        var (mine, peer) = await ConnectedAsync();
        return (mine, new SocketChannel(AdoptedSocket.Of(peer), null));
    }

    private sealed class Target(Action onEvents) : IEventTarget
    {
        public void OnEvents(uint events) => onEvents();
    }
}
