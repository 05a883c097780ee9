using Spawngate.Backends.Probing;
using Spawngate.Config;
using Spawngate.Runtime;
using Spawngate.Workloads;
using Spawngate.Workloads.Processes;

namespace Spawngate.Backends;

/// <summary>
/// The one author of a backend's phases: an actor whose messages are handled one at a time, without waiting.
/// <c>docs/concepts/backend-states.md</c> is its table of states and inputs; <see cref="BackendState"/> has the diagram. Every deadline is
/// a number that the shared tick compares, so a stopped backend costs nothing and a running one no timer.
/// </summary>
internal sealed partial class BackendLifecycle
{
    private readonly Backend _backend;
    private readonly BackendEnvironment _env;
    private readonly StartBarrier _startBarrier;
    private readonly StartBackoff _backoff = new();
    private readonly LifecycleDeadlines _deadlines;
    private BackendInstance? _current;
    private StopProgress? _stop;
    private StopReason? _closing;
    private long _dueAtMs = long.MaxValue;

    /// <summary>Makes the lifecycle of a stopped backend.</summary>
    public BackendLifecycle(Backend backend, BackendEnvironment env, IReadOnlyList<Backend> predecessors)
    {
        _backend = backend;
        _env = env;
        _deadlines = new LifecycleDeadlines(backend, State, _backoff, env.Clock);
        Queue = new AdmissionQueue(State, env.Clock, startsOnce: backend.EphemeralLifetime is not null);
        Queue.SetLimit(Config.MaxConcurrency);
        _startBarrier = new StartBarrier(predecessors);
        Report = new LifecycleReport(env, backend);
        Mailbox = new LifecycleMailbox(Handle, env.Execute, (input, bug) => LifecycleLog.Bug(env.Log, bug, backend.Name, input));
    }

    /// <summary>The word that requests count themselves in.</summary>
    public BackendState State { get; } = new();

    /// <summary>Where requests are held.</summary>
    public AdmissionQueue Queue { get; }

    /// <summary>Where everybody else writes to.</summary>
    public LifecycleMailbox Mailbox { get; }

    /// <summary>The current start; null when Stopped. Others may only ask it for its instance number and token.</summary>
    public BackendInstance? Current => Volatile.Read(ref _current);

    /// <summary>What the admin API shows of it.</summary>
    public LifecycleReport Report { get; }

    /// <summary>Tells when a closed backend has ended.</summary>
    public EndNotice End { get; } = new();

    /// <summary>Place in <see cref="ActiveBackends"/>, guarded by its gate; -1 when not in it.</summary>
    internal int ActiveIndex { get; set; } = -1;

    private BackendConfig Config => _backend.Config;
    private long NowMs => _env.Clock.NowMs;

    /// <summary>Closes a backend that nobody has used: nobody else knows this lifecycle yet, so no message is needed.</summary>
    public void CloseUnused() => OnClose(StopReason.Removed);

    private void Handle(LifecycleMessage message)
    {
        try
        {
            if (message.InstanceNumber != 0 && message.InstanceNumber != _current?.InstanceNumber)
            {
                DropStale(message);
            }
            else
            {
                Dispatch(message);
            }
        }
        catch (Exception fault)
        {
            EndAfterFault(message.Input, fault);
        }
        finally
        {
            Volatile.Write(ref _dueAtMs, _deadlines.Next(_current, _stop, Queue));
            Report.Publish(_current, _stop, _backoff.Failures);
        }
    }

