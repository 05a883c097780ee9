using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>WebSocket with clients and servers of other makers, and what a tunnel means to the life of its backend.</summary>
[LongRunning]
internal sealed class WebSocketTests : GatewayTest
{
    private static readonly TimeSpan ScriptLimit = TimeSpan.FromSeconds(60);

    [Test]
    public async Task Client_and_server_of_the_python_library_understand_each_other()
    {
        string python = Executables.PythonWithOrSkip("websockets");
        string scripts = Path.Combine(Executables.Repository, "tests", "Spawngate.EndToEnd.Tests", "Http1", "Scripts");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                $"command = {ConfigFile.Quote(python)}",
                $"args = [{ConfigFile.Quote(Path.Combine(scripts, "websocket_server.py"))}]",
                "health_path = \"\""
            )
        );

        Task<Tool> client = Tool.RunAsync(ScriptLimit, python, Path.Combine(scripts, "websocket_client.py"), Host, $"{gateway.Port}");

        Tool result = await client.InTimeAsync("end of the client", ScriptLimit);
        Assert.That(result.Out.Trim(), Is.EqualTo("well"), result.Error);
    }

    [Test]
    public async Task The_client_of_the_runtime_gets_its_messages_back([Values(0, 1, 1024, 16 * 1024 * 1024)] int size)
    {
        GatewayProcess gateway = await GatewayAsync();
        using ClientWebSocket socket = await ConnectAsync(gateway);
        byte[] message = TestBackend.Pattern.Take(size);
        byte[] back = new byte[size + 1];
        Task sent = socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);

        int length = 0;
        ValueWebSocketReceiveResult result;
        do
        {
            result = await socket.ReceiveAsync(back.AsMemory(length), CancellationToken.None).AsTask().InTimeAsync("a message");
            length += result.Count;
        } while (!result.EndOfMessage);
        await sent;

        Assert.That(back.AsSpan(0, length).SequenceEqual(message));
        await socket.CloseAsync((WebSocketCloseStatus)4001, "bye", CancellationToken.None).InTimeAsync("the close");
        Assert.That(((int?)socket.CloseStatus, socket.CloseStatusDescription), Is.EqualTo((4001, "bye")));
    }

    [Test]
    [NonParallelizable]
    public async Task A_thousand_tunnels_at_once()
    {
        const int Count = 1000;
        GatewayProcess gateway = await GatewayAsync();
        long began = Stopwatch.GetTimestamp();
        ClientWebSocket[] sockets = await Task.WhenAll(Enumerable.Range(0, Count).Select(_ => ConnectAsync(gateway)));
        Assert.That(await InFlightAsync(gateway), Is.EqualTo(Count));

        for (int round = 0; round < 3; round++)
        {
            await Task.WhenAll(sockets.Select((socket, i) => EchoedAsync(socket, $"message {round} of {i}")));
        }

        await Task.WhenAll(
            sockets.Select(socket =>
                socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None).InTimeAsync("the close")
            )
        );
        Array.ForEach(sockets, socket => socket.Dispose());
        await gateway.UntilAsync("nothing is in flight", async () => await InFlightAsync(gateway) == 0);
        await Figures.NoteAsync(
            $"{Count} tunnels opened, used three times and closed: {Stopwatch.GetElapsedTime(began).TotalSeconds:F1} s"
        );
    }

    [Test]
    public async Task An_open_tunnel_prevents_the_idle_stop()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("idle_timeout_secs = 1", "request_timeout_secs = 1").TestBackend(Host)
        );
        using ClientWebSocket socket = await ConnectAsync(gateway);
        BackendProcess backend = await Control.StartAsync();

        Assert.That(await backend.Exited.StaysOpenAsync(TimeSpan.FromSeconds(3)), "stopped in spite of the tunnel");
        await EchoedAsync(socket, "still here");
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None).InTimeAsync("the close");

        long closed = Stopwatch.GetTimestamp();
        await backend.ExitedInTimeAsync();
        Assert.That(
            Stopwatch.GetElapsedTime(closed).TotalSeconds,
            Strain.Within(closed, 0.8, 3.5),
            "the idle clock starts when the tunnel ends"
        );
    }

    [Test]
    public async Task A_drain_waits_for_a_tunnel_and_then_closes_it()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Defaults("drain_timeout_secs = 2").TestBackend(Host));
        using ClientWebSocket socket = await ConnectAsync(gateway);
        long asked = Stopwatch.GetTimestamp();
        gateway.Signal(ProcessScan.Term);
        await gateway.LogsAsync("Stopping");
        await EchoedAsync(socket, "while it drains");

        Assert.That(await gateway.ExitAsync(), Is.Zero);
        Assert.That(Stopwatch.GetElapsedTime(asked).TotalSeconds, Strain.Within(asked, 1.8, 6));
        Assert.That(async () => await EchoedAsync(socket, "too late"), Throws.InstanceOf<WebSocketException>());
    }

    [Test]
    public async Task A_browser_gets_its_messages_back()
    {
        string browser = Executables.Find("chromium") ?? Executables.FindOrSkip("chromium-browser");
        const string BrowserHost = "browser.localhost";
        GatewayProcess gateway = await Scene.GatewayAsync(ScriptedUpstream.Configure(new ConfigFile(), BrowserHost));
        var page = new BrowserPage();
        using ScriptedUpstream upstream = await ScriptedUpstream.StartAsync(gateway, Control, BrowserHost, page.ServeAsync);
        string[] flags =
        [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        var info = new ProcessStartInfo(
            browser,
            [.. flags, $"--user-data-dir={Scene.NewFolder("browser")}", $"http://{BrowserHost}:{gateway.Port}/"]
        )
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(info)!;
        _ = process.StandardError.ReadToEndAsync();
        _ = process.StandardOutput.ReadToEndAsync();
        try
        {
            Assert.That(await page.Report.InTimeAsync("the report of the page", ScriptLimit), Is.EqualTo("/report?well"));
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync().InTimeAsync("end of the browser");
        }
    }

    private static async Task EchoedAsync(ClientWebSocket socket, string text)
    {
        byte[] back = new byte[text.Length + 1];
        await socket.SendAsync(Encoding.ASCII.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
        WebSocketReceiveResult result = await socket.ReceiveAsync(back, CancellationToken.None).InTimeAsync("an echo");
        Assert.That(Encoding.ASCII.GetString(back, 0, result.Count), Is.EqualTo(text));
    }

    private static async Task<int> InFlightAsync(GatewayProcess gateway) =>
        (await gateway.Admin.BackendAsync(Host)).GetProperty("in_flight").GetInt32();

    private static async Task<ClientWebSocket> ConnectAsync(GatewayProcess gateway)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancel) =>
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(IPAddress.Loopback, gateway.Port, cancel);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        var client = new ClientWebSocket();
        client.Options.KeepAliveInterval = TimeSpan.Zero;
        await client
            .ConnectAsync(new Uri($"ws://{Host}/ws"), new HttpMessageInvoker(handler), CancellationToken.None)
            .InTimeAsync("the handshake");
        return client;
    }
}
