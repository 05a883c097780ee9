using System.Diagnostics.CodeAnalysis;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;

namespace Spawngate.Backends;

/// <summary>
/// One backend as requests see it: <see cref="TryEnter"/> and <see cref="Leave"/> when it is ready, <see cref="Enqueue"/> when it is not.
/// What it runs as, and when, is the business of its <see cref="BackendLifecycle"/>.
/// </summary>
internal sealed class Backend
{
    private readonly BackendEnvironment _env;
    private readonly IReadOnlyList<Backend> _startBarrier;
    private BackendConfig _config;
    private BackendLifecycle? _lifecycle;
    private BackendTraffic? _traffic;
    private NoticeLimit? _failureNotices;
    private long _lastUseMs;

    /// <summary>Makes a stopped backend.</summary>
    /// <param name="env">What all backends share.</param>
    /// <param name="config">Its settings.</param>
    /// <param name="predecessors">
    /// Removed backends that have to end before this one may start, because it has the same name, host, port or container name.
    /// </param>
    /// <param name="ephemeral">Set when it starts once only.</param>
    public Backend(
        BackendEnvironment env,
        BackendConfig config,
        IReadOnlyList<Backend>? predecessors = null,
        EphemeralLifetime? ephemeral = null
    )
    {
        EphemeralLifetime = ephemeral;
        _env = env;
        _config = config;
        ViaMark = Backends.ViaMark.Of(config.Name);
        _startBarrier = predecessors ?? [];
    }

    /// <summary>By what everybody knows it; a reload that changes its name ends it and makes another.</summary>
    public string Name => Volatile.Read(ref _config).Name;

    /// <summary>The host it serves, as normalised by the configuration; may be a wildcard. A reload may change it.</summary>
    public string Hostname => Volatile.Read(ref _config).Hostname;

    /// <summary>Its settings; a reload replaces them.</summary>
    public BackendConfig Config => Volatile.Read(ref _config);

    /// <summary>What stands for it in Via.</summary>
    public ulong ViaMark { get; }

    /// <summary>Set when it starts once only.</summary>
    public EphemeralLifetime? EphemeralLifetime { get; }

    /// <summary>Phase, instance number and in-flight count at this moment.</summary>
    public BackendWord Word => Volatile.Read(ref _lifecycle)?.State.Read() ?? default;

    /// <summary>What went through it; made when it is first asked for.</summary>
    public BackendTraffic Traffic =>
        Volatile.Read(ref _traffic)
        ?? Interlocked.CompareExchange(ref _traffic, new BackendTraffic(EphemeralLifetime?.Traffic), null)
        ?? _traffic;

    /// <summary>Which of its failures the log tells; made when it is first asked for.</summary>
    public NoticeLimit FailureNotices =>
        Volatile.Read(ref _failureNotices) ?? Interlocked.CompareExchange(ref _failureNotices, new NoticeLimit(), null) ?? _failureNotices;

    /// <summary>What went through it; null when nothing did.</summary>
    public BackendTraffic? KnownTraffic => Volatile.Read(ref _traffic);

    /// <summary>The events of its life; null when it was never woken.</summary>
    public EventHistory? KnownHistory => Volatile.Read(ref _lifecycle)?.Report.History;

    /// <summary>What is counted of it; null when it was never woken.</summary>
    public BackendNumbers? ReadNumbers() =>
        Volatile.Read(ref _lifecycle) is { } lifecycle
            ? new BackendNumbers(KnownTraffic, lifecycle.Report.ReadEvents(), lifecycle.Report.ChecksFailed)
            : null;

    /// <summary>Completes when a removed or gateway-stopped backend has ended.</summary>
    public Task Ended => Lifecycle.End.Ended;

    /// <summary>
    /// Made when it is first needed: of ten thousand configured backends most are never used, and each of them is gone through when the
    /// collector looks at the whole heap.
    /// </summary>
    internal BackendLifecycle Lifecycle => Volatile.Read(ref _lifecycle) ?? Publish(new BackendLifecycle(this, _env, _startBarrier));

