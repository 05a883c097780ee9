using Spawngate.Protocols.Http2;
using static Spawngate.Protocols.Tests.Http2.ClientBytes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>What a client may waste, and what it may not. Each attack is tried up to its budget and one step beyond.</summary>
[TestFixture]
internal sealed class FloodTests
{
    private const string Calm = "error EnhanceYourCalm";

    private static IEnumerable<TestCaseData> IdleFrames()
    {
        yield return Idle("PING (CVE-2019-9512)", client => client.Ping());
        yield return Idle("PING answers", client => client.Ping(ack: true));
        yield return Idle("PRIORITY (CVE-2019-9513)", client => client.Priority(1, 0));
        yield return Idle("PRIORITY of an idle stream", client => client.Priority(99, 0));
        yield return Idle("PRIORITY_UPDATE", client => client.PriorityUpdate(1, "u=1"));
        yield return Idle("PRIORITY_UPDATE of idle streams", client => client.PriorityUpdate(99, "u=1"));
        yield return Idle("WINDOW_UPDATE of a stream (CVE-2019-9511)", client => client.Window(1, 1));
        yield return Idle("WINDOW_UPDATE of the connection", client => client.Window(0, 1));
        yield return Idle("empty DATA (CVE-2019-9518)", client => client.Data(1, ""));
        yield return Idle("DATA of padding only", client => client.Frame(FrameType.Data, 8, 1, 1, 0));
        yield return Idle("unknown frames", client => client.Frame((FrameType)0x77, 0, 0));
        yield return Idle("RST_STREAM of a closed stream", client => client.Reset(3));
        yield return Idle("empty DATA of a stream that we reset", client => client.Data(5, ""));
        yield return Idle("HEADERS of a stream that we reset", client => client.Headers(5, [("a", "b")]));
        yield return Idle("GOAWAY", client => client.Frame(FrameType.GoAway, 0, 0, new byte[8]));
        yield return Idle("SETTINGS (CVE-2019-9515)", client => client.Settings(), CodecLimits.SettingsCost);
    }

    private static TestCaseData Idle(string name, Func<ClientBytes, ClientBytes> one, int cost = 1) =>
        new TestCaseData(one, cost).SetName($"{{m}}: {name}");

    [TestCaseSource(nameof(IdleFrames))]
    public void A_flood_is_stopped_and_a_trickle_is_not(Func<ClientBytes, ClientBytes> one, int cost)
    {
        var client = Start();
        var run = new SessionRun().Feed(client.Upload(1).Upload(3).Upload(5).Reset(3));
        run.Session.Reset(run.Slots[5], ErrorCode.Cancel);
        int left = run.Session.Budget.IdleFrames;
        for (int i = 0; i < left / cost; i++)
        {
            run.Feed(one(client));
        }

        Assert.That(run.Session.Failure, Is.Null, "the budget");
        Assert.That(run.Session.Budget.IdleFrames, Is.LessThan(cost));
        for (int i = 0; i < 50; i++)
        {
            run.NowMs += 10 * cost;
            run.Feed(one(client));
        }

        Assert.That(run.Session.Failure, Is.Null, "100 a second");
        while (run.Session.Failure is null && run.Events.Count + run.Sent.Count < 10000)
        {
            run.Feed(one(client));
            Assert.That(run.Session.Budget.IdleFrames, Is.Zero.Or.LessThan(cost));
        }

        Assert.That(run.Events[^1], Is.EqualTo(Calm), "no more");
        Assert.That(run.Sent[^1], Is.EqualTo("GOAWAY 5 EnhanceYourCalm"));
    }

    private static IEnumerable<TestCaseData> Resets()
    {
        yield return Reset("rapid reset (CVE-2023-44487)", (client, id) => client.Request(id).Reset(id));
        yield return Reset("made you reset: increment of 0 (CVE-2025-8671)", (client, id) => client.Request(id).Window(id, 0));
        yield return Reset("made you reset: window overflow", (client, id) => client.Request(id).Window(id, int.MaxValue));
        yield return Reset("made you reset: HEADERS after END_STREAM", (client, id) => client.Request(id).Headers(id, [("a", "b")]));
        yield return Reset("made you reset: DATA after END_STREAM", (client, id) => client.Request(id).Data(id, "x"));
        yield return Reset("made you reset: PRIORITY of a wrong length", (client, id) =>
            client.Request(id).Frame(FrameType.Priority, 0, id, 1)
        );
        yield return Reset("made you reset: PRIORITY on itself", (client, id) => client.Request(id).Priority(id, id));
        yield return Reset("made you reset: data unlike its length", (client, id) =>
            client.Upload(id, ("content-length", "1")).Data(id, "xx")
        );
        yield return Reset("made you reset: more than the window", (client, id) =>
            client.Upload(id).Data(id, 16384).Data(id, 16384).Data(id, 16384).Data(id, 16384).Data(id, 1)
        );
        yield return Reset("malformed requests", (client, id) => client.Request(id, ("X", "y")));
        yield return Reset("trailers without an end", (client, id) => client.Upload(id).Headers(id, [("a", "b")], end: false));
    }

    private static TestCaseData Reset(string name, Func<ClientBytes, int, ClientBytes> one) =>
        new TestCaseData(one).SetName($"{{m}}: {name}");

