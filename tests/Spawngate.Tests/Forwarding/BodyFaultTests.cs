using System.Net.Sockets;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>A source that is reset in front of each single call of the pump: its body is never taken for complete.</summary>
[TestFixture]
[Platform("Linux")]
internal sealed class BodyFaultTests
{
    private const int Length = 900_000;
    private static readonly string Body = PumpScene.Pattern(Length);

    /// <summary>
    /// With an eater, something else on the same connection is told of the error first, as a request body is that is sent beside the
    /// answer.
    /// </summary>
    [Test]
    public async Task A_reset_at_any_call_is_a_cut(
        [Values(BodyKind.UntilClose, BodyKind.Length, BodyKind.Chunked)] BodyKind kind,
        [Values] bool chunkedOut,
        [Values] bool eaten,
        [Values] bool slowSink
    )
    {
        bool more = true;
        // Kestrel's pipes give out small pieces, so there are more calls.
        int step = StreamTransport.Chosen is EpollTransport ? 1 : 7;
        for (int at = 1; more && at < 200 * step; at += step)
        {
            more = await ResetAsync(kind, chunkedOut, eaten, slowSink, at);
        }

        Assert.That(more, Is.False, "at some point it comes after the last call");
    }

    /// <summary>False when there were not so many calls.</summary>
    private static async Task<bool> ResetAsync(BodyKind kind, bool chunkedOut, bool eaten, bool slowSink, int at)
    {
        WireEnd? writer = null;
        CallCountingSocket? counting = null;
        int resets = 0;
        void Reset()
        {
            if (Interlocked.Increment(ref resets) == 1)
            {
                writer!.Reset();
            }
        }

        await using var scene = await PumpScene.OpenAsync(slowSink: slowSink, around: socket =>
            counting = new CallCountingSocket(socket, at, inner =>
            {
                Reset();
                if (eaten)
                {
                    Assert.That(() => inner.TrySend(1), Is.False.After(30).Seconds.PollEvery(1));
                }
            })
        );
        writer = scene.Writer;
        var pumped = scene.PumpAsync(new BodyFraming(kind, kind == BodyKind.Length ? Length + 1 : 0), chunkedOut);
        var writing = WriteAsync(scene.Writer, kind);
        var reading = ReadAsync(scene.Reader);

        await writing;
        if (!counting!.HasActed)
        {
            // All is received before the pump waits for more, and then the source is reset while it does.
            Assert.That(() => scene.Pump.BodyBytes >= Length || pumped.IsCompleted, Is.True.After(30).Seconds.PollEvery(1));
            Reset();
        }

        Assert.That(await pumped, Is.EqualTo(PumpOutcome.SourceCut), $"call {at}");
        scene.Sink.Dispose();
        Assert.That(await reading, Is.LessThanOrEqualTo(kind == BodyKind.UntilClose && !chunkedOut ? Length : Length * 2));
        return counting.HasActed;
    }

    private static async Task WriteAsync(WireEnd writer, BodyKind kind)
    {
        try
        {
            await writer.SendAsync(kind == BodyKind.Chunked ? PumpScene.Encode(Body, new Random(1), 200_000) : Body);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It was reset meanwhile.
        }
    }

    private static Task<int> ReadAsync(WireEnd reader) =>
        Task.Run(async () =>
        {
            int total = 0;
            byte[] buffer = new byte[100_000];
            while (await reader.Socket.ReceiveAsync(buffer) is > 0 and var count)
            {
                total += count;
            }

            return total;
        });
}
