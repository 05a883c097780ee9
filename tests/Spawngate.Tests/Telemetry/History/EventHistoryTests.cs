using Spawngate.Logging;
using Spawngate.Telemetry.History;

namespace Spawngate.Tests;

/// <summary>The history of one backend: what it keeps, and how little that takes.</summary>
internal sealed class EventHistoryTests
{
    private static readonly DateTime Noon = new(2026, 1, 31, 12, 0, 0, 123, DateTimeKind.Utc);

    private static readonly HistoryEvent Full = new()
    {
        Time = Noon,
        Start = 70_000,
        Event = HistoryEventKind.Stopped,
        Reason = "größer",
        Requests = 0,
        By = new HistoryCaller("GET", "/a/b", "2001:db8::7", "curl/8.5.0"),
        SpawnMs = 0.61,
        ListenMs = 6.1,
        ReadyMs = 123_456.78,
        AfterMs = 8_000_000_000,
        Exit = new HistoryExit(3, null),
        ActiveRequests = "tunnel GET / from 10.0.0.7, 5 s",
        Times = 300,
    };

    [Test]
    public void Every_field_comes_back_as_it_went_in()
    {
        var history = new EventHistory();
        Assert.That(history.Append(Full), Is.EqualTo(Full with { Seq = 1 }));
        Assert.That(history.Last, Is.EqualTo(Full with { Seq = 1 }));
        Assert.That(history.Last!.Time.Kind, Is.EqualTo(DateTimeKind.Utc));
    }

    [Test]
    public void A_field_that_is_not_there_stays_away([Values(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)] int field)
    {
        HistoryEvent[] without =
        [
            Full with
            {
                Reason = null,
            },
            Full with
            {
                Requests = null,
            },
            Full with
            {
                By = null,
            },
            Full with
            {
                SpawnMs = null,
            },
            Full with
            {
                ListenMs = null,
            },
            Full with
            {
                ReadyMs = null,
            },
            Full with
            {
                AfterMs = null,
            },
            Full with
            {
                Exit = null,
            },
            Full with
            {
                ActiveRequests = null,
            },
            Full with
            {
                Times = null,
            },
        ];
        var history = new EventHistory();
        history.Append(without[field]);
        Assert.That(history.Last, Is.EqualTo(without[field] with { Seq = 1 }));
    }

    [Test]
    public void A_signal_and_an_unknown_end_differ_from_an_exit()
    {
        var history = new EventHistory();
        HistoryExit[] exits = [new(0, null), new(null, 9), new(null, null)];
        Assert.That(exits.Select(exit => history.Append(Full with { Exit = exit }).Exit), Is.EqualTo(exits));
    }

    [Test]
    public void Texts_are_cut_at_whole_characters()
    {
        var history = new EventHistory();
        string long_ = new('ü', 1000);
        var kept = history.Append(Full with { Reason = long_, ActiveRequests = long_, By = new HistoryCaller(long_, long_, long_, long_) });
        Assert.That(kept.Reason, Is.EqualTo(new string('ü', HistoryLimits.TextBytes / 2)));
        Assert.That(kept.ActiveRequests, Has.Length.EqualTo(HistoryLimits.ActiveRequestBytes / 2));
        Assert.That(kept.By!.Path, Has.Length.EqualTo(HistoryLimits.PathBytes / 2));
        Assert.That(kept.AfterMs, Is.EqualTo(Full.AfterMs), "what follows the texts is still found");
    }

    [Test]
    public void The_last_hundred_events_are_kept_in_order()
    {
        var history = new EventHistory();
        for (int i = 1; i <= 1234; i++)
        {
            history.Append(
                new HistoryEvent
                {
                    Time = Noon.AddSeconds(i),
                    Start = i,
                    Event = HistoryEventKind.Woken,
                    Reason = new string('x', i % 100),
                }
            );
        }

        Assert.That(
            history.Snapshot().Select(entry => (entry.Seq, entry.Start)),
            Is.EqualTo(Enumerable.Range(1135, 100).Select(i => ((long)i, i)))
        );
        Assert.That(history.Last!.Seq, Is.EqualTo(1234));
    }

    [Test]
    public void An_event_can_go_on()
    {
        var history = new EventHistory();
        history.Append(Full);
        history.Append(Full with { Event = HistoryEventKind.KeptAwake, Times = 1 });
        history.ReplaceLast(Full with { Event = HistoryEventKind.KeptAwake, Times = 2 });
        Assert.That(
            history.Snapshot().Select(entry => (entry.Seq, entry.Event, entry.Times)),
            Is.EqualTo(new[] { (1L, HistoryEventKind.Stopped, (int?)300), (2L, HistoryEventKind.KeptAwake, 2) })
        );
        Assert.That(history.Append(Full).Seq, Is.EqualTo(3));
    }

    [Test]
    public void Output_is_kept_of_the_latest_failures_only_and_cut()
    {
        var history = new EventHistory();
        for (int i = 0; i < 5; i++)
        {
            StreamLine[] lines =
            [
                .. Enumerable.Range(0, 30).Select(line => new StreamLine(OutputStream.Stderr, $"{i}/{line}" + new string('e', 500))),
            ];
            history.Append(Full with { Event = HistoryEventKind.Crashed, Output = lines });
            history.Append(Full);
        }

        var kept = history.Snapshot().Where(entry => entry.Output is not null).ToList();
        Assert.That(kept.Select(entry => entry.Seq), Is.EqualTo(new[] { 5L, 7L, 9L }));
        Assert.That(kept[^1].Output, Has.Count.EqualTo(HistoryLimits.OutputLines));
        Assert.That(kept[^1].Output!.Select(static line => line.Text), Has.All.Length.EqualTo(HistoryLimits.OutputLineChars));
        Assert.That(kept[^1].Output![^1].Text, Does.StartWith("4/29"));
    }

