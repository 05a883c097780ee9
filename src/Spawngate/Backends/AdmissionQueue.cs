using Spawngate.Runtime;

namespace Spawngate.Backends;

/// <summary>
/// Where held requests and phase changes meet. Both happen inside one gate, a lock that only the cold path takes, so a request
/// either sees the new phase or is in the queue when the phase changes: no wake-up is lost and no request is left behind. Waiters are
/// completed after the gate is released, in the order of their arrival.
/// </summary>
/// <remarks>
/// While the backend is Ready they wait for room under <see cref="Limit"/>. The word is Crowded as long as somebody does: then nobody comes
/// in but through the gate, and whoever leaves calls <see cref="Fill"/>, which admits as many as there is room for. The mark is set before
/// the last look for room, so that either this look or the one who leaves finds it.
/// </remarks>
/// <param name="state">The word.</param>
/// <param name="clock">The time of waits after failures.</param>
/// <param name="startsOnce">
/// Whether the first stop, failure or crash closes the room in the same step: then nobody waits for another start.
/// </param>
internal sealed class AdmissionQueue(BackendState state, CoarseClock clock, bool startsOnce = false)
{
    private static readonly Admission _shuttingDown = new(AdmissionOutcome.ShuttingDown, null, 0);
    private readonly Lock _gate = new();
    private readonly WaiterQueue _queue = new();
    private bool _holdWhileStopping;
    private bool _mayResume;
    private bool _closed;
    private long _retryAtMs;
    private ReadyInstance? _run;

    /// <summary>How many may be in flight.</summary>
    public ConcurrencyLimit Limit { get; } = new(state);

    /// <summary>The instance that is admitted to, published before the word says Ready; null while nothing runs.</summary>
    public ReadyInstance? Instance => Volatile.Read(ref _run);

