using System.Net;
using System.Net.Sockets;
using Spawngate.Runtime;
using Spawngate.Tests.Fakes;
using Spawngate.Upstreams;

namespace Spawngate.Tests;

/// <summary>Backends that serve no other connection while one is kept open, over real sockets, in time that only the test moves.</summary>
[Platform("Linux")]
internal sealed class IdleBlockingTests
{
    private readonly FakeTime _time = new();
    private readonly List<WireEnd> _ends = [];
    private CoarseClock _clock = null!;
    private Socket _listener = null!;
    private UpstreamPool _pool = null!;
    private int _told;

    [SetUp]
    public void SetUp()
    {
        _clock = new CoarseClock(_time);
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(64);
        _told = 0;
        _pool = Make(maxIdle: 10);
    }

    [TearDown]
    public void TearDown()
    {
        _pool.Abort();
        _ends.ForEach(static end => end.Dispose());
        _ends.Clear();
        _listener.Dispose();
        _clock.Dispose();
    }

    [Test]
    public async Task With_none_kept_each_connection_is_closed_behind_its_answer()
    {
        _pool.Abort();
        _pool = Make(maxIdle: 0);
        var (connection, end) = await ServedAsync();
        Assert.That(_pool.KeepsNone);
        _pool.Return(connection);
        Assert.That((_pool.TryRent(), _pool.OpenCount), Is.EqualTo(((UpstreamConnection?)null, 0)));
        Assert.That(await end.ReadToEndAsync(), Is.Empty);
    }

    [Test]
    public async Task Idle_connections_in_whose_way_a_new_one_waits_are_closed_and_from_then_on_one_is_kept()
    {
        var (second, _) = await BlockedAsync();
        Assert.That(_told, Is.EqualTo(1));

        // Alone it stays, and makes room as soon as another is made.
        _pool.Return(second);
        Assert.That(_pool.TryRent(), Is.SameAs(second));
        _pool.Return(second);
        var (third, _) = await OpenAsync();
        Assert.That((_pool.TryRent(), _pool.OpenCount), Is.EqualTo(((UpstreamConnection?)null, 1)));

        // While another waits none stays.
        var (fourth, fourthEnd) = await OpenAsync();
        _pool.Return(third);
        Assert.That((_pool.TryRent(), _pool.OpenCount), Is.EqualTo(((UpstreamConnection?)null, 1)));
        await AnswerAsync(fourth, fourthEnd);
        _pool.Return(fourth);
        Assert.That((_pool.TryRent(), _pool.OpenCount), Is.EqualTo((fourth, 1)));
        Assert.That(_told, Is.EqualTo(1));
    }

    [Test]
    public async Task A_backend_that_is_only_slow_keeps_its_connections()
    {
        var (first, firstEnd) = await ServedAsync();
        var (second, secondEnd) = await OpenAsync();
        _pool.Return(first);
        Advance(UpstreamLimits.BlockedLookMs);
        Assert.That(await firstEnd.ReadToEndAsync(), Is.Empty, "it might have been in the way");
        Advance(UpstreamLimits.BlockedLookMs + RuntimeLimits.ClockTickMs);
        await AnswerAsync(second, secondEnd);
        Advance(UpstreamLimits.BlockedLookMs);
        var (third, thirdEnd) = await ServedAsync();
        _pool.Return(second);
        _pool.Return(third);
        Assert.That((_pool.TryRent(), _pool.TryRent(), _told), Is.EqualTo((third, second, 0)));
        _pool.Return(second);

        // Not again at once.
        await OpenAsync();
        Advance(UpstreamLimits.BlockedLookMs);
        Assert.That((_pool.OpenCount, thirdEnd.Ended), Is.EqualTo((3, false)));
    }

    [Test]
    public async Task A_backend_that_has_served_as_many_at_once_is_not_suspected()
    {
        var (first, _) = await ServedAsync();
        var (second, _) = await ServedAsync();
        var (third, _) = await ServedAsync();
        _pool.Return(first);
        _pool.Return(second);
        _pool.Return(third);
        Advance(RuntimeLimits.ClockTickMs);
        _pool.Discard(_pool.TryRent()!);
        await OpenAsync();
        Advance(10 * UpstreamLimits.BlockedLookMs);
        Assert.That((_pool.OpenCount, _told), Is.EqualTo((3, 0)));
    }

    [Test]
    public async Task More_connections_served_at_once_than_could_be_refute_it()
    {
        var (second, _) = await BlockedAsync();
        var (third, _) = await ServedAsync();
        _pool.Return(second);
        _pool.Return(third);
        Assert.That((_pool.TryRent(), _pool.TryRent()), Is.EqualTo((third, second)));
    }

    /// <summary>A connection is idle, a new one gets no byte until that is closed, and then does.</summary>
    private async Task<(UpstreamConnection Connection, WireEnd End)> BlockedAsync()
    {
        var (first, firstEnd) = await ServedAsync();
        var (second, secondEnd) = await OpenAsync();
        _pool.Return(first);
        Advance(RuntimeLimits.ClockTickMs);
        Assert.That(_pool.OpenCount, Is.EqualTo(2), "it has only just begun to wait");
        Advance(RuntimeLimits.ClockTickMs);
        Assert.That(await firstEnd.ReadToEndAsync(), Is.Empty, "closed in order");
        await AnswerAsync(second, secondEnd);
        Advance(RuntimeLimits.ClockTickMs);
        return (second, secondEnd);
    }

    private UpstreamPool Make(int maxIdle) =>
        new((IPEndPoint)_listener.LocalEndPoint!, maxIdle, idleTimeoutMs: 600_000, _clock, loops: 1) { OnBlocked = () => _told++ };

    private void Advance(int ms)
    {
        for (int passed = 0; passed < ms; passed += RuntimeLimits.ClockTickMs)
        {
            _time.AdvanceMs(RuntimeLimits.ClockTickMs);
        }
    }

    private static async Task AnswerAsync(UpstreamConnection connection, WireEnd end)
    {
        await end.SendAsync("x");
        Assert.That(await connection.Channel.ReceiveAsync(), Is.EqualTo(1));
        connection.Channel.Consume(1);
    }

    private async Task<(UpstreamConnection Connection, WireEnd End)> ServedAsync()
    {
        var (connection, end) = await OpenAsync();
        await AnswerAsync(connection, end);
        return (connection, end);
    }

    private async Task<(UpstreamConnection Connection, WireEnd End)> OpenAsync()
    {
        var connection = _pool.TryCreate()!;
        Assert.That(await connection.Channel.ConnectAsync(_pool.Endpoint), Is.GreaterThanOrEqualTo(0));
        var end = new WireEnd(await _listener.AcceptAsync());
        _ends.Add(end);
        return (connection, end);
    }
}
