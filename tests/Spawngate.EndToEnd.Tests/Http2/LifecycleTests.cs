using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>What connections and streams of HTTP/2 mean to the life of backends and of the gateway, and the other way round.</summary>
[LongRunning]
internal sealed class LifecycleTests : GatewayTest
{
    /// <summary>
    /// The drain timeout is 30 s unless a test sets a shorter one; a busy machine takes a few for what takes none on an idle one.
    /// </summary>
    private static readonly TimeSpan LessThanADrain = TimeSpan.FromSeconds(20);

    [Test]
    public async Task Many_streams_of_one_connection_wait_for_one_start()
    {
        GatewayProcess gateway = await GatewayAsync("--listen-delay-ms=300");
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        Task<RawResponse>[] gets = [.. Enumerable.Range(0, 100).Select(i => client.ExchangeAsync(Host, $"/echo?i={i}"))];
        Task<RawResponse>[] posts =
        [
            .. Enumerable.Range(0, 10).Select(i => client.PostAsync(Host, "/upload", TestBackend.Pattern.Take(20_000))),
        ];

        RawResponse[] got = await Task.WhenAll(gets);
        RawResponse[] posted = await Task.WhenAll(posts);

        Assert.That(got.Select(each => each.Status), Is.All.EqualTo(200));
        Assert.That(posted.Select(each => each.Text), Is.All.EqualTo($"20000 {TestBackend.Pattern.Sha256(20_000)}"));
        Assert.That(Control.Started(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_stream_that_is_cancelled_while_it_waits_for_the_start_never_reaches_the_backend()
    {
        GatewayProcess gateway = await GatewayAsync("--listen-delay-ms=500");
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        H2Stream cancelled = await client.GetAsync(Host, "/");
        Task<RawResponse> served = client.ExchangeAsync(Host, "/");
        await Control.StartAsync();
        await client.SendAsync(H2Frame.Reset(cancelled.Id));

        Assert.That((await served).Json.GetProperty("served").GetInt32(), Is.Zero);
        Assert.That((await client.ExchangeAsync(Host, "/")).Json.GetProperty("served").GetInt32(), Is.EqualTo(1));
    }

    [Test]
    public async Task An_open_stream_prevents_the_idle_stop_and_an_idle_connection_does_not()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Defaults("idle_timeout_secs = 1").TestBackend(Host));
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        H2Stream held = await client.GetAsync(Host, "/hold?at=body&key=a");
        BackendProcess backend = await Control.StartAsync();
        await held.HeadAsync();
        Assert.That(await backend.Exited.StaysOpenAsync(TimeSpan.FromSeconds(2.2)));

        await backend.DoAsync("release a");
        Assert.That((await held.ResponseAsync()).Text, Is.EqualTo("held"));
        await backend.ExitedInTimeAsync(TimeSpan.FromSeconds(4));

        Assert.That((await client.ExchangeAsync(Host, "/")).Status, Is.EqualTo(200), "the same connection wakes it again");
        Assert.That(Control.Started(), Has.Count.EqualTo(2));
    }

    [Test]
    public async Task SIGTERM_lets_streams_finish_and_then_ends_the_connection()
    {
        GatewayProcess gateway = await GatewayAsync();
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        H2Stream held = await client.GetAsync(Host, "/hold?key=a");
        BackendProcess backend = await Control.StartAsync();
        await backend.ToldAsync("hold a");

        gateway.Signal(ProcessScan.Term);
        H2GoAway goAway = await client.GoAwayAsync();
        Assert.That((goAway.Code, goAway.LastStream), Is.EqualTo((H2Error.None, int.MaxValue)).Or.EqualTo((H2Error.None, held.Id)));
        await backend.DoAsync("release a");

        Assert.That((await held.ResponseAsync()).Text, Is.EqualTo("held"));
        await client.EndsAsync();
        Assert.That(client.LastGoAway, Is.EqualTo(new H2GoAway(held.Id, H2Error.None)));
        Assert.That(await gateway.ExitAsync(), Is.Zero);
    }

    [Test]
    public async Task SIGTERM_ends_idle_connections_at_once()
    {
        GatewayProcess gateway = await GatewayAsync();
        using H2Client used = await H2Client.ConnectAsync(gateway.Port);
        await used.ExchangeAsync(Host, "/");
        using H2Client fresh = await H2Client.ConnectAsync(gateway.Port);

        gateway.Signal(ProcessScan.Term);

        await used.EndsAsync(LessThanADrain);
        await fresh.EndsAsync(LessThanADrain);
        Assert.That((used.LastGoAway, fresh.LastGoAway), Is.EqualTo((new H2GoAway(1, H2Error.None), new H2GoAway(0, H2Error.None))));
        Assert.That(await gateway.ExitAsync(LessThanADrain), Is.Zero);
    }

    [Test]
    public async Task A_stalled_stream_does_not_hold_the_shutdown_up_past_the_drain_timeout()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Defaults("drain_timeout_secs = 1").TestBackend(Host));
        using H2Client client = await H2Client.ConnectAsync(gateway.Port, (H2Frame.InitialWindowSize, 0u));
        H2Stream stalled = client.Open(grants: false);
        await client.SendAsync(H2Frame.Headers(stalled.Id, H2Frame.Request(Host, "/bytes?n=100000")));
        await stalled.HeadAsync();

        gateway.Signal(ProcessScan.Term);

