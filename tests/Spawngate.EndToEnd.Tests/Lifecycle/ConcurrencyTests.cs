using System.Diagnostics;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http2;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>The hard limit of requests at one process: more wait in the queue, in order, and nobody is forgotten there.</summary>
[LongRunning]
internal sealed class ConcurrencyTests : GatewayTest
{
    private const string Upgrade = "Connection: Upgrade\r\nUpgrade: echo\r\n";

    [Test]
    public async Task Of_a_hundred_requests_over_both_protocols_never_more_than_four_are_at_the_process_and_all_are_answered_in_order()
    {
        const int Requests = 100,
            Max = 4;
        GatewayProcess gateway = await StartAsync($"max_concurrency = {Max}");
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();
        using H2Client http2 = await H2Client.ConnectAsync(gateway.Port);
        var answers = new List<Task<RawResponse>>();
        for (int i = 0; i < Requests; i++)
        {
            answers.Add(
                i % 2 == 0 ? RawClient.RequestAsync(gateway.Port, Host, $"/hold?key={i};") : http2.ExchangeAsync(Host, $"/hold?key={i};")
            );
            int sent = i + 1;
            await gateway.UntilAsync($"{sent} are there", async () =>
                Numbers(await gateway.Admin.BackendAsync(Host)) == (Math.Min(sent, Max), Math.Max(0, sent - Max))
            );
        }

        Assert.That(backend.Told.Count(IsHold), Is.EqualTo(Max));
        for (int i = 0; i < Requests; i++)
        {
            await backend.ToldAsync($"hold {i};");
            await backend.DoAsync($"release {i};");
            await (i + Max < Requests ? (Task)backend.ToldAsync($"hold {i + Max};") : answers[i]);
        }

        Assert.That((await Task.WhenAll(answers)).Select(each => each.Text), Is.All.EqualTo("held"));
        string[] order = [.. backend.Told.Where(IsHold)];
        Assert.That(order[Max..], Is.EqualTo(Enumerable.Range(Max, Requests - Max).Select(i => $"hold {i};")), "first come, first served");
        await backend.DoAsync("peak");
        Assert.That(backend.Told, Has.Some.EqualTo($"peak {Max}"));
        Assert.That(Numbers(await gateway.Admin.BackendAsync(Host)), Is.EqualTo((0, 0)));
    }

    [Test]
    public async Task In_a_crowd_of_quick_requests_none_is_too_many_and_none_is_lost()
    {
        GatewayProcess gateway = await StartAsync("max_concurrency = 2");
        using H2Client http2 = await H2Client.ConnectAsync(gateway.Port);
        int[][] statuses = await Task.WhenAll(
            Enumerable
                .Range(0, 60)
                .Select(async i =>
                {
                    var seen = new List<int>();
                    using RawClient http1 = await RawClient.ConnectAsync(gateway.Port);
                    for (int n = 0; n < 20; n++)
                    {
                        seen.Add((i % 2 == 0 ? await http1.ExchangeAsync(Host, "/") : await http2.ExchangeAsync(Host, "/")).Status);
                    }

                    return seen.ToArray();
                })
        );

        Assert.That(statuses.SelectMany(each => each), Is.All.EqualTo(200).And.Exactly(1200).Items);
        BackendProcess backend = await Control.StartAsync();
        await backend.DoAsync("peak");
        Assert.That(backend.Told, Has.Some.EqualTo("peak 1").Or.Some.EqualTo("peak 2"));
    }