    /// <summary>Where <c>BackendSet</c> notes, under its gate, in which reload it last saw this backend.</summary>
    internal int SeenInReload { get; set; }

    internal ref long LastUseMs => ref _lastUseMs;

    /// <summary>
    /// Admits a request if the backend is ready: no allocation, no lock. Then <see cref="Leave"/> must be called exactly once.
    /// </summary>
    public bool TryEnter([NotNullWhen(true)] out ReadyInstance? instance)
    {
        if (Volatile.Read(ref _lifecycle) is { } lifecycle)
        {
            instance = lifecycle.Queue.Instance;
            if (
                instance is not null
                && (lifecycle.State.TryEnter(instance.InstanceNumber) || TryEnterLimited(lifecycle, instance, passive: false, out _))
            )
            {
                return true;
            }
        }

        instance = null;
        return false;
    }

    /// <summary>
    /// Admits a request that does not count as use, if the backend is ready, or decides at once: it never waits, and never wakes anything.
    /// If it is admitted, <see cref="Leave"/> must be called exactly once. With <see cref="AdmissionOutcome.NoRoom"/> it may still be
    /// enqueued, to wait for room.
    /// </summary>
    /// <param name="countedPassive">How it was counted, for <see cref="Leave"/>.</param>
    public Admission EnterPassive(out bool countedPassive)
    {
        countedPassive = false;
        if (Volatile.Read(ref _lifecycle) is not { } lifecycle)
        {
            return new Admission(AdmissionOutcome.NotRunning, null, 0);
        }

        return
            lifecycle.Queue.Instance is { } instance
            && (
                lifecycle.State.TryEnterPassive(instance.InstanceNumber, out countedPassive)
                || TryEnterLimited(lifecycle, instance, passive: true, out countedPassive)
            )
            ? new Admission(AdmissionOutcome.Admitted, instance, 0)
            : lifecycle.Queue.ArrivePassive(out countedPassive);
    }

    /// <summary><see cref="TryEnter"/> as a lease that cannot be given back twice.</summary>
    public bool TryLease(out BackendLease lease)
    {
        if (TryEnter(out var instance))
        {
            lease = new BackendLease(this, instance);
            return true;
        }

        lease = default;
        return false;
    }

    /// <summary>
    /// Ends a request that was admitted to <paramref name="instance"/>: no allocation, no lock unless it was the last one of a stop or
    /// others wait for its place.
    /// </summary>
    /// <param name="instance">The instance it was admitted to.</param>
    /// <param name="countedPassive">Whether it was counted as one that does not use the backend.</param>
    /// <param name="tunnel">Whether it had become a tunnel.</param>
    public void Leave(ReadyInstance instance, bool countedPassive = false, bool tunnel = false)
    {
        if (tunnel)
        {
            // Before the count drops: so it has a place of its own for a moment, never two.
            instance.ChangeTunnels(-1);
        }

        if (!countedPassive)
        {
            // Before the count drops: whoever then sees nothing in use also sees this time, and the idle clock starts here.
            Volatile.Write(ref _lastUseMs, _env.Clock.NowMs);
        }

        var lifecycle = _lifecycle!;
        switch (lifecycle.State.Leave(instance.InstanceNumber, countedPassive))
        {
            case LeaveOutcome.LastOfStop:
                lifecycle.Mailbox.Post(new LifecycleMessage(LifecycleInput.Drained, instance.InstanceNumber));
                break;
            case LeaveOutcome.MakesRoom:
                lifecycle.Queue.Fill();
                break;
        }
    }

