using System.Diagnostics;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>What a container is made of, when it starts and when it stops.</summary>
[TestFixture]
internal sealed class LifeTests : ContainerTest
{
    private static readonly TimeSpan LongerThanIdle = TimeSpan.FromSeconds(2.5);

    [Test]
    public async Task A_request_starts_a_container_a_stop_removes_it_and_the_next_request_starts_another()
    {
        GatewayProcess gateway = await GatewayAsync();
        Assert.That((await gateway.Admin.BackendAsync(Host)).GetProperty("port").ValueKind, Is.EqualTo(JsonValueKind.Null));
        await ServesAsync(gateway);

        JsonElement first = await Api.InspectAsync(Container);
        JsonElement shown = await gateway.Admin.BackendAsync(Host);
        string id = first.GetProperty("Id").GetString()!;
        JsonElement mapping = first.GetProperty("NetworkSettings").GetProperty("Ports").GetProperty("3000/tcp");
        Assert.That(mapping.GetArrayLength(), Is.EqualTo(1));
        Assert.That(mapping[0].GetProperty("HostIp").GetString(), Is.EqualTo("127.0.0.1"), "reachable from this machine only");
        Assert.That(shown.GetProperty("port").GetInt32().ToString(), Is.EqualTo(mapping[0].GetProperty("HostPort").GetString()));
        Assert.That(shown.GetProperty("container_id").GetString(), Is.EqualTo(id));
        Assert.That(shown.GetProperty("container_name").GetString(), Is.EqualTo(Container));
        Assert.That(shown.GetProperty("image").GetString(), Is.EqualTo("spawngate-test/backend:1"));
        JsonElement labels = first.GetProperty("Config").GetProperty("Labels");
        Assert.That(labels.GetProperty("spawngate.host").GetString(), Is.EqualTo(Host));
        Assert.That(labels.GetProperty("spawngate.generation").GetString(), Is.EqualTo("1"));
        Tool explained = await Tool.GatewayAsync(Scene, "explain", Host, "--config", gateway.ConfigPath);
        Assert.That(explained.Out, Does.Contain($"container {id[..12]}, {Container}, image spawngate-test/backend:1"));

        BackendProcess backend = await Containers.StartAsync();
        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await backend.ToldAsync("sigterm");
        await StoppedAsync(gateway);
        await ServesAsync(gateway);
        Assert.That(await ContainerIdAsync(), Is.Not.EqualTo(id));
        await gateway.Admin.PostAsync($"/backends/{Host}/restart");
        await Containers.StartAsync(index: 2);
        await ServesAsync(gateway);
        Assert.That(await MineAsync(), Is.EqualTo([Container]));
    }