    [Test]
    public async Task More_than_may_wait_are_refused_and_it_is_said_what_is_waited_for()
    {
        GatewayProcess gateway = await StartAsync("max_concurrency = 1", "max_queued_requests = 2");
        BackendProcess backend = await FillAsync(gateway);
        Task<RawResponse>[] waiting = [await QueueAsync(gateway, "/", 1), await QueueAsync(gateway, "/", 2)];

        RawResponse refused = await RawClient.RequestAsync(gateway.Port, Host, "/");
        string told = await gateway.Admin.TextAsync($"/backends/{Host}?format=text");
        JsonElement report = await gateway.Admin.BackendAsync(Host);
        string metrics = await gateway.Admin.TextAsync("/metrics");
        await backend.DoAsync("release a");

        Assert.That((refused.Status, refused.Header("X-Proxy-Error")), Is.EqualTo((503, "QUEUE_FULL")));
        Assert.That(
            told,
            Does.Contain("1 request or tunnel in flight, 2 requests waiting for room (max_concurrency = 1)")
                .And.Contain("waiting GET / from 127.0.0.1")
        );
        Assert.That((Numbers(report), report.GetProperty("max_concurrency").GetInt32()), Is.EqualTo(((1, 2), 1)));
        Assert.That(
            metrics,
            Does.Contain($"spawngate_backend_max_concurrency{{hostname=\"{Host}\"}} 1")
                .And.Contain($"spawngate_backend_waiting{{hostname=\"{Host}\"}} 2")
        );
        Assert.That((await Task.WhenAll(waiting)).Select(each => each.Status), Is.All.EqualTo(200));
    }

    [Test]
    public async Task A_client_that_hangs_up_leaves_the_queue()
    {
        GatewayProcess gateway = await StartAsync("max_concurrency = 1");
        BackendProcess backend = await FillAsync(gateway);
        using H2Client http2 = await H2Client.ConnectAsync(gateway.Port);
        using (RawClient leaves = await RawClient.ConnectAsync(gateway.Port))
        {
            await leaves.SendAsync(RawClient.Head(Host, "/hold?key=gone"));
            await UntilWaitingAsync(gateway, 1);
            H2Stream cancelled = await http2.GetAsync(Host, "/hold?key=gone");
            await UntilWaitingAsync(gateway, 2);
            await http2.SendAsync(H2Frame.Reset(cancelled.Id));
            await UntilWaitingAsync(gateway, 1);
        }

        await UntilWaitingAsync(gateway, 0);
        Task<RawResponse> stays = await QueueAsync(gateway, "/", 1);
        await backend.DoAsync("release a");

        Assert.That((await stays).Status, Is.EqualTo(200));
        Assert.That(backend.Told, Has.None.EqualTo("hold gone"));
    }

    [Test]
    public async Task The_body_of_one_that_waits_is_not_read_and_arrives_whole()
    {
        const int Length = 50_000_000;
        GatewayProcess gateway = await StartAsync("max_concurrency = 1");
        BackendProcess backend = await FillAsync(gateway);
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/upload", "POST", $"Content-Length: {Length}\r\n"));
        await UntilWaitingAsync(gateway, 1);

        Task sending = client.SendAsync(TestBackend.Pattern.Take(Length));

        Assert.That(await sending.StaysOpenAsync(TimeSpan.FromSeconds(1)), "the gateway swallowed the body of a request that waits");
        await backend.DoAsync("release a");
        await sending;
        Assert.That((await client.ReadResponseAsync()).Text, Is.EqualTo($"{Length} {TestBackend.Pattern.Sha256(Length)}"));
    }

    [Test]
    public async Task A_browser_that_waits_for_room_is_not_told_that_something_starts()
    {
        GatewayProcess gateway = await StartAsync("max_concurrency = 1", "waiting_page = true", "max_queued_requests = 2");
        BackendProcess backend = await FillAsync(gateway);
        Task<RawResponse>[] browsers =
        [
            await QueueAsync(gateway, "/", 1, "Accept: text/html\r\n"),
            await QueueAsync(gateway, "/", 2, "Accept: text/html\r\n"),
        ];

        Assert.That(
            (await RawClient.RequestAsync(gateway.Port, Host, "/", headers: "Accept: text/html\r\n")).Header("X-Proxy-Error"),
            Is.EqualTo("QUEUE_FULL")
        );
        Assert.That(await Task.WhenAny(browsers).StaysOpenAsync(TimeSpan.FromSeconds(2)), "the page would have come after a second");
        await backend.DoAsync("release a");
        Assert.That((await Task.WhenAll(browsers)).Select(each => each.Status), Is.All.EqualTo(200));
    }

