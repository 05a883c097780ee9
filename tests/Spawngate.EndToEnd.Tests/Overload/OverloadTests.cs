using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http2;

namespace Spawngate.EndToEnd.Tests.Overload;

/// <summary>
/// What clients can make the gateway hold, and who has to go; the addresses of clients are those of the loopback network.
/// </summary>
[NonParallelizable]
internal sealed class OverloadTests : GatewayTest
{
    private const long MiB = 1024 * 1024;

    private static readonly IPAddress Greedy = IPAddress.Parse("127.0.0.2");
    private static readonly IPAddress Polite = IPAddress.Parse("127.0.0.3");

    private readonly List<IDisposable> _clients = [];

    [TearDown]
    public void CloseClients()
    {
        _clients.ForEach(static client => client.Dispose());
        _clients.Clear();
    }

    /// <summary>
    /// Sixty downloads that nobody reads, with a bound that holds a third of them; beside it one client asks again and again.
    /// </summary>
    [Test]
    public async Task Who_holds_most_goes_and_a_polite_client_never_notices()
    {
        GatewayProcess gateway = await StartAsync("memory_limit = \"16m\"", "trusted_proxies = []");
        using var stop = new CancellationTokenSource();
        Task<int> polite = AskAgainAndAgainAsync(gateway, stop.Token);
        for (int i = 0; i < 60; i++)
        {
            await OpenAsync(gateway, Greedy, RawClient.Head(Host, "/bytes?n=100000000"));
        }

        await gateway.LogsAsync("resource=\"memory\"", "Running low");
        await gateway.UntilAsync("somebody was refused or cut", async () => await ShedAsync(gateway) > 0);
        await gateway.UntilAsync("clients hold less than the bound", async () => await HeldAsync(gateway) < 16 * MiB);
        await stop.CancelAsync();
        Assert.That(await polite, Is.GreaterThan(0), "requests that were answered beside it");
    }

    /// <summary>
    /// Uploads that their backend does not read: what waits of them lies in the kernel, and goes at once when they are cut, although more
    /// comes all the time.
    /// </summary>
    [Test]
    [LongRunning]
    public async Task Uploads_that_nobody_reads_are_cut_and_hold_nothing_any_more()
    {
        GatewayProcess gateway = await StartAsync("memory_limit = \"32m\"", "trusted_proxies = []");
        using var stop = new CancellationTokenSource();
        Task<int> polite = AskAgainAndAgainAsync(gateway, stop.Token, fewest: 20);
        Task[] uploads = [.. Enumerable.Range(0, 60).Select(_ => UploadUntilCutAsync(gateway))];
        await gateway.LogsAsync("resource=\"memory\"", "Running low");
        await gateway.UntilAsync("somebody was cut", async () =>
            await MetricAsync(gateway, "spawngate_clients_refused_total{what=\"in_use\",reason=\"overload\"}") > 0
        );
        await gateway.UntilAsync("clients hold less than the bound", async () => await HeldAsync(gateway) < 32 * MiB);
        await stop.CancelAsync();
        Assert.That(await polite, Is.GreaterThanOrEqualTo(20), "requests that were answered beside it");
        CloseClients();
        await Task.WhenAll(uploads);
    }

    [Test]
    public async Task Requests_of_who_holds_most_are_answered_with_OVERLOADED_and_nobody_elses()
    {
        GatewayProcess gateway = await StartAsync("memory_limit = \"16m\"", "trusted_proxies = [\"127.0.0.1\"]");
        using RawClient proxy = await RawClient.ConnectAsync(gateway.Port);
        for (int i = 0; i < 60; i++)
        {
            await OpenAsync(
                gateway,
                IPAddress.Loopback,
                RawClient.Head(Host, "/bytes?n=100000000", headers: "X-Forwarded-For: 198.51.100.1\r\n")
            );
        }

        await gateway.LogsAsync("resource=\"memory\"", "Running low");
        RawResponse refused = await RefusedAsync(gateway, "X-Forwarded-For: 198.51.100.1\r\n");
        Assert.That((refused.Status, refused.Header("X-Proxy-Error"), refused.Header("Retry-After")), Is.EqualTo((503, "OVERLOADED", "1")));
        RawResponse served = await proxy.ExchangeAsync(Host, "/status?code=200", headers: "X-Forwarded-For: 203.0.113.5\r\n");
        Assert.That(served.Status, Is.EqualTo(200), "another client of the same proxy");
    }

