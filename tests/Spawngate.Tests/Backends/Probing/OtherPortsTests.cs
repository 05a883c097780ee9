using System.Net;
using Spawngate.Backends.Probing;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Where a program listens that ignores the port it was told.</summary>
internal sealed class OtherPortsTests
{
    private const int Told = 4000;

    private readonly List<IPEndPoint> _listens = [];
    private readonly ProbePlace _place = new(At(Told));

    [OneTimeTearDown]
    public void TearDown() => _place.Dispose();

    [SetUp]
    public void SetUp() => _listens.Clear();

    [Test]
    public async Task A_port_counts_after_two_seconds_and_is_looked_for_late_and_seldom()
    {
        int looks = 0;
        int opened = 0;
        var others = new OtherPorts(
            () =>
            {
                looks++;
                return Task.FromResult<IReadOnlyList<IPEndPoint>>([.. _listens]);
            },
            at =>
            {
                opened++;
                return _place.Open(at);
            }
        );
        _listens.Add(At(5173));
        var foundAtMs = -1;
        for (int ms = 0; ms < 10_000 && foundAtMs < 0; ms += 5)
        {
            foundAtMs = (await others.LookAsync(ms, Told)).Count > 0 ? ms : foundAtMs;
        }

        Assert.That(foundAtMs, Is.InRange(2000 + 500, 2000 + 500 + 250));
        Assert.That(looks, Is.LessThan(12));
        for (int ms = 3000; ms < 10_000; ms += 250)
        {
            await others.LookAsync(ms, Told);
        }

        Assert.That(opened, Is.EqualTo(1), "each look finds the same pool");
        Assert.That((others.Count, others.Seen), Is.EqualTo((1, new[] { 5173 })).UsingPropertiesComparer());
    }

    [Test]
    public async Task Debuggers_an_admin_API_and_the_port_itself_never_count_and_what_is_closed_no_more()
    {
        var others = new OtherPorts(() => Task.FromResult<IReadOnlyList<IPEndPoint>>([.. _listens]), at => _place.Open(at));
        _listens.AddRange([At(9229), At(5858), At(5005), At(5678), At(2019), At(Told), At(3000), At(3001)]);
        await others.LookAsync(1000, Told);
        var found = await others.LookAsync(4000, Told);
        Assert.That(found.Select(static pool => pool.Endpoint), Is.EquivalentTo(new[] { At(3000), At(3001) }));
        Assert.That(others.Count, Is.EqualTo(2));

        _listens.Remove(At(3000));
        found = await others.LookAsync(5000, Told);
        Assert.That(found.Select(static pool => pool.Endpoint), Is.EqualTo(new[] { At(3001) }));
    }

    [Test]
    public async Task A_port_that_was_seen_beside_an_open_one_has_to_wait_anew()
    {
        var others = new OtherPorts(() => Task.FromResult<IReadOnlyList<IPEndPoint>>([.. _listens]), at => _place.Open(at));
        _listens.Add(At(3000));
        await others.LookAsync(1000, Told);
        others.Forget();
        Assert.That(await others.LookAsync(4000, Told), Is.Empty);
        Assert.That(await others.LookAsync(6500, Told), Has.Count.EqualTo(1));
    }

    private static IPEndPoint At(int port) => new(IPAddress.Loopback, port);
}
