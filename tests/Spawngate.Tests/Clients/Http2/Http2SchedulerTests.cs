using Spawngate.Clients.Http2;

namespace Spawngate.Tests;

/// <summary>Whose turn it is to write on a connection that many streams share.</summary>
internal sealed class Http2SchedulerTests
{
    private readonly Http2Scheduler _scheduler = new();

    [Test]
    public void The_most_urgent_comes_first_and_equals_come_in_turn()
    {
        var streams = Add(3, 7, 0, 3);
        Assert.That((_scheduler.HasWaiting(0), _scheduler.HasWaiting(7)), Is.EqualTo((true, true)));
        Assert.That(TakeAll(), Is.EqualTo(new[] { streams[2], streams[0], streams[3], streams[1] }));
        Assert.That(_scheduler.HasWaiting(7), Is.False);
    }

    [TestCase(7, 6, false)]
    [TestCase(6, 7, true)]
    [TestCase(3, 3, true)]
    public void Who_is_less_urgent_than_those_in_line_stands_behind_them(int waiting, int comes, bool behind)
    {
        Add(waiting);
        Assert.That(_scheduler.HasWaiting(comes), Is.EqualTo(behind));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(2)]
    public void One_that_is_gone_leaves_the_line_and_loses_nobody_behind_it(int gone)
    {
        var streams = Add(3, 3, 3);

        // Its urgency may have changed since it got in line.
        streams[gone].Urgency = 5;
        _scheduler.Remove(streams[gone]);
        streams[gone].Urgency = 3;
        _scheduler.Add(streams[gone]);
        Assert.That(TakeAll(), Is.EqualTo(streams.Where((_, i) => i != gone).Append(streams[gone])));
    }

    [Test]
    public void The_last_one_gone_leaves_nobody()
    {
        _scheduler.Remove(Add(4)[0]);
        Assert.That((_scheduler.HasWaiting(7), _scheduler.Take()), Is.EqualTo((false, (StreamSender?)null)));
        var next = Add(4);
        Assert.That(TakeAll(), Is.EqualTo(next));
    }

    private StreamSender[] Add(params int[] urgencies)
    {
        StreamSender[] streams = [.. urgencies.Select(urgency => new StreamSender(null!, null!) { Urgency = urgency })];
        Array.ForEach(streams, _scheduler.Add);
        return streams;
    }

    private List<StreamSender> TakeAll()
    {
        var taken = new List<StreamSender>();
        while (_scheduler.Take() is { } stream)
        {
            taken.Add(stream);
        }

        return taken;
    }
}
