using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Spawngate.Clients;
using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http2;
using Spawngate.Runtime;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>
/// Clients that take their answers hardly at all, or not at all, and answers that stand still: all are cut, and the log says who and why.
/// </summary>
[Platform("Linux")]
internal sealed class SlowClientTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
    private const string TooSlow = "Client cut: it took less than 6000 bytes in 60 s";
    private const int BodyBytes = 100_000_000;

    /// <summary>The least buffer that the kernel gives: what is taken shows at once, and little is taken without being read.</summary>
    private const int LeastBuffer = 1;

    private const string Line = "method=\"GET\" host=\"app.example.com\" path=\"/\"";
    private const int StepMs = 10_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Test]
    public async Task One_that_takes_hardly_anything_is_cut()
    {
        await using var stage = await ForwardingStage.StartAsync(static config => config with { RequestTimeoutSecs = 600 });
        var client = await stage.ConnectAsync(receiveBuffer: LeastBuffer);
        var sending = await AnswerWithoutEndAsync(stage, client);
        byte[] little = new byte[300];
        for (int ms = 0; ms <= 2 * ForwardingLimits.RateWindowMs && !client.Served.IsCompleted; ms += StepMs)
        {
            try
            {
                await client.Socket.ReceiveAsync(little);
            }
            catch (SocketException)
            {
                break;
            }

            stage.Time.AdvanceMs(StepMs);
        }

        await client.Served.WaitAsync(Patience);
        await sending;
        Assert.That(Cuts(stage.Log), Is.EqualTo(new[] { $"hostname=\"app.example.com\" client=\"192.0.2.7\" {Line} {TooSlow}" }));
    }

    /// <summary>The same pace as above, but of a client that takes more each time.</summary>
    [Test]
    public async Task One_that_takes_enough_is_not()
    {
        await using var stage = await ForwardingStage.StartAsync(static config => config with { RequestTimeoutSecs = 600 });
        var client = await stage.ConnectAsync(receiveBuffer: LeastBuffer);
        var sending = await AnswerWithoutEndAsync(stage, client);
        byte[] enough = new byte[20_000];
        for (int ms = 0; ms <= 3 * ForwardingLimits.RateWindowMs; ms += StepMs)
        {
            for (int read = 0; read < enough.Length; )
            {
                int count = await client.Socket.ReceiveAsync(enough.AsMemory(read)).AsTask().WaitAsync(Patience);
                Assert.That(count, Is.Positive);
                read += count;
            }

            stage.Time.AdvanceMs(StepMs);
        }

        Assert.That(client.Served.IsCompleted, Is.False);
        Assert.That(Cuts(stage.Log), Is.Empty);
        client.Reset();
        await client.Served.WaitAsync(Patience);
        await sending;
    }

    [Test]
    public async Task One_that_takes_nothing_is_cut_when_its_time_is_up()
    {
        await using var stage = await ForwardingStage.StartAsync(static config => config with { RequestTimeoutSecs = 3 });
        var client = await stage.ConnectAsync(receiveBuffer: LeastBuffer);
        var sending = await AnswerWithoutEndAsync(stage, client);
        await stage.AdvanceUntilAsync(client.Served);
        await sending;
        Assert.That(
            Cuts(stage.Log),
            Is.EqualTo(new[] { $"hostname=\"app.example.com\" client=\"192.0.2.7\" {Line} Client cut: it takes nothing any more" })
        );
    }

    [Test]
    public async Task A_backend_that_stops_in_the_middle_of_its_answer_is_named()
    {
        await using var stage = await ForwardingStage.StartAsync(static config => config with { RequestTimeoutSecs = 3 });
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        await backend.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
        await client.ReadHeadAsync();
        await client.ReadTextAsync("hello".Length);
        await stage.DeadlineAsync(client, DeadlineKind.Progress);
        stage.Time.AdvanceMs(3500);
        await client.ReadToResetOrEndAsync();
        await stage.EndedAsync(client);
        Assert.That(
            Cuts(stage.Log),
            Is.EqualTo(
                new[] { $"hostname=\"app.example.com\" client=\"192.0.2.7\" {Line} Response cut: nothing more comes from the backend" }
            )
        );
    }

    /// <summary>A window that opens by a byte now and then: each is progress.</summary>
    [TestCase(10, true)]
    [TestCase(2000, false)]
    public async Task Over_HTTP2_a_stream_whose_window_hardly_opens_is_reset(int bytes, bool isCut)
    {
        using var stage = await Http2Stage.StartAsync(trusted: false);
        await stage.Client.SendAsync((byte[])[.. Http2Stage.Request(0), 0, 0, 4, 8, 0, 0, 0, 0, 0, 0x3f, 0, 0, 0]);
        using var backend = await stage.Backend.AcceptAsync().WaitAsync(Patience);
        var sending = SendWithoutEndAsync(backend);
        long received = 0;
        var receiving = ReceiveAllAsync(stage.Client, count => Interlocked.Add(ref received, count));
        await UntilAsync(() => Interlocked.Read(ref received) > PeerSettings.DefaultWindow);
        byte[] window = [0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, (byte)(bytes >> 8), (byte)bytes];
        for (int ms = 0; ms <= 2 * ForwardingLimits.RateWindowMs && stage.Connection.OpenStreams > 0; ms += RuntimeLimits.ClockTickMs)
        {
            if (ms % StepMs == 0)
            {
                long before = Interlocked.Read(ref received);
                await stage.Client.SendAsync(window);
                await UntilAsync(() => Interlocked.Read(ref received) >= before + bytes);
            }

            stage.Tick();
        }

        Assert.That(
            Cuts(stage.Log),
            isCut ? Is.EqualTo(new[] { $"hostname=\"app.example.com\" client=\"127.0.0.1\" {Line} {TooSlow}" }) : Is.Empty
        );
        Assert.That(stage.Serving.IsCompleted, Is.False, "the connection goes on");
        stage.Client.Dispose();
        await receiving;
        await sending;
    }

    [Test]
    public async Task Over_HTTP2_a_connection_that_takes_nothing_is_cut()
    {
        using var stage = await Http2Stage.StartAsync(trusted: false, receiveBuffer: LeastBuffer);
        await stage.Client.SendAsync(
            (byte[])[.. Http2Stage.Request(0), 0, 0, 4, 8, 0, 0, 0, 0, 0, 0x3f, 0, 0, 0, 0, 0, 4, 8, 0, 0, 0, 0, 1, 0x3f, 0, 0, 0]
        );
        using var backend = await stage.Backend.AcceptAsync().WaitAsync(Patience);
        var sending = SendWithoutEndAsync(backend);
        await FullAsync(backend, () => stage.Connection.IsSendWaiting, stage.Loop);
        await UntilAsync(() =>
        {
            stage.Tick();
            return stage.Serving.IsCompleted;
        });

        await sending;

        // The stream's own time may be up in the same moment.
        Assert.That(
            Cuts(stage.Log),
            Is.Not.Empty.And.All.Contain("client=\"127.0.0.1\"").And.All.Contain("Client cut: it takes nothing any more")
        );
    }

    /// <summary>The client asks, the backend sends until it is cut, and everything on the way is full.</summary>
    private static async Task<Task> AnswerWithoutEndAsync(ForwardingStage stage, WireEnd client)
    {
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        var sending = SendWithoutEndAsync(backend.Socket);
        await client.PeekAsync();
        await FullAsync(backend.Socket, () => client.Gateway!.WaitsToSend, client.Loop);
        return sending;
    }

    /// <summary>Waits until neither the backend nor the gateway can send, and not because the gateway had no turn yet.</summary>
    private static async Task FullAsync(Socket backend, Func<bool> gatewayWaits, int loop)
    {
        for (int full = 0; full < 3; full = backend.Poll(0, SelectMode.SelectWrite) || !gatewayWaits() ? 0 : full + 1)
        {
            await TurnAsync(loop);
        }
    }

    private static async Task SendWithoutEndAsync(Socket backend)
    {
        byte[] body = new byte[100_000];
        try
        {
            await backend.SendAsync(System.Text.Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {BodyBytes}\r\n\r\n"));
            for (int sent = 0; sent < BodyBytes; sent += body.Length)
            {
                await backend.SendAsync(body);
            }
        }
        catch (SocketException)
        {
            // Cut, with the client.
        }
    }

    private static async Task TurnAsync(int loop)
    {
        var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        EventLoop.PostTurn(loop, turn.SetResult);
        await turn.Task.WaitAsync(Patience);
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!holds())
        {
            patience.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private static async Task ReceiveAllAsync(Socket client, Action<int> received)
    {
        byte[] buffer = new byte[65_536];
        try
        {
            int count;
            while ((count = await client.ReceiveAsync(buffer)) > 0)
            {
                received(count);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    /// <summary>Lines about cuts that everybody sees, without the ids of requests.</summary>
    private static List<string> Cuts(RecordingLog log) =>
        [
            .. log
                .Records.Where(static record => record.Level > LogLevel.Debug)
                .Select(static record => record.Text)
                .Where(static text => text.Contains(" cut", StringComparison.Ordinal))
                .Select(static text => System.Text.RegularExpressions.Regex.Replace(text, "request_id=\"[0-9a-f]+\" ", "")),
        ];
}
