using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker.Entry;

/// <summary>Spawngate in a container that is given the engine's socket, with other containers as its backends.</summary>
[TestFixture]
internal sealed class EntryDockerTests : EntryTest
{
    private const string SocketInside = "/var/run/docker.sock";

    [Test]
    public async Task Containers_are_started_and_stopped_from_within_a_container()
    {
        string image = await SpawngateImage.ScratchAsync(Engine);
        (int port, int adminPort) = (Ports.Free(), Ports.Free());
        string[] backend =
        [
            "type = \"docker\"",
            $"image = \"{await Engine.Images.BackendAsync()}\"",
            "port = 3000",
            "pull_policy = \"never\"",
            $"env = {{ TESTBACKEND_CONTROL = \"{ControlAddress}\" }}",
        ];
        Configure($"[server]\nport = {port}\nadmin_port = {adminPort}\n[backends.'{Host}']\n{string.Join('\n', backend)}\n");
        GatewayContainer container = Add(
            await GatewayContainer.CreateAsync(
                Api,
                $"entry-{Id}",
                new
                {
                    Image = image,
                    User = "0:0",
                    HostConfig = new
                    {
                        // Backends are published on the machine's loopback, which is the gateway's own only in the machine's network.
                        NetworkMode = "host",
                        ReadonlyRootfs = true,
                        CapDrop = new[] { "ALL" },
                        Binds = new[] { $"{ConfigFolder}:/etc/spawngate:ro", $"{Engine.Socket}:{SocketInside}" },
                    },
                },
                port
            )
        );
        await container.StartAsync();
        await container.ServesAsync();

        RawResponse response = await container.RequestAsync(Host, "/");

        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        BackendProcess process = await Containers.StartAsync();
        Assert.That((await container.LogsAsync("Docker engine answers")).Field("engine"), Is.EqualTo("unix://" + SocketInside));
        Assert.That(await MineAsync(), Has.Count.EqualTo(2), "the gateway and its backend");
        Assert.That(await container.StopAsync(), Is.Zero);
        await process.ToldAsync("sigterm");
        await process.ExitedInTimeAsync();
        Assert.That(await MineAsync(), Is.EqualTo([container.Name]), "the gateway has removed its backend");
    }
}
