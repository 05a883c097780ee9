using System.Diagnostics;
using System.Net;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>What was started is ended whole: the process, its group, its children, and what left the group.</summary>
[LongRunning]
internal sealed class StopTests : GatewayTest
{
    [Test]
    public async Task A_backend_that_obeys_SIGTERM_ends_by_it()
    {
        string exits = Scene.NewFolder("exits");
        GatewayProcess gateway = await GatewayAsync($"--exit-log={exits}");
        BackendProcess backend = await StartedAsync(gateway);

        gateway.Signal(ProcessScan.Term);

        Assert.That(await gateway.ExitAsync(), Is.Zero);
        Assert.That(backend.Told, Has.Some.StartsWith("sigterm"));
        Assert.That(Directory.GetFiles(exits), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task A_backend_that_ignores_SIGTERM_is_killed_after_the_grace_period()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("shutdown_grace_period_secs = 1").TestBackend(Host, "--ignore-sigterm")
        );
        BackendProcess backend = await StartedAsync(gateway);

        long before = Stopwatch.GetTimestamp();
        Assert.That(await gateway.Admin.PostAsync($"/backends/{Host}/stop"), Is.EqualTo(HttpStatusCode.Accepted));
        await backend.ToldAsync("sigterm");
        long told = Stopwatch.GetTimestamp();
        await backend.ExitedInTimeAsync();

        Assert.That(Stopwatch.GetElapsedTime(before).TotalSeconds, Is.GreaterThan(0.95 - Strain.SecsSince(before)));
        Assert.That(Stopwatch.GetElapsedTime(told).TotalSeconds, Strain.Within(told, 0, 2.5));
        await gateway.LogsAsync("spawngate.lifecycle", Host, "SIGKILL");
    }

    [Test]
    public async Task A_grandchild_that_ignores_SIGTERM_goes_with_its_parent()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("shutdown_grace_period_secs = 1").TestBackend(Host, "--grandchild")
        );
        BackendProcess backend = await StartedAsync(gateway);
        BackendProcess grandchild = await Control.StartAsync("backend-grandchild");

        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await backend.ExitedInTimeAsync();

        await grandchild.ExitedInTimeAsync();
        Assert.That(grandchild.Told, Has.Some.StartsWith("sigterm"), "the group got SIGTERM");
    }

    [Test]
    public async Task An_orphaned_process_of_the_group_goes_too()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("shutdown_grace_period_secs = 1").TestBackend(Host, "--daemon")
        );
        await StartedAsync(gateway);
        BackendProcess daemon = await Control.StartAsync("backend-daemon");

        await gateway.Admin.PostAsync($"/backends/{Host}/stop");

        await daemon.ExitedInTimeAsync();
    }

    [Test]
    public async Task A_daemon_that_forked_twice_into_a_session_of_its_own_goes_within_the_grace_period()
    {
        Executables.FindOrSkip("setsid");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("shutdown_grace_period_secs = 1").Backend(Host, Trees.WithDaemons())
        );
        await StartedAsync(gateway);
        BackendProcess stubborn = await Control.StartAsync("stubborn");
        BackendProcess obedient = await Control.StartAsync("obedient");

        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await gateway.UntilStateAsync(Host, "stopped");

        Assert.That(Scene.Children().Select(ProcessScan.CommandLine), Is.Empty);
        await Task.WhenAll(stubborn.ExitedInTimeAsync(), obedient.ExitedInTimeAsync());
        Assert.That(obedient.Told, Has.Some.StartsWith("sigterm"), "it had the chance to end by itself");
        Assert.That(stubborn.Told, Has.Some.StartsWith("sigterm"));
    }

    [Test]
    public async Task What_a_crashed_backend_leaves_behind_is_ended()
    {
        GatewayProcess gateway = await GatewayAsync("--grandchild");
        BackendProcess backend = await StartedAsync(gateway);
        BackendProcess grandchild = await Control.StartAsync("backend-grandchild");

        await backend.SendAsync("crash");

        await grandchild.ExitedInTimeAsync();
    }

    [Test]
    public async Task No_zombie_is_left_by_an_exit()
    {
        GatewayProcess gateway = await GatewayAsync("--daemon");
        BackendProcess backend = await StartedAsync(gateway);

        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await backend.ExitedInTimeAsync();
        await gateway.UntilStateAsync(Host, "stopped");

        await gateway.UntilAsync("the backend's entry in the process table is gone", () =>
            Task.FromResult(!Directory.Exists($"/proc/{backend.Pid}"))
        );
    }

    [Test]
    public async Task Several_backends_stop_at_the_same_time()
    {
        var config = new ConfigFile();
        for (int i = 0; i < 4; i++)
        {
            config.TestBackend($"b{i}.test", $"--name=b{i}", "--exit-delay-ms=1500");
        }

        GatewayProcess gateway = await Scene.GatewayAsync(config);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => RawClient.RequestAsync(gateway.Port, $"b{i}.test", "/")));
        long asked = Stopwatch.GetTimestamp();
        gateway.Signal(ProcessScan.Term);

        Assert.That(await gateway.ExitAsync(), Is.Zero);
        Assert.That(
            Stopwatch.GetElapsedTime(asked).TotalSeconds,
            Strain.Within(asked, 0, 4.5),
            "four stops of 1.5 s, one after the other, take 6"
        );
    }

    [Test]
    public async Task A_request_in_flight_is_finished_before_SIGTERM()
    {
        GatewayProcess gateway = await GatewayAsync();
        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/hold?key=a");
        BackendProcess backend = await Control.StartAsync();
        await backend.ToldAsync("hold a");

        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await gateway.UntilStateAsync(Host, "stopping");
        Assert.That(backend.Told, Has.None.StartsWith("sigterm"));
        await backend.DoAsync("release a");

        Assert.That((await held).Text, Is.EqualTo("held"));
        Assert.That(await backend.ToldAsync("sigterm"), Does.Contain("inflight=0"));
    }

    [Test]
    public async Task A_drain_that_takes_too_long_is_cut_off_and_the_client_sees_it()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Defaults("drain_timeout_secs = 1").TestBackend(Host));
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/hold?key=a&at=body"));
        BackendProcess backend = await Control.StartAsync();
        await backend.ToldAsync("hold a");

        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await backend.ExitedInTimeAsync();

        Assert.That(async () => await client.ReadResponseAsync(), Throws.InstanceOf<IncompleteMessageException>());
    }

    [Test]
    public async Task A_new_request_during_an_asked_stop_gets_BACKEND_SHUTTING_DOWN()
    {
        GatewayProcess gateway = await GatewayAsync("--exit-delay-ms=1000");
        BackendProcess backend = await StartedAsync(gateway);
        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await backend.ToldAsync("sigterm");

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((503, "BACKEND_SHUTTING_DOWN")));
        await backend.ExitedInTimeAsync();
        await gateway.UntilStateAsync(Host, "stopped");
        Assert.That(
            (await RawClient.RequestAsync(gateway.Port, Host, "/")).Status,
            Is.EqualTo(200),
            "a stopped backend starts again on demand"
        );
    }

    [Test]
    public async Task A_start_under_way_can_be_stopped()
    {
        GatewayProcess gateway = await GatewayAsync("--health=500");
        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();

        await gateway.Admin.PostAsync($"/backends/{Host}/stop");

        Assert.That((await held).Status, Is.EqualTo(503));
        await backend.ExitedInTimeAsync();
        await gateway.UntilStateAsync(Host, "stopped");
    }

    private async Task<BackendProcess> StartedAsync(GatewayProcess gateway)
    {
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        return await Control.StartAsync();
    }
}