        Assert.That(await gateway.ExitAsync(LessThanADrain), Is.Zero);
    }

    [Test]
    public async Task An_idle_connection_is_told_and_closed()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("keep_alive_timeout_secs = 1").TestBackend(Host));
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        await client.ExchangeAsync(Host, "/");
        long idle = Stopwatch.GetTimestamp();
        H2GoAway goAway = await client.GoAwayAsync();
        await client.EndsAsync();

        Assert.That(goAway, Is.EqualTo(new H2GoAway(1, H2Error.None)));
        Assert.That(Stopwatch.GetElapsedTime(idle).TotalSeconds, Strain.Within(idle, 0.8, 4));
    }

    [Test]
    public async Task A_connection_with_a_stream_is_not_idle()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("keep_alive_timeout_secs = 1").TestBackend(Host));
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);

        Assert.That((await client.ExchangeAsync(Host, "/slow?headMs=1000&bodyMs=1000")).Text, Is.EqualTo("slow"));
        Assert.That(client.LastGoAway, Is.Null);
    }

    /// <summary>Bytes of a client that never gets as far as a request.</summary>
    private static IEnumerable<TestCaseData> Unfinished()
    {
        byte[] start = [.. H2Frame.Preface, .. H2Frame.Settings()];
        byte[] headers = H2Frame.Headers(1, H2Frame.Request(Host, "/"));
        yield return new TestCaseData(H2Frame.Preface[..10]).SetArgDisplayNames("half a preface");
        yield return new TestCaseData(H2Frame.Preface).SetArgDisplayNames("a preface alone");
        yield return new TestCaseData((byte[])[.. start, .. headers.AsSpan(0, 4)]).SetArgDisplayNames("half a frame header");
        yield return new TestCaseData((byte[])[.. start, .. headers.AsSpan(0, 20)]).SetArgDisplayNames("half a HEADERS");
        yield return new TestCaseData(
            (byte[])[.. start, .. H2Frame.Of(H2Type.Headers, 0, 1, H2Frame.Block(H2Frame.Request(Host, "/")))]
        ).SetArgDisplayNames("HEADERS without the rest of its block");
        yield return new TestCaseData(start).SetArgDisplayNames("settings that are not acknowledged");
    }

    [TestCaseSource(nameof(Unfinished))]
    public async Task A_client_that_does_not_get_on_is_closed_after_the_header_timeout(byte[] bytes)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("header_timeout_secs = 1").TestBackend(Host));
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        long began = Stopwatch.GetTimestamp();
        await client.SendAsync(bytes);
        byte[] buffer = new byte[4096];
        while (await client.Socket.ReceiveAsync(buffer).InTimeAsync("end of the connection") > 0) { }

        Assert.That(Stopwatch.GetElapsedTime(began).TotalSeconds, Strain.Within(began, 0.8, 5));
    }

    [Test]
    [NonParallelizable]
    public async Task A_reload_is_not_noticed_by_streams()
    {
        var config = new ConfigFile();
        GatewayProcess gateway = await Scene.GatewayAsync(config.TestBackend(Host));
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        H2Stream held = await client.GetAsync(Host, "/hold?key=a");
        BackendProcess backend = await Control.StartAsync();
        await backend.ToldAsync("hold a");
        using var stop = new CancellationTokenSource();
        Task<int>[] loads = [.. Enumerable.Range(0, 16).Select(_ => AskAsync(client, stop.Token))];
        for (int i = 0; i < 5; i++)
        {
            int before = gateway.Log.Lines.Count;
            config.Without("new.test");
            gateway.ReloadAtomically(config.TestBackend("new.test", $"--name=new-{i}").ToString());
            await gateway
                .Log.FromAsync(before, line => line.Text.Contains("Configuration reloaded successfully", StringComparison.Ordinal))
                .InTimeAsync("reload");
        }

        Assert.That((await client.ExchangeAsync("new.test", "/")).Status, Is.EqualTo(200), "a new host is served on the same connection");
        await stop.CancelAsync();
        await backend.DoAsync("release a");
        Assert.That((await held.ResponseAsync()).Text, Is.EqualTo("held"));
        Assert.That((await Task.WhenAll(loads)).Sum(), Is.GreaterThan(16));
    }

    [Test]
    public async Task A_crash_of_the_backend_ends_its_streams_and_the_next_is_served_by_a_new_one()
    {
        GatewayProcess gateway = await GatewayAsync();
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        H2Stream[] held = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => client.GetAsync(Host, "/hold?at=body&key=a")));
        foreach (H2Stream stream in held)
        {
            await stream.HeadAsync();
        }

        await (await Control.StartAsync()).SendAsync("crash");
        foreach (H2Stream stream in held)
        {
            Assert.That(await stream.ResetAsync(), Is.EqualTo(H2Error.Internal));
        }

        Assert.That((await client.ExchangeAsync(Host, "/")).Status, Is.EqualTo(200));
        Assert.That(client.LastGoAway, Is.Null);
    }

    /// <summary>Asks until told to stop; each answer must be right. How many there were.</summary>
    private static async Task<int> AskAsync(H2Client client, CancellationToken stop)
    {
        int count = 0;
        for (; !stop.IsCancellationRequested; count++)
        {
            RawResponse response = await client.ExchangeAsync(Host, "/bytes?n=5000");
            Assert.That((response.Status, response.BodyLength), Is.EqualTo((200, 5000L)));
        }

        return count;
    }
}
