using System.Diagnostics;
using System.Net.Sockets;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http1;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>
/// Clients that do not read, and answers that come before the client is done. What waits for a client is bounded, whatever it asks for and
/// whatever a backend says; a client that takes nothing is cut, and the gateway serves on.
/// </summary>
[NonParallelizable]
[LongRunning]
internal sealed class BackPressureTests : Http2Test
{
    /// <summary>
    /// Requests after which a client has had its chance to fill more than the kernel's buffers, some 20 MiB of heads of 40 bytes.
    /// </summary>
    private const int RequestsMax = 1_500_000;

    private const int Batch = 200;

    private const long GrowthMax = 32 * 1024 * 1024;

    /// <summary>What is waiting for the client in the gateway, and the heads of 250 answers in its connections to the backend.</summary>
    private const long GrowthWithHeadsMax = 64 * 1024 * 1024;

    private const int InterimBytesMax = 64 * 1024;

    /// <summary>The shortest time for which a reset is held back.</summary>
    private const int HoldMs = 50;

    private const int Attempts = 50;

    /// <summary>The longest of the times after which a client that takes nothing is cut, and patience.</summary>
    private static readonly TimeSpan CutLimit = TimeSpan.FromSeconds(90);

    [TestCase("nobody.test", "/", TestName = "A client that never reads 404s is not read from, and cut")]
    [TestCase(ImpatientHost, "/status?code=200", TestName = "A client that never reads answers is not read from, and cut")]
    public async Task A_client_that_never_reads(string host, string path)
    {
        await NeverReadAsync(host, path, GrowthMax);
        using H2Client client = await ConnectAsync();
        await StillServesAsync(client);
    }

