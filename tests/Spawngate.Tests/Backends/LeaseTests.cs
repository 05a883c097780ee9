using Spawngate.Backends;
using Spawngate.Platform;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>A lease: an instance says itself that it works although nobody has a request open at it.</summary>
internal sealed class LeaseTests
{
    [Test]
    public void While_it_holds_there_is_no_idle_stop_and_the_idle_clock_goes_on_from_its_end()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        Lease(stage, 100);
        stage.PassSecs(99);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        Assert.That(stage.Backend.GetStatus(), Has.Property("LeaseSecs").EqualTo(2).And.Property("IdleStopInSecs").Null);

        stage.PassSecs(60);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready), "in use until 100 s, so that it is idle at 160 s");
        Assert.That(stage.Backend.GetStatus(), Has.Property("LeaseSecs").Null.And.Property("IdleStopInSecs").InRange(1, 2));
        stage.PassSecs(2);
        Assert.That((stage.Phase, stage.Workload.Terminated), Is.EqualTo((BackendPhase.Stopping, 1)), "within a second");
    }

    [Test]
    public void A_renewal_replaces_it_whether_longer_or_shorter()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        Lease(stage, 1000);
        Assert.That(stage.Backend.GetStatus().LeaseSecs, Is.InRange(1000, 1001));
        Lease(stage, 10);
        stage.PassSecs(69);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        Lease(stage, 10);
        stage.PassSecs(69);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        stage.PassSecs(1.5);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
    }

    [Test]
    public void Zero_ends_it_and_the_idle_clock_starts_then()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        Lease(stage, 86_400);
        stage.PassSecs(500);
        Lease(stage, 0);
        stage.PassSecs(59);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        stage.PassSecs(1.5);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
    }

    [Test]
    public void Zero_without_a_lease_is_no_use()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        stage.PassSecs(59);
        Lease(stage, 0);
        stage.PassSecs(1.5);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
    }

    [Test]
    public void One_that_is_given_while_it_starts_holds_from_ready_on()
    {
        using var stage = new LifecycleStage();
        var waiter = stage.ToLaunched();
        Lease(stage, 100);
        stage.PassSecs(20);
        stage.Probe.Listen();
        stage.Probe.Ready();
        stage.Settle();
        stage.Backend.Leave(LifecycleStage.Decided(waiter).Instance!);
        stage.PassSecs(79);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready), "the idle timeout is over, the lease is not");
        stage.PassSecs(62.5);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
    }

    [Test]
    public void It_does_not_put_a_start_deadline_off()
    {
        using var stage = new LifecycleStage();
        var waiter = stage.ToLaunched();
        Lease(stage, 1000);
        stage.PassSecs(30.3);
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("StartFailed"));
    }

    [Test]
    public void The_last_moment_of_the_idle_clock_is_early_enough_and_the_first_of_the_stop_too_late()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        stage.PassSecs(60);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        stage.Time.AdvanceMs(100); // Its deadline has passed and is told; it was not handled yet.
        var call = stage.Backend.LeaseAsync(stage.Launcher.Last.Token, 5);
        stage.Settle();
        var outcome = Answer(call);
        Assert.That(
            (outcome, stage.Phase),
            Is.EqualTo((LeaseOutcome.Stopping, BackendPhase.Stopping)),
            "the deadline was first in line, and who asked is told"
        );

        using var other = new LifecycleStage();
        other.ToReady();
        other.PassSecs(60);
        var early = other.Backend.LeaseAsync(other.Launcher.Last.Token, 5);
        other.Time.AdvanceMs(100);
        other.Settle();
        Assert.That((Answer(early), other.Phase), Is.EqualTo((LeaseOutcome.Accepted, BackendPhase.Ready)));
    }

    [Test]
    public void A_request_that_comes_when_it_ends_is_served()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        Lease(stage, 100);
        stage.PassSecs(160);
        Assert.That(stage.Backend.TryEnter(out var instance), "the idle clock has just run out");
        stage.PassSecs(5);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        stage.Backend.Leave(instance!);
        stage.PassSecs(59);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready), "its end counts now");
        stage.PassSecs(1.5);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
    }

    [Test]
    public void It_puts_off_no_stop_that_was_asked_for([Values("stop", "restart", "remove", "gateway stop")] string how)
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        Lease(stage, 1000);
        switch (how)
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
                stage.Backend.Close(LifecycleInput.GatewayStop);
                break;
        }

        stage.Settle();
        Assert.That((stage.Phase, stage.Workload.Terminated), Is.EqualTo((BackendPhase.Stopping, 1)));
        Assert.That(Ask(stage, 10), Is.EqualTo(LeaseOutcome.Stopping), "nor can it be renewed");
        Assert.That(Ask(stage, 0), Is.EqualTo(LeaseOutcome.Accepted), "to end it is no harm");
    }

    [Test]
    public void It_puts_off_no_restart_for_health_and_ends_with_its_instance()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        Lease(stage, 1000);
        var token = stage.Launcher.Last.Token;
        stage.FailChecks(4);
        Assert.That(stage.Workload.Terminated, Is.EqualTo(1));
        stage.Workload.Exit();
        stage.Settle();
        Assert.That((stage.Phase, stage.Launcher.Launches.Count), Is.EqualTo((BackendPhase.Starting, 2)));
        Assert.That(stage.Backend.GetStatus().LeaseSecs, Is.Null, "the next one has none");
        Assert.That(Answer(stage.Backend.LeaseAsync(token, 10)), Is.EqualTo(LeaseOutcome.Unauthorised));
    }

    [Test]
    public void A_call_that_waits_while_its_instance_ends_is_answered()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        stage.Workload.Exit();
        var call = stage.Backend.LeaseAsync(stage.Launcher.Last.Token, 10);
        stage.Settle();
        Assert.That(Answer(call), Is.EqualTo(LeaseOutcome.Unauthorised));
    }

    [Test]
    public void Nobody_else_can_give_one()
    {
        using var stage = new LifecycleStage();
        Assert.That(Answer(stage.Backend.LeaseAsync("anything", 10)), Is.EqualTo(LeaseOutcome.Unauthorised), "it was never started");
        stage.ToReady();
        foreach (var wrong in new[] { "", "0", stage.Launcher.Last.Token + "0", stage.Launcher.Last.Token.ToUpperInvariant() })
        {
            Assert.That(Answer(stage.Backend.LeaseAsync(wrong, 10)), Is.EqualTo(LeaseOutcome.Unauthorised), wrong);
        }

        stage.PassSecs(60.3);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
    }

    [Test]
    public void It_calls_off_an_idle_stop_that_only_waits_for_passive_requests()
    {
        using var stage = new LifecycleStage();
        var instance = stage.ToReady();
        stage.Backend.EnterPassive(out _);
        stage.PassSecs(60.3);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));

        Assert.That(Ask(stage, 100), Is.EqualTo(LeaseOutcome.Accepted));
        Assert.That((stage.Phase, stage.Workload.Terminated), Is.EqualTo((BackendPhase.Ready, 0)));
        Assert.That(
            stage.Backend.ReadHistory()[^1],
            Has.Property("Event").EqualTo(HistoryEventKind.Resumed).And.Property("Reason").EqualTo("lease")
        );
        stage.Backend.Leave(instance, countedPassive: true);
        Assert.That(stage.Backend.TryEnter(out _), "it serves again");
    }

    [Test]
    public void A_session_is_in_use_as_well_even_while_it_is_unhealthy()
    {
        using var stage = new LifecycleStage();
        var ephemeral = new EphemeralLifetime("test", new BackendTraffic(), static (_, _) => { });
        var backend = new Backend(stage.Env, LifecycleStage.Config("s.example.com"), [], ephemeral);
        backend.Begin(new WakeCause(WakeKind.Admin, "spawn"));
        stage.Settle();
        stage.Launcher.Last.Succeed();
        stage.Settle();
        stage.Probe.Ready();
        stage.Settle();
        var call = backend.LeaseAsync(stage.Launcher.Last.Token, 200);
        stage.Settle();
        Assert.That(Answer(call), Is.EqualTo(LeaseOutcome.Accepted));
        stage.FailChecks(3);
        stage.PassSecs(150);
        Assert.That((backend.Word.Phase, backend.UsedUntilMs()), Is.EqualTo((BackendPhase.Unhealthy, stage.Clock.NowMs)));
        stage.PassSecs(100);
        Assert.That(backend.Word.Phase, Is.EqualTo(BackendPhase.Stopping), "200 s and the idle timeout of 60 s are over");
    }

    [Test]
    public void What_it_kept_awake_is_told_once_for_each_idle_timeout()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        Lease(stage, 1000);
        stage.PassSecs(200);
        var kept = stage.Backend.ReadHistory()[^1];
        Assert.That(
            kept,
            Has.Property("Event")
                .EqualTo(HistoryEventKind.KeptAwake)
                .And.Property("Reason")
                .EqualTo("lease")
                .And.Property("Requests")
                .EqualTo(0)
                .And.Property("Times")
                .EqualTo(3)
        );
        Assert.That(kept.ActiveRequests, Does.Match("^a lease of 8[0-2][0-9] s more, renewed at [0-9:]{8}Z$"));
        Assert.That(
            Spawngate.Admin.HistoryWords.Of(kept),
            Does.Match("^kept awake for 3 idle timeouts in a row by a lease of 8[0-2][0-9] s more, renewed at [0-9:]{8}Z$")
        );
    }

    [Test]
    public void The_busy_url_is_the_ready_url_with_its_token_in_the_path()
    {
        using var stage = new LifecycleStage();
        Assert.That(
            BusyUrl.Of(stage.Env.ReadyUrl("*.a/ready/b", "abc")),
            Is.EqualTo($"http://127.0.0.1:{stage.Env.Server.AdminPort}/busy/%2A.a%2Fready%2Fb/abc")
        );
        Assert.That(BusyUrl.Of("http://[::1]:1/ready/x?token=1"), Is.EqualTo("http://[::1]:1/busy/x/1"));
        Assert.That(BusyUrl.Of("http://elsewhere/"), Is.Empty);
    }

    private static void Lease(LifecycleStage stage, int secs) => Assert.That(Ask(stage, secs), Is.EqualTo(LeaseOutcome.Accepted));

    private static LeaseOutcome Ask(LifecycleStage stage, int secs)
    {
        var call = stage.Backend.LeaseAsync(stage.Launcher.Last.Token, secs);
        stage.Settle();
        return Answer(call);
    }

    private static LeaseOutcome Answer(Task<LeaseOutcome> call)
    {
        Assert.That(call.IsCompletedSuccessfully, "nobody answers");
#pragma warning disable VSTHRD002 // It is completed.
        return call.Result;
#pragma warning restore VSTHRD002
    }
}
