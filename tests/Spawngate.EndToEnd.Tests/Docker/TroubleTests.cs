using System.Net.Sockets;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>Errors that a person can act on.</summary>
[TestFixture]
internal sealed class TroubleTests : ContainerTest
{
    [Test]
    public async Task A_name_that_is_taken_by_somebody_else_is_an_error_and_that_container_lives_on()
    {
        string image = await Engine.Images.BusyboxAsync();
        string foreign = await Api.RunAsync(
            Container,
            new
            {
                Image = image,
                Cmd = new[] { "sleep", "1000" },
                StopTimeout = 0,
            }
        );
        GatewayProcess gateway = await GatewayAsync();

        Assert.That(
            await FailureAsync(gateway),
            Is.EqualTo(
                $"container name {Container} is taken by container {foreign[..12]} of image {image}, which was not created by "
                    + "Spawngate: remove it, or set container_name"
            )
        );

        JsonElement state = (await Api.InspectAsync(foreign)).GetProperty("State");
        Assert.That(state.GetProperty("Running").GetBoolean());
        await Api.RemoveAsync(foreign);
        await ServesAsync(gateway);
    }

    [Test]
    public async Task A_fixed_port_that_is_taken_is_named()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        taken.Listen();
        int port = ((System.Net.IPEndPoint)taken.LocalEndPoint!).Port;
        string[] lines =
        [
            .. (await BusyboxAsync("sleep", "1000")).Where(line => line != "port = 3000"),
            $"port = {port}",
            "network = \"host\"",
        ];
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Backend(Host, lines));

        Assert.That(await FailureAsync(gateway), Does.StartWith($"port {port} is in use by another program"));
    }

    [Test]
    public async Task What_the_engine_refuses_to_start_says_why_and_is_removed()
    {
        string network = $"nowhere-{Id}.test";
        string program = $"program-{Id}.test";
        string engine = $"engine-{Id}.test";
        string noSocket = Path.Combine(Scene.Folder, "none.sock");
        string[] elsewhere =
        [
            .. (await BusyboxAsync("true")).Where(line => !line.StartsWith("docker_host", StringComparison.Ordinal)),
            $"docker_host = \"unix://{noSocket}\"",
        ];
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Backend(network, [.. await BusyboxAsync("true"), "network = \"no-such-network\""])
                .Backend(program, [.. await BusyboxAsync("/no/such/program"), "init = false"])
                .Backend(engine, elsewhere)
        );

        Assert.That(
            await FailureAsync(gateway, network),
            Does.StartWith($"container spawngate-{network} cannot be ").And.Contain("network no-such-network not found")
        );
        Assert.That(
            await FailureAsync(gateway, program),
            Does.StartWith($"container spawngate-{program} cannot be started: POST /containers/").And.Contain("no such file or directory")
        );
        Assert.That(
            await FailureAsync(gateway, engine),
            Is.EqualTo($"the Docker engine at unix://{noSocket} (docker_host) does not answer: no such file")
        );
        Assert.That(await MineAsync(), Is.Empty);
    }

    /// <summary>
    /// SIGSTOP: it accepts connections and says nothing. What runs is served on; what is to start fails in its time, and leaves nothing
    /// when the engine wakes up.
    /// </summary>
    [Test]
    public async Task An_engine_that_hangs_hangs_nobody_who_does_not_need_it()
    {
        DockerEngine own = await OwnEngineAsync();
        string other = $"other-{Id}.test";
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Backend(Host, await BackendAsync([], ["shutdown_grace_period_secs = 1"], own))
                .Backend(other, await BackendAsync([], ["startup_timeout_secs = 2"], own))
        );
        await ServesAsync(gateway);

        await own.FreezeAsync();
        try
        {
            await ServesAsync(gateway);
            Assert.That(await FailureAsync(gateway, other), Is.EqualTo("not ready within 2 s (waiting for the Docker engine to answer)"));
            await ServesAsync(gateway);
        }
        finally
        {
            own.Thaw();
        }

        await GoneAsync(own.Api, $"spawngate-{other}");
        await gateway.UntilAsync("it starts", async () => (await RawClient.RequestAsync(gateway.Port, other, "/")).Status == 200);
        Assert.That(await own.Api.NamesAsync(), Is.EquivalentTo(new[] { Container, $"spawngate-{other}" }));
    }

    [Test]
    public async Task An_engine_that_listens_on_TCP_is_one_like_any_other()
    {
        string address = $"tcp://127.0.0.1:{FreePort()}";
        DockerEngine own = await OwnEngineAsync("--host", address);
        string unix = $"docker_host = \"{own.Host}\"";
        string[] lines =
        [
            .. (await BackendAsync([], ["shutdown_grace_period_secs = 1"], own)).Where(line => line != unix),
            $"docker_host = \"{address}\"",
        ];
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Backend(Host, lines));
        await ServesAsync(gateway);

        await own.Api.KillAsync(Container);
        await gateway.LogsAsync("Backend exited by itself");
        await ServesAsync(gateway);
        gateway.Signal(ProcessScan.Kill);
        await GoneAsync(own.Api, Container);
        await gateway.ExitAsync();
    }

    /// <summary>For a program that cannot choose one itself.</summary>
    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        return ((System.Net.IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
