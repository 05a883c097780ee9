using System.Globalization;
using System.Net;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>
/// A gateway that runs out of descriptors: by its limit of open files, which it shares out, and by one that leaves it none at all.
/// </summary>
internal sealed class DescriptorTests : GatewayTest
{
    private const int LimitHere = 256;
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(3);
    private static readonly string[] Patient = ["header_timeout_secs = 0", "keep_alive_timeout_secs = 0"];
    private readonly List<RawClient> _clients = [];

    /// <summary>Clients leave before the gateway is stopped.</summary>
    [TearDown]
    public void CloseClients() => Leave(_clients.Count);

    /// <summary>
    /// As many clients as there are descriptors for are served, the others wait; whatever else the gateway does goes on, and those who wait
    /// are served when others leave.
    /// </summary>
    [Test, LongRunning]
    public async Task Clients_cannot_use_up_what_others_need()
    {
        GatewayProcess gateway = await LimitedAsync(
            new ConfigFile().Server(["max_connections = 1000", .. Patient]).TestBackend(Host).TestBackend("other.test")
        );
        LogLine warning = await gateway.LogsAsync("max_connections=\"1000\"", "limit of open files allows fewer clients");
        Assert.That(warning.Text, Does.Contain("WARN").And.Contain("open_files_limit=\"256\""));
        int allowed = int.Parse(warning.Field("effective")!, CultureInfo.InvariantCulture);
        Assert.That(allowed, Is.InRange(20, 100));

        await ConnectAsync(gateway.Port, LimitHere + 50);
        await gateway.UntilAsync("all that may are accepted", async () => await ConnectionsAsync(gateway) == allowed);
        long cpuBefore = ProcessVitals.Of(gateway.Pid).CpuMs;
        Assert.That(
            await gateway.Log.FirstAsync(line => line.Says("cannot accept")).StaysOpenAsync(Watched),
            "nothing is wrong: the others wait"
        );
        Assert.That(
            ProcessVitals.Of(gateway.Pid).CpuMs - cpuBefore,
            Is.LessThan(Watched.TotalMilliseconds / 3),
            "ms of CPU while clients wait"
        );

        await LivesAsync(gateway);
        Assert.That(await gateway.Admin.PostAsync("/backends/other.test/start"), Is.EqualTo(HttpStatusCode.Accepted));
        await gateway.UntilStateAsync("other.test", "ready");
        var answers = await Task.WhenAll(_clients.Take(allowed).Select(client => client.ExchangeAsync(Host, "/")));
        Assert.That(
            answers.Select(answer => answer.Status),
            Is.All.EqualTo(200),
            "every client that was accepted can have a backend at the same time"
        );
        RawResponse large = await _clients[0].ExchangeAsync(Host, "/bytes?n=20000000");
        Assert.That((large.Status, large.BodyLength), Is.EqualTo((200, 20_000_000L)));

        Leave(allowed);
        var waited = await Task.WhenAll(_clients.Take(allowed).Select(client => client.ExchangeAsync(Host, "/")));
        Assert.That(waited.Select(answer => answer.Status), Is.All.EqualTo(200), "those who waited are served");
        Assert.That(gateway.LogText, Does.Not.Contain("Cannot accept").And.Not.Contain("met a bug").And.Not.Contain(" ERROR "));
    }

    /// <summary>Without any descriptor a client waits, quietly; its wait is told once, and that it is over.</summary>
    [Test]
    public async Task Without_a_descriptor_clients_wait_and_the_log_says_so_once()
    {
        NeedsNative();
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server(Patient).TestBackend(Host));
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        var limit = new OpenFileLimit(gateway.Pid);
        ulong usual = limit.Soft;
        limit.LeaveNone();
        await ConnectAsync(gateway.Port, 20);
        await gateway.LogsAsync("Cannot accept connections for the moment");
        int lines = gateway.Log.Lines.Count;
        long cpuBefore = ProcessVitals.Of(gateway.Pid).CpuMs;
        Assert.That(await gateway.Log.FromAsync(lines, line => line.Says("accept")).StaysOpenAsync(Watched), "it is said once");
        Assert.That(
            ProcessVitals.Of(gateway.Pid).CpuMs - cpuBefore,
            Is.LessThan(Watched.TotalMilliseconds / 3),
            "ms of CPU while clients wait"
        );