    /// <summary>Fields of the dynamic table that are named again and again: a few hundred bytes are a head of 30 KB.</summary>
    [Test]
    [LongRunning]
    public async Task Requests_with_large_heads_made_of_little_hold_no_more_than_they_have_to()
    {
        GatewayProcess gateway = await StartAsync();
        long before = ProcessScan.ResidentBytes(gateway.Pid);
        await gateway.Admin.PostAsync($"/backends/{Host}/start");
        await gateway.UntilStateAsync(Host, "ready");
        for (int i = 0; i < 40; i++)
        {
            await SendLargeRequestsAsync(gateway, Greedy);
        }

        // Whoever answers this has read all that came before it.
        await Task.WhenAll(_clients.OfType<H2Client>().Select(static client => client.PingAsync()));
        await gateway.UntilAsync("all have been looked at", async () => await HeldAsync(gateway) > 80 * MiB);
        long peak = ProcessScan.PeakResidentBytes(gateway.Pid) - before;
        await Figures.NoteAsync($"40 connections of 250 requests with heads of 30 KB: {peak / 1e6:F0} MB");
        Assert.That(peak, Is.LessThan(200_000_000));
    }

    /// <summary>Far more than may be held, of 200 addresses, in a moment: less than a tick would be enough to take it all.</summary>
    [Test]
    [LongRunning]
    public async Task What_many_addresses_send_at_once_stays_within_the_bound_and_others_are_served()
    {
        const long Bound = 64 * MiB;
        const int Fewest = 50;
        GatewayProcess gateway = await StartAsync("memory_limit = \"64m\"", "trusted_proxies = []");
        await gateway.Admin.PostAsync($"/backends/{Host}/start");
        await gateway.UntilStateAsync(Host, "ready");
        long before = ProcessScan.ResidentBytes(gateway.Pid);
        using var stop = new CancellationTokenSource();
        Task<int> polite = AskAgainAndAgainAsync(gateway, stop.Token, Fewest);
        Task<(int Asked, double SlowestSecs)> politeHttp2 = AskOverHttp2Async(gateway, stop.Token, Fewest);
        double held = 0;
        long peak;
        try
        {
            for (int i = 1; i <= 200; i++)
            {
                await SendLargeRequestsAsync(gateway, new IPAddress([127, 9, 0, (byte)i]));
            }

            await gateway.UntilAsync("many are refused", async () =>
            {
                held = Math.Max(held, await HeldAsync(gateway));
                return await MetricAsync(gateway, "spawngate_clients_refused_total{what=\"request\",reason=\"overload\"}") > 1000;
            });
            peak = ProcessScan.PeakResidentBytes(gateway.Pid) - before;
        }
        finally
        {
            await stop.CancelAsync();
        }

        int served = await polite;
        (int servedHttp2, double slowestSecs) = await politeHttp2;
        await Figures.NoteAsync(
            $"200 addresses of 250 requests with heads of 30 KB, memory_limit 64m: {held / 1e6:F0} MB counted, "
                + $"{peak / 1e6:F0} MB resident, {served} and {servedHttp2} (HTTP/2) polite exchanges beside them, the slowest "
                + $"{slowestSecs * 1000:F0} ms"
        );
        Assert.That(held, Is.LessThan(Bound * 3 / 2), "cut at seven eighths, once a tick");
        Assert.That(peak, Is.LessThan(Bound + (192 * MiB)), "with what is garbage and not collected yet");
        Assert.That(slowestSecs, Is.LessThan(5), "before anybody gave up a turn it was twelve");
    }

    /// <summary>
    /// A heap that is full stops everything, for ever: each allocation collects it in vain. So clients never get it full, even when
    /// <c>memory_limit</c> says that they may.
    /// </summary>
    [Test]
    [LongRunning]
    public async Task With_a_heap_that_may_have_less_than_memory_limit_it_is_not_filled()
    {
        if (!Executables.GatewayIsNative)
        {
            Assert.Ignore("another build needs much of a small heap for itself");
        }

        const string Greediest = "greedy.test";
        string[] unlimited = ["env = { DOTNET_GCHeapHardLimit = \"0\" }"];
        ConfigFile config = new ConfigFile()
            .Server("memory_limit = \"1g\"", "trusted_proxies = []")
            .TestBackendWith(Host, unlimited)
            .TestBackendWith(Greediest, unlimited);
        // 80 MiB, as a hexadecimal number.
        GatewayProcess gateway = await Scene.GatewayAsync(config, ("DOTNET_GCHeapHardLimit", "5000000"));
        await gateway.LogsAsync("memory_limit=\"1g\"", "effective=\"41943040\"");
        foreach (string host in new[] { Host, Greediest })
        {
            await gateway.Admin.PostAsync($"/backends/{host}/start");
            await gateway.UntilStateAsync(host, "ready");
        }

        using var stop = new CancellationTokenSource();
        Task<int> polite = AskAgainAndAgainAsync(gateway, stop.Token, fewest: 50);
        try
        {
            for (int i = 1; i <= 200; i++)
            {
                await SendLargeRequestsAsync(gateway, new IPAddress([127, 9, 0, (byte)i]), Greediest);
            }

            await gateway.UntilAsync("many are refused", async () =>
                await MetricAsync(gateway, "spawngate_clients_refused_total{what=\"request\",reason=\"overload\"}") > 1000
            );
        }
        finally
        {
            await stop.CancelAsync();
        }

        Assert.That(await polite, Is.GreaterThanOrEqualTo(50), "requests that were answered beside it");
        await Figures.NoteAsync(
            "200 addresses of 250 requests with heads of 30 KB, a heap of 80 MiB: "
                + $"{ProcessScan.PeakResidentBytes(gateway.Pid) / 1e6:F0} MB resident at most"
        );
        Assert.That(gateway.LogText, Does.Not.Contain("OutOfMemory"));
    }

