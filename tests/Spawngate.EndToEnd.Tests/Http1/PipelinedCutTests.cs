using System.Net.Sockets;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>
/// An answer that is cut does not take complete ones along that were sent before it and still lie in the gateway's kernel.
/// </summary>
internal sealed class PipelinedCutTests() : FaultTest(patient: true)
{
    private const int Length = 200_000;
    private int _asked;

    [Test]
    public async Task A_complete_answer_arrives_although_the_next_one_is_cut(
        [Values("length", "chunked", "close")] string framing,
        [Values("1.1", "1.0")] string version
    )
    {
        var reset = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Backend.Answers(
            async (peer, _) =>
            {
                if (Interlocked.Increment(ref _asked) == 1)
                {
                    await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {Length}\r\n\r\n{new string('x', Length)}");
                    return true;
                }

                string field = framing switch
                {
                    "chunked" => "Transfer-Encoding: chunked\r\n",
                    "length" => "Content-Length: 50\r\n",
                    _ => "",
                };
                await peer.SendAsync($"HTTP/1.1 200 OK\r\n{field}\r\n{(framing == "chunked" ? "5\r\nhello\r\n" : "hello")}");
                peer.Reset();
                reset.TrySetResult();
                return false;
            }
        );
        using RawClient client = await ConnectAsync();
        client.Socket.ReceiveBufferSize = 32 * 1024;
        string request =
            $"GET /fault HTTP/{version}\r\nHost: {Backend.Host}\r\n{(version == "1.0" ? "Connection: keep-alive\r\n" : "")}\r\n";
        await client.SendAsync(request + request);
        await reset.Task.InTimeAsync("the second answer is cut");

        Assert.That((await client.ReadResponseAsync()).BodyLength, Is.EqualTo(Length));
        try
        {
            RawResponse second = await client.ReadResponseAsync();
            Assert.That(second.Status, Is.EqualTo(502), $"a complete answer of {second.BodyLength} bytes");
        }
        catch (Exception e) when (e is IncompleteMessageException or SocketException)
        {
            // As it should be.
        }
    }
}
