using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Clients;
using Spawngate.Config;
using Spawngate.Diagnostics;
using Spawngate.Docker;
using Spawngate.Forwarding;
using Spawngate.Guarding;
using Spawngate.Platform;

namespace Spawngate;

/// <summary>
/// A running gateway: makes all parts, by hand and in order, and ends them in the opposite one.
/// </summary>
/// <remarks>
/// <code>
///  Start:  backends (all stopped) ─▶ proxy port bound ─▶ admin API listens ─▶ guard begins ─▶ proxy accepts
///  Stop:   proxy stops accepting ─▶ idle clients get a last moment ─▶ all backends drain and stop in parallel
///          ─▶ remaining clients end ─▶ admin API ends ─▶ guard ends
///  Kill:   the same with everything cut and killed at once
/// </code>
/// </remarks>
internal sealed class Gateway : IAsyncDisposable
{
    private readonly ILogger _log;
    private readonly CoarseClock _clock;
    private readonly OutputDrain _drain = new();
    private readonly OutputLog _output;
    private readonly Guardian _guardian;
    private readonly DockerLauncher _docker;
    private readonly BackendEnvironment _environment;
    private readonly BackendSet _backends;
    private readonly BackendAdmin _reports;
    private readonly ClientConnections _connections;
    private readonly ForwardingContext _forwarding;
    private readonly AdminApi _admin;
    private readonly SemaphoreSlim _reloading = new(1, 1);
    private readonly CancellationTokenSource _kill = new();
    private readonly TimeProvider _time;
    private readonly ServerConfig _server;
    private readonly string _configPath;
    private ClientListener? _listener;

    /// <summary>Makes the parts; nothing listens or runs yet.</summary>
    /// <param name="config">A valid configuration.</param>
    /// <param name="children">What local backends inherit.</param>
    /// <param name="loggers">Makes the loggers.</param>
    /// <param name="variable">Reads a variable of the environment.</param>
    /// <param name="time">The time.</param>
    public Gateway(GatewayConfig config, ChildEnvironment children, ILoggerFactory loggers, Func<string, string?> variable, TimeProvider time)
    {
        _server = config.Server;
        _configPath = config.Path;
        _time = time;
        _log = loggers.CreateLogger("spawngate.gateway");
        _clock = new CoarseClock(time);
        _output = new OutputLog(time);
        _guardian = new Guardian(children, loggers.CreateLogger("spawngate.guard"), time);
        var output = new LoggedOutput(loggers.CreateLogger("backend"), _output);
        var launcher = new ProcessLauncher(children, _drain, output, time, _guardian);
        var identity = GatewayIdentity.Of(config.Path, variable(GatewayIdentity.Variable));
        var containerOutput = new LoggedOutput(loggers.CreateLogger("container"), _output);
        _docker = new DockerLauncher(identity, ReportReady, containerOutput, loggers, variable, time, _guardian);
        _environment = BackendEnvironment.Create(config.Server, time, _clock, launcher, _docker, loggers);
        _backends = new BackendSet(_environment, config);
        _reports = new BackendAdmin(_backends, _output);
        _connections = new ClientConnections(_clock);
        _forwarding = new ForwardingContext(config.Server, _backends, time, _clock, loggers.CreateLogger("spawngate.forwarding"));
        _admin = new AdminApi(config.Server, _reports, loggers, time);
    }

    /// <summary>Listens and accepts.</summary>
    /// <exception cref="CannotRunException">A port cannot be had; the message says which, and by which setting.</exception>
    public async Task StartAsync()
    {
        try
        {
            _listener = new ClientListener(_forwarding, _connections);
        }
        catch (SocketException e)
        {
            var address = new System.Net.IPEndPoint(_server.Bind, _server.Port);
            throw new CannotRunException($"cannot listen on {address} for the proxy (server.port, server.bind): {BindFailure.Describe(e)}", e);
        }

        ReloadMemory.SettleStart(_backends.All.Count);
        await _admin.StartAsync(CancellationToken.None).ConfigureAwait(false);
        _guardian.Start();
        _docker.Begin(_backends.All.Select(static backend => backend.Config));
        _listener.Start();
        GatewayLog.Listening(_log, _listener.Endpoint.ToString(), _backends.All.Count);
    }

