using Spawngate.Logging;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>What is told of something that fails again and again.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class FailureEpisodeTests
{
    private readonly FakeTime _time = new();
    private readonly List<string> _said = [];

    private FailureEpisode Episode() =>
        new(
            _time,
            error => _said.Add($"begins: {error}"),
            (error, failures, _) => _said.Add($"goes on: {error} {failures}"),
            (failures, ms) => _said.Add($"over: {failures} in {ms}")
        );

    [Test]
    public void An_episode_is_told_once_and_then_once_a_minute_and_when_it_is_over()
    {
        var episode = Episode();
        for (int i = 0; i < 1500; i++)
        {
            episode.Add(i < 1000 ? "first" : "second");
            _time.AdvanceMs(100);
        }

        Assert.That(_said, Has.Count.EqualTo(3));
        Assert.That(_said[0], Is.EqualTo("begins: first"));
        Assert.That(_said[1], Does.Match("goes on: first (599|600|601)"));
        Assert.That(_said[2], Does.StartWith("goes on: second "));
        _time.AdvanceMs(10_000);
        Assert.That(_said[3..], Is.EqualTo(["over: 1500 in 149900"]));
        _time.AdvanceMs(1_000_000);
        Assert.That(_said, Has.Count.EqualTo(4), "nothing more is told");
    }

    [Test]
    public void What_fails_and_succeeds_in_turn_is_one_episode()
    {
        var episode = Episode();
        for (int i = 0; i < 10; i++)
        {
            episode.Add("full");
            _time.AdvanceMs(4000);
        }

        Assert.That(_said, Is.EqualTo(["begins: full"]));
    }

    [Test]
    public void Who_fails_to_tell_ends_neither_the_timer_nor_whoever_adds()
    {
        var episode = new FailureEpisode(
            _time,
            error => throw new InvalidOperationException(error),
            (error, _, _) => throw new InvalidOperationException(error),
            (failures, _) =>
            {
                _said.Add($"over: {failures}");
                throw new InvalidOperationException();
            }
        );
        for (int i = 0; i < 70; i++)
        {
            Assert.That(() => episode.Add("a"), Throws.Nothing);
            Assert.That(() => _time.AdvanceMs(1000), Throws.Nothing);
        }

        Assert.That(() => _time.AdvanceMs(10_000), Throws.Nothing);
        Assert.That(_said, Is.EqualTo(["over: 70"]));
    }

    [Test]
    public void After_its_end_another_begins()
    {
        var episode = Episode();
        episode.Add("a");
        _time.AdvanceMs(7000);
        episode.Add("b");
        _time.AdvanceMs(7000);
        Assert.That(_said, Is.EqualTo(["begins: a", "over: 1 in 0", "begins: b", "over: 1 in 0"]));
    }
}