    [TestCaseSource(nameof(Resets))]
    public void Resets_are_counted_whoever_sends_them(Func<ClientBytes, int, ClientBytes> one)
    {
        var client = Start();
        var run = new SessionRun { Consumes = false };
        int id = -1;
        void Once()
        {
            run.Feed(one(client, id += 2));
            run.Slots.Keys.ToList().ForEach(run.Release);
            run.Drain();
        }

        for (int i = 0; i < CodecLimits.ResetBurst; i++)
        {
            Once();
        }

        Assert.That(run.Session.Failure, Is.Null, "the budget");
        Assert.That(run.Session.Budget.Resets, Is.Zero);
        for (int i = 0; i < 33; i++)
        {
            run.NowMs += 31;
            Once();
        }

        Assert.That(run.Session.Failure, Is.Null, "33 a second");
        Once();
        Once();
        Assert.That(run.Events[^1], Is.EqualTo(Calm));
    }

    [Test]
    public void Completed_responses_earn_resets_back()
    {
        var client = Start();
        var run = new SessionRun();
        for (int id = 1; id < 20000; id += 4)
        {
            run.Feed(client.Request(id).Reset(id).Request(id + 2));
            run.Release(id);
            run.Finish(id + 2);
        }

        Assert.That(run.Session.Failure, Is.Null);
        Assert.That(run.Session.Budget.Resets, Is.EqualTo(CodecLimits.ResetBurst));
    }

    [Test]
    public void Stopping_its_own_body_after_the_response_wastes_nothing()
    {
        var client = Start();
        var run = new SessionRun().Feed(client.Upload(1));
        run.Respond(1, 200, end: true);
        int left = run.Session.Budget.Resets;
        run.Feed(client.Reset(1, ErrorCode.None));
        Assert.That(run.Events[^1], Is.EqualTo("reset 1 None by peer"));
        Assert.That(run.Session.Budget.Resets, Is.EqualTo(left));
    }

    /// <summary>Reset streams whose work has not ended keep their slots: no reset buys more work at the backends.</summary>
    [Test]
    public void Slots_are_not_bought_by_resets()
    {
        var client = Start();
        var run = new SessionRun();
        for (int id = 1; id <= 2 * CodecLimits.StreamSlotsMax; id += 2)
        {
            run.Feed(client.Request(id).Reset(id));
        }

        Assert.That(run.Session.ActiveStreams, Is.Zero);
        int next = (2 * CodecLimits.StreamSlotsMax) + 1;
        run.Feed(client.Request(next));
        Assert.That(run.Events[^1], Is.EqualTo($"unopened {next} RefusedStream"));
        run.Release(1);
        run.Feed(client.Request(next + 2));
        Assert.That(run.Events[^1], Does.StartWith($"request {next + 2}"));
    }

    /// <summary>Requests, their data, and clients that acknowledge each frame with two updates stay within the budget for ever.</summary>
    [Test]
    public void Honest_traffic_earns_what_it_spends()
    {
        var client = Start();
        var run = new SessionRun();
        for (int id = 1; id < 10000; id += 2)
        {
            run.Feed(client.Request(id));
            run.Respond(id, 200, end: false);
            run.SendData(id, 13, end: false);
            run.SendData(id, 13, end: true);
            run.Feed(client.Window(0, 13).Window(0, 13).Window(id, 13).Window(id, 13).Ping().Priority(id, 0));
            run.Release(id);
        }

        Assert.That(run.Session.Failure, Is.Null);
        Assert.That(run.Session.Budget.IdleFrames, Is.GreaterThan(900));
    }

    /// <summary>A window opened byte by byte (CVE-2019-9511) earns next to nothing.</summary>
    [Test]
    public void A_trickle_of_window_is_stopped()
    {
        var client = Start();
        var run = new SessionRun().Feed(client.Settings((SettingId.InitialWindowSize, 0)).Request(1));
        run.Respond(1, 200, end: false);
        int bytes = 0;
        while (run.Session.Failure is null && bytes < 5000)
        {
            run.Feed(client.Window(1, 1));
            if (run.Session.Failure is null)
            {
                run.SendData(1, 1, end: false);
                bytes++;
            }
        }

        Assert.That(run.Session.Failure, Is.EqualTo(ErrorCode.EnhanceYourCalm));
        Assert.That(bytes, Is.InRange(900, 1100));
    }

    /// <summary>Without a reader for the answers the outbox fills: the connection ends before the budget does (CVE-2019-9512).</summary>
    [Test]
    public void Answers_that_nobody_reads_are_bounded()
    {
        var run = new SessionRun();
        var session = run.Session;
        byte[] pings = Start().Ping().Take();
        byte[] ping = new ClientBytes().Ping().Take();
        session.Read(pings, run.Head, 0, out int used, out _);
        session.Read(pings.AsSpan(used), run.Head, 0, out _, out _);
        int sent = 1;
        while (session.Read(ping, run.Head, 0, out _, out _) != Http2EventKind.ConnectionError && sent < 5000)
        {
            sent++;
        }

        Assert.That(sent, Is.InRange(400, 500));
        Assert.That(session.Failure, Is.EqualTo(ErrorCode.EnhanceYourCalm));
        Assert.That(session.ControlLength, Is.LessThanOrEqualTo(CodecLimits.ControlBytesMax));
        run.Drain();
        Assert.That(run.Sent[^1], Is.EqualTo("GOAWAY 0 EnhanceYourCalm"));
    }

    [Test]
    public void Time_refills_up_to_the_brim_only()
    {
        var budget = new FloodBudget(1000);
        for (int i = 0; i < CodecLimits.ResetBurst; i++)
        {
            Assert.That(budget.TrySpendReset(1000), Is.True);
        }

        Assert.That(budget.TrySpendReset(1000), Is.False);
        budget = new FloodBudget(1000);
        Assert.That(budget.TrySpendReset(long.MaxValue), Is.True);
        Assert.That(budget.Resets, Is.EqualTo(CodecLimits.ResetBurst - 1));
        Assert.That(budget.TrySpendReset(0), Is.True, "a clock that went back refills nothing");
    }
}
