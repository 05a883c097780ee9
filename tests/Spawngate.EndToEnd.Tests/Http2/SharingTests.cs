using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>How the streams of one connection share it.</summary>
internal sealed class SharingTests : Http2Test
{
    [Test]
    public async Task Streams_without_window_do_not_hold_up_the_others()
    {
        const int Stalled = 50,
            Others = 200,
            Size = 100_000,
            Window = 65535;
        string sum = TestBackend.Pattern.Sha256(Size);
        using H2Client client = await ConnectAsync();
        H2Stream[] stalled = [.. Enumerable.Range(0, Stalled).Select(_ => client.Open(grants: false))];
        await client.SendAsync([.. stalled.SelectMany(stream => H2Frame.Headers(stream.Id, H2Frame.Request(Host, $"/bytes?n={Size}")))]);
        RawResponse[] responses = await Task.WhenAll(
            Enumerable.Range(0, Others).Select(_ => client.ExchangeAsync(Host, $"/bytes?n={Size}"))
        );

        Assert.That(responses.Select(each => each.Sha256), Is.All.EqualTo(sum));
        await Gateway.UntilAsync("the others have used up their windows", () =>
            Task.FromResult(stalled.All(each => each.Length == Window))
        );
        foreach (H2Stream stream in stalled)
        {
            Assert.That(stream.IsOver, Is.False);
            await client.GrantAsync(stream, Size - Window);
            Assert.That((await stream.ResponseAsync()).Sha256, Is.EqualTo(sum));
        }
    }

    [Test]
    public async Task An_upload_that_the_backend_does_not_read_holds_up_no_other()
    {
        var backend = await Http2Gateway.TakeAsync();
        try
        {
            var reads = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var began = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            backend.Answers(
                async (peer, request) =>
                {
                    began.TrySetResult();
                    await reads.Task;
                    long length = 0;
                    await peer.ReadBodyAsync(request, part =>
                    {
                        length += part.Length;
                        return Task.CompletedTask;
                    });
                    string text = $"{length}";
                    await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {text.Length}\r\n\r\n{text}");
                    return true;
                }
            );
            const int Size = 20_000_000;
            using H2Client client = await ConnectAsync();
            H2Stream stalled = await client.BeginAsync(H2Frame.Request(backend.Host, "/fault", "POST"), end: false);
            Task<bool> sent = client.SendBodyAsync(stalled, new byte[Size]);
            await began.Task.InTimeAsync("the upload at the backend");

            for (int i = 0; i < 10; i++)
            {
                Assert.That((await client.PostAsync(Host, "/upload", TestBackend.Pattern.Take(50_000))).Text, Does.StartWith("50000 "));
            }

            Assert.That(sent.IsCompleted, Is.False, "the gateway takes no more than windows and sockets hold");
            reads.SetResult();
            Assert.That(await sent);
            Assert.That((await stalled.ResponseAsync()).Text, Is.EqualTo($"{Size}"));
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    /// <summary>The connection's window is the bottleneck: what it lets through goes to the most urgent stream first.</summary>
    [TestCase(false, TestName = "Urgent_streams_overtake_by_their_field")]
    [TestCase(true, TestName = "Urgent_streams_overtake_by_PRIORITY_UPDATE")]
    public async Task Urgent_streams_overtake(bool byUpdate)
    {
        const int Window = 65535;
        string padding = new('p', 1500);
        using H2Client client = await ConnectAsync();
        int length = (await client.ExchangeAsync(Host, "/echo?1", ("priority", "u=7"), ("x-pad", padding))).Body.Length;
        client.Grants = false;
        long before = Window - client.Ungranted;
        H2Stream[] lazy = [.. Enumerable.Range(0, 5).Select(_ => client.Open(grants: false))];
        await client.SendAsync([
            .. lazy.SelectMany(stream => H2Frame.Headers(stream.Id, [.. H2Frame.Request(Host, "/bytes?n=60000"), ("priority", "u=6")])),
        ]);
        await Gateway.UntilAsync("the window is used up", () => Task.FromResult(lazy.Sum(each => each.Length) == before));
        H2Stream urgent = await client.GetAsync(Host, "/echo?1", ("priority", byUpdate ? "u=7" : "u=0"), ("x-pad", padding));
        Assert.That((await urgent.HeadAsync()).Status, Is.EqualTo(200));
        if (byUpdate)
        {
            await client.SendAsync(H2Frame.PriorityUpdate(urgent.Id, "u=0"));
        }

        long[] had = [.. lazy.Select(each => each.Length)];
        await client.GrantAsync(null, length + 100);
        RawResponse response = await urgent.ResponseAsync();

        Assert.That(response.BodyLength, Is.InRange(length - 20, length + 20));
        await client.PingAsync();
        Assert.That(lazy.Select(each => each.Length).Zip(had, (now, then) => now - then).Sum(), Is.InRange(0, 200), "what was left over");
    }
}
