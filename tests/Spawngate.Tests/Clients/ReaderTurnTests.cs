using System.Net.Sockets;
using System.Text;
using Spawngate.Clients;
using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Logging;
using Spawngate.Overload;
using Spawngate.Runtime;
using Spawngate.Telemetry;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>
/// How many requests a connection begins before others get a turn, and before the gateway has looked at what all of them take.
/// </summary>
[Platform("Linux")]
[EventLoops]
internal sealed class ReaderTurnTests
{
    /// <summary>Several turns of a connection, and fewer than it may have open.</summary>
    private const int Requests = 200;

    /// <summary>As many long heads as one connection may hold.</summary>
    private const int LongRequests = 60;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>A field of 3,900 bytes that enters the table, and names of that entry: each of them one byte.</summary>
    private static readonly byte[] Entry = [0x40, 1, (byte)'x', 0x7f, 0xbd, 0x1d, .. Enumerable.Repeat((byte)'y', 3900)];
    private static readonly byte[] Entries = [.. Enumerable.Repeat((byte)0xbe, 7)];

    [Test]
    public async Task Of_requests_with_long_heads_few_are_begun_in_a_turn()
    {
        using var stage = await Http2Stage.StartAsync();
        var open = new List<int>();
        var all = SampleAsync(stage.Loop, open, () => stage.Connection.OpenStreams, static number => number == LongRequests);
        await stage.Client.SendAsync(
            (byte[])
                [
                    .. Http2Stage.Request(0, [.. Entry, .. Entries]),
                    .. Enumerable.Range(1, LongRequests - 1).SelectMany(each => Http2Stage.Request(each, Entries)),
                ]
        );
        await all;

        // Two of 27 KiB a turn; between two samples an event may have brought another.
        Assert.That(LargestStep(open), Is.LessThanOrEqualTo(4));
    }

    /// <summary>A head that is refused has been decoded all the same.</summary>
    [Test]
    public async Task Of_long_heads_that_are_refused_few_are_read_in_a_turn([Values] bool trusted)
    {
        const int Long = 240;
        using var stage = await Http2Stage.StartAsync(trusted);
        string[] Refused() =>
            [
                .. stage
                    .Log.Records.Select(static record => record.Text)
                    .Where(static text => text.Contains("too long together", StringComparison.Ordinal)),
            ];
        var refused = new List<int>();
        var all = SampleAsync(stage.Loop, refused, () => Refused().Length, static number => number >= Long / 2);
        await stage.Client.SendAsync(
            (byte[])
                [
                    .. Http2Stage.Request(0, [.. Entry, .. Entries]),
                    .. Enumerable.Range(1, Long - 1).SelectMany(each => Http2Stage.Request(each, Entries)),
                ]
        );
        await all;
        Assert.That(LargestStep(refused), Is.LessThanOrEqualTo(4));
    }

    /// <summary>Of a proxy each client counts by itself, when it names one.</summary>
    [Test]
    public async Task A_proxy_that_names_clients_may_have_more_heads_open_than_a_client()
    {
        const int Long = 100;
        using var stage = await Http2Stage.StartAsync();
        byte[] named = [0x00, 15, .. "x-forwarded-for"u8, 9, .. "192.0.2.1"u8];
        await stage.Client.SendAsync(
            (byte[])
                [
                    .. Http2Stage.Request(0, [.. Entry, .. Entries, .. named]),
                    .. Enumerable.Range(1, Long - 1).SelectMany(each => Http2Stage.Request(each, [.. Entries, .. named])),
                ]
        );
        await UntilAsync(stage, () => stage.Connection.OpenStreams == Long);
    }

    /// <summary>Errors, which no backend has to be waited for: the gateway could answer all of them in a row.</summary>
    [TestCase(10, ConnectionLimits.RequestsPerTurn)]
    [TestCase(8000, 5)]
    public async Task Of_requests_that_are_sent_ahead_over_one_connection_few_are_answered_in_a_turn(int fieldBytes, int most)
    {
        const int Ahead = 300;
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        var answered = new List<int>();
        var all = SampleAsync(
            client.Loop,
            answered,
            () => (int)stage.Context.Traffic.Unrouted.Requests(ReceivedProtocol.Http1, 4),
            static number => number == Ahead
        );
        await client.SendAsync(
            string.Concat(
                Enumerable.Repeat($"GET / HTTP/1.1\r\nHost: unknown.example.com\r\nX: {new string('x', fieldBytes)}\r\n\r\n", Ahead)
            )
        );
        await all;

        // An event may have brought a turn beside that of the line.
        Assert.That(LargestStep(answered), Is.LessThanOrEqualTo(2 * most));
    }

