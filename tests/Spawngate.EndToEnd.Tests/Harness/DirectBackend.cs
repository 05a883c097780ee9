using System.Diagnostics;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>
/// A TestBackend without a gateway: the measure for times that depend on the machine and on what else runs on it. Whoever asserts a time
/// measures this beside it, in turn, and asserts the ratio.
/// </summary>
internal sealed class DirectBackend : IDisposable
{
    private readonly Process _process;

    private DirectBackend(Process process) => _process = process;

    /// <summary>Whether it is a native executable. One that needs a runtime spends its start on that: it is no measure.</summary>
    public static bool IsNative { get; } = !File.Exists(Executables.Backend + ".dll");

    /// <summary>Milliseconds from its exec to a connection that its port accepts.</summary>
    public static async Task<double> AcceptsMsAsync(Scene scene)
    {
        int port = Ports.Free();
        long started = Stopwatch.GetTimestamp();
        using DirectBackend backend = Launch(scene, "direct", port);
        await Ports.AcceptingAsync(port);
        double ms = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        await backend.KillAsync();
        return ms;
    }

    /// <summary>Milliseconds from its exec to its answer to a request that is sent as soon as it says that it listens.</summary>
    public static async Task<double> AnswersMsAsync(Scene scene)
    {
        string name = $"direct-{Guid.NewGuid():N}";
        int port = Ports.Free();
        long started = Stopwatch.GetTimestamp();
        using DirectBackend backend = Launch(scene, name, port);
        await (await scene.Control.StartAsync(name)).ToldAsync("listening");
        RawResponse response = await RawClient.RequestAsync(port, "direct.test", "/");
        double ms = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        await backend.KillAsync();
        return ms;
    }

    /// <inheritdoc/>
    public void Dispose() => _process.Dispose();

    private static DirectBackend Launch(Scene scene, string name, int port)
    {
        var info = new ProcessStartInfo(Executables.Backend, [$"--name={name}", $"--port={port}"]);
        info.Environment["DOTNET_ROOT"] = Executables.DotnetRoot;
        foreach ((string variable, string value) in scene.Environment)
        {
            info.Environment[variable] = value;
        }

        return new DirectBackend(Process.Start(info)!);
    }

    private async Task KillAsync()
    {
        ProcessScan.Signal(_process.Id, ProcessScan.Kill);
        await _process.WaitForExitAsync().InTimeAsync("exit of a backend that was killed");
    }
}
