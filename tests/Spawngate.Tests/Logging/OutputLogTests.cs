using System.Text;
using Spawngate.Logging;

namespace Spawngate.Tests;

internal sealed class OutputLogTests
{
    [Test]
    public void Keeps_the_last_thousand_lines_of_each_backend()
    {
        var log = new OutputLog(TimeProvider.System);
        for (int i = 0; i < 2500; i++)
        {
            log.OnLine("a", i % 2 == 0 ? OutputStream.Stdout : OutputStream.Stderr, Encoding.UTF8.GetBytes($"line {i}"));
        }

        log.OnLine("b", OutputStream.Stdout, "only"u8.ToArray());
        IReadOnlyList<OutputLine> lines = log.Snapshot("a");
        Assert.That(lines, Has.Count.EqualTo(LoggingLimits.OutputLogLines));
        Assert.That(lines[0].Text, Is.EqualTo("line 1500"));
        Assert.That(lines[0].Stream, Is.EqualTo(OutputStream.Stdout));
        Assert.That(lines[^1].Text, Is.EqualTo("line 2499"));
        Assert.That(lines[^1].Stream, Is.EqualTo(OutputStream.Stderr));
        Assert.That(log.Snapshot("b").Select(static line => line.Text), Is.EqualTo(["only"]));
        Assert.That(log.Snapshot("c"), Is.Empty);
    }

    [Test]
    public void Long_lines_are_bounded_by_bytes()
    {
        var log = new OutputLog(TimeProvider.System);
        for (int i = 0; i < 100; i++)
        {
            byte[] line = new byte[10_000];
            line.AsSpan().Fill((byte)('0' + (i % 10)));
            log.OnLine("a", OutputStream.Stdout, line);
        }

        IReadOnlyList<OutputLine> lines = log.Snapshot("a");
        Assert.That(lines, Has.Count.EqualTo(LoggingLimits.OutputLogBytes / 10_000));
        Assert.That(lines[^1].Text[0], Is.EqualTo('9'));
    }

    [Test]
    public void Ring_holds_what_a_simple_list_would_hold()
    {
        var random = new Random(7);
        var ring = new LineRing(50, 2000);
        var model = new List<string>();
        for (int i = 0; i < 5000; i++)
        {
            string line = $"{i}:{new string('x', random.Next(0, random.Next(1, 2500)))}";
            line = line[..Math.Min(line.Length, 2000)];
            ring.Append(default, OutputStream.Stdout, Encoding.UTF8.GetBytes(line));
            model.Add(line);
            while (model.Count > 50 || model.Sum(static text => text.Length) > 2000)
            {
                model.RemoveAt(0);
            }

            if (random.Next(100) == 0)
            {
                int bytes = random.Next(2000);
                ring.Trim(bytes);
                while (model.Sum(static text => text.Length + 12) > bytes)
                {
                    model.RemoveAt(0);
                }
            }

            Assert.That(ring.ToArray().Select(static entry => entry.Text), Is.EqualTo(model));
            Assert.That(model.Count == 0 || ring.Last().Text == model[^1]);
            Assert.That(ring.Bytes, Is.LessThanOrEqualTo(2000 + (50 * 12)));
        }
    }

    [Test]
    public async Task A_follower_gets_the_past_and_then_everything_without_a_gap()
    {
        var log = new OutputLog(TimeProvider.System);
        log.OnLine("a", OutputStream.Stdout, "0"u8.ToArray());
        using OutputFollower follower = log.Follow("a")!;
        log.OnLine("a", OutputStream.Stdout, "1"u8.ToArray());
        log.OnLine("b", OutputStream.Stdout, "other"u8.ToArray());
        log.OnLine("a", OutputStream.Stderr, "2"u8.ToArray());
        Assert.That(follower.Past.Select(static line => line.Text), Is.EqualTo(["0"]));
        Assert.That((await follower.Lines.ReadAsync()).Text, Is.EqualTo("1"));
        Assert.That((await follower.Lines.ReadAsync()).Text, Is.EqualTo("2"));
        log.Remove("a");
        Assert.That(await follower.Lines.WaitToReadAsync(), Is.False);
        Assert.That(log.Snapshot("a"), Is.Empty);
    }

    [Test]
    public void A_slow_follower_misses_lines_and_is_told_how_many()
    {
        var log = new OutputLog(TimeProvider.System);
        using OutputFollower follower = log.Follow("a")!;
        for (int i = 0; i < LoggingLimits.OutputFollowLines + 7; i++)
        {
            log.OnLine("a", OutputStream.Stdout, "x"u8.ToArray());
        }

        Assert.That(follower.Dropped, Is.EqualTo(7));
    }

    [Test]
    public void Followers_are_bounded_and_leave_again()
    {
        var log = new OutputLog(TimeProvider.System);
        List<OutputFollower> followers = [.. Enumerable.Range(0, LoggingLimits.OutputFollowers).Select(_ => log.Follow("a")!)];
        Assert.That(log.Follow("a"), Is.Null);
        followers[3].Dispose();
        using OutputFollower? another = log.Follow("a");
        Assert.That(another, Is.Not.Null);
        followers.ForEach(static follower => follower.Dispose());
    }
}
