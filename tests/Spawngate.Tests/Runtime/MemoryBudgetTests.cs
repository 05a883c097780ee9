using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Routing;
using Spawngate.Runtime;
using Spawngate.Telemetry.History;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>What the pasts of ten thousand backends take together.</summary>
internal sealed class MemoryBudgetTests
{
    private const int Backends = 10_000;

    [Test]
    public void The_logs_of_ten_thousand_backends_that_have_written_all_that_is_kept_stay_within_their_bound()
    {
        var log = new OutputLog(TimeProvider.System);
        byte[] line = new byte[4000];
        line.AsSpan().Fill((byte)'x');
        for (int backend = 0; backend < Backends; backend++)
        {
            string host = $"{backend}.example.com";
            for (int i = 0; i < LoggingLimits.OutputLogBytes / line.Length; i++)
            {
                line[0] = (byte)('a' + (i % 26));
                log.OnLine(host, i % 2 == 0 ? OutputStream.Stdout : OutputStream.Stderr, line);
            }
        }

        long held = RetainedBytes.Of(log);
        TestContext.Out.WriteLine($"{Backends} full logs: {held / 1e6:f1} MB");
        Assert.That(
            held,
            Is.InRange(LoggingLimits.OutputLogTotalBytes / 4 * 3L, LoggingLimits.OutputLogTotalBytes + (Backends * 500L)),
            "and what there is is used"
        );
        Assert.That(
            log.Snapshot($"{Backends - 1}.example.com"),
            Has.Count.EqualTo(LoggingLimits.OutputLogBytes / line.Length),
            "whoever writes now has all of it"
        );
        var oldest = log.Snapshot("0.example.com");
        Assert.That(oldest, Has.Count.EqualTo(1), "whoever wrote first still has his last words");
        Assert.That((oldest[0].Text[0], oldest[0].Stream), Is.EqualTo(((char)('a' + (64 % 26)), OutputStream.Stdout)));
        log.OnLine("0.example.com", OutputStream.Stdout, line);
        Assert.That(log.Snapshot("0.example.com"), Has.Count.EqualTo(2), "and goes on");
    }

    [Test]
    public void The_histories_of_ten_thousand_backends_with_the_longest_events_stay_within_their_bound()
    {
        var histories = new List<EventHistory>(Backends);
        var budget = new MemoryBudget(BackendLimits.HistoryTotalBytes, BackendLimits.HistoryRestBytes) { Members = () => histories };
        string text = new('x', 1000);
        StreamLine[] output = [.. Enumerable.Range(0, HistoryLimits.OutputLines).Select(_ => new StreamLine(OutputStream.Stderr, text))];
        var woken = new HistoryEvent
        {
            Event = HistoryEventKind.Woken,
            By = new HistoryCaller(text, text, text, text),
            Reason = text,
        };
        var failed = new HistoryEvent
        {
            Event = HistoryEventKind.StartFailed,
            Reason = text,
            AfterMs = 30_000,
            Requests = 1000,
        };
        for (int backend = 0; backend < Backends; backend++)
        {
            var history = new EventHistory(budget);
            histories.Add(history);
            for (int i = 0; i < HistoryLimits.EventsMax / 2; i++)
            {
                history.Append(woken with { Start = i });
                history.Append(
                    failed with
                    {
                        Start = i,
                        Output = i >= (HistoryLimits.EventsMax / 2) - HistoryLimits.OutputTails ? output : null,
                    }
                );
            }
        }

        long held = RetainedBytes.Of(histories);
        TestContext.Out.WriteLine(
            $"{Backends} of the longest histories: {held / 1e6:f1} MB; the last has {histories[^1].HeldBytes} bytes, the "
                + $"first {histories[0].HeldBytes}"
        );
        Assert.That(held, Is.InRange(BackendLimits.HistoryTotalBytes / 4 * 3L, BackendLimits.HistoryTotalBytes + (Backends * 500L)));
        Assert.That(histories[^1].Snapshot(), Has.Count.EqualTo(HistoryLimits.EventsMax));
        Assert.That(histories[^1].Snapshot().Count(static entry => entry.Output is not null), Is.EqualTo(HistoryLimits.OutputTails));
        var oldest = histories[0].Snapshot();
        Assert.That(
            oldest.Select(static entry => entry.Seq),
            Is.EqualTo(Enumerable.Range(101 - oldest.Count, oldest.Count).Select(static seq => (long)seq)).And.Not.Empty,
            "the latest ones, with their numbers"
        );
        Assert.That(histories[0].Append(woken).Seq, Is.EqualTo(101));
    }

