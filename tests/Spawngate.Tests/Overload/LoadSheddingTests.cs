using Spawngate.Config;
using Spawngate.Overload;
using Spawngate.Runtime;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Who has to go when something runs low.</summary>
internal sealed class LoadSheddingTests
{
    private const int Bound = 1000;
    private readonly List<(ClientAddress Address, FakeHolding Holding)> _held = [];
    private readonly RecordingLog _log = new();
    private ClientLimits _limits = null!;
    private LoadShedder _shedder = null!;
    private long _now;

    [SetUp]
    public void SetUp()
    {
        _limits = new ClientLimits(new ServerConfig(), new FakeTime());
        _shedder = new LoadShedder(_limits, _log) { Survey = Survey };
        _held.Clear();
        _now = 1;
    }

    [Test]
    public void While_it_is_calm_nobody_is_looked_at()
    {
        var one = Hold(1, 749);
        Look();
        Assert.That((one.Address.IsMarked, _limits.Marks, one.Holding.Shed), Is.EqualTo((false, false, 0)));
    }

    [Test]
    public void At_three_quarters_whoever_holds_most_is_marked_and_nobody_else()
    {
        var heavy = Hold(1, 600);
        var middle = Hold(2, 140);
        var light = Hold(3, 10);
        Look();
        Assert.That((heavy.Address.IsMarked, middle.Address.IsMarked, light.Address.IsMarked), Is.EqualTo((true, false, false)));
        Assert.That(_held.Select(static each => each.Holding.Shed), Is.All.Zero);
        Assert.That(_limits.TryConnect(heavy.Address, isTrusted: false), Is.False);
        Assert.That(_limits.TryConnect(heavy.Address, isTrusted: true), Is.True, "a trusted proxy speaks for others");
        Assert.That(_limits.TryConnect(light.Address, isTrusted: false), Is.True);
        Assert.That(_limits.Enter(heavy.Address, heavy.Address, isTrusted: false, out _), Is.EqualTo(ClientVerdict.Overloaded));
        Assert.That(_limits.Enter(light.Address, light.Address, isTrusted: false, out _), Is.EqualTo(ClientVerdict.Served));
    }

    [Test]
    public void It_is_over_only_well_below_the_mark()
    {
        var heavy = Hold(1, 800);
        Look();
        heavy.Holding.Bytes = 650;
        Look();
        Assert.That(heavy.Address.IsMarked, Is.True);
        heavy.Holding.Bytes = 620;
        Look();
        Assert.That((heavy.Address.IsMarked, _limits.Marks), Is.EqualTo((false, false)));
        Assert.That(
            _log.Records.Select(static record => record.Text),
            Has.Some.Contains("Running low").And.Some.Contains("No longer running low")
        );
    }

    [Test]
    public void Idle_connections_go_first()
    {
        var idle = Hold(1, 100, isIdle: true);
        Hold(1, 600);
        var other = Hold(2, 60, isIdle: true);
        Look();
        Assert.That((idle.Holding.ClosedIdle, idle.Holding.Shed, other.Holding.ClosedIdle), Is.EqualTo((1, 0, 0)));
    }

    [Test]
    public void At_seven_eighths_the_largest_of_the_heaviest_are_cut_until_it_is_enough()
    {
        var light = Hold(9, 20);
        for (int i = 1; i <= 10; i++)
        {
            Hold(1, i * 10);
            Hold(2, i * 5);
        }

        Hold(3, 110);
        Assert.That(Used, Is.EqualTo(955));
        Look();
        Assert.That(Used - _held.Sum(static each => each.Holding.Shed * each.Holding.Bytes), Is.InRange(650, 750));
        Assert.That(light.Holding.Shed, Is.Zero);
        Assert.That(
            _held
                .Where(static each => each.Address.Key == 1)
                .Select(static each => each.Holding)
                .Where(static each => each.Shed > 0)
                .Min(static each => each.Bytes),
            Is.GreaterThan(60)
        );
    }

    [Test]
    public void Many_equal_ones_lose_equally_and_one_that_holds_little_nothing()
    {
        var polite = Hold(5000, 1);
        for (ulong key = 1; key <= 99; key++)
        {
            Hold(key, 10);
        }

        Look();
        Assert.That(_held.Sum(static each => each.Holding.Shed), Is.InRange(24, 25));
        Assert.That(_held.Max(static each => each.Holding.Shed), Is.EqualTo(1));
        Assert.That((polite.Address.IsMarked, polite.Holding.Shed), Is.EqualTo((false, 0)));
    }

    [Test]
    public void What_is_ending_already_is_not_cut_for_again()
    {
        for (int i = 0; i < 9; i++)
        {
            Hold(1, 100);
        }

        Look();
        int cut = _held.Sum(static each => each.Holding.Shed);
        Assert.That(cut, Is.EqualTo(2));
        foreach (var (_, holding) in _held)
        {
            holding.IsEnding = holding.Shed > 0;
        }

        Look();
        Look();
        Assert.That(_held.Sum(static each => each.Holding.Shed), Is.EqualTo(cut), "they only have not ended yet");
    }

    [Test]
    public void What_idle_ones_give_up_is_not_cut_from_others_too()
    {
        for (int i = 0; i < 20; i++)
        {
            Hold(1, 10, isIdle: true);
        }

        for (int i = 0; i < 72; i++)
        {
            Hold(1, 10);
        }

        Look();
        Assert.That((_held.Sum(static each => each.Holding.ClosedIdle), _held.Sum(static each => each.Holding.Shed)), Is.EqualTo((18, 0)));
    }

