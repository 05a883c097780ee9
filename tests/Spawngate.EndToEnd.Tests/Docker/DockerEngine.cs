using System.Diagnostics;
using System.Globalization;
using System.Net;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>
/// A real Docker engine that shares nothing with another one on this machine (<c>engine.sh</c> says how). It may be killed and started
/// again; when it is disposed, or this process ends in whatever way, everything that it made goes with it.
/// </summary>
internal sealed class DockerEngine : IAsyncDisposable
{
    /// <summary>Set to 1 where an engine must be there: its absence fails the tests then, instead of skipping them.</summary>
    private const string RequiredVariable = "SPAWNGATE_REQUIRE_DOCKER";

    private readonly Process _script;
    private readonly LineLog<string> _events = new(line => line);
    private readonly LineLog<string> _log = new(line => line);
    private readonly Task _logEnd;

    private DockerEngine(string folder, Process script)
    {
        Folder = folder;
        _script = script;
        _ = _events.ReadAsync(script.StandardOutput.BaseStream);
        _logEnd = _log.ReadAsync(script.StandardError.BaseStream);
        Api = new DockerApi(Socket);
        Images = new DockerImages(Api);
    }

    /// <summary>Where the engine keeps everything.</summary>
    public string Folder { get; }

    /// <summary>Path of its socket.</summary>
    public string Socket => Path.Combine(Folder, "docker.sock");

    /// <summary>The value of <c>docker_host</c>.</summary>
    public string Host => "unix://" + Socket;

    /// <summary>Address by which containers on the default bridge reach this machine.</summary>
    public IPAddress Gateway { get; private set; } = IPAddress.None;

    /// <summary>Process id of dockerd.</summary>
    public int Pid { get; private set; }

    /// <summary>The tests' own client, which shares no code with the product's.</summary>
    public DockerApi Api { get; }

    /// <summary>The images of the tests, made when they are first asked for.</summary>
    public DockerImages Images { get; }

    /// <summary>True once it has been disposed.</summary>
    public bool Ended { get; private set; }

    /// <summary>All that the engine has logged.</summary>
    public string LogText => string.Join('\n', _log.Lines);

    /// <summary>
    /// Starts an engine. Where that is impossible the test is skipped with the reason, or fails if an engine is required.
    /// </summary>
    public static async Task<DockerEngine> StartNewAsync(params string[] arguments)
    {
        if (ReasonAgainst() is { } reason)
        {
            Without(reason);
        }

        string folder = Directory.CreateTempSubdirectory("spawngate-engine-").FullName;
        var info = new ProcessStartInfo(
            Path.Combine(Executables.Repository, "tests/Spawngate.EndToEnd.Tests/Docker/engine.sh"),
            [folder, .. arguments]
        )
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var engine = new DockerEngine(folder, Process.Start(info)!);
        try
        {
            string network = await engine
                ._events.FirstAsync(line => line.StartsWith("network ", StringComparison.Ordinal))
                .InTimeAsync("a network for the engine");
            engine.Gateway = IPAddress.Parse(network.Split(' ')[1]);
            await engine.StartAsync();
        }
        catch (Exception error) when (error is TimeoutException or EndOfStreamException or InvalidOperationException)
        {
            await engine.DisposeAsync();
            Without($"a Docker engine does not run here: {error.Message}");
        }

        return engine;
    }

    /// <summary>Skips the test for want of an engine, or fails it where one is required.</summary>
    public static void Without(string reason)
    {
        if (Environment.GetEnvironmentVariable(RequiredVariable) == "1")
        {
            Assert.Fail($"{RequiredVariable}=1, but {reason}");
        }

        Assert.Ignore(reason);
    }

    /// <summary>Starts dockerd, again if it has ended, and waits until it serves.</summary>
    public async Task StartAsync()
    {
        int events = _events.Lines.Count,
            logged = _log.Lines.Count;
        await _script.StandardInput.WriteLineAsync("start");
        await _script.StandardInput.FlushAsync();
        string started = await _events
            .FromAsync(events, line => line.StartsWith("started ", StringComparison.Ordinal))
            .InTimeAsync("start of dockerd");
        Pid = int.Parse(started.Split(' ')[1], CultureInfo.InvariantCulture);
        Task<string> ended = _events.FromAsync(events, line => line.StartsWith("ended ", StringComparison.Ordinal));
        Task<string> serves = _log.FromAsync(logged, line => line.Contains("API listen on", StringComparison.Ordinal));
        if (await Task.WhenAny(serves, ended).InTimeAsync("the engine serves") == ended)
        {
            throw new InvalidOperationException($"dockerd {await ended}\n{string.Join('\n', _log.Lines.TakeLast(5))}");
        }
    }

    /// <summary>Kills dockerd with SIGKILL and waits for its end; its containers run on until it is started again.</summary>
    public Task KillAsync() => EndAsync(ProcessScan.Kill);

    /// <summary>Stops dockerd with SIGTERM, which stops its containers, and waits for its end.</summary>
    public Task StopAsync() => EndAsync(ProcessScan.Term);

    /// <summary>Stops dockerd for a while (SIGSTOP): it accepts connections and answers nothing.</summary>
    public Task FreezeAsync() => ProcessScan.FreezeAsync(Pid);

    /// <summary>Lets a frozen dockerd go on.</summary>
    public void Thaw() => ProcessScan.Signal(Pid, ProcessScan.Continue);

    /// <summary>Ends it with all that it made, which may have happened already.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Ended)
        {
            return;
        }

        Ended = true;
        Api.Dispose();
        Thaw();
        _script.StandardInput.Close();
        await _script.WaitForExitAsync().InTimeAsync("end of the engine", 2 * Patience.Default);
        await _logEnd.InTimeAsync("end of the engine's log");
        _script.Dispose();
        Assert.That(Directory.Exists(Folder), Is.False, () => $"left behind: {Folder}\n{LogText}");
    }

    private async Task EndAsync(int signal)
    {
        int events = _events.Lines.Count;
        ProcessScan.Signal(Pid, signal);
        await _events
            .FromAsync(events, line => line.StartsWith("ended ", StringComparison.Ordinal))
            .InTimeAsync("end of dockerd", 2 * Patience.Default);
    }

    private static string? ReasonAgainst()
    {
        if (Executables.Find("dockerd") is null)
        {
            return "dockerd is not installed";
        }

        return Environment.IsPrivilegedProcess ? null : "dockerd needs root";
    }
}
