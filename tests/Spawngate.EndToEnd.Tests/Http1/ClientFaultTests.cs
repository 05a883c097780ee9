using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>
/// A client that closes, resets or stalls at each point of its request, and while it gets its response: the backend's work is cancelled within a second,
/// a slow client is told 408, and nothing stays in flight.
/// </summary>
internal sealed class ClientFaultTests : FaultTest
{
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Test]
    public async Task A_request_that_is_not_sent_whole_is_cancelled_or_408(
        [Values] FaultPoint at, [Values] FaultKind how, [Values] bool chunked)
    {
        Backend.Answers(ReadThenAnswerOrWaitForTheEndAsync(answer: how == FaultKind.Stall));
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Request(at, chunked));
        if (at >= FaultPoint.AfterHead)
        {
            await _asked.Task.InTimeAsync("the backend is asked");
        }

        if (how != FaultKind.Stall)
        {
            await LeavesAsync(client, how, at >= FaultPoint.AfterHead ? _cancelled.Task : Task.CompletedTask);
            return;
        }

        switch (at)
        {
            case FaultPoint.BeforeHead:
                Assert.That(await client.EndsAsync(), "a silent connection is closed without a word");
                break;
            case FaultPoint.AfterBody:
                Assert.That((await client.ReadResponseAsync()).Text, Is.EqualTo("ok"), "a request that is complete has no fault");
                break;
            default:
                Assert.That((await client.ReadResponseAsync()).Status, Is.EqualTo(408));
                Assert.That(await client.EndsAsync());
                break;
        }
    }

    [Test]
    public async Task A_download_that_nobody_takes_is_cancelled([Values] FaultKind how, [Values] bool chunked)
    {
        Backend.Answers(async (peer, _) =>
        {
            _asked.TrySetResult();
            await SendForEverAsync(peer, chunked);
            return false;
        });
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head());
        await client.ReadHeadAsync();

        if (how == FaultKind.Stall)
        {
            await _cancelled.Task.InTimeAsync("the download is cancelled once it makes no progress");
        }
        else
        {
            await LeavesAsync(client, how, _cancelled.Task);
        }
    }

    [TestCase(FaultKind.Close)]
    [TestCase(FaultKind.Reset)]
    public async Task A_client_that_leaves_with_a_further_request_pending_is_noticed(FaultKind how)
    {
        Backend.Answers(ReadThenAnswerOrWaitForTheEndAsync(answer: false));
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head());
        await _asked.Task.InTimeAsync("the backend is asked");
        await client.SendAsync(Head());
        Assert.That(await InFlightAsync(), Is.EqualTo(1));

        await LeavesAsync(client, how, _cancelled.Task);
    }

    [Test]
    public async Task A_client_that_resets_its_upload_is_noticed_although_the_backend_does_not_read([Values] bool chunked)
    {
        Backend.Answers(async (peer, _) =>
        {
            _asked.TrySetResult();
            await _cancelled.Task;
            return false;
        });
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head("PUT", chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 100000000\r\n") + (chunked ? "5f5e100\r\n" : ""));
        await _asked.Task.InTimeAsync("the backend is asked");
        await FillAsync(client);

        // The backend, which does not read, cannot see it: what is in flight tells.
        Assert.That(await InFlightAsync(), Is.EqualTo(1));
        await LeavesAsync(client, FaultKind.Reset, Http1Gateway.Gateway.UntilAsync("nothing is in flight", async () => await InFlightAsync() == 0));
        _cancelled.SetResult();
    }

    [TestCase("Connection: close\r\n")]
    [TestCase("")]
    public async Task A_client_that_ends_only_its_own_side_still_gets_its_answer(string headers)
    {
        Backend.Answers(async (peer, _) =>
        {
            _asked.TrySetResult();
            await _cancelled.Task;
            await peer.SendAsync(FaultyBackend.Ok);
            return true;
        });
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head(headers: headers));
        await _asked.Task.InTimeAsync("the backend is asked");
        client.EndSending();
        _cancelled.SetResult();

        Assert.That((await client.ReadResponseAsync()).Text, Is.EqualTo("ok"));
        Assert.That(await client.EndsAsync());
    }

    private UpstreamScript ReadThenAnswerOrWaitForTheEndAsync(bool answer) => async (peer, request) =>
    {
        _asked.TrySetResult();
        if (await peer.ReadBodyAsync(request) && answer)
        {
            await peer.SendAsync(FaultyBackend.Ok);
            return true;
        }

        await peer.EndedAsync();
        _cancelled.TrySetResult();
        return false;
    };

    private async Task SendForEverAsync(UpstreamPeer peer, bool chunked)
    {
        byte[] block = new byte[64 * 1024];
        try
        {
            await peer.SendAsync($"HTTP/1.1 200 OK\r\n{(chunked ? "Transfer-Encoding: chunked" : "Content-Length: 1000000000000")}\r\n\r\n");
            while (true)
            {
                await peer.SendAsync(chunked ? $"{block.Length:x}\r\n" : "");
                await peer.SendAsync(block);
                await peer.SendAsync(chunked ? "\r\n" : "");
            }
        }
        finally
        {
            _cancelled.TrySetResult();
        }
    }

    /// <summary>Sends until nobody takes anything more.</summary>
    private static async Task FillAsync(RawClient client)
    {
        byte[] block = new byte[1024 * 1024];
        Task<int> sending;
        do
        {
            sending = client.Socket.SendAsync(block.AsMemory(), System.Net.Sockets.SocketFlags.None).AsTask();
        }
        while (!await sending.StaysOpenAsync(TimeSpan.FromMilliseconds(200)));
    }

    private string Request(FaultPoint at, bool chunked)
    {
        string head = Head("POST", chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 10\r\n");
        return at switch
        {
            FaultPoint.BeforeHead => "",
            FaultPoint.InHead => head[..25],
            FaultPoint.AfterHead => head,
            FaultPoint.InBody => head + (chunked ? "a\r\n01234" : "01234"),
            _ => head + (chunked ? "a\r\n0123456789\r\n0\r\n\r\n" : "0123456789"),
        };
    }
}
