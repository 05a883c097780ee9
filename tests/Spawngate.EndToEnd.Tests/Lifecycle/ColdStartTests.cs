using System.Net.Sockets;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>The first request starts the backend, and nobody who came while it started is turned away.</summary>
[LongRunning]
internal sealed class ColdStartTests : GatewayTest
{
    [Test]
    public async Task Nothing_runs_before_the_first_request()
    {
        GatewayProcess gateway = await GatewayAsync();

        Assert.That(Scene.Children(), Is.Empty);
        Assert.That(await gateway.Admin.StateAsync(Host), Is.EqualTo("stopped"));
    }

    [Test]
    public async Task The_first_request_starts_the_backend_is_held_and_answered()
    {
        GatewayProcess gateway = await GatewayAsync("--listen-delay-ms=500");

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");

        BackendProcess backend = await Control.StartAsync();
        Assert.That(response.Status, Is.EqualTo(200));
        Assert.That(response.Json.GetProperty("pid").GetInt32(), Is.EqualTo(backend.Pid));
        Assert.That(await gateway.Admin.StateAsync(Host), Is.EqualTo("ready"));
    }

    [Test, NonParallelizable]
    public async Task A_thousand_concurrent_first_requests_start_one_process_and_are_all_answered()
    {
        string starts = Scene.NewFolder("starts");
        GatewayProcess gateway = await GatewayAsync($"--start-log={starts}", "--listen-delay-ms=300");

        RawResponse[] responses = await Task.WhenAll(
            Enumerable.Range(0, 1000).Select(_ => RawClient.RequestAsync(gateway.Port, Host, "/"))
        );

        Assert.That(responses.Select(each => each.Status).Distinct(), Is.EqualTo(new[] { 200 }));
        Assert.That(responses.Select(each => each.Json.GetProperty("pid").GetInt32()).Distinct().Count(), Is.EqualTo(1));
        Assert.That(Directory.GetFiles(starts), Has.Length.EqualTo(1), "processes started");
    }

