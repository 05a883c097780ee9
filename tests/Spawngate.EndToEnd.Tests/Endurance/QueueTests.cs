using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>Requests that are held until their backend is ready: how many, which, and what becomes of those that leave.</summary>
internal sealed class QueueTests : GatewayTest
{
    private const int QueueMax = 5;

    [Test]
    public async Task Those_who_came_first_are_held_and_those_past_the_bound_get_QUEUE_FULL_at_once()
    {
        GatewayProcess gateway = await HoldingAsync();
        List<RawClient> held = await WaitAsync(gateway, QueueMax);

        for (int i = 0; i < 3; i++)
        {
            RawResponse refused = await RawClient.RequestAsync(gateway.Port, Host, "/");
            Assert.That((refused.Status, refused.Header("X-Proxy-Error")), Is.EqualTo((503, "QUEUE_FULL")));
        }

        // One that leaves makes room for exactly one other.
        held[2].Dispose();
        held.RemoveAt(2);
        await UntilWaitingAsync(gateway, QueueMax - 1);
        held.AddRange(await WaitAsync(gateway, 1, already: QueueMax - 1));
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Header("X-Proxy-Error"), Is.EqualTo("QUEUE_FULL"));

        await (await Control.StartAsync()).DoAsync("health 200");
        await AssertAnsweredAsync(held);
        await AssertNothingHeldAsync(gateway, served: QueueMax);
    }

    [Test]
    public async Task Clients_that_leave_the_queue_reach_no_backend_and_leak_no_lease()
    {
        GatewayProcess gateway = await HoldingAsync(queueMax: 100);
        List<RawClient> held = await WaitAsync(gateway, 40);
        for (int i = 0; i < held.Count; i += 2)
        {
            // Half of those by a reset, half by an orderly end of both directions.
            held[i].Socket.LingerState = new LingerOption(i % 4 == 0, 0);
            held[i].Dispose();
        }

        await UntilWaitingAsync(gateway, 20);
        await (await Control.StartAsync()).DoAsync("health 200");

        await AssertAnsweredAsync(held.Where((_, i) => i % 2 == 1));
        await AssertNothingHeldAsync(gateway, served: 20);
    }

    [Test]
    public async Task A_start_goes_on_when_everybody_has_left_and_then_idles_out()
    {
        GatewayProcess gateway = await HoldingAsync();
        List<RawClient> held = await WaitAsync(gateway, 3);
        held.ForEach(client => client.Dispose());
        await UntilWaitingAsync(gateway, 0);
        BackendProcess backend = await Control.StartAsync();

        await backend.DoAsync("health 200");
        await gateway.UntilStateAsync(Host, "ready");
        Assert.That(await backend.ToldAsync("sigterm"), Does.Contain("served=0"));
        await backend.ExitedInTimeAsync();
        Assert.That(Control.Started(), Has.Count.EqualTo(1));
    }

    /// <summary>Clients that leave in the very moment in which the backend becomes ready: each is admitted or gone, never both.</summary>
    [Test]
    public async Task Leaving_in_the_moment_of_readiness_leaks_no_lease()
    {
        for (int round = 0; round < Effort.Scale(@long: 100, native: 15, managed: 5); round++)
        {
            GatewayProcess gateway = round == 0 ? await HoldingAsync(queueMax: 100) : _last!;
            _last = gateway;
            List<RawClient> held = await WaitAsync(gateway, 30);
            BackendProcess backend = await Control.StartAsync(index: round);

            Task ready = backend.DoAsync("health 200");
            Parallel.ForEach(held.Where((_, i) => i % 3 != 0), client => client.Dispose());
            await ready;
            await AssertAnsweredAsync(held.Where((_, i) => i % 3 == 0));

            await UntilAsync(gateway, "in_flight", 0);
            await gateway.Admin.PostAsync($"/backends/{Host}/stop");
            await backend.ExitedInTimeAsync();
            await gateway.UntilStateAsync(Host, "stopped");
        }
    }

    [Test]
    public async Task The_body_is_not_read_while_its_request_waits()
    {
        const int Length = 64 * 1024 * 1024;
        const int KernelBytesMax = 24 * 1024 * 1024; // What the two sockets of a loopback connection may take by default, twice over.
        GatewayProcess gateway = await HoldingAsync();
        long before = ProcessScan.ResidentBytes(gateway.Pid);
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/upload", "POST", $"Content-Length: {Length}\r\n"));
        int sent = 0;
        Task sending = Task.Run(async () =>
        {
            byte[] block = new byte[64 * 1024];
            for (; sent < Length; sent += block.Length)
            {
                TestBackend.Pattern.Fill(block, sent);
                await client.Socket.SendAsync(block);
            }
        });
        BackendProcess backend = await Control.StartAsync();

        Assert.That(await sending.StaysOpenAsync(TimeSpan.FromSeconds(1)), "all of the body was read although nobody can take it");
        Assert.That(sent, Is.LessThan(KernelBytesMax));
        Assert.That(ProcessScan.ResidentBytes(gateway.Pid) - before, Is.LessThan(4 * 1024 * 1024), "bytes the gateway grew by");
        await backend.DoAsync("health 200");
        await sending.InTimeAsync("the rest of the body");

        Assert.That((await client.ReadResponseAsync()).Text, Is.EqualTo($"{Length} {TestBackend.Pattern.Sha256(Length)}"));
    }

    [Test]
    public async Task A_client_of_HTTP_1_0_waits_like_any_other()
    {
        GatewayProcess gateway = await HoldingAsync();
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync($"GET /bytes?n=70000&framing=chunked HTTP/1.0\r\nHost: {Host}\r\n\r\n");
        await UntilWaitingAsync(gateway, 1);

        await (await Control.StartAsync()).DoAsync("health 200");
        RawResponse response = await client.ReadResponseAsync();

        Assert.That((response.Status, response.Framing, response.BodyLength), Is.EqualTo((200, Framing.Close, 70_000L)));
        await AssertNothingHeldAsync(gateway, served: 1);
    }

    [Test]
    public async Task Pipelined_requests_wait_together_and_are_answered_in_order()
    {
        GatewayProcess gateway = await HoldingAsync();
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        var all = new StringBuilder();
        for (int i = 1; i <= 20; i++)
        {
            all.Append(
                i % 5 == 0
                    ? RawClient.Head(Host, "/upload", "POST", $"Content-Length: {i}\r\n") + new string('p', i)
                    : RawClient.Head(Host, $"/bytes?n={i}")
            );
        }

        await client.SendAsync(all.ToString());
        await UntilWaitingAsync(gateway, 1);
        await (await Control.StartAsync()).DoAsync("health 200");

        for (int i = 1; i <= 20; i++)
        {
            RawResponse response = await client.ReadResponseAsync();
            Assert.That(response.Status, Is.EqualTo(200));
            Assert.That(i % 5 == 0 ? int.Parse(response.Text.Split(' ')[0]) : (int)response.BodyLength, Is.EqualTo(i));
        }

        await AssertNothingHeldAsync(gateway, served: 20);
    }

    private GatewayProcess? _last;

    /// <summary>A gateway whose backend starts but is not ready until the test says so.</summary>
    private Task<GatewayProcess> HoldingAsync(int queueMax = QueueMax) =>
        Scene.GatewayAsync(
            new ConfigFile()
                .Defaults("idle_timeout_secs = 2", $"max_queued_requests = {queueMax}", "health_check_interval_ms = 20")
                .TestBackend(Host, "--health=500")
        );

    /// <summary>Requests one after the other, each seen to be waiting before the next is sent.</summary>
    private static async Task<List<RawClient>> WaitAsync(GatewayProcess gateway, int count, int already = 0)
    {
        var clients = new List<RawClient>();
        for (int i = 0; i < count; i++)
        {
            clients.Add(await RawClient.ConnectAsync(gateway.Port));
            await clients[i].SendAsync(RawClient.Head(Host, "/"));
        }

        await UntilWaitingAsync(gateway, already + count);
        return clients;
    }

    private static async Task AssertAnsweredAsync(IEnumerable<RawClient> clients)
    {
        foreach (RawClient client in clients)
        {
            Assert.That((await client.ReadResponseAsync()).Status, Is.EqualTo(200));
            client.Dispose();
        }
    }

    private static Task UntilWaitingAsync(GatewayProcess gateway, int count) => UntilAsync(gateway, "waiting", count);

    private static Task UntilAsync(GatewayProcess gateway, string field, int count) =>
        gateway.UntilAsync($"{field} is {count}", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty(field).GetInt32() == count
        );

    /// <summary>Nothing waits or is in flight, and the backend, when it stops for idleness, has served so many.</summary>
    private async Task AssertNothingHeldAsync(GatewayProcess gateway, int served)
    {
        await UntilAsync(gateway, "in_flight", 0);
        JsonElement report = await gateway.Admin.BackendAsync(Host);
        Assert.That(report.GetProperty("waiting").GetInt32(), Is.Zero);
        Assert.That(await (await Control.StartAsync()).ToldAsync("sigterm"), Is.EqualTo($"sigterm served={served} inflight=0"));
        Assert.That(Control.Started(), Has.Count.EqualTo(1));
    }
}
