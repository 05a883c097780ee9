using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Programs;

/// <summary>Servers that serve one request at a time are busy with a long download, and not dead.</summary>
[LongRunning]
internal sealed class BusyServerTests : ProgramTest
{
    // Not gunicorn's: it kills a sync worker that is busy for 30 seconds (its --timeout).
    private static readonly string[] HundredSeconds = ["HTTPServer with HTTP/1.1", "Bottle", "php -S"];

    private static IEnumerable<TestCaseData> OneAtATime => Cases(ProgramTable.Small.Where(program => program.OneAtATime));

    private static IEnumerable<TestCaseData> Slow => Cases(ProgramTable.Small.Where(program => HundredSeconds.Contains(program.Name)));

    /// <summary>Five seconds of download, twenty-five health checks, of which three failures in a row would be enough.</summary>
    [TestCaseSource(nameof(OneAtATime))]
    public async Task A_download_outlasts_many_health_checks_and_who_comes_meanwhile_waits(RealProgram program)
    {
        const int PauseMs = 50;
        await PutBehindGatewayAsync(program, "ready_health_check_interval_ms = 200", $"idle_timeout_secs = {IdleSecs}");
        Task rows = RowsAsync(PauseMs);
        await Gateway.UntilAsync("it is in use", async () => rows.IsFaulted || (await RunAsync()).IsInUse);
        long generation = (await RunAsync()).Generation;

        Task other = PageAsync();
        await rows;
        await other;

        Assert.That((await RunAsync()).Generation, Is.EqualTo(generation), "it was started again while it was busy");
        Assert.That(Gateway.LogText, Does.Not.Contain("unhealthy"));
    }

    /// <summary>A row each second for 100 seconds, with nothing but defaults.</summary>
    [TestCaseSource(nameof(Slow))]
    [LargePrograms]
    public async Task A_download_of_100_seconds_survives_on_all_defaults(RealProgram program)
    {
        const int PauseMs = 1000;
        await PutBehindGatewayAsync(program);

        await RowsAsync(PauseMs);

        Assert.That((await RunAsync()).Generation, Is.EqualTo(1));
        Assert.That(Gateway.LogText, Does.Not.Contain("unhealthy"));
    }
}
