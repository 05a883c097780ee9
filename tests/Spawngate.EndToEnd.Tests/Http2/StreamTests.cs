using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http1;
using TestBackend;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>Bodies of all sizes, and streams that end otherwise than they should: each for itself, while the connection goes on.</summary>
internal sealed class StreamTests : Http2Test
{
    private const int KiB = 1024;

    /// <summary>A second, as promised, and half of one for a machine that is busy with other tests.</summary>
    private const double CancelSecsMax = 1.5;

    private static readonly int[] Sizes = [0, 1, (16 * KiB) - 1, 16 * KiB, (16 * KiB) + 1, 65535, 65536, KiB * KiB];

    [Test]
    public async Task A_response_arrives_whole([ValueSource(nameof(Sizes))] int size, [Values("length", "chunked", "close")] string framing)
    {
        using H2Client client = await ConnectAsync();
        RawResponse response = await client.ExchangeAsync(Host, $"/bytes?n={size}&framing={framing}");

        Assert.That((response.Status, response.BodyLength, response.Sha256), Is.EqualTo((200, (long)size, Pattern.Sha256(size))));
        Assert.That(response.Header("content-length"), Is.EqualTo(framing == "length" ? $"{size}" : null));
        await StillServesAsync(client);
    }

    [Test]
    public async Task A_request_arrives_whole([ValueSource(nameof(Sizes))] int size, [Values] bool withLength)
    {
        using H2Client client = await ConnectAsync();
        RawResponse response = await client.PostAsync(Host, "/echo", Pattern.Take(size), withLength ? [("content-length", $"{size}")] : []);

        Assert.That((response.Header("x-body-length"), response.Header("x-body-sha256")), Is.EqualTo(($"{size}", Pattern.Sha256(size))));
        Assert.That(response.Header("x-body-framing"), Is.EqualTo(withLength ? "length" : "chunked"));
        await StillServesAsync(client);
    }

    [Test]
    public async Task A_body_comes_back_while_it_is_still_being_sent()
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.BeginAsync(H2Frame.Request(Host, "/mirror", "POST"), end: false);
        await client.SendBodyAsync(stream, "first"u8.ToArray(), end: false);
        await stream.HeadAsync();
        await Gateway.UntilAsync("the first piece is back", () => Task.FromResult(stream.Length == 5));
        await client.SendBodyAsync(stream, Pattern.Take(300_000));
        RawResponse response = await stream.ResponseAsync();

