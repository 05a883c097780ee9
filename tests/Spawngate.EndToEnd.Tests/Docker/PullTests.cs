using System.Text;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>Three policies with the registry up, down, and without the image.</summary>
[TestFixture]
internal sealed class PullTests : ContainerTest
{
    private string _image = "";

    [Test]
    public async Task Each_policy_does_what_it_says_with_the_registry_up_and_down()
    {
        await using Registry registry = await Registry.StartNewAsync();
        _image = await registry.PutAsync(Api, await Engine.Images.BackendAsync(), $"app-{Id}:1");
        GatewayProcess gateway = await Scene.GatewayAsync(Backends("never", "if-not-present", "always"));

        Assert.That(await FailureAsync(gateway, Of("never")), Is.EqualTo($"image {_image} is not on the engine, and pull_policy is never"));
        Assert.That(await PullsAsync(gateway, "if-not-present"), Is.EqualTo(1), "it was not there");
        Assert.That(await PullsAsync(gateway, "if-not-present"), Is.Zero, "it was");
        Assert.That(await PullsAsync(gateway, "always"), Is.EqualTo(1), "although it was there");
        Assert.That(await PullsAsync(gateway, "never"), Is.Zero);
        Assert.That(gateway.LogText, Does.Contain($"image=\"{_image}\" Image pulled after"));

        await registry.StopAsync();
        Assert.That(await PullsAsync(gateway, "if-not-present"), Is.Zero, "nobody is asked for what is there");
        Assert.That(await PullsAsync(gateway, "never"), Is.Zero);
        Assert.That(
            await FailureAsync(gateway, Of("always")),
            Does.StartWith($"image {_image} cannot be pulled: the registry cannot be reached (")
        );
        await Api.RemoveImageAsync(_image);
        Assert.That(
            await FailureAsync(gateway, Of("if-not-present")),
            Does.StartWith($"image {_image} cannot be pulled: the registry cannot be reached (")
        );
    }

    [Test]
    public async Task An_unknown_image_and_a_missing_login_are_told_apart_and_a_login_is_used()
    {
        await using Registry registry = await Registry.StartNewAsync();
        await using Registry closed = await Registry.StartNewAsync(asksForLogin: true);
        string busybox = await Engine.Images.BackendAsync();
        await registry.PutAsync(Api, busybox, $"app-{Id}:1");
        string secret = await closed.PutAsync(Api, busybox, $"app-{Id}:1");
        string login = Convert.ToBase64String(Encoding.UTF8.GetBytes("tester:secret"));
        string folder = Scene.NewFolder("docker-config");
        (string Name, string Image)[] images =
        [
            ("tag", registry.Name($"app-{Id}:2")),
            ("name", registry.Name("nobody-has-this:1")),
            ("login", secret),
            ("words", "NotAReference:1"),
        ];
        var config = new ConfigFile();
        foreach ((string name, string image) in images)
        {
            config.Backend($"{name}-{Id}.test", Lines(image, "if-not-present"));
        }

        GatewayProcess gateway = await Scene.GatewayAsync(config, ("DOCKER_CONFIG", folder));
        Assert.That(
            await FailureAsync(gateway, $"tag-{Id}.test"),
            Does.Contain("cannot be pulled: the image is unknown to the registry (")
        );
        Assert.That(
            await FailureAsync(gateway, $"name-{Id}.test"),
            Does.Contain("cannot be pulled: the image is unknown to the registry (")
        );
        Assert.That(await FailureAsync(gateway, $"login-{Id}.test"), Does.Contain("cannot be pulled: the registry needs a login ("));
        Assert.That(await FailureAsync(gateway, $"words-{Id}.test"), Does.Contain("invalid reference format"));

        await File.WriteAllTextAsync(
            Path.Combine(folder, "config.json"),
            $$"""{"auths":{"127.0.0.1:{{closed.Port}}":{"auth":"{{login}}"} } }"""
        );
        Assert.That((await RawClient.RequestAsync(gateway.Port, $"login-{Id}.test", "/")).Status, Is.EqualTo(200), () => gateway.LogText);
        await gateway.Admin.PostAsync($"/backends/login-{Id}.test/stop");
        await GoneAsync(Api, $"spawngate-login-{Id}.test");
        await Api.RemoveImageAsync(secret);
    }

    private static string Of(string policy) => $"{policy}-policy.test";

    private ConfigFile Backends(params string[] policies)
    {
        var config = new ConfigFile();
        foreach (string policy in policies)
        {
            config.Backend(Of(policy), [.. Lines(_image, policy), $"container_name = \"{policy}-{Id}\""]);
        }

        return config;
    }

    private string[] Lines(string image, string policy) =>
        ["type = \"docker\"", $"image = \"{image}\"", $"docker_host = \"{Engine.Host}\"", "port = 3000", $"pull_policy = \"{policy}\""];

    /// <summary>Starts and stops a backend; how often its image was pulled for that.</summary>
    private async Task<int> PullsAsync(GatewayProcess gateway, string policy)
    {
        int before = Pulls();
        Assert.That((await RawClient.RequestAsync(gateway.Port, Of(policy), "/")).Status, Is.EqualTo(200), () => gateway.LogText);
        await gateway.Admin.PostAsync($"/backends/{Of(policy)}/stop");
        await gateway.UntilStateAsync(Of(policy), "stopped");
        await GoneAsync(Api, $"{policy}-{Id}");
        return Pulls() - before;

        int Pulls() => gateway.Log.Lines.Count(line => line.Message.EndsWith("Pulling the image", StringComparison.Ordinal));
    }
}
