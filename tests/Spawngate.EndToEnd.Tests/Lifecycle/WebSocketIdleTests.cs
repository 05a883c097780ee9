using System.Diagnostics;
using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>One forgotten tab with a WebSocket does not keep an app awake for ever, if <c>websocket_idle_secs</c> says so.</summary>
[LongRunning]
internal sealed class WebSocketIdleTests : GatewayTest
{
    private static readonly TimeSpan ScriptLimit = TimeSpan.FromSeconds(70);

    [Test]
    public async Task A_forgotten_tab_is_told_that_the_server_goes_away_and_a_new_one_wakes_it()
    {
        string python = Executables.PythonWithOrSkip("websockets");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Defaults("idle_timeout_secs = 1", "websocket_idle_secs = 1")
                .Backend(
                    Host,
                    $"command = {ConfigFile.Quote(python)}",
                    $"args = [{ConfigFile.Quote(ScriptOf("Http1", "websocket_server.py"))}]",
                    "health_path = \"\""
                )
        );

        long began = Stopwatch.GetTimestamp();
        Tool tab = await RunTabAsync(gateway, python, messages: 6);
        Assert.That(tab.Out.Trim(), Is.EqualTo("1001"), tab.Error);
        Assert.That(Stopwatch.GetElapsedTime(began).TotalSeconds, Is.GreaterThan(4), "3 s of messages, and 1 s without");
        await gateway.UntilAsync("it has stopped for idleness", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("last_stop_reason").GetString() == "idle"
        );
        Assert.That(gateway.LogText, Does.Not.Contain("are cut after"));

        Tool again = await RunTabAsync(gateway, python, messages: 0);
        Assert.That(again.Out.Trim(), Is.EqualTo("1001"), again.Error);
        await gateway.UntilStateAsync(Host, "stopped");
        Assert.That((await gateway.Admin.BackendAsync(Host)).GetProperty("generation").GetInt32(), Is.EqualTo(2));
    }

    [Test]
    public async Task A_browser_that_answers_nothing_is_told_over_either_protocol([Values(1, 2)] int version)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("idle_timeout_secs = 1", "websocket_idle_secs = 2").TestBackend(Host)
        );
        using var invoker = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false });
        using var socket = new ClientWebSocket();
        socket.Options.HttpVersion = version == 2 ? HttpVersion.Version20 : HttpVersion.Version11;
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        socket.Options.KeepAliveInterval = TimeSpan.FromMilliseconds(100);
        socket.Options.SetRequestHeader("Host", Host);
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{gateway.Port}/ws"), invoker, CancellationToken.None).InTimeAsync("the tunnel");
        BackendProcess backend = await Control.StartAsync();
        byte[] back = new byte[10];
        for (int round = 0; round < 6; round++)
        {
            Assert.That(await backend.Exited.StaysOpenAsync(TimeSpan.FromSeconds(0.5)));
            await socket.SendAsync(Encoding.ASCII.GetBytes("hello"), WebSocketMessageType.Text, true, CancellationToken.None);
            var echoed = await socket.ReceiveAsync(back.AsMemory(), CancellationToken.None).AsTask().InTimeAsync("an echo");
            Assert.That(Encoding.ASCII.GetString(back, 0, echoed.Count), Is.EqualTo("hello"));
        }

        Assert.That(backend.Told, Has.None.EqualTo("sigterm"), "3 s of messages are longer than both times");
        ValueWebSocketReceiveResult result = await socket
            .ReceiveAsync(back.AsMemory(), CancellationToken.None)
            .AsTask()
            .InTimeAsync("the goodbye");
        Assert.That(
            (result.MessageType, socket.CloseStatus),
            Is.EqualTo((WebSocketMessageType.Close, WebSocketCloseStatus.EndpointUnavailable))
        );
        await backend.ExitedInTimeAsync();
        await gateway.UntilStateAsync(Host, "stopped");
        JsonElement report = await gateway.Admin.BackendAsync(Host);
        Assert.That((report.GetProperty("in_flight").GetInt32(), report.GetProperty("tunnels").GetInt32()), Is.EqualTo((0, 0)));
        Assert.That(gateway.LogText, Does.Not.Contain("are cut after").And.Not.Contain("unexpected"));
    }

    [Test]
    public async Task What_is_quiet_is_told_as_such_and_counts_again_when_somebody_speaks()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("idle_timeout_secs = 60", "websocket_idle_secs = 1").TestBackend(Host)
        );
        using var invoker = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false });
        using var socket = new ClientWebSocket();
        socket.Options.KeepAliveInterval = TimeSpan.FromMilliseconds(100);
        socket.Options.SetRequestHeader("Host", Host);
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{gateway.Port}/ws"), invoker, CancellationToken.None).InTimeAsync("the tunnel");
        await gateway.UntilAsync("it is quiet", async () => await PassiveAsync(gateway) == 1);
        string told = await gateway.Admin.TextAsync($"/backends/{Host}?format=text");
        Assert.That(
            told,
            Does.Contain("1 request or tunnel that does not count as use (no_wake, or a quiet WebSocket)")
                .And.Match(@"tunnel GET /ws from 127\.0\.0\.1, \d+ s \(quiet for \d+ s, does not count\)")
                .And.Contain("  stops      at ")
        );

        await socket.SendAsync(new byte[1], WebSocketMessageType.Binary, true, CancellationToken.None);
        await gateway.UntilAsync("it counts", async () => await PassiveAsync(gateway) == 0);
        Assert.That((await gateway.Admin.BackendAsync(Host)).GetProperty("in_flight").GetInt32(), Is.EqualTo(1));
    }

    private static async Task<int> PassiveAsync(GatewayProcess gateway) =>
        (await gateway.Admin.BackendAsync(Host)).GetProperty("no_wake").GetInt32();

    private static Task<Tool> RunTabAsync(GatewayProcess gateway, string python, int messages) =>
        Tool.RunAsync(ScriptLimit, python, ScriptOf("Lifecycle", "forgotten_tab.py"), Host, $"{gateway.Port}", $"{messages}");

    private static string ScriptOf(string folder, string name) =>
        Path.Combine(Executables.Repository, "tests", "Spawngate.EndToEnd.Tests", folder, "Scripts", name);
}
