using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Spawngate.Admin;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Which connection to the admin API is closed when there are too many.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class AdminConnectionsTests
{
    private readonly FakeTime _time = new();

    [Test]
    public void The_one_that_has_been_idle_for_longest_goes_first()
    {
        var all = new AdminConnections(40, _time);
        var opened = Enumerable.Range(0, 40).Select(_ => Open(all)).ToList();
        opened[0].Entry.BeginRequest();
        opened[1].Entry.BeginRequest();
        opened[1].Entry.EndRequest();
        Open(all);
        Open(all);
        Assert.That(Closed(opened), Is.EqualTo([2, 3]), "not the busy one, and not the one that was busy a moment ago");
        Assert.That(all.Count, Is.EqualTo(40));
    }

    [Test]
    public void When_all_are_busy_the_longest_answer_goes()
    {
        var all = new AdminConnections(40, _time);
        var opened = Enumerable.Range(0, 40).Select(_ => Open(all)).ToList();
        opened.ForEach(static each => each.Entry.BeginRequest());
        Open(all);
        Assert.That(Closed(opened), Is.EqualTo([0]));
    }

    [TestCase(4096, 3072)]
    [TestCase(123, 93)]
    [TestCase(27, 19)]
    [TestCase(8, 4)]
    public void Streams_leave_places_and_are_not_closed_for_others(int max, int streamsMax)
    {
        var all = new AdminConnections(max, _time);
        var opened = Enumerable.Range(0, max).Select(_ => Open(all)).ToList();
        opened.ForEach(static each => each.Entry.BeginRequest());
        var streaming = Enumerable.Range(0, max).Where(i => opened[i].Entry.TryBeginStream()).ToList();
        Assert.That(streaming, Is.EqualTo(Enumerable.Range(0, streamsMax)));
        Assert.That(opened[0].Entry.TryBeginStream(), "it has its place already");
        for (int i = 0; i < 2 * max; i++)
        {
            var next = Open(all);
            next.Entry.BeginRequest();
            Assert.That(next.Entry.TryBeginStream(), Is.False);
        }

        Assert.That(Closed(opened), Is.EqualTo(Enumerable.Range(streamsMax, max - streamsMax)));
        opened[0].Entry.EndRequest();
        all.Remove(opened[1].Entry);
        var later = Enumerable.Range(0, 3).Select(_ => Open(all).Entry.TryBeginStream());
        Assert.That(later, Is.EqualTo([true, true, false]), "those that ended left theirs");
    }

    [Test]
    public void Where_there_are_many_idle_ones_are_closed_early()
    {
        var all = new AdminConnections(40, _time);
        var opened = Enumerable.Range(0, 20).Select(_ => Open(all)).ToList();
        _time.AdvanceMs(AdminLimits.CrowdedIdleMs);
        opened.Add(Open(all));
        Assert.That(Closed(opened), Is.EqualTo(Enumerable.Range(0, 11)), "as many as it takes to have few");
    }

    [Test]
    public void What_is_closed_or_gone_is_counted_no_more()
    {
        var all = new AdminConnections(40, _time);
        var opened = Open(all);
        Assert.That(all.CloseOldestIdle());
        Assert.That(all.CloseOldestIdle(), Is.False);
        opened.Entry.BeginRequest();
        opened.Entry.EndRequest();
        all.Remove(opened.Entry);
        all.Remove(opened.Entry);
        Assert.That(all.Count, Is.Zero);
    }

    private static (AdminConnection Entry, FakeConnection Transport) Open(AdminConnections all)
    {
        var transport = new FakeConnection();
        return (all.Add(transport), transport);
    }

    private static List<int> Closed(List<(AdminConnection Entry, FakeConnection Transport)> opened) =>
        [.. Enumerable.Range(0, opened.Count).Where(i => opened[i].Transport.IsAborted)];

    private sealed class FakeConnection : ConnectionContext
    {
        public bool IsAborted { get; private set; }

        public override IDuplexPipe Transport { get; set; } = null!;

        public override string ConnectionId { get; set; } = "";

        public override IFeatureCollection Features { get; } = new FeatureCollection();

        public override IDictionary<object, object?> Items { get; set; } = new Dictionary<object, object?>();

        public override void Abort(ConnectionAbortedException abortReason) => IsAborted = true;
    }
}
