using System.Net.Sockets;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>
/// A backend that is reset within its answer while its client reads slowly: whatever the framings, the client never takes what it got for
/// the whole.
/// </summary>
internal sealed class CutAnswerTests() : FaultTest(patient: true)
{
    private readonly TaskCompletionSource _reset = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Test]
    public async Task A_reset_within_an_answer_is_never_its_end(
        [Values("close", "chunked", "length")] string framing,
        [Values("1.1", "1.0")] string version,
        [Values(0, 1, 30_000, 400_000, 20_000_000)] int sent
    )
    {
        Backend.Answers(
            async (peer, _) =>
            {
                await SendUntilFullAsync(peer, framing, sent);
                peer.Reset();
                _reset.TrySetResult();
                return false;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync($"GET /fault HTTP/{version}\r\nHost: {Backend.Host}\r\n\r\n");
        await IsCutAsync(client);
    }

    /// <summary>It is the request body's send, beside the answer, that is told of the reset.</summary>
    [Test]
    public async Task A_reset_is_no_end_although_the_upload_was_told_of_it_first(
        [Values("close", "chunked", "length")] string framing,
        [Values] bool stopsReading,
        [Values(1, 400_000)] int sent
    )
    {
        Backend.Answers(
            async (peer, _) =>
            {
                if (!stopsReading)
                {
                    await peer.ReadAsync(1_000_000, _ => Task.CompletedTask);
                }

                await SendUntilFullAsync(peer, framing, sent);
                peer.Reset();
                _reset.TrySetResult();
                return false;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head("PUT", "Content-Length: 1000000000\r\n"));
        byte[] block = new byte[200_000];
        var uploading = Task.Run(async () =>
        {
            try
            {
                while (true)
                {
                    await client.Socket.SendAsync(block);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The gateway has ended it.
            }
        });
        await IsCutAsync(client);
        client.Dispose();
        await uploading.InTimeAsync("the end of the upload");
    }

    private async Task IsCutAsync(RawClient client)
    {
        await _reset.Task.InTimeAsync("the reset");
        try
        {
            RawResponse response = await client.ReadResponseAsync();
            Assert.That(response.Status, Is.EqualTo(502), $"a complete answer of {response.BodyLength} bytes");
        }
        catch (Exception e) when (e is IncompleteMessageException or SocketException)
        {
            // As it should be.
        }
    }

    /// <summary>Sends a head and so much of a longer body, or until nobody takes more for a moment.</summary>
    private static async Task SendUntilFullAsync(UpstreamPeer peer, string framing, int count)
    {
        await peer.SendAsync(
            "HTTP/1.1 200 OK\r\n"
                + framing switch
                {
                    "chunked" => "Transfer-Encoding: chunked\r\n\r\n",
                    "length" => "Content-Length: 100000000\r\n\r\n",
                    _ => "\r\n",
                }
        );
        const int Piece = 50_000;
        for (int left = count; left > 0; left -= Piece)
        {
            int size = Math.Min(left, Piece);
            string piece = new('x', size);
            if (await peer.SendAsync(framing == "chunked" ? $"{size:x}\r\n{piece}\r\n" : piece).StaysOpenAsync(TimeSpan.FromSeconds(0.3)))
            {
                return;
            }
        }
    }
}
