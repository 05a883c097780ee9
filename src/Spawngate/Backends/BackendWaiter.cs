using Spawngate.Telemetry.History;

namespace Spawngate.Backends;

/// <summary>What made a backend start, for the log and the admin API.</summary>
internal enum WakeKind
{
    /// <summary>A request arrived.</summary>
    Request,

    /// <summary>The admin API was asked to start or restart it.</summary>
    Admin,

    /// <summary>It was unhealthy and is restarted.</summary>
    Restart,

    /// <summary>It is not a start: the instance itself called an idle stop off, by its lease.</summary>
    Lease,
}

/// <summary>Who woke a backend.</summary>
/// <param name="Kind">The kind of cause.</param>
/// <param name="Detail">For people: <c>GET /path from 10.0.0.1</c>; null when nothing more is known.</param>
/// <param name="By">Who sent the request; null when it was none.</param>
internal readonly record struct WakeCause(WakeKind Kind, string? Detail = null, HistoryCaller? By = null)
{
    /// <summary>One phrase for the log.</summary>
    public override string ToString()
    {
        var detail = By?.ToString() ?? Detail;
        return detail is null ? KindName : $"{KindName}: {detail}";
    }

    /// <summary>The kind as the history names it.</summary>
    public string KindName =>
        Kind switch
        {
            WakeKind.Request => "request",
            WakeKind.Admin => "admin",
            WakeKind.Lease => "lease",
            _ => "restart",
        };
}

/// <summary>A request that is held until its backend is ready, or until it is clear that it will not be.</summary>
internal sealed class BackendWaiter
{
    private readonly TaskCompletionSource<Admission> _decided = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Admission _admission;

    internal BackendWaiter(WakeCause cause, long enqueuedTimestamp, bool isPassive = false)
    {
        Cause = cause;
        EnqueuedTimestamp = enqueuedTimestamp;
        IsPassive = isPassive;
    }

    /// <summary>
    /// Completes, never faulted, with what was decided. With <see cref="AdmissionOutcome.Admitted"/> the request is already in flight and
    /// its owner calls <see cref="Backend.Leave"/> exactly once.
    /// </summary>
    public Task<Admission> Decision => _decided.Task;

    /// <summary>How it was counted when it was admitted, for <see cref="Backend.Leave"/>.</summary>
    public bool CountedPassive { get; private set; }

    /// <summary>Whether it does not count as use: it waits for room at a ready backend only, never for a start.</summary>
    internal bool IsPassive { get; }

    /// <summary>Since when it waits for room at a backend that is ready, in coarse milliseconds; guarded by the gate.</summary>
    internal long RoomSinceMs { get; set; }

    /// <summary>What it came for.</summary>
    internal WakeCause Cause { get; }

    /// <summary><see cref="TimeProvider.GetTimestamp"/> of its arrival.</summary>
    internal long EnqueuedTimestamp { get; }

    /// <summary>Whether it stands in the queue; guarded by the gate of <see cref="AdmissionQueue"/>.</summary>
    internal bool IsQueued { get; set; }

    /// <summary>The one before it in the queue; guarded by the gate.</summary>
    internal BackendWaiter? Previous { get; set; }

    /// <summary>The one behind it in the queue; guarded by the gate, then owned by whoever took the queue over.</summary>
    internal BackendWaiter? Next { get; set; }

    /// <summary>Notes what was decided, within the gate; <see cref="Complete"/> tells it, outside.</summary>
    internal void Decide(Admission admission, bool countedPassive = false)
    {
        _admission = admission;
        CountedPassive = countedPassive;
    }

    internal void Complete() => _decided.TrySetResult(_admission);
}
