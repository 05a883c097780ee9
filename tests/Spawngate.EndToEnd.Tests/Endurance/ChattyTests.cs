using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>A child that writes as fast as it can is drained, and costs the others only the processor time that its output takes.</summary>
[NonParallelizable]
internal sealed class ChattyTests : GatewayTest
{
    private const string Chatty = "chatty.test";
    private const int LineBytes = 1000;
    private const long GrowthBytesMax = 24 * 1024 * 1024;
    private const int Baseline = 400;
    private static readonly Task Never = new TaskCompletionSource().Task;

    /// <summary>With its output logged, to a reader that takes all of it; and with its output filtered out of the log.</summary>
    [TestCase("info")]
    [TestCase("info,backend=off")]
    public async Task A_flood_of_output_blocks_nobody_and_memory_stays_flat(string level)
    {
        int lines = Effort.Scale(@long: 1_000_000, native: 200_000, managed: 50_000);
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("request_timeout_secs = 300").TestBackend(Host).TestBackend(Chatty, "--name=chatty"),
            ("SPAWNGATE_LOG", level)
        );
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await RawClient.RequestAsync(gateway.Port, Chatty, $"/stdout?n=20000&length={LineBytes}");
        await MeasureAsync(client, Never, Baseline);
        List<double> alone = await MeasureAsync(client, Never, Baseline);
        ProcessVitals before = ProcessVitals.Of(gateway.Pid);
        long began = Stopwatch.GetTimestamp();

        Task<RawResponse> flood = RawClient.RequestAsync(gateway.Port, Chatty, $"/stdout?n={lines}&length={LineBytes}");
        List<double> beside = await MeasureAsync(client, flood, int.MaxValue);

        TimeSpan took = Stopwatch.GetElapsedTime(began);
        ProcessVitals after = ProcessVitals.Of(gateway.Pid);
        Assert.That((await flood).Text, Is.EqualTo("written"));
        double mb = lines * (LineBytes + 1.0) / 1e6;
        await Figures.NoteAsync(
            $"{mb:F0} MB of output in {took.TotalSeconds:F1} s ({mb / took.TotalSeconds:F0} MB/s), {after.CpuMs - before.CpuMs} ms of CPU, "
                + $"{before.ResidentBytes / 1e6:F1} MB resident before, {after.ResidentBytes / 1e6:F1} MB after; "
                + $"another backend's requests: median {Figures.Median(alone):F2} ms alone, {Figures.Median(beside):F2} ms beside it, "
                + $"the slowest of {beside.Count} {beside.Max():F1} ms"
        );
        Assert.That(after.ResidentBytes - before.ResidentBytes, Is.LessThan(GrowthBytesMax));

        // The writer and the reader of the log want a core each, so on two cores everybody else waits for a turn now and then.
        Assert.That(Figures.Median(beside), Is.LessThan((20 * Figures.Median(alone)) + 5), "median of the requests beside the flood");
        Assert.That(beside.Max(), Is.LessThan(1000 * (1 + Strain.SecsSince(began))), "slowest request beside the flood");
    }

    /// <summary>Milliseconds of requests one after the other, until so many or until the event.</summary>
    private static async Task<List<double>> MeasureAsync(RawClient client, Task until, int count)
    {
        var times = new List<double>();
        while (times.Count < count && !until.IsCompleted)
        {
            long asked = Stopwatch.GetTimestamp();
            Assert.That((await client.ExchangeAsync(Host, "/")).Status, Is.EqualTo(200));
            times.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
        }

        return times;
    }
}
