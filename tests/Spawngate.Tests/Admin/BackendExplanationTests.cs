using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Logging;
using Spawngate.Sessions;
using Spawngate.Telemetry.History;

namespace Spawngate.Tests;

/// <summary>The words of <c>explain</c>, one state after the other.</summary>
internal sealed class BackendExplanationTests
{
    private static readonly DateTime Noon = new(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc);
    private static readonly BackendReport Never = new()
    {
        Hostname = "a.b",
        State = BackendPhase.Stopped,
        Kind = "local",
        IdleTimeoutSecs = 60,
    };
    private static readonly BackendReport Ready = Never with
    {
        State = BackendPhase.Ready,
        Description = "pid 1",
        Port = 80,
        InstanceNumber = 1,
        LastStart = new StartReport { Cause = "admin API" },
    };

    [TestCase(BackendPhase.Stopped, "it starts once, and that is about to begin or over")]
    [TestCase(BackendPhase.Unhealthy, "9 seconds after its last use: 3 health checks in a row failed, but a session is not restarted")]
    public void A_session_is_not_said_to_start_again(BackendPhase phase, string stops)
    {
        var report = new BackendReport
        {
            Hostname = "id.s.test",
            State = phase,
            Session = "ide",
            IdleTimeoutSecs = 9,
            FailedChecks = 3,
        };
        string text = BackendExplanation.Of(new BackendDetails(report), "id.s.test");
        Assert.That(text, Does.Contain("  session    of template ide, never started again\n").And.Contain($"  stops      {stops}\n"));
    }

    [Test]
    public void A_backend_that_never_ran() =>
        Says(
            Never,
            """
            a.b is stopped (local)
              woken by   nobody yet
              held by    nothing
              stops      it does not run; the next request starts it

            """
        );

    [Test]
    public void A_backend_that_fails_to_start() =>
        Says(
            Never with
            {
                FailuresInARow = 3,
                RetryAfterSecs = 4,
                LastFailure = "exited with status 3",
                Waiting = 0,
                LastStart = new StartReport(),
                InstanceNumber = 3,
            },
            """
            a.b is stopped (local)
              woken by   unknown
              started    start number 3
              held by    nothing
              stops      it does not run; the next request starts it
              failed     3 starts in a row failed; last: exited with status 3; the next start is tried in 4 seconds

            """
        );

    [Test]
    public void A_backend_that_starts() =>
        Says(
            Ready with
            {
                State = BackendPhase.Starting,
                Waiting = 1,
                LastStart = new StartReport { Cause = "request from 10.0.0.1", SpawnMs = 0.42 },
            },
            """
            a.b is starting (pid 1, port 80)
              woken by   request from 10.0.0.1
              started    start number 1: spawned after 0.4 ms
              held by    1 request waiting for it to be ready
              stops      not while it starts

            """
        );

    [Test]
    public void A_backend_that_stops() =>
        Says(
            Ready with
            {
                State = BackendPhase.Stopping,
                StoppingBecause = "removed from the configuration",
                InFlight = 2,
                Waiting = 1,
                LastStopReason = "idle",
            },
            """
            a.b is stopping (pid 1, port 80)
              woken by   admin API
              started    start number 1
              held by    2 requests and tunnels in flight, 1 request waiting
              stops      now: removed from the configuration
              last stop  idle

            """
        );

    [TestCase(2, "2 requests and tunnels in flight, 3 requests waiting for room (max_concurrency = 2)")]
    [TestCase(0, "3 requests waiting for room (max_concurrency = 2)")]
    public void A_backend_without_room(int inFlight, string heldBy) =>
        Assert.That(
            BackendExplanation.Of(new BackendDetails(Ready with { InFlight = inFlight, Waiting = 3, MaxConcurrency = 2 }), "a.b"),
            Does.Contain($"  held by    {heldBy}\n").And.Contain("stops      60 seconds after the last of them ends")
        );

    [TestCase(
        0,
        0,
        "a lease of 40 s more, renewed at 12:00:00Z",
        "60 seconds after the lease ends, unless it is renewed or a request comes"
    )]
    [TestCase(
        1,
        0,
        "1 request or tunnel in flight; a lease of 40 s more, renewed at 12:00:00Z",
        "60 seconds after the last of them ends, unless another request comes"
    )]
    [TestCase(
        1,
        1,
        "a lease of 40 s more, renewed at 12:00:00Z; besides, 1 request or tunnel that does not count as use "
            + "(no_wake, or a quiet WebSocket)",
        "60 seconds after the lease ends, unless it is renewed or a request comes"
    )]
    public void A_backend_with_a_lease(int inFlight, int passiveCount, string heldBy, string stops) =>
        Assert.That(
            BackendExplanation.Of(
                new BackendDetails(Ready with { InFlight = inFlight, PassiveCount = passiveCount, LeaseSecs = 40, LeaseRenewedAt = Noon }),
                "a.b"
            ),
            Does.Contain($"  held by    {heldBy}\n").And.Contain($"  stops      {stops}\n")
        );