    /// <summary>Descriptors instead of memory: each of the many small requests needs a connection to the backend.</summary>
    [Test]
    [LongRunning]
    public async Task Who_takes_all_descriptors_is_refused_and_others_are_served()
    {
        const int Fewest = 50;

        // Several, because each backend has no more descriptors itself, and hears late that a request was cut.
        string[] greediest = ["one.test", "two.test", "three.test", "four.test"];
        ConfigFile config = greediest.Aggregate(new ConfigFile().Server("trusted_proxies = []").TestBackend(Host), static (file, host) =>
            file.TestBackend(host, "--name=" + host)
        );
        GatewayProcess gateway = await Scene.GatewayUnderAsync(["bash", "-c", "ulimit -n 400; exec \"$@\"", "bash"], config);
        foreach (string host in greediest.Append(Host))
        {
            await gateway.Admin.PostAsync($"/backends/{host}/start");
            await gateway.UntilStateAsync(host, "ready");
        }

        using var stop = new CancellationTokenSource();
        Task<int> polite = AskAgainAndAgainAsync(gateway, stop.Token, Fewest);
        Task<(int Asked, double SlowestSecs)> politeHttp2 = AskOverHttp2Async(gateway, stop.Token, Fewest);
        try
        {
            foreach (string host in greediest)
            {
                try
                {
                    await AskGreedilyAsync(gateway, H2Frame.Request(host, "/slow?headMs=20000"));
                }
                catch (Exception e) when (e is IncompleteMessageException or IOException or SocketException)
                {
                    break; // The address is refused already, which is what it should be.
                }
            }

            await gateway.LogsAsync("resource=\"descriptors\"", "Running low");
            await gateway.UntilAsync("somebody was refused or cut", async () => await ShedAsync(gateway) > 0);
        }
        finally
        {
            await stop.CancelAsync();
        }

        Assert.That(await polite, Is.GreaterThanOrEqualTo(Fewest));
        (int asked, double slowestSecs) = await politeHttp2;
        await Figures.NoteAsync(
            $"one address that takes all of 400 descriptors: {asked} polite requests over HTTP/2 beside it, the slowest "
                + $"{slowestSecs * 1000:F0} ms"
        );
        Assert.That(asked, Is.GreaterThanOrEqualTo(Fewest));
    }

    [Test]
    [LongRunning]
    public async Task Memory_comes_back_when_a_burst_is_over()
    {
        GatewayProcess gateway = await StartAsync();
        await gateway.Admin.PostAsync($"/backends/{Host}/start");
        await gateway.UntilStateAsync(Host, "ready");
        long before = ProcessScan.ResidentBytes(gateway.Pid);
        for (int i = 0; i < 20; i++)
        {
            await AskGreedilyAsync(gateway, [.. H2Frame.Request(Host, "/slow?headMs=60000"), ("x-fill", new string('x', 6000))]);
        }

        await gateway.UntilAsync("they hold much", async () => await HeldAsync(gateway) > 40 * MiB);
        long burst = ProcessScan.ResidentBytes(gateway.Pid) - before;
        CloseClients();
        await gateway.UntilAsync("memory has come back", () =>
            Task.FromResult(ProcessScan.ResidentBytes(gateway.Pid) - before < burst / 3)
        );
        await Figures.NoteAsync($"a burst of {burst / 1e6:F0} MB left {(ProcessScan.ResidentBytes(gateway.Pid) - before) / 1e6:F0} MB");
    }

