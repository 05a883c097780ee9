using System.Net;
using System.Net.Sockets;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>Listening sockets that a service manager opened (<c>LISTEN_FDS</c>).</summary>
[Platform("Linux")]
[LongRunning]
internal sealed class ActivationTests : GatewayTest
{
    private NoticeListener _notices = null!;

    [SetUp]
    public void Listen() => _notices = new NoticeListener(Path.Combine(Scene.Folder, "notify"));

    [TearDown]
    public void EndListening() => _notices.Dispose();

    private static string[] Activator(params string[] options) =>
        [
            Executables.PythonWithOrSkip("socket"),
            Path.Combine(Executables.Repository, "tests", "Spawngate.EndToEnd.Tests", "Operation", "Scripts", "activate.py"),
            .. options,
            "--",
        ];

    private GatewayProcess Launch(ConfigFile config, params string[] options) =>
        Scene.LaunchUnder(Activator(options), config, ("NOTIFY_SOCKET", _notices.Address));

    private static ConfigFile Config(params string[] backendArgs) => new ConfigFile().TestBackend(Host, backendArgs);

    private static async Task<int> StatusAsync(EndPoint address)
    {
        using RawClient client = await RawClient.ConnectAsync(address);
        return (await client.ExchangeAsync(Host, "/status?code=200")).Status;
    }

    private static IPEndPoint Loopback(int port) => new(IPAddress.Loopback, port);

    [Test]
    public async Task A_passed_socket_takes_the_place_of_the_configured_one_and_the_log_says_so()
    {
        int port = Ports.Free();
        GatewayProcess gateway = Launch(Config(), "--name", $"spawngate.socket={port}");
        await _notices.SaysAsync("READY");

        LogLine line = await gateway.LogsAsync("configured address is not used");

        Assert.That(await StatusAsync(Loopback(port)), Is.EqualTo(200));
        Assert.That(await Ports.AcceptsAsync(gateway.Port), Is.False, "the configured port");
        Assert.That(
            (line.Level, line.Field("address"), line.Field("configured")),
            Is.EqualTo(("WARN", $"127.0.0.1:{port}", $"127.0.0.1:{gateway.Port}"))
        );
        gateway.ReloadAtomically(gateway.Config.ToString());
        await gateway.LogsAsync("Configuration reloaded");
        Assert.That(gateway.LogText, Does.Not.Contain("needs a restart"), "the file has not changed");
    }

    [Test]
    public async Task A_passed_socket_at_the_configured_address_is_taken_without_a_warning()
    {
        ConfigFile config = Config();
        GatewayProcess gateway = Launch(config, "--name", $"proxy={config.Port}");
        await _notices.SaysAsync("READY");

        Assert.That(await StatusAsync(Loopback(config.Port)), Is.EqualTo(200));
        Assert.That(gateway.Log.Lines.Where(line => line is { Level: "WARN", Category: "spawngate.supervisor" }), Is.Empty);
    }

    [TestCase("admin", "proxy")]
    [TestCase("unknown", "unknown")]
    public async Task The_admin_socket_is_known_by_its_name_or_by_its_port(string adminName, string proxyName)
    {
        ConfigFile config = Config();
        GatewayProcess gateway = Launch(config, "--name", $"{adminName}={config.AdminPort}", "--name", $"{proxyName}={config.Port}");
        await _notices.SaysAsync("READY");

        // The ready callback of the backend goes by way of the admin API.
        Assert.That(await StatusAsync(Loopback(config.Port)), Is.EqualTo(200));
        Assert.That(await gateway.Admin.TextAsync("/health"), Is.EqualTo("ok"));
        Assert.That(gateway.Log.Lines.Where(line => line is { Level: "WARN", Category: "spawngate.supervisor" }), Is.Empty);
    }

    [Test]
    public async Task An_admin_socket_elsewhere_is_where_backends_call_back()
    {
        int port = Ports.Free();
        ConfigFile config = Config();
        GatewayProcess gateway = Launch(config, "--name", $"admin={port}");
        await _notices.SaysAsync("READY");

        using RawClient client = await RawClient.ConnectAsync(config.Port);
        string url = (await client.ExchangeAsync(Host, "/env?name=SERVERLESS_PROXY_READY_URL")).Text;

        Assert.That(url, Does.StartWith($"http://127.0.0.1:{port}/ready/"));
        Assert.That((await RawClient.RequestAsync(port, $"127.0.0.1:{port}", "/health")).Text, Is.EqualTo("ok"));
        Assert.That(await Ports.AcceptsAsync(config.AdminPort), Is.False, "the configured port");
        await gateway.LogsAsync("use=\"admin\"", "configured address is not used");
    }

