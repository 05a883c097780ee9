using Spawngate.Config;

namespace Spawngate.Backends;

/// <summary>How far a start is.</summary>
/// <param name="WokenTimestamp"><see cref="TimeProvider.GetTimestamp"/> of the request or call that woke it.</param>
/// <param name="WokenAt">The time of the start.</param>
/// <param name="IsSpawned">The process or container was started.</param>
/// <param name="IsListening">A TCP connection was accepted.</param>
internal readonly record struct StartProgress(long WokenTimestamp, DateTimeOffset WokenAt, bool IsSpawned, bool IsListening);

/// <summary>
/// What a lifecycle shows of itself between two messages: replaced whole, so that the admin API reads it without waiting for a handler.
/// </summary>
internal sealed record LifecycleView
{
    /// <summary>The view of a backend that was never started.</summary>
    public static readonly LifecycleView Initial = new();

    /// <summary>Port of the current instance, or 0.</summary>
    public int Port { get; init; }

    /// <summary>Process id of the current instance.</summary>
    public int? Pid { get; init; }

    /// <summary>Description of the current instance.</summary>
    public string? Workload { get; init; }

    /// <summary>What its kind tells of the current instance.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Facts { get; init; } = [];

    /// <summary>Who woke it the last time.</summary>
    public WakeCause? WokenBy { get; init; }

    /// <summary>Steps of the last start that became ready.</summary>
    public StartTimings? LastStart { get; init; }

    /// <summary>Since when the current start is ready.</summary>
    public DateTimeOffset? ReadySince { get; init; }

    /// <summary>How far the current start is, or how far the last one came.</summary>
    public StartProgress Start { get; init; }

    /// <summary>Number of the latest start that failed; 0 when none did.</summary>
    public int FailedStart { get; init; }

    /// <summary>Failed starts in a row.</summary>
    public int Failures { get; init; }

    /// <summary>The last failure.</summary>
    public string? LastFailure { get; init; }

    /// <summary>Failed health checks in a row.</summary>
    public int FailedChecks { get; init; }

    /// <summary>The lease of the current instance, which may have run out; null when it never gave one.</summary>
    public LeaseTerm? Lease { get; init; }

    /// <summary>Why it stops now.</summary>
    public StopReason? Stopping { get; init; }

    /// <summary>Why it stopped the last time.</summary>
    public StopReason? LastStop { get; init; }

    /// <summary>The status for the admin API.</summary>
    /// <param name="config">Current settings.</param>
    /// <param name="word">The state word.</param>
    /// <param name="waiting">Requests held.</param>
    /// <param name="retryAfterSecs">Seconds of the wait after failures.</param>
    /// <param name="lastUseMs">Time of last use.</param>
    /// <param name="nowMs">The time, on the same clock.</param>
    public BackendStatus ToStatus(BackendConfig config, BackendWord word, int waiting, int retryAfterSecs, long lastUseMs, long nowMs) =>
        new()
        {
            Hostname = config.Hostname,
            GivenName = config.GivenName,
            Kind = config.Kind,
            Phase = word.Phase,
            Port = Port,
            InFlight = word.InFlight,
            PassiveCount = word.PassiveCount,
            Waiting = waiting,
            InstanceNumber = word.InstanceNumber,
            Pid = Pid,
            Workload = Workload,
            Facts = Facts,
            WokenBy = WokenBy?.ToString(),
            LastStart = LastStart,
            ReadySince = ReadySince,
            FailuresInARow = Failures,
            RetryAfterSecs = retryAfterSecs,
            LastFailure = LastFailure,
            FailedChecks = FailedChecks,
            LeaseSecs = Lease?.SecsLeft(nowMs),
            LeaseRenewedAt = Lease?.Holds(nowMs) == true ? Lease.RenewedAt : null,
            IdleStopInSecs =
                waiting > 0 || Lease?.Holds(nowMs) == true
                    ? null
                    : IdleStopInSecs(config, word, IdleClock.UsedUntilMs(lastUseMs, Lease), nowMs),
            StoppingBecause = Stopping is { } stopping ? StopProgress.Name(stopping) : null,
            LastStopReason = LastStop is { } last ? StopProgress.Name(last) : null,
        };

    /// <summary>A ready signal as the admin API and the history name it.</summary>
    public static string Name(ReadySignal signal, string? healthPath) =>
        signal == ReadySignal.Callback ? "callback"
        : signal == ReadySignal.Socket ? "socket"
        : healthPath is "" ? "connect"
        : "health";

    private static int? IdleStopInSecs(BackendConfig config, BackendWord word, long lastUseMs, long nowMs)
    {
        if (word.Phase != BackendPhase.Ready || word.InUse > 0 || config.IdleTimeoutSecs == 0)
        {
            return null;
        }

        var leftMs = lastUseMs + (config.IdleTimeoutSecs * 1000L) - nowMs;
        return (int)Math.Max(0, (leftMs + 999) / 1000);
    }
}
