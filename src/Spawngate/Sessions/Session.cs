using System.Text;
using Spawngate.Backends;
using Spawngate.Telemetry.History;

namespace Spawngate.Sessions;

/// <summary>
/// One session: its names, its backend while it lives, and its states. The states are told by the lifecycle of its backend, after each
/// message and in order; anybody reads them.
/// </summary>
internal sealed class Session
{
    private readonly BackendEnvironment _env;
    private readonly Action<Session> _onEnded;
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private SessionStatus[] _history;
    private TaskCompletionSource? _changed;
    private Backend? _backend;
    private bool _isEnding;

    /// <summary>Makes one that has no backend yet.</summary>
    /// <param name="env">The time.</param>
    /// <param name="id">Its id.</param>
    /// <param name="domain">Below which it answers.</param>
    /// <param name="totals">What it is counted under.</param>
    /// <param name="onEnded">Called once when its backend has ended.</param>
    public Session(BackendEnvironment env, SessionId id, string domain, SessionTotals totals, Action<Session> onEnded)
    {
        _env = env;
        _onEnded = onEnded;
        Id = id;
        Name = id.ToString();
        HostBytes = Encoding.ASCII.GetBytes($"{Name}.{domain}");
        Totals = totals;
        _history = [new SessionStatus(SessionState.Submitted, Now)];
    }

    /// <summary>Its id.</summary>
    public SessionId Id { get; }

    /// <summary>The id as text.</summary>
    public string Name { get; }

    /// <summary>Its host, in the form in which hosts are compared.</summary>
    public byte[] HostBytes { get; }

    /// <summary>The same as text.</summary>
    public string Hostname => Encoding.ASCII.GetString(HostBytes);

    /// <summary>Its address.</summary>
    public required string Url { get; init; }

    /// <summary>Its key; null without one.</summary>
    public string? Key { get; init; }

    /// <summary>What it is counted under.</summary>
    public SessionTotals Totals { get; }

    /// <summary>Its place among all sessions, by creation.</summary>
    public long Serial { get; init; }

    /// <summary>The backend; null before it has one and when it has ended.</summary>
    public Backend? Backend => Volatile.Read(ref _backend);

    /// <summary>Completes when its backend has ended, after its last state was entered.</summary>
    public Task Ended => _ended.Task;

    /// <summary>All states so far.</summary>
    public IReadOnlyList<SessionStatus> History => Volatile.Read(ref _history);

    /// <summary>The latest state.</summary>
    public SessionStatus Status => Volatile.Read(ref _history)[^1];

    /// <summary>Whether it serves requests that come now.</summary>
    public bool IsReady => Status.State == SessionState.Ready && !Volatile.Read(ref _isEnding);

    /// <summary>Whether it has ended or is about to.</summary>
    public bool IsEnding => Volatile.Read(ref _isEnding);

    private DateTime Now => _env.Time.GetUtcNow().UtcDateTime;

    /// <summary>Gives it its backend.</summary>
    public void Attach(Backend backend)
    {
        Volatile.Write(ref _backend, backend);
        Advance(SessionState.Constructed, Now);
    }

    /// <summary>Lets go of what only a living one needs.</summary>
    public void Detach()
    {
        Volatile.Write(ref _backend, null);
        _ended.TrySetResult();
    }

    /// <summary>From now on it is not given to anybody any more.</summary>
    public void MarkEnding() => Volatile.Write(ref _isEnding, true);

    /// <summary>
    /// Counts as use: the grace period starts anew, in the same step that finds it alive. False when it ends or has ended.
    /// </summary>
    public bool TryUse()
    {
        while (!IsEnding && Backend is { } backend)
        {
            if (backend.TryLease(out var lease))
            {
                lease.Dispose();
                return true;
            }

            var word = backend.Word;
            switch (word.Phase)
            {
                case BackendPhase.Ready:
                    break; // It became ready after the lease was asked for.
                case BackendPhase.Stopped:
                    return word.InstanceNumber == 0; // Its start is about to begin.
                case BackendPhase.Unhealthy:
                    Volatile.Write(ref backend.LastUseMs, _env.Clock.NowMs);
                    return true;
                default:
                    return word.Phase != BackendPhase.Stopping;
            }
        }

        return false;
    }

    /// <summary>How it is used at this moment.</summary>
    public SessionUse ReadUse()
    {
        if (!IsReady || Backend is not { } backend)
        {
            return default;
        }

        long idleMs = _env.Clock.NowMs - backend.UsedUntilMs();
        long inUse = backend.Word.InUse;
        return new SessionUse(true, inUse, inUse > 0 ? 0 : Math.Max(0, idleMs / 1000));
    }

    /// <summary>Completes when there are more states than that; at once when there are already, or when none will follow.</summary>
    public Task ChangedAsync(int known)
    {
        lock (_gate)
        {
            if (_history.Length > known || _history[^1].IsLast)
            {
                return Task.CompletedTask;
            }

            return (_changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    /// <summary>Takes in what has happened to the backend.</summary>
    public void Watch(LifecycleView view, IReadOnlyList<HistoryEvent> news)
    {
        foreach (var entry in news)
        {
            Take(entry);
        }

        if (view.Workload is not null && Status.State == SessionState.Scheduled)
        {
            Advance(SessionState.Running, Now);
        }

        if (Backend is { } backend && backend.Ended.IsCompleted)
        {
            _onEnded(this);
        }
    }

    private void Take(HistoryEvent entry)
    {
        switch (entry.Event)
        {
            case HistoryEventKind.Woken:
                Advance(SessionState.Scheduled, entry.Time);
                break;
            case HistoryEventKind.Ready:
                Advance(SessionState.Running, entry.Time);
                Advance(SessionState.Ready, entry.Time);
                break;
            case HistoryEventKind.StartFailed or HistoryEventKind.Crashed:
                MarkEnding();
                Advance(SessionState.Failed, entry.Time);
                break;
            case HistoryEventKind.Stopping:
                MarkEnding();
                break;
            case HistoryEventKind.Stopped:
                MarkEnding();
                Advance(SessionState.Swept, entry.Time);
                break;
        }
    }

    private void Advance(SessionState state, DateTime time)
    {
        TaskCompletionSource? changed;
        lock (_gate)
        {
            var last = _history[^1];
            if (last.IsLast || state <= last.State)
            {
                return;
            }

            Volatile.Write(ref _history, [.. _history, new SessionStatus(state, time < last.Time ? last.Time : time)]);
            changed = _changed;
            _changed = null;
        }

        changed?.SetResult();
    }
}
