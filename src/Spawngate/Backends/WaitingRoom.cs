using Spawngate.Diagnostics;

namespace Spawngate.Backends;

/// <summary>
/// Where held requests and phase changes meet. Both happen inside one gate, a lock that only the cold path takes, so a request
/// either sees the new phase or is in the queue when the phase changes: no wake-up is lost and no request is left behind. Waiters are
/// completed after the gate is released, in the order of their arrival.
/// </summary>
/// <param name="state">The word.</param>
/// <param name="clock">The time of waits after failures.</param>
/// <param name="startsOnce">Whether the first stop, failure or crash closes the room in the same step: then nobody waits for another start.</param>
internal sealed class WaitingRoom(BackendState state, CoarseClock clock, bool startsOnce = false)
{
    private readonly Lock _gate = new();
    private BackendWaiter? _first;
    private BackendWaiter? _last;
    private int _count;
    private bool _holdWhileStopping;
    private bool _mayResume;
    private bool _closed;
    private long _retryAtMs;
    private BackendRun? _run;

    /// <summary>The run that is admitted to, published before the word says Ready; null while nothing runs.</summary>
    public BackendRun? Run => Volatile.Read(ref _run);

    /// <summary>Requests held now.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _count;
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

    /// <summary>Whether the backend will never start again.</summary>
    public bool IsClosed
    {
        get
        {
            lock (_gate)
            {
                return _closed;
            }
        }
    }

    /// <summary>Decides an arriving request or holds it. True when the backend has to be woken for it.</summary>
    public bool Arrive(BackendWaiter waiter, int queueMax)
    {
        Admission decided;
        var wake = false;
        lock (_gate)
        {
            var phase = state.Phase;
            wake = (phase == BackendPhase.Stopped && !_closed && RetryAfterLocked() == 0) || (phase == BackendPhase.Stopping && _mayResume);
            if (DecideLocked(phase) is { } now)
            {
                decided = now;
            }
            else if (_count >= queueMax)
            {
                decided = new Admission(AdmissionOutcome.QueueFull, null, 0);
            }
            else
            {
                AppendLocked(waiter);
                return wake;
            }
        }

        waiter.Complete(decided);
        return wake;
    }

    /// <summary>Decides a request that does not count as use, at once: it is admitted to what is ready, and never held.</summary>
    /// <param name="bystander">How it was counted.</param>
    public Admission ArriveAside(out bool bystander)
    {
        bystander = false;
        lock (_gate)
        {
            return state.Phase switch
            {
                BackendPhase.Ready when state.TryEnterAside(_run!.Generation, out bystander) => new Admission(AdmissionOutcome.Admitted, _run, 0),
                BackendPhase.Unhealthy => new Admission(AdmissionOutcome.Unhealthy, null, 0),
                _ => new Admission(_closed ? AdmissionOutcome.ShuttingDown : AdmissionOutcome.NotRunning, null, 0),
            };
        }
    }

    /// <summary>Takes a waiter out of the queue. False when it was decided already: its owner then acts on the decision.</summary>
    public bool Cancel(BackendWaiter waiter)
    {
        lock (_gate)
        {
            if (!waiter.IsQueued)
            {
                return false;
            }

            RemoveLocked(waiter);
        }

        waiter.Complete(new Admission(AdmissionOutcome.Cancelled, null, 0));
        return true;
    }

