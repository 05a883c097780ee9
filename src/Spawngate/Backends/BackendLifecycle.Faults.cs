using Spawngate.Workloads;

namespace Spawngate.Backends;

/// <content>
/// What becomes of a backend when a step of its lifecycle throws, which only a bug or a want of memory does: it ends in a state from which
/// it can start again.
/// <code>
///   Starting                 ─▶ the start has failed, by the usual way
///   Ready, Unhealthy         ─▶ goes on: the instance lives, and its deadlines hold;  if its exit was being handled: Stopped
///   Stopping, not begun yet  ─▶ the stop begins;  if the exit was being handled: Stopped
///   Stopped, with remains    ─▶ they are cleared away
///   any, if that throws, too ─▶ Stopped: the instance is killed and forgotten, held requests fail
/// </code>
/// </content>
internal sealed partial class BackendLifecycle
{
    /// <summary>What is not possible is logged and has no effect.</summary>
    private bool IsPossible(bool possible, LifecycleInput input)
    {
        if (!possible)
        {
            LifecycleLog.Bug(
                _env.Log,
                new InvalidOperationException($"{input} is not possible in {State.Read()}."),
                _backend.Hostname,
                input
            );
        }

        return possible;
    }

    private void EndAfterFault(LifecycleInput input, Exception fault)
    {
        LifecycleLog.Bug(_env.Log, fault, _backend.Hostname, input);
        var reason = $"internal error: {fault.Message}";
        try
        {
            Settle(input, reason);
        }
        catch (Exception second)
        {
            LifecycleLog.Bug(_env.Log, second, _backend.Hostname, input);
            ForceStopped(reason);
        }
    }

    private void Settle(LifecycleInput input, string reason)
    {
        // Then no message about that instance is to come which would end it.
        var isOver = input == LifecycleInput.Exited || _current is not { HasSomethingToEnd: true };
        switch (State.Phase)
        {
            case BackendPhase.Starting
                when _current is { } current && current.InstanceNumber == State.Read().InstanceNumber && input != LifecycleInput.Exited:
                FailStart(reason, null);
                break;
            case BackendPhase.Starting:
                ForceStopped(reason);
                break;
            case BackendPhase.Ready or BackendPhase.Unhealthy when input == LifecycleInput.Exited:
                ForceStopped(reason);
                break;
            case BackendPhase.Stopping when isOver:
                ForceStopped(reason);
                break;
            case BackendPhase.Stopping when _stop is null:
                _stop = new StopProgress(_closing ?? StopReason.StartFailed, _current!, _backend, _env, Report);
                if (!_stop.Begin(0, reason))
                {
                    ForceStopped(reason);
                }

                break;
            case BackendPhase.Stopped:
                ForceStopped(reason);
                break;
        }
    }

    /// <summary>To Stopped by the shortest way. Each step is taken whatever became of those before.</summary>
    private void ForceStopped(string reason)
    {
        var current = _current;
        var instanceNumber = State.Read().InstanceNumber;
        _stop = null;
        Try(() => current?.Workload?.Kill());
        Try(() => current?.CancelLaunch());
        Try(() => LeavePhase(current, instanceNumber, reason));
        Volatile.Write(ref _current, null);
        Try(() => _env.Active.Remove(this));
        Try(() => current?.End());
        Try(Queue.FailHeld);
        if (_backend.EphemeralLifetime is not null)
        {
            _closing ??= StopReason.StartFailed;
        }

        if (_closing is not null)
        {
            Try(End.Complete);
        }
    }

    private void LeavePhase(BackendInstance? current, int instanceNumber, string reason)
    {
        switch (State.Phase)
        {
            case BackendPhase.Starting:
                var held = Queue.FailStart(instanceNumber, somethingLeft: false, CountFailure());
                if (current is not null)
                {
                    Report.StartFailed(current, reason, _backoff.Failures, held, null);
                }

                break;
            case BackendPhase.Ready or BackendPhase.Unhealthy:
                var inFlight = State.Read().InFlight;
                Queue.Crash(instanceNumber, CountFailure());
                Report.Crashed(current!, new ExitReport(reason, null, []), _backoff.Failures, inFlight, NowMs - current!.ReadyAtMs);
                break;
            case BackendPhase.Stopping:
                Queue.FinishStop(instanceNumber);
                break;
        }
    }

    private void Try(Action step)
    {
        try
        {
            step();
        }
        catch (Exception fault)
        {
            LifecycleLog.Bug(_env.Log, fault, _backend.Hostname, LifecycleInput.Exited);
        }
    }
}
