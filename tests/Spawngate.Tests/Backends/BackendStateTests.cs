using Spawngate.Backends;

namespace Spawngate.Tests;

/// <summary>The state word: every phase × every transition, and its counting.</summary>
internal sealed class BackendStateTests
{
    private static readonly Dictionary<string, Func<BackendState, int, object?>> Transitions = new()
    {
        ["TryEnter"] = static (s, g) => s.TryEnter(g),
        ["TryEnter other generation"] = static (s, g) => s.TryEnter(g + 1),
        ["Leave"] = static (s, g) => s.Leave(g),
        ["Leave other generation"] = static (s, g) => s.Leave(g + 1),
        ["BeginStart"] = static (s, _) => s.BeginStart(),
        ["BecomeReady"] = static (s, g) => Do(() => s.BecomeReady(g, 7)),
        ["FailStart"] = static (s, g) => Do(() => s.FailStart(g)),
        ["MarkUnhealthy"] = static (s, g) => Do(() => s.MarkUnhealthy(g)),
        ["Recover"] = static (s, g) => Do(() => s.Recover(g)),
        ["TryEnterPassive"] = static (s, g) => s.TryEnterPassive(g, out _),
        ["TryEnterPassive other generation"] = static (s, g) => s.TryEnterPassive(g + 1, out _),
        ["Leave aside"] = static (s, g) => s.Leave(g, countedPassive: true),
        ["TryBecomePassive"] = static (s, g) => s.TryBecomePassive(g),
        ["TryBecomePassive other generation"] = static (s, g) => s.TryBecomePassive(g + 1),
        ["TryBecomeUse"] = static (s, g) => s.TryBecomeUse(g),
        ["TryBecomeUse other generation"] = static (s, g) => s.TryBecomeUse(g + 1),
        ["TryBeginIdleStop"] = static (s, g) => s.TryBeginIdleStop(g, out _),
        ["TakeBackIdleStop"] = static (s, g) => Do(() => s.TakeBackIdleStop(g, 1)),
        ["BeginStop"] = static (s, g) => s.BeginStop(g),
        ["Crash"] = static (s, g) => Do(() => s.Crash(g)),
        ["FinishStop"] = static (s, g) => Do(() => s.FinishStop(g)),
    };

    // Start of each row: what is in flight is 2 in Ready, Unhealthy and Stopping, 0 elsewhere. "!" throws and changes nothing; else result
    // > phase/in flight.
    private static readonly Dictionary<string, string[]> Expected = new()
    {
        //                               Stopped             Starting           Ready                Unhealthy            Stopping
        ["TryEnter"] = ["False>Stopped/0", "False>Starting/0", "True>Ready/3", "False>Unhealthy/2", "False>Stopping/2"],
        ["TryEnter other generation"] = ["False>Stopped/0", "False>Starting/0", "False>Ready/2", "False>Unhealthy/2", "False>Stopping/2"],
        ["Leave"] = ["Late>Stopped/0", "!", "Counted>Ready/1", "Counted>Unhealthy/1", "Counted>Stopping/1"],
        ["Leave other generation"] = ["Late>Stopped/0", "Late>Starting/0", "Late>Ready/2", "Late>Unhealthy/2", "Late>Stopping/2"],
        ["BeginStart"] = ["2>Starting/0", "!", "!", "!", "!"],
        ["BecomeReady"] = ["!", ">Ready/7", "!", "!", "!"],
        ["FailStart"] = ["!", ">Stopped/0", "!", "!", "!"],
        ["MarkUnhealthy"] = ["!", "!", ">Unhealthy/2", "!", "!"],
        ["Recover"] = ["!", "!", "!", ">Ready/2", "!"],
        ["TryEnterPassive"] = ["False>Stopped/0", "False>Starting/0", "True>Ready/3", "False>Unhealthy/2", "False>Stopping/2"],
        ["TryEnterPassive other generation"] =
        [
            "False>Stopped/0",
            "False>Starting/0",
            "False>Ready/2",
            "False>Unhealthy/2",
            "False>Stopping/2",
        ],
        ["Leave aside"] = ["Late>Stopped/0", "!", "!", "!", "!"],
        ["TryBecomePassive"] = ["False>Stopped/0", "False>Starting/0", "True>Ready/2", "True>Unhealthy/2", "False>Stopping/2"],
        ["TryBecomePassive other generation"] =
        [
            "False>Stopped/0",
            "False>Starting/0",
            "False>Ready/2",
            "False>Unhealthy/2",
            "False>Stopping/2",
        ],
        ["TryBecomeUse"] = ["False>Stopped/0", "False>Starting/0", "!", "!", "False>Stopping/2"],
        ["TryBecomeUse other generation"] =
        [
            "False>Stopped/0",
            "False>Starting/0",
            "False>Ready/2",
            "False>Unhealthy/2",
            "False>Stopping/2",
        ],
        ["TryBeginIdleStop"] = ["False>Stopped/0", "False>Starting/0", "False>Ready/2", "False>Unhealthy/2", "False>Stopping/2"],
        ["TakeBackIdleStop"] = ["!", "!", "!", "!", "!"],
        ["BeginStop"] = ["!", "0>Stopping/0", "2>Stopping/2", "2>Stopping/2", "!"],
        ["Crash"] = ["!", "!", ">Stopped/0", ">Stopped/0", "!"],
        ["FinishStop"] = ["!", "!", "!", "!", ">Stopped/0"],
    };