    /// <summary>Requests held now.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _queue.Count;
            }
        }
    }

    /// <summary>Those of them that count as use.</summary>
    public int Users
    {
        get
        {
            lock (_gate)
            {
                return _queue.Users;
            }
        }
    }

    /// <summary>Since when the first waits for room at a ready backend, in coarse milliseconds; null when none does.</summary>
    public long? RoomSinceMs
    {
        get
        {
            lock (_gate)
            {
                return state.Phase == BackendPhase.Ready ? _queue.First?.RoomSinceMs : null;
            }
        }
    }

    /// <summary>Seconds until a request may start the backend again; 0 when one may now.</summary>
    public int RetryAfterSecs
    {
        get
        {
            lock (_gate)
            {
                return RetryAfterLocked();
            }
        }
    }

    /// <summary>Decides an arriving request or holds it.</summary>
    /// <param name="waiter">The request.</param>
    /// <param name="queueMax">How many may be held.</param>
    /// <param name="yields">Whether it may take half of that at most, unless it waits for room only.</param>
    /// <returns>
    /// What the lifecycle has to be told: to wake the backend, or that something is due at another time now. Null for nothing.
    /// </returns>
    public LifecycleInput? Arrive(BackendWaiter waiter, int queueMax, bool yields = false)
    {
        var decided = default(DecidedWaiters);
        LifecycleInput? tell = null;
        lock (_gate)
        {
            var phase = state.Phase;
            queueMax = yields && phase != BackendPhase.Ready ? Math.Max(1, queueMax / 2) : queueMax;
            if ((waiter.IsPassive ? DecidePassiveLocked(out var countedPassive) : DecideLocked(phase, out countedPassive)) is { } now)
            {
                decided.Add(waiter, now, countedPassive);
            }
            else if (_queue.Count >= queueMax)
            {
                decided.Add(waiter, new Admission(AdmissionOutcome.QueueFull, null, 0));
            }
            else
            {
                waiter.RoomSinceMs = clock.NowMs;
                _queue.Append(waiter);
                FillLocked(ref decided);
                tell = phase == BackendPhase.Ready && _queue.Count == 1 ? LifecycleInput.Due : null;
            }

            if (
                !waiter.IsPassive
                && (
                    (phase == BackendPhase.Stopped && !_closed && RetryAfterLocked() == 0) || (phase == BackendPhase.Stopping && _mayResume)
                )
            )
            {
                tell = LifecycleInput.Wake;
            }
        }

        decided.Complete();
        return tell;
    }

    /// <summary>
    /// Decides a request that does not count as use, at once: it is admitted to what is ready, and never held for a start. If there is no
    /// room it may be made to wait for it.
    /// </summary>
    /// <param name="countedPassive">How it was counted.</param>
    public Admission ArrivePassive(out bool countedPassive)
    {
        lock (_gate)
        {
            return DecidePassiveLocked(out countedPassive) ?? new Admission(AdmissionOutcome.NoRoom, null, 0);
        }
    }

    /// <summary>Room was made at the ready backend: admits as many as it is enough for, in the order of their arrival.</summary>
    public void Fill()
    {
        var decided = default(DecidedWaiters);
        lock (_gate)
        {
            FillLocked(ref decided);
        }

        decided.Complete();
    }

    /// <summary>Changes how many may be in flight, from now on. Those who are stay.</summary>
    public void SetLimit(int max)
    {
        var decided = default(DecidedWaiters);
        lock (_gate)
        {
            if (Limit.Max == max)
            {
                return;
            }

            Limit.Max = max;
            FillLocked(ref decided);
        }

        decided.Complete();
    }

    /// <summary>
    /// Fails those who have waited for room at the ready backend for so long. To wait was use, unless they do not count as such.
    /// </summary>
    public void FailOverdue(long nowMs, long waitMs, ref long lastUse)
    {
        var decided = default(DecidedWaiters);
        lock (_gate)
        {
            while (state.Phase == BackendPhase.Ready && _queue.First is { } waiter && nowMs - waiter.RoomSinceMs >= waitMs)
            {
                Volatile.Write(ref lastUse, waiter.IsPassive ? Volatile.Read(ref lastUse) : nowMs);
                _queue.Remove(waiter);
                decided.Add(waiter, new Admission(AdmissionOutcome.TimedOut, null, 0));
            }

            FillLocked(ref decided);
        }

        decided.Complete();
    }

    /// <summary>Takes a waiter out of the queue. False when it was decided already: its owner then acts on the decision.</summary>
    public bool Cancel(BackendWaiter waiter)
    {
        var decided = default(DecidedWaiters);
        lock (_gate)
        {
            if (!waiter.IsQueued)
            {
                return false;
            }

            _queue.Remove(waiter);
            decided.Add(waiter, new Admission(AdmissionOutcome.Cancelled, null, 0));
            FillLocked(ref decided);
        }

        decided.Complete();
        return true;
    }

    /// <summary>The cause and arrival of the request that has waited longest; null when none waits.</summary>
    public (WakeCause Cause, long Timestamp)? Oldest()
    {
        lock (_gate)
        {
            return _queue.First is { } first ? (first.Cause, first.EnqueuedTimestamp) : null;
        }
    }

    /// <summary>Stopped to Starting; forgets a wait after failures.</summary>
    public int BeginStart()
    {
        lock (_gate)
        {
            _retryAtMs = 0;
            return state.BeginStart();
        }
    }

    /// <summary>
    /// Starting to Ready, with the held requests admitted, or as many of them as there is room for. Returns how many there were.
    /// </summary>
    public int OpenReady(ReadyInstance instance)
    {
        var decided = default(DecidedWaiters);
        int held;
        lock (_gate)
        {
            held = _queue.Count;
            Volatile.Write(ref _run, instance);
            AdmitHeldLocked(instance, ref decided, (admitted, gate) => state.BecomeReady(instance.InstanceNumber, admitted, gate));
        }

        decided.Complete();
        return held;
    }

    /// <summary>
    /// Starting to Stopped, or to Stopping when something has to be ended first; every held request fails now. Returns how many.
    /// </summary>
    public int FailStart(int instanceNumber, bool somethingLeft, long retryAtMs)
    {
        var decided = default(DecidedWaiters);
        lock (_gate)
        {
            _retryAtMs = retryAtMs;
            _queue.DecideAll(new Admission(AdmissionOutcome.StartFailed, null, RetryAfterLocked()), ref decided);
            SetHoldLocked(true);
            if (somethingLeft)
            {
                state.BeginStop(instanceNumber);
            }
            else
            {
                state.FailStart(instanceNumber);
            }
        }

        decided.Complete();
        return decided.Count;
    }

    /// <summary>Ready to Unhealthy. Those who wait for room are told so, like those who come.</summary>
    public void MarkUnhealthy(int instanceNumber)
    {
        var decided = default(DecidedWaiters);
        lock (_gate)
        {
            state.MarkUnhealthy(instanceNumber);
            _queue.DecideAll(new Admission(AdmissionOutcome.Unhealthy, null, 0), ref decided);
        }

        decided.Complete();
    }

    /// <summary>Unhealthy to Ready.</summary>
    public void Recover(int instanceNumber)
    {
        lock (_gate)
        {
            state.Recover(instanceNumber, GateLocked());
        }
    }

    /// <summary>
    /// Ready and unused to Stopping: nothing in use, and nothing that would be waits for room. A request that came and went after the idle
    /// clock was read has moved <paramref name="lastUse"/>: the stop is then taken back inside the gate, where nobody could have acted on
    /// it.
    /// </summary>
    /// <param name="instanceNumber">The instance.</param>
    /// <param name="lastUseSeenMs">The time of last use that the idle clock saw.</param>
    /// <param name="lastUse">Where that time is kept.</param>
    /// <param name="passiveCount">Those in flight, to be waited for. As long as they are, <see cref="Resume"/> is possible.</param>
    public bool TryBeginIdleStop(int instanceNumber, long lastUseSeenMs, ref long lastUse, out int passiveCount)
    {
        var decided = default(DecidedWaiters);
        passiveCount = 0;
        lock (_gate)
        {
            if (_queue.Users > 0 || !state.TryBeginIdleStop(instanceNumber, out passiveCount))
            {
                return false;
            }

            if (Volatile.Read(ref lastUse) != lastUseSeenMs)
            {
                state.TakeBackIdleStop(instanceNumber, 0, GateLocked());
                return false;
            }

            SetHoldLocked(true);
            _mayResume = passiveCount > 0 && !startsOnce;
            TurnAwayPassiveLocked(ref decided);
        }

        decided.Complete();
        return true;
    }

    /// <summary>
    /// Stopping for idleness, with the process still untouched, back to Ready, with the held requests admitted, or as many of them as there
    /// is room for. Returns how many there were; when there are none, nothing changes, unless it is to resume even for nobody.
    /// </summary>
    public int Resume(int instanceNumber, bool evenForNobody = false)
    {
        var decided = default(DecidedWaiters);
        int held;
        lock (_gate)
        {
            held = _queue.Count;
            if (held == 0 && !evenForNobody)
            {
                return 0;
            }

            _holdWhileStopping = _mayResume = false;
            AdmitHeldLocked(_run!, ref decided, (admitted, gate) => state.TakeBackIdleStop(instanceNumber, admitted, gate));
        }

        decided.Complete();
        return held;
    }

    /// <summary>Starting, Ready or Unhealthy to Stopping. Returns the requests in flight.</summary>
    public long BeginStop(int instanceNumber, bool hold)
    {
        var decided = default(DecidedWaiters);
        long inFlight;
        lock (_gate)
        {
            inFlight = state.BeginStop(instanceNumber);
            SetHoldLocked(hold);
            _mayResume = false;
            TurnAwayPassiveLocked(ref decided);
            if (!_holdWhileStopping)
            {
                _queue.DecideAll(_shuttingDown, ref decided);
            }
        }

        decided.Complete();
        return inFlight;
    }

    /// <summary>Changes, while Stopping, what happens to requests: held from now on, or refused, those already held included.</summary>
    public void SetHoldWhileStopping(bool hold)
    {
        var decided = default(DecidedWaiters);
        lock (_gate)
        {
            SetHoldLocked(hold);
            _mayResume = false;
            if (_holdWhileStopping)
            {
                _retryAtMs = 0;
            }
            else
            {
                _queue.DecideAll(_shuttingDown, ref decided);
            }
        }

        decided.Complete();
    }

    /// <summary>
    /// Ready or Unhealthy to Stopped. Those who waited for room are held for the next start, if there may be one now. Returns how many.
    /// </summary>
    public int Crash(int instanceNumber, long retryAtMs)
    {
        var decided = default(DecidedWaiters);
        int held;
        lock (_gate)
        {
            _retryAtMs = retryAtMs;
            _closed |= startsOnce;
            state.Crash(instanceNumber);
            Volatile.Write(ref _run, null);
            TurnAwayPassiveLocked(ref decided);
            if (DecideLocked(BackendPhase.Stopped, out _) is { } now)
            {
                _queue.DecideAll(now, ref decided);
            }

            held = _queue.Count;
        }

        decided.Complete();
        return held;
    }

    /// <summary>Stopping to Stopped. Returns how many requests are held for the next start.</summary>
    public int FinishStop(int instanceNumber)
    {
        lock (_gate)
        {
            state.FinishStop(instanceNumber);
            _mayResume = false;
            Volatile.Write(ref _run, null);
            return _queue.Count;
        }
    }

    /// <summary>Fails the requests held while the wait after failures lasts.</summary>
    public void FailHeld()
    {
        var decided = default(DecidedWaiters);
        lock (_gate)
        {
            _queue.DecideAll(new Admission(AdmissionOutcome.StartFailed, null, RetryAfterLocked()), ref decided);
        }

        decided.Complete();
    }

    /// <summary>Refuses every request from now on that meets a stopped or stopping backend, those held included.</summary>
    public void Close()
    {
        var decided = default(DecidedWaiters);
        lock (_gate)
        {
            _closed = true;
            _queue.DecideAll(_shuttingDown, ref decided);
            FillLocked(ref decided);
        }

        decided.Complete();
    }

    private Admission? DecideLocked(BackendPhase phase, out bool countedPassive)
    {
        countedPassive = false;
        switch (phase)
        {
            case BackendPhase.Ready:
                // The phase cannot change inside the gate, so this always enters, or there is no room.
                return TryEnterLocked(passive: false, out countedPassive) ? new Admission(AdmissionOutcome.Admitted, _run, 0)
                    : Limit.Max > 0 ? null
                    : _shuttingDown;
            case BackendPhase.Unhealthy:
                return new Admission(AdmissionOutcome.Unhealthy, null, 0);
            case BackendPhase.Starting:
                return null;
            case BackendPhase.Stopping when !_holdWhileStopping || _closed:
            case BackendPhase.Stopped when _closed:
                return _shuttingDown;
            default:
                var retryAfter = RetryAfterLocked();
                return retryAfter == 0 ? null : new Admission(AdmissionOutcome.StartFailed, null, retryAfter);
        }
    }

    /// <summary>The same for one that does not count as use.</summary>
    private Admission? DecidePassiveLocked(out bool countedPassive)
    {
        countedPassive = false;
        return state.Phase switch
        {
            BackendPhase.Ready when TryEnterLocked(passive: true, out countedPassive) => new Admission(AdmissionOutcome.Admitted, _run, 0),
            BackendPhase.Ready when Limit.Max > 0 => null,
            BackendPhase.Unhealthy => new Admission(AdmissionOutcome.Unhealthy, null, 0),
            _ => new Admission(_closed ? AdmissionOutcome.ShuttingDown : AdmissionOutcome.NotRunning, null, 0),
        };
    }

    private bool TryEnterLocked(bool passive, out bool countedPassive) =>
        _queue.Count == 0 ? TryTakePlaceLocked(passive, out countedPassive) : (countedPassive = false);

    private bool TryTakePlaceLocked(bool passive, out bool countedPassive)
    {
        var instance = _run!;
        if (!Limit.TryEnter(instance, itsTurn: true, passive, out countedPassive))
        {
            return false;
        }

        if (!Limit.IsExceeded(instance))
        {
            return true;
        }

        state.Leave(instance.InstanceNumber, countedPassive);
        return false;
    }

    /// <summary>Ready only: admits as many of those who wait as there is room for.</summary>
    private void FillLocked(ref DecidedWaiters decided)
    {
        if (state.Phase != BackendPhase.Ready)
        {
            return;
        }

        SetGateLocked();
        while (_queue.First is { } waiter && TryTakePlaceLocked(waiter.IsPassive, out var countedPassive))
        {
            _queue.Remove(waiter);
            decided.Add(waiter, new Admission(AdmissionOutcome.Admitted, _run, 0), countedPassive);
        }

        SetGateLocked();
    }

    /// <summary>
    /// Makes the backend ready for those who are held: all are admitted in the step that makes it so, or one by one, before anybody else,
    /// when there is a limit.
    /// </summary>
    private void AdmitHeldLocked(ReadyInstance instance, ref DecidedWaiters decided, Action<int, ReadyGate> becomeReady)
    {
        if (Limit.Max == 0)
        {
            becomeReady(_queue.Count, ReadyGate.Open);
            _queue.DecideAll(new Admission(AdmissionOutcome.Admitted, instance, 0), ref decided);
            return;
        }

        for (var waiter = _queue.First; waiter is not null; waiter = waiter.Next)
        {
            waiter.RoomSinceMs = clock.NowMs;
        }

        becomeReady(0, GateLocked());
        FillLocked(ref decided);
    }

    private void SetGateLocked()
    {
        if (state.Read().Gate != GateLocked())
        {
            state.SetGate(_run!.InstanceNumber, GateLocked());
        }
    }

    /// <summary>How requests come in while it is Ready.</summary>
    private ReadyGate GateLocked() =>
        Limit.Max == 0 ? ReadyGate.Open
        : _queue.Count > 0 ? ReadyGate.Crowded
        : ReadyGate.Limited;

    /// <summary>What waits for room but not for a start is not held any more.</summary>
    private void TurnAwayPassiveLocked(ref DecidedWaiters decided) =>
        _queue.DecidePassive(new Admission(_closed ? AdmissionOutcome.ShuttingDown : AdmissionOutcome.NotRunning, null, 0), ref decided);

    private void SetHoldLocked(bool hold)
    {
        _holdWhileStopping = hold && !startsOnce;
        _closed |= startsOnce;
    }

    private int RetryAfterLocked()
    {
        var waitMs = _retryAtMs - clock.NowMs;
        return waitMs <= 0 ? 0 : (int)((waitMs + 999) / 1000);
    }
}
