using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>Reloads in awkward moments.</summary>
internal sealed class ReloadEdgeTests : GatewayTest
{
    private const string Reloaded = "Configuration reloaded successfully";

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_backend_that_is_removed_and_added_again_while_it_stops_runs_once_at_a_time(bool fixedPort)
    {
        string alone = Scene.NewFolder("alone");
        string[] lines = fixedPort ? [$"port = {Ports.Free()}"] : [];
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Defaults("drain_timeout_secs = 20")
                .TestBackend("other.test", "--name=other")
                .TestBackendWith(Host, lines, $"--alone={alone}")
        );
        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/hold?key=a");
        BackendProcess first = await Control.StartAsync();
        await first.ToldAsync("hold a");
        string original = gateway.Config.ToString();

        await ReloadAsync(gateway, gateway.Config.Without(Host).ToString());
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(404));
        await ReloadAsync(gateway, original);
        Task<RawResponse>[] waiting = [.. Enumerable.Range(0, 5).Select(_ => RawClient.RequestAsync(gateway.Port, Host, "/"))];
        await gateway.UntilAsync("they wait", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("waiting").GetInt32() == waiting.Length
        );
        Assert.That(first.Told, Has.None.StartsWith("sigterm"), "what is in flight in the removed one goes on");
        await first.DoAsync("release a");

        Assert.That((await held).Text, Is.EqualTo("held"));
        foreach (RawResponse response in await Task.WhenAll(waiting))
        {
            Assert.That(response.Status, Is.EqualTo(200), response.Text);
            Assert.That(response.Json.GetProperty("pid").GetInt32(), Is.Not.EqualTo(first.Pid));
        }

        Assert.That(Control.Started(), Has.Count.EqualTo(2));
        Assert.That(Directory.GetFiles(alone, "overlap-*"), Is.Empty, "two processes of the backend at once");
    }

    [Test]
    public async Task Removing_and_adding_again_many_times_leaves_one_process()
    {
        string alone = Scene.NewFolder("alone");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackend("other.test", "--name=other").TestBackend(Host, $"--alone={alone}", "--exit-delay-ms=50")
        );
        string with = gateway.Config.ToString();
        string without = gateway.Config.Without(Host).ToString();
        for (int i = 0; i < 15; i++)
        {
            Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200), $"round {i}");
            await ReloadAsync(gateway, without);
            await ReloadAsync(gateway, with);
        }

        await gateway.UntilAsync("the removed ones have ended", () =>
            Task.FromResult(Control.Started().All(each => each.Exited.IsCompleted))
        );
        Assert.That(Directory.GetFiles(alone, "overlap-*"), Is.Empty, "two processes of the backend at once");
        Assert.That(Control.Started(), Has.Count.EqualTo(15));
    }

    [Test]
    public async Task Changed_defaults_hold_for_what_runs()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();
        long[] before = backend.Checked;

        await ReloadAsync(gateway, gateway.Config.Defaults("idle_timeout_secs = 3", "ready_health_check_interval_ms = 200").ToString());
        long changed = Stopwatch.GetTimestamp();
        await backend.ToldAsync("sigterm");

        Assert.That(
            Stopwatch.GetElapsedTime(changed).TotalSeconds,
            Strain.Within(changed, 2, 4.5),
            "seconds from the reload to the stop for idleness"
        );
        Assert.That(backend.Checked.Length - before.Length, Is.GreaterThan(5), "checks in three seconds at five a second");
    }

    [Test]
    public async Task A_removed_backend_that_is_starting_answers_those_who_wait_and_ends()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackend("other.test", "--name=other").TestBackend(Host, "--never-listen")
        );
        Task<RawResponse> waiting = RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();

        await ReloadAsync(gateway, gateway.Config.Without(Host).ToString());

        RawResponse response = await waiting;
        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((503, "BACKEND_SHUTTING_DOWN")));
        await backend.ExitedInTimeAsync();
    }

    private static async Task ReloadAsync(GatewayProcess gateway, string text)
    {
        int lines = gateway.Log.Lines.Count;
        gateway.ReloadAtomically(text);
        await gateway.LogsAsync(lines, Reloaded);
    }
}
