using System.Globalization;
using System.Security.Cryptography;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Platform;

namespace Spawngate.Tests;

/// <summary>Daemons that left the group of their run: they end with it.</summary>
[Platform("Linux")]
internal sealed class RunRemainsTests
{
    private PlatformScene _scene = null!;
    private LineCollector _lines = null!;
    private ProcessLauncher _launcher = null!;

    [SetUp]
    public void SetUp()
    {
        _scene = new PlatformScene();
        _lines = new LineCollector();
        _launcher = new ProcessLauncher(ChildEnvironment.Capture(), _scene.Drain, _lines, TimeProvider.System);
    }

    [TearDown]
    public void TearDown() => _scene.Dispose();

    [Test]
    public async Task A_daemon_in_a_session_of_its_own_is_asked_and_has_its_time()
    {
        string gate = Path.Combine(_scene.Folder, "gate");
        ILaunchedRun run = await Launch(
            $"mkfifo {gate}; (setsid sh -c 'trap \"cat {gate}; echo cleaned; exit 0\" TERM; echo $$; while true; do sleep 1000 & wait; done' &); exec sleep 1000");
        int daemon = await Number();
        run.Terminate();
        await using (new FileStream(gate, FileMode.Open, FileAccess.Write))
        {
            // Opened, so the daemon got its SIGTERM and cleans up.
            Assert.That(run.Exited.IsCompleted, Is.False);
        }

        await run.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(_lines.Lines, Does.Contain("cleaned"));
        Assert.That(ProcessTable.Find(daemon), Is.Null);
    }

    [Test]
    public async Task A_daemon_that_ignores_the_polite_signal_is_killed_with_the_run()
    {
        ILaunchedRun run = await Launch("(setsid sh -c 'trap \"echo asked\" TERM; echo $$; while true; do sleep 1000 & wait; done' &); exec sleep 1000");
        int daemon = await Number();
        run.Terminate();
        await _lines.Next(static line => line == "asked");
        Assert.That(run.Exited.IsCompleted, Is.False);
        run.Kill();
        await run.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(ProcessTable.Find(daemon), Is.Null);
    }

    [Test]
    public async Task What_a_daemon_started_goes_with_it_even_without_the_token()
    {
        ILaunchedRun run = await Launch("(setsid sh -c 'env -i setsid sleep 1000 & echo $!; trap \"\" TERM; while true; do wait; sleep 1000; done' &); exec sleep 1000");
        int grandchild = await Number();
        run.Kill();
        await run.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(ProcessTable.Find(grandchild), Is.Null);
    }

    [Test]
    public async Task A_daemon_of_a_run_that_ended_by_itself_is_killed_at_once()
    {
        string gate = Path.Combine(_scene.Folder, "gate");
        ILaunchedRun run = await Launch($"mkfifo {gate}; (setsid sh -c 'trap \"\" TERM; echo $$; echo > {gate}; while true; do sleep 1000; done' &); read x < {gate}; exit 7");
        int daemon = await Number();
        ExitReport report = await run.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(report.Code, Is.EqualTo(7));
        Assert.That(ProcessTable.Find(daemon), Is.Null);
    }

    [Test]
    public async Task The_daemon_of_another_run_is_left_alone()
    {
        ILaunchedRun other = await Launch("(setsid sh -c 'echo $$; exec sleep 1000' &); exec sleep 1000");
        int daemon = await Number();
        ILaunchedRun run = await Launch("echo up; exec sleep 1000");
        await _lines.Next(static line => line == "up");
        run.Kill();
        await run.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(ProcessTable.Find(daemon), Is.Not.Null);
        other.Kill();
        await other.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(ProcessTable.Find(daemon), Is.Null);
    }

    [Test]
    public async Task Runs_that_end_together_share_their_readings_of_the_process_table()
    {
        const int Runs = 60;
        ILaunchedRun[] runs = await Task.WhenAll(Enumerable.Range(0, Runs).Select(_ => Launch("exec sleep 1000")));
        long before = ProcessScans.Shared.Count;
        Array.ForEach(runs, static run => run.Kill());
        await Task.WhenAll(runs.Select(static run => run.Exited)).WaitAsync(PlatformScene.Patience);
        Assert.That(ProcessScans.Shared.Count - before, Is.InRange(1, Runs / 2));
    }

    private async Task<int> Number() =>
        int.Parse(await _lines.Next(static line => line.All(char.IsAsciiDigit)), CultureInfo.InvariantCulture);

    private async Task<ILaunchedRun> Launch(string script)
    {
        var config = new BackendConfig(new BackendTimings()) { Hostname = "app", Command = "/bin/sh", Args = ["-c", script] };
        string token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Limits.ReadyTokenBytes));
        LaunchResult result = await _launcher.LaunchAsync(new LaunchRequest(config, 1, 1, $"http://x/?token={token}"), CancellationToken.None);
        Assert.That(result.Error, Is.Null);
        return result.Run!;
    }
}
