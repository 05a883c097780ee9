using System.Diagnostics;
using System.Text;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>
/// What a backend is in the middle of outlives its idle timeout and a stop, for as long as the drain timeout allows and no longer.
/// </summary>
internal sealed class DrainTests : GatewayTest
{
    private const int ChunkBytes = 1000;
    private const int ChunksPerSec = 20;

    /// <summary>Ways to ask for a stop.</summary>
    public enum StopBy
    {
        Admin,
        Removal,
        Sigterm,
    }

    [TestCase(StopBy.Admin)]
    [TestCase(StopBy.Removal)]
    [TestCase(StopBy.Sigterm)]
    public async Task A_download_and_a_WebSocket_survive_the_idle_timeout_and_a_stop_within_the_drain_timeout(StopBy stop)
    {
        int secs = Effort.Scale(@long: 20, native: 4, managed: 4);
        GatewayProcess gateway = await GatewayAsync(drainSecs: secs + 10);
        (RawClient download, RawResponse response) = await DownloadAsync(gateway, secs);
        using RawClient socket = await WebSocketAsync(gateway);
        BackendProcess backend = await Control.StartAsync();

        Assert.That(
            await backend.ToldAsync("sigterm").StaysOpenAsync(TimeSpan.FromSeconds(1.8)),
            "stopped for idleness in the middle of a download"
        );
        await EchoAsync(socket, "after the idle timeout");
        Ask(gateway, stop);
        await download.ReadBodyAsync(response);
        Assert.That(response.Sha256, Is.EqualTo(TestBackend.Pattern.Sha256(secs * ChunksPerSec * ChunkBytes)));
        Assert.That(backend.Told, Has.None.StartsWith("sigterm"), "stopped while the tunnel was open");
        await EchoAsync(socket, "after the stop was asked for");
        long closed = Stopwatch.GetTimestamp();
        socket.Dispose();
        await backend.ToldAsync("sigterm");

        Assert.That(
            Stopwatch.GetElapsedTime(closed).TotalSeconds,
            Strain.Within(closed, 0, 2),
            "seconds from the end of the last one to SIGTERM"
        );
        await backend.ExitedInTimeAsync();
        download.Dispose();
    }

    [TestCase(StopBy.Admin)]
    [TestCase(StopBy.Removal)]
    [TestCase(StopBy.Sigterm)]
    public async Task With_a_drain_timeout_of_two_seconds_they_end_at_two_seconds(StopBy stop)
    {
        GatewayProcess gateway = await GatewayAsync(drainSecs: 2);
        (RawClient download, RawResponse response) = await DownloadAsync(gateway, secs: 20);
        using RawClient socket = await WebSocketAsync(gateway);
        BackendProcess backend = await Control.StartAsync();
        long asked = Stopwatch.GetTimestamp();
        Ask(gateway, stop);
        Task<TimeSpan> cut = CutAsync(download, response, asked);

        Assert.That(await socket.EndsAsync(), "the WebSocket was not closed");
        TimeSpan closed = Stopwatch.GetElapsedTime(asked);
        await backend.ExitedInTimeAsync();

        Assert.That(closed.TotalSeconds, Strain.Within(asked, 1.9, 3.5), "seconds from the request to stop to the end of the WebSocket");
        Assert.That(
            (await cut).TotalSeconds,
            Strain.Within(asked, 1.9, 3.5),
            "seconds from the request to stop to the cut of the download"
        );
    }

    /// <summary>The idle clock starts when the last of them ends, not before.</summary>
    [Test]
    public async Task A_silent_tunnel_holds_its_backend_and_its_end_starts_the_idle_clock()
    {
        GatewayProcess gateway = await GatewayAsync(drainSecs: 10);
        using RawClient socket = await WebSocketAsync(gateway);
        BackendProcess backend = await Control.StartAsync();
        Assert.That(await backend.ToldAsync("sigterm").StaysOpenAsync(TimeSpan.FromSeconds(3)), "stopped under a silent tunnel");

        long closed = Stopwatch.GetTimestamp();
        socket.Dispose();
        await backend.ToldAsync("sigterm");

        Assert.That(Stopwatch.GetElapsedTime(closed).TotalSeconds, Strain.Within(closed, 0.95, 2.3));
    }

    private Task<GatewayProcess> GatewayAsync(int drainSecs) =>
        Scene.GatewayAsync(
            new ConfigFile()
                .Defaults("idle_timeout_secs = 1", $"drain_timeout_secs = {drainSecs}")
                .TestBackend(Host)
                .TestBackend("other.test", "--name=other")
        );

    private static void Ask(GatewayProcess gateway, StopBy stop)
    {
        switch (stop)
        {
            case StopBy.Admin:
                _ = gateway.Admin.PostAsync($"/backends/{Host}/stop");
                break;
            case StopBy.Removal:
                gateway.ReloadAtomically(gateway.Config.Without(Host).ToString());
                break;
            default:
                gateway.Signal(ProcessScan.Term);
                break;
        }
    }

    private static async Task<(RawClient Client, RawResponse Response)> DownloadAsync(GatewayProcess gateway, int secs)
    {
        RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(
            RawClient.Head(Host, $"/bytes?n={secs * ChunksPerSec * ChunkBytes}&chunk={ChunkBytes}&delayMs={1000 / ChunksPerSec}")
        );
        return (client, await client.ReadHeadAsync());
    }

    private static async Task<TimeSpan> CutAsync(RawClient download, RawResponse response, long asked)
    {
        Assert.That(
            async () => await download.ReadBodyAsync(response),
            Throws.InstanceOf<IncompleteMessageException>(),
            "a cut download must not look complete"
        );
        TimeSpan cut = Stopwatch.GetElapsedTime(asked);
        download.Dispose();
        return cut;
    }

    private static async Task<RawClient> WebSocketAsync(GatewayProcess gateway)
    {
        RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(
            RawClient.Head(
                Host,
                "/ws",
                headers: "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            )
        );
        RawResponse response = await client.ReadHeadAsync();
        Assert.That(response.Status, Is.EqualTo(101));
        await EchoAsync(client, "at once");
        return client;
    }

    /// <summary>A text frame there and back; a mask of zeros leaves the text as it is (RFC 6455 5.3).</summary>
    private static async Task EchoAsync(RawClient client, string text)
    {
        byte[] payload = Encoding.ASCII.GetBytes(text);
        await client.SendAsync((byte[])[0x81, (byte)(0x80 | payload.Length), 0, 0, 0, 0, .. payload]);
        Assert.That((await client.ReadBytesAsync(2 + payload.Length))[2..], Is.EqualTo(payload));
    }
}