    [Test]
    public async Task A_client_that_never_reads_heads_of_30_KB_is_not_read_from_and_cut()
    {
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            string answer = $"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: {new string('x', 30_000)}\r\n\r\n";
            backend.Answers(
                async (peer, _) =>
                {
                    await peer.SendAsync(answer);
                    return true;
                }
            );
            await NeverReadAsync(backend.Host, "/fault", GrowthWithHeadsMax);
            using H2Client client = await ConnectAsync();
            await StillServesAsync(client);
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    /// <summary>Interim answers are heads, too: they wait for room like any other.</summary>
    [Test]
    public async Task A_client_that_never_reads_interim_answers_is_not_read_from_and_cut()
    {
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            string answer =
                string.Concat(Enumerable.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n", 500))
                + FaultyBackend.Ok;
            backend.Answers(
                async (peer, _) =>
                {
                    await peer.SendAsync(answer);
                    return true;
                }
            );
            await NeverReadAsync(backend.Host, "/fault", GrowthWithHeadsMax);
            using H2Client client = await ConnectAsync();
            await StillServesAsync(client);
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    /// <summary>Who reads late, but does, gets all of it: 250 answers whose heads are far more than what waits at once.</summary>
    [Test]
    public async Task A_client_that_reads_late_gets_every_head()
    {
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            const int Streams = 250;
            const int Enough = 20; // More is not read from a client whose output is full, so that not all may come before it reads.
            using var asked = new SemaphoreSlim(0);
            string answer = $"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Long: {new string('x', 30_000)}\r\n\r\nok";
            backend.Answers(
                async (peer, _) =>
                {
                    await peer.SendAsync(answer);
                    asked.Release();
                    return true;
                }
            );
            using H2Client client = await H2Client.DialAsync(Port);
            await client.SendAsync([.. H2Frame.Preface, .. H2Frame.Settings()]);
            H2Stream[] streams = [.. Enumerable.Range(0, Streams).Select(_ => client.Open())];
            foreach (H2Stream stream in streams)
            {
                await client.SendAsync(H2Frame.Headers(stream.Id, H2Frame.Request(backend.Host, "/fault")));
            }

            for (int i = 0; i < Enough; i++)
            {
                Assert.That(await asked.WaitAsync(CutLimit), Is.True);
            }

            client.Begin();
            foreach (H2Stream stream in streams)
            {
                RawResponse response = await stream.ResponseAsync();
                Assert.That((response.Status, response.Header("x-long")?.Length, response.Text), Is.EqualTo((200, (int?)30_000, "ok")));
            }

            await StillServesAsync(client);
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    [Test]
    public async Task Interim_answers_without_end_are_502_and_the_log_says_whose([Values] bool http2)
    {
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            string interim = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
            string many = string.Concat(Enumerable.Repeat(interim, 100));
            backend.Answers(
                async (peer, _) =>
                {
                    try
                    {
                        while (true)
                        {
                            await peer.SendAsync(many);
                        }
                    }
                    catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
                    {
                        return false;
                    }
                }
            );
            int logged = Gateway.Log.Lines.Count;
            (RawResponse response, int count) = http2 ? await AskHttp2Async(backend.Host) : await AskHttp1Async(backend.Host);

            Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((502, "BAD_BACKEND_RESPONSE")));
            Assert.That(count * interim.Length, Is.InRange(InterimBytesMax - interim.Length, InterimBytesMax));
            await Gateway.LogsAsync(logged, backend.Host, "interim responses without end");
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    [Test]
    public async Task A_thousand_small_interim_answers_are_relayed([Values] bool http2)
    {
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        try
        {
            const int Interims = 1000;
            backend.Answers(
                async (peer, _) =>
                {
                    await peer.SendAsync(string.Concat(Enumerable.Repeat("HTTP/1.1 102 Processing\r\n\r\n", Interims)) + FaultyBackend.Ok);
                    return true;
                }
            );
            (RawResponse response, int count) = http2 ? await AskHttp2Async(backend.Host) : await AskHttp1Async(backend.Host);
            Assert.That((response.Status, response.Text, count), Is.EqualTo((200, "ok", Interims)));
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    /// <summary>A client may lose the answer when the reset comes with it; one that ends its request in time needs none.</summary>
    [Test]
    public async Task A_client_that_ends_its_request_after_an_early_answer_is_not_reset()
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
            H2Stream? ends = null;
            for (int i = 0; i < Attempts && ends is null; i++)
            {
                long asked = Stopwatch.GetTimestamp();
                H2Stream stream = await client.BeginAsync(H2Frame.Request(backend.Host, "/fault", "POST"), end: false);
                Assert.That((await stream.ResponseAsync()).Status, Is.EqualTo(413));
                await client.SendAsync(H2Frame.Data(stream.Id, new byte[1000], end: true));

                // On a busy machine the test may be too late itself.
                ends = Stopwatch.GetElapsedTime(asked).TotalMilliseconds < HoldMs ? stream : null;
            }

            if (ends is null)
            {
                Assert.Ignore("This machine is too busy to end a request in time.");
            }

            // The reset of one that comes later is due later.
            H2Stream goesOn = await client.BeginAsync(H2Frame.Request(backend.Host, "/fault", "POST"), end: false);
            Assert.That((await goesOn.ResponseAsync()).Status, Is.EqualTo(413));
            Assert.That(await goesOn.ResetAsync(), Is.EqualTo(H2Error.None));
            await client.PingAsync();
            Assert.That(ends!.IsGone, Is.False);
            await StillServesAsync(client);
        }
        finally
        {
            Http2Gateway.Give(backend);
        }
    }

    [Test]
    public async Task Curl_sees_an_answer_that_comes_before_its_upload_is_done()
    {
        const int Runs = 12;
        FaultyBackend backend = await Http2Gateway.TakeAsync();
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(file, new byte[4_000_000]);
            backend.Answers(
                async (peer, _) =>
                {
                    await peer.SendAsync("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
                    await peer.EndedAsync();
                    return false;
                }
            );
            var seen = new List<string>();
            for (int run = 0; run < Runs; run++)
            {
                Tool curl = await Tool.CurlAsync(
                    "--http2-prior-knowledge",
                    "-o",
                    "/dev/null",
                    "-w",
                    "%{http_code}",
                    "-H",
                    $"Host: {backend.Host}",
                    "--data-binary",
                    "@" + file,
                    $"http://127.0.0.1:{Port}/fault"
                );
                seen.Add(curl.Out);
            }

            Assert.That(seen, Is.All.EqualTo("413"));
        }
        finally
        {
            File.Delete(file);
            Http2Gateway.Give(backend);
        }
    }

    /// <summary>
    /// Sends requests and reads nothing, until it is cut. Their answers are heads, which no window holds back. The gateway's memory is
    /// looked at all the while.
    /// </summary>
    private static async Task NeverReadAsync(string host, string path, long growthMax)
    {
        long before = ProcessVitals.Of(Gateway.Pid).ResidentBytes;
        long most = 0;
        int sent = 0;
        using H2Client client = await H2Client.DialAsync(Port); // Begin() is never called.
        await client.SendAsync([
            .. H2Frame.Preface,
            .. H2Frame.Settings((H2Frame.InitialWindowSize, int.MaxValue)),
            .. H2Frame.Window(0, int.MaxValue - 65535),
        ]);
        try
        {
            for (; sent < RequestsMax && most < growthMax; sent += Batch)
            {
                byte[] batch =
                [
                    .. Enumerable.Range(sent, Batch).SelectMany(i => H2Frame.Headers(1 + (2 * i), H2Frame.Request(host, path, "HEAD"))),
                ];
                await client.SendAsync(batch).InTimeAsync("the gateway cuts a client that takes nothing", CutLimit);
                most = Math.Max(most, ProcessVitals.Of(Gateway.Pid).ResidentBytes - before);
            }
        }
        catch (SocketException)
        {
            most = Math.Max(most, ProcessVitals.Of(Gateway.Pid).ResidentBytes - before);
            await Figures.NoteAsync($"cut after {sent} requests, {most / 1024} KiB at most");
            Assert.That(most, Is.LessThan(growthMax));
            return;
        }

        Assert.Fail($"{sent} requests were read, {most / 1024} KiB more in the gateway");
    }

    private static async Task<(RawResponse Response, int Interims)> AskHttp1Async(string host)
    {
        using RawClient client = await RawClient.ConnectAsync(Port);
        await client.SendAsync(RawClient.Head(host, "/fault"));
        RawResponse response = await client.ReadResponseAsync();
        return (response, response.Interim.Count);
    }

    private static async Task<(RawResponse Response, int Interims)> AskHttp2Async(string host)
    {
        using H2Client client = await ConnectAsync();
        H2Stream stream = await client.GetAsync(host, "/fault");
        RawResponse response = await stream.ResponseAsync();
        return (response, response.Interim.Count);
    }
}
