using System.Text;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>A connection that ends with its response ends in order: a reset would destroy what a slow client has yet to read.</summary>
internal sealed class CloseTests : GatewayTest
{
    private const int Length = 5_000_000;
    private const int SipBytes = 64 * 1024;

    [TestCase("HTTP/1.1", "Connection: close\r\n", "length")]
    [TestCase("HTTP/1.0", "", "length")]
    [TestCase("HTTP/1.0", "", "chunked")]
    public async Task A_client_that_reads_slowly_gets_all_of_the_last_response_and_an_orderly_end(
        string version,
        string headers,
        string framing
    )
    {
        GatewayProcess gateway = await GatewayAsync();
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync($"GET /bytes?n={Length}&framing={framing} {version}\r\nHost: {Host}\r\n{headers}\r\n");
        using var received = new MemoryStream();

        // In sips, so that the rest lies in the buffers of the kernel when the gateway is done with it.
        await (await Control.StartAsync()).ToldAsync("listening");
        await SipAsync(client, received);
        await gateway.UntilAsync("the gateway is done with the response", async () =>
        {
            await SipAsync(client, received);
            return (await gateway.Admin.BackendAsync(Host)).GetProperty("in_flight").GetInt32() == 0;
        });
        while (await SipAsync(client, received) > 0) { }

        int head = received.GetBuffer().AsSpan().IndexOf("\r\n\r\n"u8) + 4;
        Assert.That(Encoding.ASCII.GetString(received.GetBuffer(), 0, head), Does.Contain(" 200 "));
        Assert.That(received.Length - head, Is.EqualTo(Length));
    }

    private static async Task<int> SipAsync(RawClient client, MemoryStream received)
    {
        byte[] sip = new byte[SipBytes];
        int count = await client.Socket.ReceiveAsync(sip).InTimeAsync("bytes of the response");
        await received.WriteAsync(sip.AsMemory(0, count));
        return count;
    }
}
