using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Spawngate.EndToEnd.Tests.Endurance;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http1;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>Much at once: every byte at its place, and a gateway that is no larger afterwards.</summary>
[NonParallelizable]
[LongRunning]
internal sealed partial class LoadTests : GatewayTest
{
    private const int MiB = 1024 * 1024;
    private const long GrowthMax = 16 * MiB;

    /// <summary>
    /// In its first 200,000 requests the heap of the gateway grows to its size under this load, some 25 MB more than after a second; a long
    /// run begins to measure there.
    /// </summary>
    private const long WarmingMax = 40 * MiB;

    private const int DescriptorsMax = (2 * 16 * 32) + 100;

    /// <summary>Not a divisor of any buffer's size, so that a block that is lost, doubled or swapped shows.</summary>
    private static readonly byte[] Block = TestBackend.Pattern.Take(1_000_003);

    private static readonly long Size =
        MiB
        * (
            Environment.GetEnvironmentVariable("SPAWNGATE_GIANT_MIB") is { Length: > 0 } text
                ? long.Parse(text, CultureInfo.InvariantCulture)
            : Executables.GatewayIsNative ? 1024
            : 64
        );

    [Test]
    public async Task A_gibibyte_comes_down_while_another_goes_up_on_one_connection()
    {
        const uint Window = MiB;
        GatewayProcess gateway = await Scene.GatewayAsync(ScriptedUpstream.Configure(new ConfigFile(), Host));
        using ScriptedUpstream upstream = await ScriptedUpstream.StartAsync(gateway, Control, Host, ServeAsync);
        using H2Client client = await H2Client.ConnectAsync(gateway.Port, (H2Frame.InitialWindowSize, Window));
        await client.GrantAsync(null, Window);
        await client.ExchangeAsync(Host, "/");
        (long before, long peakBefore) = (ProcessScan.ResidentBytes(gateway.Pid), ProcessScan.PeakResidentBytes(gateway.Pid));
        long began = Stopwatch.GetTimestamp();

        var expected = new Expectation();
        H2Stream down = client.Open(take: expected.TakeAsync);
        await client.SendAsync(H2Frame.Headers(down.Id, H2Frame.Request(Host, "/giant")));
        H2Stream up = await client.BeginAsync(H2Frame.Request(Host, "/giant", "PUT"), end: false);
        for (long at = 0; at < Size; at += Block.Length)
        {
            int part = (int)Math.Min(Block.Length, Size - at);
            Assert.That(await client.SendBodyAsync(up, Block.AsMemory(0, part), end: at + part == Size));
        }

        RawResponse uploaded = await up.ResponseAsync(TimeSpan.FromMinutes(2));
        double upSeconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        await down.ResponseAsync(TimeSpan.FromMinutes(2));

        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        long grown = ProcessScan.ResidentBytes(gateway.Pid) - before;
        long peak = ProcessScan.PeakResidentBytes(gateway.Pid) - peakBefore;
        await Figures.NoteAsync(
            $"{Size / MiB} MiB each way: {seconds:F1} s (up {upSeconds:F1} s), resident memory {grown / 1024.0:+0;-0} KiB, "
                + $"its peak {peak / 1024.0:+0;-0} KiB"
        );
        Assert.That((uploaded.Text, expected.Length), Is.EqualTo(($"{Size}", Size)));
        Assert.That(grown, Is.LessThan(GrowthMax));
        Assert.That(peak, Is.LessThan(GrowthMax), "not even for a moment");
        Assert.That((await client.ExchangeAsync(Host, "/")).Text, Is.EqualTo("ok"));
    }

    [Test]
    public async Task H2load_sees_no_error_and_the_gateway_does_not_grow()
    {
        string h2load = Executables.FindOrSkip("h2load");
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().TestBackend("*"));
        await LoadAsync(h2load, gateway, TimeSpan.FromSeconds(Effort.Scale(@long: 15, native: 1, managed: 1)));
        ProcessVitals before = ProcessVitals.Of(gateway.Pid);

        int served = await LoadAsync(h2load, gateway, Effort.Span(native: 3, managed: 2));

        ProcessVitals after = ProcessVitals.Of(gateway.Pid);
        await Figures.NoteAsync(
            $"{served} requests, {1000.0 * (after.CpuMs - before.CpuMs) / served:F1} µs of CPU each; before {before}, after {after}"
        );
        Assert.That(after.Descriptors, Is.LessThan(DescriptorsMax), "two for each stream of two loads, and some");
        Assert.That(after.ResidentBytes - before.ResidentBytes, Is.LessThan(Effort.IsLong ? GrowthMax : WarmingMax));
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        Assert.That((await client.ExchangeAsync(Host, "/status?code=200")).Status, Is.EqualTo(200));
    }

    /// <summary>Requests that were answered; all of them, and all with 2xx.</summary>
    private static async Task<int> LoadAsync(string h2load, GatewayProcess gateway, TimeSpan span)
    {
        Tool load = await Tool.RunAsync(
            span + Patience.Default,
            h2load,
            "-c16",
            "-m32",
            "-t1",
            "-D",
            $"{span.TotalSeconds:F0}",
            $"http://127.0.0.1:{gateway.Port}/status?code=200"
        );
        Match requests = Requests().Match(load.Out);
        Assert.That(requests.Success, load.Out + load.Error);
        Assert.That((requests.Groups[2].Value, requests.Groups[3].Value, requests.Groups[4].Value), Is.EqualTo(("0", "0", "0")), load.Out);
        Assert.That(load.Out, Does.Match(@"status codes: \d+ 2xx, 0 3xx, 0 4xx, 0 5xx"));
        int served = int.Parse(requests.Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.That(served, Is.Positive);
        return served;
    }

    [GeneratedRegex(@"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")]
    private static partial Regex Requests();

    private static async Task ServeAsync(System.Net.Sockets.Socket socket)
    {
        using var peer = new UpstreamPeer(socket);
        while (await peer.ReadHeadAsync() is { } request)
        {
            if (request.Target != "/giant")
            {
                await peer.SendAsync(FaultyBackend.Ok);
            }
            else if (request.Method == "GET")
            {
                await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {Size}\r\n\r\n");
                for (long at = 0; at < Size; at += Block.Length)
                {
                    await peer.SendAsync(Block.AsMemory(0, (int)Math.Min(Block.Length, Size - at)));
                }
            }
            else
            {
                var expected = new Expectation();
                string answer = await peer.ReadBodyAsync(request, expected.TakeAsync) ? $"{expected.Length}" : "cut short";
                await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {answer.Length}\r\n\r\n{answer}");
            }
        }
    }

    /// <summary>The receiving end: compares each piece with what must stand there.</summary>
    private sealed class Expectation
    {
        /// <summary>Bytes taken.</summary>
        public long Length { get; private set; }

        public Task TakeAsync(ReadOnlyMemory<byte> part)
        {
            while (part.Length > 0)
            {
                int at = (int)(Length % Block.Length);
                int count = Math.Min(part.Length, Block.Length - at);
                if (!part.Span[..count].SequenceEqual(Block.AsSpan(at, count)))
                {
                    throw new InvalidDataException($"wrong bytes between {Length} and {Length + count}");
                }

                Length += count;
                part = part[count..];
            }

            return Task.CompletedTask;
        }
    }
}
