using System.Text;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>Long bodies that go from kernel to kernel, whole, cut, broken and unwanted.</summary>
[EventLoops]
internal sealed class BodySpliceTests
{
    /// <summary>As long as its sender is fast, whatever its receiver is.</summary>
    [Test]
    [Platform("Linux")]
    public async Task A_long_body_goes_through_the_kernel_alone(
        [Values(BodyKind.Length, BodyKind.UntilClose)] BodyKind kind,
        [Values] bool slowSink
    )
    {
        const int Length = 6_000_000;
        string body = PumpScene.Pattern(Length);
        await using var scene = await PumpScene.OpenAsync(slowSink: slowSink);
        var sending = Task.Run(async () =>
        {
            await scene.Writer.SendAsync(body);
            scene.Writer.EndSending();
        });
        var pumped = scene.PumpAsync(new BodyFraming(kind, kind == BodyKind.Length ? Length : 0), chunkedOut: false);
        Assert.That(await scene.Reader.ReadTextAsync(Length), Is.EqualTo(body));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
        Assert.That(scene.Pump.SplicedBytes, Is.GreaterThan(Length / 2));
        Assert.That(scene.Sink.SentTotal, Is.EqualTo(Length));
        await sending;
    }

    [Test]
    [Platform("Linux")]
    public async Task A_long_body_that_is_cut_arrives_up_to_there()
    {
        const int Sent = 3_000_001;
        await using var scene = await PumpScene.OpenAsync();
        var sending = Task.Run(async () =>
        {
            await scene.Writer.SendAsync(PumpScene.Pattern(Sent));
            scene.Writer.EndSending();
        });
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Length, 2 * Sent), chunkedOut: false);
        Assert.That(await scene.Reader.ReadTextAsync(Sent), Is.EqualTo(PumpScene.Pattern(Sent)));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.SourceCut));
        Assert.That(scene.Pump.SplicedBytes, Is.GreaterThan(0));
        await sending;
    }

    /// <summary>Short ones among them, frames that the pipe cuts, and what follows the body.</summary>
    [Test]
    [Platform("Linux")]
    public async Task Long_chunks_go_through_the_kernel_however_they_are_cut([Range(1, 18)] int seed)
    {
        var random = new Random(seed);
        bool chunkedOut = seed % 6 > 0;
        string body = PumpScene.Pattern(random.Next(600_000, 1_500_000));
        int shortest = seed % 3 == 0 ? 1 : ForwardingLimits.SpliceChunkBytesMin;
        string coded = PumpScene.Encode(body, random, seed % 2 == 0 ? 400_000 : 140_000, shortest) + "0;x\r\nX-Sum: 1\r\n\r\n";
        await using var scene = await PumpScene.OpenAsync(slowSink: seed % 4 == 0);
        await scene.WriteHeadAsync(waiting: false);
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Chunked, 0), chunkedOut);
        var sending =
            seed % 5 == 0
                ? PumpScene.SendInPiecesAsync(scene.Writer, coded + "next", random, 200_000)
                : scene.Writer.SendAsync(coded + "next");
        if (chunkedOut)
        {
            var message = await scene.ReadAsync();
            Assert.That(message.Text, Is.EqualTo(body));
            Assert.That(message.Trailers, Is.EqualTo(new[] { ("X-Sum", "1") }));
        }
        else
        {
            Assert.That((await scene.Reader.ReadTextAsync(PumpScene.Head.Length + body.Length))[PumpScene.Head.Length..], Is.EqualTo(body));
        }

        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
        await sending;
        Assert.That(scene.Pump.SplicedBytes, Is.GreaterThan(seed % 5 == 0 || shortest == 1 ? 0 : body.Length / 2));
        Assert.That(scene.Pump.BodyBytes, Is.EqualTo(body.Length));
        await scene.ReceivesAsync("next");
    }

    [Test]
    [Platform("Linux")]
    public async Task A_long_body_until_close_goes_through_the_kernel_into_chunks([Values] bool slowSink)
    {
        string body = PumpScene.Pattern(1_000_000);
        await using var scene = await PumpScene.OpenAsync(slowSink: slowSink);
        await scene.WriteHeadAsync(waiting: false);
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.UntilClose, 0), chunkedOut: true);
        var sending = Task.Run(async () =>
        {
            await scene.Writer.SendAsync(body);
            scene.Writer.EndSending();
        });
        Assert.That((await scene.ReadAsync()).Text, Is.EqualTo(body));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
        Assert.That(scene.Pump.SplicedBytes, Is.GreaterThan(body.Length / 2));
        await sending;
    }

    /// <summary>Somebody may act on whole chunks, and answer before more comes.</summary>
    [TestCase(BodyKind.Chunked, 16_000)]
    [TestCase(BodyKind.Chunked, 40_000)]
    [TestCase(BodyKind.Chunked, 65_536)]
    [TestCase(BodyKind.UntilClose, 40_000)]
    [Platform("Linux")]
    public async Task Chunks_are_whole_when_their_source_pauses(BodyKind kind, int size)
    {
        const int Pieces = 12;
        await using var scene = await PumpScene.OpenAsync();
        await scene.WriteHeadAsync(waiting: false);
        var pumped = scene.PumpAsync(new BodyFraming(kind, 0), chunkedOut: true);
        string piece = PumpScene.Pattern(size);
        string sent = kind == BodyKind.Chunked ? $"{size:x}\r\n{piece}\r\n" : piece;
        for (int i = 1; i <= 2; i++)
        {
            var sending = scene.Writer.SendAsync(string.Concat(Enumerable.Repeat(sent, Pieces)));
            string expected = string.Concat(Enumerable.Repeat(piece, i * Pieces));
            while (WholeChunks(scene.Reader.Pending) != expected)
            {
                await scene.Reader.ReceiveAsync();
            }

            await sending;
        }

        Assert.That(pumped.IsCompleted, Is.False);
        scene.Source.Abort(reset: true);
        await pumped;

        // Null in the middle of one.
        static string? WholeChunks(string message)
        {
            try
            {
                return StrictHttp.TryRead(Encoding.Latin1.GetBytes(message + "0\r\n\r\n"), ended: true, toHead: false, out _)?.Text;
            }
            catch (FormatException)
            {
                return null;
            }
        }
    }

    /// <summary>What came before is sent on in whole chunks, and no end follows.</summary>
    [TestCase("", PumpOutcome.SourceCut)]
    [TestCase("\r\n40", PumpOutcome.SourceCut)]
    [TestCase("\r\nFFFFF\r\nabc", PumpOutcome.SourceCut)]
    [TestCase("\rX", PumpOutcome.SourceBroken)]
    [TestCase("\r\n-4\r\n", PumpOutcome.SourceBroken)]
    [Platform("Linux")]
    public async Task Long_chunks_that_are_cut_or_broken_are_never_completed(string rest, PumpOutcome expected)
    {
        const int Piece = 70_000;
        const int Pieces = 40;
        await using var scene = await PumpScene.OpenAsync();
        await scene.WriteHeadAsync(waiting: false);
        string coded = string.Join("\r\n", Enumerable.Repeat($"{Piece:x}\r\n{PumpScene.Pattern(Piece)}", Pieces)) + rest;
        var sending = Task.Run(async () =>
        {
            await scene.Writer.SendAsync(coded);
            scene.Writer.EndSending();
        });
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Chunked, 0), chunkedOut: true);
        var reading = scene.Reader.ReadToEndAsync();
        Assert.That(await pumped, Is.EqualTo(expected));
        await sending;
        scene.Sink.ShutdownBoth();
        string received = await reading;
        Assert.That(scene.Pump.SplicedBytes, Is.GreaterThan(0));
        Assert.That(received, Does.Not.EndWith("0\r\n\r\n"));
        string completed = received + (received.EndsWith("\r\n", StringComparison.Ordinal) ? "" : "\r\n") + "0\r\n\r\n";
        var message = StrictHttp.TryRead(Encoding.Latin1.GetBytes(completed), ended: true, toHead: false, out _)!;
        Assert.That(
            message.Text,
            Is.EqualTo(
                string.Concat(Enumerable.Repeat(PumpScene.Pattern(Piece), Pieces))
                    + (rest.EndsWith("abc", StringComparison.Ordinal) ? "abc" : "")
            )
        );
    }

    /// <summary>
    /// Of what nobody wants the rest is still read to its end, so that what follows is found; and a pipe that still holds bytes is not used
    /// again, and not lost.
    /// </summary>
    [Test]
    [Platform("Linux")]
    public async Task A_sink_that_goes_away_from_a_long_body_leaves_nothing_behind(
        [Values(BodyKind.Length, BodyKind.Chunked)] BodyKind kind,
        [Values] bool discard
    )
    {
        const int Length = 8_000_000;
        bool chunked = kind == BodyKind.Chunked;
        int open = SplicePipe.OpenCount;
        await using var scene = await PumpScene.OpenAsync(slowSink: true);
        string body = PumpScene.Pattern(Length);
        string coded = chunked ? PumpScene.Encode(body, new Random(1), 100_000, ForwardingLimits.SpliceChunkBytesMin) + "0\r\n\r\n" : body;
        var sending = scene.Writer.SendAsync(coded + "next");
        var pumped = scene.PumpAsync(new BodyFraming(kind, chunked ? 0 : Length), chunked);
        await scene.Reader.ReadTextAsync(1_000_000);
        Assert.That(scene.Pump.SplicedBytes, Is.GreaterThan(0));
        if (discard)
        {
            scene.Pump.Discard();
        }

        scene.Reader.Reset();
        Assert.That(await pumped, Is.EqualTo(discard ? PumpOutcome.Complete : PumpOutcome.SinkFailed));
        Assert.That(SplicePipe.OpenCount, Is.LessThanOrEqualTo(open + TransportLimits.SplicePipesIdleMax));
        if (discard)
        {
            await sending;
            await scene.ReceivesAsync("next");
        }

        scene.Source.Abort(reset: true);
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // Nothing of the body before is in the pipe.
        await (
            chunked
                ? Long_chunks_go_through_the_kernel_however_they_are_cut(1)
                : A_long_body_goes_through_the_kernel_alone(kind, slowSink: false)
        );
    }

    /// <summary>
    /// Wherever the sink went away, in the data of a chunk or in front of it, what follows the body is found, and nothing within it is
    /// taken for more than data.
    /// </summary>
    [Test]
    [Platform("Linux")]
    public async Task The_rest_of_long_chunks_is_read_in_step_wherever_their_sink_goes_away([Range(0, 39)] int trial)
    {
        int size = ForwardingLimits.SpliceChunkBytesMin + (trial * 20);
        const string Frames = "\r\n1\r\nX\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n";
        string data = string.Concat(Enumerable.Repeat(Frames, (size / Frames.Length) + 1))[..size];
        await using var scene = await PumpScene.OpenAsync(slowSink: true);
        var sending = scene.Writer.SendAsync(string.Concat(Enumerable.Repeat($"{size:x}\r\n{data}\r\n", 60)) + "0\r\n\r\nnext");
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Chunked, 0), chunkedOut: true);
        await scene.Reader.ReadTextAsync(300_000 + (trial * 7919));
        Assert.That(scene.Pump.SplicedBytes, Is.GreaterThan(0));
        scene.Pump.Discard();
        scene.Sink.ShutdownBoth();
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
        await sending;
        await scene.ReceivesAsync("next");
        Assert.That(scene.Pump.BodyBytes, Is.EqualTo(60L * size));
    }

    /// <summary>Short chunks, and what comes in small pieces, cost fewer calls when they are copied.</summary>
    [TestCase(BodyKind.Chunked, ForwardingLimits.SpliceChunkBytesMin - 1)]
    [TestCase(BodyKind.Length, 1000)]
    public async Task What_comes_in_pieces_is_copied(BodyKind kind, int piece)
    {
        const int Pieces = 20;
        await using var scene = await PumpScene.OpenAsync();
        var pumped = scene.PumpAsync(new BodyFraming(kind, kind == BodyKind.Length ? Pieces * piece : 0), chunkedOut: false);
        for (int i = 0; i < Pieces; i++)
        {
            var sending = scene.Writer.SendAsync(
                kind == BodyKind.Chunked ? $"{piece:x}\r\n{PumpScene.Pattern(piece)}\r\n" : PumpScene.Pattern(piece)
            );
            Assert.That(await scene.Reader.ReadTextAsync(piece), Is.EqualTo(PumpScene.Pattern(piece)));
            await sending;
        }

        await scene.Writer.SendAsync(kind == BodyKind.Chunked ? "0\r\n\r\n" : "");
        Assert.That((await pumped, scene.Pump.SplicedBytes), Is.EqualTo((PumpOutcome.Complete, 0L)));
    }
}
