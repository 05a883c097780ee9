using Spawngate.Platform;

namespace Spawngate.Tests;

/// <summary>How the limit of open files is shared out, and what is refused when.</summary>
internal sealed class DescriptorBudgetTests
{
    private const int DescriptorsPerBackend = 4;

    [TestCase(64, ExpectedResult = 2)]
    [TestCase(256, ExpectedResult = 75)]
    [TestCase(1024, ExpectedResult = 339)]
    [TestCase(20_000, ExpectedResult = 6974)]
    [TestCase(1_048_576, ExpectedResult = 517_613)]
    public int Clients_that_a_limit_allows(long limit)
    {
        var budget = new DescriptorBudget(limit, open: 12, processors: 2);
        if (limit >= 256)
        {
            Assert.That(
                (2L * budget.ClientsMax) + budget.Reserve + budget.InUse,
                Is.InRange(limit - 1, limit),
                "all of it is shared out, and not more"
            );
        }

        return budget.ClientsMax;
    }

    [Test]
    public void Without_a_limit_only_the_bound_of_the_program_holds()
    {
        var budget = new DescriptorBudget(null, open: 12, processors: 2);
        Assert.That(budget.ClientsMax, Is.GreaterThan(2_000_000));
        Assert.That(budget.AdminMax, Is.EqualTo(PlatformLimits.DescriptorsAdminMax));
    }

    [Test]
    public void Clients_and_their_connections_leave_the_reserve()
    {
        var budget = new DescriptorBudget(256, open: 12, processors: 2);
        budget.Take(DescriptorUse.Client, budget.ClientsMax);
        Assert.That(budget.IsLow, Is.False);
        int upstreams = 0;
        while (budget.TryTake(DescriptorUse.Upstream))
        {
            upstreams++;
        }

        Assert.That(upstreams, Is.GreaterThanOrEqualTo(budget.ClientsMax), "each client can have one");
        Assert.That(budget.IsLow);
        Assert.That(budget.InUse, Is.EqualTo(256 - budget.Reserve));
        Assert.That(budget.HasRoomFor(DescriptorUse.Child, PlatformLimits.DescriptorsPerStart), "a backend can be started");
        budget.Release(DescriptorUse.Upstream);
        Assert.That(budget.TryTake(DescriptorUse.Upstream), "one that has ended makes room");
    }

    [Test]
    public void Pipes_are_refused_while_connections_still_are_not()
    {
        var budget = new DescriptorBudget(256, open: 12, processors: 2);
        while (budget.TryTake(DescriptorUse.Splice, 2)) { }

        Assert.That(budget.Room, Is.GreaterThan(30));
        Assert.That(budget.TryTake(DescriptorUse.Upstream));
    }

    [Test]
    public void Backends_beyond_their_reserve_take_from_clients_and_then_no_more_are_started()
    {
        var budget = new DescriptorBudget(256, open: 12, processors: 2);
        long room = budget.Room;
        int started = 0;
        while (budget.HasRoomFor(DescriptorUse.Child, PlatformLimits.DescriptorsPerStart))
        {
            budget.Take(DescriptorUse.Child, DescriptorsPerBackend);
            started++;
        }

        Assert.That(started, Is.GreaterThan(40));
        Assert.That(budget.Room, Is.InRange(0, PlatformLimits.DescriptorsPerStart));
        Assert.That(budget.TryTake(DescriptorUse.Upstream, PlatformLimits.DescriptorsPerStart), Is.False);
        budget.Release(DescriptorUse.Child, DescriptorsPerBackend * started);
        Assert.That(budget.Room, Is.EqualTo(room));
    }

    [Test]
    public void What_was_refused_is_not_counted()
    {
        var budget = new DescriptorBudget(256, open: 12, processors: 2);
        budget.Take(DescriptorUse.Client, 1000);
        long inUse = budget.InUse;
        Assert.That(budget.TryTake(DescriptorUse.Upstream), Is.False);
        Assert.That(budget.TryTake(DescriptorUse.Splice, 2), Is.False);
        Assert.That(budget.InUse, Is.EqualTo(inUse));
    }
}