    /// <summary>The cause and arrival of the request that has waited longest; null when none waits.</summary>
    public (WakeCause Cause, long Timestamp)? Oldest()
    {
        lock (_gate)
        {
            return _first is null ? null : (_first.Cause, _first.EnqueuedTimestamp);
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

    /// <summary>Starting to Ready, with all held requests admitted. Returns how many.</summary>
    public int OpenReady(BackendRun run)
    {
        BackendWaiter? held;
        int admitted;
        lock (_gate)
        {
            admitted = _count;
            held = TakeAllLocked();
            Volatile.Write(ref _run, run);
            state.BecomeReady(run.Generation, admitted);
        }

        Complete(held, new Admission(AdmissionOutcome.Admitted, run, 0));
        return admitted;
    }

    /// <summary>Starting to Stopped, or to Stopping when something has to be ended first; every held request fails now. Returns how many.</summary>
    public int FailStart(int generation, bool somethingLeft, long retryAtMs)
    {
        BackendWaiter? held;
        int failed, retryAfter;
        lock (_gate)
        {
            _retryAtMs = retryAtMs;
            retryAfter = RetryAfterLocked();
            failed = _count;
            held = TakeAllLocked();
            SetHoldLocked(true);
            if (somethingLeft)
            {
                state.BeginStop(generation);
            }
            else
            {
                state.FailStart(generation);
            }
        }

        Complete(held, new Admission(AdmissionOutcome.StartFailed, null, retryAfter));
        return failed;
    }

    /// <summary>Ready to Unhealthy.</summary>
    public void MarkUnhealthy(int generation)
    {
        lock (_gate)
        {
            state.MarkUnhealthy(generation);
        }
    }

    /// <summary>Unhealthy to Ready.</summary>
    public void Recover(int generation)
    {
        lock (_gate)
        {
            state.Recover(generation);
        }
    }

    /// <summary>
    /// Ready and unused to Stopping. A request that came and went after the idle clock was read has moved <paramref name="lastUse"/>: the stop
    /// is then taken back inside the gate, where nobody could have acted on it.
    /// </summary>
    /// <param name="generation">The run.</param>
    /// <param name="lastUseSeenMs">The time of last use that the idle clock saw.</param>
    /// <param name="lastUse">Where that time is kept.</param>
    /// <param name="bystanders">Those in flight, to be waited for. As long as they are, <see cref="Resume"/> is possible.</param>
    public bool TryBeginIdleStop(int generation, long lastUseSeenMs, ref long lastUse, out int bystanders)
    {
        lock (_gate)
        {
            if (!state.TryBeginIdleStop(generation, out bystanders))
            {
                return false;
            }

            if (Volatile.Read(ref lastUse) != lastUseSeenMs)
            {
                state.TakeBackIdleStop(generation, 0);
                return false;
            }

            SetHoldLocked(true);
            _mayResume = bystanders > 0 && !startsOnce;
            return true;
        }
    }

    /// <summary>Stopping for idleness, with the process still untouched, back to Ready, with all held requests admitted. Returns how many; when there are none, nothing changes.</summary>
    public int Resume(int generation)
    {
        BackendWaiter? held;
        BackendRun run;
        int admitted;
        lock (_gate)
        {
            admitted = _count;
            if (admitted == 0)
            {
                return 0;
            }

            held = TakeAllLocked();
            run = _run!;
            _holdWhileStopping = _mayResume = false;
            state.TakeBackIdleStop(generation, admitted);
        }

        Complete(held, new Admission(AdmissionOutcome.Admitted, run, 0));
        return admitted;
    }

    /// <summary>Starting, Ready or Unhealthy to Stopping. Returns the requests in flight.</summary>
    public long BeginStop(int generation, bool hold)
    {
        BackendWaiter? refused = null;
        long inFlight;
        lock (_gate)
        {
            inFlight = state.BeginStop(generation);
            SetHoldLocked(hold);
            _mayResume = false;
            if (!_holdWhileStopping)
            {
                refused = TakeAllLocked();
            }
        }

        Complete(refused, new Admission(AdmissionOutcome.ShuttingDown, null, 0));
        return inFlight;
    }

    /// <summary>Changes, while Stopping, what happens to requests: held from now on, or refused, those already held included.</summary>
    public void SetHoldWhileStopping(bool hold)
    {
        BackendWaiter? refused = null;
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
                refused = TakeAllLocked();
            }
        }

        Complete(refused, new Admission(AdmissionOutcome.ShuttingDown, null, 0));
    }