    [Test]
    public void Those_to_which_nothing_was_added_for_longest_are_shortened_first_and_all_of_them_before_any_rest()
    {
        var members = Enumerable.Range(0, 10).Select(static i => new Member { HeldBytes = 100, LastAdded = i }).ToList();
        (members[0].LastAdded, members[9].LastAdded) = (9, 0);
        var budget = new MemoryBudget(800, 20) { Members = () => members };
        budget.OnGrown(99);
        Assert.That(members.Sum(static member => member.HeldBytes), Is.EqualTo(1000), "looked at after each eighth");
        budget.OnGrown(1);
        Assert.That(members.Select(static member => member.HeldBytes), Is.EqualTo([100, 20, 20, 20, 100, 100, 100, 100, 100, 20]));

        members.AddRange(Enumerable.Range(0, 40).Select(static i => new Member { HeldBytes = 20, LastAdded = 100 + i }));
        budget.OnGrown(800);
        Assert.That(members.Sum(static member => member.HeldBytes), Is.EqualTo(700));
        Assert.That(members.Count(static member => member.HeldBytes == 0), Is.EqualTo(15), "too many for a rest each");
        Assert.That(members[^1].HeldBytes, Is.EqualTo(20));
    }

    [Test]
    public void A_history_that_is_shortened_keeps_the_latest_event_whatever_it_takes()
    {
        var history = new EventHistory();
        for (int i = 0; i < 5; i++)
        {
            history.Append(
                new HistoryEvent
                {
                    Event = HistoryEventKind.Crashed,
                    Start = i,
                    Reason = "why",
                    Output = [new(OutputStream.Stdout, "a"), new(OutputStream.Stderr, "b")],
                }
            );
        }

        history.Shorten(0);
        Assert.That(
            history.Snapshot().Single(),
            Has.Property("Start").EqualTo(4).And.Property("Seq").EqualTo(5).And.Property("Output").Null
        );
        history.ReplaceLast(
            new HistoryEvent
            {
                Event = HistoryEventKind.KeptAwake,
                Start = 4,
                Times = 2,
            }
        );
        history.Append(new HistoryEvent { Event = HistoryEventKind.Stopped, Start = 4 });
        Assert.That(
            history.Snapshot().Select(static entry => (entry.Seq, entry.Event)),
            Is.EqualTo(new[] { (5L, HistoryEventKind.KeptAwake), (6L, HistoryEventKind.Stopped) })
        );
    }

    [Test]
    public void The_histories_of_all_backends_that_were_woken_are_members()
    {
        using var stage = new LifecycleStage();
        var set = new BackendSet(stage.Env, new GatewayConfig { Backends = [LifecycleStage.Config("a"), LifecycleStage.Config("b")] });
        Assert.That(stage.Env.Histories.Members(), Is.Empty);
        set.Find("b"u8)!.RequestStart();
        stage.Settle();
        Assert.That(stage.Env.Histories.Members(), Is.EqualTo(new[] { set.Find("b"u8)!.KnownHistory }));
        Assert.That(stage.Env.Histories.Members().Single().HeldBytes, Is.Positive);
    }

    private sealed class Member : IShortenable
    {
        public int HeldBytes { get; set; }

        public long LastAdded { get; set; }

        public void Shorten(int bytes) => HeldBytes = Math.Min(HeldBytes, bytes);
    }
}
