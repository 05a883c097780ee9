using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>A test with a gateway whose backend at <see cref="DockerTest.Host"/> is a TestBackend in a container.</summary>
internal abstract class ContainerTest : DockerTest
{
    /// <summary>Name of that container.</summary>
    protected string Container => $"spawngate-{Host}";

    /// <summary>A configuration with that backend.</summary>
    /// <param name="args">TestBackend's arguments.</param>
    /// <param name="lines">Further lines of the backend's table.</param>
    protected async Task<ConfigFile> ConfigAsync(string[]? args = null, params string[] lines) =>
        new ConfigFile().Defaults("shutdown_grace_period_secs = 5").Backend(Host, await BackendAsync(args ?? [], lines));

    /// <summary>A gateway with that backend.</summary>
    protected async Task<GatewayProcess> GatewayAsync(string[]? args = null, params string[] lines) =>
        await Scene.GatewayAsync(await ConfigAsync(args, lines));

    /// <summary>Lines of a backend that runs a command in busybox.</summary>
    protected async Task<string[]> BusyboxAsync(params string[] args) =>
        [
            "type = \"docker\"",
            $"image = \"{await Engine.Images.BusyboxAsync()}\"",
            $"docker_host = \"{Engine.Host}\"",
            "port = 3000",
            $"args = [{string.Join(", ", args.Select(ConfigFile.Quote))}]",
        ];

    /// <summary>Asks the backend.</summary>
    protected Task<RawResponse> AskAsync(GatewayProcess gateway, string target = "/") => RawClient.RequestAsync(gateway.Port, Host, target);

    /// <summary>Asks the backend, which must answer with 200.</summary>
    protected async Task ServesAsync(GatewayProcess gateway, string target = "/")
    {
        RawResponse response = await AskAsync(gateway, target);
        Assert.That(response.Status, Is.EqualTo(200), () => response.Text + "\n" + gateway.LogText);
    }

    /// <summary>Asks the backend, which must fail to start, and returns the reason that the admin API gives.</summary>
    protected async Task<string> FailureAsync(GatewayProcess gateway, string? host = null)
    {
        RawResponse response = await RawClient.RequestAsync(gateway.Port, host ?? Host, "/");
        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((503, "BACKEND_START_FAILED")), () => gateway.LogText);
        return (await gateway.Admin.BackendAsync(host ?? Host)).GetProperty("last_failure").GetString()!;
    }

    /// <summary>Waits until an engine has no container of a name; looks again every moment.</summary>
    protected static async Task GoneAsync(DockerApi api, string name, TimeSpan? limit = null)
    {
        long began = Stopwatch.GetTimestamp();
        while (await api.FindAsync(name) is not null)
        {
            Assert.That(Stopwatch.GetElapsedTime(began), Is.LessThan(limit ?? Patience.Default), $"{name} is still there");
            await new TaskCompletionSource().Task.StaysOpenAsync(Patience.Look);
        }
    }

    /// <summary>The id of the running container.</summary>
    protected async Task<string> ContainerIdAsync() => (await Api.InspectAsync(Container)).GetProperty("Id").GetString()!;

    /// <summary>A number in what <c>inspect</c> says of a container's host settings.</summary>
    protected async Task<long> HostSettingAsync(string container, string name) =>
        (await Api.InspectAsync(container)).GetProperty("HostConfig").GetProperty(name).GetInt64();

    /// <summary>Waits until the container has been stopped and removed.</summary>
    protected async Task StoppedAsync(GatewayProcess gateway)
    {
        await gateway.UntilStateAsync(Host, "stopped");
        await GoneAsync(Api, Container);
    }
}
