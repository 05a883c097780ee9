using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>Arguments, exit codes, messages.</summary>
[LongRunning]
internal sealed class CommandLineTests : GatewayTest
{
    private const string SixMistakes = """
        [server]
        port = 70000
        prot = 80

        [defaults]
        idle_timeout_secs = -1

        [backends."a.test"]
        args = ["x"]

        [backends."b.test"]
        command = 7

        [backends."c.test"]
        command = "c"
        type = "podman"
        """;

    [Test]
    public async Task Version_names_program_and_version()
    {
        Tool result = await Tool.GatewayAsync(Scene, "--version");

        Assert.That((result.Code, result.Out), Is.EqualTo((0, result.Out)));
        Assert.That(result.Out, Does.Match(@"\b\d+\.\d+\.\d+"));
    }

    [Test]
    public async Task Help_names_the_commands()
    {
        Tool result = await Tool.GatewayAsync(Scene, "--help");

        Assert.That(result.Code, Is.Zero);
        Assert.That(result.Out, Does.Contain("check").And.Contain("hello").And.Contain("--version"));
    }

    [Test]
    public async Task An_unknown_option_is_bad_usage()
    {
        Tool result = await Tool.GatewayAsync(Scene, "--no-such-option");

        Assert.That(result.Code, Is.EqualTo(2));
        Assert.That(result.Error, Does.Contain("--no-such-option"));
    }

    [Test]
    public async Task A_missing_file_is_named()
    {
        Tool run = await Tool.GatewayAsync(Scene, "nowhere.toml");
        Tool check = await Tool.GatewayAsync(Scene, "check", "nowhere.toml");

        Assert.That((run.Code, check.Code), Is.EqualTo((2, 2)));
        Assert.That(run.Error, Does.Contain("nowhere.toml"));
        Assert.That(check.Error + check.Out, Does.Contain("nowhere.toml"));
    }

    [Test]
    public async Task The_file_defaults_to_config_toml_in_the_current_folder()
    {
        Scene.Write("config.toml", new ConfigFile().TestBackend(Host).ToString());

        Tool check = await Tool.GatewayAsync(Scene, "check");

        Assert.That(check.Code, Is.Zero, check.Error);
        Assert.That(check.Out, Does.Contain(Host));
    }

    [TestCase("check")]
    [TestCase(null)]
    public async Task Six_mistakes_are_reported_with_their_six_positions_in_one_run(string? command)
    {
        string path = Scene.Write("bad.toml", SixMistakes);

        Tool result = await (command is null ? Tool.GatewayAsync(Scene, path) : Tool.GatewayAsync(Scene, command, path));

        Assert.That(result.Code, Is.EqualTo(2));
        string text = result.Error + result.Out;
        int[] lines =
        [
            .. Regex.Matches(text, @"bad\.toml:(\d+):\d+: ").Select(match => int.Parse(match.Groups[1].Value)).Distinct().Order(),
        ];
        Assert.That(lines, Is.EqualTo(new[] { 2, 3, 6, 8, 12, 16 }), text);
        Assert.That(text, Does.Contain("server.port").And.Contain("70000").And.Contain("65535"));
        Assert.That(text, Does.Contain("prot").And.Contain("did you mean"));
    }

    [Test]
    public async Task A_file_that_is_no_toml_names_the_place()
    {
        string path = Scene.Write("bad.toml", "[server]\nport = = 80\n");

        Tool result = await Tool.GatewayAsync(Scene, "check", path);

        Assert.That(result.Code, Is.EqualTo(2));
        Assert.That(result.Error + result.Out, Does.Contain("bad.toml:2:8"));
    }

    [Test]
    public async Task Check_prints_the_effective_settings_of_every_backend()
    {
        ConfigFile config = new ConfigFile()
            .Defaults("idle_timeout_secs = 123")
            .Backend("one.test", "command = \"one\"", "startup_timeout_secs = 45")
            .Backend("two.test", "command = \"two\"");
        string path = Scene.Write("good.toml", config.ToString());

        Tool result = await Tool.GatewayAsync(Scene, "check", path);

        Assert.That(result.Code, Is.Zero, result.Error);
        Assert.That(result.Out, Does.Contain("one.test").And.Contain("two.test").And.Contain("45"));
        Assert.That(Regex.Count(result.Out, @"idle_timeout_secs\W+123"), Is.EqualTo(2));
    }

    [TestCase("port")]
    [TestCase("admin_port")]
    public async Task A_port_that_is_taken_is_exit_1_and_names_the_setting(string setting)
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        int port = ((IPEndPoint)taken.LocalEndPoint!).Port;
        ConfigFile config = (setting == "port" ? new ConfigFile { Port = port } : new ConfigFile { AdminPort = port }).TestBackend(Host);

        Tool result = await Tool.GatewayAsync(Scene, Scene.Write("taken.toml", config.ToString()));

