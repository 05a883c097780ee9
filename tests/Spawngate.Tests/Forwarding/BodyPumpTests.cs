using System.Globalization;
using System.Text;
using Spawngate.Forwarding;
using Spawngate.Logging;
using Spawngate.Protocols.Http1;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>Bodies through a pump over loopback sockets; what comes out is decoded by a reader of the tests' own and compared.</summary>
internal sealed class BodyPumpTests
{
    [TestCase(0)]
    [TestCase(1)]
    [TestCase(100)]
    [TestCase(4000)]
    [TestCase(70_000)]
    [TestCase(1_000_000)]
    public async Task A_length_passes_and_what_follows_it_stays(int length)
    {
        await using var scene = await PumpScene.OpenAsync();
        string body = PumpScene.Pattern(length);
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Length, length), chunkedOut: false);
        var sending = scene.Writer.SendAsync(body + "next");
        Assert.That(await scene.Reader.ReadTextAsync(length), Is.EqualTo(body));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
        await sending;
        await scene.ReceivesAsync("next");
    }

    [Test]
    public async Task Chunks_pass_however_they_are_cut([Range(1, 40)] int seed)
    {
        var random = new Random(seed);
        await using var scene = await PumpScene.OpenAsync(slow: seed % 4 == 0);
        string body = PumpScene.Pattern(random.Next(seed % 3 == 0 ? 200_000 : 3_000));
        bool trailers = random.Next(2) == 0;
        string coded =
            PumpScene.Encode(body, random, seed % 5 == 0 ? 3 : 9000) + (trailers ? "0;x\r\nX-Sum: 1\r\nHost: evil\r\n\r\n" : "0\r\n\r\n");
        await scene.WriteHeadAsync(random.Next(2) == 0);
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Chunked, 0), chunkedOut: true);
        var sending = PumpScene.SendInPiecesAsync(scene.Writer, coded + "GET / next", random);
        var message = await scene.ReadAsync();
        Assert.That(message.Text, Is.EqualTo(body));
        Assert.That(message.Trailers, Is.EqualTo(trailers ? [("X-Sum", "1")] : Array.Empty<(string, string)>()));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
        await sending;
    }

    [Test]
    public async Task Many_tiny_chunks_are_joined()
    {
        await using var scene = await PumpScene.OpenAsync();
        string body = PumpScene.Pattern(20_000);
        await scene.WriteHeadAsync(true);
        var sending = scene.Writer.SendAsync(string.Concat(body.Select(c => $"1\r\n{c}\r\n")) + "0\r\n\r\n");
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Chunked, 0), chunkedOut: true);
        var message = await scene.ReadAsync();
        await sending;
        Assert.That((message.Text, await pumped), Is.EqualTo((body, PumpOutcome.Complete)));
        Assert.That(message.Chunks, Has.Count.LessThan(1000));
    }

    [TestCase("800,400,1000;x=y,00000005,C,4000,3FF", new[] { 0x800, 0x400, 0x1000, 5, 0xC, 0x4000, 0x3FF })]
    [TestCase("5,00003FF;a=b,3,400,1", new[] { 5 + 0x3FF + 3, 0x400, 1 })]
    [TestCase("400", new[] { 0x400 })]
    [TestCase("3FF,3FF,3FF", new[] { 3 * 0x3FF })]
    public async Task Long_chunks_stay_chunks_and_short_ones_are_joined_to_the_first(string sizes, int[] expected)
    {
        await using var scene = await PumpScene.OpenAsync();
        string body = PumpScene.Pattern(expected.Sum());
        var coded = new StringBuilder();
        int at = 0;
        foreach (string line in sizes.Split(','))
        {
            int size = int.Parse(line.Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            coded.Append(line).Append("\r\n").Append(body, at, size).Append("\r\n");
            at += size;
        }

        // All of it is there before the pump looks.
        await scene.WriteHeadAsync(waiting: false);
        await scene.Writer.SendAsync(coded + "0\r\n\r\n");
        scene.Source.EnsureRoom(coded.Length + 5);
        while (scene.Source.ReceivedLength < coded.Length + 5)
        {
            await scene.Source.ReceiveAsync();
        }

        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Chunked, 0), chunkedOut: true);
        var message = await scene.ReadAsync();
        Assert.That((message.Text, await pumped), Is.EqualTo((body, PumpOutcome.Complete)));
        Assert.That(message.Chunks, Is.EqualTo(expected));
    }

    [Test]
    public async Task Byte_by_byte_is_passed_on_as_it_comes()
    {
        await using var scene = await PumpScene.OpenAsync();
        await scene.WriteHeadAsync(true);
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Chunked, 0), chunkedOut: true);
        Assert.That(
            await scene.Reader.ReadTextAsync(PumpScene.Head.Length),
            Is.EqualTo(PumpScene.Head),
            "the head does not wait for a body"
        );
        string received = "";
        foreach (char c in "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\nA: b\r\n\r\n")
        {
            await scene.Writer.SendAsync(c.ToString());
        }

        while (!received.EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            received += await scene.Reader.ReadTextAsync(1);
        }

        var message = StrictHttp.TryRead(Encoding.Latin1.GetBytes(PumpScene.Head + received), ended: true, toHead: false, out _)!;
        Assert.That((message.Text, message.Trailers), Is.EqualTo(("abc0123456789", new[] { ("A", "b") })));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
    }

    [TestCase(0)]
    [TestCase(5)]
    [TestCase(300_000)]
    public async Task Until_close_becomes_chunks(int length)
    {
        await using var scene = await PumpScene.OpenAsync();
        await scene.WriteHeadAsync(true);
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.UntilClose, 0), chunkedOut: true);
        var sending = Task.Run(async () =>
        {
            await scene.Writer.SendAsync(PumpScene.Pattern(length));
            scene.Writer.EndSending();
        });
        Assert.That((await scene.ReadAsync()).Text, Is.EqualTo(PumpScene.Pattern(length)));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
        await sending;
    }

    [TestCase(0, TransportLimits.SmallBufferBytes)]
    [TestCase(100_000, TransportLimits.LargeBufferBytes)]
    public async Task Only_bytes_that_are_there_get_a_large_buffer(int sent, int expected)
    {
        await using var scene = await PumpScene.OpenAsync();
        await scene.Writer.SendAsync(PumpScene.Pattern(sent));
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Length, 1_000_000), chunkedOut: false);

        Assert.That(await scene.Reader.ReadTextAsync(sent), Is.EqualTo(PumpScene.Pattern(sent)));
        Assert.That(scene.Source.ReceiveBufferBytes, Is.EqualTo(expected));
        Assert.That(pumped.IsCompleted, Is.False, "it goes on");
    }

    /// <summary>
    /// Each message is there before the next is sent, so none may wait for another; and who goes back to short ones does not hold a large
    /// buffer.
    /// </summary>
    [Test]
    public async Task Messages_of_any_length_go_on_at_once_and_leave_a_small_buffer()
    {
        const int Room = TransportLimits.SmallBufferBytes - (2 * TransportLimits.BufferReserveBytes);
        await using var scene = await PumpScene.OpenAsync();
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.UntilClose, 0), chunkedOut: false);
        int[] lengths =
        [
            1,
            100,
            Room - 1,
            Room,
            Room + 1,
            2 * Room,
            3,
            TransportLimits.LargeBufferBytes,
            300_000,
            1,
            Room,
            .. Enumerable.Repeat(60, ForwardingLimits.LittleReceivesInARow),
            125,
        ];
        bool wasLarge = false;
        foreach (int length in lengths)
        {
            await scene.Writer.SendAsync(PumpScene.Pattern(length));
            Assert.That(await scene.Reader.ReadTextAsync(length), Is.EqualTo(PumpScene.Pattern(length)), $"{length} bytes");
            wasLarge |= scene.Source.ReceiveBufferBytes == TransportLimits.LargeBufferBytes;
        }

        Assert.That((wasLarge, scene.Source.ReceiveBufferBytes), Is.EqualTo((true, TransportLimits.SmallBufferBytes)));
        Assert.That(scene.Pump.BodyBytes, Is.EqualTo(lengths.Sum()));
        scene.Writer.EndSending();
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
    }

    [Test]
    public async Task Chunks_become_plain_bytes_for_a_sink_without_chunks()
    {
        await using var scene = await PumpScene.OpenAsync();
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Chunked, 0), chunkedOut: false);
        await scene.Writer.SendAsync("3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n");
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
        Assert.That(await scene.Reader.ReadTextAsync(5), Is.EqualTo("abcde"));
        Assert.That(scene.Reader.Pending, Is.Empty);
    }

    [TestCase(BodyKind.Length, "hello", PumpOutcome.SourceCut)]
    [TestCase(BodyKind.Chunked, "5\r\nhello\r\n0\r\n", PumpOutcome.SourceCut)]
    [TestCase(BodyKind.Chunked, "5\r\nhelloX", PumpOutcome.SourceBroken)]
    [TestCase(BodyKind.Chunked, "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n", PumpOutcome.SourceBroken)]
    public async Task A_body_that_is_cut_or_broken_is_never_completed(BodyKind kind, string sent, PumpOutcome expected)
    {
        await using var scene = await PumpScene.OpenAsync();
        var pumped = scene.PumpAsync(new BodyFraming(kind, kind == BodyKind.Length ? 10 : 0), chunkedOut: kind == BodyKind.Chunked);
        await scene.Writer.SendAsync(sent);
        scene.Writer.EndSending();
        Assert.That(await pumped, Is.EqualTo(expected));
        scene.Sink.ShutdownSend();
        Assert.That(await scene.Reader.ReadToEndAsync(), Does.Contain("hello").And.Not.Contain("0\r\n\r\n"));
    }

    [Test]
    public async Task A_sink_that_went_away_ends_it_unless_the_rest_is_to_be_thrown_away()
    {
        await using var scene = await PumpScene.OpenAsync();
        scene.Reader.Reset();
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Length, 10_000_000), chunkedOut: false);
        var sending = scene.Writer.SendAsync(PumpScene.Pattern(500_000));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.SinkFailed));
        scene.Source.Abort(reset: true);
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        await using var other = await PumpScene.OpenAsync();
        other.Reader.Reset();
        pumped = other.PumpAsync(new BodyFraming(BodyKind.Length, 500_000), chunkedOut: false, discard: true);
        await other.Writer.SendAsync(PumpScene.Pattern(500_000));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
    }

    /// <summary>Its first part filled the buffer; the rest waits to be received.</summary>
    [TestCase(10_240, 1)]
    [TestCase(24_000, 2)]
    [EventLoops]
    public async Task A_body_of_middling_length_goes_out_with_its_head_in_one_piece(int length, int sends)
    {
        await using var scene = await PumpScene.OpenAsync();
        string body = PumpScene.Pattern(length);
        await scene.Writer.SendAsync(body);
        Assert.That(SpinWait.SpinUntil(() => scene.SourceAvailable == length, TimeSpan.FromSeconds(10)));
        await scene.Source.ReceiveAsync();
        await scene.WriteHeadAsync(true);
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Length, body.Length), chunkedOut: false);
        Assert.That(await scene.Reader.ReadTextAsync(PumpScene.Head.Length + body.Length), Is.EqualTo(PumpScene.Head + body));
        Assert.That((await pumped, scene.Sends), Is.EqualTo((PumpOutcome.Complete, sends)));
    }

    [TestCase("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", true, "4\r\nabcd\r\n0\r\n\r\n")]
    [TestCase("0\r\n\r\n", true, "0\r\n\r\n")]
    [TestCase("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", false, "abcd")]
    [TestCase("3\r\nabc\r\n0\r\nX: y\r\n\r\n", true, null)]
    [TestCase("3\r\nabc\r\n", true, null)]
    [TestCase("zz\r\n", true, null)]
    public async Task A_small_body_that_is_all_there_is_copied_behind_the_head(string sent, bool chunkedOut, string? copied)
    {
        await using var scene = await PumpScene.OpenAsync();
        await scene.Writer.SendAsync(sent + "rest");
        while (scene.Source.ReceivedLength < sent.Length + 4)
        {
            await scene.Source.ReceiveAsync();
        }

        scene.Pump.Begin(scene.Source, new BodyReader(new BodyFraming(BodyKind.Chunked, 0), 0), scene.Sink, chunkedOut);
        Assert.That(scene.Pump.TryCopyWhole(), Is.EqualTo(copied is not null));
        Assert.That(Encoding.ASCII.GetString(scene.Sink.Outgoing), Is.EqualTo(copied ?? ""));
        Assert.That(Encoding.ASCII.GetString(scene.Source.Received), Is.EqualTo(copied is null ? sent + "rest" : "rest"));
    }
}
