using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>
/// A client that closes or resets at each point of its request, and while it gets its response: the backend's work is cancelled within a
/// second.
/// </summary>
internal sealed class ClientFaultTests() : FaultTest(patient: true)
{
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Test]
    public async Task The_backend_is_told_within_a_second_that_the_client_left(
        [Values] FaultPoint at,
        [Values(FaultKind.Close, FaultKind.Reset)] FaultKind how,
        [Values] bool chunked
    )
    {
        Backend.Answers(ReadThenWaitForTheEndAsync);
        using RawClient client = await ConnectAsync();
        await client.SendAsync(ClientMessage.Until(at, Head, chunked));
        if (at >= FaultPoint.AfterHead)
        {
            await _asked.Task.InTimeAsync("the backend is asked");
        }

        await LeavesAsync(client, how, at >= FaultPoint.AfterHead ? _cancelled.Task : Task.CompletedTask);
    }

    [Test]
    public async Task A_download_that_nobody_takes_is_cancelled(
        [Values(FaultKind.Close, FaultKind.Reset)] FaultKind how,
        [Values] bool chunked
    )
    {
        Backend.Answers(
            async (peer, _) =>
            {
                await ClientMessage.SendForEverAsync(peer, chunked, _cancelled);
                return false;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head());
        await client.ReadHeadAsync();

        await LeavesAsync(client, how, _cancelled.Task);
    }

    [TestCase(FaultKind.Close)]
    [TestCase(FaultKind.Reset)]
    public async Task A_client_that_leaves_with_a_further_request_pending_is_noticed(FaultKind how)
    {
        Backend.Answers(ReadThenWaitForTheEndAsync);
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
        Backend.Answers(
            async (peer, _) =>
            {
                _asked.TrySetResult();
                await _cancelled.Task;
                return false;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(
            Head("PUT", chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 100000000\r\n") + (chunked ? "5f5e100\r\n" : "")
        );
        await _asked.Task.InTimeAsync("the backend is asked");
        await FillAsync(client);

        // The backend, which does not read, cannot see it: what is in flight tells.
        Assert.That(await InFlightAsync(), Is.EqualTo(1));
        await LeavesAsync(
            client,
            FaultKind.Reset,
            Http1Gateway.Gateway.UntilAsync("nothing is in flight", async () => await InFlightAsync() == 0)
        );
        _cancelled.SetResult();
    }

    [TestCase("Connection: close\r\n")]
    [TestCase("")]
    public async Task A_client_that_ends_only_its_own_side_still_gets_its_answer(string headers)
    {
        Backend.Answers(
            async (peer, _) =>
            {
                _asked.TrySetResult();
                await _cancelled.Task;
                await peer.SendAsync(FaultyBackend.Ok);
                return true;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head(headers: headers));
        await _asked.Task.InTimeAsync("the backend is asked");
        client.EndSending();
        _cancelled.SetResult();

        Assert.That((await client.ReadResponseAsync()).Text, Is.EqualTo("ok"));
        Assert.That(await client.EndsAsync());
    }

    /// <summary>As long as the backend has nothing to give, nothing says that the client is gone.</summary>
    [Test]
    public async Task A_client_that_ended_only_its_own_side_gets_all_of_an_answer_that_pauses(
        [Values("length", "chunked", "close")] string framing,
        [Values("1.1", "1.0")] string version,
        [Values(0.9, 3.5)] double pauseSecs
    )
    {
        var pausing = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Backend.Answers(
            async (peer, _) =>
            {
                string field = framing switch
                {
                    "chunked" => "Transfer-Encoding: chunked\r\n",
                    "length" => "Content-Length: 50\r\n",
                    _ => "",
                };
                await peer.SendAsync($"HTTP/1.1 200 OK\r\n{field}\r\n");
                for (int i = 0; i < 5; i++)
                {
                    await peer.SendAsync(framing == "chunked" ? "a\r\n0123456789\r\n" : "0123456789");
                    if (i == 0)
                    {
                        // It is this silence itself that is tried.
                        await pausing.Task.StaysOpenAsync(TimeSpan.FromSeconds(pauseSecs));
                    }
                }

                if (framing == "close")
                {
                    peer.Close();
                    return false;
                }

                await peer.SendAsync(framing == "chunked" ? "0\r\n\r\n" : "");
                return true;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync($"GET /fault HTTP/{version}\r\nHost: {Backend.Host}\r\n\r\n");
        client.EndSending();

        Assert.That((await client.ReadResponseAsync()).Text, Is.EqualTo(string.Concat(Enumerable.Repeat("0123456789", 5))));
        Assert.That(await client.EndsAsync());
    }

    [Test]
    public async Task A_client_that_leaves_between_two_chunks_is_noticed_although_the_backend_is_silent([Values] bool chunked)
    {
        Backend.Answers(
            async (peer, _) =>
            {
                await peer.SendAsync($"HTTP/1.1 200 OK\r\n{(chunked ? "Transfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n" : "\r\nevent")}");
                await peer.EndedAsync();
                _cancelled.TrySetResult();
                return false;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head());
        await client.ReadHeadAsync();
        await client.ReadBytesAsync(10);

        await LeavesAsync(client, FaultKind.Close, _cancelled.Task);
    }

    private async Task<bool> ReadThenWaitForTheEndAsync(UpstreamPeer peer, UpstreamRequest request)
    {
        _asked.TrySetResult();
        await peer.ReadBodyAsync(request);
        await peer.EndedAsync();
        _cancelled.TrySetResult();
        return false;
    }

    /// <summary>Sends until nobody takes anything more.</summary>
    private static async Task FillAsync(RawClient client)
    {
        byte[] block = new byte[1024 * 1024];
        Task<int> sending;
        do
        {
            sending = client.Socket.SendAsync(block.AsMemory(), System.Net.Sockets.SocketFlags.None).AsTask();
        } while (!await sending.StaysOpenAsync(TimeSpan.FromMilliseconds(200)));
    }
}
