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
        string[] expected = ["one", "two", "", "", "thr", "ee\twith tab", "ümläut 漢字 🙂", "red\\x07", "\\x85next", "last"];

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
    public void Progress_that_overwrites_itself_is_a_line_each_time()
    {
        byte[] input = Encoding.UTF8.GetBytes("\r10 %\r20 %\r\r\u001b[2K30 %\r\n\u001b[1A\u001b[2K\rdone\r\u001b[K\r\n\r\n\rend\r");
        string[] expected = ["10 %", "20 %", "30 %", "done", "", "", "end"];
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

    [TestCase("\u001b[1;38;5;208mwarm\u001b[0m", "warm", TestName = "colour")]
    [TestCase("\u001b[2J\u001b[H\u001b[?25lup", "up", TestName = "cursor")]
    [TestCase("\u001b]0;title\u0007text", "text", TestName = "title")]
    [TestCase("\u001b]8;;http://a/\u001b\\link\u001b]8;;\u001b\\", "link", TestName = "link")]
    [TestCase("\u001bP1$r\u001b\\a\u001b(Bb\u001b7c\u001bMd", "abcd", TestName = "others")]
    [TestCase("\u001b[31", "\\x1B[31", TestName = "a sequence without an end shows")]
    [TestCase("\u001b]0;title", "\\x1B]0;title", TestName = "a title without an end shows")]
    [TestCase("\u001b[3\u0001m", "\\x1B[3\\x01m", TestName = "what is no sequence shows")]
    [TestCase("a\u001b", "a\\x1B", TestName = "an escape alone shows")]
    public void Escape_sequences_are_left_out(string text, string expected) =>
        Assert.That(Split(Encoding.UTF8.GetBytes(text + "\n")), Is.EqualTo([expected]));

    [Test]
    public void A_part_of_a_line_is_handed_on_and_its_end_alone_is_nothing()
    {
        var collector = new LineCollector();
        var splitter = new LineSplitter(collector);
        splitter.Feed("one\n..."u8.ToArray());
        Assert.That(splitter.HasPartial);
        long ended = splitter.Ended;
        splitter.FlushPartial();
        Assert.That(splitter.HasPartial, Is.False);
        splitter.Feed(".."u8.ToArray());
        splitter.FlushPartial();
        Assert.That(splitter.Ended, Is.EqualTo(ended), "it is the same line still");
        splitter.Feed("\n\nnext"u8.ToArray());
        splitter.FlushPartial();
        splitter.Feed("\r\n"u8.ToArray());
        splitter.Feed("last"u8.ToArray());
        splitter.Complete();
        Assert.That(collector.Lines, Is.EqualTo(["one", "...", "..", "", "next", "last"]));
    }

    [TestCase("ready 🙂", 9)]
    [TestCase("a\u001b[31mred", 5)]
    [TestCase("a\u001b]8;;http://a/\u001b\\link", 13)]
    public void A_part_of_a_line_tears_nothing(string text, int at)
    {
        byte[] input = Encoding.UTF8.GetBytes(text);
        var collector = new LineCollector();
        var splitter = new LineSplitter(collector);
        splitter.Feed(input[..at]);
        splitter.FlushPartial();
        Assert.That(splitter.HasPartial, Is.False, "what is torn waits for its rest, and is not asked for again and again");
        splitter.Feed(input[at..]);
        Assert.That(splitter.HasPartial);
        splitter.Feed("\n"u8.ToArray());
        Assert.That(string.Concat(collector.Lines), Is.EqualTo(Split([.. input, (byte)'\n']).Single()));
        Assert.That(collector.Lines, Has.Length.EqualTo(2));
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
