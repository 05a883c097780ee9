using Microsoft.Extensions.Logging;
using Spawngate.Backends;
using Spawngate.Platform;
using Spawngate.Tests.Fakes;
using Spawngate.Workloads.Docker;

namespace Spawngate.Tests;

/// <summary>The life of one backend, with scripted launcher, probes and time.</summary>
internal sealed class BackendLifecycleTests
{
    [Test]
    public void A_thousand_first_requests_start_one_process_and_are_all_admitted()
    {
        using var stage = new LifecycleStage();
        var waiters = Enumerable.Range(0, 1000).Select(_ => stage.Ask()).ToList();
        stage.Settle();
        stage.Launcher.Last.Succeed();
        stage.Settle();
        stage.Probe.Ready();
        stage.Settle();
        Assert.That(stage.Launcher.Launches, Has.Count.EqualTo(1));
        Assert.That(waiters.Select(LifecycleStage.Outcome), Is.All.EqualTo("Admitted"));
        Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 1000)));
        waiters.ForEach(waiter => stage.Backend.Leave(LifecycleStage.Decided(waiter).Instance!));
        Assert.That(stage.Backend.Word.InFlight, Is.Zero);
    }

    [Test]
    public void A_ready_backend_admits_on_the_hot_path_and_in_the_queue_alike()
    {
        using var stage = new LifecycleStage();
        var instance = stage.ToReady();
        Assert.That(stage.Backend.TryEnter(out var entered), Is.True);
        Assert.That(entered, Is.SameAs(instance));
        Assert.That(LifecycleStage.Outcome(stage.Ask()), Is.EqualTo("Admitted"));
        Assert.That(stage.Backend.Word.InFlight, Is.EqualTo(2));
    }

    [Test]
    public void The_queue_is_bounded()
    {
        using var stage = new LifecycleStage(config => config with { MaxQueuedRequests = 2 });
        var waiters = new[] { stage.Ask(), stage.Ask(), stage.Ask() };
        Assert.That(waiters.Select(LifecycleStage.Outcome), Is.EqualTo(["Held", "Held", "QueueFull"]));
        Assert.That(stage.Backend.Cancel(waiters[0]), Is.True);
        Assert.That(LifecycleStage.Outcome(waiters[0]), Is.EqualTo("Cancelled"));
        Assert.That(LifecycleStage.Outcome(stage.Ask()), Is.EqualTo("Held"));
    }

    [Test]
    public void A_client_that_leaves_is_cancelled_or_admitted_never_both()
    {
        using var stage = new LifecycleStage();
        var (first, second, third) = (stage.Ask(), stage.Ask(), stage.Ask());
        Assert.That(stage.Backend.Cancel(second), Is.True);
        Assert.That(stage.Backend.Cancel(second), Is.False);
        stage.Settle();
        stage.Launcher.Last.Succeed();
        stage.Settle();
        stage.Probe.Ready();
        stage.Settle();
        Assert.That(stage.Backend.Word.InFlight, Is.EqualTo(2));
        Assert.That(stage.Backend.Cancel(third), Is.False);
        Assert.That(new[] { first, second, third }.Select(LifecycleStage.Outcome), Is.EqualTo(["Admitted", "Cancelled", "Admitted"]));
    }

    [Test]
    public void A_launch_error_fails_the_held_requests_at_once()
    {
        using var stage = new LifecycleStage();
        var waiter = stage.ToLaunching();
        stage.Launcher.Last.Fail("cannot execute: no such file");
        stage.Settle();
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("StartFailed"));
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopped));
        Assert.That(stage.Backend.GetStatus().LastFailure, Does.Contain("no such file"));
        Assert.That(stage.Active.Count, Is.Zero);
    }

    [Test]
    public void An_exit_before_ready_fails_at_once_kills_the_group_and_logs_the_cause()
    {
        using var stage = new LifecycleStage();
        var waiter = stage.ToLaunched();
        stage.Workload.Exit("exited with status 3", "Traceback", "ImportError: nope");
        stage.Settle();
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("StartFailed"));
        Assert.That(stage.Workload.Killed, Is.EqualTo(1));
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopped));
        var log = stage.Log.Records;
        Assert.That(
            log,
            Has.Some.Matches<(LogLevel Level, string Text)>(r => r.Level == LogLevel.Error && r.Text.Contains("exited with status 3"))
        );
        Assert.That(
            log,
            Has.Some.Matches<(LogLevel Level, string Text)>(r => r.Level == LogLevel.Warning && r.Text.Contains("ImportError: nope"))
        );
    }

    [Test]
    public void A_start_that_takes_too_long_fails_its_requests_and_is_asked_to_end_and_awaited()
    {
        using var stage = new LifecycleStage();
        var waiter = stage.ToLaunched();
        stage.Probe.LastDetail = "status 500";
        stage.PassSecs(29.9);
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("Held"));
        stage.PassSecs(0.3);
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("StartFailed"));
        Assert.That(stage.Workload, Has.Property("Killed").Zero.And.Property("Terminated").EqualTo(1), "it may be migrating");
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
        Assert.That(stage.Backend.GetStatus().LastFailure, Does.Contain("30 s").And.Contain("status 500"));
        var next = stage.Ask();
        stage.PassSecs(5.2);
        Assert.That(stage.Workload.Killed, Is.EqualTo(1), "after its grace period");
        stage.Workload.Exit("killed by signal 9 (SIGKILL)");
        stage.Settle();
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Starting));
        Assert.That(stage.Launcher.Launches, Has.Count.EqualTo(2));
        Assert.That(LifecycleStage.Outcome(next), Is.EqualTo("Held"));
    }

    [Test]
    public void A_launcher_that_never_answers_is_given_up_and_a_late_run_is_killed()
    {
        using var stage = new LifecycleStage();
        var waiter = stage.ToLaunching();
        stage.PassSecs(30.2);
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("StartFailed"));
        Assert.That(stage.Launcher.Last.Cancel.IsCancellationRequested, Is.True);
        stage.PassSecs(10.2);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopped));
        var late = stage.Launcher.Last.Succeed();
        stage.Settle();
        Assert.That(late.Killed, Is.EqualTo(1));
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopped));
    }

    [Test]
    public void Repeated_failures_wait_1_2_4_8_16_30_30_seconds_and_an_admin_start_overrides()
    {
        using var stage = new LifecycleStage();
        foreach (var expected in new[] { 0, 1, 2, 4, 8, 16, 30, 30 })
        {
            var waiter = stage.ToLaunching();
            stage.Launcher.Last.Fail("no");
            stage.Settle();
            Assert.That(LifecycleStage.Decided(waiter), Is.EqualTo(new Admission(AdmissionOutcome.StartFailed, null, expected)));
            Assert.That(stage.Backend.GetStatus().RetryAfterSecs, Is.EqualTo(expected));
            if (expected > 0)
            {
                var launches = stage.Launcher.Launches.Count;
                stage.Pass((expected * 1000) - 100);
                Assert.That(LifecycleStage.Decided(stage.Ask()), Is.EqualTo(new Admission(AdmissionOutcome.StartFailed, null, 1)));
                stage.Settle();
                Assert.That(stage.Launcher.Launches, Has.Count.EqualTo(launches));
                stage.Pass(100);
            }
        }

        stage.ToLaunching();
        stage.Launcher.Last.Fail("no");
        stage.Settle();
        stage.Backend.RequestStart();
        stage.Settle();
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Starting));
        Assert.That(LifecycleStage.Outcome(stage.Ask()), Is.EqualTo("Held"));
    }

    [Test]
    public void A_crash_counts_as_a_failure_only_in_the_first_ten_seconds()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        stage.PassSecs(9);
        stage.Workload.Exit();
        stage.Settle();
        Assert.That(stage.Backend.GetStatus().FailuresInARow, Is.EqualTo(1));
        stage.ToReady();
        stage.PassSecs(10.2);
        Assert.That(stage.Backend.GetStatus().FailuresInARow, Is.Zero);
        stage.Workload.Exit();
        stage.Settle();
        Assert.That(stage.Backend.GetStatus(), Has.Property("FailuresInARow").Zero.And.Property("Phase").EqualTo(BackendPhase.Stopped));
        Assert.That(stage.Workload.Killed, Is.EqualTo(1));
    }

    [Test]
    public void A_crash_with_requests_in_flight_does_not_disturb_the_next_run()
    {
        using var stage = new LifecycleStage();
        var old = stage.ToReadyWithOneInFlight();
        stage.Workload.Exit();
        stage.Settle();
        Assert.That(stage.Backend.TryEnter(out _), Is.False);
        var instance = stage.ToReadyWithOneInFlight();
        Assert.That(instance.Pool, Is.Not.SameAs(old.Pool));
        stage.Backend.Leave(old);
        Assert.That(stage.Backend.Word.InFlight, Is.EqualTo(1));
        stage.Backend.Leave(instance);
        Assert.That(stage.Backend.Word.InFlight, Is.Zero);
    }

    [Test]
    public void Only_the_token_of_the_current_start_makes_it_ready()
    {
        using var stage = new LifecycleStage();
        Assert.That(stage.Backend.ReportReady(null, true), Is.EqualTo(ReadyCallbackOutcome.NotStarting));
        stage.ToLaunched();
        var oldToken = stage.Launcher.Last.Token;
        stage.Workload.Exit();
        stage.Settle();
        var waiter = stage.ToLaunched();
        Assert.That(oldToken, Has.Length.EqualTo(2 * BackendLimits.ReadyTokenBytes));
        foreach (var wrong in new[] { null, "", "x", oldToken, stage.Launcher.Last.Token + "0" })
        {
            Assert.That(stage.Backend.ReportReady(wrong, false), Is.EqualTo(ReadyCallbackOutcome.Unauthorised));
        }

        Assert.That(stage.Backend.ReportReady(stage.Launcher.Last.Token, false), Is.EqualTo(ReadyCallbackOutcome.Accepted));
        stage.Settle();
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("Admitted"));
        Assert.That(stage.Backend.GetStatus().LastStart!.Signal, Is.EqualTo(ReadySignal.Callback));
        Assert.That(stage.Backend.ReportReady(stage.Launcher.Last.Token, false), Is.EqualTo(ReadyCallbackOutcome.NotStarting));
        Assert.That(stage.Backend.ReportReady(oldToken, false), Is.EqualTo(ReadyCallbackOutcome.Unauthorised));
    }

    [Test]
    public void A_callback_may_overtake_the_launchers_answer()
    {
        using var stage = new LifecycleStage();
        var waiter = stage.ToLaunching();
        Assert.That(stage.Backend.ReportReady(null, true), Is.EqualTo(ReadyCallbackOutcome.Accepted));
        stage.Settle();
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Starting));
        stage.Launcher.Last.Succeed();
        stage.Settle();
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("Admitted"));
    }

    [Test]
    public void The_steps_of_a_start_are_measured_from_the_request_on()
    {
        using var stage = new LifecycleStage();
        stage.Ask();
        stage.Time.AdvanceMs(2);
        stage.Settle();
        stage.Time.AdvanceMs(3);
        stage.Launcher.Last.Succeed();
        stage.Settle();
        stage.Time.AdvanceMs(4);
        stage.Probe.Listen();
        stage.Time.AdvanceMs(5);
        stage.Probe.Ready();
        stage.Time.AdvanceMs(50);
        stage.Settle();
        Assert.That(
            stage.Backend.GetStatus().LastStart,
            Is.EqualTo(new StartTimings(5, 9, 14, ReadySignal.Health, "GET /health answered 200"))
        );
        Assert.That(stage.Log.Records.Select(r => r.Text), Has.Some.Contains("spawn_ms=\"5\" listen_ms=\"9\" ready_ms=\"14\""));
    }

    [Test]
    public void Idle_is_counted_from_the_last_use_and_stops_within_a_second()
    {
        using var stage = new LifecycleStage();
        var instance = stage.ToReadyWithOneInFlight();
        // The checks answer, so that monitoring does not interfere.
        PassHealthy(stage, 100);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        stage.Backend.Leave(instance);
        PassHealthy(stage, 59.9);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        Assert.That(stage.Backend.GetStatus().IdleStopInSecs, Is.EqualTo(1));
        PassHealthy(stage, 1);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
        Assert.That(stage.Workload.Terminated, Is.EqualTo(1));
    }

    [Test]
    public void A_request_that_meets_an_idle_stop_is_held_and_starts_the_backend_anew()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        PassHealthy(stage, 61);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
        Assert.That(stage.Backend.TryEnter(out _), Is.False);
        var waiter = stage.Ask();
        stage.Settle();
        Assert.That(stage.Launcher.Launches, Has.Count.EqualTo(1));
        stage.Workload.Exit("exited with status 0");
        stage.Settle();
        Assert.That(stage.Launcher.Launches, Has.Count.EqualTo(2));
        stage.Launcher.Last.Succeed();
        stage.Settle();
        stage.Probe.Ready();
        stage.Settle();
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("Admitted"));
    }

    [Test]
    public void Idle_timeout_zero_never_stops_and_a_reload_can_change_that()
    {
        using var stage = new LifecycleStage(config => config with { IdleTimeoutSecs = 0, ReadyHealthCheckIntervalMs = 0 });
        stage.ToReady();
        stage.PassSecs(4000);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        stage.Backend.Reconfigure(stage.Backend.Config with { IdleTimeoutSecs = 10 });
        stage.Settle();
        stage.PassSecs(0.2);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
    }

    [Test]
    public void A_stop_drains_then_cuts_then_terminates_then_kills_then_gives_up()
    {
        using var stage = new LifecycleStage();
        stage.ToReadyWithOneInFlight();
        stage.Backend.RequestStop();
        stage.Settle();
        stage.PassSecs(20);
        Assert.That(stage.Workload.Terminated, Is.Zero);
        stage.PassSecs(0.2);
        Assert.That(stage.Workload, Has.Property("Terminated").EqualTo(1).And.Property("Killed").Zero);
        stage.PassSecs(4.9);
        Assert.That(stage.Workload.Killed, Is.Zero);
        stage.PassSecs(0.2);
        Assert.That(stage.Workload.Killed, Is.EqualTo(1));
        stage.PassSecs(10.2);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopped));
        Assert.That(stage.Log.Records.Select(r => r.Text), Has.Some.Contains("given up"));
    }

    [Test]
    public void A_drain_ends_with_the_last_request()
    {
        using var stage = new LifecycleStage();
        var instance = stage.ToReadyWithOneInFlight();
        stage.Backend.RequestStop();
        stage.Settle();
        Assert.That(LifecycleStage.Outcome(stage.Ask()), Is.EqualTo("ShuttingDown"));
        stage.Backend.Leave(instance);
        stage.Settle();
        Assert.That(stage.Workload.Terminated, Is.EqualTo(1));
        stage.Workload.Exit("exited with status 0");
        stage.Settle();
        Assert.That(
            stage.Backend.GetStatus(),
            Has.Property("Phase").EqualTo(BackendPhase.Stopped).And.Property("LastStopReason").EqualTo("asked")
        );
        Assert.That(stage.Workload.Killed, Is.EqualTo(1), "the group is killed once after the leader's exit");
    }

    [Test]
    public void Failed_checks_make_it_unhealthy_and_a_success_ready_again()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        stage.FailChecks(2);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        stage.FailChecks(1);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Unhealthy));
        Assert.That(LifecycleStage.Outcome(stage.Ask()), Is.EqualTo("Unhealthy"));
        stage.Pass(5000);
        stage.Probe.Answer(true);
        stage.Settle();
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        stage.FailChecks(2);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready), "the count begins anew");
    }

    [Test]
    public void An_unhealthy_backend_that_fails_again_is_restarted_and_requests_are_held()
    {
        using var stage = new LifecycleStage();
        stage.ToUnhealthy();
        stage.FailChecks(1);
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Stopping));
        Assert.That(stage.Backend.GetStatus().StoppingBecause, Is.EqualTo("unhealthy"));
        var waiter = stage.Ask();
        stage.Workload.Exit();
        stage.Settle();
        Assert.That(stage.Launcher.Launches, Has.Count.EqualTo(2));
        stage.Launcher.Last.Succeed();
        stage.Settle();
        stage.Probe.Ready();
        stage.Settle();
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("Admitted"));
    }

    [Test]
    public void A_check_in_progress_is_not_doubled_and_short_intervals_shorten_its_timeout()
    {
        using var stage = new LifecycleStage(config => config with { ReadyHealthCheckIntervalMs = 2000 });
        stage.ToReady();
        stage.Pass(9000);
        Assert.That(stage.Probe, Has.Property("Checks").EqualTo(1).And.Property("LastTimeoutMs").EqualTo(2000));
    }

    [Test]
    public void A_new_check_interval_holds_at_once_and_other_changes_do_not_move_the_checks()
    {
        using var stage = new LifecycleStage(config => config with { ReadyHealthCheckIntervalMs = 60_000 });
        stage.ToReady();
        stage.Pass(1000);
        stage.Backend.Reconfigure(stage.Backend.Config with { ReadyHealthCheckIntervalMs = 2000 });
        stage.Settle();
        for (var i = 0; i < 19; i++)
        {
            stage.Pass(100);
            stage.Backend.Reconfigure(stage.Backend.Config with { IdleTimeoutSecs = 100 + i });
            stage.Settle();
        }

        Assert.That(stage.Probe, Has.Property("Checks").Zero);
        stage.Pass(200);
        Assert.That(stage.Probe, Has.Property("Checks").EqualTo(1));
    }

    [Test]
    public void A_taken_port_is_waited_for_a_moment_then_reported()
    {
        using var stage = new LifecycleStage(config => config with { Port = 8000 });
        stage.TakenPorts.Add(8000);
        var waiter = stage.ToLaunching();
        stage.PassSecs(1);
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("Held"));
        stage.PassSecs(1.2);
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("StartFailed"));
        Assert.That(stage.Backend.GetStatus().LastFailure, Is.EqualTo("port 8000 is in use by another program"));
        stage.ToLaunching();
        stage.TakenPorts.Clear();
        stage.PassSecs(0.2);
        Assert.That(stage.Launcher.Launches, Has.Count.EqualTo(1));
        Assert.That(stage.Launcher.Last.Request.Port, Is.EqualTo(8000));
    }

    [Test]
    public void A_port_whose_last_connections_are_not_over_is_waited_for_as_long_as_the_start_may_take()
    {
        using var stage = new LifecycleStage(config => config with { Port = 8000, StartupTimeoutSecs = 10 });
        stage.TakenPorts.Add(8000);
        stage.PortUse = new PortUse(Waiting: 3, Holder: null);
        var waiter = stage.ToLaunching();
        stage.PassSecs(9);
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("Held"));
        stage.TakenPorts.Clear();
        stage.PassSecs(0.2);
        Assert.That(stage.Launcher.Launches, Has.Count.EqualTo(1));
    }

    [Test]
    public void A_port_that_does_not_come_free_in_time_is_told_with_the_reason()
    {
        using var stage = new LifecycleStage(config => config with { Port = 8000, StartupTimeoutSecs = 10 });
        stage.TakenPorts.Add(8000);
        stage.PortUse = new PortUse(Waiting: 3, Holder: null);
        var waiter = stage.ToLaunching();
        stage.PassSecs(10.2);
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("StartFailed"));
        Assert.That(
            stage.Backend.GetStatus().LastFailure,
            Is.EqualTo("port 8000 still has 3 connections of the run before in TIME_WAIT, and the program does not set SO_REUSEADDR")
        );
    }

    [Test]
    public void A_container_is_reached_at_the_port_that_its_engine_chose()
    {
        using var stage = new LifecycleStage(config =>
            config with
            {
                Port = 3000,
                Settings = new DockerSettings { Image = "app:1", ContainerName = "app" },
            }
        );
        stage.TakenPorts.Add(3000);
        var waiter = stage.ToLaunching();
        Assert.That(stage.Launcher.Last.Request.Port, Is.Zero, "its own port is none of this machine");
        stage.Launcher.Last.Succeed(port: 41000);
        stage.Settle();
        Assert.That(stage.Probe.Target.Place.Endpoint.Port, Is.EqualTo(41000));
        Assert.That(stage.Probe.Target.Place.IsForwarded, "a forwarder accepts before the container listens");
        stage.Probe.Ready();
        stage.Settle();
        Assert.That(LifecycleStage.Decided(waiter).Instance!.Pool.Endpoint.Port, Is.EqualTo(41000));
    }

    [Test]
    public void A_container_on_the_hosts_network_needs_its_port_on_this_machine()
    {
        var docker = new DockerSettings
        {
            Image = "app:1",
            ContainerName = "app",
            Network = "host",
        };
        using var stage = new LifecycleStage(config => config with { Port = 3000, Settings = docker });
        stage.TakenPorts.Add(3000);
        stage.ToLaunching();
        stage.PassSecs(2.2);
        Assert.That(stage.Backend.GetStatus().LastFailure, Is.EqualTo("port 3000 is in use by another program"));
    }

    [Test]
    public void A_start_that_takes_too_long_says_what_the_launcher_was_doing()
    {
        using var stage = new LifecycleStage();
        stage.ToLaunching();
        stage.Launcher.Last.Request.Stage.Text = "pulling image app:1";
        stage.PassSecs(31);
        Assert.That(stage.Backend.GetStatus().LastFailure, Is.EqualTo("not ready within 30 s (pulling image app:1)"));
    }

    [Test]
    public void Status_tells_what_runs()
    {
        using var stage = new LifecycleStage();
        Assert.That(stage.Backend.GetStatus(), Has.Property("Port").Zero.And.Property("InstanceNumber").Zero.And.Property("Pid").Null);
        stage.ToReadyWithOneInFlight();
        var status = stage.Backend.GetStatus();
        Assert.That(
            status,
            Has.Property("Port").EqualTo(40001).And.Property("Pid").EqualTo(1001).And.Property("Workload").EqualTo("pid 1001")
        );
        Assert.That(
            status,
            Has.Property("InFlight").EqualTo(1).And.Property("WokenBy").EqualTo("request: GET /").And.Property("IdleStopInSecs").Null
        );
        Assert.That(stage.Launcher.Last.Request.ReadyUrl, Does.StartWith("http://127.0.0.1:9999/ready/app.example.com?token="));
    }

    [Test]
    public void A_lease_leaves_once()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        Assert.That(stage.Backend.TryLease(out var lease), Is.True);
        lease.Dispose();
        lease.Dispose();
        Assert.That(stage.Backend.Word.InFlight, Is.Zero);
        Assert.That(lease.Instance, Is.Null, "whoever keeps the lease keeps no backend that may be removed");
    }

    [Test]
    public void Entering_and_leaving_a_ready_backend_allocates_nothing()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        Assert.That(Allocations.Least(() => Cycle(stage.Backend, 10_000)), Is.Zero);
    }

    private static void Cycle(Backend backend, int times)
    {
        for (var i = 0; i < times; i++)
        {
            if (!backend.TryEnter(out var instance))
            {
                throw new InvalidOperationException("refused");
            }

            backend.Leave(instance);
        }
    }

    private static void PassHealthy(LifecycleStage stage, double secs)
    {
        for (var left = (long)(secs * 1000); left > 0; left -= 100)
        {
            stage.Pass(Math.Min(left, 100));
            if (stage.Probe.AwaitsCheck)
            {
                stage.Probe.Answer(true);
                stage.Settle();
            }
        }
    }
}