    [Test]
    public void Every_transition_from_every_phase_is_as_listed_or_throws()
    {
        Assert.That(Expected.Keys, Is.EquivalentTo(Transitions.Keys));
        using (Assert.EnterMultipleScope())
        {
            foreach (var (name, cells) in Expected)
            {
                for (var phase = 0; phase < cells.Length; phase++)
                {
                    Assert.That(Try(name, (BackendPhase)phase), Is.EqualTo(cells[phase]), $"{name} from {(BackendPhase)phase}");
                }
            }
        }
    }

    [Test]
    public void An_idle_stop_needs_nothing_in_flight_and_can_be_taken_back()
    {
        var state = At(BackendPhase.Ready);
        state.Leave(1);
        Assert.That(state.TryBeginIdleStop(1, out _), Is.False);
        state.Leave(1);
        Assert.That(state.TryBeginIdleStop(1, out _), Is.True);
        Assert.That(state.TryEnter(1), Is.False);
        state.TakeBackIdleStop(1, 0);
        Assert.That(state.TryEnter(1), Is.True);
    }

    [Test]
    public void The_last_one_to_leave_a_stop_is_told_so()
    {
        var state = At(BackendPhase.Stopping);
        Assert.That(state.Leave(1), Is.EqualTo(LeaveOutcome.Counted));
        Assert.That(state.Leave(1), Is.EqualTo(LeaveOutcome.LastOfStop));
        Assert.That(() => state.Leave(1), Throws.InvalidOperationException);
    }

    [Test]
    public void Leaving_more_often_than_entering_throws()
    {
        var state = At(BackendPhase.Ready);
        state.Leave(1);
        state.Leave(1);
        Assert.That(() => state.Leave(1), Throws.InvalidOperationException);
        Assert.That(state.Read().InFlight, Is.Zero);
    }

    [Test]
    public void Counts_exactly_under_four_threads()
    {
        var state = new BackendState();
        state.BecomeReady(state.BeginStart(), 0);
        var threads = Enumerable
            .Range(0, 4)
            .Select(_ => new Thread(() =>
            {
                for (var i = 0; i < 200_000; i++)
                {
                    if (!state.TryEnter(1) || state.Leave(1) != LeaveOutcome.Counted)
                    {
                        throw new InvalidOperationException("refused");
                    }
                }
            }))
            .ToList();
        threads.ForEach(static thread => thread.Start());
        threads.ForEach(static thread => thread.Join());
        Assert.That(state.Read(), Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 0)));
    }

    [Test]
    public void A_lease_taken_in_the_instant_of_an_idle_stop_wins_or_loses_never_both()
    {
        for (var round = 0; round < 2_000; round++)
        {
            var state = new BackendState();
            state.BecomeReady(state.BeginStart(), 0);
            using var barrier = new Barrier(2);
            var entered = false;
            var other = new Thread(() =>
            {
                barrier.SignalAndWait();
                entered = state.TryEnter(1);
            });
            other.Start();
            barrier.SignalAndWait();
            var stopped = state.TryBeginIdleStop(1, out _);
            other.Join();
            Assert.That(entered, Is.Not.EqualTo(stopped));
        }
    }

    private static string Try(string name, BackendPhase phase)
    {
        var state = At(phase);
        var before = state.Read();
        try
        {
            var result = Transitions[name](state, before.InstanceNumber);
            var after = state.Read();
            return $"{result}>{after.Phase}/{after.InFlight}";
        }
        catch (InvalidOperationException)
        {
            Assert.That(state.Read(), Is.EqualTo(before), $"{name} from {phase} threw and changed the word");
            return "!";
        }
    }

    private static BackendState At(BackendPhase phase)
    {
        var state = new BackendState();
        var instanceNumber = state.BeginStart();
        switch (phase)
        {
            case BackendPhase.Stopped:
                state.FailStart(instanceNumber);
                break;
            case BackendPhase.Ready:
                state.BecomeReady(instanceNumber, 2);
                break;
            case BackendPhase.Unhealthy:
                state.BecomeReady(instanceNumber, 2);
                state.MarkUnhealthy(instanceNumber);
                break;
            case BackendPhase.Stopping:
                state.BecomeReady(instanceNumber, 2);
                state.BeginStop(instanceNumber);
                break;
        }

        return state;
    }

    private static object? Do(Action action)
    {
        action();
        return null;
    }
}
