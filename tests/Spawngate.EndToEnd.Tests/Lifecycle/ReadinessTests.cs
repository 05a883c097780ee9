using System.Net;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>
/// Programs that know nothing of health pages and of PORT, serve one at a time, or restart themselves, on default settings.
/// </summary>
[LongRunning]
internal sealed class ReadinessTests : GatewayTest
{
    private const string Server = """
        import http.server, os, socket, sys, threading, time
        class Server(http.server.HTTPServer):
            address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
            def server_bind(self):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.socket.bind(self.server_address)
                self.server_name, self.server_port = "x", self.server_address[1]
        class Page(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_): pass
            def do_GET(self):
                if self.path == "/rows":
                    self.send_response(200)
                    self.end_headers()
                    for row in range(60):
                        self.wfile.write(b"row %d\n" % row)
                        self.wfile.flush()
                        time.sleep(0.05)
                elif self.path == "/hang":
                    time.sleep(1000)
                else:
                    if self.path == "/up": print("asked for /up", flush=True)
                    found = self.path == "/" or (self.path == "/health" and "with-health" in sys.argv)
                    self.send_response(200 if found else 404)
                    self.send_header("Content-Length", "5")
                    self.end_headers()
                    self.wfile.write(b"hello")
        server = Server((sys.argv[1], int(sys.argv[2])), Page)
        server.socket.listen(5)
        server.serve_forever()
        """;

    [Test]
    public async Task A_program_without_a_health_page_is_ready_at_once_and_it_is_told_how_that_was_judged()
    {
        GatewayProcess gateway = await StartAsync("127.0.0.1 $PORT");

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That((response.Status, response.Text), Is.EqualTo((200, "hello")));
        const string Judged = "GET /health answered 404: it serves HTTP and has no health page there, so it is watched by its port";
        await gateway.LogsAsync("spawngate.lifecycle", Host, "Backend is ready", Judged);
        Tool explained = await Tool.RunAsync(Executables.Gateway, "explain", Host, "--config", gateway.ConfigPath);
        Assert.That(explained.Out, Does.Contain(Judged));
    }

    [Test]
    public async Task A_program_with_a_health_page_is_held_to_it()
    {
        GatewayProcess gateway = await StartAsync("127.0.0.1 $PORT with-health");
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        await gateway.LogsAsync("spawngate.lifecycle", Host, "Backend is ready", "GET /health answered 200: watched by that path");
    }

    [Test]
    public async Task A_program_that_ignores_PORT_is_found_where_it_listens()
    {
        int port = Ports.Free();
        GatewayProcess gateway = await StartAsync($"0.0.0.0 {port}");

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That((response.Status, response.Text), Is.EqualTo((200, "hello")));
        await gateway.LogsAsync("WARN", Host, $"The program listens on port {port} and not on", "port = ");
        Assert.That((await gateway.Admin.BackendAsync(Host)).GetProperty("port").GetInt32(), Is.EqualTo(port));

        // It is the same at the next start, and the port that it was told is given back.
        await gateway.Admin.PostAsync($"/backends/{Host}/restart");
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_program_that_listens_elsewhere_than_on_its_fixed_port_fails_and_the_reason_says_where()
    {
        int port = Ports.Free();
        GatewayProcess gateway = await StartAsync(
            $"127.0.0.1 {port}",
            [$"port = {Ports.Free()}"],
            "startup_timeout_secs = 2",
            "shutdown_grace_period_secs = 0"
        );

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(503));
        await gateway.LogsAsync("spawngate.lifecycle", Host, $"it listens on port {port} instead");
    }

