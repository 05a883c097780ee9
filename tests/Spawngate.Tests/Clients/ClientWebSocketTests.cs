using Spawngate.Backends;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>WebSockets that keep their backend only while somebody says something in them, over HTTP/1.1.</summary>
internal sealed class ClientWebSocketTests
{
    private const string Upgrade =
        "GET /chat HTTP/1.1\r\nHost: app.example.com\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: x\r\n\r\n";
    private const string Switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    private const string Text = "\x81\x02hi";
    private const string Ping = "\x89\x00";
    private const string GoingAway = "\x88\x02\x03\xe9";

    [Test]
    public async Task Pings_do_not_keep_it_and_the_idle_stop_says_goodbye()
    {
        await using var stage = await StartAsync();
        var (client, backend) = await TunnelAsync(stage);
        await PassAsync(client, backend, Text);
        await PassAsync(backend, client, Text);
        for (int secs = 0; secs < 30; secs += 5)
        {
            stage.Time.AdvanceMs(5000);
            await PassAsync(client, backend, Ping);
            await PassAsync(backend, client, Ping);
        }

        stage.Time.AdvanceMs(1000);
        await UntilAsync(() => stage.Backend.Word is { InUse: 0, PassiveCount: 1 });
        await PassAsync(backend, client, Ping);
        Assert.That(stage.Backend.Word.PassiveCount, Is.EqualTo(1));

        stage.Time.AdvanceMs(30_000);
        Assert.That(await client.ReadToEndAsync(), Is.EqualTo(GoingAway));
        await PassAsync(client, backend, GoingAway);
        client.EndSending();
        Assert.That(await backend.ReadToEndAsync(), Is.Empty);
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task Data_of_either_side_keeps_it([Values] bool fromClient)
    {
        await using var stage = await StartAsync();
        var (client, backend) = await TunnelAsync(stage);
        for (int secs = 0; secs < 200; secs += 20)
        {
            stage.Time.AdvanceMs(20_000);
            await (fromClient ? PassAsync(client, backend, Text) : PassAsync(backend, client, Text));
            Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 1)));
        }

        stage.Time.AdvanceMs(31_000);
        await UntilAsync(() => stage.Backend.Word.PassiveCount == 1);
        await (fromClient ? PassAsync(client, backend, Text) : PassAsync(backend, client, Text));
        Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 1)), "in use again");
    }

    [Test]
    public async Task Nothing_is_put_into_a_frame_that_is_half_sent()
    {
        await using var stage = await StartAsync();
        var (client, backend) = await TunnelAsync(stage);
        await PassAsync(backend, client, "\x81\x05hal");
        stage.Time.AdvanceMs(31_000);
        await UntilAsync(() => stage.Backend.Word.PassiveCount == 1);
        stage.Time.AdvanceMs(30_000);
        Assert.That(await client.ReadToEndAsync(), Is.Empty);
        client.Dispose();
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task Nothing_follows_a_close_frame_of_the_backend()
    {
        await using var stage = await StartAsync();
        var (client, backend) = await TunnelAsync(stage);
        await PassAsync(backend, client, "\x88\x02\x03\xe8");
        stage.Time.AdvanceMs(31_000);
        await UntilAsync(() => stage.Backend.Word.PassiveCount == 1);
        stage.Time.AdvanceMs(30_000);
        Assert.That(await client.ReadToEndAsync(), Is.Empty);
        client.Dispose();
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task A_client_that_does_not_answer_the_goodbye_is_not_waited_for_long()
    {
        await using var stage = await StartAsync();
        var (client, backend) = await TunnelAsync(stage);
        stage.Time.AdvanceMs(31_000);
        await UntilAsync(() => stage.Backend.Word.PassiveCount == 1);
        stage.Time.AdvanceMs(30_000);
        Assert.That(await client.ReadToEndAsync(), Is.EqualTo(GoingAway));
        await stage.AdvanceUntilAsync(client.Served);
        Assert.That(await backend.ReadToResetOrEndAsync(), Is.Empty);
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task A_side_that_has_ended_already_keeps_no_goodbye_waiting()
    {
        await using var stage = await StartAsync();
        var (client, backend) = await TunnelAsync(stage);
        backend.EndSending();
        Assert.That(await client.ReadToEndAsync(), Is.Empty);
        stage.Time.AdvanceMs(31_000);
        await UntilAsync(() => stage.Backend.Word.PassiveCount == 1);
        await stage.AdvanceUntilAsync(client.Served, stepMs: 1000);
        await stage.EndedAsync(client);
    }

    [TestCase("")]
    [TestCase("mqtt")]
    [TestCase("websocket, mqtt")]
    public async Task Tunnels_of_other_protocols_keep_it_until_they_close(string protocol)
    {
        await using var stage = await StartAsync(protocol.Length == 0 ? 0 : 30);
        string name = protocol.Length == 0 ? "websocket" : protocol;
        var (client, backend) = await TunnelAsync(stage, name);
        await PassAsync(client, backend, "\x89\x00\xff\xff");
        for (int secs = 0; secs < 300; secs += 10)
        {
            stage.Time.AdvanceMs(10_000);
            await PassAsync(backend, client, Ping);
        }

        Assert.That(stage.Backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Ready, 1, 1)));
    }

    [Test]
    public async Task Long_messages_pass_unchanged_in_both_directions()
    {
        await using var stage = await StartAsync();
        var (client, backend) = await TunnelAsync(stage);
        const int Length = 3_000_000;
        var random = new Random(8);
        byte[] payload = new byte[Length];
        random.NextBytes(payload);
        byte[] frame = [0x82, 127, 0, 0, 0, 0, .. BitConverter.GetBytes(System.Net.IPAddress.HostToNetworkOrder(Length)), .. payload];
        foreach (var (from, to) in new[] { (client, backend), (backend, client) })
        {
            var sent = from.SendAsync(frame);
            string arrived = await to.ReadTextAsync(frame.Length);
            await sent;
            Assert.That(arrived == System.Text.Encoding.Latin1.GetString(frame));
            await PassAsync(from, to, Text);
        }

        stage.Time.AdvanceMs(31_000);
        await UntilAsync(() => stage.Backend.Word.PassiveCount == 1);
        stage.Time.AdvanceMs(30_000);
        Assert.That(await client.ReadToEndAsync(), Is.EqualTo(GoingAway), "the frames were followed to the end");
    }

    [Test]
    public async Task What_holds_it_is_told_with_how_long_it_has_been_quiet()
    {
        await using var stage = await StartAsync();
        var (client, backend) = await TunnelAsync(stage);
        stage.Time.AdvanceMs(10_000);
        await PassAsync(client, backend, Text);
        stage.Time.AdvanceMs(12_000);
        Assert.That(Words(), Is.EqualTo("tunnel GET /chat from 192.0.2.7, 22 s (quiet for 12 s)"));
        stage.Time.AdvanceMs(20_000);
        await UntilAsync(() => stage.Backend.Word.PassiveCount == 1);
        Assert.That(Words(), Is.EqualTo("tunnel GET /chat from 192.0.2.7, 42 s (quiet for 32 s, does not count)"));

        string Words() => stage.Connections.FindActiveRequests(stage.Backend, 3).Single().Words;
    }

    private static Task<ForwardingStage> StartAsync(int webSocketIdleSecs = 30) =>
        ForwardingStage.StartAsync(config =>
            config with
            {
                IdleTimeoutSecs = 60,
                DrainTimeoutSecs = 20,
                WebSocketIdleSecs = webSocketIdleSecs,
                ReadyHealthCheckIntervalMs = 0,
            }
        );

    private static async Task<(WireEnd Client, WireEnd Backend)> TunnelAsync(ForwardingStage stage, string protocol = "WebSocket")
    {
        var client = await stage.ConnectAsync();
        await client.SendAsync(Upgrade.Replace("WebSocket\r", protocol + "\r", StringComparison.Ordinal));
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        string answer = protocol.Contains("websocket", StringComparison.OrdinalIgnoreCase) ? "websocket" : protocol;
        await backend.SendAsync(Switching.Replace("websocket", answer, StringComparison.Ordinal));
        await client.ReadHeadAsync();
        await UntilAsync(() => stage.Backend.Traffic.Tunnels == 1);
        return (client, backend);
    }

    private static async Task PassAsync(WireEnd from, WireEnd to, string bytes)
    {
        await from.SendAsync(bytes);
        Assert.That(await to.ReadTextAsync(bytes.Length), Is.EqualTo(bytes));
    }

    private static Task UntilAsync(Func<bool> condition) =>
        Task.Run(() => Assert.That(SpinWait.SpinUntil(condition, TimeSpan.FromSeconds(30))));
}