    private void Dispatch(LifecycleMessage message)
    {
        switch (message.Input)
        {
            case LifecycleInput.Wake:
                OnWake(message);
                break;
            case LifecycleInput.AdminStart:
                OnAdminStart(message);
                break;
            case LifecycleInput.AdminStop:
                OnAdminStop();
                break;
            case LifecycleInput.AdminRestart:
                OnAdminRestart(message);
                break;
            case LifecycleInput.Remove:
                OnClose((StopReason?)message.Payload ?? StopReason.Removed);
                break;
            case LifecycleInput.GatewayStop:
                OnClose(StopReason.GatewayStop);
                break;
            case LifecycleInput.KillNow:
                OnKillNow();
                break;
            case LifecycleInput.Launched:
                OnLaunched((LaunchResult)message.Payload!, message.Timestamp);
                break;
            case LifecycleInput.Listening:
                OnListening(message.Timestamp);
                break;
            case LifecycleInput.HealthReady:
                OnHealthReady((ReadyFinding)message.Payload!, message.Timestamp);
                break;
            case LifecycleInput.CallbackReady:
                OnCallback(message.Timestamp);
                break;
            case LifecycleInput.Exited:
                OnExited((ExitReport)message.Payload!);
                break;
            case LifecycleInput.Checked:
                OnChecked((ProbeResult)message.Payload!);
                break;
            case LifecycleInput.Drained:
                OnDrained();
                break;
            case LifecycleInput.Due:
                OnDue(NowMs);
                break;
            case LifecycleInput.PredecessorEnded:
                OnPredecessorEnded();
                break;
            case LifecycleInput.Reconfigured:
                OnReconfigured();
                break;
            case LifecycleInput.Lease:
                OnLease((LeaseCall)message.Payload!);
                break;
            default:
                throw new InvalidOperationException($"Unknown input {message.Input}.");
        }
    }

    /// <summary>
    /// A launch that was given up may have succeeded after all: nobody else knows of that instance. One that has ended gets no lease.
    /// </summary>
    private static void DropStale(LifecycleMessage message)
    {
        (message.Payload as LaunchResult)?.Workload?.Kill();
        (message.Payload as LeaseCall)?.Complete(LeaseOutcome.Unauthorised);
    }

    // Starting.

    private void OnWake(LifecycleMessage message)
    {
        if (_stop is { MayResume: true } && Queue.Resume(_current!.InstanceNumber) is > 0 and var resumed)
        {
            Report.Resumed(_current, resumed, _stop.ElapsedMs, (WakeCause)message.Payload!);
            _stop = null;
        }

        if (State.Phase != BackendPhase.Stopped || _closing is not null)
        {
            return;
        }

        if (Queue.RetryAfterSecs > 0)
        {
            Queue.FailHeld();
            return;
        }

        var oldest = Queue.Oldest();
        Start(oldest?.Cause ?? (WakeCause)message.Payload!, oldest?.Timestamp ?? message.Timestamp);
    }

    private void Start(WakeCause cause, long wokenTimestamp)
    {
        var instanceNumber = Queue.BeginStart();
        var current = new BackendInstance(_env, Mailbox, Config, instanceNumber, cause, wokenTimestamp, Report.Unsolicited, Report.Blocked);
        Volatile.Write(ref _current, current);
        _env.Active.Add(this);
        Report.Starting(current);
        if (!MustWaitForPredecessor(instanceNumber))
        {
            Launch(current);
        }
    }

    private bool MustWaitForPredecessor(int instanceNumber) =>
        _startBarrier.MustWait(() => Mailbox.Post(new LifecycleMessage(LifecycleInput.PredecessorEnded, instanceNumber)));

    private void OnPredecessorEnded()
    {
        var current = _current!;
        if (State.Phase == BackendPhase.Starting && current.StartDeadlineMs == 0 && !MustWaitForPredecessor(current.InstanceNumber))
        {
            Launch(current);
        }
    }

    private void Launch(BackendInstance current)
    {
        current.StartDeadlineMs = _deadlines.InSecs(current.Config.StartupTimeoutSecs);
        LaunchWhenPortIsFree(current);
    }

    private void LaunchWhenPortIsFree(BackendInstance current)
    {
        if (!current.TryLaunch(NowMs, out var fault))
        {
            FailStart(fault ?? current.PortTaken, null);
        }
    }

    private void OnLaunched(LaunchResult result, long timestamp)
    {
        var current = _current!;
        if (!IsPossible(current.IsLaunching, LifecycleInput.Launched))
        {
            return;
        }

        current.TakeLaunched(result, timestamp);
        var stopping = State.Phase == BackendPhase.Stopping;
        if (result.Workload is null && stopping)
        {
            FinishStop(result.Error ?? "not started", null);
        }
        else if (result.Workload is null)
        {
            FailStart(result.Error ?? "the launcher gave no reason", null);
        }
        else if (stopping)
        {
            _stop!.Kill("launched too late");
        }
        else if (current.IsReadyAtOnce)
        {
            BecomeReady(current, ReadySignal.Socket, new ReadyFinding(null, "it was given a listening socket"), timestamp);
        }
        else if (!current.HasEarlyCallback)
        {
            current.ProbeReadiness();
        }
        else if (current.TryConfirm())
        {
            BecomeReady(current, ReadySignal.Callback, null, timestamp);
        }
    }

