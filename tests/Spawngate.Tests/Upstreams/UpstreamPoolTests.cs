using System.Net;
using System.Net.Sockets;
using System.Text;
using Spawngate.Runtime;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;
using Spawngate.Upstreams;

namespace Spawngate.Tests;

/// <summary>The pool of connections to one instance of a backend, over real sockets.</summary>
internal sealed class UpstreamPoolTests
{
    private readonly FakeTime _time = new();
    private CoarseClock _clock = null!;
    private Socket _listener = null!;
    private UpstreamPool _pool = null!;

    [SetUp]
    public void SetUp()
    {
        _clock = new CoarseClock(_time);
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(64);
        _pool = new UpstreamPool((IPEndPoint)_listener.LocalEndPoint!, maxIdle: 2, idleTimeoutMs: 5000, _clock, loops: 1);
    }

    [TearDown]
    public void TearDown()
    {
        _pool.Abort();
        _listener.Dispose();
        _clock.Dispose();
    }

    [Test]
    public async Task The_last_one_back_is_the_first_one_out()
    {
        var (a, endA) = await OpenAsync();
        var (b, endB) = await OpenAsync();
        var (c, endC) = await OpenAsync();
        using (endA)
        using (endB)
        using (endC)
        {
            Assert.That((_pool.OpenCount, a.IsReused), Is.EqualTo((3, false)));
            _pool.Return(a);
            _pool.Return(c);
            _pool.Return(b);
            Assert.That(new[] { _pool.TryRent(), _pool.TryRent(), _pool.TryRent(), _pool.TryRent() }, Is.EqualTo(new[] { b, c, a, null }));
            Assert.That((_pool.OpenCount, a.IsReused), Is.EqualTo((3, true)));
        }
    }

    [Test]
    public async Task Bytes_that_come_and_more_than_a_few_that_go_are_signs_of_life_of_connections_in_use()
    {
        Assert.That(_pool.HasPassedWithin(60_000), Is.False);
        var (connection, end) = await OpenAsync();
        using (end)
        {
            await SendAsync(connection, 10_000);
            Assert.That(_pool.HasPassedWithin(60_000), Is.False, "the first look knows nothing to compare with");
            await SendAsync(connection, 20);
            Assert.That(_pool.HasPassedWithin(60_000), Is.False, "the pings of a WebSocket to one that hangs");
            await SendAsync(connection, 10_000);
            Assert.That(_pool.HasPassedWithin(60_000), Is.True, "an upload");

            await end.SendAsync("y"u8.ToArray());
            await connection.Channel.ReceiveAsync();
            Assert.That(_pool.HasPassedWithin(60_000), Is.True, "an answer");
            Assert.That(() => _pool.HasPassedWithin(5), Is.False.After(10_000, 10), "and then no more");

            connection.Channel.Consume(1);
            _pool.Return(connection);
            Assert.That(_pool.HasPassedWithin(60_000), Is.False, "nobody uses it");
        }
    }

    private static async Task SendAsync(UpstreamConnection connection, int bytes)
    {
        connection.Channel.Write(new byte[bytes]);
        await connection.Channel.FlushAsync();
        connection.Channel.ReleaseOutgoing();
    }

    [Test]
    public async Task All_who_wait_for_it_to_accept_again_share_one_look_and_find_a_connection()
    {
        var endpoint = _listener.LocalEndPoint!;
        _listener.Dispose();
        Task first = _pool.WhenAcceptingAsync();
        Assert.That(_pool.WhenAcceptingAsync(), Is.SameAs(first));
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(endpoint);
        Assert.That(first.IsCompleted, Is.False, "bound is not listening");

        _listener.Listen();

        await first.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.That(_pool.TryRent(), Is.Not.Null);
    }