    /// <summary>Ready or Unhealthy to Stopped.</summary>
    public void Crash(int generation, long retryAtMs)
    {
        lock (_gate)
        {
            _retryAtMs = retryAtMs;
            _closed |= startsOnce;
            state.Crash(generation);
            Volatile.Write(ref _run, null);
        }
    }

    /// <summary>Stopping to Stopped. Returns how many requests are held for the next start.</summary>
    public int FinishStop(int generation)
    {
        lock (_gate)
        {
            state.FinishStop(generation);
            _mayResume = false;
            Volatile.Write(ref _run, null);
            return _count;
        }
    }

    /// <summary>Fails the requests held while the wait after failures lasts.</summary>
    public void FailHeld()
    {
        BackendWaiter? held;
        int retryAfter;
        lock (_gate)
        {
            retryAfter = RetryAfterLocked();
            held = TakeAllLocked();
        }

        Complete(held, new Admission(AdmissionOutcome.StartFailed, null, retryAfter));
    }

    /// <summary>Forgets the wait after failures.</summary>
    public void ClearRetry()
    {
        lock (_gate)
        {
            _retryAtMs = 0;
        }
    }

    /// <summary>Refuses every request from now on that meets a stopped or stopping backend, those held included.</summary>
    public void Close()
    {
        BackendWaiter? refused = null;
        lock (_gate)
        {
            _closed = true;
            refused = TakeAllLocked();
        }

        Complete(refused, new Admission(AdmissionOutcome.ShuttingDown, null, 0));
    }

    private Admission? DecideLocked(BackendPhase phase)
    {
        var shuttingDown = new Admission(AdmissionOutcome.ShuttingDown, null, 0);
        switch (phase)
        {
            case BackendPhase.Ready:
                // The phase cannot change inside the gate, so this always enters.
                var run = _run!;
                return state.TryEnter(run.Generation) ? new Admission(AdmissionOutcome.Admitted, run, 0) : shuttingDown;
            case BackendPhase.Unhealthy:
                return new Admission(AdmissionOutcome.Unhealthy, null, 0);
            case BackendPhase.Starting:
                return null;
            case BackendPhase.Stopping when !_holdWhileStopping || _closed:
            case BackendPhase.Stopped when _closed:
                return shuttingDown;
            default:
                var retryAfter = RetryAfterLocked();
                return retryAfter == 0 ? null : new Admission(AdmissionOutcome.StartFailed, null, retryAfter);
        }
    }

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

    private void AppendLocked(BackendWaiter waiter)
    {
        waiter.IsQueued = true;
        waiter.Previous = _last;
        if (_last is null)
        {
            _first = waiter;
        }
        else
        {
            _last.Next = waiter;
        }

        _last = waiter;
        _count++;
    }

    private void RemoveLocked(BackendWaiter waiter)
    {
        if (waiter.Previous is { } previous)
        {
            previous.Next = waiter.Next;
        }
        else
        {
            _first = waiter.Next;
        }

        if (waiter.Next is { } next)
        {
            next.Previous = waiter.Previous;
        }
        else
        {
            _last = waiter.Previous;
        }

        waiter.Previous = waiter.Next = null;
        waiter.IsQueued = false;
        _count--;
    }

    private BackendWaiter? TakeAllLocked()
    {
        var taken = _first;
        for (var waiter = taken; waiter is not null; waiter = waiter.Next)
        {
            waiter.IsQueued = false;
        }

        _first = _last = null;
        _count = 0;
        return taken;
    }

    private static void Complete(BackendWaiter? first, Admission admission)
    {
        for (var waiter = first; waiter is not null;)
        {
            var next = waiter.Next;
            waiter.Previous = waiter.Next = null;
            waiter.Complete(admission);
            waiter = next;
        }
    }
}