    private void OnListening(long timestamp)
    {
        if (_current is { ListeningTimestamp: 0 } current)
        {
            current.ListeningTimestamp = timestamp;
        }
    }

    private void OnHealthReady(ReadyFinding found, long timestamp)
    {
        if (State.Phase == BackendPhase.Starting && _current is { Workload: not null } current)
        {
            BecomeReady(current, found.ByItsWord ? ReadySignal.Callback : ReadySignal.Health, found, timestamp);
        }
    }

    private void OnCallback(long timestamp)
    {
        var current = _current!;
        if (State.Phase != BackendPhase.Starting)
        {
            return;
        }

        if (current.Workload is null)
        {
            // The backend called back before the launcher's answer was handled.
            current.HasEarlyCallback |= current.IsLaunching;
        }
        else if (current.TryConfirm())
        {
            BecomeReady(current, ReadySignal.Callback, null, timestamp);
        }
    }

    private void BecomeReady(BackendInstance current, ReadySignal signal, ReadyFinding? found, long timestamp)
    {
        if (found is null)
        {
            // The probe may be in the middle of an attempt.
            current.StopProbing();
        }

        var nowMs = NowMs;
        current.ReadyAtMs = nowMs;
        current.PlanChecks(Config.ReadyHealthCheckIntervalMs, nowMs);
        current.NoteChecked(_backend.KnownTraffic?.Answers ?? 0, nowMs, isSilent: false);
        Volatile.Write(ref _backend.LastUseMs, nowMs);
        var held = Queue.OpenReady(current.Open(found?.Place, timestamp));
        Report.Ready(current, current.Timings(signal, found?.Words ?? "it said so itself", timestamp), held);
    }

    /// <summary>The start has failed: whoever waits is told now, and what is left of it is ended.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="exit">How it ended by itself; null when it did not.</param>
    /// <param name="isSlow">Whether it only took too long: then it has time to end, for it may be in the middle of a migration.</param>
    private void FailStart(string reason, ExitReport? exit, bool isSlow = false)
    {
        var current = _current!;
        var somethingLeft = exit is null && current.HasSomethingToEnd;
        var held = Queue.FailStart(current.InstanceNumber, somethingLeft, CountFailure());
        Report.StartFailed(current, reason, _backoff.Failures, held, exit);
        if (!somethingLeft)
        {
            EndInstance(StopReason.StartFailed);
            return;
        }

        _stop = new StopProgress(StopReason.StartFailed, current, _backend, _env, Report);
        _stop.Begin(0, isSlow ? null : reason);
    }

    private long CountFailure()
    {
        var waitMs = _backoff.Fail();
        return waitMs == 0 ? 0 : NowMs + waitMs;
    }

    // Running.

    private void OnExited(ExitReport exit)
    {
        var current = _current!;
        if (!IsPossible(current.Workload is not null, LifecycleInput.Exited))
        {
            return;
        }

        current.Workload!.Kill(); // Children of the child go too, however it ended.
        switch (State.Phase)
        {
            case BackendPhase.Starting:
                FailStart($"{exit.Explain("before it was ready")}{current.StrangerNote}", exit);
                break;
            case BackendPhase.Ready or BackendPhase.Unhealthy:
                Crash(current, exit);
                break;
            default:
                FinishStop(exit.Description, exit);
                break;
        }
    }

    private void Crash(BackendInstance current, ExitReport exit)
    {
        var readyForMs = NowMs - current.ReadyAtMs;
        long retryAtMs = 0;
        if (readyForMs >= ProcessLimits.StableReadyMs)
        {
            _backoff.Reset();
        }
        else
        {
            retryAtMs = CountFailure();
        }

        var inFlight = State.Read().InFlight;
        var held = Queue.Crash(current.InstanceNumber, retryAtMs);
        Report.Crashed(current, exit, _backoff.Failures, inFlight, readyForMs);
        EndInstance(StopReason.Exited);
        if (held > 0 && Queue.Oldest() is { } oldest)
        {
            Start(oldest.Cause, oldest.Timestamp);
        }
    }

