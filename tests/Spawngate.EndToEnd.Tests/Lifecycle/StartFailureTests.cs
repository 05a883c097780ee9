using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>A start that fails says so at once, says why in the log, and leaves nothing behind.</summary>
[LongRunning]
internal sealed class StartFailureTests : GatewayTest
{
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(3);

    [Test]
    public async Task A_backend_that_exits_at_once_fails_the_request_at_once_with_the_status_in_the_log()
    {
        GatewayProcess gateway = await GatewayAsync("--exit-code=7", "--stderr-lines=2");

        await FailsAsync(gateway, AtOnce);

        Assert.That((await gateway.LogsAsync("spawngate.lifecycle", Host, "status 7")).Level, Is.EqualTo("ERROR").Or.EqualTo("WARN"));
    }

    [Test]
    public async Task The_last_lines_of_stderr_are_in_the_log_of_the_failure()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(Host, "command = \"sh\"", "args = [\"-c\", \"echo the disk is full >&2; exit 3\"]")
        );

        await FailsAsync(gateway, AtOnce);

        await gateway.LogsAsync("spawngate.lifecycle", Host, "status 3");
        await gateway.LogsAsync("spawngate.lifecycle", Host, "the disk is full");
    }

    [Test]
    public async Task One_that_goes_into_the_background_is_told_to_stay_and_explain_shows_both_streams()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(Host, "command = \"sh\"", "args = [\"-c\", \"echo forking; echo aside >&2; sleep 1000 & exit 0\"]")
        );

        await FailsAsync(gateway, AtOnce);

        await gateway.LogsAsync("spawngate.lifecycle", "exited with status 0 and left 1 process behind: run it in the foreground");
        Tool explained = await Tool.GatewayAsync(Scene, "explain", Host, "--admin", $"http://127.0.0.1:{gateway.Config.AdminPort}");
        Assert.That(explained.Out, Does.Contain("left 1 process behind: run it in the foreground"));
        Assert.That(explained.Out, Does.Contain("stdout | forking\n").And.Contain("stderr | aside\n"));
    }

    [Test]
    public async Task A_backend_killed_by_a_signal_while_starting_names_the_signal()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(Host, "command = \"sh\"", "args = [\"-c\", \"kill -SEGV $$\"]")
        );

        await FailsAsync(gateway, AtOnce);

        await gateway.LogsAsync("spawngate.lifecycle", Host, "SIGSEGV");
    }

    [Test]
    public async Task Every_waiting_request_fails_at_the_exit_not_at_the_timeout()
    {
        GatewayProcess gateway = await GatewayAsync("--exit-code=1", "--exit-after-ms=500", "--never-listen");
        long asked = Stopwatch.GetTimestamp();

        RawResponse[] responses = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => RawClient.RequestAsync(gateway.Port, Host, "/")));

        Assert.That(responses.Select(each => each.Header("X-Proxy-Error")), Has.All.EqualTo("BACKEND_START_FAILED"));
        Assert.That(Stopwatch.GetElapsedTime(asked).TotalSeconds, Strain.Within(asked, 0, 6));
        Assert.That(Control.Started(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_command_that_does_not_exist_fails_at_once()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Backend(Host, "command = \"/nonexistent/program\""));

        await FailsAsync(gateway, AtOnce);

        LogLine line = await gateway.LogsAsync("spawngate.lifecycle", Host, "/nonexistent/program");
        Assert.That(line.Text, Does.Contain("No such file").IgnoreCase.Or.Contain("not found").IgnoreCase);
    }

    [Test]
    public async Task A_command_that_is_not_on_PATH_fails_at_once()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Backend(Host, "command = \"no-such-program-here\""));

        await FailsAsync(gateway, AtOnce);

        await gateway.LogsAsync("spawngate.lifecycle", Host, "no-such-program-here");
    }

    [Test]
    public async Task A_command_that_is_not_executable_fails_at_once()
    {
        string file = Scene.Write("data.txt", "not a program\n");
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Backend(Host, $"command = {ConfigFile.Quote(file)}"));

        await FailsAsync(gateway, AtOnce);

        Assert.That(
            (await gateway.LogsAsync("spawngate.lifecycle", Host, "data.txt")).Text,
            Does.Contain("permission").IgnoreCase.Or.Contain("not executable").IgnoreCase
        );
    }

    [Test]
    public async Task A_file_of_no_executable_format_fails_at_once()
    {
        string file = Scene.Write("broken", "\u007fELFbroken");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite);
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Backend(Host, $"command = {ConfigFile.Quote(file)}"));

        await FailsAsync(gateway, AtOnce);
    }

    [Test]
    public async Task A_port_that_another_program_uses_fails_at_once_instead_of_being_taken_for_the_backend()
    {
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, Ports.Free()));
        other.Listen();
        int port = ((IPEndPoint)other.LocalEndPoint!).Port;
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().TestBackendWith(Host, [$"port = {port}"], "--never-listen"));

        await FailsAsync(gateway, AtOnce);

        await gateway.LogsAsync("spawngate.lifecycle", Host, $"{port}", "in use");
    }

    [TestCase("--never-listen", TestName = "A_backend_that_never_listens_fails_at_the_timeout_and_is_ended")]
    [TestCase("--health=500", TestName = "A_backend_whose_health_is_500_fails_at_the_timeout_and_is_ended")]
    [TestCase("--health=hang", TestName = "A_health_check_that_hangs_fails_at_the_timeout_and_is_ended")]
    [TestCase("--health=close", TestName = "A_health_check_that_is_cut_off_fails_at_the_timeout_and_is_ended")]
    [TestCase("--never-listen", "--ignore-sigterm", TestName = "A_failed_start_that_ignores_SIGTERM_is_killed")]
    public async Task Fails_at_the_timeout(params string[] args)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("startup_timeout_secs = 2", "shutdown_grace_period_secs = 1").TestBackend(Host, args)
        );

        TimeSpan took = await FailsAsync(gateway, TimeSpan.FromSeconds(4));

        Assert.That(took.TotalSeconds, Is.GreaterThan(1.8));
        await gateway.LogsAsync("spawngate.lifecycle", Host, "2 s");
    }

    /// <summary>What was asked, what came, and what may be done about it.</summary>
    [TestCase("--health=500", "", "GET /health answered 500: below 500 it would be ready")]
    [TestCase("--health=redirect", "health_path = \"/health\"", "GET /health answered 302, and health_status is")]
    [TestCase("--health=hang", "", "health_path = ")]
    [TestCase("--never-listen", "", "connection refused")]
    public async Task The_failure_says_what_was_asked_and_what_to_do(string arg, string line, string words)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("startup_timeout_secs = 6", "shutdown_grace_period_secs = 1").TestBackendWith(Host, [line], arg)
        );

        await FailsAsync(gateway, TimeSpan.FromSeconds(9));

        await gateway.LogsAsync("spawngate.lifecycle", Host, "not ready within 6 s", words);
    }

    [Test]
    public async Task A_program_that_is_not_ready_in_time_is_asked_to_end_and_not_killed_at_once()
    {
        string done = Path.Combine(Scene.Folder, "done");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Defaults("startup_timeout_secs = 1", "shutdown_grace_period_secs = 30")
                .Backend(
                    Host,
                    "command = \"sh\"",
                    $"args = [\"-c\", \"trap 'sleep 0.5; echo migrated > {done}; exit 0' TERM; while :; do sleep 0.1; done\"]"
                )
        );

        TimeSpan took = await FailsAsync(gateway, TimeSpan.FromSeconds(4));

        Assert.That(took.TotalSeconds, Is.InRange(0.9, 4));
        await gateway.UntilStateAsync(Host, "stopped");
        Assert.That(File.Exists(done), "it had the time to end what it was at");
    }

    [Test]
    public async Task A_start_that_failed_is_tried_again_by_a_later_request()
    {
        string flag = Path.Combine(Scene.Folder, "works-now");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(Host, "command = \"sh\"", $"args = [\"-c\", \"test -e {flag} && exec {Executables.Backend}; exit 1\"]")
        );
        await FailsAsync(gateway, AtOnce);

        Scene.Write("works-now", "");

        await gateway.UntilAsync("a later request is served", async () =>
            (await RawClient.RequestAsync(gateway.Port, Host, "/")).Status == 200
        );
    }

    [Test]
    public async Task Repeated_failures_make_the_next_start_wait_and_say_for_how_long()
    {
        string starts = Scene.NewFolder("starts");
        GatewayProcess gateway = await GatewayAsync("--exit-code=1", $"--start-log={starts}");

        var waits = new List<int>();
        while (waits.Count < 3)
        {
            RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");
            Assert.That(response.Header("X-Proxy-Error"), Is.EqualTo("BACKEND_START_FAILED"));
            if (response.Header("Retry-After") is { } seconds)
            {
                waits.Add(int.Parse(seconds));
            }
        }

        Assert.That(waits, Has.All.InRange(1, 30));
        Assert.That(Directory.GetFiles(starts).Length, Is.LessThanOrEqualTo(4), "processes started in spite of the wait");
        JsonElement report = await gateway.Admin.BackendAsync(Host);
        Assert.That(report.GetRawText(), Does.Contain("retry").IgnoreCase);
    }

    [Test]
    public async Task A_docker_backend_fails_with_a_reason_as_long_as_there_is_no_engine()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                "type = \"docker\"",
                "image = \"nothing:latest\"",
                "port = 80",
                "docker_host = \"unix:///nonexistent/docker.sock\""
            )
        );

        await FailsAsync(gateway, AtOnce);

        await gateway.LogsAsync("spawngate.lifecycle", Host, "docker");
    }

    /// <summary>One request fails as a failed start, within the limit, and nothing keeps running.</summary>
    private async Task<TimeSpan> FailsAsync(GatewayProcess gateway, TimeSpan limit)
    {
        long asked = Stopwatch.GetTimestamp();
        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");
        TimeSpan took = Stopwatch.GetElapsedTime(asked);

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((503, "BACKEND_START_FAILED")), response.Text);
        Assert.That(took.TotalSeconds, Strain.Within(asked, 0, limit.TotalSeconds));
        Assert.That(response.Text, Does.Not.Contain("/").And.Not.Contain(Executables.Backend), "an error for clients names no paths");
        await gateway.UntilStateAsync(Host, "stopped");
        Assert.That(Scene.Children().Select(ProcessScan.CommandLine), Is.Empty);
        return took;
    }
}
