using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http1;
using Spawngate.EndToEnd.Tests.Http2;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>Servers with one thread, which serves a connection until it is closed, and how many connections they are sent.</summary>
internal sealed class SingleThreadedServerTests : GatewayTest
{
    private const string Blocks = "The backend serves no other connection while one is kept open";

    /// <summary>No request may take as long as one that waits until somebody's patience ends.</summary>
    private static readonly TimeSpan Quick = TimeSpan.FromSeconds(5);

    [Test]
    [Platform("Linux")]
    public async Task Pythons_server_with_kept_connections_serves_one_after_the_other_and_many_at_once()
    {
        GatewayProcess gateway = await PythonAsync();
        for (int i = 0; i < 20; i++)
        {
            await AskAsync(gateway);
        }

        for (int round = 0; round < 3; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => AskAsync(gateway)));
        }

        await gateway.LogsAsync(Blocks);
        Assert.That(gateway.Log.Lines.Count(static line => line.Says(Blocks)), Is.EqualTo(1));
        Assert.That(gateway.Log.Lines.Where(static line => line.Says("Request failed")), Is.Empty);
    }

    /// <summary>It writes head and body apart, and each waits for the acknowledgement of the other: 40 ms.</summary>
    [Test]
    [Platform("Linux")]
    public async Task Pythons_server_is_not_kept_waiting_for_acknowledgements([Values] bool overHttp2)
    {
        GatewayProcess gateway = await PythonAsync();
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        using H2Client http2 = await H2Client.ConnectAsync(gateway.Port);
        var times = new List<TimeSpan>();

        // The first sixteen of a connection are acknowledged at once anyway.
        for (int i = 0; i < 61; i++)
        {
            long begun = Stopwatch.GetTimestamp();
            RawResponse response = overHttp2 ? await http2.ExchangeAsync(Host, "/") : await client.ExchangeAsync(Host, "/");
            times.Add(Stopwatch.GetElapsedTime(begun));
            Assert.That((response.Status, response.Text), Is.EqualTo((200, "hello")));
        }

        times.Sort();
        Assert.That(times[times.Count / 2], Is.LessThan(TimeSpan.FromMilliseconds(30)));
    }

    [Test]
    public async Task With_no_connection_kept_each_request_has_its_own_and_says_so()
    {
        var config = new ConfigFile().Server("pool_max_idle_per_host = 0");
        GatewayProcess gateway = await Scene.GatewayAsync(ScriptedUpstream.Configure(config, Host));
        var heads = new List<string>();
        using var upstream = await ScriptedUpstream.StartAsync(gateway, Control, Host, async socket =>
        {
            byte[] buffer = new byte[4096];
            while (await socket.ReceiveAsync(buffer) is > 0 and var read)
            {
                lock (heads)
                {
                    heads.Add($"{socket.RemoteEndPoint} {Encoding.ASCII.GetString(buffer, 0, read)}");
                }

                await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"u8.ToArray());
            }
        });
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        for (int i = 0; i < 6; i++)
        {
            Assert.That((await client.ExchangeAsync(Host, "/")).Text, Is.EqualTo("ok"));
        }

        Assert.That(heads.Select(static head => head[..head.IndexOf(' ')]).Distinct().Count(), Is.EqualTo(6));
        Assert.That(heads, Has.All.Contain("\r\nConnection: close\r\n"));
    }

    private Task<GatewayProcess> PythonAsync()
    {
        string python = Executables.FindOrSkip("python3");
        string script = Scene.Write(
            "server.py",
            """
            import os
            from http.server import HTTPServer, BaseHTTPRequestHandler

            class Handler(BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"

                def do_GET(self):
                    self.send_response(200)
                    self.send_header("Content-Length", "5")
                    self.end_headers()
                    self.wfile.write(b"hello")

                def log_message(self, *args):
                    pass

            HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
            """
        );
        return Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                $"command = {ConfigFile.Quote(python)}",
                $"args = [{ConfigFile.Quote(script)}]",
                "health_path = \"\""
            )
        );
    }

    private static async Task AskAsync(GatewayProcess gateway)
    {
        long begun = Stopwatch.GetTimestamp();
        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");
        Assert.That((response.Status, response.Text), Is.EqualTo((200, "hello")), response.Text);
        Assert.That(Stopwatch.GetElapsedTime(begun), Is.LessThan(Quick));
    }
}
