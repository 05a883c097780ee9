using System.Diagnostics;
using System.Globalization;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>How long a request waits for a container, and for whom. Alone: it measures time.</summary>
[TestFixture]
[NonParallelizable]
internal sealed class ColdStartTests : ContainerTest
{
    private const int Starts = 9;

    // Of the time that a bare TestBackend takes to start and answer, measured in turn: 1.1 on an idle machine, 0.9 with two busy loops on
    // each core, 19 if a health check came an interval of 100 ms late.
    private const double OwnRatioMax = 4;

    /// <summary>
    /// Our part is everything but the engine's create and start, and the time until the program in the container listens.
    /// </summary>
    [Test]
    public async Task Our_own_part_of_a_cold_start_is_at_most_4_bare_starts()
    {
        GatewayProcess gateway = await GatewayAsync();
        List<double> own = [],
            engine = [],
            all = [],
            direct = [];
        for (int i = 0; i < Starts; i++)
        {
            direct.Add(await DirectBackend.AnswersMsAsync(Scene));
            int logged = gateway.Log.Lines.Count;
            Task<long> listening = ListeningAsync(i);
            long asked = Stopwatch.GetTimestamp();
            await ServesAsync(gateway);
            long answered = Stopwatch.GetTimestamp();
            LogLine started = await gateway.LogsAsync(logged, "Container started");
            engine.Add(Number(started, "create_ms") + Number(started, "start_ms"));
            all.Add(Stopwatch.GetElapsedTime(asked, answered).TotalMilliseconds);

            // It may listen before the engine has answered to its start: from then on the time is ours all the same.
            double afterListening = Stopwatch.GetElapsedTime(await listening, answered).TotalMilliseconds;
            double afterStart = all[^1] - engine[^1] - Number(started, "own_ms");
            own.Add(Number(started, "own_ms") + Math.Min(afterListening, afterStart));
            await gateway.Admin.PostAsync($"/backends/{Host}/stop");
            await StoppedAsync(gateway);
        }

        await Figures.NoteAsync("a request to a stopped container, ms", all);
        await Figures.NoteAsync("of that the engine's create and start, ms", engine);
        await Figures.NoteAsync("of that our own part, ms", own);
        await Figures.NoteAsync("from the exec of a bare TestBackend to its answer, ms", direct);
        Figures.AssertRatio(own, direct, OwnRatioMax, "our own part of a cold start, ms");
    }

    private static double Number(LogLine line, string field) => double.Parse(line.Field(field)!, CultureInfo.InvariantCulture);

    private async Task<long> ListeningAsync(int index)
    {
        BackendProcess backend = await Containers.StartAsync(index: index);
        await backend.ToldAsync("listening");
        return Stopwatch.GetTimestamp();
    }
}
