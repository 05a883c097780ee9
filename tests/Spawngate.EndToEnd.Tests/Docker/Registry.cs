using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>A registry for pulls and pushes on a port of its own, with storage that outlives its stop and start.</summary>
internal sealed class Registry : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("spawngate-registry-").FullName;
    private readonly bool _asksForLogin;
    private Process? _process;
    private Task _logEnd = Task.CompletedTask;

    private Registry(bool asksForLogin) => _asksForLogin = asksForLogin;

    /// <summary>User and password of a registry that asks for a login, as <c>X-Registry-Auth</c> wants them.</summary>
    public static string Credentials { get; } =
        Convert.ToBase64String("""{"username":"tester","password":"secret"}"""u8).Replace('+', '-').Replace('/', '_');

    /// <summary>Port on 127.0.0.1.</summary>
    public int Port { get; } = Ports.Free();

    /// <summary>
    /// Starts a registry. The test is skipped, or fails if an engine is required, where <c>docker-registry</c> is not installed.
    /// </summary>
    public static async Task<Registry> StartNewAsync(bool asksForLogin = false)
    {
        if (Executables.Find("docker-registry") is null)
        {
            DockerEngine.Without("docker-registry is not installed");
        }

        var registry = new Registry(asksForLogin);
        await registry.StartAsync();
        return registry;
    }

    /// <summary>Name of an image in this registry.</summary>
    public string Name(string image) => $"127.0.0.1:{Port}/{image}";

    /// <summary>
    /// Puts a copy of an engine's image into the registry, under this name, and takes the name away from the engine again.
    /// </summary>
    public async Task<string> PutAsync(DockerApi api, string source, string image)
    {
        string name = Name(image);
        await api.TagAsync(source, name);
        await api.PushAsync(name, _asksForLogin ? Credentials : null);
        await api.RemoveImageAsync(name);
        return name;
    }

    /// <summary>Starts it, again if it was stopped, and waits until it serves.</summary>
    public async Task StartAsync()
    {
        string config = Path.Combine(_folder, "config.yml");
        string auth = "";
        if (_asksForLogin)
        {
            // The bcrypt hash of "secret".
            string users = Path.Combine(_folder, "users");
            await File.WriteAllTextAsync(users, "tester:$2b$05$NYf8.6XpNxmKSoSaEEhPG.6A4mm6RATQmwYBiF3NXNaG4rGysHI7q\n");
            auth = $"auth: {{htpasswd: {{realm: test, path: {users}}}}}\n";
        }

        await File.WriteAllTextAsync(
            config,
            $"version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {_folder}/data}}, delete: "
                + $"{{enabled: true}}}}\nhttp: {{addr: '127.0.0.1:{Port}'}}\n{auth}"
        );
        _process = Process.Start(
            new ProcessStartInfo("docker-registry", ["serve", config]) { RedirectStandardError = true, RedirectStandardOutput = true }
        )!;
        var log = new LineLog<string>(line => line);
        _logEnd = Task.WhenAll(
            log.ReadAsync(_process.StandardError.BaseStream),
            new LineLog<string>(line => line).ReadAsync(_process.StandardOutput.BaseStream)
        );
        await log.FirstAsync(line => line.Contains("listening on", StringComparison.Ordinal)).InTimeAsync("the registry serves");
    }

    /// <summary>Ends it; its port refuses connections then.</summary>
    public async Task StopAsync()
    {
        if (_process is { } process)
        {
            process.Kill();
            await process.WaitForExitAsync().InTimeAsync("end of the registry");
            await _logEnd.InTimeAsync("end of the registry's log");
            process.Dispose();
            _process = null;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