        Assert.That(result.Code, Is.EqualTo(1), result.Error);
        Assert.That(result.Error, Does.Contain($"{port}").And.Match($@"(^|[^_a-z])(server\.)?{setting}\b"));
    }

    [Test]
    public async Task A_second_instance_with_the_same_pid_file_refuses_and_names_the_first()
    {
        string pidFile = Path.Combine(Scene.Folder, "spawngate.pid");
        string line = $"pid_file = {ConfigFile.Quote(pidFile)}";
        GatewayProcess first = await Scene.GatewayAsync(new ConfigFile().Server(line).TestBackend(Host));

        Tool second = await Tool.GatewayAsync(
            Scene,
            Scene.Write("second.toml", new ConfigFile().Server(line).TestBackend(Host).ToString())
        );

        Assert.That((await File.ReadAllTextAsync(pidFile)).Trim(), Is.EqualTo($"{first.Pid}"));
        Assert.That(second.Code, Is.EqualTo(1), second.Error);
        Assert.That(second.Error, Does.Contain($"{first.Pid}").And.Contain("spawngate.pid"));
        Assert.That((await RawClient.RequestAsync(first.Port, Host, "/")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_pid_file_left_by_a_killed_instance_is_taken_over()
    {
        string pidFile = Path.Combine(Scene.Folder, "spawngate.pid");
        ConfigFile config = new ConfigFile().Server($"pid_file = {ConfigFile.Quote(pidFile)}").TestBackend(Host);
        GatewayProcess first = await Scene.GatewayAsync(config);
        first.Signal(ProcessScan.Kill);
        await first.ExitAsync();

        GatewayProcess second = await Scene.GatewayAsync(config);

        Assert.That((await File.ReadAllTextAsync(pidFile)).Trim(), Is.EqualTo($"{second.Pid}"));
    }

    [Test]
    public async Task A_backend_does_not_hold_the_lock_of_the_pid_file()
    {
        string pidFile = Path.Combine(Scene.Folder, "spawngate.pid");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Server($"pid_file = {ConfigFile.Quote(pidFile)}").TestBackend(Host)
        );
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();

        IEnumerable<string?> open = Directory.EnumerateFiles($"/proc/{backend.Pid}/fd").Select(fd => new FileInfo(fd).LinkTarget);

        Assert.That(open, Has.None.Contains("spawngate.pid"));
    }

    [TestCase("SPAWNGATE_LOG", "debug", true)]
    [TestCase("SPAWNGATE_LOG", "info", false)]
    [TestCase("SPAWNGATE_LOG", "info,spawngate.forwarding=debug", true)]
    [TestCase("RUST_LOG", "info,spawngate::forwarding=debug", true)]
    [TestCase("RUST_LOG", "warn", false)]
    public async Task The_log_level_can_be_set_by_category(string variable, string value, bool debug)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().TestBackend(Host), (variable, value));
        await RawClient.RequestAsync(gateway.Port, Host, "/", headers: "X-Refused : 1\r\n");
        await RawClient.RequestAsync(gateway.Port, Host, "/stderr?word=marker");
        await gateway.LogsAsync("marker 1 ");

        bool forwardingDebug = gateway.Log.Lines.Any(line => line is { Level: "DEBUG", Category: "spawngate.forwarding" });
        bool anyInfo = gateway.Log.Lines.Any(line => line.Level == "INFO");

        Assert.That(forwardingDebug, Is.EqualTo(debug));
        Assert.That(anyInfo, Is.EqualTo(value != "warn"));
    }

    [Test]
    public async Task The_transport_can_be_chosen()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackend(Host),
            ("SPAWNGATE_TRANSPORT", "kestrel"),
            ("SPAWNGATE_LOG", "debug")
        );
        await gateway.LogsAsync("transport=\"kestrel\"");
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_transport_that_does_not_exist_is_told_with_those_that_do()
    {
        Tool refused = await Tool.GatewayAsync(
            Scene,
            [("SPAWNGATE_TRANSPORT", "uring")],
            Scene.Write("config.toml", new ConfigFile().TestBackend(Host).ToString())
        );
        Assert.That(refused.Code, Is.EqualTo(2));
        Assert.That(refused.Error, Does.Contain("SPAWNGATE_TRANSPORT is \"uring\"").And.Contain("\"epoll\"").And.Contain("\"kestrel\""));
    }

    [Test]
    public async Task Every_line_of_the_log_has_its_form()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        await RawClient.RequestAsync(gateway.Port, Host, "/stdout?n=3");
        gateway.Signal(ProcessScan.Term);
        await gateway.ExitAsync();

        Assert.That(gateway.Log.Lines.Where(line => line.Level.Length == 0).Select(line => line.Text), Is.Empty);
        Assert.That(await gateway.StdoutAsync(), Is.Empty, "the log goes to stderr, nothing to stdout");
    }
}
