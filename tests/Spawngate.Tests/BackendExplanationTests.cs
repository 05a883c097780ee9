using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Commands;

namespace Spawngate.Tests;

/// <summary>The words of <c>explain</c>, one state after the other.</summary>
internal sealed class BackendExplanationTests
{
    private static readonly BackendReport Never = new() { Hostname = "a.b", State = BackendPhase.Stopped, IdleTimeoutSecs = 60 };
    private static readonly BackendReport Ready = Never with { State = BackendPhase.Ready, Description = "pid 1", Port = 80, Generation = 1, LastStart = new StartReport { Cause = "admin API" } };

    [Test]
    public void A_backend_that_never_ran() => Says(Never, """
        a.b is stopped (local)
          woken by   nobody yet
          held by    nothing
          stops      it does not run; the next request starts it

        """);

    [Test]
    public void A_backend_that_fails_to_start() =>
        Says(Never with { FailuresInARow = 3, RetryAfterSecs = 4, LastFailure = "exited with status 3", Waiting = 0, LastStart = new StartReport(), Generation = 3 }, """
        a.b is stopped (local)
          woken by   unknown
          started    start number 3
          held by    nothing
          stops      it does not run; the next request starts it
          failed     3 starts in a row failed; last: exited with status 3; the next start is tried in 4 seconds

        """);

    [Test]
    public void A_backend_that_starts() =>
        Says(Ready with { State = BackendPhase.Starting, Waiting = 1, LastStart = new StartReport { Cause = "request from 10.0.0.1", SpawnMs = 0.42 } }, """
        a.b is starting (pid 1, port 80)
          woken by   request from 10.0.0.1
          started    start number 1: spawned after 0.4 ms
          held by    1 request waiting for it to be ready
          stops      not while it starts

        """);

    [Test]
    public void A_backend_that_stops() =>
        Says(Ready with { State = BackendPhase.Stopping, StoppingBecause = "removed from the configuration", InFlight = 2, Waiting = 1, LastStopReason = "idle" }, """
        a.b is stopping (pid 1, port 80)
          woken by   admin API
          started    start number 1
          held by    2 requests and tunnels in flight, 1 request waiting
          stops      now: removed from the configuration
          last stop  idle

        """);

    [Test]
    public void An_unhealthy_backend() => Assert.That(
        BackendExplanation.Of(Ready with { State = BackendPhase.Unhealthy, FailedChecks = 3, LastFailure = "health check: status 500" }, "a.b"),
        Does.Contain("stops      now, to be restarted: 3 health checks in a row failed\n").And.Contain("failed     last: health check: status 500\n"));

    [TestCase(60, 0, 41, "in 41 seconds, if nobody uses it until then")]
    [TestCase(60, 0, 1, "in 1 second, if nobody uses it until then")]
    [TestCase(60, 0, null, "60 seconds after its last use")]
    [TestCase(60, 1, null, "60 seconds after the last of them ends")]
    [TestCase(0, 0, null, "never for idleness (idle_timeout_secs = 0)")]
    public void When_a_ready_backend_stops(int idleTimeoutSecs, int inFlight, int? idleStopInSecs, string expected) => Assert.That(
        BackendExplanation.Of(Ready with { IdleTimeoutSecs = idleTimeoutSecs, InFlight = inFlight, IdleStopInSecs = idleStopInSecs }, "a.b"),
        Does.Contain($"stops      {expected}\n"));

    private static void Says(BackendReport report, string expected) => Assert.That(BackendExplanation.Of(report, "A.b."), Is.EqualTo(expected));
}