    [Test]
    public async Task Connections_past_the_limit_of_an_address_are_closed()
    {
        GatewayProcess gateway = await StartAsync("max_connections_per_address = 3", "trusted_proxies = []");
        var clients = new List<RawClient>();
        for (int i = 0; i < 3; i++)
        {
            clients.Add(await ConnectAsync(gateway, Greedy));
            Assert.That((await clients[i].ExchangeAsync(Host, "/status?code=200")).Status, Is.EqualTo(200));
        }

        Assert.That(await IsServedAsync(gateway, Greedy), Is.False);
        Assert.That((await (await ConnectAsync(gateway, Polite)).ExchangeAsync(Host, "/status?code=200")).Status, Is.EqualTo(200));
        clients[0].Dispose();
        await gateway.UntilAsync("a place is free", async () => await IsServedAsync(gateway, Greedy));
    }

    [Test]
    public async Task Requests_past_the_limits_of_an_address_get_429()
    {
        GatewayProcess gateway = await StartAsync("max_requests_per_address = 2", "request_rate_per_address = 1000000");
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        H2Stream[] held = [await client.GetAsync(Host, "/slow?headMs=3000"), await client.GetAsync(Host, "/slow?headMs=3000")];
        RawResponse refused = await client.ExchangeAsync(Host, "/status?code=200");
        Assert.That(
            (refused.Status, refused.Header("x-proxy-error"), refused.Header("retry-after")),
            Is.EqualTo((429, "TOO_MANY_REQUESTS", "1"))
        );
        foreach (H2Stream stream in held)
        {
            Assert.That((await stream.ResponseAsync()).Status, Is.EqualTo(200));
        }

        Assert.That((await client.ExchangeAsync(Host, "/status?code=200")).Status, Is.EqualTo(200));
        Assert.That(await MetricAsync(gateway, "spawngate_clients_refused_total{what=\"request\",reason=\"limit\"}"), Is.EqualTo(1));
    }

    /// <summary>One address has taken all places but few; they are kept free by closing what idles there.</summary>
    [Test]
    public async Task Idle_connections_of_who_has_most_of_them_make_room()
    {
        GatewayProcess gateway = await StartAsync("max_connections = 128", "trusted_proxies = []");
        for (int i = 0; i < 200; i++)
        {
            await OpenAsync(gateway, Greedy, "");
        }

        for (int i = 0; i < 5; i++)
        {
            Assert.That((await (await ConnectAsync(gateway, Polite)).ExchangeAsync(Host, "/status?code=200")).Status, Is.EqualTo(200));
        }

        Assert.That(
            await MetricAsync(gateway, "spawngate_clients_refused_total{what=\"idle_connection\",reason=\"overload\"}"),
            Is.GreaterThan(0)
        );
    }

    /// <summary>
    /// 250 requests with heads of 30 KB, which are a few hundred bytes, because they name an entry of the table seven times.
    /// </summary>
    private async Task SendLargeRequestsAsync(GatewayProcess gateway, IPAddress from, string host = Host)
    {
        byte[] entry = [0x40, .. H2Frame.Block([("x-large", new string('b', 3900))]).AsSpan(1)];
        byte[] request = H2Frame.Block(H2Frame.Request(host, "/slow?headMs=20000"));
        H2Client client = await H2Client.ConnectAsync(gateway.Port, from);
        _clients.Add(client);
        client.IgnoresStreams = true;
        byte[] first = H2Frame.Of(H2Type.Headers, H2Frame.EndHeaders | H2Frame.EndStream, 1, [.. request, .. entry, .. Repeated(6)]);
        await client.SendAsync([
            .. first,
            .. Enumerable
                .Range(1, 249)
                .SelectMany(each =>
                    H2Frame.Of(H2Type.Headers, H2Frame.EndHeaders | H2Frame.EndStream, 1 + (2 * each), [.. request, .. Repeated(7)])
                ),
        ]);

        static IEnumerable<byte> Repeated(int times) => Enumerable.Repeat((byte)0xbe, times);
    }

    private Task<GatewayProcess> StartAsync(params string[] server) =>
        Scene.GatewayAsync(new ConfigFile().Server(server).TestBackend(Host));

    private static async Task<bool> IsServedAsync(GatewayProcess gateway, IPAddress from)
    {
        try
        {
            using RawClient client = await RawClient.ConnectAsync(new IPEndPoint(IPAddress.Loopback, gateway.Port), from);
            return (await client.ExchangeAsync(Host, "/status?code=200")).Status == 200;
        }
        catch (Exception e) when (e is SocketException or IOException or IncompleteMessageException)
        {
            return false;
        }
    }

    private async Task<RawClient> ConnectAsync(GatewayProcess gateway, IPAddress from)
    {
        RawClient client = await RawClient.ConnectAsync(new IPEndPoint(IPAddress.Loopback, gateway.Port), from);
        _clients.Add(client);
        return client;
    }

