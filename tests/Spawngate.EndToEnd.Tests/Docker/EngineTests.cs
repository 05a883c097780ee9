using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>What the tests with an engine stand on: that it is real, that it may be killed, and that nothing of it is left.</summary>
[TestFixture]
internal sealed class EngineTests : DockerTest
{
    [Test]
    public async Task A_TestBackend_in_a_container_reports_to_its_test()
    {
        string image = await Engine.Images.BackendAsync();
        await Api.RunAsync(
            $"plain-{Id}",
            new
            {
                Image = image,
                Cmd = new[] { "--name=inside", "--port=3000" },
                Env = new[] { "TESTBACKEND_CONTROL=" + ControlAddress },
            }
        );
        BackendProcess backend = await Containers.StartAsync("inside");
        Assert.That(backend.Pid, Is.EqualTo(1), "it is the first process of its container");
        await backend.ToldAsync("listening 3000");
        await Api.KillAsync($"plain-{Id}");
        await backend.ExitedInTimeAsync();
        Assert.That(await Api.ExitAsync($"plain-{Id}"), Is.EqualTo(137));
        await Api.RemoveAsync($"plain-{Id}");
    }

    [Test]
    public async Task A_killed_engine_starts_again_with_its_images_and_ends_with_all_of_its()
    {
        DockerEngine engine = await OwnEngineAsync();
        string image = await engine.Images.BusyboxAsync();
        string marker = $"SPAWNGATE_ENGINE_TEST={Id}";
        await engine.Api.RunAsync(
            "survivor",
            new
            {
                Image = image,
                Cmd = new[] { "sleep", "1000" },
                Env = new[] { marker },
                StopTimeout = 1,
            }
        );
        await engine.KillAsync();
        Assert.That(ProcessScan.Find(marker), Is.Not.Empty, "containers outlive a killed engine");
        await engine.StartAsync();
        Assert.That(await engine.Api.HasImageAsync(image));
        JsonElement survivor = await engine.Api.InspectAsync("survivor");
        Assert.That(survivor.GetProperty("State").GetProperty("Running").GetBoolean(), Is.False, "an engine that starts again ends them");
        await engine.Api.PostAsync("/containers/survivor/start");
        Assert.That(ProcessScan.Find(marker), Is.Not.Empty);
        await engine.DisposeAsync();
        Assert.That(ProcessScan.Find(marker), Is.Empty);
        Assert.That(await File.ReadAllTextAsync("/proc/mounts"), Does.Not.Contain(engine.Folder));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_registry_serves_what_was_put_there(bool asksForLogin)
    {
        await using Registry registry = await Registry.StartNewAsync(asksForLogin);
        string image = await registry.PutAsync(Api, await Engine.Images.BusyboxAsync(), $"box-{Id}:1");
        Assert.That(await Api.HasImageAsync(image), Is.False, "it is in the registry only");
        if (asksForLogin)
        {
            Assert.That(await RefusalAsync(image), Does.Contain("no basic auth credentials"));
        }
        else
        {
            Assert.That(await RefusalAsync(registry.Name("unknown:1")), Does.Contain("not found"));
            await Api.PullAsync(image);
            Assert.That(await Api.HasImageAsync(image));
            await Api.RemoveImageAsync(image);
        }

        await registry.StopAsync();
        Assert.That(await RefusalAsync(image), Does.Contain("connection refused"));
    }

    private async Task<string> RefusalAsync(string image)
    {
        try
        {
            await Api.PullAsync(image);
            return "pulled";
        }
        catch (DockerRefusalException refusal)
        {
            return refusal.Message;
        }
    }
}
