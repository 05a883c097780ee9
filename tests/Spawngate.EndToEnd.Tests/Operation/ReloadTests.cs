using System.Net;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>SIGHUP: the file is read again, and requests notice nothing.</summary>
[LongRunning]
internal sealed class ReloadTests : GatewayTest
{
    private const string Reloaded = "Configuration reloaded successfully";

    [Test]
    public async Task An_added_backend_is_routable()
    {
        GatewayProcess gateway = await GatewayAsync();
        Assert.That((await RawClient.RequestAsync(gateway.Port, "new.test", "/")).Status, Is.EqualTo(404));

        gateway.Reload(gateway.Config.TestBackend("new.test", "--name=new").ToString());
        LogLine line = await gateway.LogsAsync(Reloaded);

        Assert.That((line.Field("added"), line.Field("removed"), line.Field("updated")), Is.EqualTo(("1", "0", "0")), line.Text);
        Assert.That((await RawClient.RequestAsync(gateway.Port, "new.test", "/")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_removed_backend_drains_then_stops_and_is_unknown_at_once()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().TestBackend(Host).TestBackend("stays.test", "--name=stays"));
        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/hold?key=a");
        BackendProcess backend = await Control.StartAsync();
        await backend.ToldAsync("hold a");

        gateway.Reload(gateway.Config.Without(Host).ToString());
        LogLine line = await gateway.LogsAsync(Reloaded);
        RawResponse refused = await RawClient.RequestAsync(gateway.Port, Host, "/");
        await backend.DoAsync("release a");
        RawResponse finished = await held;
        await backend.ExitedInTimeAsync();

        Assert.That((line.Field("added"), line.Field("removed"), line.Field("updated")), Is.EqualTo(("0", "1", "0")), line.Text);
        Assert.That(refused.Status, Is.EqualTo(404).Or.EqualTo(503));
        Assert.That(finished.Text, Is.EqualTo("held"));
        Assert.That(backend.Told, Has.Some.StartsWith("sigterm").And.Contains("inflight=0"));
        Assert.That((await RawClient.RequestAsync(gateway.Port, "stays.test", "/")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_changed_backend_gets_its_new_settings_at_its_next_start()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().TestBackendWith(Host, ["env = { COLOUR = \"red\" }"]));
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/env?name=COLOUR")).Text, Is.EqualTo("red"));
        BackendProcess first = await Control.StartAsync();

        gateway.Reload(gateway.Config.Without(Host).TestBackendWith(Host, ["env = { COLOUR = \"blue\" }"]).ToString());
        LogLine line = await gateway.LogsAsync(Reloaded);
        string running = (await RawClient.RequestAsync(gateway.Port, Host, "/env?name=COLOUR")).Text;
        await gateway.Admin.PostAsync($"/backends/{Host}/restart");
        await first.ExitedInTimeAsync();
        await Control.StartAsync(index: 1);
        await gateway.UntilStateAsync(Host, "ready");

        Assert.That((line.Field("added"), line.Field("removed"), line.Field("updated")), Is.EqualTo(("0", "0", "1")), line.Text);
        Assert.That(running, Is.EqualTo("red"), "a reload does not restart what runs");
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/env?name=COLOUR")).Text, Is.EqualTo("blue"));
    }

    [Test]
    public async Task A_changed_default_timeout_holds_for_new_requests()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");

        gateway.Reload(gateway.Config.Defaults("request_timeout_secs = 1").ToString());
        await gateway.LogsAsync(Reloaded);

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/slow?headMs=10000")).Status, Is.EqualTo(504));
    }

    [Test]
    public async Task A_broken_file_changes_nothing_and_all_its_errors_are_logged()
    {
        GatewayProcess gateway = await GatewayAsync();

        gateway.Reload(gateway.Config + "\n[backends.\"broken.test\"]\nport = \"x\"\nhealth_pth = 1\ncommand = 5\n");
        await gateway.LogsAsync("health_pth");
        await gateway.LogsAsync("backends", "port");
        await gateway.LogsAsync("backends", "command");

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        Assert.That((await RawClient.RequestAsync(gateway.Port, "broken.test", "/")).Status, Is.EqualTo(404));
        Assert.That(gateway.Log.Lines.Any(line => line.Says(Reloaded)), Is.False);
        Assert.That(gateway.Log.Lines.Any(line => line.Level == "ERROR" && line.Says("health_pth")));
    }

    [Test]
    public async Task A_file_that_vanished_changes_nothing()
    {
        GatewayProcess gateway = await GatewayAsync();
        File.Delete(gateway.ConfigPath);

        gateway.Signal(ProcessScan.Hup);
        await gateway.LogsAsync("ERROR", Path.GetFileName(gateway.ConfigPath));
        await File.WriteAllTextAsync(gateway.ConfigPath, gateway.Config.ToString());

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_changed_server_key_is_reported_as_needing_a_restart()
    {
        GatewayProcess gateway = await GatewayAsync();

        gateway.Reload(gateway.Config.Server("max_connections = 17").ToString());

        LogLine line = await gateway.LogsAsync("max_connections", "restart");
        Assert.That(line.Level, Is.EqualTo("WARN"));
    }

    [Test, NonParallelizable]
    public async Task Reloads_under_load_are_not_noticed_by_requests()
    {
        GatewayProcess gateway = await GatewayAsync();
        using var load = new LoadLoop(gateway.Port, Host, "/bytes?n=500", connections: 16, warmAfter: 500);
        await load.Warm.InTimeAsync("load");

        for (int i = 0; i < 10; i++)
        {
            int lines = gateway.Log.Lines.Count;
            gateway.Reload(gateway.Config.TestBackend($"more{i}.test").ToString());
            await gateway.LogsAsync(lines, Reloaded);
        }

        await load.StopAsync();
        Assert.That((load.Wrong, load.Cut, load.Unanswered), Is.EqualTo((0, 0, 0)));
        Assert.That(await gateway.Admin.StatusAsync("/backends/more9.test"), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(Control.Started(), Has.Count.EqualTo(1), "the backend ran on");
    }
}
