using Spawngate.Backends;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>The gate where requests and phase changes meet.</summary>
internal sealed class AdmissionQueueTests
{
    [Test]
    public void An_idle_stop_is_taken_back_when_a_request_came_and_went_after_the_clock_was_read()
    {
        using var stage = new LifecycleStage();
        var state = new BackendState();
        var queue = new AdmissionQueue(state, stage.Clock);
        var instance = new ReadyInstance(queue.BeginStart(), null!);
        queue.OpenReady(instance);
        long lastUse = 7;
        Assert.That(queue.TryBeginIdleStop(instance.InstanceNumber, lastUseSeenMs: 6, ref lastUse, out _), Is.False);
        Assert.That(state.Phase, Is.EqualTo(BackendPhase.Ready));
        Assert.That(queue.TryBeginIdleStop(instance.InstanceNumber, lastUseSeenMs: 7, ref lastUse, out _), Is.True);
        Assert.That(state.Phase, Is.EqualTo(BackendPhase.Stopping));
    }

    [Test]
    public void What_starts_once_is_closed_in_the_step_that_ends_it([Values] bool crashes)
    {
        using var stage = new LifecycleStage();
        var queue = new AdmissionQueue(new BackendState(), stage.Clock, startsOnce: true);
        var instance = new ReadyInstance(queue.BeginStart(), null!);
        queue.OpenReady(instance);
        if (crashes)
        {
            queue.Crash(instance.InstanceNumber, retryAtMs: 0);
        }
        else
        {
            long lastUse = 7;
            Assert.That(queue.TryBeginIdleStop(instance.InstanceNumber, lastUseSeenMs: 7, ref lastUse, out _));
            queue.FinishStop(instance.InstanceNumber);
        }

        var late = new BackendWaiter(new WakeCause(WakeKind.Request), 1);
        Assert.That(queue.Arrive(late, queueMax: 10), Is.Null, "nothing is woken");
        Assert.That(LifecycleStage.Outcome(late), Is.EqualTo("ShuttingDown"));
    }

    [Test]
    public void Waiters_that_leave_from_the_front_the_middle_and_the_end_disturb_nobody()
    {
        using var stage = new LifecycleStage();
        var waiters = Enumerable.Range(0, 6).Select(_ => stage.Ask()).ToList();
        foreach (var index in new[] { 0, 3, 5, 1 })
        {
            Assert.That(stage.Backend.Cancel(waiters[index]), Is.True);
        }

        Assert.That(stage.Backend.GetStatus().Waiting, Is.EqualTo(2));
        stage.Settle();
        stage.Launcher.Last.Fail("no");
        stage.Settle();
        Assert.That(
            waiters.Select(LifecycleStage.Outcome),
            Is.EqualTo(["Cancelled", "Cancelled", "StartFailed", "Cancelled", "StartFailed", "Cancelled"])
        );
    }
}
