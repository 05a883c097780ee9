using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Telemetry.History;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Requests that do not count as use: in the word, in the life of a backend, and in what people are told.</summary>
internal sealed class PassiveRequestTests
{
    [Test]
    public void Passive_requests_do_not_prevent_an_idle_stop_and_are_waited_for()
    {
        var state = Ready();
        Assert.That(state.TryEnterPassive(1, out var countedPassive) && countedPassive && state.TryEnterPassive(1, out _));
        Assert.That(state.TryEnter(1));
        Assert.That(state.Read(), Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 1, 2)));
        Assert.That(state.TryBeginIdleStop(1, out _), Is.False, "it is in use");
        state.Leave(1);

        Assert.That(state.TryBeginIdleStop(1, out var left), Is.True);
        Assert.That((left, state.Read()), Is.EqualTo((2, new BackendWord(BackendPhase.Stopping, 1, 0, 2))));
        Assert.That(state.TryEnterPassive(1, out _), Is.False);
        Assert.That(state.Leave(1, countedPassive: true), Is.EqualTo(LeaveOutcome.Counted));
        Assert.That(state.Leave(1, countedPassive: true), Is.EqualTo(LeaveOutcome.LastOfStop));
        Assert.That(() => state.Leave(1, countedPassive: true), Throws.InvalidOperationException);
    }

    [Test]
    public void An_idle_stop_is_taken_back_with_its_passive_requests_and_those_that_it_admits()
    {
        var state = Ready();
        state.TryEnterPassive(1, out _);
        state.TryBeginIdleStop(1, out _);
        state.TakeBackIdleStop(1, 3);

        Assert.That(state.Read(), Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 3, 1)));
        Assert.That(state.BeginStop(1), Is.EqualTo(4), "a stop for another reason waits for all");
        Assert.That(() => state.TakeBackIdleStop(1, 0), Throws.InvalidOperationException, "it is in use, so it was no idle stop");
    }

    [Test]
    public void Whoever_comes_when_there_are_too_many_passive_requests_counts_as_use()
    {
        var state = Ready();
        for (var i = 0; i < BackendLimits.PassiveRequestsMax; i++)
        {
            Assert.That(state.TryEnterPassive(1, out var countedPassive) && countedPassive);
        }

        Assert.That(state.TryEnterPassive(1, out var last), Is.True);
        Assert.That((last, state.Read()), Is.EqualTo((false, new BackendWord(BackendPhase.Ready, 1, 1, BackendLimits.PassiveRequestsMax))));
        Assert.That(state.TryBeginIdleStop(1, out _), Is.False);
        Assert.That(state.Leave(1, countedPassive: true), Is.EqualTo(LeaveOutcome.Counted));
        Assert.That(state.TryEnterPassive(1, out last) && last, "there is room again");
    }

    [Test]
    public void Uses_never_spill_over_into_passive_requests()
    {
        var state = new BackendState();
        state.BecomeReady(state.BeginStart(), BackendLimits.UsersMax - 1);

        Assert.That(state.TryEnter(1), Is.True);
        Assert.That(state.TryEnter(1), Is.False);
        Assert.That(state.Read(), Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, BackendLimits.UsersMax)));
        Assert.That(
            BackendLimits.UsersMax,
            Is.GreaterThan(ConfigLimits.QueuedRequestsMax + 65536),
            "what is held, and a socket on every port"
        );
    }

    [Test]
    public void Counts_exactly_under_four_threads_of_both_kinds_and_stops_only_when_nothing_is_in_use()
    {
        var state = Ready();
        long stops = 0;
        var done = false;
        var threads = Enumerable
            .Range(0, 4)
            .Select(i => new Thread(() =>
            {
                // Beyond the count until there was a stop to meet: on a busy machine the one that stops may get its first turn late.
                for (var n = 0; n < 100_000 || Volatile.Read(ref stops) == 0; n++)
                {
                    var passive = i < 2;
                    var countedPassive = false;
                    while (!(passive ? state.TryEnterPassive(1, out countedPassive) : state.TryEnter(1)))
                    {
                        Thread.Yield();
                    }

                    if (!passive && state.Phase == BackendPhase.Stopping)
                    {
                        throw new InvalidOperationException("stopped for idleness while in use");
                    }

                    state.Leave(1, countedPassive);
                }
            }))
            .ToList();
        var stopper = new Thread(() =>
        {
            while (!Volatile.Read(ref done))
            {
                if (state.TryBeginIdleStop(1, out _))
                {
                    state.TakeBackIdleStop(1, 0);
                    Interlocked.Increment(ref stops);
                }
            }
        });
        threads.ForEach(static thread => thread.Start());
        stopper.Start();
        threads.ForEach(static thread => thread.Join());
        Volatile.Write(ref done, true);
        stopper.Join();

        Assert.That(state.Read(), Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 0)));
        Assert.That(stops, Is.Positive);
    }

    [Test]
    public void It_neither_puts_the_idle_stop_off_nor_is_cut_by_it()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        stage.PassSecs(59);
        var instance = EnterPassive(stage);
        stage.PassSecs(1.3);
        Assert.That((stage.Phase, stage.Workload.Terminated), Is.EqualTo((BackendPhase.Stopping, 0)), "decided in time, and waits for it");
        Assert.That(
            stage.Backend.GetStatus(),
            Has.Property("StoppingBecause").EqualTo("idle").And.Property("InFlight").EqualTo(1).And.Property("PassiveCount").EqualTo(1)
        );

        stage.Backend.Leave(instance, countedPassive: true);
        stage.Settle();
        Assert.That(stage.Workload.Terminated, Is.EqualTo(1));
        stage.Workload.Exit();
        stage.Settle();
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopped), "nobody waits for another start");
    }

    [Test]
    public void Its_end_does_not_start_the_idle_clock_anew()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        for (var i = 0; i < 59; i++)
        {
            var instance = EnterPassive(stage);
            stage.PassSecs(1);
            stage.Backend.Leave(instance, countedPassive: true);
        }

        Assert.That(stage.Backend.GetStatus().IdleStopInSecs, Is.EqualTo(1));
        stage.PassSecs(1.3);
        Assert.That(stage.Workload.Terminated, Is.EqualTo(1));
    }

    [Test]
    public void One_that_takes_too_long_is_cut_at_the_drain_timeout()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        var instance = EnterPassive(stage);
        stage.PassSecs(60.3);
        stage.PassSecs(20);

        Assert.That(stage.Workload.Terminated, Is.EqualTo(1));
        Assert.That(stage.Backend.ReadHistory()[^1].Event, Is.EqualTo(HistoryEventKind.Cut));
        stage.Workload.Exit();
        stage.Settle();
        stage.Backend.Leave(instance, countedPassive: true);
        Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Stopped, 1, 0)));
    }

    [Test]
    public void A_request_that_counts_calls_off_a_stop_that_only_waits_for_passive_requests()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        var countedPassive = EnterPassive(stage);
        stage.PassSecs(60.3);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
        stage.PassSecs(3);

        var waiter = stage.Ask();
        stage.Settle();
        var instance = LifecycleStage.Decided(waiter).Instance!;
        Assert.That(
            (instance.InstanceNumber, stage.Workload.Terminated, stage.Launcher.Launches.Count),
            Is.EqualTo((1, 0, 1)),
            "the same run serves it at once"
        );
        Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 1, 1)));
        Assert.That(
            stage.Backend.ReadHistory()[^1],
            Has.Property("Event")
                .EqualTo(HistoryEventKind.Resumed)
                .And.Property("Requests")
                .EqualTo(1)
                .And.Property("AfterMs")
                .InRange(2900, 3300)
        );
        Assert.That(stage.Backend.GetStatus(), Has.Property("StoppingBecause").Null.And.Property("ReadySince").Not.Null);

        stage.Pass(5000);
        Assert.That(stage.Probe.AwaitsCheck, "it is monitored again");
        stage.Backend.Leave(countedPassive, countedPassive: true);
        stage.Backend.Leave(instance);
        stage.PassSecs(60.3);
        Assert.That(stage.Workload.Terminated, Is.EqualTo(1), "and stops when it is idle again");
    }

    [Test]
    public void A_stop_that_somebody_asked_for_is_not_called_off([Values] bool restart)
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        EnterPassive(stage);
        stage.PassSecs(60.3);
        if (restart)
        {
            stage.Backend.RequestRestart();
        }
        else
        {
            stage.Backend.RequestStop();
        }

        stage.Settle();
        var waiter = stage.Ask();
        stage.Settle();
        Assert.That((stage.Phase, LifecycleStage.Outcome(waiter)), Is.EqualTo((BackendPhase.Stopping, restart ? "Held" : "ShuttingDown")));
    }

    [Test]
    public void Nor_is_one_that_has_asked_the_process_to_end()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        var instance = EnterPassive(stage);
        stage.PassSecs(60.3);
        stage.Backend.Leave(instance, countedPassive: true);
        var waiter = stage.Ask();
        stage.Settle();

        Assert.That((stage.Workload.Terminated, LifecycleStage.Outcome(waiter)), Is.EqualTo((1, "Held")));
        stage.Workload.Exit();
        stage.Settle();
        Assert.That((stage.Phase, stage.Launcher.Launches.Count), Is.EqualTo((BackendPhase.Starting, 2)), "the next run serves it");
    }

    [Test]
    public void The_end_of_the_drain_of_a_stop_that_was_called_off_ends_no_later_drain()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        EnterPassive(stage);
        stage.PassSecs(60.3);
        stage.Ask();
        stage.Settle();
        stage.Backend.RequestStop();
        stage.Settle();

        // What a thread tells that was held up between the last leave of the first stop and its message.
        stage.Backend.Lifecycle.Mailbox.Post(new LifecycleMessage(LifecycleInput.Drained, 1));
        stage.Settle();
        Assert.That((stage.Phase, stage.Workload.Terminated), Is.EqualTo((BackendPhase.Stopping, 0)));
    }

    [Test]
    public void It_wakes_nothing_and_waits_for_nothing()
    {
        using var stage = new LifecycleStage();
        Assert.That(stage.Backend.EnterPassive(out _).Outcome, Is.EqualTo(AdmissionOutcome.NotRunning), "never started");
        stage.ToLaunching();
        Assert.That(stage.Backend.EnterPassive(out _).Outcome, Is.EqualTo(AdmissionOutcome.NotRunning), "starting");
        stage.Launcher.Last.Fail("no");
        stage.Settle();
        Assert.That(stage.Backend.EnterPassive(out _).Outcome, Is.EqualTo(AdmissionOutcome.NotRunning), "failed");
        stage.Settle();
        Assert.That((stage.Phase, stage.Launcher.Launches.Count), Is.EqualTo((BackendPhase.Stopped, 1)));

        stage.ToUnhealthy();
        Assert.That(stage.Backend.EnterPassive(out _).Outcome, Is.EqualTo(AdmissionOutcome.Unhealthy));
        stage.Backend.Close(LifecycleInput.GatewayStop);
        stage.Settle();
        Assert.That(stage.Backend.EnterPassive(out _).Outcome, Is.EqualTo(AdmissionOutcome.ShuttingDown));
    }

    [Test]
    public void What_kept_a_backend_awake_is_only_what_counts()
    {
        using var stage = new LifecycleStage();
        stage.ToReadyWithOneInFlight();
        EnterPassive(stage);
        stage.PassSecs(66);
        Assert.That(
            stage.Backend.ReadHistory()[^1],
            Has.Property("Event").EqualTo(HistoryEventKind.KeptAwake).And.Property("Requests").EqualTo(1)
        );
    }

    private static ReadyInstance EnterPassive(LifecycleStage stage)
    {
        var admission = stage.Backend.EnterPassive(out var countedPassive);
        Assert.That((admission.Outcome, countedPassive), Is.EqualTo((AdmissionOutcome.Admitted, true)));
        return admission.Instance!;
    }

    private static BackendState Ready()
    {
        var state = new BackendState();
        state.BecomeReady(state.BeginStart(), 0);
        return state;
    }
}
