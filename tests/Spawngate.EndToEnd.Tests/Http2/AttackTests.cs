using System.Diagnostics;
using System.Net.Sockets;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>
/// Clients that mean harm. Each is stopped with the code that docs/concepts/http2.md names, after a bounded number of frames, while the
/// gateway's memory and processor time stay within bounds and a client beside it is served as before.
/// </summary>
[NonParallelizable]
[LongRunning]
internal sealed class AttackTests : Http2Test
{
    /// <summary>What one attack may cost. The budgets let some 1,000 frames through, which take a few milliseconds.</summary>
    private const int CpuMsMax = 1500;

    private const long GrowthMax = 24 * 1024 * 1024;

    /// <summary>
    /// A request beside the attack may take so many times as long as before, or so many milliseconds: attacker, polite client and backends
    /// share the machine with the gateway, and a thousand requests that are cancelled at once are a thousand connections to a backend.
    /// </summary>
    private const double SlowdownMax = 10,
        LatencyMsMax = 100;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Name, what is sent once, what is sent again and again (by number), and how many times at most before the end must come.
    /// </summary>
    private static IEnumerable<TestCaseData> Floods()
    {
        static int Stream(int i) => 1 + (2 * i);
        // Another backend than the polite client's.
        byte[] Get(int i, bool end) => H2Frame.Headers(Stream(i), H2Frame.Request(ImpatientHost, "/slow?headMs=300"), end);
        yield return Flood("rapid reset (CVE-2023-44487)", [], i => [.. Get(i, end: true), .. H2Frame.Reset(Stream(i))], 2000);
        yield return Flood(
            "made you reset by a window (CVE-2025-8671)",
            [],
            i => [.. Get(i, end: true), .. H2Frame.Window(Stream(i), 0)],
            2000
        );
        yield return Flood("made you reset by data behind the end", [], i => [.. Get(i, end: true), .. H2Frame.Data(Stream(i), [1])], 2000);
        yield return Flood("made you reset by a malformed request", [], i => H2Frame.Headers(Stream(i), [(":method", "GET")]), 2000);
        yield return Flood("PING (CVE-2019-9512)", [], i => H2Frame.Ping(i), 2000);
        yield return Flood("SETTINGS (CVE-2019-9515)", [], _ => H2Frame.Settings(), 500);
        yield return Flood("SETTINGS with windows", [], i => H2Frame.Settings((H2Frame.InitialWindowSize, (uint)(i % 2 * 1000))), 500);
        yield return Flood("PRIORITY (CVE-2019-9513)", [], i => H2Frame.Of(H2Type.Priority, 0, Stream(i), 0, 0, 0, 0, 15), 2000);
        yield return Flood("PRIORITY_UPDATE", [], _ => H2Frame.PriorityUpdate(1, "u=0"), 2000);
        yield return Flood(
            "empty DATA (CVE-2019-9518)",
            H2Frame.Headers(1, H2Frame.Request(Host, "/upload", "POST"), end: false),
            _ => H2Frame.Data(1, []),
            2000
        );
        yield return Flood(
            "padding only",
            H2Frame.Headers(1, H2Frame.Request(Host, "/upload", "POST"), end: false),
            _ => H2Frame.Of(H2Type.Data, 8, 1, 0),
            2000
        );
        yield return Flood("WINDOW_UPDATE", [], _ => H2Frame.Window(0, 1), 2000);
        yield return Flood(
            "one byte of window at a time (CVE-2019-9511)",
            [.. H2Frame.Settings((H2Frame.InitialWindowSize, 0u)), .. H2Frame.Headers(1, H2Frame.Request(Host, "/bytes?n=1000000"))],
            _ => H2Frame.Window(1, 1),
            4000
        );
        yield return Flood("unknown frames", [], _ => H2Frame.Of((H2Type)0xfa, 0, 0), 2000);
        yield return Flood("GOAWAY", Get(0, end: true), _ => H2Frame.Of(H2Type.GoAway, 0, 0, new byte[8]), 2000);
        yield return Flood("RST_STREAM of a closed stream", [.. Get(0, end: true), .. H2Frame.Reset(1)], _ => H2Frame.Reset(1), 2000);
        byte[] opening = H2Frame.Of(H2Type.Headers, 1, 1, H2Frame.Block(H2Frame.Request(Host, "/")));
        yield return Flood(
            "CONTINUATION without end (CVE-2024-27316)",
            opening,
            _ => H2Frame.Of(H2Type.Continuation, 0, 1, H2Frame.Block([("x", "y")])),
            100
        );
        yield return Flood("empty CONTINUATION", opening, _ => H2Frame.Of(H2Type.Continuation, 0, 1), 100);
        yield return Flood(
            "CONTINUATION of full frames",
            opening,
            _ => H2Frame.Of(H2Type.Continuation, 0, 1, H2Frame.Block([("x", new string('y', 16000))])),
            100
        );

        static TestCaseData Flood(string name, byte[] first, Func<int, byte[]> next, int timesMax) =>
            new TestCaseData(first, next, timesMax).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Floods))]
    public async Task A_flood_ends_with_ENHANCE_YOUR_CALM(byte[] first, Func<int, byte[]> next, int timesMax)
    {
        int sent = 0;
        H2GoAway? goAway = null;
        await MeasureAsync(async () =>
        {
            using H2Client client = await H2Client.ConnectAsync(Port);
            client.IgnoresStreams = true;
            try
            {
                await client.SendAsync(first);
                for (; sent < timesMax && !client.Ended.IsCompleted && client.LastGoAway is not { Code: not H2Error.None }; sent += 20)
                {
                    await client.SendAsync([.. Enumerable.Range(sent, 20).SelectMany(next)]);
                }
            }
            catch (SocketException)
            {
                // The gateway has closed; what it said before is read.
            }

            await client.EndsAsync(Limit);
            goAway = client.LastGoAway;
        });

        Assert.That(goAway?.Code, Is.EqualTo(H2Error.EnhanceYourCalm), $"after {sent}");
    }

    /// <summary>An entry of the dynamic table that is told again and again: 16 KB on the wire are 60 MB of fields.</summary>
    [Test]
    public async Task An_HPACK_bomb_is_431_and_is_not_blown_up()
    {
        const int Streams = 20;
        byte[] entry = H2Frame.Block([("x-bomb", new string('b', 3900))]);
        entry[0] = 0x40; // Literal with incremental indexing.
        byte[] request = H2Frame.Block(H2Frame.Request(Host, "/"));
        await MeasureAsync(async () =>
        {
            using H2Client client = await ConnectAsync();
            var streams = new List<H2Stream>();
            for (int i = 0; i < Streams; i++)
            {
                H2Stream stream = client.Open();
                streams.Add(stream);
                byte[] block = i == 0 ? [.. request, .. entry] : [.. request, .. Enumerable.Repeat((byte)0xbe, 16000)];
                await client.SendAsync(H2Frame.Of(H2Type.Headers, H2Frame.EndHeaders | H2Frame.EndStream, stream.Id, block));
            }

            Assert.That((await streams[0].ResponseAsync()).Status, Is.EqualTo(200));
            foreach (H2Stream stream in streams.Skip(1))
            {
                Assert.That((await stream.ResponseAsync()).Status, Is.EqualTo(431));
            }

            await StillServesAsync(client);
        });
    }

    /// <summary>All streams that there may be, and not a byte of window for any of them (CVE-2019-9517).</summary>
    [Test]
    public async Task Streams_without_window_are_reset_when_their_time_is_up()
    {
        const int Streams = 250;
        await MeasureAsync(async () =>
        {
            using H2Client client = await ConnectAsync((H2Frame.InitialWindowSize, 0));
            var streams = new List<H2Stream>();
            for (int i = 0; i < Streams; i++)
            {
                streams.Add(await client.GetAsync(ImpatientHost, "/bytes?n=1000000"));
            }

            foreach (H2Stream stream in streams)
            {
                Assert.That(async () => await stream.ResponseAsync(), Throws.InstanceOf<StreamResetException>());
            }

            await NothingInFlightAsync();
        });
    }

    [Test]
    public async Task A_client_that_reads_nothing_is_left_when_its_time_is_up()
    {
        await MeasureAsync(async () =>
        {
            using H2Client client = await H2Client.DialAsync(Port); // Begin() is never called.
            await client.SendAsync([
                .. H2Frame.Preface,
                .. H2Frame.Settings((H2Frame.InitialWindowSize, int.MaxValue)),
                .. H2Frame.Window(0, int.MaxValue - 65535),
            ]);
            for (int i = 0; i < 20; i++)
            {
                await client.SendAsync(H2Frame.Headers(1 + (2 * i), H2Frame.Request(ImpatientHost, "/bytes?n=100000000")));
            }

            await Gateway.UntilAsync("requests are in flight", async () => await InFlightAsync() > 0);
            await NothingInFlightAsync();
        });
    }

    [Test]
    public async Task More_streams_than_announced_are_refused_and_may_come_again()
    {
        const int Allowed = 250;
        await MeasureAsync(async () =>
        {
            using H2Client client = await ConnectAsync();
            H2Stream[] streams = [.. Enumerable.Range(0, Allowed + 10).Select(_ => client.Open())];
            await client.SendAsync([
                .. streams.SelectMany(stream => H2Frame.Headers(stream.Id, H2Frame.Request(Host, "/slow?headMs=3000"))),
            ]);
            foreach (H2Stream stream in streams[Allowed..])
            {
                Assert.That(await stream.ResetAsync(), Is.EqualTo(H2Error.RefusedStream));
            }

            foreach (H2Stream stream in streams[..Allowed])
            {
                Assert.That((await stream.ResponseAsync()).Text, Is.EqualTo("slow"));
            }

            await StillServesAsync(client);
        });
    }

    private static async Task<int> InFlightAsync() => (await Gateway.Admin.BackendAsync(ImpatientHost)).GetProperty("in_flight").GetInt32();

    private static Task NothingInFlightAsync() => Gateway.UntilAsync("nothing is in flight", async () => await InFlightAsync() == 0);

    private static async Task MeasureAsync(Func<Task> attack)
    {
        using PoliteClient polite = await PoliteClient.BeginAsync(Port);
        ProcessVitals before = ProcessVitals.Of(Gateway.Pid);
        long began = Stopwatch.GetTimestamp();

        await attack();

        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        double tookMs = await polite.EndAsync();
        ProcessVitals after = ProcessVitals.Of(Gateway.Pid);
        await Figures.NoteAsync(
            $"{seconds:F2} s, {after.CpuMs - before.CpuMs} ms of CPU, "
                + $"{(after.ResidentBytes - before.ResidentBytes) / 1024:+0;-0} KiB; a request beside it {tookMs:F2} ms, before "
                + $"{polite.BaselineMs:F2} ms"
        );
        Assert.That(tookMs, Is.LessThan(Math.Max(LatencyMsMax, SlowdownMax * polite.BaselineMs)), "ms for a request beside it");
        Assert.That(after.CpuMs - before.CpuMs, Is.LessThan(CpuMsMax * Math.Max(1, seconds)), "ms of CPU");
        Assert.That(after.ResidentBytes - before.ResidentBytes, Is.LessThan(GrowthMax));
    }
}
