using Spawngate.Backends;
using Spawngate.Telemetry.History;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Tunnels that count as use only while data passes.</summary>
internal sealed class WatchedTunnelTests
{
    private const long QuietMs = 30_000;

    [Test]
    public void A_quiet_one_does_not_count_and_the_idle_clock_runs_from_its_last_data()
    {
        using var stage = new LifecycleStage();
        var (_, tunnel, closed) = Open(stage);
        stage.PassSecs(20);
        tunnel.OnData();
        stage.PassSecs(29);
        Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 1)));
        stage.PassSecs(2);
        Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 0, 1)), "quiet for 30 s");
        Assert.That(stage.Backend.GetStatus().IdleStopInSecs, Is.InRange(29, 30), "60 s after its data");

        stage.PassSecs(28);
        Assert.That((stage.Phase, closed()), Is.EqualTo((BackendPhase.Ready, 0)));
        stage.PassSecs(2);
        Assert.That((stage.Phase, closed(), stage.Workload.Terminated), Is.EqualTo((BackendPhase.Stopping, 1, 0)));
    }

    [Test]
    public void The_stop_goes_on_when_it_has_closed()
    {
        using var stage = new LifecycleStage();
        var (instance, tunnel, _) = Open(stage);
        stage.PassSecs(60.3);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
        Assert.That(tunnel.End(countedPassive: false), Is.True);
        stage.Backend.Leave(instance, countedPassive: true, tunnel: true);
        stage.Settle();
        Assert.That(stage.Workload.Terminated, Is.EqualTo(1));
    }

    [Test]
    public void Quiet_for_longer_than_the_idle_timeout_it_stops_as_soon_as_it_does_not_count()
    {
        using var stage = new LifecycleStage();
        var (_, _, closed) = Open(stage, quietMs: 100_000);
        stage.PassSecs(99);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        Assert.That(stage.Backend.ReadHistory()[^1].Event, Is.EqualTo(HistoryEventKind.KeptAwake));
        stage.PassSecs(1.5);
        Assert.That((stage.Phase, closed()), Is.EqualTo((BackendPhase.Stopping, 1)));
    }

    [Test]
    public void Data_makes_it_count_again()
    {
        using var stage = new LifecycleStage();
        var (instance, tunnel, closed) = Open(stage);
        stage.PassSecs(59);
        Assert.That((tunnel.IsQuiet, stage.Backend.Word.PassiveCount), Is.EqualTo((true, 1)));
        tunnel.OnData();
        Assert.That((tunnel.IsQuiet, stage.Backend.Word), Is.EqualTo((false, new BackendWord(BackendPhase.Ready, 1, 1))));
        stage.PassSecs(59);
        Assert.That((stage.Phase, tunnel.IsQuiet), Is.EqualTo((BackendPhase.Ready, true)), "and quiet again 30 s later");
        tunnel.OnData();
        Assert.That(tunnel.End(countedPassive: false), Is.False);
        stage.Backend.Leave(instance, tunnel: true);
        stage.PassSecs(61);
        Assert.That((stage.Phase, closed(), stage.Workload.Terminated), Is.EqualTo((BackendPhase.Stopping, 0, 1)));
    }

    [Test]
    public void Data_in_the_moment_of_the_idle_stop_comes_too_late_and_hangs_nothing()
    {
        using var stage = new LifecycleStage();
        var (instance, tunnel, closed) = Open(stage);
        stage.PassSecs(60.3);
        Assert.That((stage.Phase, closed()), Is.EqualTo((BackendPhase.Stopping, 1)));
        tunnel.OnData();
        tunnel.OnData();
        Assert.That((tunnel.IsQuiet, stage.Backend.Word), Is.EqualTo((true, new BackendWord(BackendPhase.Stopping, 1, 0, 1))));
        stage.Backend.Leave(instance, tunnel.End(countedPassive: false), tunnel: true);
        stage.Settle();
        Assert.That(stage.Workload.Terminated, Is.EqualTo(1));
        tunnel.OnData();
    }

    [Test]
    public void Data_before_the_idle_stop_is_handled_puts_it_off()
    {
        using var stage = new LifecycleStage();
        var (_, tunnel, closed) = Open(stage);
        stage.PassSecs(60);
        stage.Time.AdvanceMs(100); // The deadline is told, and not handled yet.
        tunnel.OnData();
        stage.Settle();
        Assert.That((stage.Phase, closed()), Is.EqualTo((BackendPhase.Ready, 0)));
    }

    [Test]
    public void A_request_that_calls_the_stop_off_leaves_it_to_close_and_counts_right()
    {
        using var stage = new LifecycleStage();
        var (instance, tunnel, closed) = Open(stage);
        stage.PassSecs(60.3);
        var waiter = stage.Ask();
        stage.Settle();
        Assert.That((LifecycleStage.Outcome(waiter), closed()), Is.EqualTo(("Admitted", 1)));
        tunnel.OnData();
        Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 2)), "until it has closed it counts");
        stage.Backend.Leave(instance, tunnel.End(countedPassive: false), tunnel: true);
        stage.Backend.Leave(instance);
        Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 0)));
    }

    [Test]
    public void Another_stop_waits_for_a_quiet_one_as_for_any_tunnel()
    {
        using var stage = new LifecycleStage();
        var (_, _, closed) = Open(stage);
        stage.PassSecs(40);
        stage.Backend.RequestStop();
        stage.PassSecs(19);
        Assert.That((stage.Phase, closed(), stage.Workload.Terminated), Is.EqualTo((BackendPhase.Stopping, 0, 0)));
        stage.PassSecs(2);
        Assert.That(stage.Workload.Terminated, Is.EqualTo(1), "the drain timeout");
    }

    [Test]
    public void One_that_fails_to_close_keeps_no_other_from_it()
    {
        using var stage = new LifecycleStage { BugsAreExpected = true };
        var instance = stage.ToReady();
        Assert.That(stage.Backend.TryEnter(out _) && stage.Backend.TryEnter(out _));
        var closed = 0;
        stage.Backend.WatchTunnel(instance, QuietMs, static () => throw new InvalidOperationException("a test"));
        stage.Backend.WatchTunnel(instance, QuietMs, () => closed++);
        stage.PassSecs(60.3);
        Assert.That((stage.Phase, closed), Is.EqualTo((BackendPhase.Stopping, 1)));
    }

    [Test]
    public void Counts_exactly_while_data_passes_and_the_lifecycle_looks_and_stops()
    {
        using var stage = new LifecycleStage();
        var instance = stage.ToReady();
        var state = stage.Backend.Lifecycle.State;
        const int Tunnels = 4;
        const int Rounds = 20_000;
        var stops = 0;
        var done = 0;
        var threads = Enumerable
            .Range(0, Tunnels)
            .Select(_ => new Thread(() =>
            {
                while (!state.TryEnter(1))
                {
                    Thread.Yield();
                }

                // With no time at all it is quiet whenever somebody looks.
                var tunnel = stage.Backend.WatchTunnel(instance, -200, static () => { });
                for (var i = 0; i < Rounds; i++)
                {
                    tunnel.OnData();
                }

                // Quiet from now on, as all are in the end: then nothing is in use.
                while (Volatile.Read(ref stops) == 0)
                {
                    Thread.Yield();
                }

                state.Leave(1, tunnel.End(countedPassive: false));
                Interlocked.Increment(ref done);
            }))
            .ToList();
        threads.ForEach(static thread => thread.Start());
        while (Volatile.Read(ref done) < Tunnels)
        {
            instance = stage.Backend.Lifecycle.Queue.Instance!;
            instance.Watched?.Look(long.MaxValue / 2);
            var word = state.Read();
            Assert.That(word.InFlight, Is.InRange(0, Tunnels));
            if (word.Phase == BackendPhase.Ready && state.TryBeginIdleStop(1, out _))
            {
                instance.Watched?.CloseQuiet();
                state.TakeBackIdleStop(1, 0);
                Interlocked.Increment(ref stops);
            }
        }

        threads.ForEach(static thread => thread.Join());
        Assert.That(state.Read(), Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 0)));
        Assert.That(stops, Is.Positive);
    }

    private static (ReadyInstance Instance, WatchedTunnel Tunnel, Func<int> Closed) Open(LifecycleStage stage, long quietMs = QuietMs)
    {
        var instance = stage.ToReadyWithOneInFlight();
        stage.Backend.BecomeTunnel(instance);
        var closed = 0;
        var tunnel = stage.Backend.WatchTunnel(instance, quietMs, () => closed++);
        stage.Settle();
        return (instance, tunnel, () => closed);
    }
}
