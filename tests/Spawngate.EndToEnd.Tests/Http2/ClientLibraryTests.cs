using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using Spawngate.EndToEnd.Tests.Harness;
using TestBackend;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>Ordinary traffic with clients of other makers: the runtime's own, and the command-line ones.</summary>
internal sealed class ClientLibraryTests : Http2Test
{
    [Test]
    public async Task The_client_of_the_runtime_gets_what_it_asks_for()
    {
        using HttpClient http = Create();
        for (int i = 0; i < 5; i++)
        {
            using HttpResponseMessage response = await http.SendAsync(Request(HttpMethod.Get, $"/echo?i={i}")).InTimeAsync("a response");
            string text = await response.Content.ReadAsStringAsync();

            Assert.That((response.Version, response.StatusCode), Is.EqualTo((HttpVersion.Version20, HttpStatusCode.OK)));
            Assert.That(text, Does.StartWith($"GET /echo?i={i} HTTP/1.1\r\n"));
        }
    }

    [Test]
    public async Task The_client_of_the_runtime_sends_and_receives_at_once()
    {
        using HttpClient http = Create();
        await Task.WhenAll(
            Enumerable
                .Range(0, 50)
                .Select(async i =>
                {
                    int size = 20_000 * i;
                    using HttpRequestMessage request = Request(HttpMethod.Post, "/mirror");
                    request.Content = new StreamContent(new MemoryStream(Pattern.Take(size)));
                    using HttpResponseMessage response = await http.SendAsync(request).InTimeAsync("a response");

                    byte[] body = await response.Content.ReadAsByteArrayAsync().InTimeAsync("a body");
                    Assert.That(Convert.ToHexStringLower(SHA256.HashData(body)), Is.EqualTo(Pattern.Sha256(size)));
                })
        );
    }

    [Test]
    public async Task The_client_of_the_runtime_gets_trailers_and_errors()
    {
        using HttpClient http = Create();
        using HttpResponseMessage trailing = await http.SendAsync(Request(HttpMethod.Get, "/trailers")).InTimeAsync("a response");
        Assert.That(trailing.TrailingHeaders.GetValues("X-Checksum"), Is.EqualTo(new[] { "abc" }));

        using HttpRequestMessage unknown = Request(HttpMethod.Get, "/");
        unknown.Headers.Host = "nobody.test";
        using HttpResponseMessage refused = await http.SendAsync(unknown).InTimeAsync("a response");
        Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));

        Assert.That(
            async () => await http.SendAsync(Request(HttpMethod.Get, "/close?at=mid-body")),
            Throws.InstanceOf<HttpRequestException>().Or.InstanceOf<HttpIOException>()
        );
        using HttpResponseMessage next = await http.SendAsync(Request(HttpMethod.Get, "/status?code=200")).InTimeAsync("a response");
        Assert.That(next.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task The_python_library_mirrors_forty_bodies_at_once()
    {
        string python = Executables.PythonWithOrSkip("h2");
        string script = Path.Combine(Executables.Repository, "tests", "Spawngate.EndToEnd.Tests", "Http2", "Scripts", "h2_client.py");

        Tool client = await Tool.RunAsync(TimeSpan.FromSeconds(60), python, script, $"{Port}", Host);

        Assert.That((client.Out.Trim(), client.Code), Is.EqualTo(("done", 0)), client.Error);
    }

    [Test]
    public async Task The_WebSocket_of_the_runtime_goes_by_extended_CONNECT()
    {
        using var invoker = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false });
        using var socket = new ClientWebSocket();
        socket.Options.HttpVersion = HttpVersion.Version20;
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        socket.Options.SetRequestHeader("Host", Host);
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{Port}/ws"), invoker, CancellationToken.None).InTimeAsync("the tunnel");
        byte[] message = Pattern.Take(200_000);
        byte[] back = new byte[message.Length];
        Task sent = socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);
        int length = 0;
        while (length < back.Length)
        {
            length += (await socket.ReceiveAsync(back.AsMemory(length), CancellationToken.None).AsTask().InTimeAsync("a message")).Count;
        }

        await sent;
        Assert.That(back, Is.EqualTo(message));
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None).InTimeAsync("the close");
    }

    [TestCase("--http2-prior-knowledge")]
    [TestCase("--http2")]
    public async Task Curl_understands(string way)
    {
        Tool curl = await Tool.CurlAsync(
            way,
            "-w",
            " %{http_version} %{http_code}",
            "-H",
            $"Host: {Host}",
            $"http://127.0.0.1:{Port}/status?code=200"
        );

        Assert.That(curl.Out, Is.EqualTo("status 200 2 200"), curl.Error);
    }

    [Test]
    public async Task Nghttp_understands_both_ways([Values] bool upgrade)
    {
        string nghttp = Executables.FindOrSkip("nghttp");
        string[] way = upgrade ? ["-u"] : [];
        string header = upgrade ? "host" : ":authority";
        Tool tool = await Tool.RunAsync(nghttp, [.. way, "-H", $"{header}: {Host}", $"http://127.0.0.1:{Port}/status?code=200", "-v"]);

        Assert.That(tool.Code, Is.Zero, tool.Error);
        Assert.That(tool.Out, Does.Contain(":status: 200").And.Contain("status 200"), tool.Error);
    }

    private static HttpClient Create() =>
        new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://127.0.0.1:{Port}") };

    private static HttpRequestMessage Request(HttpMethod method, string path)
    {
        var request = new HttpRequestMessage(method, path)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Host = Host;
        return request;
    }
}