    [Test]
    public async Task When_the_last_who_waited_has_left_nobody_looks_any_more()
    {
        _listener.Dispose();
        Task first = _pool.WhenAcceptingAsync();
        Assert.That(_pool.WhenAcceptingAsync(), Is.SameAs(first));
        _pool.EndWaitForAccept();
        Assert.That(first.IsCompleted, Is.False);
        _pool.EndWaitForAccept();
        await first.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Test]
    public async Task Nobody_waits_for_an_instance_that_has_ended()
    {
        _listener.Dispose();
        Task waiting = _pool.WhenAcceptingAsync();
        _pool.Retire();
        await waiting.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Test]
    [EventLoops]
    public async Task Who_rents_on_a_loop_gets_a_connection_of_that_loop_else_anothers()
    {
        var pool = new UpstreamPool((IPEndPoint)_listener.LocalEndPoint!, maxIdle: 99, idleTimeoutMs: 5000, _clock);
        var loops = Enumerable.Range(0, EventLoop.Count).Select(_ => EventLoop.Next()).OrderBy(each => each.Index).ToArray();
        var made = new List<UpstreamConnection>();
        foreach (var loop in loops)
        {
            made.Add((await OnAsync(loop, () => pool.TryCreate()))!);
            Assert.That(await made[^1].Channel.ConnectAsync(pool.Endpoint), Is.Zero);
        }

        made.ForEach(pool.Return);
        foreach (var loop in loops.Reverse())
        {
            Assert.That(await OnAsync(loop, pool.TryRent), Is.SameAs(made[loop.Index]));
        }

        made.ForEach(pool.Return);
        foreach (var _ in loops)
        {
            Assert.That(await OnAsync(loops[^1], pool.TryRent), Is.Not.Null);
        }

        Assert.That(await OnAsync(loops[^1], pool.TryRent), Is.Null);
        pool.Abort();
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_connection_that_its_backend_closed_while_idle_is_noticed_at_once(bool reset)
    {
        var (connection, end) = await OpenAsync();
        _pool.Return(connection);
        if (reset)
        {
            end.Reset();
        }
        else
        {
            end.EndSending();
        }

        // The gateway closes its side as soon as it hears of it, without anybody renting.
        await WatchClosedAsync(connection, end, reset);
        Assert.That(_pool.TryRent(), Is.Null);
        Assert.That(_pool.OpenCount, Is.Zero);
    }

    [Test]
    public async Task Bytes_that_nobody_asked_for_close_an_idle_connection()
    {
        var (connection, end) = await OpenAsync();
        _pool.Return(connection);
        await end.SendAsync("HTTP/1.1 408 Request Timeout\r\n\r\n");
        Assert.That(await end.ReadToResetOrEndAsync(), Is.Empty);
        Assert.That(_pool.TryRent(), Is.Null);
        Assert.That(_pool.OpenCount, Is.Zero);
        end.Dispose();
    }

    [Test]
    public async Task A_connection_with_bytes_left_over_is_not_kept()
    {
        var (connection, end) = await OpenAsync();
        await end.SendAsync("left over");
        Assert.That(await connection.Channel.ReceiveAsync(), Is.EqualTo(9));
        _pool.Return(connection);
        Assert.That((_pool.TryRent(), _pool.OpenCount), Is.EqualTo(((UpstreamConnection?)null, 0)));
        await end.ReadToResetOrEndAsync();
        end.Dispose();
    }

    [Test]
    public async Task Idle_connections_past_the_number_or_their_time_are_closed_in_order()
    {
        var opened = new List<(UpstreamConnection Connection, WireEnd End)>();
        for (int i = 0; i < 4; i++)
        {
            opened.Add(await OpenAsync());
        }

        opened.ForEach(o => _pool.Return(o.Connection));
        _time.AdvanceMs(RuntimeLimits.ClockTickMs);
        Assert.That(_pool.OpenCount, Is.EqualTo(4), "spared: they were in use a moment ago");
        _time.AdvanceMs(2 * UpstreamLimits.PoolTrimPeriodMs);
        Assert.That(_pool.OpenCount, Is.EqualTo(2));
        Assert.That(await opened[0].End.ReadToEndAsync(), Is.Empty, "the coldest end first, and without a reset");
        Assert.That(await opened[1].End.ReadToEndAsync(), Is.Empty);
        _time.AdvanceMs(6000);
        Assert.That(_pool.OpenCount, Is.Zero);
        Assert.That(await opened[3].End.ReadToEndAsync(), Is.Empty);
        Assert.That(_pool.TryRent(), Is.Null);
        opened.ForEach(o => o.End.Dispose());
    }

    [Test]
    public async Task Retire_closes_idle_ones_now_and_busy_ones_when_they_come_back()
    {
        var (idle, idleEnd) = await OpenAsync();
        var (busy, busyEnd) = await OpenAsync();
        _pool.Return(idle);
        _pool.Retire();
        Assert.That(await idleEnd.ReadToEndAsync(), Is.Empty);
        Assert.That((_pool.OpenCount, busy.Channel.IsClosed), Is.EqualTo((1, false)));
        _pool.Return(busy);
        Assert.That(await busyEnd.ReadToEndAsync(), Is.Empty);
        Assert.That((_pool.OpenCount, _pool.TryRent()), Is.EqualTo((0, (UpstreamConnection?)null)));
        idleEnd.Dispose();
        busyEnd.Dispose();
    }

    [Test]
    public async Task Abort_closes_busy_ones_too_and_those_made_later()
    {
        var (busy, end) = await OpenAsync();
        var pending = busy.Channel.ReceiveAsync();
        _pool.Abort();
        Assert.That(await pending, Is.LessThanOrEqualTo(0));
        await end.ReadToResetOrEndAsync();
        _pool.Discard(busy);
        var late = _pool.TryCreate()!;
        Assert.That(await late.Channel.ConnectAsync(_pool.Endpoint), Is.Negative);
        _pool.Discard(late);
        Assert.That(_pool.OpenCount, Is.Zero);
        end.Dispose();
    }

    [Test]
    public async Task Slots_grow_and_are_used_again()
    {
        for (int round = 0; round < 3; round++)
        {
            var opened = new List<(UpstreamConnection Connection, WireEnd End)>();
            for (int i = 0; i < 20; i++)
            {
                opened.Add(await OpenAsync());
            }

            Assert.That(opened.Select(o => o.Connection.Slot).Distinct().Count(), Is.EqualTo(20));
            Assert.That(opened.Max(o => o.Connection.Slot), Is.LessThan(32));
            opened.ForEach(o => _pool.Discard(o.Connection));
            opened.ForEach(o => o.End.Dispose());
            Assert.That(_pool.OpenCount, Is.Zero);
        }
    }

    [Test]
    public async Task Eight_threads_never_share_a_connection_and_lose_none()
    {
        const int connections = 12;
        var ends = new List<WireEnd>();
        var owners = new int[64];
        for (int i = 0; i < connections; i++)
        {
            var (connection, end) = await OpenAsync();
            ends.Add(end);
            _pool.Return(connection);
        }

        int faults = 0;
        int rented = 0;
        var threads = Enumerable
            .Range(0, 8)
            .Select(number => new Thread(() =>
            {
                for (int i = 0; i < 20_000; i++)
                {
                    if (_pool.TryRent() is not { } connection)
                    {
                        continue;
                    }

                    Interlocked.Increment(ref rented);
                    if (Interlocked.CompareExchange(ref owners[connection.Slot], number + 1, 0) != 0)
                    {
                        Interlocked.Increment(ref faults);
                    }

                    if (Interlocked.CompareExchange(ref owners[connection.Slot], 0, number + 1) != number + 1)
                    {
                        Interlocked.Increment(ref faults);
                    }

                    _pool.Return(connection);
                }
            }))
            .ToList();
        threads.ForEach(thread => thread.Start());
        for (int i = 0; i < 50; i++)
        {
            // Trims take everything off the stack and put it back in between.
            _time.AdvanceMs(RuntimeLimits.ClockTickMs);
        }

        threads.ForEach(thread => thread.Join());
        Assert.That(faults, Is.Zero);

        // How many a trim finds surplus depends on how many are rented at that moment; those within the limit are always kept.
        Assert.That(_pool.OpenCount, Is.InRange(2, connections));
        Assert.That(rented, Is.GreaterThan(1000));
        int left = 0;
        while (_pool.TryRent() is { } connection)
        {
            left++;
            _pool.Discard(connection);
        }

        Assert.That((left >= 2, _pool.OpenCount), Is.EqualTo((true, 0)), "every open connection was on the stack");
        ends.ForEach(end => end.Dispose());
    }

    /// <summary>The loop's thread is at work, so that it cannot have heard of them: the kernel has to be asked.</summary>
    [TestCase("late", 1)]
    [TestCase("", 0)]
    [EventLoops]
    public async Task What_came_a_moment_ago_keeps_a_connection_from_being_reused(string unsolicited, int counted)
    {
        int told = 0,
            firsts = 0;
        var pool = new UpstreamPool((IPEndPoint)_listener.LocalEndPoint!, maxIdle: 99, idleTimeoutMs: 5000, _clock)
        {
            OnUnsolicited = first =>
            {
                told++;
                firsts += first ? 1 : 0;
            },
        };
        var loop = EventLoop.Next();
        for (int i = 1; i <= 3; i++)
        {
            var connection = (await OnAsync(loop, () => pool.TryCreate()))!;
            Assert.That(await connection.Channel.ConnectAsync(pool.Endpoint), Is.GreaterThanOrEqualTo(0));
            var end = new WireEnd(await _listener.AcceptAsync());
            pool.Return(connection);
            var rented = await OnAsync(loop, () =>
            {
                end.Socket.Send(Encoding.ASCII.GetBytes(unsolicited));
                end.EndSending();
                Assert.That(SpinWait.SpinUntil(connection.Channel.IsReadable, TimeSpan.FromSeconds(30)));
                return pool.TryRent();
            });
            Assert.That(rented, Is.Null);
            Assert.That((told, firsts, pool.OpenCount), Is.EqualTo((i * counted, counted, 0)));
            end.Dispose();
        }

        pool.Abort();
    }

    private static Task<UpstreamConnection?> OnAsync(EventLoop loop, Func<UpstreamConnection?> call)
    {
        var result = new TaskCompletionSource<UpstreamConnection?>(TaskCreationOptions.RunContinuationsAsynchronously);
        loop.Post(
            new LoopCall(() =>
            {
                try
                {
                    result.SetResult(call());
                }
                catch (Exception e)
                {
                    result.SetException(e);
                }
            })
        );
        return result.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    private async Task<(UpstreamConnection Connection, WireEnd End)> OpenAsync()
    {
        var connection = _pool.TryCreate()!;
        Assert.That(await connection.Channel.ConnectAsync(_pool.Endpoint), Is.GreaterThanOrEqualTo(0));
        return (connection, new WireEnd(await _listener.AcceptAsync()));
    }

    private static async Task WatchClosedAsync(UpstreamConnection connection, WireEnd end, bool reset)
    {
        if (!reset)
        {
            Assert.That(await end.ReadToEndAsync(), Is.Empty);
            end.Dispose();
        }

        Assert.That(SpinWait.SpinUntil(() => connection.Channel.IsClosed, TimeSpan.FromSeconds(30)));
    }

    private sealed class LoopCall(Action call) : IThreadPoolWorkItem
    {
        public void Execute() => call();
    }
}
