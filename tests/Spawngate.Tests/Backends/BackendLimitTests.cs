using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Forwarding;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>The limit of requests in flight at one process: who comes in, who waits, and what becomes of those who wait.</summary>
internal sealed class BackendLimitTests
{
    private static readonly WakeCause Passive = new(WakeKind.Request);

    [Test]
    public void The_word_lets_in_as_many_as_there_is_room_for_and_nobody_while_others_wait()
    {
        var state = new BackendState();
        state.BecomeReady(state.BeginStart(), 0, ReadyGate.Limited);
        Assert.That(state.TryEnter(1), Is.False, "it is not open to all");
        Assert.That(state.TryEnterPassive(1, out _), Is.False);
        Assert.That(
            state.TryEnterLimited(1, room: 2, itsTurn: false, passive: false, out _)
                && state.TryEnterLimited(1, room: 2, itsTurn: false, passive: true, out var passive)
                && passive
        );
        Assert.That(state.Read(), Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 1, 1, ReadyGate.Limited)));
        Assert.That(state.TryEnterLimited(1, room: 2, itsTurn: true, passive: false, out _), Is.False);

        state.SetGate(1, ReadyGate.Crowded);
        Assert.That(state.Leave(1), Is.EqualTo(LeaveOutcome.MakesRoom));
        Assert.That(state.TryEnterLimited(1, room: 2, itsTurn: false, passive: false, out _), Is.False, "others were here before");
        Assert.That(state.TryEnterLimited(1, room: 2, itsTurn: true, passive: false, out _), Is.True);
        Assert.That(state.BeginStop(1), Is.EqualTo(2));
        Assert.That((state.Leave(1), state.Leave(1, countedPassive: true)), Is.EqualTo((LeaveOutcome.Counted, LeaveOutcome.LastOfStop)));
        Assert.That(() => state.SetGate(1, ReadyGate.Open), Throws.InvalidOperationException);
    }

    [Test]
    public void Those_who_find_no_room_wait_in_order_and_each_who_leaves_lets_one_in()
    {
        using var stage = Stage(2);
        var instance = stage.ToReadyWithOneInFlight();
        Assert.That(stage.Backend.TryEnter(out _), Is.True);
        Assert.That(stage.Backend.TryEnter(out _), Is.False);
        var waiters = Enumerable.Range(0, 5).Select(_ => stage.Ask()).ToList();
        Assert.That(stage.Backend.GetStatus(), Has.Property("InFlight").EqualTo(2).And.Property("Waiting").EqualTo(5));
        Assert.That(stage.Backend.Word.Gate, Is.EqualTo(ReadyGate.Crowded));

        for (var left = 1; left <= 5; left++)
        {
            stage.Backend.Leave(instance);
            Assert.That(
                waiters.Select(LifecycleStage.Outcome),
                Is.EqualTo(Enumerable.Range(0, 5).Select(i => i < left ? "Admitted" : "Held"))
            );
            Assert.That(stage.Backend.Word.InFlight, Is.EqualTo(2));
        }

        Assert.That(stage.Backend.Word.Gate, Is.EqualTo(ReadyGate.Limited));
        stage.Backend.Leave(instance);
        Assert.That(stage.Backend.TryEnter(out _), Is.True, "the short way is open again");
    }

    [Test]
    public void A_start_lets_in_as_many_of_those_held_as_there_is_room_for()
    {
        using var stage = Stage(2);
        var waiters = Enumerable.Range(0, 3).Select(_ => stage.Ask()).ToList();
        stage.Settle();
        stage.Launcher.Last.Succeed();
        stage.Settle();
        stage.Probe.Ready();
        stage.Settle();

        Assert.That(waiters.Select(LifecycleStage.Outcome), Is.EqualTo(["Admitted", "Admitted", "Held"]));
        Assert.That(stage.Backend.ReadHistory()[^1].Requests, Is.EqualTo(3));
        stage.Backend.Leave(LifecycleStage.Decided(waiters[0]).Instance!);
        Assert.That(LifecycleStage.Outcome(waiters[2]), Is.EqualTo("Admitted"));
    }

    [Test]
    public void More_than_may_wait_are_refused_and_one_that_hangs_up_makes_room_in_the_queue()
    {
        using var stage = new LifecycleStage(static config => config with { MaxConcurrency = 1, MaxQueuedRequests = 2 });
        var instance = stage.ToReadyWithOneInFlight();
        var (first, second, third) = (stage.Ask(), stage.Ask(), stage.Ask());
        Assert.That(LifecycleStage.Outcome(third), Is.EqualTo("QueueFull"));
        Assert.That(LifecycleStage.Outcome(stage.Backend.Enqueue(Passive, yields: true)), Is.EqualTo("QueueFull"));
        Assert.That(stage.Backend.Cancel(first), Is.True);
        Assert.That(
            LifecycleStage.Outcome(stage.Backend.Enqueue(Passive, yields: true)),
            Is.EqualTo("Held"),
            "for room a browser waits like all others"
        );

        stage.Backend.Leave(instance);
        Assert.That((LifecycleStage.Outcome(first), LifecycleStage.Outcome(second)), Is.EqualTo(("Cancelled", "Admitted")));
    }

    [Test]
    public void When_the_last_one_hangs_up_the_short_way_is_open_again()
    {
        using var stage = Stage(1);
        var instance = stage.ToReadyWithOneInFlight();
        stage.Backend.Cancel(stage.Ask());
        stage.Backend.Leave(instance);
        Assert.That((stage.Backend.TryEnter(out _), stage.Backend.Word.Gate), Is.EqualTo((true, ReadyGate.Limited)));
    }

    [Test]
    public void Room_is_waited_for_as_long_as_an_answer_may_take()
    {
        using var stage = new LifecycleStage(static config => config with { MaxConcurrency = 1, RequestTimeoutSecs = 3 });
        stage.ToReadyWithOneInFlight();
        var first = stage.Ask();
        stage.PassSecs(2);
        var second = stage.Ask();
        stage.PassSecs(0.9);
        Assert.That(LifecycleStage.Outcome(first), Is.EqualTo("Held"));
        stage.PassSecs(0.4);
        Assert.That((LifecycleStage.Outcome(first), LifecycleStage.Outcome(second)), Is.EqualTo(("TimedOut", "Held")));
        stage.Backend.Reconfigure(stage.Backend.Config with { RequestTimeoutSecs = 0 });
        stage.PassSecs(10);
        Assert.That(LifecycleStage.Outcome(second), Is.EqualTo("Held"), "0 means that nothing is too long");
        stage.Backend.Reconfigure(stage.Backend.Config with { RequestTimeoutSecs = 3 });
        stage.PassSecs(0.2);
        Assert.That((LifecycleStage.Outcome(second), stage.Backend.Word.Gate), Is.EqualTo(("TimedOut", ReadyGate.Limited)));
    }

    [Test]
    public void The_time_of_a_start_does_not_count()
    {
        using var stage = new LifecycleStage(static config => config with { MaxConcurrency = 1, RequestTimeoutSecs = 3 });
        stage.Ask();
        var second = stage.Ask();
        stage.Settle();
        stage.Launcher.Last.Succeed();
        stage.PassSecs(5);
        stage.Probe.Ready();
        stage.Settle();
        stage.PassSecs(2.9);
        Assert.That(LifecycleStage.Outcome(second), Is.EqualTo("Held"));
        stage.PassSecs(0.4);
        Assert.That(LifecycleStage.Outcome(second), Is.EqualTo("TimedOut"));
    }

    [Test]
    public void A_tunnel_gives_its_place_to_another_and_keeps_the_backend_in_use()
    {
        using var stage = Stage(1);
        var instance = stage.ToReadyWithOneInFlight();
        var waiter = stage.Ask();
        stage.Backend.BecomeTunnel(instance);
        Assert.That((LifecycleStage.Outcome(waiter), stage.Backend.Word.InUse), Is.EqualTo(("Admitted", 2)));

        stage.Backend.Leave(instance, tunnel: true);
        Assert.That((stage.Backend.TryEnter(out _), instance.Tunnels), Is.EqualTo((false, 0)), "the place of a tunnel is its own");
        stage.Backend.Leave(instance);
        Assert.That(stage.Backend.TryEnter(out _), Is.True);
        stage.Backend.BecomeTunnel(instance);
        stage.PassSecs(70);
        Assert.That((stage.Phase, stage.Backend.ReadHistory()[^1].Event), Is.EqualTo((BackendPhase.Ready, HistoryEventKind.KeptAwake)));
    }

    [Test]
    public void A_new_limit_holds_at_once()
    {
        using var stage = new LifecycleStage();
        var instance = stage.ToReadyWithOneInFlight();
        stage.Backend.TryEnter(out _);
        Limit(stage, 1);
        Assert.That(stage.Backend.TryEnter(out _), Is.False, "those in flight before count");
        var waiters = Enumerable.Range(0, 4).Select(_ => stage.Ask()).ToList();
        stage.Backend.Leave(instance);
        Assert.That(LifecycleStage.Outcome(waiters[0]), Is.EqualTo("Held"), "one is in flight, as many as may be");
        Limit(stage, 3);
        Assert.That(waiters.Select(LifecycleStage.Outcome), Is.EqualTo(["Admitted", "Admitted", "Held", "Held"]));
        Limit(stage, 0);
        Assert.That(waiters.Select(LifecycleStage.Outcome), Is.All.EqualTo("Admitted"));
        Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 5)));
    }

    [Test]
    public void A_process_that_dies_leaves_those_who_wait_to_the_next_one()
    {
        using var stage = Stage(1);
        stage.ToReadyWithOneInFlight();
        var (user, bot) = (stage.Ask(), stage.Backend.Enqueue(Passive, passive: true));
        stage.PassSecs(11);
        stage.Workload.Exit();
        stage.Settle();
        Assert.That((stage.Phase, stage.Launcher.Launches.Count), Is.EqualTo((BackendPhase.Starting, 2)));
        Assert.That((LifecycleStage.Outcome(user), LifecycleStage.Outcome(bot)), Is.EqualTo(("Held", "NotRunning")));
        stage.Launcher.Last.Succeed();
        stage.Settle();
        stage.Probe.Ready();
        stage.Settle();
        Assert.That(LifecycleStage.Decided(user).Instance!.InstanceNumber, Is.EqualTo(2));
    }

    [Test]
    public void They_fail_when_the_next_start_has_to_wait()
    {
        using var stage = Stage(1);
        stage.ToReadyWithOneInFlight();
        stage.Workload.Exit();
        stage.Settle();
        stage.ToReadyWithOneInFlight();
        var waiter = stage.Ask();
        stage.Workload.Exit();
        stage.Settle();
        Assert.That(
            (stage.Phase, LifecycleStage.Decided(waiter).Outcome, LifecycleStage.Decided(waiter).RetryAfterSecs),
            Is.EqualTo((BackendPhase.Stopped, AdmissionOutcome.StartFailed, 1))
        );
    }

    [TestCase("stop", "ShuttingDown", "NotRunning")]
    [TestCase("restart", "Held", "NotRunning")]
    [TestCase("remove", "ShuttingDown", "ShuttingDown")]
    [TestCase("unhealthy", "Unhealthy", "Unhealthy")]
    public void Those_who_wait_are_told_what_those_who_come_are_told(string what, string user, string bot)
    {
        using var stage = Stage(1);
        stage.ToReadyWithOneInFlight();
        var (waits, passive) = (stage.Ask(), stage.Backend.Enqueue(Passive, passive: true));
        switch (what)
        {
            case "stop":
                stage.Backend.RequestStop();
                break;
            case "restart":
                stage.Backend.RequestRestart();
                break;
            case "remove":
                stage.Backend.Close(LifecycleInput.Remove);
                break;
            default:
                stage.FailChecks(3);
                break;
        }

        stage.Settle();
        Assert.That((LifecycleStage.Outcome(waits), LifecycleStage.Outcome(passive)), Is.EqualTo((user, bot)));
        var (comes, comesPassive) = (stage.Ask(), stage.Backend.EnterPassive(out _).Outcome.ToString());
        Assert.That((LifecycleStage.Outcome(comes), comesPassive), Is.EqualTo((user, bot)));
    }

    [Test]
    public void Health_regained_brings_the_limit_back()
    {
        using var stage = Stage(1);
        stage.ToReadyWithOneInFlight();
        stage.FailChecks(3);
        stage.Pass(5000);
        stage.Probe.Answer(true);
        stage.Settle();
        Assert.That(
            (stage.Phase, stage.Backend.TryEnter(out _), LifecycleStage.Outcome(stage.Ask())),
            Is.EqualTo((BackendPhase.Ready, false, "Held"))
        );
    }

    [Test]
    public void Passive_requests_take_up_room_and_wait_for_it_but_keep_nothing_awake()
    {
        using var stage = Stage(1);
        stage.ToReady();
        var instance = stage.Backend.EnterPassive(out var counted).Instance!;
        Assert.That((counted, stage.Backend.EnterPassive(out _).Outcome), Is.EqualTo((true, AdmissionOutcome.NoRoom)));
        var waits = stage.Backend.Enqueue(Passive, passive: true);
        stage.Backend.Leave(instance, countedPassive: true);
        Assert.That(
            (LifecycleStage.Outcome(waits), waits.CountedPassive, stage.Backend.Word.PassiveCount),
            Is.EqualTo(("Admitted", true, 1))
        );

        var late = stage.Backend.Enqueue(Passive, passive: true);
        stage.PassSecs(30);
        Assert.That(LifecycleStage.Outcome(late), Is.EqualTo("Held"));
        stage.PassSecs(5);
        var second = stage.Backend.Enqueue(Passive, passive: true);
        stage.PassSecs(25.2);
        Assert.That(
            (stage.Phase, LifecycleStage.Outcome(late), LifecycleStage.Outcome(second)),
            Is.EqualTo((BackendPhase.Stopping, "TimedOut", "NotRunning"))
        );
    }

    [Test]
    public void A_user_who_waits_for_the_place_of_a_passive_request_is_use()
    {
        using var stage = new LifecycleStage(static config => config with { MaxConcurrency = 1, RequestTimeoutSecs = 100 });
        stage.ToReady();
        var instance = stage.Backend.EnterPassive(out _).Instance!;
        stage.PassSecs(50);
        var user = stage.Ask();
        stage.PassSecs(50);
        Assert.That(
            (stage.Phase, stage.Backend.GetStatus().IdleStopInSecs),
            Is.EqualTo((BackendPhase.Ready, (int?)null)),
            "the idle stop would have been due"
        );
        stage.Backend.Cancel(user);
        stage.PassSecs(58);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready), "the idle clock starts when it gives up");
        stage.PassSecs(2.5);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
        user = stage.Ask();
        stage.Settle();
        Assert.That(
            (stage.Phase, LifecycleStage.Outcome(user)),
            Is.EqualTo((BackendPhase.Ready, "Held")),
            "called off, and there is no room yet"
        );
        stage.Backend.Leave(instance, countedPassive: true);
        Assert.That(LifecycleStage.Outcome(user), Is.EqualTo("Admitted"));
    }

    [Test]
    public async Task Never_are_more_at_the_process_under_four_threads_with_tunnels_and_nobody_is_forgotten()
    {
        const int Max = 2;
        var config = ReadyBackends.Config("app.test", 1) with { MaxConcurrency = Max };
        using var backends = await ReadyBackends.StartAsync(TimeProvider.System, NullLogger.Instance, new ServerConfig(), config);
        var backend = backends.Set.All[0];
        var (atProcess, most, served) = (0, 0, 0);
        await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(worker =>
                    Task.Run(async () =>
                    {
                        for (var n = 0; n < 20_000; n++)
                        {
                            var passive = worker == 0;
                            var countedPassive = false;
                            var instance =
                                passive ? backend.EnterPassive(out countedPassive).Instance
                                : backend.TryEnter(out var entered) ? entered
                                : null;
                            if (instance is null)
                            {
                                var waiter = backend.Enqueue(Passive, passive: passive);
                                instance = (await waiter.Decision.WaitAsync(TimeSpan.FromMinutes(1))).Instance!;
                                countedPassive = waiter.CountedPassive;
                            }

                            var now = Interlocked.Increment(ref atProcess);
                            for (var seen = Volatile.Read(ref most); now > seen; seen = Volatile.Read(ref most))
                            {
                                Interlocked.CompareExchange(ref most, now, seen);
                            }

                            var tunnel = n % 3 == 0;
                            Interlocked.Decrement(ref atProcess);
                            if (tunnel)
                            {
                                backend.BecomeTunnel(instance);
                            }

                            backend.Leave(instance, countedPassive, tunnel);
                            Interlocked.Increment(ref served);
                        }
                    })
                )
        );

        Assert.That(most, Is.LessThanOrEqualTo(Max));
        Assert.That(served, Is.EqualTo(160_000));
        Assert.That(backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 0, 0, ReadyGate.Limited)));
        Assert.That(backend.GetStatus().Waiting, Is.Zero);
    }

    [Test]
    public void What_waited_for_room_only_was_held_for_no_start()
    {
        var record = new ExchangeRecord();
        record.Hold(10, 20, new StartSteps(1, 2, 5));
        Assert.That((record.HeldTicks, record.QueuedTimestamp, record.Start), Is.EqualTo((10L, 10L, default(StartSteps))));
        record.Hold(30, 60, new StartSteps(31, 32, 55));
        Assert.That((record.HeldTicks, record.Start), Is.EqualTo((40L, new StartSteps(31, 32, 55))));
    }

    private static LifecycleStage Stage(int limit) => new(config => config with { MaxConcurrency = limit });

    private static void Limit(LifecycleStage stage, int limit)
    {
        stage.Backend.Reconfigure(stage.Backend.Config with { MaxConcurrency = limit });
        stage.Settle();
    }
}
