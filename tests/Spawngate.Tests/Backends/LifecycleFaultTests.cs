using System.Net.Sockets;
using Spawngate.Backends;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>
/// Steps of a lifecycle that throw: the backend ends in a state from which it can start again, and nobody waits for ever.
/// </summary>
internal sealed class LifecycleFaultTests
{
    private static readonly Dictionary<string, Action<LifecycleStage>> Stories = new()
    {
        ["a start that fails"] = static stage =>
        {
            stage.ToLaunching();
            stage.Launcher.Last.Fail("no such program");
            stage.Settle();
        },
        ["a start that takes too long"] = static stage =>
        {
            stage.ToLaunched();
            stage.PassSecs(31);
        },
        ["an exit before it is ready"] = static stage =>
        {
            stage.ToLaunched();
            stage.Workload.Exit();
            stage.Settle();
        },
        ["an idle stop"] = static stage =>
        {
            Ready(stage);
            stage.PassSecs(61);
        },
        ["a crash"] = static stage =>
        {
            Ready(stage);
            stage.Launcher.Last.Workload?.Exit();
            stage.Settle();
        },
        ["a stop that was asked for"] = static stage =>
        {
            Ready(stage);
            stage.Backend.RequestStop();
            stage.Settle();
        },
        ["a restart"] = static stage =>
        {
            Ready(stage);
            stage.Backend.RequestRestart();
            stage.Settle();
            stage.Ask();
            stage.Settle();
        },
    };

    private static IEnumerable<TestCaseData> Cases() =>
        Stories.Keys.SelectMany(static story => Enumerable.Range(0, LinesOf(story)), static (story, line) => new TestCaseData(story, line));

    [Test]
    public void Without_a_descriptor_to_choose_a_port_with_the_start_fails_and_says_why()
    {
        using var stage = new LifecycleStage { PortFault = new SocketException((int)SocketError.TooManyOpenSockets) };
        var waiter = stage.ToLaunching();
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("StartFailed"));
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopped));
        Assert.That(stage.Log.Records.Select(static record => record.Text), Has.Some.Contains("no file descriptor is left"));

        // The second failure in a row makes the next start wait, as every failure does.
        Assert.That(LifecycleStage.Decided(stage.ToLaunching()).RetryAfterSecs, Is.EqualTo(1));
        stage.PortFault = null;
        stage.PassSecs(1.1);
        stage.ToReady();
    }

    [Test]
    public void A_probe_that_cannot_be_made_fails_the_start_and_ends_the_process()
    {
        using var stage = new LifecycleStage { BugsAreExpected = true, ProbeFault = new InvalidOperationException("out of cheese") };
        var waiter = stage.ToLaunched();
        Assert.That(LifecycleStage.Decided(waiter).Outcome, Is.EqualTo(AdmissionOutcome.StartFailed));
        Assert.That(stage.Workload.Killed, Is.EqualTo(1));
        stage.Workload.Exit();
        stage.Settle();
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopped));
        Assert.That(stage.Backend.Lifecycle.Report.View.LastFailure, Does.Contain("out of cheese"));
    }

    [Test]
    public void A_check_that_could_not_be_made_says_nothing_about_the_backend()
    {
        using var stage = new LifecycleStage();
        stage.ToReadyWithOneInFlight();
        for (int i = 0; i < 10; i++)
        {
            stage.Pass(5000);
            stage.Probe.CannotAsk();
            stage.Settle();
        }

        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        Assert.That(stage.Probe.Checks, Is.EqualTo(10));
    }

    [TestCaseSource(nameof(Cases))]
    public void Whatever_step_throws_the_backend_is_never_stuck(string story, int line)
    {
        using var stage = new LifecycleStage { BugsAreExpected = true };
        int lines = 0;
        stage.Log.BeforeEach = text =>
        {
            if (!text.Contains("met a bug", StringComparison.Ordinal) && lines++ == line)
            {
                throw new InvalidOperationException("out of cheese");
            }
        };
        try
        {
            Stories[story](stage);
        }
        catch (Exception e) when (e is NullReferenceException or InvalidOperationException or ArgumentOutOfRangeException)
        {
            // The story cannot go on as it was told: what it wanted to do with the instance is not possible any more.
        }

        // Whatever runs is asked to end, and does.
        stage.Backend.RequestStop();
        stage.Settle();
        foreach (var launch in stage.Launcher.Launches.ToArray())
        {
            if (launch.IsPending)
            {
                launch.Fail("cancelled");
            }

            stage.Settle();
            launch.Workload?.Exit();
            stage.Settle();
        }

        stage.PassSecs(61);
        stage.Log.BeforeEach = null;
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopped));
        Assert.That(stage.Active.Count, Is.Zero, "nothing of it is left");
        stage.ToReady();
    }

    private static void Ready(LifecycleStage stage) => stage.Backend.Leave(stage.ToReadyWithOneInFlight());

    private static int LinesOf(string story)
    {
        using var stage = new LifecycleStage();
        Stories[story](stage);
        return stage.Log.Records.Count;
    }
}
