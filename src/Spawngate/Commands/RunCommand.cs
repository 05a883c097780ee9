using Spawngate.Composition;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Supervision;
using Spawngate.Transport;

namespace Spawngate.Commands;

/// <summary>What the main commands do with a configuration file: run the gateway, check the file, find its admin API.</summary>
internal static class RunCommand
{
    /// <summary>Runs the gateway until a signal ends it.</summary>
    /// <param name="configPath">The configuration file.</param>
    /// <param name="console">Where errors of the file go.</param>
    /// <returns>0 after a clean stop, 2 for a bad configuration.</returns>
    /// <exception cref="CannotRunException">A port or the PID file cannot be had, or a passed socket is of no use.</exception>
    public static async Task<int> RunAsync(string configPath, CommandConsole console)
    {
        if (StreamTransport.Problem is { } problem)
        {
            await console.Error.WriteLineAsync($"spawngate: {problem}");
            return ExitCode.Usage;
        }

        // From the first moment: the first process of a container has no default action that would end it, and a stop that was asked for
        // must happen.
        var terminal = ControllingTerminal.Find();
        using var signals = new Signals(terminal is null ? null : () => terminal.IsGone);

        OpenFileLimit.Own.Raise();

        // In this order: children inherit what we were started with, not what we set for our own runtime.
        var children = ChildEnvironment.Capture();

        // A file may be slow to come, or never do so: a stop does not wait for it, and nothing has begun that would have to end. What
        // follows goes on beside it.
        var loading = Task.Run(() => Load(configPath, console));
        InlineCompletions.Enable();
        if (ChildProcess.IsSupported)
        {
            _ = Reaper.Shared; // As PID 1 we may be handed orphans before anything was started.
        }

        if (await Task.WhenAny(loading, signals.StopRequested).ConfigureAwait(false) != loading)
        {
            return ExitCode.Success;
        }

        if (await loading.ConfigureAwait(false) is not { } config)
        {
            return ExitCode.Usage;
        }

        using var sockets = SocketUse.Decide(PassedSocket.TakeAll(console.Variable), config.Server);
        using var pidFile = AcquirePidFile(config.Server);
        using var writer = LogWriter.ToStderr(
            TimeProvider.System,
            LogStyles.Choose(config.Server.LogFormat, !Console.IsErrorRedirected, console.Variable)
        );
        var filter = LogFilter.FromEnvironment(console.Variable, RegisteredKinds.OutputCategories);
        using var loggers = new LineLoggerProvider(filter, writer).CreateFactory();
        using var supervisor = Supervisor.FromEnvironment(
            console.Variable,
            loggers.CreateLogger("spawngate.supervisor"),
            TimeProvider.System
        );
        await using var gateway = new Gateway(config, children, sockets, supervisor, loggers, console.Variable, TimeProvider.System);
        return await ServeAsync(gateway, signals, filter, loggers).ConfigureAwait(false);
    }

    /// <summary>Validates a file and prints the effective settings.</summary>
    /// <returns>0, or 2 when the file has errors, which are printed instead.</returns>
    public static int Check(string configPath, CommandConsole console)
    {
        if (Load(configPath, console) is not { } config)
        {
            return ExitCode.Usage;
        }

        ConfigPrinter.Print(config, console.Out);
        OpenFileLimit.Own.Raise();
        var budget = DescriptorBudget.Shared;
        if (
            budget.ClientsMax < config.Server.MaxConnections
            && (config.Server.SetsMaxConnections || budget.ClientsMax < CompositionLimits.ClientsFew)
        )
        {
            console.Error.WriteLine(
                $"{config.Path}: warning: server.max_connections is {config.Server.MaxConnections}; with a limit of "
                    + $"{budget.Limit} open files, as it is here, {budget.ClientsMax} clients are served at once"
            );
        }

        foreach (string warning in CheckWarnings.Of(config, ChildEnvironment.Capture()))
        {
            console.Error.WriteLine(warning);
        }

        return ExitCode.Success;
    }

    /// <summary>
    /// Finds the admin API that a file describes; null when the file does not say, and the errors that prevent it are printed. Errors
    /// elsewhere are not of interest: the gateway runs on with what it read before.
    /// </summary>
    public static AdminLocation? LocateAdmin(string configPath, CommandConsole console)
    {
        IReadOnlyList<ConfigError> errors = ConfigLoader.LoadAdminAddress(configPath, out ServerConfig server);
        foreach (ConfigError error in errors)
        {
            console.Error.WriteLine(error);
        }

        return errors.Count == 0 ? AdminLocation.Of(server) : null;
    }

    private static async Task<int> ServeAsync(Gateway gateway, Signals signals, LogFilter filter, ILoggerFactory loggers)
    {
        var log = loggers.CreateLogger("spawngate.gateway");
        foreach (string warning in filter.Warnings)
        {
            GatewayLog.LogLevelWarning(log, warning);
        }

        GatewayLog.Transport(log, StreamTransport.Chosen.Name);
        using var ended = new CancellationTokenSource();
        _ = KillWhenAskedAsync(gateway, signals);
        await gateway.StartAsync().ConfigureAwait(false);
        var reloads = ReloadWhenAskedAsync(gateway, signals, log, ended.Token);
        string reason = await signals.StopRequested.ConfigureAwait(false);
        await gateway.StopAsync(reason).ConfigureAwait(false);
        await ended.CancelAsync().ConfigureAwait(false);

        // A file that is slow to come holds nobody up at the end either.
        await Task.WhenAny(reloads, signals.KillRequested, Task.Delay(CommandLimits.ReloadEndMs, CancellationToken.None))
            .ConfigureAwait(false);
        return signals.KillRequested.IsCompleted ? ExitCode.CannotRun : ExitCode.Success;
    }

    private static async Task KillWhenAskedAsync(Gateway gateway, Signals signals)
    {
        await signals.KillRequested.ConfigureAwait(false);
        gateway.Kill();
    }

    /// <summary>
    /// Reloads whenever a signal asks for it, one after the other, also while the gateway stops: somebody may wait for what it says.
    /// </summary>
    private static async Task ReloadWhenAskedAsync(Gateway gateway, Signals signals, ILogger log, CancellationToken ended)
    {
        try
        {
            await foreach (var _ in signals.ReloadsRequested.WithCancellation(ended).ConfigureAwait(false))
            {
                try
                {
                    await gateway.ReloadAsync().ConfigureAwait(false);
                }
                catch (Exception e)
                {
                    // Whatever it was: the next signal is answered again.
                    GatewayLog.ReloadFailed(log, e);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The gateway has stopped.
        }
    }

    private static PidFile? AcquirePidFile(ServerConfig server)
    {
        if (server.PidFile is null)
        {
            return null;
        }

        return PidFile.Acquire(server.PidFile, out string? error) ?? throw new CannotRunException($"{error} (server.pid_file)");
    }

    private static GatewayConfig? Load(string path, CommandConsole console)
    {
        var result = ConfigLoader.LoadFile(path, RegisteredKinds.All);
        foreach (var error in result.Errors)
        {
            console.Error.WriteLine(error);
        }

        return result.Config;
    }
}
