using System.Net;
using System.Net.Sockets;
using System.Text;
using Spawngate.Hello;

namespace Spawngate.Tests;

/// <summary>The demo backend over real sockets, well-behaved clients and others.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class HelloTests
{
    private readonly CancellationTokenSource _stop = new();
    private HelloBackend _backend = null!;
    private Task _running = null!;

    [SetUp]
    public void Start()
    {
        _backend = new HelloBackend(new IPEndPoint(IPAddress.Loopback, 0));
        _running = _backend.RunAsync(_stop.Token);
    }

    [TearDown]
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _backend.Dispose();
        _stop.Dispose();
    }

    [Test]
    public async Task The_page_shows_the_request()
    {
        string answer = await TalkAsync(
            "GET /some/path?q=1 HTTP/1.1\r\nHost: hello.localhost:8080\r\nX-Thing: \u00e4\r\nConnection: close\r\n\r\n"
        );
        Assert.That(answer, Does.StartWith("HTTP/1.1 200 OK\r\n").And.Contain("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
        Assert.That(
            answer,
            Does.Contain("host      hello.localhost:8080\n").And.Contain("method    GET\n").And.Contain("path      /some/path?q=1\n")
        );
        Assert.That(answer, Does.Contain($"pid       {Environment.ProcessId}\n").And.Contain("requests  1\n").And.Contain("uptime    0."));
        Assert.That(answer, Does.Contain("  X-Thing: \u00e4\n").And.Contain("Connection: close\r\n"));
    }

    [TestCase("/health")]
    [TestCase("/health?x=1")]
    public async Task Health_is_ok(string target)
    {
        string answer = await TalkAsync($"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.That(answer, Does.StartWith("HTTP/1.1 200 OK\r\n").And.EndsWith("\r\n\r\nok\n"));
    }

    [Test]
    public async Task Pipelined_requests_with_bodies_are_answered_in_order_on_one_connection()
    {
        string answer = await TalkAsync(
            "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                + "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n"
                + "\r\nHEAD /3 HTTP/1.1\r\nHost: x\r\n\r\n"
                + "GET /4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );
        Assert.That(answer.Split("HTTP/1.1 200 OK"), Has.Length.EqualTo(5));
        int[] positions =
        [
            answer.IndexOf("path      /1", StringComparison.Ordinal),
            answer.IndexOf("path      /2", StringComparison.Ordinal),
            answer.IndexOf("path      /4", StringComparison.Ordinal),
        ];
        Assert.That(positions, Is.Ordered.And.All.GreaterThan(0));
        Assert.That(answer, Does.Not.Contain("path      /3"));
    }

    [Test]
    public async Task A_large_body_is_drained()
    {
        byte[] request =
        [
            .. "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\nConnection: close\r\n\r\n"u8,
            .. new byte[3_000_000],
        ];
        Assert.That(await TalkAsync(request), Does.StartWith("HTTP/1.1 200"));
    }

    [Test]
    public async Task A_client_that_waits_for_100_gets_it()
    {
        using Socket socket = await ConnectAsync();
        await socket.SendAsync(
            "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"u8.ToArray()
        );
        var buffer = new byte[100];
        int received = await socket.ReceiveAsync(buffer);
        Assert.That(Encoding.ASCII.GetString(buffer, 0, received), Is.EqualTo("HTTP/1.1 100 Continue\r\n\r\n"));
        await socket.SendAsync("ok"u8.ToArray());
        Assert.That(await ReadAllAsync(socket), Does.StartWith("HTTP/1.1 200"));
    }

    [Test]
    public async Task Http_10_closes_unless_asked_to_stay()
    {
        Assert.That(await TalkAsync("GET / HTTP/1.0\r\n\r\n"), Does.Contain("Connection: close\r\n"));
        string kept = await TalkAsync("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n");
        Assert.That(kept.Split("HTTP/1.1 200 OK"), Has.Length.EqualTo(3));
        Assert.That(kept, Does.Contain("Connection: keep-alive\r\n"));
    }

    [TestCase("garbage\r\n\r\n")]
    [TestCase("GET  / HTTP/1.1\r\n\r\n")]
    [TestCase("GET / HTTP/1.1\r\n\r\n")]
    [TestCase("GET / HTTP/1.1\r\nHost: x\r\nName : x\r\n\r\n")]
    [TestCase("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n")]
    [TestCase("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")]
    public async Task What_is_no_request_is_refused_and_the_server_goes_on(string garbage)
    {
        Assert.That(await TalkAsync(garbage), Does.StartWith("HTTP/1.1 400 Bad Request\r\n").And.Contain("Connection: close\r\n"));
        Assert.That(await TalkAsync("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), Does.StartWith("HTTP/1.1 200"));
    }

    [Test]
    public async Task A_head_without_end_is_refused()
    {
        string endless = "GET / HTTP/1.1\r\n" + string.Concat(Enumerable.Repeat("X-Filler: aaaaaaaaaaaaaaaaaaaaaaaa\r\n", 3000));
        Assert.That(await TalkAsync(endless), Does.StartWith("HTTP/1.1 431 "));
    }

    [Test]
    public async Task Random_bytes_and_rude_hang_ups_do_not_end_the_server()
    {
        var random = new Random(20260131);
        for (int i = 0; i < 200; i++)
        {
            byte[] noise = new byte[random.Next(1, 2000)];
            random.NextBytes(noise);
            using Socket socket = await ConnectAsync();
            await socket.SendAsync(noise);
            socket.LingerState = new LingerOption(true, 0);
        }

        Assert.That(await TalkAsync("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), Does.StartWith("HTTP/1.1 200"));
    }

    [Test]
    public async Task A_hundred_connections_at_once_are_all_served()
    {
        string[] answers = await Task.WhenAll(
            Enumerable.Range(0, 100).Select(_ => TalkAsync("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
        );
        Assert.That(answers, Has.All.StartsWith("HTTP/1.1 200"));
        Assert.That(answers.Count(answer => answer.Contains("requests  100\n")), Is.EqualTo(1));
    }

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_backend.Endpoint);
        return socket;
    }

    private Task<string> TalkAsync(string request) => TalkAsync(Encoding.Latin1.GetBytes(request));

    private async Task<string> TalkAsync(byte[] request)
    {
        using Socket socket = await ConnectAsync();
        await socket.SendAsync(request);
        return await ReadAllAsync(socket);
    }

    private static async Task<string> ReadAllAsync(Socket socket)
    {
        using var stream = new NetworkStream(socket);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return await reader.ReadToEndAsync();
    }
}
