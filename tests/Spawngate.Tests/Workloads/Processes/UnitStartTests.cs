using System.Net.Sockets;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Workloads;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

/// <summary>What is set on the way to a program, as the program sees it.</summary>
[Platform("Linux")]
internal sealed class UnitStartTests
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

    private static BackendConfig Shell(string script, UnitSettings unit) =>
        new(new BackendTimings())
        {
            Route = new BackendRoute("app"),
            Settings = KindsInTests.Runs("/bin/sh") with { Unit = unit },
            Args = ["-c", script],
        };

    private Task<LaunchResult> Launch(BackendConfig config, int port = 1) =>
        _launcher.LaunchAsync(new LaunchRequest(config, 1, port, "http://x"), CancellationToken.None);

    private async Task<string[]> Run(string script, UnitSettings unit) => await Run(Shell(script, unit));

    private async Task<string[]> Run(BackendConfig config)
    {
        LaunchResult result = await Launch(config);
        Assert.That(result.Error, Is.Null);
        ExitReport report = await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(report.Code, Is.Zero, $"{report.Description} {string.Join('\n', report.LastLines)}");
        return _lines.Lines;
    }

    private static void NeedsRoot()
    {
        if (!RootPower.CoversOthers)
        {
            Assert.Ignore("needs the right to become somebody else");
        }
    }

    [Test]
    public async Task A_passed_socket_is_descriptor_3_and_meant_for_the_leader()
    {
        const string script = """
            [ "$LISTEN_PID" = $$ ] && echo "$LISTEN_FDS $LISTEN_FDNAMES $PORT"
            readlink /proc/$$/fd/3; ls /proc/$$/fd | tr '\n' ' '; exec sleep 1000
            """;
        int port = FreePort();
        LaunchResult result = await Launch(Shell(script, new UnitSettings { PassesSocket = true }), port);
        Assert.That(result.Error, Is.Null);
        Assert.That(await _lines.Next(static line => line.Contains("http", StringComparison.Ordinal)), Is.EqualTo($"1 http {port}"));
        await _lines.Next(static line => line.StartsWith("socket:[", StringComparison.Ordinal));
        IWorkload workload = result.Workload!;
        Assert.That(workload.TellsListener, Is.False, "it is ours");
        Assert.That(result.Place!.EndPoint.Port, Is.EqualTo(port));
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        client.Connect(result.Place.EndPoint);
        workload.Kill();
        await workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(result.Place.Listener!.WasUnaccepted(((System.Net.IPEndPoint)client.LocalEndPoint!).Port), Is.True);
    }

    [Test]
    public async Task A_program_that_does_not_start_leaves_no_listener()
    {
        int port = FreePort();
        BackendConfig config = Shell("", new UnitSettings { PassesSocket = true });
        config = config with { Settings = ((LocalSettings)config.Settings) with { Command = "/no/such/program" } };
        LaunchResult result = await Launch(config, port);
        Assert.That(result.Error, Is.EqualTo("cannot execute \"/no/such/program\": not found"));
        using var again = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        again.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, port));
    }

    [Test]
    public async Task Umask_and_niceness_are_those_of_the_file()
    {
        string[] lines = await Run("umask; nice", new UnitSettings { Umask = "0027", Nice = Niceness.Own + 3 });
        Assert.That(lines, Is.EqualTo(["0027", $"{Niceness.Own + 3}"]));
    }

    [Test]
    public async Task Arguments_and_odd_variables_arrive_as_they_are()
    {
        if (!File.Exists("/bin/bash"))
        {
            Assert.Ignore("needs bash");
        }

        BackendConfig config = Shell("", new UnitSettings { Umask = "0022" }) with
        {
            Env = [new("ODD.NAME", "a b")],
            Args = ["-c", "printf '%s|' \"$@\"; echo; tr '\\0' '\\n' </proc/$$/environ | grep ODD", "sh", "a b", "$HOME", "'", ""],
        };
        Assert.That(await Run(config), Is.EqualTo(["a b|$HOME|'||", "ODD.NAME=a b"]));
    }

    [Test]
    public async Task A_user_has_his_groups_and_variables_and_no_rights()
    {
        NeedsRoot();
        UserAccount nobody = Accounts.FindUser("nobody")!;
        string[] lines = await Run(
            "id -u; id -g; echo $HOME $USER $LOGNAME $SHELL; grep CapEff /proc/self/status; echo again >/dev/stderr; echo $$",
            new UnitSettings { User = "nobody" }
        );
        Assert.That(lines[..2], Is.EqualTo([$"{nobody.User}", $"{nobody.Group}"]));
        Assert.That(lines, Does.Contain($"{nobody.Home} nobody nobody /bin/sh"));
        Assert.That(lines, Does.Contain("CapEff:\t0000000000000000"));
        Assert.That(lines, Does.Contain("again"), "its output is its own to open");
    }

    [Test]
    public async Task Numbers_need_no_entry_and_a_group_may_differ()
    {
        NeedsRoot();
        Assert.That(await Run("id -u; id -G", new UnitSettings { User = "54321", Group = "54322" }), Is.EqualTo(["54321", "54322"]));
    }

    [Test]
    public async Task The_pid_is_that_of_the_program_and_the_tree_can_be_ended()
    {
        NeedsRoot();
        UnitSettings unit = new()
        {
            User = "nobody",
            Nice = Niceness.Own + 1,
            Umask = "0077",
            PassesSocket = true,
        };
        LaunchResult result = await Launch(Shell("echo $$; sleep 1000 & wait", unit), FreePort());
        Assert.That(await _lines.Next(static _ => true), Is.EqualTo($"{result.Workload!.Pid}"));
        result.Workload.Terminate(60_000);
        ExitReport report = await result.Workload.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(report.Signal, Is.EqualTo(Libc.SIGTERM));
    }

    [Test]
    public async Task Who_does_not_exist_is_told_by_name()
    {
        LaunchResult result = await Launch(Shell("", new UnitSettings { User = "no-such-user" }));
        Assert.That(
            result.Error,
            Is.EqualTo("user: found \"no-such-user\", which is no user in /etc/passwd; allowed are those, and numbers")
        );
        result = await Launch(Shell("", new UnitSettings { User = "54321" }));
        Assert.That(result.Error, Is.EqualTo("user: 54321 is not in /etc/passwd, so group has to say in which group it is"));
        result = await Launch(Shell("", new UnitSettings { Group = "no-such-group" }));
        Assert.That(
            result.Error,
            Is.EqualTo("group: found \"no-such-group\", which is no group in /etc/group; allowed are those, and numbers")
        );
        Assert.That(UnitStart.WarningsHere(new UnitSettings { User = "no-such-user" }), Has.Exactly(1).Items);
        Assert.That(UnitStart.WarningsHere(UnitSettings.None), Is.Empty);
    }

    [Test]
    public async Task A_file_of_variables_stands_between_the_inherited_and_env_and_is_read_at_each_start()
    {
        string path = _scene.Write("variables", "# comment\nA=file\nB=file\nPORT=7\n", executable: false);
        BackendConfig config = Shell("echo $A $B $C $PORT", new UnitSettings { EnvFile = path }) with
        {
            Env = [new("B", "table"), new("C", "table")],
        };
        Assert.That(await Run(config), Is.EqualTo(["file table table 1"]));
        File.WriteAllText(path, "A=1\nnonsense\n");
        LaunchResult result = await Launch(config);
        Assert.That(result.Error, Does.StartWith($"env_file {path}:2: found no =, "));
        Assert.That(UnitStart.WarningsHere(new UnitSettings { EnvFile = path }), Is.EqualTo([result.Error]));
    }

    [Test]
    public async Task A_control_group_holds_the_program_and_goes_with_it()
    {
        if (new ControlGroups("").FindProblem(memory: true, cpu: true) is { } problem)
        {
            Assert.Ignore(problem);
        }

        string[] lines = await Run("cat /proc/self/cgroup", new UnitSettings { MemoryBytes = 64 << 20, NanoCpus = 500_000_000 });
        string[] joined = [.. lines.Where(static line => line.Contains("/spawngate-", StringComparison.Ordinal))];
        Assert.That(joined, Is.Not.Empty);
        string name = joined[0][(joined[0].LastIndexOf('/') + 1)..];
        Assert.That(
            () =>
                Directory.GetDirectories(
                    "/sys/fs/cgroup",
                    name,
                    new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true }
                ),
            Is.Empty.After(10_000, 20)
        );
    }

    [Test]
    public async Task Memory_past_the_limit_is_told_as_the_reason_of_the_end()
    {
        if (new ControlGroups("").FindProblem(memory: true, cpu: false) is { } problem)
        {
            Assert.Ignore(problem);
        }

        BackendConfig config = Shell("exec dd if=/dev/zero of=/dev/null bs=100M count=1", new UnitSettings { MemoryBytes = 16 << 20 });
        LaunchResult result = await Launch(config);
        ExitReport report = await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(report.Description, Is.EqualTo("killed by the kernel: memory limit 16m reached"));
        config = Shell("dd if=/dev/zero of=/dev/null bs=100M count=1; exit 3", new UnitSettings { MemoryBytes = 16 << 20 });
        result = await Launch(config);
        report = await result.Workload!.Exited.WaitAsync(PlatformScene.Patience);
        Assert.That(
            report.Description,
            Is.EqualTo("exited with status 3; the kernel has killed a process of it: memory limit 16m reached")
        );
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        return ((System.Net.IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