    /// <summary>A request in flight has become a tunnel: it gives its place to another, and keeps the backend in use.</summary>
    public void BecomeTunnel(ReadyInstance instance)
    {
        instance.ChangeTunnels(1);
        var lifecycle = _lifecycle!;
        if (lifecycle.State.Read().Gate == ReadyGate.Crowded)
        {
            lifecycle.Queue.Fill();
        }
    }

    /// <summary>
    /// A tunnel that counts as use counts as such only while data passes: it is told of that, and leaves as what it then counts as.
    /// </summary>
    /// <param name="instance">The instance it was admitted to.</param>
    /// <param name="quietMs">Milliseconds without data after which it does not count.</param>
    /// <param name="close">Has it closed, at an idle stop.</param>
    public WatchedTunnel WatchTunnel(ReadyInstance instance, long quietMs, Action close) =>
        instance.Watch(() => new WatchedTunnels(this, _lifecycle!, _env.Clock, instance.InstanceNumber)).Add(quietMs, close);

    /// <summary>It was used at that time, if not later.</summary>
    internal void NoteUse(long usedMs)
    {
        var seen = Volatile.Read(ref _lastUseMs);
        while (seen < usedMs)
        {
            var found = Interlocked.CompareExchange(ref _lastUseMs, usedMs, seen);
            if (found == seen)
            {
                return;
            }

            seen = found;
        }
    }

    /// <summary>
    /// The cold path: holds a request until the backend is ready, waking it if need be, or decides at once. The waiter may already be
    /// decided when it is returned.
    /// </summary>
    /// <param name="cause">What it came for.</param>
    /// <param name="yields">
    /// Whether it has something else to show than an answer, so that it may take half of the queue at most and pushes nobody out who has
    /// not.
    /// </param>
    /// <param name="passive">Whether it does not count as use: then it waits for room at a ready backend only.</param>
    public BackendWaiter Enqueue(WakeCause cause, bool yields = false, bool passive = false)
    {
        var waiter = new BackendWaiter(cause, _env.Time.GetTimestamp(), passive);
        var lifecycle = Lifecycle;
        if (lifecycle.Queue.Arrive(waiter, Config.MaxQueuedRequests, yields) is { } input)
        {
            lifecycle.Mailbox.Post(new LifecycleMessage(input, 0, cause, waiter.EnqueuedTimestamp));
        }

        return waiter;
    }

    /// <summary>
    /// Gives up waiting, because the client left. True when that won: the waiter is then decided as
    /// <see cref="AdmissionOutcome.Cancelled"/>. False when the backend was faster: the caller awaits <see cref="BackendWaiter.Decision"/>
    /// and, if admitted, leaves.
    /// </summary>
    public bool Cancel(BackendWaiter waiter)
    {
        if (!waiter.IsPassive)
        {
            // To wait for room is use, too: see Leave.
            Volatile.Write(ref _lastUseMs, _env.Clock.NowMs);
        }

        return Lifecycle.Queue.Cancel(waiter);
    }

    /// <summary>Starts one that starts once, before anybody asks for it.</summary>
    public void Begin(WakeCause cause) =>
        Lifecycle.Mailbox.Post(new LifecycleMessage(LifecycleInput.Wake, 0, cause, _env.Time.GetTimestamp()));

    /// <summary>Asks for a start; overrides the wait after failures.</summary>
    /// <returns>False when so many commands wait that it is refused.</returns>
    public bool RequestStart() => TryPost(LifecycleInput.AdminStart);

    /// <summary>Asks for a stop. The next request starts the backend anew.</summary>
    /// <returns>False when so many commands wait that it is refused.</returns>
    public bool RequestStop() => TryPost(LifecycleInput.AdminStop);

    /// <summary>Asks for a stop and a start; requests in between are held.</summary>
    /// <returns>False when so many commands wait that it is refused.</returns>
    public bool RequestRestart() => TryPost(LifecycleInput.AdminRestart);