        Assert.That(response.BodyLength, Is.EqualTo(300_005));
        Assert.That(response.Body[5..], Is.EqualTo(Pattern.Take(300_000)));
    }

    [Test]
    public async Task A_window_that_is_opened_by_the_byte_gets_every_byte()
    {
        using H2Client client = await ConnectAsync((H2Frame.InitialWindowSize, 1));
        H2Stream stream = client.Open(grants: false);
        await client.SendAsync(H2Frame.Headers(stream.Id, H2Frame.Request(Host, "/bytes?n=50")));
        for (int i = 1; i <= 50; i++)
        {
            await Gateway.UntilAsync($"byte {i}", () => Task.FromResult(stream.Length == i));
            await client.GrantAsync(stream, 1);
        }

        RawResponse response = await stream.ResponseAsync();
        Assert.That(response.Body, Is.EqualTo(Pattern.Take(50)));
    }

    [Test]
    public async Task A_window_that_is_opened_by_settings_counts()
    {
        using H2Client client = await ConnectAsync((H2Frame.InitialWindowSize, 0));
        H2Stream stream = client.Open(grants: false);
        await client.SendAsync(H2Frame.Headers(stream.Id, H2Frame.Request(Host, "/bytes?n=50")));
        await stream.HeadAsync();
        await client.PingAsync();
        Assert.That(stream.Length, Is.Zero);
        stream.Allowed = 50;
        await client.SendAsync(H2Frame.Settings([(H2Frame.InitialWindowSize, 50u)]));

        Assert.That((await stream.ResponseAsync()).Body, Is.EqualTo(Pattern.Take(50)));
    }

    [TestCase("after-head")]
    [TestCase("mid-body")]
    [TestCase("mid-chunk")]
    [TestCase("before-last-chunk")]
    [TestCase("reset-mid-body")]
    public async Task A_body_that_the_backend_breaks_off_is_reset_and_the_connection_goes_on(string at)
    {
        using H2Client client = await ConnectAsync();
        H2Stream other = await client.GetAsync(Host, "/slow?headMs=300");
        H2Stream stream = await client.GetAsync(Host, $"/close?at={at}");

        // If the break is noticed before anything was sent, an error is right too; a complete message never is.
        try
        {
            RawResponse response = await stream.ResponseAsync();
            Assert.That(response.Status, Is.EqualTo(502), $"a complete response of {response.BodyLength} bytes");
        }
        catch (StreamResetException reset)
        {
            Assert.That(reset.Code, Is.EqualTo(H2Error.Internal));
        }

        Assert.That((await other.ResponseAsync()).Text, Is.EqualTo("slow"), "a stream beside it");
        await StillServesAsync(client);
    }

    /// <summary>Whatever windows are closed meanwhile, and whether an upload beside it is told of the reset first.</summary>
    [Test]
    public async Task A_backend_that_is_reset_within_its_answer_never_ends_the_stream(
        [Values("close", "chunked", "length")] string framing,
        [Values] bool uploading,
        [Values(1, 2_000_000)] int sent
    )
    {
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            var reset = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            backend.Answers(
                async (peer, _) =>
                {
                    string field = framing switch
                    {
                        "close" => "",
                        "chunked" => "Transfer-Encoding: chunked\r\n",
                        _ => "Content-Length: 10000000\r\n",
                    };
                    string body = new('x', sent);
                    string answer = $"HTTP/1.1 200 OK\r\n{field}\r\n{(framing == "chunked" ? $"{sent:x}\r\n{body}\r\n" : body)}";
                    await peer.SendAsync(answer).StaysOpenAsync(TimeSpan.FromSeconds(1));
                    peer.Reset();
                    reset.SetResult();
                    return false;
                }
            );
            using H2Client client = await ConnectAsync();
            H2Stream stream = client.Open(grants: false);
            await client.SendAsync(
                H2Frame.Headers(stream.Id, H2Frame.Request(backend.Host, "/fault", uploading ? "POST" : "GET"), end: !uploading)
            );
            if (uploading)
            {
                // Into the reset, and beyond.
                _ = client.SendBodyAsync(stream, new byte[10_000_000], end: false);
            }

            await reset.Task.InTimeAsync("the reset");
            await client.GrantAsync(stream, 100_000_000);

            // If the reset is noticed before anything was sent, an error is right too.
            try
            {
                RawResponse response = await stream.ResponseAsync();
                Assert.That(response.Status, Is.EqualTo(502), $"a complete response of {response.BodyLength} bytes");
            }
            catch (StreamResetException e)
            {
                Assert.That(e.Code, Is.EqualTo(H2Error.Internal));
            }
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    [Test]
    public async Task A_head_was_sent_before_the_backend_broke_off()
    {
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            var dies = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            backend.Answers(
                async (peer, _) =>
                {
                    await peer.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
                    await dies.Task;
                    return false;
                }
            );
            using H2Client client = await ConnectAsync();
            H2Stream stream = await client.GetAsync(backend.Host, "/fault");
            Assert.That((await stream.HeadAsync()).Status, Is.EqualTo(200));
            dies.SetResult();

            await ResetAsync(stream, H2Error.Internal);
            await StillServesAsync(client);
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    [Test]
    public async Task An_answer_before_the_upload_is_done_ends_the_stream_without_an_error()
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.BeginAsync(
            [.. H2Frame.Request(Host, "/upload?answer=early&close=1", "POST"), ("content-length", "1000000")],
            end: false
        );
        await client.SendBodyAsync(stream, new byte[1000], end: false);
        RawResponse response = await stream.ResponseAsync();

        Assert.That((response.Status, response.Text), Is.EqualTo((200, "early")));
        Assert.That(await stream.ResetAsync(), Is.EqualTo(H2Error.None));
        await client.SendAsync(H2Frame.Data(stream.Id, new byte[1000]));
        await StillServesAsync(client);
    }

    [Test]
    public async Task A_413_arrives_although_the_backend_reads_nothing()
    {
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            backend.Answers(
                async (peer, _) =>
                {
                    await peer.SendAsync("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
                    await peer.EndedAsync();
                    return false;
                }
            );
            using H2Client client = await ConnectAsync();
            H2Stream stream = await client.BeginAsync(H2Frame.Request(backend.Host, "/fault", "POST"), end: false);
            Task<bool> sent = client.SendBodyAsync(stream, new byte[2_000_000]);
            RawResponse response = await stream.ResponseAsync();

            Assert.That((response.Status, response.Text), Is.EqualTo((413, "big")));
            Assert.That(await stream.ResetAsync(), Is.EqualTo(H2Error.None));
            await sent;
            await StillServesAsync(client);
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    [TestCase("before the head")]
    [TestCase("in the body")]
    [TestCase("in the upload")]
    public async Task A_stream_that_the_client_cancels_cancels_the_work_upstream(string where)
    {
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var cancelled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            backend.Answers(
                async (peer, _) =>
                {
                    await peer.SendAsync(where == "in the body" ? "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello" : "");
                    asked.TrySetResult();
                    await peer.EndedAsync();
                    cancelled.TrySetResult();
                    return false;
                }
            );
            using H2Client client = await ConnectAsync();
            H2Stream stream = await client.BeginAsync(H2Frame.Request(backend.Host, "/fault", "POST"), end: where != "in the upload");
            await asked.Task.InTimeAsync("the request at the backend");
            if (where == "in the body")
            {
                await stream.HeadAsync();
            }

            long left = Stopwatch.GetTimestamp();
            await client.SendAsync(H2Frame.Reset(stream.Id));
            await cancelled.Task.InTimeAsync("the backend is told that the client left");

            Assert.That(Stopwatch.GetElapsedTime(left).TotalSeconds, Strain.Within(left, 0, CancelSecsMax));
            await Gateway.UntilAsync("nothing is in flight", async () =>
                (await Gateway.Admin.BackendAsync(backend.Host)).GetProperty("in_flight").GetInt32() == 0
            );
            await StillServesAsync(client);
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    [Test]
    public async Task A_connection_that_ends_cancels_the_work_of_all_its_streams([Values] bool goAway)
    {
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            const int Streams = 20;
            using var asked = new CountdownEvent(Streams);
            int cancelled = 0;
            var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            backend.Answers(
                async (peer, _) =>
                {
                    asked.Signal();
                    await peer.EndedAsync();
                    if (Interlocked.Increment(ref cancelled) == Streams)
                    {
                        all.SetResult();
                    }

                    return false;
                }
            );
            H2Client client = await ConnectAsync();
            for (int i = 0; i < Streams; i++)
            {
                await client.GetAsync(backend.Host, "/fault");
            }

            await Gateway.UntilAsync("all are at the backend", () => Task.FromResult(asked.IsSet));
            await client.SendAsync(goAway ? H2Frame.Of(H2Type.GoAway, 0, 0, new byte[8]) : []);
            client.Dispose();

            await all.Task.InTimeAsync("all work is cancelled");
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    [Test]
    public async Task A_body_that_the_client_does_not_send_on_is_408()
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.BeginAsync(
            [.. H2Frame.Request(ImpatientHost, "/upload", "POST"), ("content-length", "10")],
            end: false
        );
        await client.SendBodyAsync(stream, "hello"u8.ToArray(), end: false);
        RawResponse response = await stream.ResponseAsync();

        Assert.That((response.Status, response.Header("x-proxy-error")), Is.EqualTo((408, "CLIENT_TIMEOUT")));
        await StillServesAsync(client);
    }

    [Test]
    public async Task A_response_that_stands_still_is_broken_off()
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.GetAsync(ImpatientHost, "/slow?bodyMs=15000");
        Assert.That((await stream.HeadAsync()).Status, Is.EqualTo(200));

        Assert.That(async () => await stream.ResponseAsync(), Throws.InstanceOf<StreamResetException>());
        await StillServesAsync(client);
    }

    [Test]
    public async Task A_client_that_takes_nothing_of_its_stream_loses_it_and_no_other()
    {
        using H2Client client = await ConnectAsync((H2Frame.InitialWindowSize, 0));
        H2Stream stalled = client.Open(grants: false);
        await client.SendAsync(H2Frame.Headers(stalled.Id, H2Frame.Request(ImpatientHost, "/bytes?n=100000")));
        await stalled.HeadAsync();
        H2Stream beside = client.Open(grants: false);
        await client.SendAsync(H2Frame.Headers(beside.Id, H2Frame.Request(Host, "/bytes?n=100")));

        Assert.That(async () => await stalled.ResponseAsync(), Throws.InstanceOf<StreamResetException>());
        await client.GrantAsync(beside, 100);
        Assert.That((await beside.ResponseAsync()).BodyLength, Is.EqualTo(100));
    }

    [Test]
    public async Task A_response_may_take_longer_than_its_timeout_as_long_as_it_makes_progress()
    {
        using H2Client client = await ConnectAsync();
        RawResponse response = await client.ExchangeAsync(ImpatientHost, "/bytes?n=8&chunk=1&delayMs=300");

        Assert.That(response.BodyLength, Is.EqualTo(8));
    }
}
