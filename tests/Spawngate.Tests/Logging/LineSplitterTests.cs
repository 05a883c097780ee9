using System.Text;
using Spawngate.Logging;

namespace Spawngate.Tests;

internal sealed class LineSplitterTests
{
    private static readonly string Mark = $" [cut at {LoggingLimits.OutputLineBytes} bytes]";

    [Test]
    public void Lines_do_not_depend_on_where_the_stream_was_split()
    {
        byte[] input = Encoding.UTF8.GetBytes("one\ntwo\r\n\n\r\nthr\ree\twith tab\nümläut 漢字 🙂\n\u001b[31mred\u0007\n\u0085next\nlast");
        string[] expected = ["one", "two", "", "", "thr\\x0Dee\twith tab", "ümläut 漢字 🙂", "\\x1B[31mred\\x07", "\\x85next", "last"];

        for (int first = 0; first <= input.Length; first++)
        {
            for (int second = first; second <= input.Length; second++)
            {
                Assert.That(
                    Split(input[..first], input[first..second], input[second..]),
                    Is.EqualTo(expected),
                    $"split at {first} and {second}"
                );
            }
        }
    }

    [Test]
    public void Invalid_UTF8_is_replaced()
    {
        byte[] input = [(byte)'a', 0xFF, (byte)'b', 0xE2, 0x82, (byte)'\n', 0xC3, (byte)'\n', 0xF0, 0x9F, 0x99, 0x82, (byte)'\n'];
        for (int at = 0; at <= input.Length; at++)
        {
            Assert.That(Split(input[..at], input[at..]), Is.EqualTo(["a\uFFFDb\uFFFD", "\uFFFD", "🙂"]), $"split at {at}");
        }
    }

    [TestCase(-1, "\n", false)]
    [TestCase(0, "\n", false)]
    [TestCase(0, "\r\n", false)]
    [TestCase(1, "\n", true)]
    [TestCase(1, "\r\n", true)]
    [TestCase(70_000, "\n", true)]
    public void Long_lines_are_cut_with_a_mark(int over, string end, bool cut)
    {
        byte[] input = Encoding.UTF8.GetBytes(new string('x', LoggingLimits.OutputLineBytes + over) + end + "next\n");
        string line = cut ? new string('x', LoggingLimits.OutputLineBytes) + Mark : new string('x', LoggingLimits.OutputLineBytes + over);
        foreach (int at in SplitPoints(input.Length))
        {
            Assert.That(Split(input[..at], input[at..]), Is.EqualTo([line, "next"]), $"split at {at}");
        }

        Assert.That(Split([.. input.Chunk(1000)]), Is.EqualTo([line, "next"]));
        Assert.That(Split([.. input.Chunk(1)]), Is.EqualTo([line, "next"]));

        static IEnumerable<int> SplitPoints(int length) =>
            Enumerable
                .Range(0, 40)
                .Concat(Enumerable.Range(LoggingLimits.OutputLineBytes - 20, 40))
                .Concat(Enumerable.Range(length - 20, 21))
                .Where(at => at <= length);
    }

    [Test]
    public void A_cut_does_not_halve_a_character()
    {
        byte[] input = Encoding.UTF8.GetBytes(new string('x', LoggingLimits.OutputLineBytes - 1) + "🙂 and more\n");
        Assert.That(Split(input), Is.EqualTo([new string('x', LoggingLimits.OutputLineBytes - 1) + Mark]));
    }

    [Test]
    public void An_endless_line_is_handed_on_when_it_is_full_and_then_skipped()
    {
        var collector = new LineCollector();
        var splitter = new LineSplitter(collector);
        byte[] chunk = new byte[60_000];
        chunk.AsSpan().Fill((byte)'y');
        for (int i = 0; i < 100; i++)
        {
            splitter.Feed(chunk);
        }

        Assert.That(collector.Lines, Is.EqualTo([new string('y', LoggingLimits.OutputLineBytes) + Mark]));
        splitter.Feed("\nafter\n"u8.ToArray());
        Assert.That(collector.Lines, Has.Length.EqualTo(2));
        Assert.That(collector.Lines[1], Is.EqualTo("after"));
    }

    [Test]
    public void A_line_of_nothing_but_control_characters_stays_within_its_bound()
    {
        byte[] input = new byte[LoggingLimits.OutputLineBytes + 5];
        input[^1] = (byte)'\n';
        string line = Split(input).Single();
        Assert.That(line, Has.Length.EqualTo((4 * LoggingLimits.OutputLineBytes) + Mark.Length));
        Assert.That(line, Does.StartWith("\\x00\\x00"));
    }

    private static string[] Split(params byte[][] chunks)
    {
        var collector = new LineCollector();
        var splitter = new LineSplitter(collector);
        foreach (byte[] chunk in chunks)
        {
            splitter.Feed(chunk);
        }

        splitter.Complete();
        return collector.Lines;
    }
}
