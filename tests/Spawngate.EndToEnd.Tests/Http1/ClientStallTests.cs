using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>
/// A client that stops at each point of its request, or while it gets its response: it is told 408 where it can be told, and holds nothing.
/// </summary>
[LongRunning]
internal sealed class ClientStallTests() : FaultTest(patient: false)
{
    private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Test]
    public async Task A_request_that_is_not_sent_whole_is_408([Values] FaultPoint at, [Values] bool chunked)
    {
        Backend.Answers(
            async (peer, request) =>
            {
                if (await peer.ReadBodyAsync(request))
                {
                    await peer.SendAsync(FaultyBackend.Ok);
                    return true;
                }

                return false;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(ClientMessage.Until(at, Head, chunked));

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
    public async Task A_download_that_makes_no_progress_is_cancelled([Values] bool chunked)
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

        await _cancelled.Task.InTimeAsync("the download is cancelled");
    }

    [Test]
    public async Task A_download_that_is_taken_slowly_goes_on([Values] bool chunked)
    {
        const int Size = 24 * 1024 * 1024;
        Backend.Answers(
            async (peer, _) =>
            {
                await peer.SendAsync(
                    $"HTTP/1.1 200 OK\r\n{(chunked ? "Transfer-Encoding: chunked" : $"Content-Length: {Size}")}\r\n\r\n"
                        + $"{(chunked ? $"{Size:x}\r\n" : "")}"
                );
                await peer.SendAsync(TestBackend.Pattern.Take(Size));
                await peer.SendAsync(chunked ? "\r\n0\r\n\r\n" : "");
                return true;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head());
        RawResponse response = await client.ReadHeadAsync();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        for (int i = 0; i < 50; i++)
        {
            await tick.WaitForNextTickAsync();
            await client.ReadBytesAsync(64 * 1024);
        }

        // Five seconds at 640 KB/s, five times the timeout: what the kernel holds on the way must not be mistaken for a standstill.
        Assert.That(await InFlightAsync(), Is.EqualTo(1));
        Assert.That(response.Status, Is.EqualTo(200));
    }

    [Test]
    public async Task An_upload_that_is_taken_slowly_goes_on([Values] bool chunked)
    {
        const int Size = 128 * 1024 * 1024; // More than the kernel takes in on the way, however large its buffers may grow.
        var taken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Backend.Answers(
            async (peer, request) =>
            {
                // Of a large buffer a sixteenth must be free before the kernel takes any more; that is to be less than what is read within
                // the timeout.
                peer.Socket.ReceiveBufferSize = 256 * 1024;
                using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
                for (int i = 0; i < 50; i++)
                {
                    await tick.WaitForNextTickAsync();
                    if (!await peer.ReadAsync(64 * 1024, _ => Task.CompletedTask))
                    {
                        break;
                    }
                }

                taken.TrySetResult();
                await peer.EndedAsync();
                return false;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(
            Head("PUT", chunked ? "Transfer-Encoding: chunked\r\n" : $"Content-Length: {Size}\r\n") + (chunked ? $"{Size:x}\r\n" : "")
        );
        Task sending = client.SendAsync(new byte[Size]);
        await taken.Task.InTimeAsync("the backend has read for five seconds");

        Assert.That(await InFlightAsync(), Is.EqualTo(1));
        Leave(client, FaultKind.Reset);
        Assert.That(async () => await sending, Throws.Exception);
    }
}
