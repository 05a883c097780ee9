using System.Globalization;
using Spawngate.Runtime;
using Spawngate.Telemetry.History;
using Spawngate.Workloads;

namespace Spawngate.Backends;

/// <summary>
/// What a lifecycle tells people: one log line and one entry of the history per change, and the view that the admin API reads. It decides
/// nothing.
/// </summary>
internal sealed class LifecycleReport(BackendEnvironment env, Backend backend)
{
    private readonly List<HistoryEvent> _news = [];
    private LifecycleView _view = LifecycleView.Initial;
    private EventHistory? _history;
    private long[] _events = [];
    private long _checksFailed;
    private long _keptAwakeMs;
    private int _keptAwakeTimes;

    /// <summary>What the admin API reads, as of the latest message.</summary>
    public LifecycleView View => Volatile.Read(ref _view);

    /// <summary>What has happened; null when nothing has.</summary>
    public EventHistory? History => Volatile.Read(ref _history);

    /// <summary>Health checks of ready processes that failed.</summary>
    public long ChecksFailed => Interlocked.Read(ref _checksFailed);

    /// <summary>How often each kind of event has happened, by its number; empty when nothing has.</summary>
    public long[] ReadEvents() => History is null ? [] : (long[])_events.Clone();

    /// <summary>Brings the view up to date after a message.</summary>
    public void Publish(BackendInstance? current, StopProgress? stop, int failures)
    {
        Volatile.Write(
            ref _view,
            _view with
            {
                Port = current?.Port ?? 0,
                Pid = current?.Workload?.Pid,
                Workload = current?.Workload?.Description,
                Facts = current?.Workload?.Facts ?? [],
                WokenBy = current?.Cause ?? _view.WokenBy,
                Start = current is null
                    ? _view.Start
                    : _view.Start with
                    {
                        IsSpawned = current.Workload is not null,
                        IsListening = current.ListeningTimestamp != 0,
                    },
                Failures = failures,
                FailedChecks = current?.FailedChecks ?? 0,
                Lease = current?.Lease,
                Stopping = stop?.Reason,
            }
        );

        // Only now, so that whoever hears of it and asks sees what the view says.
        foreach (var entry in _news)
        {
            env.Feed.Publish(new HistoryNews(backend.Hostname, entry) { GivenName = backend.Config.GivenName });
        }

        backend.EphemeralLifetime?.Tell(_view, _news);
        _news.Clear();
    }

    /// <summary>A start begins.</summary>
    public void Starting(BackendInstance current)
    {
        _view = _view with { Start = new StartProgress(current.WokenTimestamp, env.Time.GetUtcNow(), false, false) };
        var reason =
            current.Cause.Detail is { } detail && current.Cause.By is null ? $"{current.Cause.KindName}: {detail}" : current.Cause.KindName;
        Note(
            new HistoryEvent
            {
                Event = HistoryEventKind.Woken,
                Start = current.InstanceNumber,
                Reason = reason,
                By = current.Cause.By,
            }
        );
        LifecycleLog.Starting(env.Log, backend.Name, current.Cause.ToString(), current.InstanceNumber);
    }

    /// <summary>It is ready.</summary>
    public void Ready(BackendInstance current, StartTimings timings, int held)
    {
        _view = _view with { LastStart = timings, ReadySince = env.Time.GetUtcNow() };
        _keptAwakeTimes = 0;
        env.Traffic.Spawn.ObserveMs(timings.SpawnMs);
        env.Traffic.Ready.ObserveMs(timings.ReadyMs);
        if (timings.ListenMs is { } listenMs)
        {
            env.Traffic.Listen.ObserveMs(listenMs);
        }

        Note(
            new HistoryEvent
            {
                Event = HistoryEventKind.Ready,
                Start = current.InstanceNumber,
                Reason = LifecycleView.Name(timings.Signal, current.Config.HealthPath),
                Requests = held,
                SpawnMs = timings.SpawnMs,
                ListenMs = timings.ListenMs,
                ReadyMs = timings.ReadyMs,
            }
        );
        LifecycleLog.Ready(
            env.Log,
            backend.Name,
            timings.Signal switch
            {
                ReadySignal.Health => "health check",
                ReadySignal.Socket => "passed socket",
                _ => "callback",
            },
            current.Workload!.Description,
            current.Port,
            Ms(timings.SpawnMs),
            Ms(timings.ListenMs),
            Ms(timings.ReadyMs),
            held,
            timings.Judged,
            Ms(timings.ReadyMs)
        );
        if (current.IgnoredPort != 0)
        {
            LifecycleLog.PortLearned(env.Log, backend.Name, current.Workload.Description, current.Port, current.IgnoredPort);
        }
    }

