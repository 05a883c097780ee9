using System.Diagnostics;
using System.Text;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>
/// A gibibyte in each direction with each framing: every byte is the expected one at its place, and the gateway is no larger afterwards. In
/// the first half the receiver pauses now and then, so that the sender is held back; in the second half the sender does.
/// </summary>
/// <remarks>The native executable is tried with all of it; <c>SPAWNGATE_GIANT_MIB</c> says otherwise.</remarks>
[NonParallelizable]
[LongRunning]
internal sealed class GiantBodyTests : GatewayTest
{
    private const int MiB = 1024 * 1024;
    private const long GrowthMax = 8 * MiB;
    private const int PauseEveryBytes = 2 * MiB;

    /// <summary>Not a divisor of any buffer's size, so that a block that is lost, doubled or swapped shows.</summary>
    private static readonly byte[] Block = TestBackend.Pattern.Take(1_000_003);

    private static readonly long Size =
        MiB
        * (
            Environment.GetEnvironmentVariable("SPAWNGATE_GIANT_MIB") is { Length: > 0 } text ? long.Parse(text)
            : Executables.GatewayIsNative ? 1024
            : 64
        );

    [Test]
    public async Task A_gibibyte_comes_down([Values] bool chunked)
    {
        await MeasureAsync(
            "down",
            chunked,
            async (peer, _) =>
            {
                await peer.SendAsync($"HTTP/1.1 200 OK\r\n{Framing(chunked)}\r\n");
                await SendAsync(peer.SendAsync, chunked);
            },
            async (client, host) =>
            {
                await client.SendAsync(RawClient.Head(host, "/giant"));
                RawResponse response = await client.ReadHeadAsync();
                using var expected = new Expectation();
                await client.ReadBodyAsync(response, expected.TakeAsync);
                return expected.Length;
            }
        );
    }

    [Test]
    public async Task A_gibibyte_goes_up([Values] bool chunked)
    {
        await MeasureAsync(
            "up",
            chunked,
            async (peer, request) =>
            {
                using var expected = new Expectation();
                string fault = await peer.ReadBodyAsync(request, expected.TakeAsync) ? "" : "cut short";
                string answer = $"{expected.Length}{fault}";
                await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {answer.Length}\r\n\r\n{answer}");
            },
            async (client, host) =>
            {
                await client.SendAsync(RawClient.Head(host, "/giant", "PUT", Framing(chunked)));
                await SendAsync(client.SendAsync, chunked);
                return long.Parse((await client.ReadResponseAsync()).Text);
            }
        );
    }

    private async Task MeasureAsync(
        string direction,
        bool chunked,
        Func<UpstreamPeer, UpstreamRequest, Task> serve,
        Func<RawClient, string, Task<long>> use
    )
    {
        GatewayProcess gateway = await Scene.GatewayAsync(ScriptedUpstream.Configure(new ConfigFile(), Host));
        using ScriptedUpstream upstream = await ScriptedUpstream.StartAsync(gateway, Control, Host, async socket =>
        {
            using var peer = new UpstreamPeer(socket);
            while (await peer.ReadHeadAsync() is { } request)
            {
                await (request.Target == "/giant" ? serve(peer, request) : peer.SendAsync(FaultyBackend.Ok));
            }
        });
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.ExchangeAsync(Host, "/");
        (long before, long peakBefore) = (ProcessScan.ResidentBytes(gateway.Pid), ProcessScan.PeakResidentBytes(gateway.Pid));
        long began = Stopwatch.GetTimestamp();

        long length = await use(client, Host);

        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        long grown = ProcessScan.ResidentBytes(gateway.Pid) - before;
        long peak = ProcessScan.PeakResidentBytes(gateway.Pid) - peakBefore;
        await Figures.NoteAsync(
            $"{Size / MiB} MiB {direction}, {(chunked ? "chunked" : "with length")}: {seconds:F1} s, resident memory "
                + $"{grown / 1024.0:+0;-0} KiB, its peak {peak / 1024.0:+0;-0} KiB"
        );
        Assert.That(length, Is.EqualTo(Size));
        Assert.That(grown, Is.LessThan(GrowthMax));
        Assert.That(peak, Is.LessThan(GrowthMax), "not even for a moment");
        Assert.That((await client.ExchangeAsync(Host, "/")).Text, Is.EqualTo("ok"), "what follows is at its place");
    }

    private static string Framing(bool chunked) => chunked ? "Transfer-Encoding: chunked\r\n" : $"Content-Length: {Size}\r\n";

    private static async Task SendAsync(Func<ReadOnlyMemory<byte>, Task> send, bool chunked)
    {
        using var pauses = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        for (long at = 0; at < Size; at += Block.Length)
        {
            ReadOnlyMemory<byte> part = Block.AsMemory(0, (int)Math.Min(Block.Length, Size - at));
            if (chunked)
            {
                await send(Encoding.ASCII.GetBytes($"{part.Length:x}\r\n"));
            }

            await send(part);
            if (chunked)
            {
                await send("\r\n"u8.ToArray());
            }

            if (at > Size / 2 && at / PauseEveryBytes != (at + part.Length) / PauseEveryBytes)
            {
                await pauses.WaitForNextTickAsync();
            }
        }

        if (chunked)
        {
            await send("0\r\n\r\n"u8.ToArray());
        }
    }

    /// <summary>The receiving end: compares each piece with what must stand there.</summary>
    private sealed class Expectation : IDisposable
    {
        private readonly PeriodicTimer _pauses = new(TimeSpan.FromMilliseconds(1));

        /// <summary>Bytes taken.</summary>
        public long Length { get; private set; }

        public async Task TakeAsync(ReadOnlyMemory<byte> part)
        {
            long before = Length;
            while (part.Length > 0)
            {
                int at = (int)(Length % Block.Length);
                int count = Math.Min(part.Length, Block.Length - at);
                if (!part.Span[..count].SequenceEqual(Block.AsSpan(at, count)))
                {
                    throw new InvalidDataException($"wrong bytes between {Length} and {Length + count}");
                }

                Length += count;
                part = part[count..];
            }

            if (Length < Size / 2 && before / PauseEveryBytes != Length / PauseEveryBytes)
            {
                await _pauses.WaitForNextTickAsync();
            }
        }

        public void Dispose() => _pauses.Dispose();
    }
}
