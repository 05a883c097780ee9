using System.Security.Cryptography;
using Spawngate.EndToEnd.Tests.Harness;
using TestBackend;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>Bodies of all sizes, with both framings, in both directions, while one side is slow: every byte arrives.</summary>
[LongRunning]
internal sealed class SlowBodyTests() : FaultTest(patient: true)
{
    private const int KiB = 1024;
    private const int PieceBytes = 4 * KiB;
    private static readonly int[] Sizes = [0, 1, (16 * KiB) - 1, 16 * KiB, (16 * KiB) + 1, KiB * KiB];

    [Test]
    public async Task A_response_arrives_whole([ValueSource(nameof(Sizes))] int size, [Values] bool chunked, [Values] bool slowBackend)
    {
        Backend.Answers(
            async (peer, _) =>
            {
                await peer.SendAsync($"HTTP/1.1 200 OK\r\n{Framing(size, chunked)}\r\n");
                await SendAsync(peer.SendAsync, size, chunked, slowBackend);
                return true;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head());
        RawResponse response = await client.ReadHeadAsync();
        string sum = slowBackend || chunked ? await WholeAsync(client, response, size) : await SlowlyAsync(client, size);

        Assert.That(sum, Is.EqualTo(Pattern.Sha256(size)));
        Assert.That((await client.ExchangeAsync(Backend.Host, "/")).Text, Is.EqualTo("ok"), "what follows is at its place");
    }

    [Test]
    public async Task A_request_arrives_whole([ValueSource(nameof(Sizes))] int size, [Values] bool chunked, [Values] bool slowBackend)
    {
        Backend.Answers(
            async (peer, request) =>
            {
                using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
                long length = 0;
                Assert.That(await peer.ReadBodyAsync(request, async part =>
                    {
                        hash.AppendData(part.Span);
                        length += part.Length;
                        if (slowBackend)
                        {
                            await tick.WaitForNextTickAsync();
                        }
                    }));
                string answer = $"{length} {Convert.ToHexStringLower(hash.GetHashAndReset())}";
                await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {answer.Length}\r\n\r\n{answer}");
                return true;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head("POST", Framing(size, chunked)));
        await SendAsync(client.SendAsync, size, chunked, slow: !slowBackend);

        Assert.That((await client.ReadResponseAsync()).Text, Is.EqualTo($"{size} {Pattern.Sha256(size)}"));
        Assert.That((await client.ExchangeAsync(Backend.Host, "/")).Text, Is.EqualTo("ok"), "what follows is at its place");
    }

    private static string Framing(int size, bool chunked) => chunked ? "Transfer-Encoding: chunked\r\n" : $"Content-Length: {size}\r\n";

    /// <summary>Sends the pattern in pieces; slowly, with a pause after each, or as fast as it goes.</summary>
    private static async Task SendAsync(Func<ReadOnlyMemory<byte>, Task> send, int size, bool chunked, bool slow)
    {
        byte[] body = Pattern.Take(size);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        for (int at = 0; at < size; at += PieceBytes)
        {
            ReadOnlyMemory<byte> piece = body.AsMemory(at, Math.Min(PieceBytes, size - at));
            if (chunked)
            {
                await send(System.Text.Encoding.ASCII.GetBytes($"{piece.Length:x}\r\n"));
            }

            await send(piece);
            if (chunked)
            {
                await send("\r\n"u8.ToArray());
            }

            if (slow)
            {
                await tick.WaitForNextTickAsync();
            }
        }

        if (chunked)
        {
            await send("0\r\n\r\n"u8.ToArray());
        }
    }

    private static async Task<string> WholeAsync(RawClient client, RawResponse response, int size)
    {
        await client.ReadBodyAsync(response);
        Assert.That(response.BodyLength, Is.EqualTo(size));
        return response.Sha256;
    }

    private static async Task<string> SlowlyAsync(RawClient client, int size)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        for (int left = size; left > 0; left -= PieceBytes)
        {
            hash.AppendData(await client.ReadBytesAsync(Math.Min(left, PieceBytes)));
            await tick.WaitForNextTickAsync();
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