    [TestCase(20, 20, 4, 6)]
    [TestCase(20, 2, 8, 2)]
    [TestCase(2, 20, 2, 8)]
    [TestCase(0, 20, 0, 10)]
    [TestCase(20, 0, 10, 0)]
    [TestCase(3, 2, 3, 2)]
    public void Of_two_streams_the_last_lines_of_both_are_kept_in_order(int stdout, int stderr, int ofStdout, int ofStderr)
    {
        var lines = Enumerable
            .Range(0, Math.Max(stdout, stderr))
            .SelectMany(i => new[] { (OutputStream.Stdout, i < stdout, $"o{i:00}"), (OutputStream.Stderr, i < stderr, $"e{i:00}") })
            .Where(static line => line.Item2)
            .Select(static line => new StreamLine(line.Item1, line.Item3))
            .ToArray();
        var history = new EventHistory();
        history.Append(Full with { Event = HistoryEventKind.Crashed, Output = lines });
        var kept = history.Last!.Output!;
        Assert.That(kept.Count(static line => line.Stream == OutputStream.Stdout), Is.EqualTo(ofStdout));
        Assert.That(kept.Count(static line => line.Stream == OutputStream.Stderr), Is.EqualTo(ofStderr));
        Assert.That(kept, Is.EqualTo(lines.Where(kept.Contains)), "in the order in which they came");
        Assert.That(
            kept,
            Is.SupersetOf(
                lines
                    .Where(static line => line.Stream == OutputStream.Stderr)
                    .TakeLast(ofStderr)
                    .Concat(lines.Where(static line => line.Stream == OutputStream.Stdout).TakeLast(ofStdout))
            ),
            "the last ones"
        );
    }

    /// <summary>What one start, its use and its end leave.</summary>
    private static HistoryEvent[] UsualRun(int start, HistoryCaller caller) =>
        [
            new HistoryEvent
            {
                Time = Noon,
                Start = start,
                Event = HistoryEventKind.Woken,
                Reason = "request",
                By = caller,
            },
            new HistoryEvent
            {
                Time = Noon,
                Start = start,
                Event = HistoryEventKind.Ready,
                Reason = "health",
                Requests = 1,
                SpawnMs = 0.6,
                ListenMs = 60,
                ReadyMs = 70,
            },
            new HistoryEvent
            {
                Time = Noon,
                Start = start,
                Event = HistoryEventKind.Stopping,
                Reason = "idle",
                Requests = 0,
                AfterMs = 600_000,
            },
            new HistoryEvent
            {
                Time = Noon,
                Start = start,
                Event = HistoryEventKind.Stopped,
                Reason = "idle",
                AfterMs = 40,
                Exit = new HistoryExit(null, 15),
            },
        ];

    [Test]
    public void Ten_thousand_full_histories_take_some_fifty_megabytes()
    {
        var history = new EventHistory();
        var caller = new HistoryCaller(
            "GET",
            "/api/v1/reports/2026",
            "203.0.113.77",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        );
        for (int i = 0; i < 1000; i++)
        {
            foreach (var each in UsualRun(i, caller))
            {
                history.Append(each);
            }
        }

        TestContext.Out.WriteLine($"one history of 100 usual events: {history.Bytes} bytes");
        Assert.That(history.Bytes, Is.LessThan(7_000));
        for (int i = 0; i < 1000; i++)
        {
            string text = new('x', 1000);
            history.Append(
                Full with
                {
                    Event = HistoryEventKind.Woken,
                    By = new HistoryCaller(text, text, text, text),
                    Reason = "request",
                    ActiveRequests = null,
                }
            );
            history.Append(Full with { Event = HistoryEventKind.StartFailed, By = null, Reason = text, ActiveRequests = null });
        }

        TestContext.Out.WriteLine($"of the longest events: {history.Bytes} bytes");
        Assert.That(history.Bytes, Is.LessThan(50_000));
    }

    [Test]
    public void Who_reads_along_too_slowly_misses_and_is_told()
    {
        var feed = new HistoryFeed();
        using var reader = feed.Read()!;
        for (int i = 0; i < HistoryLimits.ReaderEventsMax; i++)
        {
            feed.Publish(new HistoryNews("a.b", Full));
        }

        Assert.That(reader.TakeMissed(), Is.False);
        feed.Publish(new HistoryNews("a.b", Full));
        Assert.That(reader.TakeMissed(), Is.True);
        Assert.That(reader.TakeMissed(), Is.False);
        Assert.That(reader.News.Count, Is.EqualTo(HistoryLimits.ReaderEventsMax));
    }

    [Test]
    public void Every_kind_has_its_name() =>
        Assert.That(
            Enum.GetValues<HistoryEventKind>().Select(HistoryNames.Of),
            Is.EqualTo(Enum.GetNames<HistoryEventKind>().Select(System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName))
        );

    [Test]
    public void Readers_are_bounded_in_number()
    {
        var feed = new HistoryFeed();
        var readers = Enumerable.Range(0, HistoryLimits.ReadersMax).Select(_ => feed.Read()!).ToList();
        Assert.That(feed.Read(), Is.Null);
        readers[0].Dispose();
        Assert.That(feed.Read(), Is.Not.Null);
    }
}