    [Test]
    public void An_unhealthy_backend() =>
        Assert.That(
            BackendExplanation.Of(
                new BackendDetails(
                    Ready with
                    {
                        State = BackendPhase.Unhealthy,
                        FailedChecks = 3,
                        LastFailure = "health check: status 500",
                    }
                ),
                "a.b"
            ),
            Does.Contain("stops      now, to be restarted: 3 health checks in a row failed\n")
                .And.Contain("failed     last: health check: status 500\n")
        );

    [TestCase(60, 0, 41, "at 12:00:41Z, in 41 seconds, if nobody uses it; a request puts that off until 60 seconds after its end")]
    [TestCase(60, 0, 1, "at 12:00:01Z, in 1 second, if nobody uses it; a request puts that off until 60 seconds after its end")]
    [TestCase(60, 0, null, "60 seconds after its last use")]
    [TestCase(60, 1, null, "60 seconds after the last of them ends, unless another request comes")]
    [TestCase(0, 0, null, "never for idleness (idle_timeout_secs = 0)")]
    public void When_a_ready_backend_stops(int idleTimeoutSecs, int inFlight, int? idleStopInSecs, string expected) =>
        Assert.That(
            BackendExplanation.Of(
                new BackendDetails(Ready with { IdleTimeoutSecs = idleTimeoutSecs, InFlight = inFlight, IdleStopInSecs = idleStopInSecs })
                {
                    IdleStopAt = idleStopInSecs is { } secs ? Noon.AddSeconds(secs) : null,
                },
                "a.b"
            ),
            Does.Contain($"stops      {expected}\n")
        );

    [Test]
    public void Holders_and_history_follow() =>
        Says(
            new BackendDetails(Ready with { InFlight = 1, Tunnels = 1, UptimeSecs = 75, RequestsTotal = 3, IdleTimeoutSecs = 60 })
            {
                Time = Noon.AddSeconds(75),
                HeldBy = [new ActiveRequest("tunnel", "http/1.1", "GET", "/socket", "10.0.0.7", 70.4)],
                History =
                [
                    new HistoryEvent
                    {
                        Seq = 1,
                        Time = Noon,
                        Start = 1,
                        Event = HistoryEventKind.Woken,
                        Reason = "request",
                        By = new HistoryCaller("GET", "/", "10.0.0.7", "curl/8.5.0"),
                    },
                    new HistoryEvent
                    {
                        Seq = 2,
                        Time = Noon.AddMilliseconds(7),
                        Start = 1,
                        Event = HistoryEventKind.Ready,
                        Reason = "health",
                        Requests = 2,
                        SpawnMs = 0.6,
                        ListenMs = 6.1,
                        ReadyMs = 7,
                    },
                    new HistoryEvent
                    {
                        Seq = 3,
                        Time = Noon.AddSeconds(70),
                        Start = 1,
                        Event = HistoryEventKind.StartFailed,
                        Reason = "exited with status 3",
                        AfterMs = 20,
                        Output = [new(OutputStream.Stdout, "slicing"), new(OutputStream.Stderr, "out of cheese")],
                    },
                ],
            },
            """
            a.b is ready (pid 1, port 80)
              woken by   GET / from 10.0.0.7 (curl/8.5.0), 1 minute 15 seconds ago
              started    start number 1
              running    for 1 minute 15 seconds, 3 requests since the gateway started
              held by    1 request or tunnel in flight, 1 of them tunnels
                         tunnel GET /socket from 10.0.0.7, 70 s
              stops      60 seconds after the last of them ends, unless another request comes
              history
                2026-01-31 12:00:00.000Z  woken by GET / from 10.0.0.7 (curl/8.5.0)
                2026-01-31 12:00:00.007Z  ready after 7 ms (spawned after 0.6 ms, listening after 6.1 ms), as its health check said; 2 requests had waited
                2026-01-31 12:01:10.000Z  start failed after 20 milliseconds: exited with status 3
                                   stdout | slicing
                                   stderr | out of cheese

            """
        );

    private static void Says(BackendReport report, string expected) => Says(new BackendDetails(report), expected);

    private static void Says(BackendDetails details, string expected) =>
        Assert.That(BackendExplanation.Of(details, "A.b."), Is.EqualTo(expected));
}