    /// <summary>The ready URL was called.</summary>
    /// <param name="token">The token that came with it, if any.</param>
    /// <param name="adminAuthorised">Whether the caller proved to be the administrator.</param>
    public ReadyCallbackOutcome ReportReady(string? token, bool adminAuthorised)
    {
        var lifecycle = Volatile.Read(ref _lifecycle);
        var current = lifecycle?.Current;
        if (!adminAuthorised && current?.HasToken(token) != true)
        {
            return ReadyCallbackOutcome.Unauthorised;
        }

        var word = Word;
        if (current is null || word.Phase != BackendPhase.Starting || word.InstanceNumber != current.InstanceNumber)
        {
            return ReadyCallbackOutcome.NotStarting;
        }

        lifecycle!.Mailbox.Post(new LifecycleMessage(LifecycleInput.CallbackReady, current.InstanceNumber, null, _env.Time.GetTimestamp()));
        return ReadyCallbackOutcome.Accepted;
    }

    /// <summary>The busy URL was called: the instance with that token works on, for so many seconds at least.</summary>
    /// <param name="token">The token that came with it.</param>
    /// <param name="secs">Seconds from now; 0 to end the lease.</param>
    public Task<LeaseOutcome> LeaseAsync(string token, int secs)
    {
        if (Volatile.Read(ref _lifecycle) is not { } lifecycle || lifecycle.Current is not { } current || !current.HasToken(token))
        {
            return Task.FromResult(LeaseOutcome.Unauthorised);
        }

        var call = new LeaseCall(secs);
        return lifecycle.Mailbox.TryPost(new LifecycleMessage(LifecycleInput.Lease, current.InstanceNumber, call))
            ? call.Answer
            : Task.FromResult(LeaseOutcome.TooMany);
    }

    /// <summary>Until when it was used, on the coarse clock: until the last request, or the lease. Not later than now.</summary>
    public long UsedUntilMs() =>
        Math.Min(_env.Clock.NowMs, IdleClock.UsedUntilMs(Volatile.Read(ref _lastUseMs), Volatile.Read(ref _lifecycle)?.Report.View.Lease));

    /// <summary>What the admin API shows.</summary>
    public BackendStatus GetStatus()
    {
        if (Volatile.Read(ref _lifecycle) is not { } lifecycle)
        {
            return LifecycleView.Initial.ToStatus(Config, default, 0, 0, 0, 0);
        }

        var queue = lifecycle.Queue;
        return lifecycle.Report.View.ToStatus(
            Config,
            lifecycle.State.Read(),
            queue.Count,
            queue.RetryAfterSecs,
            Volatile.Read(ref _lastUseMs),
            _env.Clock.NowMs
        ) with
        {
            LastEvent = lifecycle.Report.History?.Last,
        };
    }

    /// <summary>How far its start is, for a page that shows it.</summary>
    public (BackendPhase Phase, int InstanceNumber, StartProgress Start) GetProgress()
    {
        if (Volatile.Read(ref _lifecycle) is not { } lifecycle)
        {
            return default;
        }

        var start = lifecycle.Report.View.Start;
        var word = lifecycle.State.Read();
        return (word.Phase, word.InstanceNumber, start);
    }

    /// <summary>
    /// The answer to who waits for the start of that number or a later one and comes when it has failed; null when it has not, or something
    /// is under way again.
    /// </summary>
    public Admission? FailureSince(int start) =>
        Volatile.Read(ref _lifecycle) is { State.Phase: BackendPhase.Stopped } lifecycle
        && start > 0
        && lifecycle.Report.View.FailedStart >= start
            ? new Admission(AdmissionOutcome.StartFailed, null, lifecycle.Queue.RetryAfterSecs)
            : null;

    /// <summary>The events of its life, oldest first; empty when it was never woken.</summary>
    public IReadOnlyList<HistoryEvent> ReadHistory() => Volatile.Read(ref _lifecycle)?.Report.History?.Snapshot() ?? [];

