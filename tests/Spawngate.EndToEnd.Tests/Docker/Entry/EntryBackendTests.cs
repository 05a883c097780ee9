using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker.Entry;

/// <summary>Spawngate as the entry point of somebody's image, with their programs as its backends.</summary>
[TestFixture]
internal sealed class EntryBackendTests : EntryTest
{
    [Test]
    public async Task A_stop_of_the_container_asks_every_process_to_end()
    {
        string second = $"second-{Id}.test";
        string withDaemon = Shell("""(setsid sh -c '"$0" --mode=sleep --name=daemon & exit 0' "$0" &); exec "$0" --name=first""");
        GatewayContainer container = await RunAsync(
            await SpawngateImage.WithBackendsAsync(Engine),
            $"[backends.'{Host}']\n{withDaemon}[backends.'{second}']\n{Shell("\"$0\" --name=second; exit $?")}"
        );
        Assert.That((await container.RequestAsync(Host, "/")).Status, Is.EqualTo(200));
        Assert.That((await container.RequestAsync(second, "/")).Status, Is.EqualTo(200));
        BackendProcess[] processes =
        [
            await Containers.StartAsync("first"),
            await Containers.StartAsync("second"),
            await Containers.StartAsync("daemon"),
        ];

        Assert.That(await container.StopAsync(), Is.Zero);

        foreach (BackendProcess process in processes)
        {
            await process.ToldAsync("sigterm");
            await process.ExitedInTimeAsync();
        }

        Assert.That(await container.StopMsAsync(), Is.LessThan(StopMsMax));
    }

    [Test]
    public async Task A_request_in_flight_is_finished_by_a_stop()
    {
        GatewayContainer container = await RunAsync(
            await SpawngateImage.WithBackendsAsync(Engine),
            $"[backends.'{Host}']\n{Shell("exec \"$0\"")}"
        );
        Task<RawResponse> answer = container.RequestAsync(Host, "/hold?key=a");
        BackendProcess backend = await Containers.StartAsync();
        await backend.ToldAsync("hold a");

        Task<int> stop = container.StopAsync();
        await container.LogsAsync("Stopping");
        await backend.DoAsync("release a");

        RawResponse response = await answer;
        Assert.That((response.Status, response.Closes), Is.EqualTo((200, true)), response.Text);
        Assert.That(await stop, Is.Zero);
    }

    [Test]
    public async Task Orphans_that_are_nobodys_are_reaped()
    {
        // Without the environment of its backend a daemon cannot be told from a stranger's: it is left to itself until it ends.
        string script =
            $"""(setsid sh -c 'env -i "$0" --mode=sleep --name=stranger --control={ControlAddress} & exit 0' "$0" &); exec "$0" --name=backend""";
        GatewayContainer container = await RunAsync(
            await SpawngateImage.WithBackendsAsync(Engine),
            $"[backends.'{Host}']\n{Shell(script)}"
        );
        Assert.That((await container.RequestAsync(Host, "/")).Status, Is.EqualTo(200));
        BackendProcess stranger = await Containers.StartAsync("stranger");
        Assert.That(
            ProcessScan.ChildrenOf(container.Pid),
            Has.Count.EqualTo(2),
            "the backend, and the orphan that the first process has got"
        );

        await stranger.SendAsync("exit 3");

        await stranger.ExitedInTimeAsync();
        List<(int Pid, char State)> children = ProcessScan.ChildrenOf(container.Pid);
        using var look = new PeriodicTimer(Patience.Look);
        for (int looks = 0; children.Count > 1 && looks < 500; looks++)
        {
            await look.WaitForNextTickAsync();
            children = ProcessScan.ChildrenOf(container.Pid);
        }

        Assert.That(children, Has.Count.EqualTo(1), "no zombie");
        Assert.That((await container.RequestAsync(Host, "/")).Status, Is.EqualTo(200));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task Nothing_outlives_a_killed_gateway(bool init)
    {
        string script = """(setsid sh -c '"$0" --mode=sleep --name=daemon --ignore-sigterm & exit 0' "$0" &); exec "$0" --name=backend""";
        GatewayContainer container = await RunAsync(
            await SpawngateImage.WithBackendsAsync(Engine),
            $"[backends.'{Host}']\n{Shell(script)}",
            init
        );
        Assert.That((await container.RequestAsync(Host, "/")).Status, Is.EqualTo(200));
        BackendProcess backend = await Containers.StartAsync("backend");
        BackendProcess daemon = await Containers.StartAsync("daemon");
        int gateway = init ? ProcessScan.ChildrenOf(container.Pid).Single().Pid : container.Pid;
        Assert.That(ProcessScan.ChildrenOf(gateway).Count(child => ProcessScan.IsGuard(child.Pid)), Is.EqualTo(init ? 1 : 0));

        ProcessScan.Signal(gateway, ProcessScan.Kill);

        await backend.ExitedInTimeAsync();
        await daemon.ExitedInTimeAsync();
        Assert.That(await container.ExitAsync(), Is.EqualTo(137));
    }

    [Test]
    public async Task A_guard_works_in_a_container()
    {
        // The first process is a shell here, and lives on when its gateway is killed: it is the guard that ends the backend then.
        GatewayContainer container = await CreateAsync(
            await ShellImageAsync(),
            $"[backends.'{Host}']\n{Shell("exec \"$0\" --name=backend")}"
        );
        await container.StartAsync();
        await container.ServesAsync();
        Assert.That((await container.RequestAsync(Host, "/")).Status, Is.EqualTo(200));
        BackendProcess backend = await Containers.StartAsync("backend");
        int gateway = ProcessScan.ChildrenOf(container.Pid).Single().Pid;

        ProcessScan.Signal(gateway, ProcessScan.Kill);

        await backend.ToldAsync("sigterm");
        await backend.ExitedInTimeAsync();
        await container.LogsAsync("What the gateway had started has ended");
        await Api.KillAsync(container.Name);
    }

    private async Task<string> ShellImageAsync()
    {
        string below = await SpawngateImage.WithBackendsAsync(Engine);
        return await Engine.Images.OnceAsync("spawngate-test/shell:1", name =>
            Api.BuildAsync(
                name,
                new ImageFiles()
                    .Text("Dockerfile", $"FROM {below}\nENTRYPOINT [\"/bin/sh\", \"-c\", \"/spawngate; exec /bin/sleep 1000\"]\n")
                    .ToTar()
            )
        );
    }
}