    /// <summary>As <c>printf 'GET …' | nc -N</c> does it.</summary>
    [Test]
    public async Task A_client_that_sends_no_more_is_held_and_answered_like_any_other()
    {
        GatewayProcess gateway = await GatewayAsync("--listen-delay-ms=2500");
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/"));
        client.EndSending();

        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Status, Is.EqualTo(200));
        Assert.That(await client.EndsAsync());
    }

    [Test]
    public async Task The_body_of_a_held_request_arrives_whole()
    {
        GatewayProcess gateway = await GatewayAsync("--listen-delay-ms=300");
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        byte[] body = TestBackend.Pattern.Take(300_000);

        await client.SendAsync(RawClient.Head(Host, "/upload", "POST", $"Content-Length: {body.Length}\r\n"));
        await client.SendAsync(body);
        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Text, Is.EqualTo($"{body.Length} {TestBackend.Pattern.Sha256(body.Length)}"));
    }

    [Test]
    public async Task The_body_is_not_read_while_the_request_is_held()
    {
        GatewayProcess gateway = await GatewayAsync("--ready-callback=100000", "--health=500");
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/upload", "POST", "Content-Length: 100000000\r\n"));
        BackendProcess backend = await Control.StartAsync();

        // Socket buffers take some megabytes; a gateway that read on would take all of it.
        Task sending = client.SendAsync(new byte[100_000_000]);

        Assert.That(await sending.StaysOpenAsync(TimeSpan.FromSeconds(1)), "the gateway swallowed the body of a held request");
        await backend.DoAsync("health 200");
        await sending;
        Assert.That((await client.ReadResponseAsync()).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_client_that_hangs_up_leaves_the_queue_and_the_others_stay()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackendWith(Host, ["max_queued_requests = 2"], "--health=500")
        );
        using RawClient stays = await RawClient.ConnectAsync(gateway.Port);
        await stays.SendAsync(RawClient.Head(Host, "/"));
        BackendProcess backend = await Control.StartAsync();
        using (RawClient leaves = await RawClient.ConnectAsync(gateway.Port))
        {
            Assert.That(await IsHeldAsync(leaves));
            RawResponse third = await RawClient.RequestAsync(gateway.Port, Host, "/");
            Assert.That(third.Header("X-Proxy-Error"), Is.EqualTo("QUEUE_FULL"));
        }

        // Its place is free again: this one is held, not refused.
        using RawClient late = await RawClient.ConnectAsync(gateway.Port);
        await gateway.UntilAsync("a place in the queue is free", () => IsHeldAsync(late));
        await backend.DoAsync("health 200");

        Assert.That((await stays.ReadResponseAsync()).Status, Is.EqualTo(200));
        Assert.That((await late.ReadResponseAsync()).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task More_requests_than_the_queue_holds_are_refused_with_QUEUE_FULL()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackendWith(Host, ["max_queued_requests = 3"], "--health=500")
        );
        Task<RawResponse>[] requests = [.. Enumerable.Range(0, 5).Select(_ => RawClient.RequestAsync(gateway.Port, Host, "/"))];
        BackendProcess backend = await Control.StartAsync();

        RawResponse first = await await Task.WhenAny(requests);
        await gateway.UntilAsync("two are refused", () => Task.FromResult(requests.Count(each => each.IsCompleted) == 2));
        await backend.DoAsync("health 200");
        RawResponse[] all = await Task.WhenAll(requests);

        Assert.That((first.Status, first.Header("X-Proxy-Error")), Is.EqualTo((503, "QUEUE_FULL")));
        Assert.That(all.Count(each => each.Status == 200), Is.EqualTo(3));
    }

    [Test]
    public async Task A_port_is_chosen_when_none_is_given_and_another_process_gets_another_environment()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackend(Host, "--name=one").TestBackendWith("other.test", ["port = 0"], "--name=two")
        );

        RawResponse one = await RawClient.RequestAsync(gateway.Port, Host, "/env?name=PORT");
        RawResponse two = await RawClient.RequestAsync(gateway.Port, "other.test", "/env?name=PORT");

        Assert.That(one.Text, Is.EqualTo($"{(await Control.StartAsync("one")).Port}"));
        Assert.That(two.Text, Is.EqualTo($"{(await Control.StartAsync("two")).Port}").And.Not.EqualTo(one.Text));
        JsonElement reported = (await gateway.Admin.BackendAsync(Host)).GetProperty("port");
        Assert.That($"{reported.GetInt32()}", Is.EqualTo(one.Text));
    }

    [Test]
    public async Task A_fixed_port_is_used()
    {
        int port = Ports.Free();
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().TestBackendWith(Host, [$"port = {port}"]));

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That(response.Json.GetProperty("port").GetInt32(), Is.EqualTo(port));
    }

    [Test]
    public async Task The_environment_is_inherited_then_the_backends_own_then_PORT_and_the_ready_url()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackendWith(Host, ["env = { OWN = \"a = b\", BOTH = \"backend\", PORT = \"1\" }"]),
            ("INHERITED", "from the gateway"),
            ("BOTH", "gateway")
        );

        async Task<string> Value(string name) => (await RawClient.RequestAsync(gateway.Port, Host, "/env?name=" + name)).Text;

        Assert.That(await Value("INHERITED"), Is.EqualTo("from the gateway"));
        Assert.That(await Value("OWN"), Is.EqualTo("a = b"));
        Assert.That(await Value("BOTH"), Is.EqualTo("backend"));
        Assert.That(await Value("PORT"), Is.EqualTo($"{(await Control.StartAsync()).Port}"));
        Assert.That(await Value("SERVERLESS_PROXY_READY_URL"), Does.StartWith($"http://127.0.0.1:{gateway.Config.AdminPort}/ready/{Host}"));
    }

    [Test]
    public async Task The_working_directory_is_used()
    {
        string folder = Scene.NewFolder("work");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackendWith(Host, [$"working_dir = {ConfigFile.Quote(folder)}"])
        );

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/cwd")).Text, Is.EqualTo(folder));
    }

    [Test]
    public async Task The_command_spawngate_is_this_very_executable()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend("hello.test", "command = \"spawngate\"", "args = [\"hello\"]")
        );

        RawResponse response = await RawClient.RequestAsync(gateway.Port, "hello.test", "/");

        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        Assert.That(Scene.Children(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task An_empty_health_path_means_ready_when_the_port_accepts()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackendWith(Host, ["health_path = \"\""], "--health=500", "--listen-delay-ms=200")
        );

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        BackendProcess backend = await Control.StartAsync();
        Assert.That(backend.Told, Has.None.StartsWith("health"));
    }

    [Test]
    public async Task A_health_path_of_another_name_is_asked()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackendWith(Host, ["health_path = \"/status?code=200\""], "--health=500")
        );

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Health_that_is_500_at_first_is_asked_again_until_it_is_200()
    {
        GatewayProcess gateway = await GatewayAsync("--health-fail-first=5");

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        BackendProcess backend = await Control.StartAsync();
        Assert.That(
            backend.Told.Where(each => each.StartsWith("health", StringComparison.Ordinal)),
            Is.EqualTo(Enumerable.Repeat("health 500", 5).Append("health 200"))
        );
    }

    [Test]
    public async Task The_log_and_the_admin_api_name_the_times_of_a_start()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");

        LogLine ready = await gateway.LogsAsync("spawngate.lifecycle", Host, "ready");
        string report = (await gateway.Admin.BackendAsync(Host)).GetRawText();

        Assert.That(ready.Text, Does.Contain("spawn").And.Contain("listen").And.Match("[0-9] ?ms"));
        Assert.That(report, Does.Contain("spawn").And.Contain("listen").And.Contain("ready"));
    }

    /// <summary>Sends a request and tells whether the gateway holds it; a refused one is read and forgotten.</summary>
    private static async Task<bool> IsHeldAsync(RawClient client)
    {
        await client.SendAsync(RawClient.Head(Host, "/"));
        Task<int> answer = client.Socket.ReceiveAsync(new byte[1], SocketFlags.Peek);
        if (await answer.StaysOpenAsync(TimeSpan.FromMilliseconds(500)))
        {
            return true;
        }

        Assert.That((await client.ReadResponseAsync()).Header("X-Proxy-Error"), Is.EqualTo("QUEUE_FULL"));
        return false;
    }
}
