using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Config;
using Spawngate.Overload;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>How much may be taken between two looks at what clients hold.</summary>
internal sealed class GrowthQuotaTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly int Loops = Math.Max(1, EventLoop.Count);
    private static readonly int First = EventLoop.Count > 0 ? 0 : StreamSocket.NoLoop;

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
        Assert.That(taken, Is.EqualTo((partKiB * 1024 / OverloadLimits.ClientRequestBytes) + 1));
        quota.Release(0, 0);
        quota.Release(0, 0);
        Assert.That(quota.IsSpent(0), Is.False, "what has ended is free again");
    }

    [Test]
    public void What_has_come_while_it_was_looked_counts_as_not_seen()
    {
        var quota = new GrowthQuota(_descriptors);
        quota.Take(0, (600 * 1024 / 2) - (OverloadLimits.ClientRequestBytes / 2));
        quota.Set(new ResourceUse(0, 0, 1000 * 1024, 0, 0), ResourceUse.Unbounded, ResourceUse.Unbounded);
        Assert.That(TakeUntilSpent(quota), Is.EqualTo((100 * 1024 / OverloadLimits.ClientRequestBytes) + 1));
    }

    [Test]
    public void One_loop_may_take_all_of_it_and_another_has_its_share_all_the_same()
    {
        Assume.That(Loops, Is.GreaterThan(1));
        const int Requests = 64;
        var quota = new GrowthQuota(_descriptors);
        quota.Set(
            new ResourceUse(0, 0, Requests * OverloadLimits.ClientRequestBytes * OverloadLimits.GrowthShare, 0, 0),
            ResourceUse.Unbounded,
            ResourceUse.Unbounded
        );
        Assert.That(TakeUntilSpent(quota), Is.EqualTo(Requests));
        Assert.That(TakeUntilSpent(quota, loop: 1), Is.EqualTo(Requests / OverloadLimits.GrowthOwnShare / Loops));

        // What ends in between is nobody's to take without a look at the sum.
        for (int i = 0; i < Requests; i++)
        {
            quota.Take(1, 0);
        }

        quota.Set(
            new ResourceUse(0, 0, Requests * OverloadLimits.ClientRequestBytes * OverloadLimits.GrowthShare * 2, 0, 0),
            ResourceUse.Unbounded,
            ResourceUse.Unbounded
        );
        for (int i = 0; i < Requests; i++)
        {
            quota.Release(1, 0);
        }

        TakeUntilSpent(quota);
        Assert.That(TakeUntilSpent(quota, loop: 1), Is.LessThan(Requests));
    }

    [TestCase(400, 100, long.MaxValue, 75)]
    [TestCase(400, 100, 120L, 30)]
    [TestCase(400, 500, 120L, 16)]
    [TestCase(400, 100, 4L, 16)]
    public void Of_connections_it_is_a_quarter_of_the_descriptors_or_ports_that_are_left(int descriptors, int used, long ports, int part)
    {
        var quota = new GrowthQuota(_descriptors);
        quota.Set(
            ResourceUse.Unbounded,
            new ResourceUse(used, 0, descriptors, 0, 0),
            ports == long.MaxValue ? ResourceUse.Unbounded : new ResourceUse(0, 0, ports, 0, 0)
        );
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
        GrowthWait[] waits = [new(quota, First), new(quota, First)];
        int gone = 0;
        async Task WaitAsync(GrowthWait wait)
        {
            wait.Begin();
            await wait;
            Interlocked.Increment(ref gone);
        }

        for (int looks = 1; looks <= 3; looks++)
        {
            Spend(quota);
            Task[] all = [.. waits.Select(WaitAsync)];
            Assert.That(gone, Is.EqualTo(2 * (looks - 1)));
            quota.Set(ResourceUse.Unbounded, ResourceUse.Unbounded, ResourceUse.Unbounded);
            await Task.WhenAll(all).WaitAsync(Patience);
        }

        Spend(quota);
        var last = WaitAsync(waits[0]);
        quota.Open();
        await last.WaitAsync(Patience);
        Spend(quota);
        quota.Take(0, 1000);
        Assert.That(quota.IsSpent(0), Is.False, "that was the last word");
        await WaitAsync(waits[1]).WaitAsync(Patience);
    }

    [Test]
    public async Task A_wait_may_end_before_the_look_and_before_it_has_begun_and_begin_anew_while_it_is_listed()
    {
        var quota = new GrowthQuota(_descriptors);
        var wait = new GrowthWait(quota, First);
        async Task WaitAsync() => await wait;
        Spend(quota);
        wait.Begin();
        wait.End();
        await WaitAsync().WaitAsync(Patience);
        for (int i = 0; i < 3; i++)
        {
            wait.Begin();
            var waiting = WaitAsync();
            Assert.That(waiting.IsCompleted, Is.False);
            wait.End();
            await waiting.WaitAsync(Patience);
        }

        wait.Begin();
        var last = WaitAsync();
        quota.Set(ResourceUse.Unbounded, ResourceUse.Unbounded, ResourceUse.Unbounded);
        await last.WaitAsync(Patience);
    }

    [Test]
    public async Task Nobody_waits_any_more_when_nobody_looks_any_more()
    {
        using var clock = new CoarseClock(new FakeTime());
        var limits = new ClientLimits(new ServerConfig(), new FakeTime());
        async Task WaitAsync() => await new GrowthWait(limits.Growth, First);
        Spend(limits.Growth);
        Task waiting;
        using (
            new OverloadMonitor(new NoClients(), limits, clock, NullLogger.Instance, static () => { })
            {
                MemoryBytesMax = 1,
                ConnectionsMax = 1,
            }
        )
        {
            waiting = WaitAsync();
        }

        await waiting.WaitAsync(Patience);
    }

    [Test]
    public async Task A_look_that_fails_lets_those_go_on_who_wait_for_it()
    {
        var time = new FakeTime();
        using var clock = new CoarseClock(time);
        var limits = new ClientLimits(new ServerConfig(), time);
        using var monitor = new OverloadMonitor(new NoClients(), limits, clock, NullLogger.Instance, static () => { })
        {
            MemoryBytesMax = 1,
            ConnectionsMax = 1,
            Descriptors = static () => throw new InvalidOperationException("for the test"),
        };
        async Task WaitAsync() => await new GrowthWait(limits.Growth, First);
        Spend(limits.Growth);
        var waiting = WaitAsync();
        time.AdvanceMs(RuntimeLimits.ClockTickMs);
        await waiting.WaitAsync(Patience);
    }

    private static void Spend(GrowthQuota quota) => quota.Set(new ResourceUse(1, 1, 1, 1, 1), ResourceUse.Unbounded, ResourceUse.Unbounded);

    private static int TakeUntilSpent(GrowthQuota quota, int loop = 0)
    {
        int taken = 0;
        for (; !quota.IsSpent(loop); taken++)
        {
            quota.Take(loop, 0);
        }

        return taken;
    }

    private sealed class NoClients : IClientHoldings
    {
        public long HeldBytes => 0;

        public int Count => 0;

        public void AddTo(HoldingSurvey survey) { }
    }
}