    /// <summary>Sends a request and leaves it alone; the gateway may not even take it.</summary>
    private async Task OpenAsync(GatewayProcess gateway, IPAddress from, string request)
    {
        try
        {
            RawClient client = await ConnectAsync(gateway, from);
            await client.SendAsync(request);
        }
        catch (SocketException)
        {
            // Refused, which is what it is about.
        }
    }

    /// <summary>Sends a body without end.</summary>
    private async Task UploadUntilCutAsync(GatewayProcess gateway)
    {
        try
        {
            RawClient client = await ConnectAsync(gateway, Greedy);
            await client.SendAsync(RawClient.Head(Host, "/slow?headMs=60000", "POST", "Content-Length: 10000000000\r\n"));
            byte[] piece = new byte[100_000];
            while (true)
            {
                await client.SendAsync(piece);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut, refused, or the test is over.
        }
    }

    /// <summary>The same request as often as a connection takes it, and nobody waits for the answers.</summary>
    private async Task AskGreedilyAsync(GatewayProcess gateway, IEnumerable<(string Name, string Value)> request)
    {
        H2Client client = await H2Client.ConnectAsync(gateway.Port, Greedy);
        _clients.Add(client);
        client.IgnoresStreams = true;
        await client.SendAsync([.. Enumerable.Range(0, 250).SelectMany(each => H2Frame.Headers(1 + (2 * each), request))]);
    }

    private static async Task<int> AskAgainAndAgainAsync(GatewayProcess gateway, CancellationToken stop, int fewest = 1)
    {
        int asked = 0;
        using RawClient client = await RawClient.ConnectAsync(new IPEndPoint(IPAddress.Loopback, gateway.Port), Polite);
        for (; !stop.IsCancellationRequested || asked < fewest; asked++)
        {
            Assert.That((await client.ExchangeAsync(Host, "/status?code=200")).Status, Is.EqualTo(200));
            if (asked % 10 == 0)
            {
                // Not always: each leaves a port that is bound for a minute, and the gateway needs such, too.
                using RawClient fresh = await RawClient.ConnectAsync(new IPEndPoint(IPAddress.Loopback, gateway.Port), Polite);
                Assert.That((await fresh.ExchangeAsync(Host, "/status?code=200")).Status, Is.EqualTo(200));
            }
        }

        return asked;
    }

    private static async Task<(int Asked, double SlowestSecs)> AskOverHttp2Async(GatewayProcess gateway, CancellationToken stop, int fewest)
    {
        int asked = 0;
        double slowestSecs = 0;
        using H2Client client = await H2Client.ConnectAsync(gateway.Port, Polite);
        for (; !stop.IsCancellationRequested || asked < fewest; asked++)
        {
            long began = Stopwatch.GetTimestamp();
            Assert.That((await client.ExchangeAsync(Host, "/status?code=200")).Status, Is.EqualTo(200));
            slowestSecs = Math.Max(slowestSecs, Stopwatch.GetElapsedTime(began).TotalSeconds);
        }

        return (asked, slowestSecs);
    }

    /// <summary>The next refusal: while those that hold most are being cut, there may be moments in which nobody is refused.</summary>
    private static async Task<RawResponse> RefusedAsync(GatewayProcess gateway, string headers)
    {
        RawResponse? refused = null;
        await gateway.UntilAsync("a request is refused", async () =>
        {
            RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/status?code=200", headers: headers);
            refused = response.Status == 200 ? null : response;
            return refused is not null;
        });
        return refused!;
    }

    private static Task<double> HeldAsync(GatewayProcess gateway) => MetricAsync(gateway, "spawngate_client_memory_bytes");

    /// <summary>
    /// What was refused or cut for want of something. Where refusing begins early enough, nobody has to be cut: how early depends on how
    /// fast the clients come.
    /// </summary>
    private static async Task<double> ShedAsync(GatewayProcess gateway)
    {
        double shed = 0;
        foreach (string what in (string[])["connection", "request", "in_use"])
        {
            shed += await MetricAsync(gateway, $"spawngate_clients_refused_total{{what=\"{what}\",reason=\"overload\"}}");
        }

        return shed;
    }

    private static async Task<double> MetricAsync(GatewayProcess gateway, string series)
    {
        string page = await gateway.Admin.TextAsync("/metrics");
        string line = page.Split('\n').Single(line => line.StartsWith(series + " ", StringComparison.Ordinal));
        return double.Parse(line[(series.Length + 1)..], CultureInfo.InvariantCulture);
    }
}
