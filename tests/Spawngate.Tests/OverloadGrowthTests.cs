using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Config;
using Spawngate.Diagnostics;
using Spawngate.Overload;
using Spawngate.Platform;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>How much may be taken between two looks at what clients hold.</summary>
internal sealed class OverloadGrowthTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly int Loops = Math.Max(1, EventLoop.Count);

    private readonly DescriptorBudget _descriptors = new(1024, open: 12, processors: 2);

    [TestCase(0, 250)]
    [TestCase(600, 100)]
    [TestCase(996, 15)]
    [TestCase(2000, 15)]
    public void Of_memory_it_is_a_quarter_of_what_is_left_and_a_little_in_any_case(int usedKiB, int partKiB)
    {
        var quota = new GrowthQuota(_descriptors);
        quota.Take(0, 5000);
        quota.Set(ResourceUse.Unbounded, ResourceUse.Unbounded, ResourceUse.Unbounded);
        quota.Set(new ResourceUse(usedKiB * 1024L, 0, 1000 * 1024, 0, 0), ResourceUse.Unbounded, ResourceUse.Unbounded);
        int taken = TakeUntilSpent(quota);

        // The one that passes the bound is the last.
        Assert.That(taken, Is.EqualTo((partKiB * 1024 / Loops / Limits.ClientRequestBytes) + 1));
        quota.Release(0, 0);
        quota.Release(0, 0);
        Assert.That(quota.IsSpent(0), Is.False, "what has ended is free again");
    }

    [Test]
    public void What_has_come_while_it_was_looked_counts_as_not_seen()
    {
        var quota = new GrowthQuota(_descriptors);
        quota.Take(0, (600 * 1024 / 2) - (Limits.ClientRequestBytes / 2));
        quota.Set(new ResourceUse(0, 0, 1000 * 1024, 0, 0), ResourceUse.Unbounded, ResourceUse.Unbounded);
        Assert.That(TakeUntilSpent(quota), Is.EqualTo((100 * 1024 / Loops / Limits.ClientRequestBytes) + 1));
    }

    [Test]
    public void What_one_loop_has_taken_is_not_taken_from_another()
    {
        Assume.That(Loops, Is.GreaterThan(1));
        var quota = new GrowthQuota(_descriptors);
        quota.Set(new ResourceUse(0, 0, 1024 * 1024, 0, 0), ResourceUse.Unbounded, ResourceUse.Unbounded);
        TakeUntilSpent(quota);
        Assert.That(quota.IsSpent(1), Is.False);
    }

    [TestCase(400, 100, long.MaxValue, 75)]
    [TestCase(400, 100, 120L, 30)]
    [TestCase(400, 500, 120L, 16)]
    [TestCase(400, 100, 4L, 16)]
    public void Of_connections_it_is_a_quarter_of_the_descriptors_or_ports_that_are_left(int descriptors, int used, long ports, int part)
    {
        var quota = new GrowthQuota(_descriptors);
        quota.Set(ResourceUse.Unbounded, new ResourceUse(used, 0, descriptors, 0, 0), ports == long.MaxValue ? ResourceUse.Unbounded : new ResourceUse(0, 0, ports, 0, 0));
        for (int i = 0; i < part; i++)
        {
            Assert.That(quota.IsSpent(0), Is.False, $"{i} of {part}");
            Assert.That(_descriptors.TryTake(DescriptorUse.Upstream));
        }

        Assert.That(quota.IsSpent(0), Is.True);
    }

    [Test]
    public void Without_bounds_it_is_never_spent()
    {
        var quota = new GrowthQuota(_descriptors);
        quota.Take(0, int.MaxValue);
        Assert.That(quota.IsSpent(0), Is.False);
        quota.Set(ResourceUse.Unbounded, ResourceUse.Unbounded, ResourceUse.Unbounded);
        quota.Take(0, int.MaxValue);
        Assert.That(quota.IsSpent(0), Is.False);
    }

    [Test]
    public async Task Who_waits_goes_on_after_the_next_look_and_nobody_waits_when_there_are_no_more()
    {
        var quota = new GrowthQuota(_descriptors);
        int gone = 0;
        async Task WaitAsync()
        {
            await quota.NextLook(0);
            Interlocked.Increment(ref gone);
        }

        Task[] first = [WaitAsync(), WaitAsync()];
        Assert.That(gone, Is.Zero);
        quota.Set(ResourceUse.Unbounded, ResourceUse.Unbounded, ResourceUse.Unbounded);
        await Task.WhenAll(first).WaitAsync(Patience);
        var second = WaitAsync();
        Assert.That(gone, Is.EqualTo(2));
        quota.Open();
        await second.WaitAsync(Patience);
        await WaitAsync().WaitAsync(Patience);
    }

    [Test]
    public async Task Nobody_waits_any_more_when_nobody_looks_any_more()
    {
        using var clock = new CoarseClock(new FakeTime());
        var limits = new ClientLimits(new ServerConfig(), new FakeTime());
        async Task WaitAsync() => await limits.Growth.NextLook(0);
        Task waiting;
        using (new OverloadMonitor(new NoClients(), limits, clock, NullLogger.Instance, static () => { }) { MemoryBytesMax = 1, ConnectionsMax = 1 })
        {
            waiting = WaitAsync();
        }

        await waiting.WaitAsync(Patience);
    }

    private static int TakeUntilSpent(GrowthQuota quota)
    {
        int taken = 0;
        for (; !quota.IsSpent(0); taken++)
        {
            quota.Take(0, 0);
        }

        return taken;
    }
    private sealed class NoClients : IClientHoldings
    {
        public long HeldBytes => 0;

        public int Count => 0;

        public void AddTo(HoldingSurvey survey)
        {
        }
    }
}