    /// <summary>
    /// A connection was closed because of bytes that no request had asked for; on any thread. It is told once for each instance.
    /// </summary>
    public void Unsolicited(bool isFirst)
    {
        backend.Traffic.CountUnsolicited();
        if (isFirst)
        {
            LifecycleLog.Unsolicited(env.Log, backend.Name);
        }
    }

    /// <summary>Idle connections to an instance keep it from serving others; on any thread, told once for each instance.</summary>
    public void Blocked() => LifecycleLog.IdleBlocked(env.Log, backend.Name);

    /// <summary>A start failed.</summary>
    public void StartFailed(BackendInstance current, string reason, int failures, int held, ExitReport? exit)
    {
        _view = _view with { LastFailure = reason, FailedStart = current.InstanceNumber };
        var afterMs = current.SinceWokenMs(env.Time.GetTimestamp());
        Note(
            new HistoryEvent
            {
                Event = HistoryEventKind.StartFailed,
                Start = current.InstanceNumber,
                Reason = reason,
                Requests = held,
                AfterMs = (long)afterMs,
                Exit = Exit(exit),
                Output = exit?.LastLines,
            }
        );
        LifecycleLog.StartFailed(env.Log, backend.Name, reason, failures, StartBackoff.WaitSecs(failures), held, Ms(afterMs));
        LastOutput(exit);
    }

    /// <summary>A ready backend ended by itself.</summary>
    public void Crashed(BackendInstance current, ExitReport exit, int failures, long inFlight, long readyForMs)
    {
        _view = _view with { LastFailure = exit.Explain("while it was ready") };
        Note(
            new HistoryEvent
            {
                Event = HistoryEventKind.Crashed,
                Start = current.InstanceNumber,
                Reason = exit.Explain(""),
                Requests = inFlight,
                AfterMs = readyForMs,
                Exit = Exit(exit),
                Output = exit.LastLines,
            }
        );
        LifecycleLog.Crashed(env.Log, backend.Name, exit.Explain(""), failures, StartBackoff.WaitSecs(failures), inFlight, readyForMs);
        LastOutput(exit);
    }

    /// <summary>A health check of a ready backend failed.</summary>
    public void CheckFailed(BackendInstance current, string detail)
    {
        Interlocked.Increment(ref _checksFailed);
        LifecycleLog.CheckFailed(env.Log, backend.Name, detail, current.FailedChecks, backend.Config.UnhealthyThreshold);
    }

    /// <summary>So many did that it is unhealthy.</summary>
    public void Unhealthy(BackendInstance current, string detail)
    {
        Note(
            new HistoryEvent
            {
                Event = HistoryEventKind.Unhealthy,
                Start = current.InstanceNumber,
                Reason = detail,
                AfterMs = ReadyForMs(current),
            }
        );
        LifecycleLog.Unhealthy(env.Log, backend.Name, detail, current.FailedChecks, env.Clock.NowMs - current.ReadyAtMs);
    }

    /// <summary>It is healthy again.</summary>
    public void Recovered(BackendInstance current)
    {
        var afterMs = env.Clock.NowMs - current.UnhealthyAtMs;
        Note(
            new HistoryEvent
            {
                Event = HistoryEventKind.Recovered,
                Start = current.InstanceNumber,
                AfterMs = afterMs,
            }
        );
        LifecycleLog.Recovered(env.Log, backend.Name, afterMs);
    }

    /// <summary>
    /// Nothing has ended for a whole idle timeout, yet something is open, or the instance has a lease: that is why it runs on. Told once
    /// per timeout, in one entry that counts them, so that a tunnel which is open for days does not push out everything else.
    /// </summary>
    public void KeptAwake(BackendInstance current, long inFlight, long idleMs)
    {
        var nowMs = env.Clock.NowMs;
        var lease = current.Lease?.Words(nowMs);
        if ((inFlight == 0 && lease is null) || (_keptAwakeTimes > 0 && nowMs - _keptAwakeMs < idleMs))
        {
            return;
        }

        var activeRequests = inFlight == 0 ? [] : env.FindActiveRequests(backend, BackendLimits.HistoryActiveRequestsMax);
        var holders = activeRequests.Select(static active => active.Words);
        var entry = new HistoryEvent
        {
            Event = HistoryEventKind.KeptAwake,
            Start = current.InstanceNumber,
            Reason = inFlight == 0 ? "lease" : "in use",
            Requests = inFlight,
            ActiveRequests =
                activeRequests.Count == 0 && lease is null ? null : string.Join("; ", lease is null ? holders : holders.Prepend(lease)),
        };
        _keptAwakeMs = nowMs;
        var goesOn = _history!.Last is { Event: HistoryEventKind.KeptAwake } last && last.Start == current.InstanceNumber;
        _keptAwakeTimes = goesOn ? _keptAwakeTimes + 1 : 1;
        Note(entry with { Times = _keptAwakeTimes }, goesOn);
    }

