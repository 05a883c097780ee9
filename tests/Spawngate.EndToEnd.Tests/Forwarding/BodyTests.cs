using System.Text;
using Spawngate.EndToEnd.Tests.Harness;
using TestBackend;

namespace Spawngate.EndToEnd.Tests.Forwarding;

/// <summary>Bodies of every framing and size arrive whole in both directions.</summary>
internal sealed class BodyTests : SharedGatewayTest
{
    private const int KiB = 1024;
    private static readonly int[] Sizes = [0, 1, (16 * KiB) - 1, 16 * KiB, (16 * KiB) + 1, 65_537, KiB * KiB];

    [Test]
    public async Task A_response_of_known_length_arrives_whole([ValueSource(nameof(Sizes))] int size)
    {
        RawResponse response = await RequestAsync($"/bytes?n={size}");

        Assert.That(response.Framing, Is.EqualTo(Framing.Length));
        Assert.That((response.BodyLength, response.Sha256), Is.EqualTo(((long)size, Pattern.Sha256(size))));
    }

    [Test]
    public async Task A_chunked_response_arrives_whole([ValueSource(nameof(Sizes))] int size, [Values(1000, 50_000)] int chunk)
    {
        RawResponse response = await RequestAsync($"/bytes?n={size}&framing=chunked&chunk={chunk}");

        Assert.That(response.Framing, Is.EqualTo(Framing.Chunked));
        Assert.That((response.BodyLength, response.Sha256), Is.EqualTo(((long)size, Pattern.Sha256(size))));
    }

    [Test]
    public async Task A_response_that_ends_with_the_connection_reaches_an_HTTP_1_1_client_chunked([ValueSource(nameof(Sizes))] int size)
    {
        using RawClient client = await ConnectAsync();
        RawResponse response = await client.ExchangeAsync(Host, $"/bytes?n={size}&framing=close");

        Assert.That(response.Framing, Is.EqualTo(Framing.Chunked));
        Assert.That((response.BodyLength, response.Sha256), Is.EqualTo(((long)size, Pattern.Sha256(size))));
        Assert.That((await client.ExchangeAsync(Host, "/status?code=200")).Status, Is.EqualTo(200), "the client's connection goes on");
    }