    [Test]
    public async Task All_passed_sockets_are_served_of_IPv4_IPv6_and_Unix()
    {
        ConfigFile config = Config();
        int other = Ports.Free();
        string path = Path.Combine(Scene.Folder, "proxy.sock");
        Launch(config, "--name", $"a={config.Port}", "--name", $"b=[::1]:{other}", "--name", $"c={path}");
        Notice ready = await _notices.SaysAsync("READY");

        var unix = new UnixDomainSocketEndPoint(path);
        Assert.That(await StatusAsync(Loopback(config.Port)), Is.EqualTo(200));
        Assert.That(await StatusAsync(new IPEndPoint(IPAddress.IPv6Loopback, other)), Is.EqualTo(200));
        Assert.That(await StatusAsync(unix), Is.EqualTo(200));
        Assert.That(ready.Fields["STATUS"], Is.EqualTo($"Listening on 127.0.0.1:{config.Port}, [::1]:{other}, {path}, 1 backends"));
        using RawClient client = await RawClient.ConnectAsync(unix);
        RawResponse mirrored = await client.ExchangeAsync(Host, "/echo", headers: "X-Forwarded-Proto: https\r\n");
        Assert.That(
            mirrored.Text,
            Does.Contain("X-Forwarded-For: 127.0.0.1\r\n").And.Contain("X-Forwarded-Proto: https\r\n"),
            "a client on this machine"
        );
    }

    [TestCase("needs ListenStream=", "--datagram")]
    [TestCase("needs Accept=no", "--connected")]
    public async Task What_is_no_listening_stream_socket_is_refused(string message, string kind)
    {
        GatewayProcess gateway = Launch(Config(), kind, "--name", $"proxy={Ports.Free()}");

        Assert.That(await gateway.ExitAsync(), Is.EqualTo(1));
        Assert.That(gateway.LogText, Does.Contain("descriptor 3").And.Contain(message));
    }

    [Test]
    public async Task A_Unix_socket_for_the_admin_API_is_refused()
    {
        GatewayProcess gateway = Launch(Config(), "--name", $"admin={Path.Combine(Scene.Folder, "admin.sock")}");

        Assert.That(await gateway.ExitAsync(), Is.EqualTo(1));
        Assert.That(gateway.LogText, Does.Contain("cannot serve the admin API"));
    }

    [Test]
    public async Task Sockets_for_another_process_are_left_alone()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config(), ("LISTEN_FDS", "1"), ("LISTEN_PID", "1"));

        Assert.That(await StatusAsync(Loopback(gateway.Port)), Is.EqualTo(200));
    }

    [Test]
    public async Task No_backend_inherits_a_passed_socket()
    {
        ConfigFile config = Config();
        GatewayProcess gateway = Launch(config, "--name", $"proxy={config.Port}", "--name", $"more={Ports.Free()}");
        await _notices.SaysAsync("READY");
        string[] passed = [new FileInfo($"/proc/{gateway.Pid}/fd/3").LinkTarget!, new FileInfo($"/proc/{gateway.Pid}/fd/4").LinkTarget!];
        Assert.That(passed, Has.All.StartsWith("socket:"));

        await StatusAsync(Loopback(config.Port));
        BackendProcess backend = await Control.StartAsync();

        foreach (int pid in new[] { backend.Pid, Scene.Guards().Single() })
        {
            string?[] open = [.. Directory.GetFileSystemEntries($"/proc/{pid}/fd").Select(link => new FileInfo(link).LinkTarget)];
            Assert.That(open, Has.None.AnyOf(passed));
        }
    }

    [Test, NonParallelizable]
    public async Task Restarts_under_load_lose_no_request()
    {
        const int Restarts = 5;
        ConfigFile config = Config();
        GatewayProcess activator = Launch(config, "--keep", "--name", $"proxy={config.Port}");
        Notice ready = await _notices.SaysAsync("READY");
        using var load = new LoadLoop(config.Port, Host, "/bytes?n=2000", connections: 16, warmAfter: 200);
        await load.Warm.InTimeAsync("load");

        for (int i = 0; i < Restarts; i++)
        {
            int before = load.Complete;
            int seen = _notices.All.Count;
            ProcessScan.Signal(int.Parse(ready.Fields["MAINPID"], System.Globalization.CultureInfo.InvariantCulture), ProcessScan.Term);
            ready = await _notices.SaysAsync("READY", seen);
            await activator.UntilAsync("requests are served again", () => Task.FromResult(load.Complete > before + 200));
        }

        await load.StopAsync();
        await Figures.NoteAsync($"{load.Complete} requests during {Restarts} restarts");
        Assert.That(
            (load.Wrong, load.Cut, load.Unanswered, load.Refused),
            Is.EqualTo((0, 0, 0, 0)),
            $"other than 200, cut, unanswered, refused; {string.Join(' ', load.WrongCodes)}"
        );
        LogLine[] ends = [.. activator.Log.Lines.Where(line => line.Category == "activator")];
        Assert.That(ends, Has.Length.EqualTo(Restarts));
        Assert.That(
            ends.Select(line => (line.Field("status"), line.Field("listens"), line.Field("linger"))),
            Has.All.EqualTo(("0", "1", "0")),
            "the socket is as it was"
        );
    }

    [Test]
    public async Task A_client_that_comes_between_two_gateways_is_served_by_the_next()
    {
        ConfigFile config = Config();
        GatewayProcess activator = Launch(config, "--keep", "--name", $"proxy={config.Port}");
        Notice ready = await _notices.SaysAsync("READY");

        int seen = _notices.All.Count;
        ProcessScan.Signal(int.Parse(ready.Fields["MAINPID"], System.Globalization.CultureInfo.InvariantCulture), ProcessScan.Term);
        await activator.LogsAsync("spawngate.gateway", "Stopped");
        Task<int> status = StatusAsync(Loopback(config.Port));
        await _notices.SaysAsync("READY", seen);

        Assert.That(await status, Is.EqualTo(200));
    }
}
