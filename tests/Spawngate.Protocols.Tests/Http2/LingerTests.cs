using Spawngate.Protocols.Http2;
using static Spawngate.Protocols.Tests.Http2.ClientBytes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>Streams whose response is complete before their request: the reset is put off, and what still comes means nothing.</summary>
[TestFixture]
internal sealed class LingerTests
{
    [Test]
    public void A_stream_that_lingers_is_reset_only_when_it_is_released()
    {
        var client = Start();
        var run = Answered(client);
        Assert.That(run.Session.TryLinger(run.Slots[1]), Is.True);
        run.Feed(client.Data(1, 1000));
        Assert.That(run.Sent, Is.EqualTo(new[] { "SETTINGS ACK" }), "nothing is said");
        Assert.That(run.Events[^1], Does.StartWith("request 1"), "nothing is told");

        run.Release(1);
        run.Drain();
        Assert.That(run.Sent[^1], Is.EqualTo("RST 1 None"));
        run.Feed(client.Data(1, 1000, end: true).Ping());
        Assert.That((run.Session.Failure, run.Sent[^1]), Is.EqualTo(((ErrorCode?)null, "PING ACK 7")), "what was under way is ignored");
    }

    [TestCase(0)]
    [TestCase(1000)]
    public void A_stream_that_lingers_may_end_by_itself(int lastBytes)
    {
        var client = Start();
        var run = Answered(client);
        run.Session.TryLinger(run.Slots[1]);
        run.Feed(client.Data(1, lastBytes, end: true));
        Assert.That(run.Events[^1], Does.StartWith("data 1"));
        Assert.That(run.Session.Stream(run.Slots[1]).State, Is.EqualTo(StreamState.Closed));
        Assert.That(run.Session.ActiveStreams, Is.Zero);
        run.Release(1);
        run.Drain();
        Assert.That(run.Sent, Is.EqualTo(new[] { "SETTINGS ACK" }), "no reset");
    }

    [Test]
    public void What_comes_on_streams_that_linger_is_given_back_to_the_connection_and_not_to_them()
    {
        var client = Start();
        var run = new SessionRun { Consumes = false };
        for (int id = 1; id < 40; id += 2)
        {
            run.Feed(client.Upload(id).Data(id, 16384));
            run.Respond(id, 200, end: true);
            Assert.That(run.Session.TryLinger(run.Slots[id]), Is.True);
            run.Feed(client.Data(id, 16384).Data(id, 16384).Data(id, 16384));
        }

        Assert.That(run.Session.Failure, Is.Null);
        Assert.That(run.Sent.Count(line => line.StartsWith("WINDOW 0 ", StringComparison.Ordinal)), Is.GreaterThanOrEqualTo(9));
        Assert.That(
            run.Sent.Where(line =>
                line.StartsWith("WINDOW ", StringComparison.Ordinal) && !line.StartsWith("WINDOW 0 ", StringComparison.Ordinal)
            ),
            Is.Empty
        );
        run.Feed(client.Data(1, 1));
        Assert.That(run.Events[^1], Does.StartWith("reset 1 FlowControl"), "more than its window");
    }

    [TestCase("open")]
    [TestCase("half-closed (remote)")]
    [TestCase("closed")]
    public void Only_a_stream_with_a_complete_response_lingers(string state)
    {
        var client = Start();
        var run = new SessionRun().Feed(state == "half-closed (remote)" ? client.Request(1) : client.Upload(1));
        if (state == "closed")
        {
            run.Session.Reset(run.Slots[1], ErrorCode.Cancel);
        }

        Assert.That(run.Session.TryLinger(run.Slots[1]), Is.False);
    }

    /// <summary>Its last bytes, and its end, come after ours, while its owner still has it: a tunnel whose backend ended first.</summary>
    [Test]
    public void The_end_of_a_request_with_bytes_may_come_after_the_response()
    {
        var client = Start();
        var run = Answered(client);
        run.Feed(client.Data(1, "bye", end: true));
        Assert.That(run.Events[^1], Is.EqualTo("data 1 bye end").Or.EqualTo("data 1 bye"));
        Assert.That(run.Session.Stream(run.Slots[1]).State, Is.EqualTo(StreamState.Closed));
    }

    [Test]
    public void What_a_session_holds_is_counted()
    {
        var client = Start();
        var run = new SessionRun();
        int before = run.Session.HeldBytes;
        run.Feed(client.Request(1, ("x-long", new string('x', 3000))));
        Assert.That(run.Session.HeldBytes - before, Is.InRange(3000, 32_768));
    }

    private static SessionRun Answered(ClientBytes client)
    {
        var run = new SessionRun().Feed(client.Upload(1));
        run.Respond(1, 413, end: true);
        return run;
    }
}
