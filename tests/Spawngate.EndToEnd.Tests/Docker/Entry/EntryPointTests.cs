using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker.Entry;

/// <summary>Spawngate as the first process of a container that holds nothing else.</summary>
[TestFixture]
internal sealed class EntryPointTests : EntryTest
{
    [Test]
    public async Task An_image_of_the_executable_alone_starts_a_backend_and_forwards()
    {
        string image = await SpawngateImage.ScratchAsync(Engine);
        GatewayContainer container = await RunAsync(image, $"[backends.'{Host}']\n{Hello}");

        RawResponse response = await container.RequestAsync(Host, "/");

        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        Assert.That(response.Text, Does.StartWith("Hello!"));
        Assert.That((await container.LogsAsync("Backend is ready")).Field("hostname"), Is.EqualTo(Host));
        Assert.That(
            await CommandsAsync(container),
            Is.EqualTo(["/spawngate", "/spawngate hello"]),
            "no guard: the kernel ends the others with the first process"
        );
        Assert.That(await container.StopAsync(), Is.Zero);
        Assert.That(await container.StopMsAsync(), Is.LessThan(StopMsMax));
    }

    [Test]
    public async Task The_image_is_small_and_quick()
    {
        string image = await SpawngateImage.ScratchAsync(Engine);
        long bytes = (await Api.GetAsync($"/images/{image}/json")).GetProperty("Size").GetInt64();
        await Figures.NoteAsync($"{bytes / 1e6:F1} MB image");
        Assert.That(bytes, Is.LessThanOrEqualTo(26_000_000));

        var times = new List<double>();
        for (int i = 0; i < 5; i++)
        {
            GatewayContainer container = await CreateAsync(image, $"[backends.'{Host}']\n{Hello}");
            long asked = Stopwatch.GetTimestamp();
            await container.StartAsync();
            await container.ServesAsync();
            Assert.That((await container.RequestAsync(Host, "/")).Status, Is.EqualTo(200));
            times.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
            await Api.RemoveAsync(container.Name);
        }

        await Figures.NoteAsync("ms from the start of a container to its first answer, by a backend that did not run", times);
    }

    [Test]
    public async Task Reload_by_docker_kill()
    {
        string other = $"other-{Id}.test";
        GatewayContainer container = await RunAsync(await SpawngateImage.ScratchAsync(Engine), $"[backends.'{Host}']\n{Hello}");
        Assert.That((await container.RequestAsync(other, "/")).Status, Is.EqualTo(404));

        Configure($"[backends.'{Host}']\n{Hello}[backends.'{other}']\n{Hello}");
        await Api.KillAsync(container.Name, "HUP");

        await container.LogsAsync("Configuration reloaded successfully");
        Assert.That((await container.RequestAsync(other, "/")).Status, Is.EqualTo(200));
        Configure("[server]\nprot = 80\n");
        await Api.KillAsync(container.Name, "HUP");
        await container.LogsAsync("server.prot");
        Assert.That((await container.RequestAsync(other, "/")).Status, Is.EqualTo(200), "a file with errors changes nothing");
    }

    [TestCase("[server]\nprot = 80\n", "config.toml:2:1: server.prot: found a key that is unknown")]
    [TestCase(null, "config.toml:1:1: found no such file")]
    public async Task A_bad_configuration_ends_the_container_with_2_and_the_reason(string? config, string reason)
    {
        GatewayContainer container = await CreateAsync(await SpawngateImage.ScratchAsync(Engine), config ?? "");
        if (config is null)
        {
            File.Delete(Path.Combine(ConfigFolder, "config.toml"));
        }

        await container.StartAsync();
        Assert.That(await container.ExitAsync(), Is.EqualTo(2));
        Assert.That((await Api.OutputAsync(container.Name)).Error, Does.StartWith(reason));
    }

    [Test]
    public async Task Other_subcommands_are_arguments_of_the_container()
    {
        GatewayContainer container = await CreateAsync(
            await SpawngateImage.ScratchAsync(Engine),
            $"[backends.'{Host}']\n{Hello}",
            arguments: ["check"]
        );
        await container.StartAsync();
        Assert.That(await container.ExitAsync(), Is.Zero);
        Assert.That((await Api.OutputAsync(container.Name)).Out, Does.Contain(Host));
    }

    private async Task<List<string>> CommandsAsync(GatewayContainer container) =>
        [
            .. (await Api.GetAsync($"/containers/{container.Name}/top?ps_args=-o%20pid,args"))
                .GetProperty("Processes")
                .EnumerateArray()
                .Select(each => each[1].GetString()!),
        ];
}
