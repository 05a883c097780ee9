using System.Net;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>A backend that dies or falls ill while it runs is noticed, and replaced.</summary>
[LongRunning]
internal sealed class MonitoringTests : GatewayTest
{
    [Test]
    public async Task An_exit_is_noticed_at_once_and_the_next_request_starts_anew()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess first = await Control.StartAsync();

        await first.SendAsync("exit 3");
        await first.ExitedInTimeAsync();
        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That(response.Status, Is.EqualTo(200));
        Assert.That(response.Json.GetProperty("pid").GetInt32(), Is.Not.EqualTo(first.Pid));
        await gateway.LogsAsync("spawngate.lifecycle", Host, "status 3");
    }

    [Test]
    public async Task A_crash_names_its_signal_in_the_log()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");

        await (await Control.StartAsync()).SendAsync("crash");

        await gateway.LogsAsync("spawngate.lifecycle", Host, "SIGKILL");
        await gateway.UntilStateAsync(Host, "stopped");
    }

    [Test]
    public async Task A_request_on_which_the_backend_crashes_gets_CONNECTION_FAILED_and_the_next_one_is_served()
    {
        GatewayProcess gateway = await GatewayAsync();

        // On a new connection, so that it is not sent again: nothing says whether the backend acted on it.
        RawResponse crashed = await RawClient.RequestAsync(gateway.Port, Host, "/crash", "POST");
        RawResponse next = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That(crashed.Status, Is.EqualTo(502), crashed.Text);
        Assert.That(next.Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Failing_health_checks_make_a_backend_unhealthy_and_it_is_restarted()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("ready_health_check_interval_ms = 100", "unhealthy_threshold = 3").TestBackend(Host)
        );
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess first = await Control.StartAsync();

        await first.DoAsync("health 500");
        await first.ExitedInTimeAsync();
        BackendProcess second = await Control.StartAsync(index: 1);

        await gateway.LogsAsync("spawngate.lifecycle", Host, "unhealthy");
        Assert.That(second.Pid, Is.Not.EqualTo(first.Pid));
        await gateway.UntilStateAsync(Host, "ready");
    }

    [Test]
    public async Task A_request_to_an_unhealthy_backend_gets_BACKEND_UNHEALTHY()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Defaults("ready_health_check_interval_ms = 100", "unhealthy_threshold = 2")
                .TestBackend(Host, "--exit-delay-ms=1500")
        );
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess first = await Control.StartAsync();
        await first.DoAsync("health 500");

        await gateway.LogsAsync("spawngate.lifecycle", Host, "unhealthy");
        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((503, "BACKEND_UNHEALTHY")));
        await Control.StartAsync(index: 1);
    }

    [Test]
    public async Task Fewer_failures_than_the_threshold_change_nothing()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("ready_health_check_interval_ms = 50", "unhealthy_threshold = 1000").TestBackend(Host)
        );
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();

        await backend.DoAsync("health 500");
        await backend.ToldTimesAsync("health 500", 5);
        await backend.DoAsync("health 200");
        await backend.ToldTimesAsync("health 200", 5);

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Json.GetProperty("pid").GetInt32(), Is.EqualTo(backend.Pid));
        Assert.That(await gateway.Admin.StateAsync(Host), Is.EqualTo("ready"));
    }

    [Test]
    public async Task Restart_by_the_admin_api_brings_a_new_process()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess first = await Control.StartAsync();

        Assert.That(await gateway.Admin.PostAsync($"/backends/{Host}/restart"), Is.EqualTo(HttpStatusCode.Accepted));
        await first.ExitedInTimeAsync();
        await Control.StartAsync(index: 1);
        await gateway.UntilStateAsync(Host, "ready");

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        Assert.That(Control.Started(), Has.Count.EqualTo(2));
    }

    [Test]
    public async Task Start_by_the_admin_api_needs_no_request()
    {
        GatewayProcess gateway = await GatewayAsync();

        Assert.That(await gateway.Admin.PostAsync($"/backends/{Host}/start"), Is.EqualTo(HttpStatusCode.Accepted));

        await Control.StartAsync();
        await gateway.UntilStateAsync(Host, "ready");
    }

    [Test]
    public async Task Many_stops_and_starts_leave_nothing()
    {
        const int Rounds = 15;
        GatewayProcess gateway = await GatewayAsync();
        for (int i = 0; i < Rounds; i++)
        {
            Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
            await gateway.Admin.PostAsync($"/backends/{Host}/stop");
            await (await Control.StartAsync(index: i)).ExitedInTimeAsync();
            await gateway.UntilStateAsync(Host, "stopped");
        }

        Assert.That(Scene.Children(), Is.Empty);
        Assert.That(Control.Started(), Has.Count.EqualTo(Rounds));
    }
}