        limit.Set(usual);
        var waited = await Task.WhenAll(_clients.Select(client => client.ExchangeAsync(Host, "/")));
        Assert.That(waited.Select(answer => answer.Status), Is.All.EqualTo(200));
        LogLine over = await gateway.LogsAsync("Connections are accepted again");
        Assert.That(int.Parse(over.Field("failures")!, CultureInfo.InvariantCulture), Is.GreaterThan(5));
    }

    /// <summary>
    /// When clients hold every descriptor, and more wait, the admin API answers nevertheless, and does not use up a processor for a
    /// connection that waits.
    /// </summary>
    [Test]
    public async Task Without_a_descriptor_the_admin_API_answers()
    {
        NeedsNative();
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server(Patient).TestBackend(Host));
        gateway.Admin.Dispose(); // Its connection is one that could be used again.
        var limit = new OpenFileLimit(gateway.Pid);
        ulong usual = limit.Soft;
        await ConnectAsync(gateway.Port, limit.LeaveGaps() + 50);
        await gateway.LogsAsync("Cannot accept connections for the moment", "no file descriptor is left");
        for (int i = 0; i < 3; i++)
        {
            await LivesAsync(gateway);
        }

        // More than there is room for: one is closed for the next.
        await ConnectAsync(gateway.Config.AdminPort, 20);
        long cpuBefore = ProcessVitals.Of(gateway.Pid).CpuMs;
        await gateway.LogsAsync("Admin API cannot accept connections for the moment");
        int lines = gateway.Log.Lines.Count;
        Assert.That(await gateway.Log.FromAsync(lines, line => line.Says("cannot accept")).StaysOpenAsync(Watched), "it is said once");
        Assert.That(
            ProcessVitals.Of(gateway.Pid).CpuMs - cpuBefore,
            Is.LessThan(Watched.TotalMilliseconds / 2),
            "ms of CPU while connections wait"
        );
        await LivesAsync(gateway);
        limit.Set(usual);
        await gateway.LogsAsync("Connections are accepted again");
        await gateway.LogsAsync("Admin API accepts connections again");
    }

    /// <summary>
    /// A start that cannot have a descriptor fails like any other: the request is told, the state is a defined one, and the next start
    /// after the wait works.
    /// </summary>
    [Test]
    public async Task Without_a_descriptor_a_start_fails_with_a_reason()
    {
        NeedsNative();
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().TestBackend(Host));
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        Assert.That((await client.ExchangeAsync("nobody.test", "/")).Status, Is.EqualTo(404), "it is accepted");
        var limit = new OpenFileLimit(gateway.Pid);
        ulong usual = limit.Soft;
        limit.LeaveNone();
        RawResponse failed = await client.ExchangeAsync(Host, "/");
        Assert.That((failed.Status, failed.Header("X-Proxy-Error")), Is.EqualTo((503, "BACKEND_START_FAILED")));
        limit.Set(usual);
        await gateway.LogsAsync("failed to start", "no file descriptor is left");
        Assert.That(await gateway.Admin.StateAsync(Host), Is.EqualTo("stopped"));
        Assert.That((await client.ExchangeAsync(Host, "/")).Status, Is.EqualTo(200), "the next start works");
        Assert.That(gateway.LogText, Does.Not.Contain("met a bug"));
    }

    /// <summary>Health checks that cannot be made for want of a descriptor say nothing about a backend.</summary>
    [Test]
    public async Task Without_a_descriptor_a_healthy_backend_stays_ready()
    {
        NeedsNative();
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackendWith(
                Host,
                ["ready_health_check_interval_ms = 100", "unhealthy_threshold = 1", "health_path = \"\""]
            )
        );
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        Assert.That((await client.ExchangeAsync(Host, "/")).Status, Is.EqualTo(200));
        var limit = new OpenFileLimit(gateway.Pid);
        ulong usual = limit.Soft;
        limit.LeaveNone();
        Assert.That(await gateway.LogsAsync("unhealthy").StaysOpenAsync(Watched), "30 checks later");
        limit.Set(usual);
        Assert.That((await client.ExchangeAsync(Host, "/")).Status, Is.EqualTo(200));
        Assert.That(Control.Started(), Has.Count.EqualTo(1), "it was not restarted");
    }

    /// <summary>Idle connections to the admin API, and those whose head never ends, do not keep anybody out.</summary>
    [TestCase(0, 4200)]
    [TestCase(LimitHere, 600)]
    [LongRunning]
    public async Task Idle_connections_do_not_lock_the_admin_API(int limit, int connections)
    {
        ConfigFile config = new ConfigFile().TestBackend(Host);
        GatewayProcess gateway = limit == 0 ? await Scene.GatewayAsync(config) : await LimitedAsync(config);
        for (int opened = 0; opened < connections; opened += 200)
        {
            await ConnectAsync(gateway.Config.AdminPort, 200);
            foreach (RawClient slow in _clients.TakeLast(100))
            {
                try
                {
                    await slow.SendAsync("GET /health HTTP/1.1\r\nHost: 127");
                }
                catch (System.Net.Sockets.SocketException)
                {
                    // Closed for others already.
                }
            }
        }

        await LivesAsync(gateway);
        JsonElement backend = JsonDocument.Parse(await AdminTextAsync(gateway, "/backends/" + Host)).RootElement;
        Assert.That(backend.GetProperty("state").GetString(), Is.EqualTo("stopped"));
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200), "clients are served as well");
    }

    /// <summary>
    /// Streams of the admin API have a bound below its connections: those beyond it are refused, and nobody who comes cuts one that is in
    /// use.
    /// </summary>
    [Test, LongRunning]
    public async Task Streams_leave_the_admin_API_places_and_are_not_cut()
    {
        GatewayProcess gateway = await LimitedAsync(new ConfigFile().TestBackend(Host));
        using var http = new HttpClient();
        var streams = new List<StreamReader>();
        var refused = new List<HttpStatusCode>();
        for (int i = 0; i < 40; i++)
        {
            HttpResponseMessage answer = await http.GetAsync(
                new Uri($"http://127.0.0.1:{gateway.Config.AdminPort}/events"),
                HttpCompletionOption.ResponseHeadersRead
            );
            if (answer.StatusCode == HttpStatusCode.OK)
            {
                streams.Add(new StreamReader(await answer.Content.ReadAsStreamAsync()));
            }
            else
            {
                refused.Add(answer.StatusCode);
                answer.Dispose();
            }
        }

        Assert.That(streams, Has.Count.InRange(4, 19));
        Assert.That(refused, Is.All.EqualTo(HttpStatusCode.ServiceUnavailable));
        await ConnectAsync(gateway.Config.AdminPort, 100);
        await LivesAsync(gateway);
        foreach (StreamReader stream in streams)
        {
            // More than can be underway: what was told before the others came, and after.
            for (int samples = 0; samples < 2; )
            {
                string? line = await stream.ReadLineAsync();
                Assert.That(line, Is.Not.Null, "the stream goes on");
                samples += line == "event: sample" ? 1 : 0;
            }

            stream.Dispose();
        }
    }

    /// <summary>
    /// Requests of one connection that need more connections to a backend than there can be: some wait and are refused, and nothing else
    /// suffers.
    /// </summary>
    [Test, LongRunning]
    public async Task Requests_beyond_the_descriptors_are_refused_and_later_ones_served()
    {
        GatewayProcess gateway = await LimitedAsync(new ConfigFile().TestBackend(Host).TestBackend("other.test", "--name=other"), 320);
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        Assert.That((await AskAsync(http, gateway, "/")).Status, Is.EqualTo(200));
        var held = Enumerable.Range(0, 240).Select(_ => AskAsync(http, gateway, "/hold?key=all")).ToList();
        await gateway.UntilAsync("some are refused", () => Task.FromResult(held.Exists(each => each.IsCompleted)));
        BackendProcess backend = await Control.StartAsync();
        await LivesAsync(gateway);
        Assert.That(await gateway.Admin.PostAsync("/backends/other.test/start"), Is.EqualTo(HttpStatusCode.Accepted));
        await gateway.UntilStateAsync("other.test", "ready");
        await gateway.UntilAsync("those without a connection are refused", async () =>
            held.Count(each => !each.IsCompleted) <= (await gateway.Admin.BackendAsync(Host)).GetProperty("in_flight").GetInt32()
        );
        await backend.DoAsync("release all");
        var answers = await Task.WhenAll(held).InTimeAsync("all answers");
        Assert.That(
            answers.Select(answer => (answer.Status, answer.Code)).Distinct(),
            Is.EquivalentTo(new[] { (200, ""), (503, "OVERLOADED") })
        );
        Assert.That(answers.Count(answer => answer.Status == 200), Is.GreaterThan(60));
        Assert.That((await AskAsync(http, gateway, "/")).Status, Is.EqualTo(200), "afterwards all is as before");
        Assert.That(gateway.Log.Lines.Count(line => line.Says("Cannot open connections to backends")), Is.EqualTo(1), "said once");
    }

    /// <summary>The soft limit is raised for the gateway, and children get the one that it was started with.</summary>
    [Test]
    public async Task The_soft_limit_is_raised_here_and_not_in_backends()
    {
        NeedsNative();
        GatewayProcess gateway = await Scene.GatewayUnderAsync(
            ["bash", "-c", "ulimit -Sn 700; exec \"$@\"", "bash"],
            new ConfigFile()
                .TestBackendWith(Host, [], [])
                .Backend("limit.test", "command = \"bash\"", "args = [\"-c\", \"echo soft is $(ulimit -Sn)\"]")
        );
        await RawClient.RequestAsync(gateway.Port, "limit.test", "/");
        await gateway.LogsAsync("soft is 700");

        // While a child is made it is lowered for a moment.
        await gateway.UntilAsync("it is raised", () => Task.FromResult(new OpenFileLimit(gateway.Pid).Soft > 700));
    }

    /// <summary><c>check</c> says that the configured number cannot be had.</summary>
    [Test]
    public async Task Check_warns()
    {
        string path = Scene.Write("few.toml", "[server]\nmax_connections = 5000\n");
        Tool check = await Tool.RunAsync("bash", "-c", $"ulimit -n {LimitHere}; exec \"$@\"", "bash", Executables.Gateway, "check", path);
        Assert.That(check.Code, Is.Zero);
        Assert.That(check.Error, Does.Contain("warning: server.max_connections is 5000; with a limit of 256 open files"));
    }

    /// <summary>
    /// A build that is not native opens its assemblies when they are needed, and ends when it cannot; its runtime also raises the limit
    /// before the program begins.
    /// </summary>
    private static void NeedsNative()
    {
        if (!Executables.GatewayIsNative)
        {
            Assert.Ignore("only a native executable lives without descriptors");
        }
    }

    private Task<GatewayProcess> LimitedAsync(ConfigFile config, int limit = LimitHere) =>
        Scene.GatewayUnderAsync(["bash", "-c", $"ulimit -n {limit}; exec \"$@\"", "bash"], config);

    /// <summary>The health check of a container, and the admin API by a connection of its own.</summary>
    private async Task LivesAsync(GatewayProcess gateway)
    {
        Tool live = await Tool.GatewayAsync(Scene, "check", "--live", gateway.ConfigPath);
        Assert.That(live.Code, Is.Zero, live.Error);
        Assert.That(await AdminTextAsync(gateway, "/health"), Is.EqualTo("ok"));
    }

    private static async Task<string> AdminTextAsync(GatewayProcess gateway, string path)
    {
        RawResponse answer = await RawClient.RequestAsync(gateway.Config.AdminPort, "127.0.0.1", path);
        Assert.That(answer.Status, Is.EqualTo(200));
        return answer.Text;
    }

    private static async Task<int> ConnectionsAsync(GatewayProcess gateway)
    {
        string metrics = await gateway.Admin.TextAsync("/metrics");
        string line = metrics.Split('\n').First(each => each.StartsWith("spawngate_client_connections ", StringComparison.Ordinal));
        return int.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
    }

    private static async Task<(int Status, string Code)> AskAsync(HttpClient http, GatewayProcess gateway, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{gateway.Port}{path}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Host = Host;
        using HttpResponseMessage answer = await http.SendAsync(request);
        return ((int)answer.StatusCode, answer.Headers.TryGetValues("X-Proxy-Error", out var codes) ? codes.Single() : "");
    }

    private async Task ConnectAsync(int port, int count)
    {
        for (int i = 0; i < count; i++)
        {
            _clients.Add(await RawClient.ConnectAsync(port));
        }
    }

    private void Leave(int count)
    {
        _clients.Take(count).ToList().ForEach(client => client.Dispose());
        _clients.RemoveRange(0, count);
    }
}
