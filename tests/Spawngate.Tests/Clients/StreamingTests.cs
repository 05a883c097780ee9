using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Spawngate.Clients.Shared;
using Spawngate.Config;
using Spawngate.Runtime;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Responses that stream, and pause: over HTTP/1 and HTTP/2, in time that only the test moves.</summary>
internal sealed class StreamingTests
{
    private const string Get = "GET /events?secret=1 HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
    private const string Events = "Content-Type: text/event-stream; charset=utf-8\r\n";
    private const string Silent = "Response cut: the backend sent nothing for longer than stream_timeout_secs";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [TestCase("Transfer-Encoding: chunked\r\n", "5\r\nfirst\r\n", "6\r\nsecond\r\n0\r\n\r\n")]
    [TestCase(Events + "Transfer-Encoding: chunked\r\n", "5\r\nfirst\r\n", "6\r\nsecond\r\n0\r\n\r\n")]
    [TestCase("", "first", "second")]
    [TestCase(Events + "Content-Length: 11\r\n", "first", "second")]
    public async Task A_stream_may_be_quiet_for_any_time_while_its_client_is_there(string fields, string first, string second)
    {
        await using var stage = await ForwardingStage.StartAsync(static config => config with { RequestTimeoutSecs = 1 });
        var (client, backend) = await BeginAsync(stage, fields, first);
        await QuietAsync(stage, client, 100_000);
        await backend.SendAsync(second);
        backend.EndSending();
        await client.ReadTextAsync("second".Length);
        Assert.That(SpinWait.SpinUntil(() => stage.InFlight == 0, Patience));
        client.Dispose();
        await stage.AdvanceUntilAsync(client.Served);
        Assert.That(stage.Log.Records.Select(static record => record.Text), Has.None.Contain(" cut"));
    }

    [Test]
    public async Task A_stream_is_cut_after_its_own_time_and_the_log_says_so()
    {
        await using var stage = await ForwardingStage.StartAsync(Limited);
        var (client, backend) = await BeginAsync(stage, "Transfer-Encoding: chunked\r\n", "5\r\nfirst\r\n");
        await QuietAsync(stage, client, 4500);
        await backend.SendAsync("1\r\n.\r\n");
        await client.ReadTextAsync("1\r\n.\r\n".Length);
        await QuietAsync(stage, client, 4500);
        await stage.AdvanceUntilAsync(client.ReadToResetAsync());
        await stage.EndedAsync(client);
        await backend.ReadToResetOrEndAsync();
        Assert.That(
            Cuts(stage.Log),
            Has.Count.EqualTo(1).And.All.EndsWith($"method=\"GET\" host=\"app.example.com\" path=\"/events\" {Silent}")
        );
    }

    [Test]
    public async Task A_length_is_no_stream()
    {
        await using var stage = await ForwardingStage.StartAsync(static config => config with { RequestTimeoutSecs = 3 });
        var (client, _) = await BeginAsync(stage, "Content-Length: 100\r\n", "first");
        await stage.DeadlineAsync(client, DeadlineKind.Progress);
        stage.Time.AdvanceMs(3500);
        await client.ReadToResetAsync();
        await stage.EndedAsync(client);
        Assert.That(Cuts(stage.Log), Has.Count.EqualTo(1).And.All.EndsWith("Response cut: nothing more comes from the backend"));
    }

    [Test]
    public async Task A_client_that_leaves_a_quiet_stream_frees_the_backend([Values] bool reset)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await BeginAsync(stage, Events + "Transfer-Encoding: chunked\r\n", "5\r\nfirst\r\n");
        await QuietAsync(stage, client, 100_000);
        if (reset)
        {
            client.Reset();
        }
        else
        {
            client.Dispose();
        }