    // Stopping.

    private void BeginStop(StopReason reason)
    {
        var current = _current!;
        EnterStopping(current, reason, Queue.BeginStop(current.InstanceNumber, StopProgress.Holds(reason)));
    }

    private void EnterStopping(BackendInstance current, StopReason reason, long inFlight)
    {
        Report.Stopping(current, reason, inFlight);
        _stop = new StopProgress(reason, current, _backend, _env, Report);
        if (!_stop.Begin(inFlight))
        {
            FinishStop("not started yet", null);
        }
    }

    private void OnDrained()
    {
        // Told by a stop that was called off meanwhile, it would mean nothing.
        if (_stop is { Stage: StopStage.Draining } stop && State.Read().InFlight == 0)
        {
            stop.Terminate();
        }
    }

    private void OnStopDeadline(StopProgress stop)
    {
        if (!stop.OnDeadline())
        {
            Report.GivenUp();
            FinishStop("given up", null);
        }
    }

    private void FinishStop(string exitText, ExitReport? exit)
    {
        var stop = _stop!;
        var held = Queue.FinishStop(_current!.InstanceNumber);
        Report.Stopped(_current, stop, exitText, exit);
        if (stop.IsRegular)
        {
            _backoff.Reset();
        }

        _stop = null;
        EndInstance(stop.Reason);
        if (_closing is not null)
        {
            End.Complete();
        }
        else if (stop.StartAfter || held > 0)
        {
            var oldest = Queue.Oldest();
            var kind = stop.Reason == StopReason.Unhealthy ? WakeKind.Restart : WakeKind.Admin;
            Start(oldest?.Cause ?? new WakeCause(kind, StopProgress.Name(stop.Reason)), oldest?.Timestamp ?? _env.Time.GetTimestamp());
        }
    }

    private void EndInstance(StopReason reason)
    {
        var current = _current!;
        Volatile.Write(ref _current, null);
        Report.Ended(current, reason);
        _env.Active.Remove(this);
        current.End();
        if (_backend.EphemeralLifetime is not null)
        {
            _closing ??= reason;
            End.Complete();
        }
    }

    // Asked from outside.

    private void OnAdminStart(LifecycleMessage message)
    {
        switch (State.Phase)
        {
            case BackendPhase.Stopped when _closing is null:
                Start(new WakeCause(WakeKind.Admin, "start"), message.Timestamp);
                break;
            case BackendPhase.Stopping when _closing is null:
                _stop!.StartAfter = true;
                Queue.SetHoldWhileStopping(true);
                break;
        }
    }

    private void OnAdminRestart(LifecycleMessage message)
    {
        if (State.Phase is BackendPhase.Starting or BackendPhase.Ready or BackendPhase.Unhealthy)
        {
            BeginStop(StopReason.Restart);
        }
        else
        {
            OnAdminStart(message);
        }
    }

    private void OnAdminStop()
    {
        switch (State.Phase)
        {
            case BackendPhase.Starting or BackendPhase.Ready or BackendPhase.Unhealthy:
                BeginStop(StopReason.Asked);
                break;
            case BackendPhase.Stopping when _closing is null:
                TakeOverStop(StopReason.Asked);
                break;
        }
    }

    private void OnClose(StopReason reason)
    {
        _closing ??= reason;
        Queue.Close();
        switch (State.Phase)
        {
            case BackendPhase.Stopped:
                End.Complete();
                break;
            case BackendPhase.Stopping:
                TakeOverStop(reason);
                break;
            default:
                BeginStop(reason);
                break;
        }
    }

    private void TakeOverStop(StopReason reason)
    {
        _stop!.Reason = reason;
        _stop.StartAfter = false;
        Queue.SetHoldWhileStopping(false);
    }

    private void OnKillNow()
    {
        OnClose(StopReason.GatewayStop);
        _stop?.KillNow();
    }

    private void OnReconfigured()
    {
        Queue.SetLimit(Config.MaxConcurrency);
        // The other deadlines are computed anew after every message.
        if (State.Phase is BackendPhase.Ready or BackendPhase.Unhealthy)
        {
            _current!.PlanChecks(Config.ReadyHealthCheckIntervalMs, NowMs);
        }
    }
}
