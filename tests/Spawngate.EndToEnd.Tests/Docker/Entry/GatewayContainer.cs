using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker.Entry;

/// <summary>One container with Spawngate as its entry point.</summary>
internal sealed class GatewayContainer
{
    private readonly DockerApi _api;

    private GatewayContainer(DockerApi api, string name, int port) => (_api, Name, Port) = (api, name, port);

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Port of the proxy on this machine; 0 until it runs, if the engine chooses it.</summary>
    public int Port { get; private set; }

    /// <summary>Process id, on this machine, of the first process in the container.</summary>
    public int Pid { get; private set; }

    /// <summary>What it logs, once it runs.</summary>
    public LineLog<LogLine> Log { get; private set; } = new(LogLine.Parse);

    /// <summary>The log so far.</summary>
    public string LogText => string.Join('\n', Log.Lines.Select(line => line.Text));

    /// <summary>Creates a container without starting it.</summary>
    /// <param name="api">The engine.</param>
    /// <param name="name">Name of the container.</param>
    /// <param name="settings">The body of <c>/containers/create</c>.</param>
    /// <param name="port">Port of the proxy on this machine, if it is known beforehand.</param>
    public static async Task<GatewayContainer> CreateAsync(DockerApi api, string name, object settings, int port = 0)
    {
        await api.PostAsync($"/containers/create?name={name}", settings);
        return new GatewayContainer(api, name, port);
    }

    /// <summary>Starts it.</summary>
    public async Task StartAsync()
    {
        await _api.PostAsync($"/containers/{Name}/start");
        JsonElement container = await _api.InspectAsync(Name);
        Pid = container.GetProperty("State").GetProperty("Pid").GetInt32();
        JsonElement ports = container.GetProperty("NetworkSettings").GetProperty("Ports");
        if (ports.TryGetProperty("80/tcp", out JsonElement published) && published.ValueKind == JsonValueKind.Array)
        {
            Port = int.Parse(published[0].GetProperty("HostPort").GetString()!, CultureInfo.InvariantCulture);
        }

        Log = await _api.FollowAsync(Name, LogLine.Parse);
    }

    /// <summary>
    /// Waits until it serves, and can be reached: the engine accepts connections to a published port at once, and ends them without a byte
    /// as long as the container's network is not up, which takes seconds on a busy machine.
    /// </summary>
    public async Task ServesAsync()
    {
        await LogsAsync("Proxy is listening");
        long started = Stopwatch.GetTimestamp();
        while (!await AnswersAsync())
        {
            Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(Patience.Default), "the container cannot be reached");
        }
    }

    /// <summary>Waits for a log line that contains all the words.</summary>
    public Task<LogLine> LogsAsync(params string[] words) =>
        Log.FirstAsync(line => words.All(line.Says)).InTimeAsync($"log line with '{string.Join("', '", words)}'");

    /// <summary>One request through the published port.</summary>
    public Task<RawResponse> RequestAsync(string host, string target) => RawClient.RequestAsync(Port, host, target);

    /// <summary>Stops it as <c>docker stop</c> does, which kills it after 10 s, and returns its exit code.</summary>
    public async Task<int> StopAsync()
    {
        await _api.PostAsync($"/containers/{Name}/stop?t=10");
        return await ExitAsync();
    }

    /// <summary>Milliseconds that the gateway says its stop took.</summary>
    public async Task<double> StopMsAsync() =>
        double.Parse((await LogsAsync("Stopped", "spawngate.gateway")).Field("duration_ms")!, CultureInfo.InvariantCulture);

    /// <summary>Waits until it has ended and returns its exit code; the log is complete then.</summary>
    public async Task<int> ExitAsync() => await _api.ExitAsync(Name).InTimeAsync("end of the container");

    private async Task<bool> AnswersAsync()
    {
        try
        {
            return (await RequestAsync("nobody.invalid", "/")).Status == 404;
        }
        catch (Exception error) when (error is IncompleteMessageException or SocketException)
        {
            return false;
        }
    }
}