    [Test]
    public async Task Fifty_clients_at_once_start_one_container()
    {
        GatewayProcess gateway = await GatewayAsync();

        RawResponse[] all = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => AskAsync(gateway)));

        Assert.That(all.Select(each => each.Status), Is.All.EqualTo(200));
        Assert.That(Containers.Started(), Has.Count.EqualTo(1));
        Assert.That((await gateway.Admin.BackendAsync(Host)).GetProperty("generation").GetInt32(), Is.EqualTo(1));
    }

    [Test]
    public async Task An_idle_container_stops_and_one_in_use_does_not()
    {
        GatewayProcess gateway = await GatewayAsync([], "idle_timeout_secs = 1");
        Task<RawResponse> held = AskAsync(gateway, "/hold?key=a");
        BackendProcess backend = await Containers.StartAsync();
        await backend.ToldAsync("hold a");

        Assert.That(await backend.ToldAsync("sigterm").StaysOpenAsync(LongerThanIdle), "stopped while a request was in flight");
        await backend.DoAsync("release a");
        Assert.That((await held).Text, Is.EqualTo("held"));
        long ended = Stopwatch.GetTimestamp();
        await backend.ToldAsync("sigterm");

        Assert.That(Stopwatch.GetElapsedTime(ended).TotalSeconds, Strain.Within(ended, 0.95, 2.5));
        await StoppedAsync(gateway);
        Assert.That((await gateway.Admin.BackendAsync(Host)).GetProperty("last_stop_reason").GetString(), Is.EqualTo("idle"));
    }

    [Test]
    public async Task A_container_that_is_never_ready_is_removed_at_its_timeout()
    {
        GatewayProcess gateway = await GatewayAsync(["--never-listen"], "startup_timeout_secs = 3");

        Assert.That(await FailureAsync(gateway), Does.StartWith("not ready within 3 s ("));

        Assert.That((await Containers.StartAsync()).Exited.InTimeAsync("its end"), Is.Not.Null);
        await StoppedAsync(gateway);
    }

    [Test]
    public async Task Without_a_health_path_a_container_is_ready_when_it_listens_and_not_when_its_forwarder_does()
    {
        GatewayProcess gateway = await GatewayAsync(["--listen-delay-ms=1500"], "health_path = \"\"");
        Task<RawResponse> asked = AskAsync(gateway);
        BackendProcess backend = await Containers.StartAsync();
        await gateway.LogsAsync("Container started");

        Assert.That(
            await gateway.LogsAsync("Backend is ready").StaysOpenAsync(TimeSpan.FromSeconds(0.5)),
            "only the forwarder listens so far"
        );
        await backend.ToldAsync("listening");
        Assert.That((await asked).Status, Is.EqualTo(200));
        Assert.That(
            (await gateway.Admin.BackendAsync(Host)).GetProperty("last_start").GetProperty("signal").GetString(),
            Is.EqualTo("connect")
        );
    }

    [Test]
    public async Task Environment_and_arguments_reach_the_container()
    {
        string image = await Engine.Images.BackendAsync();
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                "type = \"docker\"",
                $"image = \"{image}\"",
                $"docker_host = \"{Engine.Host}\"",
                "port = 3456",
                "args = [\"--name=with args\"]",
                $"env = {{ GREETING = \"hello = world\", PORT = \"1\", TESTBACKEND_CONTROL = \"{ControlAddress}\" }}"
            )
        );

        Assert.That((await AskAsync(gateway, "/env?name=GREETING")).Text, Is.EqualTo("hello = world"));
        Assert.That((await AskAsync(gateway, "/env?name=PORT")).Text, Is.EqualTo("3456"));
        Assert.That(
            (await AskAsync(gateway, "/env?name=SERVERLESS_PROXY_READY_URL")).Text,
            Does.StartWith($"http://{Engine.Gateway}:").And.Contain($"/ready/{Host}?token=")
        );
        Assert.That(
            (await AskAsync(gateway, "/env?name=SPAWNGATE_BUSY_URL")).Text,
            Does.StartWith($"http://{Engine.Gateway}:").And.Contain($"/busy/{Host}/")
        );
        Assert.That(
            (await AskAsync(gateway, "/env?name=SPAWNGATE_TEST")).Status,
            Is.EqualTo(404),
            "the gateway's own environment is none of its business"
        );
        JsonElement inspected = await Api.InspectAsync(Container);
        Assert.That(inspected.GetProperty("Args").ToString(), Is.EqualTo("""["--name=with args"]"""));
    }

    [Test]
    public async Task Limits_are_exact()
    {
        (string Memory, string Cpus, long Bytes, long Nano)[] cases =
        [
            ("512m", "\"0.5\"", 536870912, 500000000),
            ("1.5g", "1.0", 1610612736, 1000000000),
            ("2gb", "\"1.25\"", 2147483648, 1250000000),
        ];
        var config = new ConfigFile();
        string[] hosts = [.. cases.Select((_, index) => $"limit{index}-{Id}.test")];
        for (int i = 0; i < cases.Length; i++)
        {
            config.Backend(hosts[i], await BackendAsync([], [$"memory = \"{cases[i].Memory}\"", $"cpus = {cases[i].Cpus}"]));
        }

        GatewayProcess gateway = await Scene.GatewayAsync(config);
        foreach ((string host, (string memory, string cpus, long bytes, long nano)) in hosts.Zip(cases))
        {
            Assert.That((await RawClient.RequestAsync(gateway.Port, host, "/")).Status, Is.EqualTo(200), () => gateway.LogText);
            Assert.That(await HostSettingAsync($"spawngate-{host}", "Memory"), Is.EqualTo(bytes), memory);
            Assert.That(await HostSettingAsync($"spawngate-{host}", "NanoCpus"), Is.EqualTo(nano), cpus);
        }
    }

    [TestCase("", true, 4096, "1")]
    [TestCase("no_new_privileges = false\npids_limit = 0", false, 0, "0")]
    [TestCase("pids_limit = 50", true, 50, "1")]
    public async Task Programs_in_a_container_get_no_more_rights_and_no_more_processes_than_configured(
        string lines,
        bool isOption,
        int pids,
        string flag
    )
    {
        string[] backend = await BusyboxAsync(
            "sh",
            "-c",
            "while read -r line; do case $line in NoNewPrivs*) echo flag ${line##*:} end;; esac; done < /proc/self/status; "
                + "exec httpd -f -p 3000 -h /tmp"
        );
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Backend(Host, [.. backend, "health_path = \"\"", lines]));
        await AskAsync(gateway);

        JsonElement host = (await Api.InspectAsync(Container)).GetProperty("HostConfig");
        Assert.That(host.GetProperty("SecurityOpt").ToString(), Is.EqualTo(isOption ? """["no-new-privileges"]""" : ""));
        JsonElement limit = host.GetProperty("PidsLimit");
        Assert.That(limit.ValueKind == JsonValueKind.Null ? 0 : Math.Max(0, limit.GetInt64()), Is.EqualTo(pids));
        Assert.That((await gateway.LogsAsync(Host, "flag ")).Text, Does.Match($"flag\\s+{flag} end"), "what the kernel says");
    }

    [Test]
    public async Task Local_and_docker_backends_stand_beside_each_other_and_stop_together()
    {
        string local = $"local-{Id}.test";
        GatewayProcess gateway = await Scene.GatewayAsync((await ConfigAsync()).TestBackend(local));

        RawResponse[] both = await Task.WhenAll(AskAsync(gateway), RawClient.RequestAsync(gateway.Port, local, "/"));
        Assert.That(both.Select(each => each.Status), Is.All.EqualTo(200));
        gateway.Signal(ProcessScan.Term);

        Assert.That(await gateway.ExitAsync(), Is.Zero);
        Assert.That(await MineAsync(), Is.Empty, "removed before the gateway ends");
        Assert.That(Scene.Children(), Is.Empty);
    }

    [Test]
    public async Task A_gateway_that_stops_while_a_container_is_being_made_leaves_none()
    {
        GatewayProcess gateway = await GatewayAsync();
        _ = AskAsync(gateway).ContinueWith(static asked => asked.Exception, TaskScheduler.Default);
        await gateway.LogsAsync("Backend is starting");
        gateway.Signal(ProcessScan.Term);

        Assert.That(await gateway.ExitAsync(), Is.Zero);
        Assert.That(await MineAsync(), Is.Empty);
    }

    [TestCase("bridge")]
    [TestCase("user-defined")]
    [TestCase("internal")]
    [TestCase("host")]
    public async Task A_container_on_any_network_can_say_that_it_is_ready(string kind)
    {
        int port = kind == "host" ? Ports.Free() : 3000;
        string network = kind is "bridge" or "host" ? kind : $"net-{Id}";
        if (network != kind)
        {
            await Api.PostAsync("/networks/create", new { Name = network, Internal = kind == "internal" });
        }

        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                "type = \"docker\"",
                $"image = \"{await Engine.Images.BackendAsync()}\"",
                $"docker_host = \"{Engine.Host}\"",
                $"port = {port}",
                $"network = \"{network}\"",
                "args = [\"--health=500\", \"--ready-callback=0\"]"
            )
        );
        await ServesAsync(gateway);

        JsonElement start = (await gateway.Admin.BackendAsync(Host)).GetProperty("last_start");
        Assert.That(start.GetProperty("signal").GetString(), Is.EqualTo("callback"));
        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await StoppedAsync(gateway);
        if (network != kind)
        {
            await Api.DeleteAsync($"/networks/{network}");
        }
    }

    [Test]
    public async Task A_container_cannot_reach_the_admin_API()
    {
        ConfigFile config = await ConfigAsync();
        string script =
            $"url=$SERVERLESS_PROXY_READY_URL; door=${{url%/ready*}}; for a in $door/backends $door/metrics "
            + $"http://{Engine.Gateway}:{config.AdminPort}/health; do wget -q -O - $a > /dev/null 2>&1 && echo reached $a; "
            + "done; echo tried; exec httpd -f -p 3000";
        string host = $"curious-{Id}.test";
        GatewayProcess gateway = await Scene.GatewayAsync(
            config.Backend(host, [.. await BusyboxAsync("sh", "-c", script), "health_path = \"\""])
        );
        _ = await RawClient.RequestAsync(gateway.Port, host, "/");

        await gateway.LogsAsync("container:", "tried");

        Assert.That(gateway.LogText, Does.Not.Contain("\" reached"));
    }
}
