using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>After 101 both sides are spliced byte for byte, whatever they speak.</summary>
internal sealed class TunnelTests() : FaultTest(patient: false)
{
    private const string Granted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: my-protocol/7\r\n\r\n";
    private const string Asked = "Connection: Upgrade\r\nUpgrade: my-protocol/7\r\n";
    private readonly TaskCompletionSource<UpstreamPeer> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [TearDown]
    public void LetGo() => _done.TrySetResult();

    [Test]
    public async Task Bytes_along_with_either_head_arrive_first_and_in_order()
    {
        using RawClient client = await ConnectAsync();
        Opens(Granted + "first from the backend;");
        await client.SendAsync(Head(headers: Asked) + "first from the client;");
        await client.SendAsync("second from the client;");
        RawResponse response = await client.ReadHeadAsync();
        UpstreamPeer peer = await _opened.Task.InTimeAsync("the tunnel");
        await peer.SendAsync("second from the backend;");

        Assert.That(
            (response.Status, response.Header("Upgrade"), response.Header("Connection")),
            Is.EqualTo((101, "my-protocol/7", "Upgrade"))
        );
        Assert.That(
            Encoding.Latin1.GetString(await client.ReadBytesAsync(47)),
            Is.EqualTo("first from the backend;second from the backend;")
        );
        Assert.That(await ReadAsync(peer, 45), Is.EqualTo("first from the client;second from the client;"));
    }

    [Test]
    public async Task A_client_that_ends_its_side_still_hears_the_backend()
    {
        using RawClient client = await OpenAsync();
        UpstreamPeer peer = await _opened.Task;
        await client.SendAsync("last words");
        client.EndSending();
        Assert.That(await ReadAsync(peer, 10), Is.EqualTo("last words"));
        await peer.EndedAsync().InTimeAsync("the end of the client's side");
        await peer.SendAsync("farewell");
        peer.Socket.Shutdown(SocketShutdown.Send);

        Assert.That(Encoding.Latin1.GetString(await client.ReadBytesAsync(8)), Is.EqualTo("farewell"));
        Assert.That(await client.EndsAsync());
    }

    [Test]
    public async Task A_backend_that_ends_its_side_still_hears_the_client()
    {
        using RawClient client = await OpenAsync();
        UpstreamPeer peer = await _opened.Task;
        peer.Socket.Shutdown(SocketShutdown.Send);
        Assert.That(await client.EndsAsync());
        await client.SendAsync("last words");

        Assert.That(await ReadAsync(peer, 10), Is.EqualTo("last words"));
        client.EndSending();
        await peer.EndedAsync().InTimeAsync("the end of the client's side");
    }

    [TestCase(FaultKind.Close)]
    [TestCase(FaultKind.Reset)]
    public async Task A_client_that_leaves_ends_the_tunnel(FaultKind how)
    {
        using RawClient client = await OpenAsync();
        UpstreamPeer peer = await _opened.Task;
        await LeavesAsync(client, how, peer.EndedAsync());
        peer.Close();
    }

    [Test]
    public async Task A_backend_that_resets_ends_the_tunnel()
    {
        using RawClient client = await OpenAsync();
        (await _opened.Task).Reset();

        Assert.That(await client.EndsAsync());
    }

    /// <summary>An end in order would say that all was sent.</summary>
    [Test]
    public async Task A_reset_of_one_side_is_a_reset_of_the_other([Values] bool byClient, [Values(0, 10, 30_000_000)] int sent)
    {
        using RawClient client = await OpenAsync();
        UpstreamPeer peer = await _opened.Task;
        (Socket from, Socket to) = byClient ? (client.Socket, peer.Socket) : (peer.Socket, client.Socket);
        for (int left = sent; left > 0; left -= 100_000)
        {
            if (
                await from.SendAsync(new byte[Math.Min(left, 100_000)].AsMemory(), SocketFlags.None)
                    .AsTask()
                    .StaysOpenAsync(TimeSpan.FromSeconds(0.3))
            )
            {
                break;
            }
        }

        if (byClient)
        {
            Leave(client, FaultKind.Reset);
        }
        else
        {
            peer.Reset();
        }

        Assert.That(async () => await ReadToEndAsync(to).InTimeAsync("the end"), Throws.InstanceOf<SocketException>());
    }

