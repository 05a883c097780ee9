using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Clients;
using Spawngate.Clients.Shared;
using Spawngate.Config;
using Spawngate.Forwarding;
using Spawngate.Logging;
using Spawngate.Overload;
using Spawngate.Platform;
using Spawngate.Routing;
using Spawngate.Runtime;
using Spawngate.Supervision;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;
using Spawngate.Upstreams;
using Spawngate.Workloads;
using Spawngate.Workloads.Processes;

namespace Spawngate.Composition;

/// <summary>
/// A running gateway: makes all parts, by hand and in order, and ends them in the opposite one.
/// </summary>
/// <remarks>
/// <code>
///  Start:  backends (all stopped) ─▶ proxy port bound ─▶ admin API listens ─▶ guard begins, left-over containers are removed
///          ─▶ proxy accepts ─▶ supervisor told
///  Stop:   supervisor told ─▶ proxy stops accepting ─▶ idle clients get a last moment ─▶ all backends drain and stop in parallel
///          ─▶ containers removed ─▶ remaining clients end ─▶ admin API ends ─▶ guard ends
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
    private readonly Launchers _launchers;
    private readonly BackendEnvironment _environment;
    private readonly BackendSet _backends;
    private readonly BackendAdmin _reports;
    private readonly ClientConnections _connections;
    private readonly ForwardingContext _forwarding;
    private readonly OverloadMonitor _overload;
    private readonly AccessLog? _access;
    private readonly SpanExporter? _spans;
    private readonly AdminApi _admin;
    private readonly SocketUse _sockets;
    private readonly Supervisor _supervisor;
    private readonly ILogger _supervisorLog;
    private readonly SemaphoreSlim _reloading = new(1, 1);
    private readonly CancellationTokenSource _kill = new();
    private readonly TimeProvider _time;
    private readonly ServerConfig _configured;
    private readonly ServerConfig _server;
    private readonly string _configPath;
    private readonly long _machineBytes = MachineMemory.Bytes;
    private readonly Socket? _bound;
    private ClientListener? _listener;
    private LivenessCheck? _liveness;
    private Watchdog? _watchdog;
    private bool _hasWarnedOfRoot;

    /// <summary>Has the proxy listen, and makes the parts; nothing is accepted and nothing runs yet.</summary>
    /// <param name="config">A valid configuration.</param>
    /// <param name="children">What local backends inherit.</param>
    /// <param name="sockets">Listening sockets that were passed to us; they stay the caller's.</param>
    /// <param name="supervisor">Who is told how we are.</param>
    /// <param name="loggers">Makes the loggers.</param>
    /// <param name="variable">Reads a variable of the environment.</param>
    /// <param name="time">The time.</param>
    /// <exception cref="CannotRunException">
    /// The port of the proxy cannot be had; the message says which, and by which setting.
    /// </exception>
    public Gateway(
        GatewayConfig config,
        ChildEnvironment children,
        SocketUse sockets,
        Supervisor supervisor,
        ILoggerFactory loggers,
        Func<string, string?> variable,
        TimeProvider time
    )
    {
        _configured = config.Server;
        _server = sockets.InForce(config.Server);
        _server = _server with { MaxConnections = Math.Min(_server.MaxConnections, DescriptorBudget.Shared.ClientsMax) };
        _sockets = sockets;

        // First of all: clients that come from now on wait in the kernel's queue for the rest, and are not refused.
        _bound = sockets.Proxy.Count > 0 ? null : Listen(_server);
        _supervisor = supervisor;
        _supervisorLog = loggers.CreateLogger("spawngate.supervisor");
        _configPath = config.Path;
        _time = time;
        _log = loggers.CreateLogger("spawngate.gateway");
        CallbackGuard.Log = _log;
        _clock = new CoarseClock(time);
        _output = new OutputLog(time);
        _guardian = new Guardian(children, loggers.CreateLogger("spawngate.guard"), time);
        _launchers = MakeLaunchers(config.Path, children, loggers, variable);
        _environment = BackendEnvironment.Create(_server, time, _clock, _launchers, loggers);
        _connections = new ClientConnections(_clock);
        _environment.FindActiveRequests = _connections.FindActiveRequests;
        _backends = new BackendSet(_environment, config);
        _backends.Sessions.OnGone = _output.Remove;
        _reports = new BackendAdmin(_backends, _output, _environment, _connections);
        _access = OpenAccessLog(loggers);
        _spans = OpenSpans(variable, loggers);
        _forwarding = new ForwardingContext(_server, _backends, time, _clock, loggers.CreateLogger("spawngate.forwarding"))
        {
            LastLine = _output.Last,
            Observer = _access is null && _spans is null ? null : new RequestObserver(time) { Access = _access, Spans = _spans },
        };
        _overload = new OverloadMonitor(
            _connections,
            _forwarding.ClientLimits,
            _clock,
            loggers.CreateLogger("spawngate.overload"),
            HeapTrimmer.CollectSoon
        )
        {
            MemoryBytesMax = _server.MemoryLimit.Of(_machineBytes, MachineMemory.HeapBytes),
            ConnectionsMax = _server.MaxConnections,
            Young = YoungHeap.Own,
            Descriptors = static () => new Usage(DescriptorBudget.Shared.SharedInUse, DescriptorBudget.Shared.SharedMax),
            Ports = () => new Usage(_environment.UpstreamPorts.Take(), UpstreamPorts.PerBackend),
        };
        _reports.Overload = _overload;
        _admin = new AdminApi(_server, _reports, loggers, time, sockets.Admin, _backends.Sessions);
    }

    /// <summary>Accepts.</summary>
    /// <exception cref="CannotRunException">
    /// The port of the admin API cannot be had; the message says which, and by which setting.
    /// </exception>
    public async Task StartAsync()
    {
        _sockets.Report(_configured, _supervisorLog);
        if (_server.MaxConnections < _configured.MaxConnections)
        {
            bool matters = _configured.SetsMaxConnections || _server.MaxConnections < CompositionLimits.ClientsFew;
            GatewayLog.FewerConnections(
                _log,
                matters ? LogLevel.Warning : LogLevel.Information,
                _configured.MaxConnections,
                _server.MaxConnections,
                DescriptorBudget.Shared.Limit ?? 0
            );
        }

        if (_server.MemoryLimit.Of(_machineBytes) is var memory && memory > _overload.MemoryBytesMax)
        {
            GatewayLog.LessMemory(_log, _server.MemoryLimit.Text, memory, _overload.MemoryBytesMax, MachineMemory.HeapBytes);
        }

        // Tried out now, when nobody can hinder it yet.
        if (Libc.IsLinux && !InstanceListener.IsAvailable)
        {
            GatewayLog.PortOwnersUnknown(_log);
        }

        _listener = new ClientListener(_forwarding, _connections, _sockets.Proxy, _bound);
        ReloadMemory.SettleStart(_backends.All.Count);
        await _admin.StartAsync(CancellationToken.None).ConfigureAwait(false);
        _guardian.Start();
        _launchers.Begin(
            _backends.All.Select(static backend => backend.Config.Settings).Concat(_backends.Sessions.Config?.PossibleSettings() ?? [])
        );
        _listener.Start();
        WarnOfRoot();
        GatewayLog.Listening(_log, string.Join(", ", _listener.Addresses), _backends.All.Count);
        _liveness = new LivenessCheck(_clock, _listener, _supervisorLog);
        _watchdog = new Watchdog(_supervisor, _liveness.FindFaultAsync, _supervisorLog, _time);
        await _supervisor.ReadyAsync(Status()).ConfigureAwait(false);
    }

    /// <summary>Stops in order; requests in flight are finished within the drain timeouts of their backends.</summary>
    /// <param name="reason">For the log.</param>
    public async Task StopAsync(string reason)
    {
        long begun = _time.GetTimestamp();
        GatewayLog.Stopping(_log, reason, _connections.Count);
        _backends.Sessions.Refuse();
        await _supervisor
            .StoppingAsync($"Stopping after {reason}, {_connections.Count} connections open", StopTimeMax())
            .ConfigureAwait(false);
        await _listener!.StopAsync().ConfigureAwait(false);
        var drained = _connections.DrainAsync();

        // Requests that are on their way over idle connections are still forwarded; only then do backends refuse new ones.
        await WaitAtMostAsync(drained, ConnectionLimits.DrainIdleMs + (4 * RuntimeLimits.ClockTickMs)).ConfigureAwait(false);
        var stopped = _backends.StopAllAsync();
        await Task.WhenAny(stopped, KilledAsync()).ConfigureAwait(false);
        if (_kill.IsCancellationRequested)
        {
            await _backends.KillAllAsync().ConfigureAwait(false);
        }
        else
        {
            await WaitAtMostAsync(drained, ConnectionLimits.LingerMs).ConfigureAwait(false);
        }

        await _launchers.StopAsync().ConfigureAwait(false);
        _connections.AbortAll();
        await WaitAtMostAsync(drained, ConnectionLimits.LingerMs).ConfigureAwait(false);
        await _admin.StopAsync().ConfigureAwait(false);
        await _guardian.StopAsync().ConfigureAwait(false);
        await EndRecordsAsync().ConfigureAwait(false);
        GatewayLog.Stopped(_log, (long)_time.GetElapsedTime(begun).TotalMilliseconds);
    }

    /// <summary>Cuts a stop short: everything is killed at once.</summary>
    public void Kill() => _kill.Cancel();

    /// <summary>Reads the configuration file again and applies it; a file with errors changes nothing and is reported whole.</summary>
    public async Task ReloadAsync()
    {
        await _reloading.WaitAsync().ConfigureAwait(false);
        string outcome = "the configuration was not reloaded";
        try
        {
            await _supervisor.ReloadingAsync().ConfigureAwait(false);

            // Whatever the configuration says: its file may have been moved away.
            _access?.Reopen();
            long allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
            outcome = Reload();
            ReloadMemory.Settle(GC.GetAllocatedBytesForCurrentThread() - allocatedBefore);
        }
        finally
        {
            await _supervisor.ReloadedAsync($"{Status()}; {outcome}").ConfigureAwait(false);
            _reloading.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_watchdog is not null)
        {
            await _watchdog.DisposeAsync().ConfigureAwait(false);
        }

        _liveness?.Dispose();
        if (_listener is null)
        {
            _bound?.Dispose(); // It was not taken over.
        }

        await _admin.DisposeAsync().ConfigureAwait(false);
        await EndRecordsAsync().ConfigureAwait(false);
        _environment.Active.Dispose();
        _guardian.Dispose();
        _overload.Dispose();
        _connections.Dispose();
        _clock.Dispose();
        _drain.Dispose();
        _reloading.Dispose();
        _kill.Dispose();
    }

    private static Socket Listen(ServerConfig server)
    {
        var address = new IPEndPoint(server.Bind, server.Port);
        try
        {
            return ClientListener.Bind(address);
        }
        catch (SocketException e)
        {
            throw new CannotRunException(
                $"cannot listen on {address} for the proxy (server.port, server.bind): {BindFailure.Describe(e)}",
                e
            );
        }
    }

    private Launchers MakeLaunchers(string configPath, ChildEnvironment children, ILoggerFactory loggers, Func<string, string?> variable) =>
        RegisteredKinds.MakeLaunchers(
            new LauncherParts
            {
                ConfigPath = configPath,
                Children = children,
                Drain = _drain,
                Output = _output,
                Guardian = _guardian,
                ReportReady = ReportReady,
                Lease = (name, token, secs) => _reports.LeaseAsync(name, token, secs),
                Loggers = loggers,
                Variable = variable,
                Time = _time,
            }
        );

    private async Task EndRecordsAsync()
    {
        _access?.Dispose();
        if (_spans is not null)
        {
            await _spans.DisposeAsync().ConfigureAwait(false);
        }
    }

    private SpanExporter? OpenSpans(Func<string, string?> variable, ILoggerFactory loggers) =>
        _server.OtlpEndpoint is { } collector
            ? new SpanExporter(
                collector,
                variable(SpanExporter.ServiceNameVariable) ?? SpanExporter.ServiceName,
                _environment.Traffic.Spans,
                _clock,
                _time,
                loggers.CreateLogger("spawngate.otlp")
            )
            : null;

    private AccessLog? OpenAccessLog(ILoggerFactory loggers)
    {
        if (_server.AccessLog == ServerConfig.AccessLogOff)
        {
            return null;
        }

        var file = _server.AccessLog == ServerConfig.AccessLogStdout ? AppendFile.Stdout() : AppendFile.At(_server.AccessLog);
        return new AccessLog(
            file,
            _server.AccessLogFormat,
            _environment.Traffic.AccessLines,
            _clock,
            _time,
            loggers.CreateLogger("spawngate.access")
        );
    }

    /// <summary>How the gateway is, in one line for the service manager's status.</summary>
    private string Status() => $"Listening on {string.Join(", ", _listener?.Addresses ?? [])}, {_backends.All.Count} backends";

    /// <summary>How long a stop takes at most: the sum of the waits in <see cref="StopAsync"/>, and the last look at the logs.</summary>
    private TimeSpan StopTimeMax() =>
        TimeSpan.FromMilliseconds(
            ConnectionLimits.DrainIdleMs
                + (4 * RuntimeLimits.ClockTickMs)
                + _backends.StopMsMax()
                + (2 * ConnectionLimits.LingerMs)
                + _launchers.StopMsMax
                + (2 * AdminLimits.StopSecs * 1000)
                + ProcessLimits.GuardStopMs
                + (2 * LoggingLimits.LogFlushMs)
                + TelemetryLimits.OtlpEndMs
        );

    /// <summary>A method of its own, so that nothing of what was read is referred to when it returns.</summary>
    /// <returns>What came of it, in a few words.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private string Reload()
    {
        var result = ConfigLoader.LoadFile(_configPath, RegisteredKinds.All);
        if (result.Config is not { } config)
        {
            foreach (var error in result.Errors)
            {
                GatewayLog.ReloadError(_log, error.ToString());
            }

            GatewayLog.ReloadRefused(_log, result.Errors.Count);
            return $"the configuration was not reloaded, its errors ({result.Errors.Count}) are in the log";
        }

        // The server settings in force stay those of the start.
        foreach (string key in ServerKeys.Changed(_configured, config.Server))
        {
            GatewayLog.NeedsRestart(_log, key);
        }

        var counts = _backends.Apply(config, _output.Remove);
        _environment.Feed.Publish(HistoryNews.Reloaded);
        WarnOfRoot();
        GatewayLog.Reloaded(_log, counts.Added, counts.Removed, counts.Updated);
        return "configuration reloaded";
    }

    /// <summary>Once, when the first backend is there that would be root.</summary>
    private void WarnOfRoot()
    {
        bool sharesRights =
            _backends.All.Any(static backend => backend.Config.Settings.SharesOurRights)
            || _backends.Sessions.Config?.Templates.Any(static template => template.Backend.Settings.SharesOurRights) == true;
        if (sharesRights && !_hasWarnedOfRoot && RootPower.IsAlmighty)
        {
            _hasWarnedOfRoot = true;
            GatewayLog.RunsAsRoot(_log);
        }
    }

    /// <summary>An instance calls back at a listener of its launcher. Whoever knows the admin token does not call from there.</summary>
    private ReadyCallbackOutcome ReportReady(string hostname, string? token) =>
        _reports.ReportReady(hostname, token, adminAuthorised: false);

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
