using System.Text;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>
/// All that one test sets up: a folder, a control listener, gateways. It ends them in an orderly way, and finds fault with
/// whatever is still running afterwards.
/// </summary>
internal sealed class Scene : IAsyncDisposable
{
    private readonly List<GatewayProcess> _gateways = [];
    private readonly string _marker = $"SPAWNGATE_TEST={Guid.NewGuid():N}";

    /// <summary>An empty scene.</summary>
    public Scene() => Strain.Watch();

    /// <summary>A folder that is removed afterwards.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("spawngate-test-").FullName;

    /// <summary>Where the TestBackends of this scene report.</summary>
    public ControlListener Control { get; } = new();

    /// <summary>Variables that every gateway of this scene, and so every backend, gets.</summary>
    public Dictionary<string, string> Environment
    {
        get
        {
            string[] marker = _marker.Split('=');
            return new Dictionary<string, string> { [marker[0]] = marker[1], ["TESTBACKEND_CONTROL"] = $"{Control.Port}" };
        }
    }

    /// <summary>Starts a gateway and waits until it serves.</summary>
    public async Task<GatewayProcess> GatewayAsync(ConfigFile config, params (string Name, string Value)[] environment)
    {
        GatewayProcess gateway = Launch(config, environment);
        await gateway.ServesAsync();
        return gateway;
    }

    /// <summary>Starts a gateway without waiting for anything.</summary>
    public GatewayProcess Launch(ConfigFile config, params (string Name, string Value)[] environment)
    {
        Dictionary<string, string> variables = Environment;
        Array.ForEach(environment, each => variables[each.Name] = each.Value);
        GatewayProcess gateway = GatewayProcess.Launch(config, Folder, variables);
        _gateways.Add(gateway);
        return gateway;
    }

    /// <summary>Starts a gateway by way of another command, without waiting for anything.</summary>
    public GatewayProcess LaunchUnder(string[] wrapper, ConfigFile config, params (string Name, string Value)[] environment)
    {
        Dictionary<string, string> variables = Environment;
        Array.ForEach(environment, each => variables[each.Name] = each.Value);
        GatewayProcess gateway = GatewayProcess.Launch(config, Folder, variables, wrapper);
        _gateways.Add(gateway);
        return gateway;
    }

    /// <summary>Starts a gateway by way of another command and waits until it serves.</summary>
    public async Task<GatewayProcess> GatewayUnderAsync(string[] wrapper, ConfigFile config)
    {
        GatewayProcess gateway = LaunchUnder(wrapper, config);
        await gateway.ServesAsync();
        return gateway;
    }

    /// <summary>Creates a folder inside the scene's.</summary>
    public string NewFolder(string name) => Directory.CreateDirectory(Path.Combine(Folder, name)).FullName;

    /// <summary>Writes a file into the scene's folder and returns its path.</summary>
    public string Write(string name, string text)
    {
        string path = Path.Combine(Folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>
    /// Processes of this scene other than its gateways and their guards. A process between its fork and its exec still has the command line
    /// of the gateway, whatever it is going to be.
    /// </summary>
    public List<int> Children()
    {
        var gateways = _gateways.Where(each => !each.HasExited).ToDictionary(each => each.Pid, each => Arguments(each.Pid));
        return
        [
            .. ProcessScan
                .Find(_marker)
                // In this order: a guard between its fork and its exec has the gateway's arguments first, and its own afterwards.
                .Where(pid => !gateways.ContainsKey(pid) && !gateways.ContainsValue(Arguments(pid)) && !ProcessScan.IsGuard(pid)),
        ];

        static string Arguments(int pid) => ProcessScan.CommandLine(pid)[$"{pid} ".Length..];
    }

    /// <summary>The guards of this scene's gateways.</summary>
    public List<int> Guards() => [.. ProcessScan.Find(_marker).Where(ProcessScan.IsGuard)];

    /// <summary>Waits until no process of this scene is left, and names those that are.</summary>
    public async Task NothingRunsAsync(TimeSpan? limit = null)
    {
        List<int> left = await ProcessScan.OutlastingAsync(_marker, limit ?? Patience.Default);
        Assert.That(left.Select(ProcessScan.CommandLine), Is.Empty, "processes left behind");
    }

    /// <summary>The logs of all gateways, for the report of a failed test.</summary>
    public string Logs()
    {
        var text = new StringBuilder();
        foreach (GatewayProcess gateway in _gateways)
        {
            text.Append($"--- {gateway.ConfigPath}\n{File.ReadAllText(gateway.ConfigPath)}\n--- log\n{gateway.LogText}\n");
        }

        return text.ToString();
    }

    /// <summary>Stops all gateways with SIGTERM; returns what was not as it should be, empty when all was well.</summary>
    public async Task<string> StopAsync()
    {
        var faults = new StringBuilder();
        foreach (GatewayProcess gateway in _gateways.Where(each => !each.HasExited))
        {
            gateway.Signal(ProcessScan.Continue);
            gateway.Signal(ProcessScan.Term);
        }

        foreach (GatewayProcess gateway in _gateways)
        {
            try
            {
                await gateway.ExitAsync();
            }
            catch (TimeoutException)
            {
                faults.Append($"the gateway {gateway.Pid} did not end at SIGTERM\n");
            }
        }

        List<int> left = await ProcessScan.OutlastingAsync(_marker, TimeSpan.FromSeconds(2));
        foreach (int pid in left)
        {
            faults.Append($"left behind: {ProcessScan.CommandLine(pid)}\n");
            ProcessScan.Signal(pid, ProcessScan.Kill);
        }

        return faults.ToString();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (int pid in ProcessScan.Find(_marker))
        {
            ProcessScan.Signal(pid, ProcessScan.Kill);
        }

        await ProcessScan.OutlastingAsync(_marker, Patience.Default);
        _gateways.ForEach(each => each.Dispose());
        Control.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}
