using System.Diagnostics;
using System.Net;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>One run of the real executable.</summary>
internal sealed class GatewayProcess : IDisposable
{
    private const int OutputLinesKept = 120_000;
    private readonly Process _process;
    private readonly Task _logEnd;
    private readonly Task<string> _stdout;

    private GatewayProcess(Process process, ConfigFile config, string configPath)
    {
        _process = process;
        Config = config;
        ConfigPath = configPath;
        Admin = new AdminClient(config.AdminPort);
        _logEnd = Log.ReadAsync(process.StandardError.BaseStream);
        _stdout = process.StandardOutput.ReadToEndAsync();
    }

    /// <summary>The configuration it was started with.</summary>
    public ConfigFile Config { get; }

    /// <summary>Where the configuration lies.</summary>
    public string ConfigPath { get; }

    /// <summary>Port of the proxy.</summary>
    public int Port => Config.Port;

    /// <summary>Process id.</summary>
    public int Pid => _process.Id;

    /// <summary>Its log.</summary>
    public LineLog<LogLine> Log { get; } = KeepingSomeOutput();

    /// <summary>Its admin API.</summary>
    public AdminClient Admin { get; }

    /// <summary>True when the process has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Starts the executable with a configuration file and waits until it serves.</summary>
    public static async Task<GatewayProcess> StartAsync(ConfigFile config, string folder, IReadOnlyDictionary<string, string> environment)
    {
        GatewayProcess gateway = Launch(config, folder, environment);
        await gateway.ServesAsync();
        return gateway;
    }

    /// <summary>Starts the executable with a configuration file.</summary>
    /// <param name="config">Its configuration.</param>
    /// <param name="folder">Where it is started and its configuration written.</param>
    /// <param name="environment">Variables added to those of the test.</param>
    /// <param name="wrapper">A command that runs the command which follows it; empty for none.</param>
    public static GatewayProcess Launch(
        ConfigFile config,
        string folder,
        IReadOnlyDictionary<string, string> environment,
        params string[] wrapper
    )
    {
        string path = Path.Combine(folder, $"config-{config.Port}.toml");
        File.WriteAllText(path, config.ToString());
        ProcessStartInfo info = StartInfo(
            wrapper.Length == 0 ? [path] : [.. wrapper.Skip(1), Executables.Gateway, path],
            folder,
            environment
        );
        info.FileName = wrapper.Length == 0 ? info.FileName : wrapper[0];
        return new GatewayProcess(Process.Start(info)!, config, path);
    }

    /// <summary>How the executable is started: with nothing of this test's own settings in its environment.</summary>
    public static ProcessStartInfo StartInfo(IEnumerable<string> args, string folder, IReadOnlyDictionary<string, string> environment)
    {
        var info = new ProcessStartInfo(Executables.Gateway, args)
        {
            WorkingDirectory = folder,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };
        foreach (
            string name in new[] { "SPAWNGATE_LOG", "RUST_LOG", "PORT", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS" }
        )
        {
            info.Environment.Remove(name);
        }

        info.Environment["DOTNET_ROOT"] = Executables.DotnetRoot;
        foreach ((string name, string value) in environment)
        {
            info.Environment[name] = value;
        }

        return info;
    }

    /// <summary>Waits until both ports answer; looks again whenever the log has grown, or a moment later.</summary>
    public async Task ServesAsync()
    {
        await UntilAsync("the gateway serves", async () =>
            await Ports.AcceptsAsync(Config.Port) && await Admin.StatusAsync("/health") == HttpStatusCode.OK
        );
    }

    /// <summary>
    /// Waits for a state that raises no event: it is looked at again whenever the log has grown, or a moment later.
    /// Fails when the gateway ends, or after a while.
    /// </summary>
    public async Task UntilAsync(string what, Func<Task<bool>> holds, TimeSpan? limit = null)
    {
        long started = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            if (_process.HasExited)
            {
                await _logEnd;
                throw new InvalidOperationException($"the gateway ended with {_process.ExitCode} before: {what}\n{LogText}");
            }

            if (Stopwatch.GetElapsedTime(started) > (limit ?? Patience.Default))
            {
                throw new TimeoutException($"did not happen within {limit ?? Patience.Default}: {what}");
            }

            try
            {
                await Log.FromAsync(Log.Lines.Count, _ => true).StaysOpenAsync(Patience.Look);
            }
            catch (EndOfStreamException)
            {
                await _process.WaitForExitAsync().StaysOpenAsync(Patience.Look); // It has no stderr, or ends.
            }
        }
    }

    /// <summary>Waits until the admin API reports this state of a backend.</summary>
    public Task UntilStateAsync(string host, string state, TimeSpan? limit = null) =>
        UntilAsync($"{host} is {state}", async () => (await Admin.BackendAsync(host)).GetProperty("state").GetString() == state, limit);

    /// <summary>Waits for a log line that contains all the words.</summary>
    public Task<LogLine> LogsAsync(params string[] words) => LogsAsync(0, words);

    /// <summary>Waits for a log line that contains all the words, not counting the first <paramref name="skip"/> lines.</summary>
    public Task<LogLine> LogsAsync(int skip, params string[] words) =>
        Log.FromAsync(skip, line => words.All(line.Says)).InTimeAsync($"log line with '{string.Join("', '", words)}'");

    /// <summary>Sends a signal.</summary>
    public void Signal(int signal) => ProcessScan.Signal(Pid, signal);

    /// <summary>Waits for the exit and returns the exit code; the log is complete then.</summary>
    public async Task<int> ExitAsync(TimeSpan? limit = null)
    {
        await _process.WaitForExitAsync().InTimeAsync("exit of the gateway", limit);
        await _logEnd.InTimeAsync("end of the log: somebody still holds the gateway's stderr", limit);
        return _process.ExitCode;
    }

    /// <summary>What it wrote to stdout, once it has ended.</summary>
    public Task<string> StdoutAsync() => _stdout.InTimeAsync("end of stdout");

    /// <summary>
    /// Replaces the configuration file in one step, as an editor does, and asks for a reload: a reload that is under way reads the old or
    /// the new one.
    /// </summary>
    public void ReloadAtomically(string text)
    {
        string fresh = ConfigPath + ".new";
        File.WriteAllText(fresh, text);
        File.Move(fresh, ConfigPath, overwrite: true);
        Signal(ProcessScan.Hup);
    }

    /// <summary>Rewrites the configuration file and asks for a reload.</summary>
    public void Reload(string text)
    {
        File.WriteAllText(ConfigPath, text);
        Signal(ProcessScan.Hup);
    }

    /// <summary>The whole log as text.</summary>
    public string LogText => string.Join('\n', Log.Lines.Select(line => line.Text));

    /// <summary>What backends write is kept up to a bound: a test may have a gigabyte of it written.</summary>
    private static LineLog<LogLine> KeepingSomeOutput()
    {
        int kept = 0;
        return new LineLog<LogLine>(LogLine.Parse, line => line.Category != "backend" || ++kept <= OutputLinesKept);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Admin.Dispose();
        _process.Dispose();
    }
}
