using Spawngate.Backends;
using Spawngate.Clients.Http2;
using Spawngate.Logging;
using Spawngate.Telemetry.History;
using Spawngate.Tests.Fakes;
using Spawngate.Workloads;

namespace Spawngate.Tests;

/// <summary>What the life of a backend leaves in its history.</summary>
internal sealed class HistoryLifecycleTests
{
    [Test]
    public void A_backend_that_was_never_woken_has_none()
    {
        using var stage = new LifecycleStage();
        Assert.That(stage.Backend.ReadHistory(), Is.Empty);
        Assert.That(stage.Backend.ReadNumbers(), Is.Null);
        Assert.That(stage.Backend.KnownTraffic, Is.Null);
    }

    [Test]
    public void A_whole_life()
    {
        using var stage = new LifecycleStage();
        using var reader = stage.Env.Feed.Read()!;
        stage.Backend.Enqueue(new WakeCause(WakeKind.Request, null, new HistoryCaller("GET", "/a", "10.0.0.7", "curl")));
        stage.Settle();
        stage.Launcher.Last.Succeed();
        stage.Settle();
        stage.Probe.Listen();
        stage.Probe.Ready();
        stage.Settle();
        Assert.That(stage.Backend.TryEnter(out var instance), Is.True);
        stage.Backend.Leave(instance!);
        stage.Backend.Leave(instance!);
        stage.PassSecs(61);
        stage.Workload.Exit(
            new ExitReport("killed by signal 15 (SIGTERM)", null, [new(OutputStream.Stderr, "last words")]) { Signal = 15 }
        );
        stage.Settle();
        var history = stage.Backend.ReadHistory();
        Assert.That(
            history.Select(entry => (entry.Event, entry.Reason)),
            Is.EqualTo(
                new[]
                {
                    (HistoryEventKind.Woken, "request"),
                    (HistoryEventKind.Ready, "health"),
                    (HistoryEventKind.Stopping, "idle"),
                    (HistoryEventKind.Stopped, "idle"),
                }
            )
        );
        Assert.That(history[0].By, Is.EqualTo(new HistoryCaller("GET", "/a", "10.0.0.7", "curl")));
        Assert.That(history[1].Requests, Is.EqualTo(1));
        Assert.That(history[2].AfterMs, Is.InRange(60_000, 61_000));
        Assert.That(history[3].Exit, Is.EqualTo(new HistoryExit(null, 15)));
        Assert.That(history[3].Output, Is.Null, "its end was wanted");
        Assert.That(News(reader).Select(news => news.Entry!.Seq), Is.EqualTo(new[] { 1L, 2, 3, 4 }));
        Assert.That(stage.Backend.ReadNumbers()!.CountOf(HistoryEventKind.Stopped), Is.EqualTo(1));
    }

    [Test]
    public void A_failed_start_and_a_crash_say_how_it_ended_and_what_it_said()
    {
        using var stage = new LifecycleStage();
        stage.ToLaunched();
        stage.Workload.Exit(new ExitReport("exited with status 3", 3, [new(OutputStream.Stderr, "no config")]));
        stage.Settle();
        var failed = stage.Backend.ReadHistory()[^1];
        Assert.That((failed.Event, failed.Exit, failed.Requests), Is.EqualTo((HistoryEventKind.StartFailed, new HistoryExit(3, null), 1L)));
        Assert.That(failed.Output, Is.EqualTo(new[] { new StreamLine(OutputStream.Stderr, "no config") }));
        stage.ToReadyWithOneInFlight();
        stage.Workload.Exit(new ExitReport("exited with status 4", 4, [new(OutputStream.Stdout, "out of cheese")]));
        stage.Settle();
        var crashed = stage.Backend.ReadHistory()[^1];
        Assert.That(
            (crashed.Event, crashed.Start, crashed.Requests, crashed.Reason),
            Is.EqualTo((HistoryEventKind.Crashed, 2, 1L, "exited with status 4"))
        );
        Assert.That(crashed.Reason, Is.EqualTo("exited with status 4"));
        Assert.That(crashed.Output, Is.EqualTo(new[] { new StreamLine(OutputStream.Stdout, "out of cheese") }));
    }

    [Test]
    public void What_is_open_for_long_is_told_once_and_counted()
    {
        using var stage = new LifecycleStage();
        stage.Env.FindActiveRequests = (_, max) =>
            max == BackendLimits.HistoryActiveRequestsMax
                ? [new ActiveRequest("tunnel", "http/2", "GET", "/socket", "10.0.0.7", 61.2)]
                : [];
        stage.ToReadyWithOneInFlight();
        stage.PassSecs(59);
        Assert.That(stage.Backend.ReadHistory()[^1].Event, Is.EqualTo(HistoryEventKind.Ready));
        stage.PassSecs(2 * 61);
        var entry = stage.Backend.ReadHistory()[^1];
        Assert.That((entry.Seq, entry.Event, entry.Requests, entry.Times), Is.EqualTo((3L, HistoryEventKind.KeptAwake, 1L, (int?)2)));
        Assert.That(entry.ActiveRequests, Is.EqualTo("tunnel GET /socket from 10.0.0.7, 61 s"));
        Assert.That(stage.Backend.ReadNumbers()!.CountOf(HistoryEventKind.KeptAwake), Is.EqualTo(1), "it is one event that lasts");
    }

    [Test]
    public void Health_that_comes_and_goes()
    {
        using var stage = new LifecycleStage();
        stage.ToUnhealthy();
        stage.Pass(5000);
        stage.Probe.Answer(true);
        stage.Settle();
        Assert.That(
            stage.Backend.ReadHistory().Select(entry => entry.Event).Skip(2),
            Is.EqualTo(new[] { HistoryEventKind.Unhealthy, HistoryEventKind.Recovered })
        );
        Assert.That(stage.Backend.ReadNumbers()!.ChecksFailed, Is.EqualTo(3));
    }

    [Test]
    public void A_stop_that_takes_force_says_so()
    {
        using var stage = new LifecycleStage();
        stage.ToReadyWithOneInFlight();
        stage.Backend.RequestStop();
        stage.Settle();
        stage.PassSecs(21);
        stage.PassSecs(6);
        stage.Workload.Exit(new ExitReport("killed by signal 9 (SIGKILL)", null, []) { Signal = 9 });
        stage.Settle();
        Assert.That(
            stage.Backend.ReadHistory().Skip(2).Select(entry => (entry.Event, entry.Reason)),
            Is.EqualTo(
                new[]
                {
                    (HistoryEventKind.Stopping, "asked"),
                    (HistoryEventKind.Cut, "drain timeout"),
                    (HistoryEventKind.Killed, "grace period"),
                    (HistoryEventKind.Stopped, "asked"),
                }
            )
        );
    }

    private static List<HistoryNews> News(HistoryReader reader)
    {
        var news = new List<HistoryNews>();
        while (reader.News.TryRead(out var item))
        {
            news.Add(item);
        }

        return news;
    }
}