    [Test]
    public async Task A_request_of_known_length_arrives_whole([ValueSource(nameof(Sizes))] int size)
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, "/echo", "POST", $"Content-Length: {size}\r\n"));
        await client.SendAsync(Pattern.Take(size));

        RawResponse response = await client.ReadResponseAsync();

        AssertArrived(response, size, "length");
    }

    [Test]
    public async Task A_chunked_request_arrives_whole([ValueSource(nameof(Sizes))] int size, [Values(1000, 50_000)] int chunk)
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, "/echo", "POST", "Transfer-Encoding: chunked\r\n"));
        byte[] body = Pattern.Take(size);
        for (int at = 0; at < size; at += chunk)
        {
            await client.SendChunkAsync(body.AsSpan(at, Math.Min(chunk, size - at)));
        }

        await client.SendAsync("0\r\n\r\n");
        RawResponse response = await client.ReadResponseAsync();

        AssertArrived(response, size, "chunked");
    }

    [Test]
    public async Task A_chunked_request_sent_byte_by_byte_arrives_whole()
    {
        using RawClient client = await ConnectAsync();
        string message = RawClient.Head(Host, "/echo", "POST", "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n001\r\n!\r\n0\r\n\r\n";
        foreach (char one in message)
        {
            await client.SendAsync(one.ToString());
        }

        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Header("X-Body-Length"), Is.EqualTo("6"));
    }

    [Test]
    public async Task Trailers_of_a_request_pass()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(
            RawClient.Head(Host, "/echo", "POST", "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n")
                + "5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n"
        );

        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Header("X-Echo-Trailer"), Is.EqualTo("X-Sum=abc"));
    }

    [Test]
    public async Task Trailers_of_a_response_pass()
    {
        RawResponse response = await RequestAsync("/trailers");

        Assert.That(response.Text, Is.EqualTo("hello"));
        Assert.That(response.Trailers, Is.EqualTo(new[] { ("X-Checksum", "abc"), ("X-Second", "two") }));
    }

    [Test]
    public async Task Both_directions_stream_at_the_same_time()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, "/mirror", "POST", "Transfer-Encoding: chunked\r\n"));
        RawResponse response = await client.ReadHeadAsync();

        for (int i = 0; i < 10; i++)
        {
            await client.SendAsync("5\r\nping" + i + "\r\n");
            Assert.That(
                Encoding.Latin1.GetString(await client.ReadBytesAsync(10)),
                Is.EqualTo("5\r\nping" + i + "\r\n"),
                "each piece comes back before the next one is sent"
            );
        }

        await client.SendAsync("0\r\n\r\n");
        Assert.That(Encoding.Latin1.GetString(await client.ReadBytesAsync(5)), Is.EqualTo("0\r\n\r\n"));
        Assert.That(response.Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_response_head_is_not_held_back_until_its_body_comes()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, "/hold?key=head&at=head"));

        RawResponse response = await client.ReadHeadAsync();
        await (await SharedGateway.Control.StartAsync()).DoAsync("release head");
        await client.ReadBodyAsync(response);

        Assert.That(response.Text, Is.EqualTo("held"));
    }

    [Test]
    public async Task The_first_part_of_a_response_is_not_held_back()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, "/hold?key=part&at=body"));
        await client.ReadHeadAsync();

        Assert.That(Encoding.Latin1.GetString(await client.ReadBytesAsync(2)), Is.EqualTo("he"));
        await (await SharedGateway.Control.StartAsync()).DoAsync("release part");
        Assert.That(Encoding.Latin1.GetString(await client.ReadBytesAsync(2)), Is.EqualTo("ld"));
    }

    [Test]
    public async Task A_backend_may_answer_before_it_has_read_the_request()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, "/upload?answer=early", "POST", "Content-Length: 1000000\r\n") + "only the beginning");

        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Text, Is.EqualTo("early"));
    }

    [Test]
    public async Task A_slow_reader_at_the_backend_gets_all_of_it()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, "/upload?readDelayMs=1", "POST", $"Content-Length: {2 * KiB * KiB}\r\n"));
        await client.SendAsync(Pattern.Take(2 * KiB * KiB));

        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Text, Is.EqualTo($"{2 * KiB * KiB} {Pattern.Sha256(2 * KiB * KiB)}"));
    }

    [Test]
    public async Task A_client_that_leaves_in_the_middle_of_its_body_costs_nobody_else_anything()
    {
        using (RawClient client = await ConnectAsync())
        {
            await client.SendAsync(RawClient.Head(Host, "/upload", "POST", "Content-Length: 1000\r\n") + "the beginning");
        }

        for (int i = 0; i < 20; i++)
        {
            Assert.That((await RequestAsync("/status?code=200")).Text, Is.EqualTo("status 200"));
        }
    }

    private static void AssertArrived(RawResponse response, int size, string framing)
    {
        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        Assert.That(response.Header("X-Body-Length"), Is.EqualTo($"{size}"));
        Assert.That(response.Header("X-Body-Sha256"), Is.EqualTo(Pattern.Sha256(size)));
        Assert.That(response.Header("X-Body-Framing"), Is.EqualTo(framing));
    }
}

/// <summary>Bodies that no buffer holds.</summary>
[NonParallelizable]
[LongRunning]
internal sealed class LargeBodyTests : GatewayTest
{
    private const int Size = 64 * 1024 * 1024;

    [TestCase("length")]
    [TestCase("chunked")]
    [TestCase("close")]
    public async Task Sixty_four_MiB_come_down_whole_and_are_not_held_in_memory(string framing)
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        long before = ProcessScan.ResidentBytes(gateway.Pid);

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, $"/bytes?n={Size}&framing={framing}");

        Assert.That((response.BodyLength, response.Sha256), Is.EqualTo(((long)Size, Pattern.Sha256(Size))));
        Assert.That(ProcessScan.ResidentBytes(gateway.Pid) - before, Is.LessThan(Size / 2), "memory grew by the size of the body");
    }

    [TestCase("Content-Length: 67108864\r\n")]
    [TestCase("Transfer-Encoding: chunked\r\n")]
    public async Task Sixty_four_MiB_go_up_whole_to_a_slow_reader_and_are_not_held_in_memory(string framing)
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        long before = ProcessScan.ResidentBytes(gateway.Pid);
        bool chunked = framing.StartsWith('T');
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/upload", "PUT", framing));

        byte[] block = new byte[1024 * 1024];
        for (int at = 0; at < Size; at += block.Length)
        {
            Pattern.Fill(block, at);
            await (chunked ? client.SendChunkAsync(block) : client.SendAsync(block));
        }

        await client.SendAsync(chunked ? "0\r\n\r\n" : "");
        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Text, Is.EqualTo($"{Size} {Pattern.Sha256(Size)}"));
        Assert.That(ProcessScan.ResidentBytes(gateway.Pid) - before, Is.LessThan(Size / 2), "memory grew by the size of the body");
    }
}