        await stage.AdvanceUntilAsync(backend.ReadToResetOrEndAsync());
        await stage.EndedAsync(client);
        Assert.That(
            stage.Log.Records.Where(static record => record.Text.Contains(" cut", StringComparison.Ordinal)),
            Has.Exactly(1)
                .Items.And.All.Matches<(LogLevel Level, string Text)>(static record =>
                    record.Level == LogLevel.Debug
                    && record.Text.EndsWith("path=\"/events\" Response cut: the client left", StringComparison.Ordinal)
                )
        );
    }

    [Test]
    public async Task A_client_that_takes_nothing_of_a_stream_is_cut_as_of_any_other_answer()
    {
        await using var stage = await ForwardingStage.StartAsync(static config => config with { RequestTimeoutSecs = 3 });
        var client = await stage.ConnectAsync(receiveBuffer: 1);
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        var sending = SendWithoutEndAsync(backend.Socket);

        // Before the time moves, the client's connection must be full: waiting to send, look after look.
        for (int looks = 0; looks < 1000; looks = client.Gateway!.WaitsToSend ? looks + 1 : 0)
        {
            Thread.SpinWait(1000);
            await Task.Yield();
        }

        await stage.AdvanceUntilAsync(client.Served);
        await sending;
        Assert.That(Cuts(stage.Log), Has.Count.EqualTo(1).And.All.EndsWith("Client cut: it takes nothing any more"));
    }

    [TestCase(0)]
    [TestCase(5)]
    public async Task Over_HTTP2_it_is_the_same(int limitSecs)
    {
        using var stage = await Http2Stage.StartAsync(trusted: false, configure: config =>
            config with
            {
                RequestTimeoutSecs = 1,
                StreamTimeoutSecs = limitSecs,
            }
        );
        await stage.Client.SendAsync(Http2Stage.Request(0));
        using var backend = await stage.Backend.AcceptAsync().WaitAsync(Patience);
        await ReadHeadAsync(backend);
        await backend.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"u8.ToArray());
        await ReceiveUntilAsync(stage.Client, "first");
        for (int ms = 0; ms < (limitSecs == 0 ? 100_000 : 4500); ms += RuntimeLimits.ClockTickMs)
        {
            stage.Tick();
        }

        Assert.That((stage.Connection.OpenStreams, Cuts(stage.Log).Count), Is.EqualTo((1, 0)));
        if (limitSecs == 0)
        {
            await backend.SendAsync("6\r\nsecond\r\n0\r\n\r\n"u8.ToArray());
            await ReceiveUntilAsync(stage.Client, "second");
        }
        else
        {
            Assert.That(
                SpinWait.SpinUntil(
                    () =>
                    {
                        stage.Tick();
                        return stage.Connection.OpenStreams == 0;
                    },
                    Patience
                )
            );
            Assert.That(Cuts(stage.Log), Has.Count.EqualTo(1).And.All.EndsWith($"host=\"app.example.com\" path=\"/\" {Silent}"));
        }

        Assert.That(stage.Serving.IsCompleted, Is.False, "the connection goes on");
    }

    /// <summary>
    /// A server that leaves Nagle's algorithm on, and writes head and body apart, is not kept waiting for an acknowledgement: 40 ms.
    /// </summary>
    [Test]
    [Platform("Linux")]
    public async Task A_head_and_a_body_that_are_written_apart_come_without_delay()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        WireEnd? backend = null;
        var times = new List<TimeSpan>();

        // The first sixteen of a connection are acknowledged at once anyway.
        for (int i = 0; i < 61; i++)
        {
            long begun = Stopwatch.GetTimestamp();
            await client.SendAsync(Get);
            backend ??= await stage.AcceptAsync();
            await backend.ReadHeadAsync();
            backend.Socket.NoDelay = false;
            await backend.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
            await backend.SendAsync("first");
            await client.ReadAsync();
            times.Add(Stopwatch.GetElapsedTime(begun));
        }

        times.Sort();
        Assert.That(times[times.Count / 2], Is.LessThan(TimeSpan.FromMilliseconds(30)));
    }

    private static BackendConfig Limited(BackendConfig config) => config with { RequestTimeoutSecs = 1, StreamTimeoutSecs = 5 };

    private static async Task<(WireEnd Client, WireEnd Backend)> BeginAsync(ForwardingStage stage, string fields, string first)
    {
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        await backend.SendAsync($"HTTP/1.1 200 OK\r\n{fields}\r\n{first}");
        await client.ReadHeadAsync();
        await client.ReadTextAsync(fields.Contains("Length", StringComparison.Ordinal) ? 5 : "5\r\nfirst\r\n".Length);
        await stage.DeadlineAsync(client, DeadlineKind.Progress);
        return (client, backend);
    }

    /// <summary>Time passes, and nothing is sent or ended.</summary>
    private static async Task QuietAsync(ForwardingStage stage, WireEnd client, int ms)
    {
        for (int passed = 0; passed < ms; passed += RuntimeLimits.ClockTickMs)
        {
            stage.Time.AdvanceMs(RuntimeLimits.ClockTickMs);
            await Task.Yield();
        }

        Assert.That((client.Served.IsCompleted, stage.InFlight, client.Socket.Available), Is.EqualTo((false, 1, 0)));
    }

    private static async Task SendWithoutEndAsync(Socket backend)
    {
        try
        {
            await backend.SendAsync("HTTP/1.1 200 OK\r\n\r\n"u8.ToArray());
            while (true)
            {
                await backend.SendAsync(new byte[100_000]);
            }
        }
        catch (SocketException)
        {
            // Cut, with the client.
        }
    }

    private static async Task ReadHeadAsync(Socket backend)
    {
        byte[] buffer = new byte[4096];
        Assert.That(await backend.ReceiveAsync(buffer).WaitAsync(Patience), Is.Positive);
    }

    private static async Task ReceiveUntilAsync(Socket client, string text)
    {
        byte[] buffer = new byte[4096];
        var all = new StringBuilder();
        while (!all.ToString().Contains(text, StringComparison.Ordinal))
        {
            int count = await client.ReceiveAsync(buffer).WaitAsync(Patience);
            Assert.That(count, Is.Positive);
            all.Append(Encoding.Latin1.GetString(buffer, 0, count));
        }
    }

    /// <summary>Lines about cuts, without those for who looks for them.</summary>
    private static List<string> Cuts(RecordingLog log) =>
        [
            .. log
                .Records.Where(static record => record.Level > LogLevel.Debug && record.Text.Contains(" cut", StringComparison.Ordinal))
                .Select(static record => record.Text),
        ];
}
