using System.Text;
using Spawngate.Clients;
using Spawngate.Clients.Shared;
using Spawngate.Config;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Deadlines, half-closes and the drain of client connections, in time that only the test moves.</summary>
internal sealed class ClientDeadlineTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    [Test]
    public async Task A_backend_that_does_not_answer_in_time_is_504_and_the_connection_ends()
    {
        await using var stage = await ForwardingStage.StartAsync(config => config with { RequestTimeoutSecs = 3 });
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        stage.Time.AdvanceMs(2900);
        Assert.That(client.Socket.Available, Is.Zero);
        stage.Time.AdvanceMs(400);
        var response = await client.ReadAsync();
        Assert.That((response.Status, response["X-Proxy-Error"], response["Connection"]), Is.EqualTo((504, "REQUEST_TIMEOUT", "close")));
        Assert.That(await backend.ReadToResetOrEndAsync(), Is.Empty);
        client.EndSending();
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task A_client_that_stops_in_its_body_is_408()
    {
        await using var stage = await ForwardingStage.StartAsync(config => config with { RequestTimeoutSecs = 3 });
        var client = await stage.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 10\r\n\r\nhello");
        var backend = await stage.AcceptAsync();
        Assert.That(await backend.ReadHeadAsync() + await backend.ReadTextAsync(5), Does.EndWith("hello"));
        await stage.DeadlineAsync(client, DeadlineKind.Response, forBody: true);
        stage.Time.AdvanceMs(3500);
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(408));
        client.EndSending();
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task A_slow_head_is_408()
    {
        await using var stage = await ForwardingStage.StartAsync(
            server: new ServerConfig { HeaderTimeoutSecs = 5, KeepAliveTimeoutSecs = 600 }
        );
        var client = await stage.ConnectAsync();
        await RoundTripAsync(client, await FirstAsync(stage, client));
        await client.SendAsync("GET / HTTP/1.1\r\nHos");
        await stage.DeadlineAsync(client, DeadlineKind.Head);
        stage.Time.AdvanceMs(4900);
        Assert.That(client.Socket.Available, Is.Zero);
        stage.Time.AdvanceMs(300);
        var response = await client.ReadAsync();
        Assert.That((response.Status, response["X-Proxy-Error"], response["Connection"]), Is.EqualTo((408, "CLIENT_TIMEOUT", "close")));
        client.EndSending();
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task An_idle_connection_ends_silently_even_behind_an_empty_line()
    {
        await using var stage = await ForwardingStage.StartAsync(
            server: new ServerConfig { HeaderTimeoutSecs = 5, KeepAliveTimeoutSecs = 20 }
        );
        var fresh = await stage.ConnectAsync();
        var client = await stage.ConnectAsync();
        var backend = await FirstAsync(stage, client);
        await client.SendAsync("\r\n");
        await stage.DeadlineAsync(fresh, DeadlineKind.KeepAlive);
        await stage.DeadlineAsync(client, DeadlineKind.KeepAlive);
        stage.Time.AdvanceMs(5500);
        Assert.That(await fresh.ReadToEndAsync(), Is.Empty, "a connection that never sent anything ends with the head timeout");
        await RoundTripAsync(client, backend);
        await client.SendAsync("\r\n");
        await stage.DeadlineAsync(client, DeadlineKind.KeepAlive);
        await stage.AdvanceUntilAsync(client.Served);
        Assert.That(await client.ReadToResetOrEndAsync(), Is.Empty);
        Assert.That(stage.InFlight, Is.Zero);
    }

    [Test]
    public async Task A_response_may_take_long_as_long_as_it_moves()
    {
        await using var stage = await ForwardingStage.StartAsync(config => config with { RequestTimeoutSecs = 3 });
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
        await client.ReadHeadAsync();
        for (int i = 0; i < 5; i++)
        {
            stage.Time.AdvanceMs(2900);
            await backend.SendAsync("x");
            Assert.That(await client.ReadTextAsync(1), Is.EqualTo("x"));
        }

        var cut = client.ReadToResetAsync();
        await stage.AdvanceUntilAsync(cut);
        await cut;
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task A_client_that_ended_only_its_side_still_gets_its_answer()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        client.EndSending();
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
        await client.ReadHeadAsync();
        for (int i = 0; i < 10; i++)
        {
            stage.Time.AdvanceMs(ConnectionLimits.HalfCloseMs / 2);
            await backend.SendAsync("x");
            Assert.That(await client.ReadTextAsync(1), Is.EqualTo("x"));
        }

        Assert.That(await client.ReadToEndAsync(), Is.Empty);
        await stage.EndedAsync(client);
    }

    [TestCase("1.1", "Content-Length: 10\r\n", 0)]
    [TestCase("1.1", "Transfer-Encoding: chunked\r\n", ConnectionLimits.HalfCloseProbesMax)]
    [TestCase("1.1", "", ConnectionLimits.HalfCloseProbesMax)]
    [TestCase("1.0", "", 0)]
    public async Task A_client_that_ended_only_its_side_gets_all_of_an_answer_however_long_it_pauses(
        string version,
        string framing,
        int zeros
    )
    {
        await using var stage = await ForwardingStage.StartAsync(config => config with { RequestTimeoutSecs = 0 });
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get.Replace("HTTP/1.1", "HTTP/" + version, StringComparison.Ordinal));
        client.EndSending();
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        bool chunked = framing.StartsWith('T');
        await backend.SendAsync($"HTTP/1.1 200 OK\r\n{framing}\r\n{(chunked ? "5\r\n01234\r\n" : "01234")}");
        string begun = await client.ReadHeadAsync() + await client.ReadTextAsync(zeros > 0 ? 10 : 5);
        for (int i = 0; i < 1000; i++)
        {
            stage.Time.AdvanceMs(ConnectionLimits.HalfCloseMs);
        }

        Assert.That(client.Socket.Available, Is.EqualTo(zeros), "zeros in front of the size of the next chunk");
        await backend.SendAsync(chunked ? "5\r\n56789\r\n0\r\n\r\n" : "56789");
        if (framing.Length == 0)
        {
            backend.EndSending();
        }

        string all = begun + await client.ReadToEndAsync();
        if (zeros > 0)
        {
            string ahead = new string('0', zeros) + "5\r\n56789";
            Assert.That(all, Does.Contain(ahead));
            all = all.Replace(ahead, ahead[zeros..], StringComparison.Ordinal); // A reader that is stricter than the RFC follows.
        }

        Assert.That(StrictHttp.TryRead(Encoding.Latin1.GetBytes(all), true, false, out _)!.Text, Is.EqualTo("0123456789"));
        await stage.EndedAsync(client);
    }

    /// <summary>The zero that is sent ahead is answered by a reset.</summary>
    [Test]
    [Platform("Linux")]
    public async Task A_client_that_left_between_two_chunks_does_not_hold_a_silent_backend([Values] bool chunked)
    {
        await using var stage = await ForwardingStage.StartAsync(config => config with { RequestTimeoutSecs = 0 });
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync($"HTTP/1.1 200 OK\r\n{(chunked ? "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n" : "\r\n01234")}");
        await client.ReadHeadAsync();
        await client.ReadTextAsync(10);
        client.Dispose();
        await stage.AdvanceUntilAsync(backend.ReadToResetOrEndAsync());
        await stage.EndedAsync(client);
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200)]
    [TestCase("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n", 103)]
    [TestCase("nonsense\r\n\r\n", 502)]
    public async Task A_client_that_ended_only_its_side_waits_for_its_answer_as_long_as_any_other(string answer, int status)
    {
        await using var stage = await ForwardingStage.StartAsync(config => config with { RequestTimeoutSecs = 0 });
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        client.EndSending();
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();

        // It is asked, by the first byte of its answer, whether it is still there.
        await stage.AdvanceUntilAsync(client.PeekAsync());
        Assert.That(client.Socket.Available, Is.EqualTo(1));
        for (int i = 0; i < 100; i++)
        {
            stage.Time.AdvanceMs(ConnectionLimits.HalfCloseMs);
        }

        await backend.SendAsync(answer);
        var response = await client.ReadAsync();
        Assert.That(response.Status, Is.EqualTo(status));
        if (status == 103)
        {
            // Between an interim and the final response it is asked again.
            await stage.AdvanceUntilAsync(client.PeekAsync());
            await backend.SendAsync(Ok);
            Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));
        }

        Assert.That(await client.ReadToEndAsync(), Is.Empty);
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task A_client_that_left_in_order_does_not_hold_a_silent_backend()
    {
        // Without a request timeout, so that nothing else can end it.
        await using var stage = await ForwardingStage.StartAsync(config => config with { RequestTimeoutSecs = 0 });
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        client.Dispose();
        await stage.AdvanceUntilAsync(backend.ReadToResetOrEndAsync());
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task A_client_that_waits_itself_for_a_100_which_never_comes_is_not_to_blame()
    {
        await using var stage = await ForwardingStage.StartAsync(config => config with { RequestTimeoutSecs = 3 });
        foreach (bool told in (bool[])[false, true])
        {
            var client = await stage.ConnectAsync();
            await client.SendAsync("POST / HTTP/1.1\r\nHost: app.example.com\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n");
            var backend = await stage.AcceptAsync();
            await backend.ReadHeadAsync();
            if (told)
            {
                await backend.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
                Assert.That((await client.ReadAsync()).Status, Is.EqualTo(100));
                await stage.DeadlineAsync(client, DeadlineKind.Response, forBody: true);
            }

            stage.Time.AdvanceMs(3500);
            Assert.That((await client.ReadAsync()).Status, Is.EqualTo(told ? 408 : 504));
            client.EndSending();
            await stage.EndedAsync(client);
        }
    }

    [Test]
    public async Task A_drain_closes_the_connection_with_its_response_and_idle_ones_after_a_moment()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get + Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        var idle = await stage.ConnectAsync();
        await FirstAsync(stage, idle);
        var drained = stage.Connections.DrainAsync();
        await backend.SendAsync(Ok);
        Assert.That((await client.ReadAsync())["Connection"], Is.EqualTo("close"));
        Assert.That(await client.ReadToEndAsync(), Is.Empty, "and no reset that could destroy the answer, though another request was sent");
        client.EndSending();

        await stage.DeadlineAsync(idle, DeadlineKind.KeepAlive);
        stage.Time.AdvanceMs(100);
        Assert.That((idle.Socket.Available, idle.Served.IsCompleted), Is.EqualTo((0, false)));
        stage.Time.AdvanceMs(ConnectionLimits.DrainIdleMs);
        Assert.That(await idle.ReadToEndAsync(), Is.Empty);
        await drained.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Test]
    public async Task A_request_on_its_way_when_the_idle_connection_is_closed_is_served_within_its_own_deadline([Range(1, 10)] int _)
    {
        await using var stage = await ForwardingStage.StartAsync(config => config with { RequestTimeoutSecs = 3 });
        var client = await stage.ConnectAsync();
        var backend = await FirstAsync(stage, client);
        await stage.DeadlineAsync(client, DeadlineKind.KeepAlive);

        // The request and the end of the idle time meet; either it was in time, or the connection ends in order.
        var closing = Task.Run(() => stage.Time.AdvanceMs(75_200));
        await client.SendAsync(Get);
        await closing;
        var received = backend.ReadToResetOrEndAsync();
        var ended = client.ReadToResetOrEndAsync();
        await stage.AdvanceUntilAsync(Task.WhenAll(ended, received), 1000);
        await received;

        // Nothing holds it for ever. The fake time runs on while the answer is being sent, so its own deadline may cut it.
        Assert.That(await ended, Is.Empty.Or.StartsWith("HTTP/1.1 504"));
        client.Dispose();
        await stage.EndedAsync(client);
    }

    [TestCase(DeadlineKind.KeepAlive)]
    [TestCase(DeadlineKind.Head)]
    [TestCase(DeadlineKind.Response)]
    [TestCase(DeadlineKind.Progress)]
    [TestCase(DeadlineKind.Linger)]
    public void A_deadline_fires_once_when_due_and_stays_fired(DeadlineKind kind)
    {
        var word = default(DeadlineWord);
        Assert.That((word.Kind, word.HasFired, word.TryFire(long.MaxValue, out _)), Is.EqualTo((DeadlineKind.None, false, false)));
        Assert.That(word.Set(kind, 100), Is.True);
        Assert.That((word.Kind, word.TryFire(99, out _), word.HasFired), Is.EqualTo((kind, false, false)));
        Assert.That((word.TryFire(100, out var fired), fired), Is.EqualTo((true, kind)));
        Assert.That((word.HasFired, word.Kind, word.TryFire(101, out _)), Is.EqualTo((true, DeadlineKind.None, false)));
        Assert.That(word.Set(DeadlineKind.Response, 200), Is.False);
        Assert.That((word.HasFired, word.TryFire(300, out _)), Is.EqualTo((true, false)));
        word.Restart(DeadlineKind.Linger, 300);
        Assert.That((word.HasFired, word.Kind, word.TryFire(300, out _)), Is.EqualTo((false, DeadlineKind.Linger, true)));
    }

    [Test]
    public void Only_the_wanted_kind_is_fired_early_and_none_never()
    {
        var word = default(DeadlineWord);
        Assert.That(word.TryFireNow(DeadlineKind.KeepAlive), Is.False);
        word.Set(DeadlineKind.Response, 100);
        Assert.That(word.TryFireNow(DeadlineKind.KeepAlive), Is.False);
        word.Set(DeadlineKind.KeepAlive, long.MaxValue >> 3);
        Assert.That((word.Kind, word.TryFire(1L << 59, out _)), Is.EqualTo((DeadlineKind.KeepAlive, false)), "never");
        Assert.That((word.TryFireNow(DeadlineKind.KeepAlive), word.TryFireNow(DeadlineKind.KeepAlive)), Is.EqualTo((true, false)));
        word.Restart(DeadlineKind.Progress, 5);
        word.Set(DeadlineKind.None, 0);
        Assert.That((word.Kind, word.HasFired, word.TryFire(long.MaxValue, out _)), Is.EqualTo((DeadlineKind.None, false, false)));
    }

    [Test]
    public void Setting_and_firing_have_one_winner()
    {
        for (int i = 0; i < 2000; i++)
        {
            var word = default(DeadlineWord);
            word.Set(DeadlineKind.KeepAlive, 1);
            bool set = false;
            int fired = 0;
            Parallel.Invoke(() => set = word.Set(DeadlineKind.None, 0), () => fired += word.TryFire(1, out _) ? 1 : 0);
            Assert.That((set ? 1 : 0) + fired, Is.EqualTo(1));
        }
    }

    /// <summary>
    /// The answer is met by its deadline at every possible point, while the client has no window for its body. Whoever wins, a later
    /// deadline must end the stream.
    /// </summary>
    [Test]
    public async Task An_answer_in_the_moment_of_its_deadline_leaves_no_stream_without_one()
    {
        await using var stage = await ForwardingStage.StartAsync(
            config => config with { RequestTimeoutSecs = 3 },
            new ServerConfig { KeepAliveTimeoutSecs = 1_000_000 }
        );
        var client = await stage.ConnectAsync();
        await client.SendAsync([.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
        await ReadFrameAsync(client);
        await client.SendAsync([0, 0, 0, 4, 1, 0, 0, 0, 0]);
        byte[] get = [0x82, 0x86, 0x84, 0x41, (byte)ForwardingStage.Host.Length, .. Encoding.ASCII.GetBytes(ForwardingStage.Host)];
        for (int round = 0; round < 400; round++)
        {
            int stream = 1 + (2 * round);
            await client.SendAsync([0, 0, (byte)get.Length, 1, 5, 0, 0, (byte)(stream >> 8), (byte)stream, .. get]);
            var backend = await stage.AcceptAsync();
            await backend.ReadAsync();
            stage.Time.AdvanceMs(2800);
            var answered = Task.Run(() => backend.SendAsync(Ok));
            Thread.SpinWait(round * 10);
            stage.Time.AdvanceMs(300);
            await answered;
            var reset = ReadResetAsync(client, stream);
            await stage.AdvanceUntilAsync(reset);
            await reset;
            backend.Dispose();
        }
    }

    private static async Task ReadResetAsync(WireEnd client, int stream)
    {
        byte[] head;
        do
        {
            head = await ReadFrameAsync(client);
        } while (head[3] != 3 || ((head[7] << 8) | head[8]) != stream);
    }

    /// <summary>Reads a frame of HTTP/2 and returns its header (RFC 9113 section 4.1).</summary>
    private static async Task<byte[]> ReadFrameAsync(WireEnd client)
    {
        byte[] head = Encoding.Latin1.GetBytes(await client.ReadTextAsync(9));
        await client.ReadTextAsync((head[1] << 8) | head[2]);
        return head;
    }

    private static async Task<WireEnd> FirstAsync(ForwardingStage stage, WireEnd client)
    {
        await client.SendAsync(
            Get.Replace("GET", "POST", StringComparison.Ordinal)
                .Replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", StringComparison.Ordinal)
        );
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync(Ok);
        await client.ReadAsync();
        return backend;
    }

    private static async Task RoundTripAsync(WireEnd client, WireEnd backend)
    {
        await client.SendAsync(Get);
        await backend.ReadAsync();
        await backend.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
    }
}