    /// <summary>A stop begins.</summary>
    public void Stopping(BackendInstance current, StopReason reason, long inFlight)
    {
        Note(
            new HistoryEvent
            {
                Event = HistoryEventKind.Stopping,
                Start = current.InstanceNumber,
                Reason = StopProgress.Name(reason),
                Requests = inFlight,
                AfterMs = ReadyForMs(current),
            }
        );
        LifecycleLog.Stopping(env.Log, backend.Name, StopProgress.Name(reason), inFlight, ReadyForMs(current));
    }

    /// <summary>A stop for idleness that only waited for passive requests was called off by a request that counts.</summary>
    public void Resumed(BackendInstance current, int held, long afterMs, WakeCause cause)
    {
        Note(
            new HistoryEvent
            {
                Event = HistoryEventKind.Resumed,
                Start = current.InstanceNumber,
                Reason = cause.KindName,
                By = cause.By,
                Requests = held,
                AfterMs = afterMs,
            }
        );
        LifecycleLog.Resumed(env.Log, backend.Name, cause.ToString(), held, afterMs);
    }

    /// <summary>Requests in flight took too long.</summary>
    public void DrainCut(BackendInstance current, long inFlight, long afterMs)
    {
        Note(
            new HistoryEvent
            {
                Event = HistoryEventKind.Cut,
                Start = current.InstanceNumber,
                Reason = "drain timeout",
                Requests = inFlight,
                AfterMs = afterMs,
            }
        );
        LifecycleLog.DrainCut(env.Log, backend.Name, inFlight, afterMs);
    }

    /// <summary>SIGKILL is sent.</summary>
    public void Killing(BackendInstance current, string reason, long afterMs)
    {
        Note(
            new HistoryEvent
            {
                Event = HistoryEventKind.Killed,
                Start = current.InstanceNumber,
                Reason = reason,
                AfterMs = afterMs,
            }
        );
        LifecycleLog.Killing(env.Log, backend.Name, reason, afterMs);
    }

    /// <summary>A stop is over.</summary>
    public void Stopped(BackendInstance current, StopProgress stop, string exitText, ExitReport? exit)
    {
        Note(
            new HistoryEvent
            {
                Event = HistoryEventKind.Stopped,
                Start = current.InstanceNumber,
                Reason = StopProgress.Name(stop.Reason),
                AfterMs = stop.ElapsedMs,
                Exit = Exit(exit),
                Output = stop.Reason == StopReason.StartFailed ? exit?.LastLines : null,
            }
        );
        LifecycleLog.Stopped(env.Log, backend.Name, StopProgress.Name(stop.Reason), exitText, stop.ElapsedMs);
        if (stop.Reason == StopReason.StartFailed)
        {
            LastOutput(exit);
        }
    }

    /// <summary>An instance did not even end after being killed.</summary>
    public void GivenUp() => _view = _view with { LastFailure = "did not end after being killed" };

    /// <summary>A start is over, with all that belonged to it.</summary>
    public void Ended(BackendInstance current, StopReason reason) =>
        _view = _view with { LastStop = reason, WokenBy = current.Cause, ReadySince = null };

    private void Note(HistoryEvent entry, bool goesOn = false)
    {
        if (_history is null)
        {
            _events = new long[HistoryNames.Count];
            Volatile.Write(ref _history, new EventHistory(env.Histories));
        }

        if (!goesOn)
        {
            Interlocked.Increment(ref _events[(int)entry.Event]);
        }

        entry = entry with { Time = env.Time.GetUtcNow().UtcDateTime };
        _news.Add(goesOn ? _history.ReplaceLast(entry) : _history.Append(entry));
    }

    private long ReadyForMs(BackendInstance current) => current.ReadyAtMs == 0 ? 0 : env.Clock.NowMs - current.ReadyAtMs;

    private static HistoryExit? Exit(ExitReport? exit) => exit is null ? null : new HistoryExit(exit.Code, exit.Signal);

    private void LastOutput(ExitReport? exit)
    {
        foreach (var line in exit?.LastLines ?? [])
        {
            LifecycleLog.LastOutput(env.Log, backend.Name, line.StreamName, line.Text);
        }
    }

    private static string Ms(double? value) => value is { } ms ? ms.ToString("0.##", CultureInfo.InvariantCulture) : "";
}
