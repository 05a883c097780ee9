using System.Globalization;
using System.Net.Sockets;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>SIGTERM and SIGINT: nothing that was accepted is lost, nothing is left.</summary>
[LongRunning]
internal sealed class ShutdownTests : GatewayTest
{
    /// <summary>
    /// The drain timeout is 30 s unless a test sets a shorter one; a busy machine takes a few for what takes none on an idle one.
    /// </summary>
    private static readonly TimeSpan LessThanADrain = TimeSpan.FromSeconds(20);

    [Test, NonParallelizable]
    public async Task SIGTERM_under_load_cuts_no_request_that_was_accepted()
    {
        GatewayProcess gateway = await GatewayAsync();
        using var load = new LoadLoop(gateway.Port, Host, "/bytes?n=5000", connections: 64, warmAfter: 3000);
        await load.Warm.InTimeAsync("load");
        BackendProcess backend = await Control.StartAsync();

        gateway.Signal(ProcessScan.Term);
        int code = await gateway.ExitAsync();
        await load.EndAsync();

        string[] last = (await backend.ToldAsync("sigterm")).Split('=', ' ');

        // A request of which the answer has just been written may still be counted in.
        int served = int.Parse(last[2], CultureInfo.InvariantCulture) + int.Parse(last[4], CultureInfo.InvariantCulture);
        Assert.That(code, Is.Zero);
        Assert.That((load.Cut, load.Wrong), Is.EqualTo((0, 0)), "responses cut, responses other than 200");
        Assert.That(load.Complete, Is.EqualTo(served), "every request that reached the backend was answered in full");
        await Scene.NothingRunsAsync(TimeSpan.Zero);
    }

    [Test]
    public async Task A_response_under_way_at_SIGTERM_is_finished_and_says_that_the_connection_ends()
    {
        GatewayProcess gateway = await GatewayAsync();
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/hold?key=a"));
        BackendProcess backend = await Control.StartAsync();
        await backend.ToldAsync("hold a");

        gateway.Signal(ProcessScan.Term);
        await gateway.UntilAsync("no new connection is accepted", async () => !await Ports.AcceptsAsync(gateway.Port));
        await backend.DoAsync("release a");
        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Text, Is.EqualTo("held"));
        Assert.That(response.Closes);
        Assert.That(await client.EndsAsync());
        Assert.That(await gateway.ExitAsync(), Is.Zero);
    }

    [Test]
    public async Task Idle_connections_are_closed_at_once_by_SIGTERM()
    {
        GatewayProcess gateway = await GatewayAsync();
        using RawClient used = await RawClient.ConnectAsync(gateway.Port);
        await used.ExchangeAsync(Host, "/");
        using RawClient fresh = await RawClient.ConnectAsync(gateway.Port);

        gateway.Signal(ProcessScan.Term);

        Assert.That(await used.EndsAsync(LessThanADrain));
        Assert.That(await fresh.EndsAsync(LessThanADrain));
        Assert.That(await gateway.ExitAsync(LessThanADrain), Is.Zero);
    }

    [Test]
    public async Task A_request_held_for_a_start_at_SIGTERM_is_answered_not_dropped()
    {
        GatewayProcess gateway = await GatewayAsync("--health=500");
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/"));
        await (await Control.StartAsync()).ToldAsync("health");

        gateway.Signal(ProcessScan.Term);
        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Status, Is.EqualTo(503).Or.EqualTo(200));
        Assert.That(await gateway.ExitAsync(), Is.Zero);
    }

    [Test]
    public async Task SIGINT_stops_cleanly_too()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");

        gateway.Signal(ProcessScan.Int);

        Assert.That(await gateway.ExitAsync(), Is.Zero);
        await Scene.NothingRunsAsync(TimeSpan.Zero);
    }

    [Test]
    public async Task A_second_SIGINT_kills_at_once()
    {
        GatewayProcess gateway = await GatewayAsync("--ignore-sigterm", "--grandchild");
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();
        gateway.Signal(ProcessScan.Int);
        await backend.ToldAsync("sigterm");

        gateway.Signal(ProcessScan.Int);

        await gateway.ExitAsync(TimeSpan.FromSeconds(3));
        await Scene.NothingRunsAsync(TimeSpan.FromSeconds(1));
    }

    [Test]
    public async Task SIGTERM_before_anything_was_started_ends_at_once()
    {
        GatewayProcess gateway = await GatewayAsync();

        gateway.Signal(ProcessScan.Term);

        Assert.That(await gateway.ExitAsync(TimeSpan.FromSeconds(3)), Is.Zero);
    }

    [Test]
    public async Task The_port_can_be_taken_again_right_after_the_exit()
    {
        var config = new ConfigFile();
        GatewayProcess first = await Scene.GatewayAsync(config.TestBackend(Host));
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => RawClient.RequestAsync(first.Port, Host, "/")));
        first.Signal(ProcessScan.Term);
        await first.ExitAsync();

        GatewayProcess second = await Scene.GatewayAsync(config);

        Assert.That((await RawClient.RequestAsync(second.Port, Host, "/")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_client_that_reads_nothing_does_not_hold_the_shutdown_up_past_the_drain_timeout()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Defaults("drain_timeout_secs = 1").TestBackend(Host));
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/bytes?n=500000000"));
        await client.Socket.ReceiveAsync(new byte[1], SocketFlags.Peek).InTimeAsync("the beginning of the response");

        gateway.Signal(ProcessScan.Term);

        Assert.That(await gateway.ExitAsync(LessThanADrain), Is.Zero);
    }
}