    [Test]
    public async Task A_tunnel_gives_its_place_to_another_and_still_holds_the_backend()
    {
        GatewayProcess gateway = await StartAsync("max_concurrency = 1", "idle_timeout_secs = 1");
        using RawClient first = await TunnelAsync(gateway);
        BackendProcess backend = await Control.StartAsync();
        using RawClient second = await TunnelAsync(gateway);
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));

        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/hold?key=a");
        await backend.ToldAsync("hold a");
        using RawClient third = await RawClient.ConnectAsync(gateway.Port);
        await third.SendAsync(RawClient.Head(Host, "/upgrade", headers: Upgrade));
        await UntilWaitingAsync(gateway, 1);
        first.Dispose();
        await gateway.UntilAsync("the tunnel is over", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("tunnels").GetInt32() == 1
        );
        await UntilWaitingAsync(gateway, 1);
        await backend.DoAsync("release a");

        Assert.That((await held).Text, Is.EqualTo("held"));
        Assert.That((await third.ReadHeadAsync()).Status, Is.EqualTo(101), "it had to wait for its place until then");
        Assert.That(await backend.Exited.StaysOpenAsync(TimeSpan.FromSeconds(2.2)), "a tunnel is use");
    }

    [Test]
    public async Task A_reload_changes_the_limit_at_once()
    {
        GatewayProcess gateway = await StartAsync("max_concurrency = 1");
        BackendProcess backend = await FillAsync(gateway);
        Task<RawResponse>[] waiting = [await QueueAsync(gateway, "/hold?key=b", 1), await QueueAsync(gateway, "/hold?key=c", 2)];

        gateway.ReloadAtomically(gateway.Config.Without(Host).TestBackendWith(Host, ["max_concurrency = 2"]).ToString());
        await backend.ToldAsync("hold b");
        await UntilWaitingAsync(gateway, 1);
        gateway.ReloadAtomically(gateway.Config.Without(Host).TestBackendWith(Host, []).ToString());
        await backend.ToldAsync("hold c");
        await UntilWaitingAsync(gateway, 0);
        gateway.ReloadAtomically(gateway.Config.Without(Host).TestBackendWith(Host, ["max_concurrency = 3"]).ToString());
        await gateway.UntilAsync("the limit is there", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("max_concurrency").GetInt32() == 3
        );
        Task<RawResponse> last = await QueueAsync(gateway, "/", 1);
        await backend.DoAsync("release b");

        Assert.That((await last).Status, Is.EqualTo(200));
        await backend.DoAsync("release a");
        await backend.DoAsync("release c");
        Assert.That((await Task.WhenAll(waiting)).Select(each => each.Text), Is.All.EqualTo("held"));
        Assert.That(Control.Started(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Room_is_waited_for_as_long_as_an_answer_may_take()
    {
        GatewayProcess gateway = await StartAsync("max_concurrency = 1", "request_timeout_secs = 1");
        using RawClient streams = await RawClient.ConnectAsync(gateway.Port);
        await streams.SendAsync(RawClient.Head(Host, "/bytes?n=100000&framing=chunked&chunk=1&delayMs=50"));
        Assert.That((await streams.ReadHeadAsync()).Status, Is.EqualTo(200));
        using H2Client http2 = await H2Client.ConnectAsync(gateway.Port);

        long asked = Stopwatch.GetTimestamp();
        Task<RawResponse> other = http2.ExchangeAsync(Host, "/");
        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");
        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((504, "REQUEST_TIMEOUT")));
        Assert.That(Stopwatch.GetElapsedTime(asked).TotalSeconds, Strain.Within(asked, 0.95, 2.5));
        Assert.That((await other).Header("X-Proxy-Error"), Is.EqualTo("REQUEST_TIMEOUT"));
        streams.Dispose();
        await gateway.UntilAsync("there is room", async () => Numbers(await gateway.Admin.BackendAsync(Host)) == (0, 0));
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_process_that_dies_leaves_those_who_wait_to_the_next_one()
    {
        GatewayProcess gateway = await StartAsync("max_concurrency = 1");
        BackendProcess backend = await FillAsync(gateway);
        Task<RawResponse>[] waiting = [await QueueAsync(gateway, "/", 1), await QueueAsync(gateway, "/", 2)];

        await backend.SendAsync("crash");

        int[] pids = [.. (await Task.WhenAll(waiting)).Select(each => each.Json.GetProperty("pid").GetInt32())];
        Assert.That(pids, Is.All.EqualTo((await Control.StartAsync(index: 1)).Pid));
    }

    [Test]
    public async Task A_stop_that_was_asked_for_refuses_those_who_wait_and_a_restart_serves_them_afterwards()
    {
        GatewayProcess gateway = await StartAsync("max_concurrency = 1");
        BackendProcess backend = await FillAsync(gateway);
        Task<RawResponse> waiting = await QueueAsync(gateway, "/", 1);
        await gateway.Admin.PostAsync($"/backends/{Host}/restart");
        await gateway.UntilStateAsync(Host, "stopping");
        await backend.DoAsync("release a");
        Assert.That((await waiting).Json.GetProperty("pid").GetInt32(), Is.EqualTo((await Control.StartAsync(index: 1)).Pid));

        backend = await Control.StartAsync(index: 1);
        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/hold?key=a");
        await backend.ToldAsync("hold a");
        waiting = await QueueAsync(gateway, "/", 1);
        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        RawResponse refused = await waiting;
        Assert.That((refused.Status, refused.Header("X-Proxy-Error")), Is.EqualTo((503, "BACKEND_SHUTTING_DOWN")));
        await backend.DoAsync("release a");
        Assert.That((await held).Text, Is.EqualTo("held"), "what is in flight is waited for");
    }

    [Test]
    public async Task A_check_that_does_not_wake_waits_for_room_and_takes_it_up()
    {
        GatewayProcess gateway = await StartAsync("max_concurrency = 1", "no_wake = [\"SomeBot\"]");
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();
        Task<RawResponse> first = RawClient.RequestAsync(gateway.Port, Host, "/hold?key=a", headers: "User-Agent: SomeBot\r\n");
        await backend.ToldAsync("hold a");
        Task<RawResponse> second = await QueueAsync(gateway, "/", 1, "User-Agent: SomeBot\r\n");
        Task<RawResponse> user = await QueueAsync(gateway, "/", 2);
        await backend.DoAsync("release a");
        Assert.That((await Task.WhenAll(first, second, user)).Select(each => each.Status), Is.All.EqualTo(200));
        await backend.DoAsync("peak");
        Assert.That(backend.Told, Has.Some.EqualTo("peak 1"));
    }

    private static bool IsHold(string line) => line.StartsWith("hold ", StringComparison.Ordinal);

    private static (int InFlight, int Waiting) Numbers(JsonElement report) =>
        (report.GetProperty("in_flight").GetInt32(), report.GetProperty("waiting").GetInt32());

    private static Task UntilWaitingAsync(GatewayProcess gateway, int count) =>
        gateway.UntilAsync($"{count} wait", async () => Numbers(await gateway.Admin.BackendAsync(Host)).Waiting == count);

    /// <summary>Sends a request and returns when so many wait.</summary>
    private static async Task<Task<RawResponse>> QueueAsync(GatewayProcess gateway, string target, int count, string headers = "")
    {
        Task<RawResponse> request = RawClient.RequestAsync(gateway.Port, Host, target, headers: headers);
        await UntilWaitingAsync(gateway, count);
        return request;
    }

    private static async Task<RawClient> TunnelAsync(GatewayProcess gateway)
    {
        RawClient tunnel = await RawClient.ConnectAsync(gateway.Port);
        await tunnel.SendAsync(RawClient.Head(Host, "/upgrade", headers: Upgrade));
        Assert.That((await tunnel.ReadHeadAsync()).Status, Is.EqualTo(101));
        return tunnel;
    }

    /// <summary>Holds a request at the process.</summary>
    private async Task<BackendProcess> FillAsync(GatewayProcess gateway)
    {
        _ = RawClient.RequestAsync(gateway.Port, Host, "/hold?key=a");
        BackendProcess backend = await Control.StartAsync();
        await backend.ToldAsync("hold a");
        return backend;
    }

    private Task<GatewayProcess> StartAsync(params string[] lines) => Scene.GatewayAsync(new ConfigFile().TestBackendWith(Host, lines));
}