    [Test]
    public void Places_that_one_proxy_has_alone_are_left_to_it()
    {
        var proxy = Hold(1, 1, isIdle: true);
        proxy.Address.SpeaksForOthers = true;
        LookAtPlaces(100);
        Assert.That((proxy.Address.IsMarked, proxy.Holding.ClosedIdle), Is.EqualTo((false, 0)));
        Hold(2, 1);
        LookAtPlaces(100);
        Assert.That(_limits.Marks, Is.True, "now there is somebody else");
    }

    [Test]
    public void Surveys_are_rare_unless_something_must_go()
    {
        int surveys = 0;
        _shedder.Survey = survey =>
        {
            surveys++;
            Survey(survey);
        };
        var heavy = Hold(1, 800);
        for (int i = 0; i < 5; i++)
        {
            Look();
        }

        Assert.That(surveys, Is.EqualTo(1));
        heavy.Holding.Bytes = 900;
        Look();
        Look();
        Assert.That(surveys, Is.EqualTo(3));
    }

    [Test]
    public void Few_places_are_left_to_those_who_wait_in_line()
    {
        Assert.That(ResourceUse.OfPlaces(63, 63).High, Is.EqualTo(long.MaxValue));
        Assert.That(ResourceUse.OfPlaces(64, 64), Is.EqualTo(new ResourceUse(64, 60, 62, 56, 32)));
    }

    [TestCase(0, 40_000_000, 0, 0)]
    [TestCase(40_000_000, 30_000_000, 3000, 0, Description = "more than half is still held")]
    [TestCase(30_000_000, 0, 3000, 0, Description = "it was little")]
    [TestCase(100_000_000, 1_000_000, 900, 0, Description = "not yet")]
    [TestCase(100_000_000, 1_000_000, 1100, 1)]
    public void The_heap_is_given_back_when_a_burst_is_over(long peak, long left, int afterMs, int collections)
    {
        int collected = 0;
        var heap = new HeapTrimmer(() => collected++);
        heap.Look(peak, 1);
        for (int ms = 100; ms <= afterMs; ms += 100)
        {
            heap.Look(left, 1 + ms);
        }

        Assert.That(collected, Is.EqualTo(collections));
    }

    [Test]
    public void The_young_heap_is_collected_after_so_many_bytes()
    {
        long heap = 5_000_000;
        int collected = 0;
        var young = new YoungHeap(
            () => heap,
            () => collected,
            () =>
            {
                collected++;
                heap = 6_000_000;
            }
        );
        young.Look();
        heap += OverloadLimits.YoungHeapBytesMin - 1;
        young.Look();
        Assert.That(collected, Is.Zero);
        heap++;
        young.Look();
        Assert.That(collected, Is.EqualTo(1));
        young.Look();
        heap += OverloadLimits.YoungHeapBytesMin - 1;
        young.Look();
        Assert.That(collected, Is.EqualTo(1), "counted from what was left");
    }

    [Test]
    public void Of_a_large_heap_more_is_young_before_it_is_collected()
    {
        long heap = 1_000_000_000;
        int collected = 0;
        var young = new YoungHeap(() => heap, () => collected, () => collected++);
        young.Look();
        heap += 249_999_999;
        young.Look();
        Assert.That(collected, Is.Zero);
        heap++;
        young.Look();
        Assert.That(collected, Is.EqualTo(1));
    }

    [Test]
    public void It_is_not_given_back_all_the_time()
    {
        int collected = 0;
        var heap = new HeapTrimmer(() => collected++);
        for (int ms = 1; ms < 30_000; ms += 100)
        {
            heap.Look(ms / 2000 % 2 == 0 ? 100_000_000 : 0, ms);
        }

        Assert.That(collected, Is.InRange(2, 3));
    }

    private long Used => _held.Sum(static each => each.Holding.Bytes);

    private (ClientAddress Address, FakeHolding Holding) Hold(ulong key, long bytes, bool isIdle = false)
    {
        var address = _held.Select(static each => each.Address).FirstOrDefault(each => each.Key == key) ?? new ClientAddress(key);
        var held = (address, new FakeHolding { Bytes = bytes, IsIdle = isIdle });
        _held.Add(held);
        return held;
    }

    private void Look()
    {
        _now += RuntimeLimits.ClockTickMs;
        _shedder.Uses.Fill(ResourceUse.Unbounded);
        _shedder.Uses[(int)Resource.Memory] = ResourceUse.OfVolume(Used, Bound);
        _shedder.Look(_now);
    }

    private void LookAtPlaces(long used)
    {
        _now += OverloadLimits.ShedSurveyMs;
        _shedder.Uses.Fill(ResourceUse.Unbounded);
        _shedder.Uses[(int)Resource.Connections] = new ResourceUse(used, 90, 95, 80, 0);
        _shedder.Look(_now);
    }

    private void Survey(HoldingSurvey survey)
    {
        foreach (var (address, holding) in _held)
        {
            survey.Add(address, new ClientHolding(holding, holding.Bytes, 1, 0, holding.IsIdle));
        }
    }

    private sealed class FakeHolding : ISheddable
    {
        public long Bytes { get; set; }

        public bool IsIdle { get; init; }

        public bool IsEnding { get; set; }

        public int ClosedIdle { get; private set; }

        public int Shed { get; private set; }

        public void CloseIfIdle() => ClosedIdle++;

        void ISheddable.Shed() => Shed++;
    }
}
