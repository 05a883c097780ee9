using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Sessions;

/// <summary>Hundreds of sessions at once.</summary>
[LongRunning, NonParallelizable]
internal sealed class SessionStormTests : SessionTest
{
    /// <summary>What else may be open: of the runtime, and of the last calls.</summary>
    private const int DescriptorsSpare = 8;

    [Test]
    public async Task Hundreds_made_at_once_are_all_ready_reached_and_swept()
    {
        int count = Executables.GatewayIsNative ? 500 : 50;
        const int GraceSecs = 10,
            CallsAtOnce = 32;
        using var calls = new SemaphoreSlim(CallsAtOnce);
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Section("[sessions]", $"domain = \"{Domain}\"", $"max = {count}")
                .Template("t", [$"grace_period_secs = {GraceSecs}", "startup_timeout_secs = 300", "ready_health_check_interval_ms = 0"])
        );
        await CallAsync(gateway, HttpMethod.Post, "/spawn", "{\"template\":\"none\"}");
        ProcessVitals before = ProcessVitals.Of(gateway.Pid);
        long resident = ProcessScan.ResidentBytes(gateway.Pid);

        long began = Stopwatch.GetTimestamp();
        var sessions = new Spawned[count];
        var answeredAfter = new double[count];
        var readyAfter = new double[count];
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = count }, async (i, _) =>
        {
            await calls.WaitAsync(CancellationToken.None);
            try
            {
                sessions[i] = await SpawnAsync(gateway);
            }
            finally
            {
                calls.Release();
            }

            answeredAfter[i] = Stopwatch.GetElapsedTime(began).TotalSeconds;
            RawResponse response = await AskAsync(gateway, sessions[i], "/env?name=PORT");
            readyAfter[i] = Stopwatch.GetElapsedTime(began).TotalSeconds;
            Assert.That(response.Status, Is.EqualTo(200), response.Text);
        });
        double perSession = (ProcessScan.ResidentBytes(gateway.Pid) - resident) / 1024.0 / count;
        await Figures.NoteAsync(
            $"{count} sessions at once: all calls answered after {answeredAfter.Max():F2} s, the last ready after "
                + $"{readyAfter.Max():F1} s ({count / readyAfter.Max():F0} a second), "
                + $"{perSession:F1} KB of the gateway's memory each"
        );

        await Parallel.ForEachAsync(sessions, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (session, _) =>
            await UntilAsync(gateway, session, "Swept")
        );
        Assert.That((await AskAsync(gateway, sessions[0])).Status, Is.EqualTo(410));
        await gateway.UntilAsync("nothing runs", () => Task.FromResult(Scene.Children().Count == 0));
        await gateway.UntilAsync("the descriptors are closed", () =>
            Task.FromResult(ProcessVitals.Of(gateway.Pid).Descriptors <= before.Descriptors + CallsAtOnce + DescriptorsSpare)
        );
        Assert.That((await gateway.Admin.JsonAsync("/backends")).GetProperty("count").GetInt32(), Is.Zero);
        string metrics = await gateway.Admin.TextAsync("/metrics");
        Assert.That(metrics, Does.Contain($"spawngate_sessions_ended_total{{template=\"t\",state=\"swept\"}} {count}\n"));
        Assert.That(metrics, Does.Not.Contain($".{Domain}\""), "no series for a single session");
        Assert.That(metrics, Does.Contain($"spawngate_requests_total{{hostname=\"_session:t\",protocol=\"h1\",code=\"2xx\"}} {count}\n"));
        Assert.That(sessions.Select(session => session.Name).Distinct().Count(), Is.EqualTo(count));
    }
}