    [Test]
    public async Task When_all_that_may_be_taken_is_taken_further_requests_wait_for_the_next_look()
    {
        using var stage = await Http2Stage.StartAsync();
        Look(stage, requests: 0);
        await SendSmallAsync(stage);
        for (int looks = 1; looks <= 3; looks++)
        {
            // The first of a connection may always begin; of those beside it as many as are less than the part of this loop, and the one
            // that exceeds it.
            int most = looks == 1 ? 1 : 1 + ((looks - 1) * 5);
            await UntilAsync(stage, () => stage.Connection.OpenStreams >= most);
            await UntilAsync(stage, () => stage.Context.ClientLimits.Growth.IsSpent(stage.Loop));
            await TurnsAsync(stage, 100);
            Assert.That(stage.Connection.OpenStreams, Is.EqualTo(most), $"after look {looks}");
            Look(stage, requests: 5);
        }

        Look(stage, requests: Requests);
        await UntilAsync(stage, () => stage.Connection.OpenStreams == Requests);

        // What has ended leaves its part to others.
        Look(stage, requests: 0);
        Assert.That(stage.Context.ClientLimits.Growth.IsSpent(stage.Loop), Is.True);
        stage.Client.Dispose();
        await stage.Serving.WaitAsync(Patience);
        Assert.That(stage.Context.ClientLimits.Growth.IsSpent(stage.Loop), Is.False);
    }

    /// <summary>Nobody looks here: it would wait for ever.</summary>
    [Test]
    public async Task Who_has_one_request_at_a_time_never_waits_for_a_look()
    {
        using var stage = await Http2Stage.StartAsync();
        Look(stage, requests: 0);
        Socket? backend = null;
        for (int i = 0; i < 5; i++)
        {
            await stage.Client.SendAsync(Http2Stage.Request(i));
            backend ??= await stage.Backend.AcceptAsync().WaitAsync(Patience);
            await AnswerAsync(backend);
            await UntilAsync(stage, () => stage.Connection.OpenStreams == 0);
        }

        backend!.Dispose();
    }

    [Test]
    public async Task When_all_others_of_a_connection_are_over_the_next_begins_without_a_look()
    {
        using var stage = await Http2Stage.StartAsync();
        Look(stage, requests: 0);
        await stage.Client.SendAsync((byte[])[.. Http2Stage.Request(0), .. Http2Stage.Request(1), .. Http2Stage.Request(2)]);
        using var backend = await stage.Backend.AcceptAsync().WaitAsync(Patience);
        for (int i = 0; i < 3; i++)
        {
            await UntilAsync(stage, () => stage.Connection.OpenStreams == 1);
            await AnswerAsync(backend);
        }

        await UntilAsync(stage, () => stage.Connection.OpenStreams == 0);
    }

    /// <summary>The requests of who is refused at this moment are not held up, too: they are over at once.</summary>
    [Test]
    public async Task Who_is_refused_does_not_wait_for_a_look()
    {
        using var stage = await Http2Stage.StartAsync(trusted: false);
        Look(stage, requests: 0);
        await stage.Client.SendAsync(Http2Stage.Request(0));
        await UntilAsync(stage, () => stage.Connection.OpenStreams == 1);
        stage.Context.ClientLimits.Marks = stage.Source.IsMarked = true;
        await stage.Client.SendAsync((byte[])[.. Enumerable.Range(1, 100).SelectMany(static each => Http2Stage.Request(each))]);
        await UntilAsync(stage, () => stage.Context.ClientLimits.RefusedRequests == 100);
    }

