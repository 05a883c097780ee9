using System.Globalization;
using System.Security.Cryptography;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Tests.Fakes;
using Spawngate.Workloads;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

/// <summary>Daemons that left the group of their instance: they end with it.</summary>
[Platform("Linux")]
internal sealed class EscapedProcessesTests
{
    private const int GraceMs = 10_000;
    private const int WindowChange = 28; // SIGWINCH

    private PlatformScene _scene = null!;
    private FakeTime _time = null!;
    private LineCollector _lines = null!;
    private ProcessLauncher _launcher = null!;

    [SetUp]
    public void SetUp()
    {
        _scene = new PlatformScene();
        _lines = new LineCollector();
        _time = new FakeTime();
        _launcher = new ProcessLauncher(ChildEnvironment.Capture(), _scene.Drain, _lines, _time);
    }

    [TearDown]
    public void TearDown() => _scene.Dispose();

    [Test]
    public async Task A_daemon_in_a_session_of_its_own_is_asked_and_has_its_time()
    {
        string gate = Path.Combine(_scene.Folder, "gate");
        IWorkload workload = await Launch(
            $"mkfifo {gate}; (setsid sh -c 'trap \"cat {gate}; echo cleaned; exit 0\" TERM; echo $$; while true; do sleep "
                + "1000 & wait; done' &); exec sleep 1000"
        );
        int daemon = await Number();
        workload.Terminate(GraceMs);
        await using (new FileStream(gate, FileMode.Open, FileAccess.Write))
        {
            // Opened, so the daemon got its SIGTERM and cleans up.
            Assert.That(workload.Exited.IsCompleted, Is.False);
        }

        await workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(_lines.Lines, Does.Contain("cleaned"));
        Assert.That(ProcessTable.Find(daemon), Is.Null);
    }

    [Test]
    public async Task A_daemon_that_ignores_the_polite_signal_is_killed_with_the_run()
    {
        IWorkload workload = await Launch(
            "(setsid sh -c 'trap \"echo asked\" TERM; echo $$; while true; do sleep 1000 & wait; done' &); exec sleep 1000"
        );
        int daemon = await Number();
        workload.Terminate(GraceMs);
        await _lines.Next(static line => line == "asked");
        Assert.That(workload.Exited.IsCompleted, Is.False);
        workload.Kill();
        await workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(ProcessTable.Find(daemon), Is.Null);
    }

    [TestCase("(setsid sh -c 'SCRIPT' &)", TestName = "A_daemon_beside_a_stubborn_group_is_asked_at_half_of_the_grace_period")]
    [TestCase(
        "env -i setsid sh -c 'SCRIPT' &",
        TestName = "A_child_with_a_session_but_no_token_under_a_stubborn_leader_is_asked_at_half_of_the_grace_period"
    )]
    public async Task What_left_a_group_that_lives_on_is_asked_at_half_of_the_grace_period(string outside)
    {
        // A shell runs the actions of pending signals by their numbers, so the answer to signal 28 comes behind that to signal 15.
        const string Script = "trap \"echo asked\" TERM; trap \"echo still here\" WINCH; echo $$; while true; do sleep 1000 & wait; done";
        IWorkload workload = await Launch(
            $"trap 'echo group asked' TERM; {outside.Replace("SCRIPT", Script, StringComparison.Ordinal)}\n"
                + "while true; do sleep 1000 & wait; done"
        );
        int process = await Number();

        workload.Terminate(GraceMs);
        await _lines.Next(static line => line == "group asked");
        _time.AdvanceMs((GraceMs / 2) - 1);
        await ProcessScans.Shared.NextAsync();
        Assert.That(Libc.Kill(process, WindowChange), Is.Zero);
        await _lines.Next(static line => line == "still here");
        Assert.That(_lines.Lines, Does.Not.Contain("asked"), "the group has its time first");

        _time.AdvanceMs(1);
        await _lines.Next(static line => line == "asked");
        Assert.That(workload.Exited.IsCompleted, Is.False);
        workload.Kill();
        await workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(ProcessTable.Find(process), Is.Null);
        Assert.That(_lines.Lines.Count(static line => line is "asked" or "group asked"), Is.EqualTo(2), "each once");
    }

    [Test]
    public async Task A_grace_period_longer_than_any_timer_is_one()
    {
        IWorkload workload = await Launch("echo up; exec sleep 1000");
        await _lines.Next(static line => line == "up");
        workload.Terminate(ConfigLimits.SecsMax * 1000L);
        ExitReport report = await workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(report.Description, Is.EqualTo("killed by signal 15 (SIGTERM)"));
    }

    [Test]
    public async Task What_a_daemon_started_goes_with_it_even_without_the_token()
    {
        IWorkload workload = await Launch(
            "(setsid sh -c 'env -i setsid sh -c \"echo \\$\\$; exec sleep 1000\" & trap \"\" TERM; "
                + "while true; do wait; sleep 1000; done' &); exec sleep 1000"
        );
        int grandchild = await Number(); // It tells itself, when it has left session and token behind.
        workload.Kill();
        await workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(ProcessTable.Find(grandchild), Is.Null);
    }

    [Test]
    public async Task A_daemon_of_a_run_that_ended_by_itself_is_killed_at_once()
    {
        string gate = Path.Combine(_scene.Folder, "gate");
        IWorkload workload = await Launch(
            $"mkfifo {gate}; (setsid sh -c 'trap \"\" TERM; echo $$; echo > {gate}; while true; do sleep 1000; done' &); read "
                + $"x < {gate}; exit 7"
        );
        int daemon = await Number();
        ExitReport report = await workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(report.Code, Is.EqualTo(7));
        Assert.That(ProcessTable.Find(daemon), Is.Null);
    }

    [Test]
    public async Task The_daemon_of_another_run_is_left_alone()
    {
        IWorkload other = await Launch("(setsid sh -c 'echo $$; exec sleep 1000' &); exec sleep 1000");
        int daemon = await Number();
        IWorkload workload = await Launch("echo up; exec sleep 1000");
        await _lines.Next(static line => line == "up");
        workload.Kill();
        await workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(ProcessTable.Find(daemon), Is.Not.Null);
        other.Kill();
        await other.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(ProcessTable.Find(daemon), Is.Null);
    }

    [Test]
    public async Task Runs_that_end_together_share_their_readings_of_the_process_table()
    {
        const int Instances = 60;
        IWorkload[] instances = await Task.WhenAll(Enumerable.Range(0, Instances).Select(_ => Launch("exec sleep 1000")));
        long before = ProcessScans.Shared.Count;
        Array.ForEach(instances, static workload => workload.Kill());
        await Task.WhenAll(instances.Select(static workload => workload.Exited)).WaitAsync(PlatformScene.Patience);
        Assert.That(ProcessScans.Shared.Count - before, Is.InRange(1, Instances / 2));
    }

    private async Task<int> Number() =>
        int.Parse(await _lines.Next(static line => line.All(char.IsAsciiDigit)), CultureInfo.InvariantCulture);

    private async Task<IWorkload> Launch(string script)
    {
        var config = new BackendConfig(new BackendTimings())
        {
            Route = new BackendRoute("app"),
            Settings = KindsInTests.Runs("/bin/sh"),
            Args = ["-c", script],
        };
        string token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(BackendLimits.ReadyTokenBytes));
        LaunchResult result = await _launcher.LaunchAsync(
            new LaunchRequest(config, 1, 1, $"http://x/?token={token}"),
            CancellationToken.None
        );
        Assert.That(result.Error, Is.Null);
        return result.Workload!;
    }
}
