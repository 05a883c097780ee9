using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Tests.Http;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>Bodies through a pump over loopback sockets; what comes out is decoded by a reader of the tests' own and compared.</summary>
internal sealed class ForwardingBodyPumpTests
{
    private const string Head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(100)]
    [TestCase(4000)]
    [TestCase(70_000)]
    [TestCase(1_000_000)]
    public async Task A_length_passes_and_what_follows_it_stays(int length)
    {
        await using var scene = await Scene.OpenAsync();
        string body = Pattern(length);
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Length, length), chunkedOut: false);
        var sending = scene.Writer.SendAsync(body + "next");
        Assert.That(await scene.Reader.ReadTextAsync(length), Is.EqualTo(body));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
        await sending;
        while (scene.Source.ReceivedLength < 4)
        {
            await scene.Source.ReceiveAsync();
        }

        Assert.That(Encoding.ASCII.GetString(scene.Source.Received), Is.EqualTo("next"));
    }

    [Test]
    public async Task Chunks_pass_however_they_are_cut([Range(1, 40)] int seed)
    {
        var random = new Random(seed);
        await using var scene = await Scene.OpenAsync(slow: seed % 4 == 0);
        string body = Pattern(random.Next(seed % 3 == 0 ? 200_000 : 3_000));
        bool trailers = random.Next(2) == 0;
        string coded = Encode(body, random, seed % 5 == 0 ? 3 : 9000) + (trailers ? "0;x\r\nX-Sum: 1\r\nHost: evil\r\n\r\n" : "0\r\n\r\n");
        await scene.WriteHeadAsync(random.Next(2) == 0);
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Chunked, 0), chunkedOut: true);
        var sending = SendInPiecesAsync(scene.Writer, coded + "GET / next", random);
        var message = await scene.ReadAsync();
        Assert.That(message.Text, Is.EqualTo(body));
        Assert.That(message.Trailers, Is.EqualTo(trailers ? [("X-Sum", "1")] : Array.Empty<(string, string)>()));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
        await sending;
    }

    [Test]
    public async Task Many_tiny_chunks_are_joined()
    {
        await using var scene = await Scene.OpenAsync();
        string body = Pattern(20_000);
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
        await using var scene = await Scene.OpenAsync();
        string body = Pattern(expected.Sum());
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
        await using var scene = await Scene.OpenAsync();
        await scene.WriteHeadAsync(true);
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Chunked, 0), chunkedOut: true);
        Assert.That(await scene.Reader.ReadTextAsync(Head.Length), Is.EqualTo(Head), "the head does not wait for a body");
        string received = "";
        foreach (char c in "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\nA: b\r\n\r\n")
        {
            await scene.Writer.SendAsync(c.ToString());
        }

        while (!received.EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            received += await scene.Reader.ReadTextAsync(1);
        }

        var message = StrictHttp.TryRead(Encoding.Latin1.GetBytes(Head + received), ended: true, toHead: false, out _)!;
        Assert.That((message.Text, message.Trailers), Is.EqualTo(("abc0123456789", new[] { ("A", "b") })));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
    }

    [TestCase(0)]
    [TestCase(5)]
    [TestCase(300_000)]
    public async Task Until_close_becomes_chunks(int length)
    {
        await using var scene = await Scene.OpenAsync();
        await scene.WriteHeadAsync(true);
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.UntilClose, 0), chunkedOut: true);
        var sending = Task.Run(async () =>
        {
            await scene.Writer.SendAsync(Pattern(length));
            scene.Writer.EndSending();
        });
        Assert.That((await scene.ReadAsync()).Text, Is.EqualTo(Pattern(length)));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
        await sending;
    }

    [TestCase(0, Limits.SmallBufferBytes)]
    [TestCase(100_000, Limits.LargeBufferBytes)]
    public async Task Only_bytes_that_are_there_get_a_large_buffer(int sent, int expected)
    {
        await using var scene = await Scene.OpenAsync();
        await scene.Writer.SendAsync(Pattern(sent));
        _ = scene.PumpAsync(new BodyFraming(BodyKind.Length, 1_000_000), chunkedOut: false);

        Assert.That(await scene.Reader.ReadTextAsync(sent), Is.EqualTo(Pattern(sent)));
        Assert.That(scene.Source.ReceiveBufferBytes, Is.EqualTo(expected));
    }

    /// <summary>Each message is there before the next is sent, so none may wait for another; and who goes back to short ones does not hold a large buffer.</summary>
    [Test]
    public async Task Messages_of_any_length_go_on_at_once_and_leave_a_small_buffer()
    {
        const int Room = Limits.SmallBufferBytes - (2 * Limits.BufferReserveBytes);
        await using var scene = await Scene.OpenAsync();
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.UntilClose, 0), chunkedOut: false);
        int[] lengths = [1, 100, Room - 1, Room, Room + 1, 2 * Room, 3, Limits.LargeBufferBytes, 300_000, 1, Room, .. Enumerable.Repeat(60, Limits.LittleReceivesInARow), 125];
        bool wasLarge = false;
        foreach (int length in lengths)
        {
            await scene.Writer.SendAsync(Pattern(length));
            Assert.That(await scene.Reader.ReadTextAsync(length), Is.EqualTo(Pattern(length)), $"{length} bytes");
            wasLarge |= scene.Source.ReceiveBufferBytes == Limits.LargeBufferBytes;
        }

        Assert.That((wasLarge, scene.Source.ReceiveBufferBytes), Is.EqualTo((true, Limits.SmallBufferBytes)));
        Assert.That(scene.Pump.BodyBytes, Is.EqualTo(lengths.Sum()));
        scene.Writer.EndSending();
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
    }

    [Test]
    public async Task Chunks_become_plain_bytes_for_a_sink_without_chunks()
    {
        await using var scene = await Scene.OpenAsync();
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
        await using var scene = await Scene.OpenAsync();
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
        await using var scene = await Scene.OpenAsync();
        scene.Reader.Reset();
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Length, 10_000_000), chunkedOut: false);
        var sending = scene.Writer.SendAsync(Pattern(500_000));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.SinkFailed));
        scene.Source.Abort(reset: true);
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        await using var other = await Scene.OpenAsync();
        other.Reader.Reset();
        pumped = other.PumpAsync(new BodyFraming(BodyKind.Length, 500_000), chunkedOut: false, discard: true);
        await other.Writer.SendAsync(Pattern(500_000));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
    }

    /// <summary>Its first part filled the buffer; the rest waits to be received.</summary>
    [TestCase(10_240, 1)]
    [TestCase(24_000, 2)]
    [Platform("Linux")]
    public async Task A_body_of_middling_length_goes_out_with_its_head_in_one_piece(int length, int sends)
    {
        await using var scene = await Scene.OpenAsync();
        string body = Pattern(length);
        await scene.Writer.SendAsync(body);
        Assert.That(SpinWait.SpinUntil(() => scene.SourceAvailable == length, TimeSpan.FromSeconds(10)));
        await scene.Source.ReceiveAsync();
        await scene.WriteHeadAsync(true);
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Length, body.Length), chunkedOut: false);
        Assert.That(await scene.Reader.ReadTextAsync(Head.Length + body.Length), Is.EqualTo(Head + body));
        Assert.That((await pumped, scene.Sends), Is.EqualTo((PumpOutcome.Complete, sends)));
    }

    /// <summary>As long as its sender is fast, whatever its receiver is.</summary>
    [Test]
    [Platform("Linux")]
    public async Task A_long_body_goes_through_the_kernel_alone([Values(BodyKind.Length, BodyKind.UntilClose)] BodyKind kind, [Values] bool slowSink)
    {
        const int Length = 6_000_000;
        string body = Pattern(Length);
        await using var scene = await Scene.OpenAsync(slowSink: slowSink);
        var sending = Task.Run(async () =>
        {
            await scene.Writer.SendAsync(body);
            scene.Writer.EndSending();
        });
        var pumped = scene.PumpAsync(new BodyFraming(kind, kind == BodyKind.Length ? Length : 0), chunkedOut: false);
        Assert.That(await scene.Reader.ReadTextAsync(Length), Is.EqualTo(body));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.Complete));
        Assert.That(scene.Pump.SplicedBytes, Is.GreaterThan(Length / 2));
        await sending;
    }

    [Test]
    [Platform("Linux")]
    public async Task A_long_body_that_is_cut_arrives_up_to_there()
    {
        const int Sent = 3_000_001;
        await using var scene = await Scene.OpenAsync();
        var sending = Task.Run(async () =>
        {
            await scene.Writer.SendAsync(Pattern(Sent));
            scene.Writer.EndSending();
        });
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Length, 2 * Sent), chunkedOut: false);
        Assert.That(await scene.Reader.ReadTextAsync(Sent), Is.EqualTo(Pattern(Sent)));
        Assert.That(await pumped, Is.EqualTo(PumpOutcome.SourceCut));
        Assert.That(scene.Pump.SplicedBytes, Is.GreaterThan(0));
        await sending;
    }

    /// <summary>The pipe that still holds bytes is not used again, and what follows the body is where it was.</summary>
    [TestCase(false, PumpOutcome.SinkFailed)]
    [TestCase(true, PumpOutcome.Complete)]
    [Platform("Linux")]
    public async Task A_sink_that_goes_away_from_a_long_body_leaves_nothing_behind(bool discard, PumpOutcome expected)
    {
        const int Length = 8_000_000;
        int open = SplicePipe.OpenCount;
        await using var scene = await Scene.OpenAsync(slowSink: true);
        var sending = scene.Writer.SendAsync(Pattern(Length) + "next");
        var pumped = scene.PumpAsync(new BodyFraming(BodyKind.Length, Length), chunkedOut: false);
        await scene.Reader.ReadTextAsync(1_000_000);
        Assert.That(scene.Pump.SplicedBytes, Is.GreaterThan(0));
        if (discard)
        {
            scene.Pump.Discard();
        }

        scene.Reader.Reset();
        Assert.That(await pumped, Is.EqualTo(expected));
        Assert.That(SplicePipe.OpenCount, Is.LessThanOrEqualTo(open + Limits.SplicePipesIdleMax));
        if (discard)
        {
            await sending;
            while (scene.Source.ReceivedLength < 4)
            {
                await scene.Source.ReceiveAsync();
            }

            Assert.That(Encoding.ASCII.GetString(scene.Source.Received), Is.EqualTo("next"));
        }

        scene.Source.Abort(reset: true);
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await A_long_body_goes_through_the_kernel_alone(BodyKind.Length, slowSink: false); // Nothing of the body before is in it.
    }

    /// <summary>Chunks are read; and what comes in small pieces costs fewer calls when it is copied.</summary>
    [TestCase(BodyKind.Chunked, 200_000)]
    [TestCase(BodyKind.Length, 1000)]
    public async Task What_is_framed_or_comes_in_pieces_is_copied(BodyKind kind, int piece)
    {
        const int Pieces = 20;
        await using var scene = await Scene.OpenAsync();
        var pumped = scene.PumpAsync(new BodyFraming(kind, kind == BodyKind.Length ? Pieces * piece : 0), chunkedOut: false);
        for (int i = 0; i < Pieces; i++)
        {
            var sending = scene.Writer.SendAsync(kind == BodyKind.Chunked ? $"{piece:x}\r\n{Pattern(piece)}\r\n" : Pattern(piece));
            Assert.That(await scene.Reader.ReadTextAsync(piece), Is.EqualTo(Pattern(piece)));
            await sending;
        }

        await scene.Writer.SendAsync(kind == BodyKind.Chunked ? "0\r\n\r\n" : "");
        Assert.That((await pumped, scene.Pump.SplicedBytes), Is.EqualTo((PumpOutcome.Complete, 0L)));
    }

    [TestCase("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", true, "4\r\nabcd\r\n0\r\n\r\n")]
    [TestCase("0\r\n\r\n", true, "0\r\n\r\n")]
    [TestCase("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", false, "abcd")]
    [TestCase("3\r\nabc\r\n0\r\nX: y\r\n\r\n", true, null)]
    [TestCase("3\r\nabc\r\n", true, null)]
    [TestCase("zz\r\n", true, null)]
    public async Task A_small_body_that_is_all_there_is_copied_behind_the_head(string sent, bool chunkedOut, string? copied)
    {
        await using var scene = await Scene.OpenAsync();
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

    private static string Pattern(int length) => string.Create(length, 0, static (span, _) =>
    {
        for (int i = 0; i < span.Length; i++)
        {
            // Line ends and zeros in between, so that data looks like framing.
            span[i] = "0123456789\r\n0\r\n\r\nabcdef"[(i * 7 + i / 19) % 22];
        }
    });

    private static string Encode(string body, Random random, int chunkMax)
    {
        var coded = new StringBuilder();
        for (int at = 0; at < body.Length;)
        {
            int size = Math.Min(body.Length - at, random.Next(1, chunkMax));
            string digits = size.ToString(random.Next(2) == 0 ? "x" : "X4", CultureInfo.InvariantCulture);
            coded.Append(digits).Append(random.Next(4) == 0 ? ";a=\"b c\"" : "").Append("\r\n").Append(body, at, size).Append("\r\n");
            at += size;
        }

        return coded.ToString();
    }

    private static async Task SendInPiecesAsync(WireEnd end, string text, Random random)
    {
        for (int at = 0; at < text.Length;)
        {
            int size = Math.Min(text.Length - at, random.Next(3) == 0 ? random.Next(1, 8) : random.Next(1, 20_000));
            await end.SendAsync(text.Substring(at, size));
            at += size;
            await Task.Yield();
        }
    }

    /// <summary>writer ══▶ source ─ pump ─ sink ══▶ reader.</summary>
    private sealed class Scene : IAsyncDisposable, IProgressWatch
    {
        private readonly Socket _sourceSocket;
        private readonly Socket _sinkSocket;
        private Task _pumped = Task.CompletedTask;

        private Scene(WireEnd writer, Socket source, Socket sink, WireEnd reader)
        {
            (_sourceSocket, _sinkSocket) = (View(source), View(sink));
            (Writer, Source, Sink, Reader) = (writer, new SocketChannel(StreamSocket.Of(source), null), new SocketChannel(StreamSocket.Of(sink), null), reader);
            Pump = new BodyPump(this);
        }

        public WireEnd Writer { get; }

        public SocketChannel Source { get; }

        public SocketChannel Sink { get; }

        public WireEnd Reader { get; }

        public BodyPump Pump { get; }

        /// <summary>The same socket, to look at.</summary>
        private static Socket View(Socket socket) => new(new SafeSocketHandle(socket.Handle, ownsHandle: false));

        /// <summary>Bytes that wait in the kernel to be received.</summary>
        public int SourceAvailable => _sourceSocket.Available;

        /// <summary>Segments with data that the sink has sent (tcpi_data_segs_out, Linux): on loopback each send up to 64 KiB is one.</summary>
        public int Sends
        {
            get
            {
                byte[] info = new byte[160];
                _sinkSocket.GetRawSocketOption(optionLevel: 6, optionName: 11, info);
                return BitConverter.ToInt32(info, 156);
            }
        }

        public static async Task<Scene> OpenAsync(bool slow = false, bool slowSink = false)
        {
            // Tiny kernel buffers make every other send wait for the reader.
            var (writer, source) = await WireEnd.PairAsync(slow ? 4096 : 0);
            var (reader, sink) = await WireEnd.PairAsync(slow || slowSink ? 4096 : 0);
            return new Scene(writer, source, sink, reader);
        }

        public async Task WriteHeadAsync(bool waiting)
        {
            Sink.Write(Encoding.ASCII.GetBytes(Head));
            if (!waiting)
            {
                await Sink.FlushAsync();
                Sink.ReleaseOutgoing();
            }
        }

        public Task<PumpOutcome> PumpAsync(BodyFraming framing, bool chunkedOut, bool discard = false)
        {
            Pump.Begin(Source, new BodyReader(framing, 0), Sink, chunkedOut);
            if (discard)
            {
                Pump.Discard();
            }

            var pumped = Pump.RunAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30));
            _pumped = pumped;
            return pumped;
        }

        public Task<StrictMessage> ReadAsync() => Reader.ReadAsync();

        public void OnProgress()
        {
        }

        public async ValueTask DisposeAsync()
        {
            Writer.Dispose();
            Reader.Dispose();
            Source.Abort(reset: true);
            Sink.Abort(reset: true);
            await _pumped.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Source.Dispose();
            Sink.Dispose();
        }
    }
}