    /// <summary>An upload whose rest stands behind a request that waits for a look: it is not its client who is late.</summary>
    [Test]
    public async Task While_nothing_is_read_because_of_a_look_no_upload_is_late()
    {
        using var stage = await Http2Stage.StartAsync();
        Look(stage, requests: 0);
        byte[] upload = Http2Stage.Request(0, [0x0f, 0x0d, 1, (byte)'2']); // content-length: 2
        upload[4] = 4; // END_HEADERS, and no END_STREAM
        upload[9] = 0x83; // POST
        await stage.Client.SendAsync(upload);
        using var backend = await stage.Backend.AcceptAsync().WaitAsync(Patience);
        await UntilAsync(stage, () => stage.Connection.OpenStreams == 1);
        await stage.Client.SendAsync((byte[])[.. Http2Stage.Request(1), 0, 0, 2, 0, 1, 0, 0, 0, 1, (byte)'o', (byte)'k']);
        await UntilAsync(stage, () => stage.Connection.AwaitsLook);
        for (int ms = 0; ms < 3 * ForwardingLimits.RateWindowMs; ms += RuntimeLimits.ClockTickMs)
        {
            stage.Tick();
        }

        Look(stage, requests: Requests);
        await AnswerAsync(backend, "\r\n\r\nok");
        await UntilAsync(stage, () => stage.Connection.OpenStreams == 1);
        Assert.That(stage.Context.Backends.All[0].Traffic.Requests(ReceivedProtocol.Http2, 2), Is.EqualTo(1));
    }

    [Test]
    public async Task What_a_client_asked_that_has_gone_meanwhile_is_not_begun()
    {
        using var stage = await Http2Stage.StartAsync();
        Look(stage, requests: 0);
        await SendSmallAsync(stage);
        await UntilAsync(stage, () => stage.Connection.OpenStreams == 1);
        stage.Client.Shutdown(SocketShutdown.Send);
        await UntilAsync(stage, () => stage.ClientHasEnded);
        var open = new List<int>();
        var all = SampleAsync(stage.Loop, open, () => stage.Connection.OpenStreams, static number => number == 0);
        Look(stage, requests: Requests);
        await stage.Serving.WaitAsync(Patience);
        await all;
        Assert.That(open.Max(), Is.LessThanOrEqualTo(1));
    }

    /// <summary>Receives a request and answers it.</summary>
    private static async Task AnswerAsync(Socket backend, string end = "\r\n\r\n")
    {
        byte[] buffer = new byte[TransportLimits.SmallBufferBytes];
        for (int length = 0; !buffer.AsSpan(0, length).EndsWith(Encoding.ASCII.GetBytes(end)); )
        {
            int more = await backend.ReceiveAsync(buffer.AsMemory(length)).AsTask().WaitAsync(Patience);
            Assert.That(more, Is.Positive);
            length += more;
        }

        await backend.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
    }

    private static Task<int> SendSmallAsync(Http2Stage stage) =>
        stage.Client.SendAsync((byte[])[.. Enumerable.Range(0, Requests).SelectMany(static each => Http2Stage.Request(each))]);

    /// <summary>A look after which so many more small requests may be begun on a loop: the last of them finds it spent.</summary>
    private static void Look(Http2Stage stage, int requests)
    {
        long part = requests == 0 ? 0 : ((requests - 1) * (OverloadLimits.ClientRequestBytes + 200)) + 1;
        long cut = part * OverloadLimits.GrowthShareMin;
        stage.Context.ClientLimits.Growth.Set(new ResourceUse(cut, cut, cut, cut, cut), ResourceUse.Unbounded, ResourceUse.Unbounded);
    }

    /// <summary>Notes a number at every turn of a loop, up to the last that matters.</summary>
    private static Task SampleAsync(int loop, List<int> numbers, Func<int> number, Func<int, bool> isLast)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Sample()
        {
            numbers.Add(number());
            if (isLast(numbers[^1]))
            {
                done.SetResult();
                return;
            }

            EventLoop.PostTurn(loop, Sample);
        }

        EventLoop.PostTurn(loop, Sample);
        return done.Task.WaitAsync(Patience);
    }

    private static int LargestStep(List<int> numbers) => numbers.Zip(numbers.Skip(1), static (one, next) => next - one).Max();

    private static async Task UntilAsync(Http2Stage stage, Func<bool> holds)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!holds())
        {
            patience.Token.ThrowIfCancellationRequested();
            await TurnsAsync(stage, 1);
        }
    }

    /// <summary>Lets so many turns of the loop pass.</summary>
    private static async Task TurnsAsync(Http2Stage stage, int turns)
    {
        for (int i = 0; i < turns; i++)
        {
            var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            EventLoop.PostTurn(stage.Loop, turn.SetResult);
            await turn.Task.WaitAsync(Patience);
        }
    }
}