    /// <summary>Stops in order; requests in flight are finished within the drain timeouts of their backends.</summary>
    /// <param name="reason">For the log.</param>
    public async Task StopAsync(string reason)
    {
        long begun = _time.GetTimestamp();
        GatewayLog.Stopping(_log, reason, _connections.Count);
        await _listener!.StopAsync().ConfigureAwait(false);
        var drained = _connections.DrainAsync();

        // Requests that are on their way over idle connections are still forwarded; only then do backends refuse new ones.
        await WaitAtMostAsync(drained, Limits.DrainIdleMs + (4 * Limits.ClockTickMs)).ConfigureAwait(false);
        var stopped = _backends.StopAllAsync();
        await Task.WhenAny(stopped, KilledAsync()).ConfigureAwait(false);
        if (_kill.IsCancellationRequested)
        {
            await _backends.KillAllAsync().ConfigureAwait(false);
        }
        else
        {
            await WaitAtMostAsync(drained, Limits.LingerMs).ConfigureAwait(false);
        }

        await _docker.StopAsync().ConfigureAwait(false);
        _connections.AbortAll();
        await WaitAtMostAsync(drained, Limits.LingerMs).ConfigureAwait(false);
        await _admin.StopAsync().ConfigureAwait(false);
        await _guardian.StopAsync().ConfigureAwait(false);
        GatewayLog.Stopped(_log, (long)_time.GetElapsedTime(begun).TotalMilliseconds);
    }

    /// <summary>Cuts a stop short: everything is killed at once.</summary>
    public void Kill() => _kill.Cancel();

    /// <summary>Reads the configuration file again and applies it; a file with errors changes nothing and is reported whole.</summary>
    public async Task ReloadAsync()
    {
        await _reloading.WaitAsync().ConfigureAwait(false);
        try
        {
            long allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
            Reload();
            ReloadMemory.Settle(GC.GetAllocatedBytesForCurrentThread() - allocatedBefore);
        }
        finally
        {
            _reloading.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _admin.DisposeAsync().ConfigureAwait(false);
        _environment.Active.Dispose();
        _guardian.Dispose();
        _connections.Dispose();
        _clock.Dispose();
        _drain.Dispose();
        _reloading.Dispose();
        _kill.Dispose();
    }

    /// <summary>A method of its own, so that nothing of what was read is referred to when it returns.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Reload()
    {
        var result = ConfigLoader.LoadFile(_configPath);
        if (result.Config is not { } config)
        {
            foreach (var error in result.Errors)
            {
                GatewayLog.ReloadError(_log, error.ToString());
            }

            GatewayLog.ReloadRefused(_log, result.Errors.Count);
            return;
        }

        // The server settings in force stay those of the start.
        foreach (string key in _server.ChangedKeys(config.Server))
        {
            GatewayLog.NeedsRestart(_log, key);
        }

        var counts = _backends.Apply(config, _output.Remove);
        GatewayLog.Reloaded(_log, counts.Added, counts.Removed, counts.Updated);
    }

    /// <summary>A container calls back. Whoever knows the admin token does not call from there.</summary>
    private ReadyOutcome ReportReady(string hostname, string? token) => _reports.ReportReady(hostname, token, adminAuthorised: false);

    private async Task KilledAsync()
    {
        var killed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = _kill.Token.Register(killed.SetResult);
        await killed.Task.ConfigureAwait(false);
    }

    private async Task WaitAtMostAsync(Task task, long ms)
    {
        try
        {
            await task.WaitAsync(TimeSpan.FromMilliseconds(ms), _time, _kill.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // The caller goes on either way.
        }
    }
}
