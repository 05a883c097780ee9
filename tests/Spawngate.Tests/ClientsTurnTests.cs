using System.Net.Sockets;
using Spawngate.Forwarding;
using Spawngate.Overload;
using Spawngate.Tests.Fakes;
using Spawngate.Tests.Http;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>How many requests a connection begins before others get a turn, and before the gateway has looked at what all of them take.</summary>
[Platform("Linux")]
internal sealed class ClientsTurnTests
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
        var all = SampleAsync(stage.Loop, open, () => stage.Connection.OpenStreams, until: LongRequests);
        await stage.Client.SendAsync((byte[])[.. Http2Stage.Request(0, [.. Entry, .. Entries]), .. Enumerable.Range(1, LongRequests - 1).SelectMany(each => Http2Stage.Request(each, Entries))]);
        await all;

        // Two of 27 KiB a turn; between two samples an event may have brought another.
        Assert.That(LargestStep(open), Is.LessThanOrEqualTo(4));
    }

    /// <summary>Errors, which no backend has to be waited for: the gateway could answer all of them in a row.</summary>
    [TestCase(10, Limits.RequestsPerTurn)]
    [TestCase(8000, 5)]
    public async Task Of_requests_that_are_sent_ahead_over_one_connection_few_are_answered_in_a_turn(int fieldBytes, int most)
    {
        const int Ahead = 300;
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        var answered = Enumerable.Range(0, EventLoop.Count).Select(static _ => new List<int>()).ToArray();
        int Answered() => (int)stage.Context.Traffic.Unrouted.Requests(ReceivedProtocol.Http1, 4);
        var all = Task.WhenAll(answered.Select((numbers, loop) => SampleAsync(loop, numbers, Answered, until: Ahead)));
        await client.SendAsync(string.Concat(Enumerable.Repeat($"GET / HTTP/1.1\r\nHost: unknown.example.com\r\nX: {new string('x', fieldBytes)}\r\n\r\n", Ahead)));
        await all;

        // It lives on one of the loops; another does not see its turns. An event may have brought a turn beside that of the line.
        Assert.That(answered.Min(LargestStep), Is.LessThanOrEqualTo(2 * most));
    }

    [Test]
    public async Task When_all_that_may_be_taken_is_taken_further_requests_wait_for_the_next_look()
    {
        using var stage = await Http2Stage.StartAsync();
        Look(stage, requests: 0);
        await SendSmallAsync(stage);
        for (int looks = 1; looks <= 3; looks++)
        {
            // The first of a connection may always begin; of those beside it as many as are less than the part of this loop, and the one that exceeds it.
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
        var all = SampleAsync(stage.Loop, open, () => stage.Connection.OpenStreams, until: 0);
        Look(stage, requests: Requests);
        await stage.Serving.WaitAsync(Patience);
        await all;
        Assert.That(open.Max(), Is.LessThanOrEqualTo(1));
    }

    private static Task<int> SendSmallAsync(Http2Stage stage) =>
        stage.Client.SendAsync((byte[])[.. Enumerable.Range(0, Requests).SelectMany(static each => Http2Stage.Request(each))]);

    /// <summary>A look after which so many more small requests may be begun on a loop: the last of them finds it spent.</summary>
    private static void Look(Http2Stage stage, int requests)
    {
        long part = requests == 0 ? 0 : ((requests - 1) * (Limits.ClientRequestBytes + 200)) + 1;
        long cut = part * EventLoop.Count * Limits.GrowthShareMin;
        stage.Context.ClientLimits.Growth.Set(new ResourceUse(cut, cut, cut, cut, cut), ResourceUse.Unbounded, ResourceUse.Unbounded);
    }

    /// <summary>Notes a number at every turn of a loop, until it has been so much.</summary>
    private static async Task SampleAsync(int loop, List<int> numbers, Func<int> number, int until)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Sample()
        {
            numbers.Add(number());
            if (numbers[^1] == until)
            {
                done.SetResult();
                return;
            }

            EventLoop.PostTurn(loop, Sample);
        }

        EventLoop.PostTurn(loop, Sample);
        await done.Task.WaitAsync(Patience);
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
