using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>
/// An image that was made of a container of ours carries its labels, and so does every container of that image. None of them is ours, and
/// those that are come and go as ever.
/// </summary>
[TestFixture]
internal sealed class OwnershipTests : ContainerTest
{
    private string Image => $"spawngate-test/committed-{Id}:1";

    private string Stranger => $"stranger-{Id}";

    [TearDown]
    public async Task RemoveImageAsync()
    {
        if (Engine is { Ended: false })
        {
            await Api.RemoveAsync(Stranger);
            await Api.RemoveImageAsync(Image);
        }
    }

    [Test]
    public async Task A_gateway_leaves_the_containers_of_an_image_with_its_labels_alone()
    {
        GatewayProcess gateway = await GatewayAsync();
        string stranger = await CommitAsync(gateway);

        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await StoppedAsync(gateway);
        await ServesAsync(gateway);
        gateway.Signal(ProcessScan.Term);
        Assert.That(await gateway.ExitAsync(), Is.Zero);
        await StillRunsAsync(stranger, "a stop");

        GatewayProcess next = await Scene.GatewayAsync(gateway.Config);
        LogLine left = await next.LogsAsync("left alone");
        Assert.That(
            (left.Field("container"), left.Field("reason")),
            Is.EqualTo((Stranger, $"its labels are those of a container {Container}"))
        );
        await ServesAsync(next);
        await StillRunsAsync(stranger, "the sweep of the next start");

        next.Signal(ProcessScan.Kill);
        await next.ExitAsync();
        await next.LogsAsync("spawngate.guard", "The gateway's containers have been removed");
        Assert.That(await Api.FindAsync(Container), Is.Null, "ours");
        await StillRunsAsync(stranger, "the guard");
    }

    [Test]
    public async Task The_guard_and_the_next_start_remove_a_container_of_ours_whose_image_has_our_labels_and_no_other()
    {
        GatewayProcess first = await GatewayAsync();
        string stranger = await CommitAsync(first);
        ConfigFile config = new ConfigFile { Port = first.Config.Port, AdminPort = first.Config.AdminPort }.Backend(
            Host,
            await OfImageAsync()
        );
        first.Reload(config.ToString());
        await first.LogsAsync("Configuration reloaded successfully");
        await first.Admin.PostAsync($"/backends/{Host}/restart");
        await Containers.StartAsync(index: 1);
        await ServesAsync(first);
        Assert.That((await Api.InspectAsync(Container)).GetProperty("Config").GetProperty("Image").GetString(), Is.EqualTo(Image));

        first.Signal(ProcessScan.Kill);
        await first.ExitAsync();
        await first.LogsAsync("spawngate.guard", "The gateway's containers have been removed");
        Assert.That(await Api.FindAsync(Container), Is.Null, "ours, by the guard");
        await StillRunsAsync(stranger, "the guard");

        GatewayProcess second = await Scene.GatewayAsync(config);
        await ServesAsync(second);
        await ProcessScan.FreezeAsync(second.Pid);
        Scene.Guards().ForEach(guard => ProcessScan.Signal(guard, ProcessScan.Kill));
        second.Signal(ProcessScan.Kill);
        await second.ExitAsync();
        string left = await ContainerIdAsync();

        GatewayProcess third = await Scene.GatewayAsync(config);
        Assert.That((await third.LogsAsync("Removing a container that was left over")).Field("container"), Is.EqualTo(Container));
        await ServesAsync(third);
        Assert.That(await ContainerIdAsync(), Is.Not.EqualTo(left), "ours, by the next start");
        await StillRunsAsync(stranger, "the next start");
    }

    [Test]
    public async Task A_name_that_a_container_with_our_labels_has_is_not_taken_from_it()
    {
        GatewayProcess gateway = await GatewayAsync();
        await CommitAsync(gateway);
        await Api.RemoveAsync(Stranger);
        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await StoppedAsync(gateway);
        string active = await Api.RunAsync(
            Container,
            new
            {
                Image,
                Cmd = new[] { "--name=by-hand", "--port=3000" },
                StopTimeout = 0,
            }
        );

        Assert.That(
            await FailureAsync(gateway),
            Does.StartWith($"container name {Container} is taken by container")
                .And.Contain("which was not created by this gateway although it has its labels (its labels are those of its image)")
        );
        await StillRunsAsync(active, "a start that wants its name");
        await Api.RemoveAsync(active);
    }

    /// <summary>Makes an image of the backend's container, and a container of it that is somebody else's.</summary>
    private async Task<string> CommitAsync(GatewayProcess gateway)
    {
        await ServesAsync(gateway);
        string[] name = Image.Split(':');
        await Api.PostAsync($"/commit?container={Container}&repo={name[0]}&tag={name[1]}");
        string stranger = await Api.RunAsync(
            Stranger,
            new
            {
                Image,
                Cmd = new[] { "--name=stranger", "--port=3000" },
                StopTimeout = 0,
            }
        );
        Assert.That(
            (await Api.InspectAsync(stranger)).GetProperty("Config").GetProperty("Labels").GetProperty("spawngate.instance").GetString(),
            Is.Not.Empty,
            "it inherits all labels"
        );
        return stranger;
    }

    private async Task<string[]> OfImageAsync() =>
        [.. (await BackendAsync([])).Select(line => line.StartsWith("image = ", StringComparison.Ordinal) ? $"image = \"{Image}\"" : line)];

    private async Task StillRunsAsync(string container, string after) =>
        Assert.That((await Api.FindAsync(container))?.GetProperty("State").GetProperty("Running").GetBoolean(), Is.True, $"after {after}");
}
