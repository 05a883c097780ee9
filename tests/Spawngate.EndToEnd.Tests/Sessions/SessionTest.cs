using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Sessions;

/// <summary>A test with sessions.</summary>
internal abstract class SessionTest : GatewayTest
{
    /// <summary>The domain of sessions.</summary>
    protected const string Domain = "session.localhost";

    /// <summary>A configuration with a template <c>t</c> that runs TestBackend.</summary>
    protected static ConfigFile Config(string[]? lines = null, params string[] args) =>
        new ConfigFile().Section("[sessions]", $"domain = \"{Domain}\"").Template("t", lines ?? [], args);

    /// <summary>A gateway with an admin token, which its client sends.</summary>
    protected async Task<GatewayProcess> GatewayWithTokenAsync(ConfigFile config)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(config.Server("admin_token = \"open-sesame\""));
        gateway.Admin.Token = "open-sesame";
        return gateway;
    }

    /// <summary>A call of <c>/spawn</c> that must succeed.</summary>
    protected static async Task<Spawned> SpawnAsync(GatewayProcess gateway, string body = """{"template":"t"}""")
    {
        (int status, JsonElement answer) = await CallAsync(gateway, HttpMethod.Post, "/spawn", body);
        Assert.That(status, Is.EqualTo(200), answer.ToString());
        return new Spawned(
            answer.GetProperty("url").GetString()!,
            answer.GetProperty("name").GetString()!,
            answer.GetProperty("readyUrl").GetString()!,
            answer.GetProperty("statusUrl").GetString()!,
            answer.GetProperty("spawned").GetBoolean()
        );
    }

    /// <summary>Any call; the body of the answer is JSON.</summary>
    protected static async Task<(int Status, JsonElement Answer)> CallAsync(
        GatewayProcess gateway,
        HttpMethod method,
        string path,
        string? body = null
    )
    {
        using HttpResponseMessage response = await gateway.Admin.SendAsync(method, path, body: body);
        return ((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement);
    }

    /// <summary>Waits until the session is ready, by the call made for that.</summary>
    protected static async Task ReadyAsync(GatewayProcess gateway, Spawned session)
    {
        using HttpResponseMessage response = await gateway.Admin.SendAsync(HttpMethod.Get, $"/backend/{session.Name}/ready?wait=60");
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Redirect), () => gateway.LogText);
        Assert.That(response.Headers.Location!.OriginalString, Is.EqualTo(session.Url));
    }

    /// <summary>The state of a session.</summary>
    protected static async Task<string> StateAsync(GatewayProcess gateway, Spawned session) =>
        (await gateway.Admin.JsonAsync($"/backend/{session.Name}/status")).GetProperty("state").GetString()!;

    /// <summary>Waits until a session is in a state.</summary>
    protected static Task UntilAsync(GatewayProcess gateway, Spawned session, string state) =>
        gateway.UntilAsync($"{session.Name} is {state}", async () => await StateAsync(gateway, session) == state);

    /// <summary>Asks a session.</summary>
    protected static Task<RawResponse> AskAsync(GatewayProcess gateway, Spawned session, string target = "/") =>
        RawClient.RequestAsync(gateway.Port, session.Host, target);

    /// <summary>Opens a WebSocket to a session, whose name no resolver needs to know.</summary>
    protected static async Task<ClientWebSocket> TunnelAsync(GatewayProcess gateway, Spawned session)
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
        await client
            .ConnectAsync(new Uri($"ws://{session.Host}:{gateway.Port}/ws"), new HttpMessageInvoker(handler), CancellationToken.None)
            .InTimeAsync("the handshake");
        return client;
    }

    /// <summary>The events of a stream, to its end.</summary>
    protected static async Task<List<(string? Id, string Data)>> StreamAsync(GatewayProcess gateway, string path)
    {
        using HttpResponseMessage response = await gateway.Admin.SendAsync(HttpMethod.Get, path);
        Assert.That(response.Content.Headers.ContentType?.MediaType, Is.EqualTo("text/event-stream"));
        string text = await response.Content.ReadAsStringAsync();
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(each => each != ":").Select(Parse)];
    }

    private static (string? Id, string Data) Parse(string text)
    {
        string[] lines = text.Split('\n');
        return (
            lines.FirstOrDefault(line => line.StartsWith("id: ", StringComparison.Ordinal))?[4..],
            lines.Single(line => line.StartsWith("data: ", StringComparison.Ordinal))[6..]
        );
    }

    /// <summary>What a call gave.</summary>
    protected sealed record Spawned(string Url, string Name, string ReadyUrl, string StatusUrl, bool IsNew)
    {
        /// <summary>The host of the session.</summary>
        public string Host => $"{Name}.{Domain}";
    }
}
