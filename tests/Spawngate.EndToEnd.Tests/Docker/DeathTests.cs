using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>What is left when a container, an engine or the gateway itself is killed in the middle of its work.</summary>
[TestFixture]
internal sealed class DeathTests : ContainerTest
{
    private const int Connections = 4;

    [Test]
    public async Task A_container_killed_under_load_fails_only_what_was_in_flight()
    {
        GatewayProcess gateway = await GatewayAsync();
        using var load = new LoadLoop(gateway.Port, Host, "/bytes?n=2000", Connections, warmAfter: 100);
        await load.Warm.InTimeAsync("load");

        await Api.KillAsync(Container);
        await Containers.StartAsync(index: 1);
        int seen = load.Complete;
        await gateway.UntilAsync("the load goes on", () => Task.FromResult(load.Complete > seen + 100));
        await load.StopAsync();

        await Figures.NoteAsync(
            $"a container killed under load of {Connections} connections: {load.Complete} answered, {load.Wrong} failed, "
                + $"{load.Cut} were cut"
        );
        Assert.That(load.Wrong + load.Cut, Is.LessThanOrEqualTo(Connections), () => string.Join(", ", load.WrongCodes));
        Assert.That(load.Unanswered, Is.Zero);
        Assert.That((await gateway.LogsAsync("Backend exited by itself")).Field("reason"), Is.EqualTo("exited with status 137 (SIGKILL)"));
        Assert.That(await MineAsync(), Is.EqualTo([Container]));
    }

    [Test]
    public async Task A_container_removed_by_hand_is_noticed_at_once()
    {
        GatewayProcess gateway = await GatewayAsync();
        await ServesAsync(gateway);

        await Api.RemoveAsync(Container);
        await gateway.LogsAsync("Backend exited by itself");

        await ServesAsync(gateway);
        Assert.That(Containers.Started(), Has.Count.EqualTo(2));
    }

    [Test]
    public async Task An_engine_killed_under_load_is_found_again_and_another_one_does_not_notice()
    {
        DockerEngine own = await OwnEngineAsync();
        string other = $"other-{Id}.test";
        GatewayProcess gateway = await Scene.GatewayAsync((await ConfigAsync()).Backend(other, await BackendAsync([], [], own)));
        await ServesAsync(gateway);
        using var load = new LoadLoop(gateway.Port, other, "/bytes?n=2000", Connections, warmAfter: 100);
        await load.Warm.InTimeAsync("load");

        await own.KillAsync();
        LogLine lost = await gateway.LogsAsync(other, "Backend exited by itself");
        await gateway.LogsAsync(other, "Backend failed to start");
        await load.StopAsync();
        Assert.That(lost.Field("reason"), Does.StartWith("was lost with its engine ("));
        Assert.That(
            (await gateway.Admin.BackendAsync(other)).GetProperty("last_failure").GetString(),
            Is.EqualTo($"the Docker engine at {own.Host} (docker_host) does not answer: connection refused (nobody listens there)")
        );
        Assert.That(load.WrongCodes.Keys, Is.SubsetOf(new[] { "CONNECTION_FAILED", "BAD_BACKEND_RESPONSE", "BACKEND_START_FAILED" }));
        await ServesAsync(gateway);

        await own.StartAsync();
        await gateway.UntilAsync("it serves again", async () => (await RawClient.RequestAsync(gateway.Port, other, "/")).Status == 200);
        Assert.That((await own.Api.NamesAsync()), Is.EqualTo([$"spawngate-{other}"]), "nothing is left of the one before");
    }

    [Test]
    public async Task A_gateway_killed_under_load_leaves_no_container()
    {
        GatewayProcess gateway = await GatewayAsync();
        using var load = new LoadLoop(gateway.Port, Host, "/bytes?n=2000", Connections, warmAfter: 100);
        await load.Warm.InTimeAsync("load");
        BackendProcess backend = await Containers.StartAsync();
        long killed = Stopwatch.GetTimestamp();

        gateway.Signal(ProcessScan.Kill);
        await backend.ToldAsync("sigterm");
        await GoneAsync(Api, Container);

        await Figures.NoteAsync($"the containers of a killed gateway are gone after {Stopwatch.GetElapsedTime(killed).TotalSeconds:F1} s");
        await load.EndAsync();
        await gateway.LogsAsync("spawngate.guard", "The gateway's containers have been removed");
        await gateway.ExitAsync();
    }

    [Test]
    public async Task What_a_gateway_and_its_guard_left_is_removed_at_the_next_start_and_nothing_else()
    {
        string image = await Engine.Images.BusyboxAsync();
        string foreign = await Api.RunAsync(
            $"foreign-{Id}",
            new
            {
                Image = image,
                Cmd = new[] { "sleep", "1000" },
                StopTimeout = 0,
            }
        );
        var labels = new Dictionary<string, string> { ["spawngate.instance"] = "another gateway", ["spawngate.host"] = Host };
        string theirs = await Api.RunAsync(
            $"theirs-{Id}",
            new
            {
                Image = image,
                Cmd = new[] { "sleep", "1000" },
                StopTimeout = 0,
                Labels = labels,
            }
        );
        ConfigFile config = await ConfigAsync();
        GatewayProcess first = await Scene.GatewayAsync(config);
        await ServesAsync(first);
        string id = await ContainerIdAsync();

        // A gateway that is stopped starts no other guard.
        await ProcessScan.FreezeAsync(first.Pid);
        Scene.Guards().ForEach(guard => ProcessScan.Signal(guard, ProcessScan.Kill));
        first.Signal(ProcessScan.Kill);
        await first.ExitAsync();
        Assert.That(await ContainerIdAsync(), Is.EqualTo(id), "it outlives both");

        GatewayProcess second = await Scene.GatewayAsync(config);
        LogLine removing = await second.LogsAsync("Removing a container that was left over");
        Assert.That((removing.Field("hostname"), removing.Field("container")), Is.EqualTo((Host, Container)));
        await ServesAsync(second);
        Assert.That(await ContainerIdAsync(), Is.Not.EqualTo(id));
        Assert.That(await MineAsync(), Is.EquivalentTo([Container, $"foreign-{Id}", $"theirs-{Id}"]));
        await Task.WhenAll(Api.RemoveAsync(foreign), Api.RemoveAsync(theirs));
    }
}
