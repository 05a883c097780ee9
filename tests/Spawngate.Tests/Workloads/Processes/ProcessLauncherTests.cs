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
        BackendConfig config = Shell("echo $PORT $SERVERLESS_PROXY_READY_URL $SPAWNGATE_BUSY_URL $GREETING; echo oops >&2; exit 3") with
        {
            Env = [new("GREETING", "hello"), new("PORT", "1")],
        };
        LaunchResult result = await _launcher.LaunchAsync(
            new LaunchRequest(config, 1, 4321, "http://x/ready/a?token=t"),
            CancellationToken.None
        );
        Assert.That(result.Error, Is.Null);
        Assert.That(result.SpawnMs, Is.GreaterThan(0));
        IWorkload workload = result.Workload!;
        Assert.That(workload.Description, Is.EqualTo($"pid {workload.Pid}"));
        ExitReport report = await workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(report.Description, Is.EqualTo("exited with status 3"));
        Assert.That(report.Code, Is.EqualTo(3));
        Assert.That(
            report.LastLines.Select(static line => line.ToString()),
            Is.EquivalentTo(["stdout: 4321 http://x/ready/a?token=t http://x/busy/a/t hello", "stderr: oops"])
        );
        Assert.That(_lines.Lines, Is.EquivalentTo(["4321 http://x/ready/a?token=t http://x/busy/a/t hello", "oops"]));
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
    public async Task A_command_line_in_the_place_of_a_program_gets_a_suggestion()
    {
        LaunchResult result = await Launch(
            new BackendConfig(new BackendTimings())
            {
                Route = new BackendRoute("a"),
                Settings = KindsInTests.Runs("no-such-node server.js"),
            }
        );
        Assert.That(
            result.Error,
            Is.EqualTo(
                "cannot execute \"no-such-node server.js\": not found in PATH; did you mean command = \"no-such-node\", "
                    + "args = [\"server.js\"]"
            )
        );
    }

    [Test]
    public async Task The_port_is_put_into_arguments_and_variables()
    {
        BackendConfig config = Shell("echo $0 $1 $URL $PORTAL; exit 0") with { Env = [new("URL", "http://x:{port}/"), new("PORTAL", "p")] };
        config = config with { Args = [.. config.Args, "--port=$PORT", "$$PORT"] };
        LaunchResult result = await _launcher.LaunchAsync(new LaunchRequest(config, 1, 4321, "http://x"), CancellationToken.None);
        await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(_lines.Lines, Is.EqualTo(["--port=4321 $PORT http://x:4321/ p"]));
    }

    [Test]
    public async Task PWD_is_the_folder_that_it_runs_in()
    {
        string relative = Path.GetRelativePath(Environment.CurrentDirectory, _scene.Folder) + "/";
        BackendConfig config = Env() with { Settings = KindsInTests.Runs("/usr/bin/env") with { WorkingDir = relative } };
        LaunchResult result = await Launch(config);
        await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(_lines.Lines, Has.Member($"PWD={_scene.Folder}"));
    }

    [Test, Platform("Linux")]
    public async Task Its_stdin_is_a_pipe_that_stays_open_and_that_nobody_else_gets()
    {
        long counted = DescriptorBudget.Shared.Count(DescriptorUse.Child);
        LaunchResult first = await Launch(Shell("readlink /proc/self/fd/0; cat; echo over"));
        Assert.That(await _lines.Next(static line => line.StartsWith("pipe:", StringComparison.Ordinal)), Is.Not.Null);
        Assert.That(DescriptorBudget.Shared.Count(DescriptorUse.Child) - counted, Is.EqualTo(3), "three pipes");

        // What the second inherits would keep the pipe of the first open.
        LaunchResult second = await Launch(Shell("cd /proc/self/fd; echo [0-9]*"));
        await second.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(_lines.Lines, Has.Member("0 1 2 3"), "and the folder itself");
        Assert.That(_lines.Lines, Has.No.Member("over"));
        first.Workload!.Kill();
        await first.Workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(DescriptorBudget.Shared.Count(DescriptorUse.Child), Is.EqualTo(counted), "closed");
    }

    [Test]
    public async Task With_stdin_null_its_input_has_ended()
    {
        LaunchResult result = await Launch(
            Shell("cat; echo over") with
            {
                Settings = KindsInTests.Runs("/bin/sh") with { HasOpenStdin = false },
            }
        );
        ExitReport report = await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That((report.Code, _lines.Lines.Single()), Is.EqualTo((0, "over")));
    }

    [Test, Platform("Linux")]
    public async Task It_can_notify_that_it_is_ready_and_what_it_is_doing()
    {
        var ready = new TaskCompletionSource();
        var request = new LaunchRequest(Shell("echo $NOTIFY_SOCKET; exec sleep 1000"), 1, 1, "http://x")
        {
            NotifiedReady = ready.SetResult,
        };
        LaunchResult result = await _launcher.LaunchAsync(request, CancellationToken.None);
        string address = await _lines.Next(static line => line.StartsWith('@'));
        NoticeSocketTests.Send(address, "STATUS=Migrating 3 of 5\nREADY=1");
        await ready.Task.WaitAsync(PlatformScene.Patience);
        Assert.That(request.Stage.Status, Is.EqualTo("Migrating 3 of 5"));
        result.Workload!.Kill();
        await result.Workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(() => NoticeSocketTests.Send(address, "READY=1"), Throws.InstanceOf<System.Net.Sockets.SocketException>(), "closed");
    }

    [Test]
    public async Task A_table_that_sets_the_address_for_notices_has_its_own()
    {
        BackendConfig config = Env() with { Env = [new("NOTIFY_SOCKET", "/run/other")] };
        var request = new LaunchRequest(config, 1, 1, "http://x") { NotifiedReady = static () => { } };
        LaunchResult result = await _launcher.LaunchAsync(request, CancellationToken.None);
        await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(_lines.Lines, Has.Member("NOTIFY_SOCKET=/run/other"));
    }

    [TestCase("sleep 1000 & exit 0", "exited with status 0 and left 1 process behind")]
    [TestCase("sleep 1000 & sleep 1000 & exit 0", "exited with status 0 and left 2 processes behind")]
    [TestCase("setsid -f sleep 1000", "exited with status 0 and left 1 process behind")]
    [Platform("Linux")]
    public async Task One_that_goes_into_the_background_is_told_to_stay(string script, string expected)
    {
        LaunchResult result = await LaunchWithToken(Shell(script));
        ExitReport report = await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That((report.Description, report.Advice), Is.EqualTo((expected, "run it in the foreground")));
        Assert.That(report.Explain("before it was ready"), Is.EqualTo($"{expected}: run it in the foreground"));
    }

    [TestCase("exit 0", "exited with status 0")]
    [TestCase("sleep 1000 & exit 1", "exited with status 1")]
    public async Task An_end_that_is_none_of_this_is_told_as_it_is(string script, string expected)
    {
        LaunchResult result = await LaunchWithToken(Shell(script));
        ExitReport report = await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That((report.Description, report.Advice), Is.EqualTo((expected, (string?)null)));
        Assert.That(report.Explain("before it was ready"), Is.EqualTo($"{expected} before it was ready"));
    }

    [Test]
    public async Task One_that_was_asked_to_end_may_leave_its_children_to_us()
    {
        LaunchResult result = await LaunchWithToken(Shell("trap 'exit 0' TERM; (trap '' TERM; exec sleep 1) & echo up; wait"));
        await _lines.Next(static line => line == "up");
        result.Workload!.Terminate(GraceMs);
        ExitReport report = await result.Workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(report.Explain("x"), Is.EqualTo("exited with status 0 x"));
    }

    [TestCase("/usr/sbin/nginx", "sh", "run it in the foreground (nginx with args = [\"-g\", \"daemon off;\"])")]
    [TestCase("/bin/sh", "php-fpm8.3", "run it in the foreground (php-fpm with args = [\"-F\"])")]
    [TestCase("/bin/sh", "sleep", "run it in the foreground")]
    public void Known_programs_get_their_usual_flag(string command, string left, string expected) =>
        Assert.That(ForegroundAdvice.Of(command, [new LeftProcess(1, left, true, null)]), Is.EqualTo(expected));

    [Test]
    public async Task Only_the_last_lines_of_stderr_are_kept_and_all_of_them_were_read()
    {
        LaunchResult result = await Launch(Shell("seq 1 5000 >&2; exit 1"));
        ExitReport report = await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(
            report.LastLines.Select(static line => line.Text),
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
        Assert.That(report.Code, Is.Zero, string.Join('\n', report.LastLines));
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

    private static BackendConfig Env() =>
        new(new BackendTimings()) { Route = new BackendRoute("app"), Settings = KindsInTests.Runs("/usr/bin/env") };

    private Task<LaunchResult> LaunchWithToken(BackendConfig config)
    {
        string token = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(InstanceToken.Bytes));
        return _launcher.LaunchAsync(new LaunchRequest(config, 1, 1, $"http://x/ready/app?token={token}"), CancellationToken.None);
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
