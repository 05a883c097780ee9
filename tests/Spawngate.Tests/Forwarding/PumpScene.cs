using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>writer ══▶ source ─ pump ─ sink ══▶ reader.</summary>
internal sealed class PumpScene : IAsyncDisposable, IProgressWatch
{
    public const string Head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    private readonly Socket _sourceSocket;
    private readonly Socket _sinkSocket;
    private Task _pumped = Task.CompletedTask;

    private PumpScene(WireEnd writer, Socket source, Socket sink, WireEnd reader, Func<StreamSocket, StreamSocket>? around)
    {
        (_sourceSocket, _sinkSocket) = (View(source), View(sink));
        (Writer, Source, Sink, Reader) = (
            writer,
            new SocketChannel(around is null ? AdoptedSocket.Of(source) : around(AdoptedSocket.Of(source)), null),
            new SocketChannel(AdoptedSocket.Of(sink), null),
            reader
        );
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

    public static async Task<PumpScene> OpenAsync(bool slow = false, bool slowSink = false, Func<StreamSocket, StreamSocket>? around = null)
    {
        // Tiny kernel buffers make every other send wait for the reader.
        var (writer, source) = await WireEnd.PairAsync(slow ? 4096 : 0);
        var (reader, sink) = await WireEnd.PairAsync(slow || slowSink ? 4096 : 0);
        return new PumpScene(writer, source, sink, reader, around);
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

    /// <summary>What follows the body is where it was.</summary>
    public async Task ReceivesAsync(string expected)
    {
        while (Source.ReceivedLength < expected.Length)
        {
            await Source.ReceiveAsync();
        }

        Assert.That(Encoding.ASCII.GetString(Source.Received), Is.EqualTo(expected));
    }

    public Task<StrictMessage> ReadAsync() => Reader.ReadAsync();

    public void OnProgress() { }

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

    public static string Pattern(int length) => string.Create(length, 0, static (span, _) =>
        {
            for (int i = 0; i < span.Length; i++)
            {
                // Line ends and zeros in between, so that data looks like framing.
                span[i] = "0123456789\r\n0\r\n\r\nabcdef"[(i * 7 + i / 19) % 22];
            }
        });

    public static string Encode(string body, Random random, int chunkMax, int chunkMin = 1)
    {
        var coded = new StringBuilder();
        for (int at = 0; at < body.Length; )
        {
            int size = Math.Min(body.Length - at, random.Next(chunkMin, chunkMax));
            string digits = size.ToString(random.Next(2) == 0 ? "x" : "X4", CultureInfo.InvariantCulture);
            coded.Append(digits).Append(random.Next(4) == 0 ? ";a=\"b c\"" : "").Append("\r\n").Append(body, at, size).Append("\r\n");
            at += size;
        }

        return coded.ToString();
    }

    public static async Task SendInPiecesAsync(WireEnd end, string text, Random random, int pieceMax = 20_000)
    {
        for (int at = 0; at < text.Length; )
        {
            int size = Math.Min(text.Length - at, random.Next(3) == 0 ? random.Next(1, 8) : random.Next(1, pieceMax));
            await end.SendAsync(text.Substring(at, size));
            at += size;
            await Task.Yield();
        }
    }
}
