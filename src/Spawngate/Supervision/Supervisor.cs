using System.Globalization;
using Spawngate.Platform;

namespace Spawngate.Supervision;

/// <summary>
/// What the gateway tells the service manager that started it, systemd for example: that it is ready, reloads, stops, lives. Without one it
/// tells nobody.
/// <code>
///   Starting ──ready──▶ Serving ◀──reloading, reloaded──▶ Reloading
///       └──────────────────┴───────────stopping───────────────┴──▶ Stopping
/// </code>
/// A notice that does not fit the state is not sent: a reload that was asked for before the gateway is ready must not declare it ready, nor
/// one that ends after the stop began.
/// </summary>
internal sealed class Supervisor : IDisposable
{
    private readonly NotifySocket? _socket;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _telling = new(1, 1);
    private Stage _stage;
    private bool _failed;

    /// <summary>Makes it.</summary>
    /// <param name="socket">Where notices go; null for nowhere.</param>
    /// <param name="watchdogTimeout">Time within which a sign of life is due; null when none is expected.</param>
    /// <param name="log">Log of category <c>spawngate.supervisor</c>.</param>
    /// <param name="time">The time; its timestamps are those of CLOCK_MONOTONIC on Linux.</param>
    public Supervisor(NotifySocket? socket, TimeSpan? watchdogTimeout, ILogger log, TimeProvider time)
    {
        _socket = socket;
        WatchdogTimeout = socket is null ? null : watchdogTimeout;
        _log = log;
        _time = time;
    }

    private enum Stage
    {
        Starting,
        Serving,
        Reloading,
        Stopping,
    }

    /// <summary>Time within which a sign of life is due; null when none is expected.</summary>
    public TimeSpan? WatchdogTimeout { get; }

    /// <summary>The supervisor that the environment names.</summary>
    public static Supervisor FromEnvironment(Func<string, string?> variable, ILogger log, TimeProvider time)
    {
        NotifySocket? socket = null;
        if (variable(SupervisorVariables.NotifySocket) is { Length: > 0 } address)
        {
            socket = NotifySocket.Open(address, out string? problem);
            if (socket is null)
            {
                SupervisionLog.NotReached(log, address, problem!);
            }
        }

        return new Supervisor(socket, WatchdogTimeoutOf(variable), log, time);
    }

    /// <summary>The gateway serves: its ports listen and its configuration is loaded.</summary>
    /// <param name="status">One line for people.</param>
    public Task ReadyAsync(string status) =>
        TellAsync(Stage.Starting, Stage.Serving, () => $"READY=1\nSTATUS={status}\nMAINPID={Environment.ProcessId}");

    /// <summary>A reload begins.</summary>
    public Task ReloadingAsync() =>
        TellAsync(Stage.Serving, Stage.Reloading, () =>
            $"RELOADING=1\nMONOTONIC_USEC={MonotonicUsec()}\nSTATUS=Reloading the configuration"
        );

    /// <summary>A reload has ended, well or not: the gateway serves on.</summary>
    /// <param name="status">One line for people, which says how it ended.</param>
    public Task ReloadedAsync(string status) => TellAsync(Stage.Reloading, Stage.Serving, () => $"READY=1\nSTATUS={status}");

    /// <summary>
    /// The gateway stops. Backends may drain longer than the service manager would wait by itself, so it is told how long that can take.
    /// </summary>
    /// <param name="status">One line for people.</param>
    /// <param name="atMost">How long it takes at most.</param>
    public Task StoppingAsync(string status, TimeSpan atMost) =>
        TellAsync(null, Stage.Stopping, () => $"STOPPING=1\nSTATUS={status}\nEXTEND_TIMEOUT_USEC={(long)atMost.TotalMicroseconds}");

    /// <summary>A sign of life for the watchdog.</summary>
    public Task AliveAsync() => SendAsync("WATCHDOG=1");

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket?.Dispose();
        _telling.Dispose();
    }

    private static TimeSpan? WatchdogTimeoutOf(Func<string, string?> variable)
    {
        string own = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        bool isOurs = (variable(SupervisorVariables.WatchdogPid) ?? own) == own;
        string? usec = variable(SupervisorVariables.WatchdogUsec);
        return
            isOurs
            && long.TryParse(usec, NumberStyles.None, CultureInfo.InvariantCulture, out long value)
            && value is > 0 and <= SupervisionLimits.WatchdogUsecMax
            ? TimeSpan.FromMicroseconds(value)
            : null;
    }

    private async Task TellAsync(Stage? from, Stage to, Func<string> notice)
    {
        if (_socket is null)
        {
            return;
        }

        // Held while the notice is sent: notices arrive in the order of the stages.
        await _telling.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_stage == (from ?? _stage))
            {
                _stage = to;
                await SendAsync(notice()).ConfigureAwait(false);
            }
        }
        finally
        {
            _telling.Release();
        }
    }

    private async Task SendAsync(string notice)
    {
        if (_socket is not null && await _socket.SendAsync(notice).ConfigureAwait(false) is { } problem && !_failed)
        {
            _failed = true;
            SupervisionLog.NotTold(_log, problem);
        }
    }

    private long MonotonicUsec() => (long)(_time.GetTimestamp() * (1e6 / _time.TimestampFrequency));
}
