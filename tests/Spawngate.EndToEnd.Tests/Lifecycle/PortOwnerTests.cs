using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>Nothing is sent to a port before it is known that the backend's own processes listen there; whatever they are.</summary>
[LongRunning]
[Platform("Linux")]
internal sealed class PortOwnerTests : GatewayTest
{
    /// <summary>Time enough for a busy machine to start the backend and to meet the stranger.</summary>
    private const string Patient = "startup_timeout_secs = 8";

    private const string Secret = "Cookie: session=secret\r\n";

    [Test]
    public async Task A_stranger_on_the_port_of_a_backend_that_never_listens_gets_nothing()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Defaults(Patient).TestBackend(Host, "--never-listen"));
        Task<RawResponse> held = AskAsync(gateway);
        BackendProcess backend = await Control.StartAsync();
        using var squatter = new Squatter(backend.Port);

        RawResponse response = await held;

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((503, "BACKEND_START_FAILED")), response.Text);
        Assert.That(squatter.Received, Is.Empty);
        string owner = $"port {backend.Port} is held by pid {Environment.ProcessId} (";
        LogLine line = await gateway.LogsAsync("spawngate.lifecycle", Host, "Another process listens on the port");
        Assert.That(line.Level, Is.EqualTo("WARN"));
        Assert.That(line.Field("owner"), Does.StartWith(owner));
        Assert.That((await gateway.LogsAsync(Host, "Backend failed to start")).Field("reason"), Does.Contain(owner));
        Assert.That(gateway.Log.Lines.Count(each => each.Says("Another process listens on the port")), Is.EqualTo(1));
    }

    [Test]
    public async Task A_backend_that_finds_its_port_taken_and_exits_fails_with_the_name_of_who_took_it()
    {
        string gate = Path.Combine(Scene.Folder, "go");
        GatewayProcess gateway = await Scene.GatewayAsync(Gated(gate));
        Task<RawResponse> held = AskAsync(gateway);
        using var squatter = new Squatter(await PortAsync(gateway));
        await gateway.LogsAsync("Another process listens on the port");
        await File.WriteAllTextAsync(gate, "");

        RawResponse response = await held;

        Assert.That(response.Status, Is.EqualTo(503));
        Assert.That(squatter.Received, Is.Empty);
        Assert.That(
            (await gateway.LogsAsync(Host, "Backend failed to start")).Field("reason"),
            Does.Contain("before it was ready; port").And.Contain($"pid {Environment.ProcessId} (")
        );
    }

    [Test]
    public async Task A_backend_that_listens_once_the_stranger_has_gone_is_served()
    {
        string gate = Path.Combine(Scene.Folder, "go");
        GatewayProcess gateway = await Scene.GatewayAsync(Gated(gate));
        Task<RawResponse> held = AskAsync(gateway);
        int port = await PortAsync(gateway);
        using (var squatter = new Squatter(port))
        {
            await gateway.LogsAsync("Another process listens on the port", $"port {port}");
            Assert.That(squatter.Received, Is.Empty);
        }

        await File.WriteAllTextAsync(gate, "");

        Assert.That((await held).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task The_word_of_a_backend_that_it_is_ready_does_not_make_a_strangers_port_its_own()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Server("admin_token = \"open-sesame\"").Defaults(Patient).TestBackend(Host, "--never-listen")
        );
        gateway.Admin.Token = "open-sesame";
        Task<RawResponse> held = AskAsync(gateway);
        BackendProcess backend = await Control.StartAsync();
        using var squatter = new Squatter(backend.Port);

        Assert.That(await gateway.Admin.PostAsync($"/ready/{Host}"), Is.EqualTo(HttpStatusCode.OK));

        Assert.That((await held).Status, Is.EqualTo(503));
        Assert.That(squatter.Received, Is.Empty);
    }

    [Test]
    public async Task Who_takes_the_port_while_a_ready_backend_does_not_listen_gets_nothing()
    {
        string gate = Path.Combine(Scene.Folder, "go");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Defaults("ready_health_check_interval_ms = 0")
                .Backend(
                    Host,
                    Trees.Shell($"\"$0\" --name=first; while ! test -e {gate}; do sleep 0.05; done; \"$0\" --name=second; exit 0")
                )
        );
        Assert.That((await AskAsync(gateway)).Status, Is.EqualTo(200));
        BackendProcess first = await Control.StartAsync("first");
        await first.SendAsync("crash");
        await first.ExitedInTimeAsync();
        Assert.That((await AskAsync(gateway)).Status, Is.EqualTo(502), "refused");

        using (var squatter = new Squatter(first.Port))
        {
            Assert.That((await AskAsync(gateway)).Status, Is.EqualTo(502));
            await squatter.Asked.InTimeAsync("a connection");
            Assert.That(squatter.Received, Is.Empty);
            await gateway.LogsAsync("Another process listens on the port");
        }

        await File.WriteAllTextAsync(gate, "");
        await (await Control.StartAsync("second")).ToldAsync("listening");
        Assert.That((await AskAsync(gateway)).Status, Is.EqualTo(200), "it is the run's own again");
    }

    [TestCase("", "exec \"$0\"", TestName = "The_leader_may_listen")]
    [TestCase("", "\"$0\"; exit $?", TestName = "A_child_may_listen")]
    [TestCase("", "setsid \"$0\" & wait", TestName = "A_child_in_a_session_of_its_own_may_listen")]
    [TestCase("", "(setsid sh -c '\"$0\" & exit 0' \"$0\" &) ; exec sleep 1000", TestName = "A_daemon_forked_twice_may_listen")]
    [TestCase("", "exec setpriv --reuid 12345 --regid 12345 --clear-groups \"$0\"", TestName = "A_process_of_another_user_may_listen")]
    [TestCase(
        "setpriv --bounding-set -sys_ptrace",
        "setpriv --reuid 12345 --regid 12345 --clear-groups \"$0\"; exit $?",
        TestName = "A_process_of_another_user_that_cannot_be_looked_at_may_listen"
    )]
    public async Task Whatever_process_of_the_run_listens_is_asked(string wrapper, string script)
    {
        Executables.FindOrSkip("setpriv");
        Assume.That(script.Contains("setpriv", StringComparison.Ordinal) && !Environment.IsPrivilegedProcess, Is.False, "needs root");
        ConfigFile config = new ConfigFile().Defaults("shutdown_grace_period_secs = 1").Backend(Host, Trees.Shell(script));
        GatewayProcess gateway =
            wrapper.Length == 0 ? await Scene.GatewayAsync(config) : await Scene.GatewayUnderAsync(wrapper.Split(' '), config);

        Assert.That((await AskAsync(gateway)).Status, Is.EqualTo(200));
    }

    /// <summary>As one that <c>service</c> starts with an empty environment, or that writes a title over its own.</summary>
    [Test]
    public async Task A_daemon_that_left_the_session_and_shows_no_token_may_listen()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Defaults("shutdown_grace_period_secs = 1")
                .Backend(Host, Trees.Shell("(env -u SERVERLESS_PROXY_READY_URL setsid \"$0\" &) ; exec sleep 1000"))
        );

        Assert.That((await AskAsync(gateway)).Status, Is.EqualTo(200));

        BackendProcess daemon = await Control.StartAsync();
        await daemon.SendAsync("crash"); // Nothing else ends it.
        await daemon.ExitedInTimeAsync();
    }

    [Test]
    public async Task A_backend_whose_first_thread_has_ended_may_listen()
    {
        Executables.FindOrSkip("python3");
        Scene.Write("health", "");
        string program = Scene.Write(
            "server.py",
            """
            import ctypes, http.server, os, platform, threading
            server = http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler)
            os.chdir(os.path.dirname(os.path.abspath(__file__)))
            threading.Thread(target=server.serve_forever).start()
            ctypes.CDLL(None).syscall({"x86_64": 60}.get(platform.machine(), 93), 0)
            """
        );
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Backend(Host, Trees.Shell($"python3 {program}; exit $?")));

        Assert.That((await AskAsync(gateway)).Status, Is.EqualTo(200));
    }

    /// <summary>A process of another user is not even shown then, as with <c>ProtectProc=invisible</c>.</summary>
    [Test]
    public async Task A_backend_of_another_user_may_listen_where_processes_of_others_are_not_shown()
    {
        Executables.FindOrSkip("unshare");
        Executables.FindOrSkip("setpriv");
        Assume.That(Environment.IsPrivilegedProcess, "needs root");
        const string Caps = "+setuid,+setgid";
        string[] wrapper =
        [
            "unshare",
            "--mount",
            "/bin/sh",
            "-c",
            "mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid 12345 --regid 12345 --clear-groups --inh-caps "
                + $"{Caps} --ambient-caps {Caps} --bounding-set -sys_ptrace \"$@\"",
            "sh",
        ];
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Scene.Folder, (UnixFileMode)0b111_111_111);
        }

        GatewayProcess gateway = await Scene.GatewayUnderAsync(
            wrapper,
            new ConfigFile()
                .Defaults("shutdown_grace_period_secs = 1")
                .Backend(Host, Trees.Shell("setpriv --reuid 23456 --regid 23456 --clear-groups \"$0\"; exit $?"))
        );

        Assert.That((await AskAsync(gateway)).Status, Is.EqualTo(200));

        BackendProcess backend = await Control.StartAsync();
        await backend.SendAsync("crash"); // The gateway may not signal it.
        await backend.ExitedInTimeAsync();
    }

    [Test]
    public async Task A_stranger_of_another_user_than_that_of_the_hidden_backend_gets_nothing()
    {
        Executables.FindOrSkip("setpriv");
        Assume.That(Environment.IsPrivilegedProcess, "needs root");
        GatewayProcess gateway = await Scene.GatewayUnderAsync(
            ["setpriv", "--bounding-set", "-sys_ptrace"],
            new ConfigFile()
                .Defaults(Patient)
                .Backend(Host, Trees.Shell("exec setpriv --reuid 12345 --regid 12345 --clear-groups \"$0\" --never-listen"))
        );
        Task<RawResponse> held = AskAsync(gateway);
        int port = (await Control.StartAsync()).Port;
        var info = new ProcessStartInfo(
            "setpriv",
            ["--reuid", "23456", "--regid", "23456", "--clear-groups", Executables.Backend, "--name=stranger", $"--port={port}"]
        );
        foreach ((string name, string value) in Scene.Environment)
        {
            info.Environment[name] = value;
        }

        using var stranger = Process.Start(info)!;
        BackendProcess told = await Control.StartAsync("stranger");
        await told.ToldAsync("listening");

        Assert.That((await held).Status, Is.EqualTo(503));
        await gateway.LogsAsync("Another process listens on the port", "a process of user 23456 that cannot be looked at");
        Assert.That(told.Checked, Is.Empty);
        stranger.Kill();
        await stranger.WaitForExitAsync();
    }

    /// <summary>A backend that begins when a file is there.</summary>
    private static ConfigFile Gated(string gate) =>
        new ConfigFile().Backend(Host, Trees.Shell($"while ! test -e {gate}; do sleep 0.05; done; exec \"$0\""));

    private static Task<RawResponse> AskAsync(GatewayProcess gateway) => RawClient.RequestAsync(gateway.Port, Host, "/", headers: Secret);

    private static async Task<int> PortAsync(GatewayProcess gateway)
    {
        int port = 0;
        await gateway.UntilAsync("it has a port", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("port") is { ValueKind: JsonValueKind.Number } number
            && number.TryGetInt32(out port)
        );
        return port;
    }
}