    [Test]
    public async Task Silence_for_longer_than_the_request_timeout_does_not_end_it()
    {
        using RawClient client = await OpenAsync();
        UpstreamPeer peer = await _opened.Task;
        Assert.That(await peer.ReadAsync(1, _ => Task.CompletedTask).StaysOpenAsync(TimeSpan.FromSeconds(2.5)));
        await peer.SendAsync("still here");

        Assert.That(Encoding.Latin1.GetString(await client.ReadBytesAsync(10)), Is.EqualTo("still here"));
        Assert.That(await InFlightAsync(), Is.EqualTo(1));
        client.EndSending();
    }

    [Test]
    public async Task Thirty_two_MiB_go_both_ways_at_once()
    {
        const int Size = 32 * 1024 * 1024;
        byte[] down = TestBackend.Pattern.Take(Size);
        using RawClient client = await OpenAsync();
        UpstreamPeer peer = await _opened.Task;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Task<bool> received = peer.ReadAsync(Size, part =>
        {
            hash.AppendData(part.Span);
            return Task.CompletedTask;
        });
        Task sent = Task.WhenAll(client.SendAsync(down), peer.SendAsync(down));

        byte[] read = await client.ReadBytesAsync(Size);
        await sent;

        Assert.That(await received);
        Assert.That(SHA256.HashData(read), Is.EqualTo(SHA256.HashData(down)));
        Assert.That(hash.GetHashAndReset(), Is.EqualTo(SHA256.HashData(down)));
    }

    [TestCase(200)]
    [TestCase(403)]
    [TestCase(426)]
    public async Task Another_status_than_101_is_the_answer_and_the_connection_goes_on(int status)
    {
        Backend.Answers(
            async (peer, request) =>
            {
                Assert.That((request.Field("Upgrade"), request.Field("Connection")), Is.EqualTo(("my-protocol/7", "Upgrade")));
                await peer.SendAsync(
                    $"HTTP/1.1 {status} No\r\nUpgrade: my-protocol/8\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno"
                );
                return true;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head(headers: Asked));
        RawResponse response = await client.ReadResponseAsync();

        Assert.That((response.Status, response.Text), Is.EqualTo((status, "no")));
        Assert.That(response.Header("Upgrade"), Is.EqualTo(status == 426 ? "my-protocol/8" : null));
        Assert.That((await client.ExchangeAsync(Backend.Host, "/")).Text, Is.EqualTo("ok"));
    }

    [Test]
    public async Task A_body_before_the_switch_arrives_as_one([Values] bool chunked)
    {
        Backend.Answers(
            async (peer, request) =>
            {
                await peer.ReadBodyAsync(request);
                await peer.SendAsync(Granted);
                _opened.SetResult(peer);
                await _done.Task;
                return false;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(
            Head("POST", Asked + (chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 5\r\n"))
                + (chunked ? "5\r\nhello\r\n0\r\n\r\n" : "hello")
                + "tunnel"
        );

        Assert.That((await client.ReadHeadAsync()).Status, Is.EqualTo(101));
        Assert.That(await ReadAsync(await _opened.Task, 6), Is.EqualTo("tunnel"));
        client.EndSending();
    }

    private static async Task ReadToEndAsync(Socket socket)
    {
        byte[] buffer = new byte[100_000];
        while (await socket.ReceiveAsync(buffer) > 0) { }
    }

    private static async Task<string> ReadAsync(UpstreamPeer peer, int count)
    {
        var text = new StringBuilder();
        Assert.That(
            await peer.ReadAsync(count, part =>
                {
                    text.Append(Encoding.Latin1.GetString(part.Span));
                    return Task.CompletedTask;
                })
                .InTimeAsync("bytes at the backend")
        );
        return text.ToString();
    }

    private void Opens(string answer) =>
        Backend.Answers(
            async (peer, _) =>
            {
                await peer.SendAsync(answer);
                _opened.SetResult(peer);
                await _done.Task;
                return false;
            }
        );

    private async Task<RawClient> OpenAsync()
    {
        Opens(Granted);
        RawClient client = await ConnectAsync();
        await client.SendAsync(Head(headers: Asked));
        Assert.That((await client.ReadHeadAsync()).Status, Is.EqualTo(101));
        return client;
    }
}
