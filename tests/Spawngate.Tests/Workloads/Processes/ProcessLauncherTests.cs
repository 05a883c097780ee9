using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Platform;
using Spawngate.Workloads;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

[Platform("Linux,MacOsX")]
internal sealed class ProcessLauncherTests
{
    private const int GraceMs = 60_000;

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
    public async Task Runs_the_command_with_its_environment_and_reports_its_end()
    {
        BackendConfig config = Shell("echo $PORT $SERVERLESS_PROXY_READY_URL $GREETING; echo oops >&2; exit 3") with
        {
            Env = [new("GREETING", "hello"), new("PORT", "1")],
        };
        LaunchResult result = await _launcher.LaunchAsync(new LaunchRequest(config, 1, 4321, "http://x/ready"), CancellationToken.None);
        Assert.That(result.Error, Is.Null);
        Assert.That(result.SpawnMs, Is.GreaterThan(0));
        IWorkload workload = result.Workload!;
        Assert.That(workload.Description, Is.EqualTo($"pid {workload.Pid}"));
        ExitReport report = await workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(report.Description, Is.EqualTo("exited with status 3"));
        Assert.That(report.Code, Is.EqualTo(3));
        Assert.That(report.LastStderrLines, Is.EqualTo(["oops"]));
        Assert.That(_lines.Lines, Is.EquivalentTo(["4321 http://x/ready hello", "oops"]));
        workload.Terminate(GraceMs);
        workload.Kill();
    }

    [Test]
    public async Task A_command_that_cannot_be_executed_is_an_error_not_an_exception()
    {
        LaunchResult result = await Launch(
            new BackendConfig(new BackendTimings()) { Route = new BackendRoute("a"), Settings = KindsInTests.Runs("no-such-program") }
        );
        Assert.That(result.Workload, Is.Null);
        Assert.That(result.Error, Is.EqualTo("cannot execute \"no-such-program\": not found in PATH"));
    }

    [Test]
    public async Task Only_the_last_lines_of_stderr_are_kept_and_all_of_them_were_read()
    {
        LaunchResult result = await Launch(Shell("seq 1 5000 >&2; exit 1"));
        ExitReport report = await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(
            report.LastStderrLines,
            Is.EqualTo(Enumerable.Range(5001 - WorkloadLimits.StderrTailLines, WorkloadLimits.StderrTailLines).Select(static n => $"{n}"))
        );
        Assert.That(_lines.Count, Is.EqualTo(5000));
    }

    [Test]
    public async Task Terminate_then_kill_end_the_whole_group()
    {
        LaunchResult result = await Launch(Shell("trap '' TERM; sh -c 'sleep 1000' & echo up; wait; wait"));
        await _lines.Next(static line => line == "up");
        result.Workload!.Terminate(GraceMs);
        Assert.That(result.Workload.Exited.IsCompleted, Is.False);
        result.Workload.Kill();
        ExitReport report = await result.Workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(report.Description, Is.EqualTo("killed by signal 9 (SIGKILL)"));
        Assert.That(report.Code, Is.Null);
        Assert.That(Libc.Kill(-result.Workload.Pid!.Value, 0), Is.Not.Zero, "the group is gone");
    }

    [Test]
    public async Task A_start_that_is_no_longer_wanted_does_not_happen()
    {
        using var cancel = new CancellationTokenSource();
        await cancel.CancelAsync();
        LaunchResult result = await _launcher.LaunchAsync(new LaunchRequest(Shell("echo never"), 1, 1, ""), cancel.Token);
        Assert.That(result.Workload, Is.Null);
        Assert.That(result.Error, Is.EqualTo("the start was cancelled"));
    }

    [Test]
    public async Task The_name_spawngate_alone_means_this_program()
    {
        var config = new BackendConfig(new BackendTimings())
        {
            Route = new BackendRoute("a"),
            Settings = KindsInTests.Runs("spawngate"),
            Args = ["--version"],
        };
        LaunchResult result = await Launch(config);
        Assert.That(result.Error, Is.Null);
        ExitReport report = await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(report.Code, Is.Zero, string.Join('\n', report.LastStderrLines));
        Assert.That(_lines.Count, Is.GreaterThan(0));
    }

    [Test]
    public async Task Output_goes_to_the_log_and_is_kept_for_the_admin_API()
    {
        using var stream = new MemoryStream();
        var kept = new OutputLog(TimeProvider.System);
        using (var writer = new LogWriter(stream, TimeProvider.System))
        {
            var provider = new LineLoggerProvider(LogFilter.Parse("info", []), writer);
            var launcher = new ProcessLauncher(
                ChildEnvironment.Capture(),
                _scene.Drain,
                new LoggedOutput(provider.CreateLogger("backend"), kept),
                TimeProvider.System
            );
            LaunchResult result = await launcher.LaunchAsync(
                new LaunchRequest(Shell("echo Listening on 3000"), 1, 1, ""),
                CancellationToken.None
            );
            await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        }

        string text = System.Text.Encoding.UTF8.GetString(stream.ToArray());
        Assert.That(
            text,
            Does.Match(
                "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z INFO backend: hostname=\"app\" stream=\"stdout\" Listening on 3000\n$"
            )
        );
        Assert.That(kept.Snapshot("app").Select(static line => line.Text), Is.EqualTo(["Listening on 3000"]));
    }

    private static BackendConfig Shell(string script) =>
        new(new BackendTimings())
        {
            Route = new BackendRoute("app"),
            Settings = KindsInTests.Runs("/bin/sh"),
            Args = ["-c", script],
        };

    private Task<LaunchResult> Launch(BackendConfig config) =>
        _launcher.LaunchAsync(new LaunchRequest(config, 1, 1, "http://x"), CancellationToken.None);
}