    [Test]
    public async Task A_server_on_the_IPv6_loopback_only_is_found()
    {
        Assume.That(System.Net.Sockets.Socket.OSSupportsIPv6, "this machine has no IPv6");
        GatewayProcess gateway = await StartAsync("::1 $PORT");
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Text, Is.EqualTo("hello"));
    }

    /// <summary>It serves one request at a time, so no check is answered while it streams.</summary>
    [TestCase("with-health")]
    [TestCase("")]
    public async Task A_server_that_serves_one_at_a_time_streams_to_the_end(string health)
    {
        GatewayProcess gateway = await StartAsync(
            $"127.0.0.1 $PORT {health}",
            [],
            "ready_health_check_interval_ms = 200",
            "unhealthy_threshold = 1",
            "idle_timeout_secs = 1",
            "request_timeout_secs = 1"
        );

        RawResponse rows = await RawClient.RequestAsync(gateway.Port, Host, "/rows");

        Assert.That(rows.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(60));
        Assert.That(gateway.LogText, Does.Not.Contain("unhealthy"));
        await gateway.UntilStateAsync(Host, "stopped");
    }

    [Test]
    public async Task A_server_that_hangs_and_sends_nothing_to_anybody_is_unhealthy_all_the_same()
    {
        GatewayProcess gateway = await StartAsync(
            "127.0.0.1 $PORT with-health",
            [],
            "ready_health_check_interval_ms = 200",
            "request_timeout_secs = 1",
            "shutdown_grace_period_secs = 0",
            "drain_timeout_secs = 0"
        );

        RawResponse hung = await RawClient.RequestAsync(gateway.Port, Host, "/hang");

        Assert.That(hung.Status, Is.EqualTo(504));
        await gateway.LogsAsync("Backend is unhealthy");
        await gateway.UntilAsync(
            "served again",
            async () => (await RawClient.RequestAsync(gateway.Port, Host, "/")).Status == 200,
            TimeSpan.FromSeconds(30)
        );
    }

    [Test]
    public async Task Ready_by_callback_a_program_without_a_health_page_is_watched_by_its_port()
    {
        Executables.FindOrSkip("curl");
        GatewayProcess gateway = await StartAsync(
            "127.0.0.1 $PORT & curl -s -X POST $SERVERLESS_PROXY_READY_URL; wait",
            ["health_path = \"/up\""],
            "ready_health_check_interval_ms = 100",
            "unhealthy_threshold = 1"
        );

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        await gateway.LogsAsync("spawngate.lifecycle", Host, "reason=\"callback\"");
        await gateway.LogsAsync("asked for /up");
        for (int i = 0; i < 100; i++)
        {
            Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        }

        Assert.That(gateway.LogText, Does.Not.Contain("unhealthy"));
    }

    /// <summary>As <c>node --watch</c> does, or the reloader of Django: the process lives, and its child comes and goes.</summary>
    [Test]
    public async Task A_development_server_that_restarts_itself_is_waited_for()
    {
        string script = Scene.Write("server.py", Server);
        string python = Executables.FindOrSkip("python3");
        string pid = Path.Combine(Scene.Folder, "child");
        string loop =
            $"while :; do {python} {script} 127.0.0.1 $PORT & echo $! > {pid}~; mv {pid}~ {pid}; wait $!; rm {pid}; sleep 0.3; done";
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(Host, "command = \"sh\"", $"args = [\"-c\", {ConfigFile.Quote(loop)}]")
        );
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        for (int i = 0; i < 5; i++)
        {
            await gateway.UntilAsync("a child", () => Task.FromResult(File.Exists(pid)));
            ProcessScan.Signal(int.Parse(await File.ReadAllTextAsync(pid)), 9);
            RawResponse[] responses = await Task.WhenAll(
                Enumerable.Range(0, 8).Select(_ => RawClient.RequestAsync(gateway.Port, Host, "/"))
            );
            Assert.That(responses.Select(static response => response.Status), Has.All.EqualTo(200));
        }

        Assert.That(
            (await gateway.Admin.BackendAsync(Host)).GetProperty("generation").GetInt32(),
            Is.EqualTo(1),
            "it was never started anew"
        );
    }

    private async Task<GatewayProcess> StartAsync(string arguments, string[]? lines = null, params string[] defaults)
    {
        string python = Executables.FindOrSkip("python3");
        string script = Scene.Write("server.py", Server);
        return await Scene.GatewayAsync(
            new ConfigFile()
                .Defaults(defaults)
                .Backend(
                    Host,
                    ["command = \"sh\"", $"args = [\"-c\", {ConfigFile.Quote($"{python} {script} {arguments}")}]", .. lines ?? []]
                )
        );
    }
}
