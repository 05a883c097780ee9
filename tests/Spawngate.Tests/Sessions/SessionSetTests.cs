using System.Text;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Routing;
using Spawngate.Sessions;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Sessions from their creation to their end, with time, processes and probes in the hands of the test.</summary>
internal sealed class SessionSetTests
{
    private const int GraceSecs = 10;

    private LifecycleStage _stage = null!;
    private BackendSet _backends = null!;

    private SessionSet Sessions => _backends.Sessions;

    private static GatewayConfig Config(string more = "", string templates = "") =>
        ConfigSource.Valid(
            $"""
            [defaults]
            shutdown_grace_period_secs = 5
            drain_timeout_secs = 20
            [sessions]
            domain = "s.test"
            {more}
            [sessions.templates.a]
            command = "x"
            grace_period_secs = {GraceSecs}
            {templates}
            """
        );

    [SetUp]
    public void Make()
    {
        _stage = new LifecycleStage();
        _backends = new BackendSet(_stage.Env, Config("max = 4", "[sessions.templates.short]\ncommand = \"x\"\nlifetime_limit_secs = 30"));
    }

    [TearDown]
    public void End() => _stage.Dispose();

    [Test]
    public void A_session_starts_at_once_and_goes_through_its_states()
    {
        var session = Spawn("""{"template":"a"}""");
        Assert.That(States(session), Is.EqualTo("Submitted Constructed"));
        Assert.That(session.Hostname, Is.EqualTo($"{session.Name}.s.test"));
        Assert.That(session.Url, Is.EqualTo($"http://{session.Name}.s.test/"));
        Settle();
        Assert.That(States(session), Is.EqualTo("Submitted Constructed Scheduled"));
        var waiter = Find(session)!.Enqueue(default);
        _stage.Launcher.Last.Succeed();
        Settle();
        Assert.That(States(session), Is.EqualTo("Submitted Constructed Scheduled Running"));
        Assert.That(session.IsReady, Is.False);
        BecomeReady();
        Assert.That(States(session), Is.EqualTo("Submitted Constructed Scheduled Running Ready"));
        Assert.That(session.IsReady, Is.True);
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("Admitted"), "who came early waited");
        Assert.That(_stage.Launcher.Last.Request.Config.Hostname, Is.EqualTo(session.Hostname));
        Assert.That(
            _stage.Launcher.Last.Request.Config.Env,
            Is.EqualTo([KeyValuePair.Create("SESSION_ID", session.Name), KeyValuePair.Create("SESSION_KEY", "")])
        );
    }

    [Test]
    public void It_is_swept_after_the_grace_period_and_not_before()
    {
        var session = SpawnReady();
        _stage.PassSecs(GraceSecs - 1);
        Assert.That(session.IsReady, Is.True);
        Assert.That(session.ReadUse(), Is.EqualTo(new SessionUse(true, 0, GraceSecs - 1)));
        Assert.That(Find(session)!.TryLease(out var lease), Is.True);
        _stage.PassSecs(3 * GraceSecs);
        Assert.That(session.ReadUse(), Is.EqualTo(new SessionUse(true, 1, 0)), "in use for longer than the grace period");
        lease.Dispose();
        _stage.PassSecs(GraceSecs - 0.5);
        Assert.That(session.IsReady, Is.True);
        _stage.PassSecs(1);
        Assert.That((session.IsReady, session.Status.State), Is.EqualTo((false, SessionState.Ready)), "it is asked to end");
        Assert.That(Answer(session), Is.EqualTo("ShuttingDown"));
        _stage.Workload.Exit("exited with status 0");
        Settle();
        Assert.That(session.Status.State, Is.EqualTo(SessionState.Swept));
        Assert.That(Answer(session), Is.EqualTo("ended"));
        _stage.PassSecs(100);
        Assert.That(_stage.Launcher.Launches, Has.Count.EqualTo(1), "it is never started again");
    }

    [Test]
    public void An_exit_makes_it_fail_and_nothing_starts_it_again()
    {
        var session = SpawnReady();
        var backend = Find(session)!;
        _stage.Workload.Exit();
        Settle();
        Assert.That(session.Status.State, Is.EqualTo(SessionState.Failed));
        Assert.That(LifecycleStage.Outcome(backend.Enqueue(default)), Is.EqualTo("ShuttingDown"), "who had looked it up before");
        Assert.That(Answer(session), Is.EqualTo("ended"));
        Settle();
        Assert.That(_stage.Launcher.Launches, Has.Count.EqualTo(1));
        Assert.That(States(session), Is.EqualTo("Submitted Constructed Scheduled Running Ready Failed"));
    }

    [Test]
    public void A_start_that_fails_fails_who_waits_and_is_not_repeated()
    {
        var session = Spawn("""{"template":"a"}""");
        Settle();
        var waiter = Find(session)!.Enqueue(default);
        _stage.Launcher.Last.Fail("no such program");
        Settle();
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("StartFailed"));
        Assert.That(States(session), Is.EqualTo("Submitted Constructed Scheduled Failed"));
        Assert.That(Answer(session), Is.EqualTo("ended"));
    }

    [Test]
    public void What_is_never_ready_fails_at_its_timeout_and_is_asked_to_end()
    {
        var session = Spawn("""{"template":"a"}""");
        Settle();
        _stage.Launcher.Last.Succeed();
        Settle();
        var backend = Find(session)!;
        var waiter = backend.Enqueue(default);
        _stage.PassSecs(31);
        Assert.That(session.Status.State, Is.EqualTo(SessionState.Failed));
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("StartFailed"));
        Assert.That(Answer(session), Is.EqualTo("ShuttingDown"), "while it ends");
        Assert.That(_stage.Workload.Terminated, Is.EqualTo(1));
        _stage.Workload.Exit();
        Settle();
        Assert.That(Answer(session), Is.EqualTo("ended"));
        Assert.That(session.Status.State, Is.EqualTo(SessionState.Failed));
    }

    [Test]
    public void Unhealthy_it_is_neither_restarted_nor_ended_but_swept_when_idle()
    {
        var session = SpawnReady();
        Assert.That(Find(session)!.TryLease(out var lease), Is.True);
        _stage.FailChecks(3);
        Assert.That(Find(session)!.Word.Phase, Is.EqualTo(BackendPhase.Unhealthy));
        _stage.FailChecks(2);
        Assert.That(Answer(session), Is.EqualTo("Unhealthy"));
        Assert.That((session.Status.State, _stage.Workload.Terminated), Is.EqualTo((SessionState.Ready, 0)));
        _stage.Pass(5000);
        _stage.Probe.Answer(true);
        Settle();
        Assert.That(Answer(session), Is.EqualTo("Admitted"), "it has recovered as it was");
        Find(session)!.Leave(Find(session)!.Lifecycle.Queue.Instance!);
        _stage.FailChecks(3);
        lease.Dispose();
        _stage.PassSecs(GraceSecs - 1);
        Assert.That((Find(session)!.Word.Phase, _stage.Workload.Terminated), Is.EqualTo((BackendPhase.Unhealthy, 0)));
        _stage.PassSecs(2);
        Assert.That(_stage.Workload.Terminated, Is.EqualTo(1));
        _stage.Workload.Exit();
        Settle();
        Assert.That(session.Status.State, Is.EqualTo(SessionState.Swept));
    }

    [Test]
    public void A_deletion_drains()
    {
        var session = SpawnReady("""{"template":"a","key":"k"}""");
        var backend = Find(session)!;
        Assert.That(backend.TryLease(out var lease), Is.True);
        Sessions.End(session, StopReason.Asked);
        Settle();
        Assert.That(session.IsReady, Is.False);
        Assert.That(Answer(session), Is.EqualTo("ShuttingDown"));
        _stage.PassSecs(5);
        Assert.That((_stage.Workload.Terminated, session.Status.State), Is.EqualTo((0, SessionState.Ready)), "something is open");
        lease.Dispose();
        Settle();
        Assert.That(_stage.Workload.Terminated, Is.EqualTo(1));
        Sessions.End(session, StopReason.Asked);
        _stage.Workload.Exit();
        Settle();
        Assert.That(session.Status.State, Is.EqualTo(SessionState.Swept));
        Sessions.End(session, StopReason.Asked);
        Settle();
        Assert.That(States(session), Does.EndWith("Ready Swept"));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(2)]
    public void A_deletion_at_any_step_of_the_start_ends_it(int steps)
    {
        var session = Spawn("""{"template":"a"}""");
        if (steps > 0)
        {
            Settle();
        }

        if (steps > 1)
        {
            _stage.Launcher.Last.Succeed();
            Settle();
        }

        Sessions.End(session, StopReason.Asked);
        Settle();
        if (_stage.Launcher.Launches is [{ IsPending: true } launch])
        {
            Assert.That(launch.Cancel.IsCancellationRequested, Is.True);
            launch.Fail("cancelled");
            Settle();
        }
        else
        {
            _stage.Workload.Exit();
            Settle();
        }

        Assert.That(session.Status.State, Is.EqualTo(SessionState.Swept));
        Assert.That(Answer(session), Is.EqualTo("ended"));
    }

    [Test]
    public void A_lifetime_ends_it_even_in_use_and_only_then()
    {
        var session = SpawnReady("""{"template":"short"}""");
        Assert.That(Find(session)!.TryLease(out var lease), Is.True);
        _stage.PassSecs(29);
        Assert.That(session.IsReady, Is.True);
        _stage.PassSecs(2);
        Assert.That(session.IsReady, Is.False);
        Assert.That(_stage.Workload.Terminated, Is.Zero, "it drains");
        lease.Dispose();
        Settle();
        _stage.Workload.Exit();
        Settle();
        Assert.That(session.Status.State, Is.EqualTo(SessionState.Swept));
        Assert.That(_stage.Log.Records.Select(each => each.Text), Has.Some.Contains("lifetime limit"));
    }

    [Test]
    public void One_key_is_one_session_while_it_lives_and_a_call_counts_as_use()
    {
        var first = SpawnReady("""{"template":"a","key":"k"}""");
        _stage.PassSecs(GraceSecs - 1);
        var again = Sessions.Spawn(Request("""{"template":"short","key":"k"}"""));
        Assert.That((again.Session, again.IsNew), Is.EqualTo((first, false)));
        _stage.PassSecs(GraceSecs - 1);
        Assert.That(first.IsReady, Is.True, "the grace period began anew");
        _stage.PassSecs(2);
        Assert.That(first.IsReady, Is.False);
        var second = Sessions.Spawn(Request("""{"template":"a","key":"k"}"""));
        Assert.That(second.IsNew, Is.True, "the first one ends");
        Settle();
        _stage.Launcher.Launches[0].Workload!.Exit();
        Settle();
        Assert.That(
            Sessions.Spawn(Request("""{"template":"a","key":"k"}""")).Session,
            Is.SameAs(second.Session),
            "the end of the first did not take the key from the second"
        );
        Sessions.End(second.Session!, StopReason.Asked);
        Assert.That(Sessions.Spawn(Request("""{"template":"a","key":"k"}""")).IsNew, Is.True, "the key of a deleted one is free at once");
    }

    [Test]
    public void Simultaneous_calls_with_one_key_make_one_session()
    {
        var outcomes = new SpawnOutcome[2000];
        Parallel.For(0, outcomes.Length, i => outcomes[i] = Sessions.Spawn(Request("""{"template":"a","key":"k"}""")));
        Assert.That(outcomes.Select(each => each.Session).Distinct().Count(), Is.EqualTo(1));
        Assert.That(outcomes.Count(each => each.IsNew), Is.EqualTo(1));
    }

    [Test]
    public void Past_the_most_there_is_no_room_until_one_has_ended()
    {
        Session[] all = [.. Enumerable.Range(0, 4).Select(_ => SpawnReady())];
        Assert.That(Sessions.Spawn(Request("""{"template":"a"}""")).Error, Is.EqualTo(SpawnError.Full(4)));
        _stage.Workload.Exit();
        Settle();
        Assert.That(all[3].Status.State, Is.EqualTo(SessionState.Failed));
        Assert.That(Sessions.Spawn(Request("""{"template":"a"}""")).IsNew, Is.True);
    }

    [Test]
    public void A_reload_changes_what_is_made_and_not_what_lives()
    {
        var session = SpawnReady();
        _backends.Apply(ConfigSource.Valid("[sessions]\ndomain = 'other.test'\n[sessions.templates.b]\ncommand = 'y'"));
        Assert.That(Answer(session), Is.EqualTo("Admitted"), "under the host it was given");
        Find(session)!.Leave(Find(session)!.Lifecycle.Queue.Instance!);
        Assert.That(Sessions.Spawn(Request("""{"template":"a"}""")).Error!.Field, Is.EqualTo("template"));
        Assert.That(Spawn("{}").Hostname, Does.EndWith(".other.test"));
        _backends.Apply(ConfigSource.Valid(""));
        Assert.That(Sessions.Spawn(Request("{}")).Error, Is.SameAs(SpawnError.NoSessions));
        Assert.That(Sessions.Find(session.Name), Is.SameAs(session));
        _stage.PassSecs(GraceSecs + 1);
        Assert.That(session.IsReady, Is.False, "its own grace period still holds");
    }

    [Test]
    public async Task When_the_gateway_stops_all_end_and_none_is_made()
    {
        var session = SpawnReady();
        var starting = Spawn("""{"template":"a"}""");
        Assert.That(_backends.StopMsMax(), Is.GreaterThanOrEqualTo(25_000));
        var stopped = _backends.StopAllAsync();
        Settle();
        Assert.That(Sessions.Spawn(Request("""{"template":"a"}""")).Error, Is.SameAs(SpawnError.ShuttingDown));
        Assert.That(stopped.IsCompleted, Is.False);
        _stage.Launcher.Launches[0].Workload!.Exit();
        _stage.Launcher.Launches[1].Fail("cancelled");
        Settle();
        await stopped;
        Assert.That((session.Status.State, starting.Status.State), Is.EqualTo((SessionState.Swept, SessionState.Swept)));
    }

    [Test]
    public void Only_the_latest_that_ended_are_remembered()
    {
        List<string> gone = [];
        Sessions.OnGone = gone.Add;
        var first = Fail();
        for (int i = 1; i < SessionLimits.RememberedMax; i++)
        {
            Fail();
        }

        Assert.That(Sessions.Find(first.Name), Is.SameAs(first));
        Assert.That(Answer(first), Is.EqualTo("ended"));
        Fail();
        Assert.That(Sessions.Find(first.Name), Is.Null);
        Assert.That(Answer(first), Is.EqualTo("unknown"));
        Assert.That(Sessions.Index.Count, Is.EqualTo(SessionLimits.RememberedMax));
        Assert.That(gone.Count(host => host == first.Hostname), Is.EqualTo(2), "told at its end, and when it is forgotten");

        Session Fail()
        {
            var session = Spawn("""{"template":"a"}""");
            Settle();
            _stage.Launcher.Last.Fail("x");
            Settle();
            _stage.Launcher.Launches.Clear();
            return session;
        }
    }

    [Test]
    public void A_wait_for_a_change_ends_with_it_and_never_misses_one()
    {
        var session = Spawn("""{"template":"a"}""");
        var waits = session.ChangedAsync(session.History.Count);
        Assert.That(waits.IsCompleted, Is.False);
        Settle();
        Assert.That(session.ChangedAsync(2).IsCompleted, Is.True);
        Assert.That(waits.IsCompleted, Is.True);
        _stage.Launcher.Last.Fail("x");
        Settle();
        Assert.That(session.ChangedAsync(session.History.Count).IsCompleted, Is.True, "nothing follows");
    }

    [Test]
    public void What_went_through_sessions_is_counted_by_template_and_survives_them()
    {
        var session = SpawnReady();
        Find(session)!.Traffic.CountSent();
        Find(session)!.Traffic.ChangeTunnels(1);
        Assert.That(Find(session)!.TryLease(out var lease), Is.True);
        var numbers = Sessions.ReadNumbers().Single();
        Assert.That(
            (
                numbers.Totals.Template,
                numbers.Totals.Created,
                numbers.InFlight,
                numbers.States[(int)SessionState.Ready],
                numbers.Totals.Traffic.Tunnels
            ),
            Is.EqualTo(("a", 1L, 1, 1, 1))
        );
        Find(session)!.Traffic.ChangeTunnels(-1);
        lease.Dispose();
        _stage.Workload.Exit();
        Settle();
        numbers = Sessions.ReadNumbers().Single();
        Assert.That(
            (
                numbers.Totals.Failed,
                numbers.Totals.Swept,
                numbers.States.Sum(),
                numbers.Totals.Traffic.Reused,
                numbers.Totals.Traffic.Tunnels
            ),
            Is.EqualTo((1L, 0L, 0, 1L, 0))
        );
        _backends.Apply(ConfigSource.Valid(""));
        Assert.That(Sessions.ReadNumbers(), Is.Empty, "a template that is gone has no series");
    }

    private static string States(Session session) => string.Join(' ', session.History.Select(each => each.State));

    private static SpawnRequest Request(string body) => SpawnRequest.Read(Encoding.UTF8.GetBytes(body), out _)!;

    private void Settle() => _stage.Settle();

    private Session Spawn(string body)
    {
        var outcome = Sessions.Spawn(Request(body));
        Assert.That(outcome.Error, Is.Null);
        Assert.That(outcome.IsNew, Is.True);
        return outcome.Session!;
    }

    private Session SpawnReady(string body = """{"template":"a"}""")
    {
        var session = Spawn(body);
        Settle();
        _stage.Launcher.Last.Succeed();
        Settle();
        BecomeReady();
        return session;
    }

    private void BecomeReady()
    {
        _stage.Probe.Listen();
        _stage.Probe.Ready();
        Settle();
    }

    private Backend? Find(Session session) => _backends.Table.Find(session.HostBytes, out _);

    /// <summary>What a request to its host would meet.</summary>
    private string Answer(Session session) =>
        _backends.Table.Find(session.HostBytes, out bool hasEnded) is { } backend ? LifecycleStage.Outcome(backend.Enqueue(default))
        : hasEnded ? "ended"
        : "unknown";
}