    /// <summary>Replaces the settings: timeouts count from now on, the rest from the next start.</summary>
    internal void Reconfigure(BackendConfig config)
    {
        // A full fence: a lifecycle that is not seen here was made after this, and sees the new settings.
        Interlocked.Exchange(ref _config, config);
        Volatile.Read(ref _lifecycle)?.Mailbox.Post(new LifecycleMessage(LifecycleInput.Reconfigured));
    }

    /// <summary>Drains, stops and never starts again; <see cref="Ended"/> completes then.</summary>
    /// <param name="input">Who closes it.</param>
    /// <param name="reason">Why, if that does not follow from it.</param>
    internal void Close(LifecycleInput input, StopReason? reason = null)
    {
        if (Volatile.Read(ref _lifecycle) is null)
        {
            var unused = new BackendLifecycle(this, _env, []);
            unused.CloseUnused();
            Publish(unused);
        }

        if (!Ended.IsCompleted)
        {
            Lifecycle.Mailbox.Post(new LifecycleMessage(input, 0, reason));
        }
    }

    private bool TryEnterLimited(BackendLifecycle lifecycle, ReadyInstance instance, bool passive, out bool countedPassive)
    {
        var limit = lifecycle.Queue.Limit;
        if (!limit.TryEnter(instance, itsTurn: false, passive, out countedPassive))
        {
            return false;
        }

        if (!limit.IsExceeded(instance))
        {
            return true;
        }

        Leave(instance, countedPassive);
        countedPassive = false;
        return false;
    }

    private BackendLifecycle Publish(BackendLifecycle made) => Interlocked.CompareExchange(ref _lifecycle, made, null) ?? made;

    private bool TryPost(LifecycleInput command) =>
        Lifecycle.Mailbox.TryPost(new LifecycleMessage(command, 0, null, _env.Time.GetTimestamp()));
}

/// <summary>
/// A request's hold on an instance. Disposing it a second time has no effect, so it fits a <c>using</c> and a <c>finally</c> alike; it is
/// not to be copied.
/// </summary>
internal struct BackendLease : IDisposable
{
    private Backend? _backend;

    private readonly bool _countedPassive;
    private WatchedTunnel? _tunnel;

    /// <summary>Takes over a request that is already counted in flight in <paramref name="instance"/>.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="instance">Its instance.</param>
    /// <param name="countedPassive">Whether it was counted as one that does not use the backend.</param>
    public BackendLease(Backend backend, ReadyInstance instance, bool countedPassive = false)
    {
        _backend = backend;
        _countedPassive = countedPassive;
        Instance = instance;
    }

    /// <summary>The instance that was entered.</summary>
    public ReadyInstance Instance { get; }

    /// <summary>The request has become a tunnel: it gives its place to another, and keeps the backend in use.</summary>
    public void BecomeTunnel()
    {
        _tunnel = WatchedTunnel.Unwatched;
        _backend!.BecomeTunnel(Instance);
    }

    /// <summary>
    /// The tunnel keeps the backend in use only while data passes. Null when it does not keep it anyway.
    /// </summary>
    /// <param name="quietMs">Milliseconds without data after which it does not count.</param>
    /// <param name="close">Has it closed, at an idle stop.</param>
    public WatchedTunnel? WatchTunnel(long quietMs, Action close)
    {
        if (_countedPassive)
        {
            return null;
        }

        _tunnel = _backend!.WatchTunnel(Instance, quietMs, close);
        return _tunnel;
    }

    /// <summary>Leaves the instance.</summary>
    public void Dispose()
    {
        if (_backend is { } backend)
        {
            var (instance, countedPassive, tunnel) = (Instance, _countedPassive, _tunnel);
            this = default; // It keeps nothing of a backend that may be removed.
            if (tunnel is null)
            {
                backend.Leave(instance, countedPassive);
            }
            else
            {
                backend.Leave(instance, tunnel.End(countedPassive), tunnel: true);
            }
        }
    }
}
