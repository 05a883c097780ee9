using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http2;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>The access log of the real executable.</summary>
[LongRunning]
internal sealed class AccessLogTests : GatewayTest
{
    private string LogPath => Path.Combine(Scene.Folder, "access.log");

    [Test]
    public async Task Every_kind_of_end_has_its_line()
    {
        GatewayProcess gateway = await JsonGatewayAsync();
        await RawClient.RequestAsync(
            gateway.Port,
            Host,
            "/bytes?n=1000",
            headers: "X-Request-ID: cold-1\r\nUser-Agent: t\"\\\t\xE9\r\nReferer: r\r\n"
        );
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        RawResponse echoed = await client.ExchangeAsync(Host, "/echo", "POST", body: "12345");
        await client.ExchangeAsync("unknown.test", "/nowhere");
        using RawClient broken = await RawClient.ConnectAsync(gateway.Port);
        await broken.SendAsync("GET /x HTTP/1.1 \"odd\r\nHost: a\r\n\r\n");
        await broken.ReadResponseAsync();
        using H2Client http2 = await H2Client.ConnectAsync(gateway.Port);
        await http2.ExchangeAsync(Host, "/status?code=404");
        await LeaveWhileHeldAsync(gateway);
        JsonElement[] lines = await LinesAsync(gateway, 6);

        JsonElement cold = lines.Single(line => Text(line, "request_id") == "cold-1");
        Assert.That(
            (Text(cold, "method"), Text(cold, "target"), Text(cold, "protocol"), Text(cold, "host"), Text(cold, "backend")),
            Is.EqualTo(("GET", "/bytes?n=1000", "HTTP/1.1", Host, Host))
        );
        Assert.That(
            (Number(cold, "status"), Number(cold, "bytes_out"), Number(cold, "bytes_in"), Text(cold, "start")),
            Is.EqualTo((200, 1000, 0, "cold"))
        );
        Assert.That((Text(cold, "user_agent"), Text(cold, "referer"), Text(cold, "client")), Is.EqualTo(("t\"\\\t\xE9", "r", "127.0.0.1")));
        Assert.That(Number(cold, "held_ms"), Is.GreaterThan(0).And.LessThanOrEqualTo(Number(cold, "duration_ms")));
        Assert.That(Number(cold, "upstream_ms"), Is.GreaterThan(0).And.LessThan(Number(cold, "duration_ms")));

        JsonElement post = lines.Single(line => Text(line, "method") == "POST");
        Assert.That(
            (Number(post, "bytes_out"), Number(post, "bytes_in"), Text(post, "start"), post.GetProperty("complete").GetBoolean()),
            Is.EqualTo((echoed.Text.Length, 5, "warm", true))
        );
        JsonElement unknown = lines.Single(line => Text(line, "target") == "/nowhere");
        Assert.That(
            (Number(unknown, "status"), Text(unknown, "error"), Text(unknown, "backend"), Text(unknown, "start")),
            Is.EqualTo((404, "UNKNOWN_HOST", null as string, null as string))
        );
        Assert.That(Number(unknown, "bytes_out"), Is.GreaterThan(0));
        JsonElement refused = lines.Single(line => Number(line, "status") == 400);
        Assert.That(
            (Text(refused, "target"), Text(refused, "error"), Text(refused, "method")),
            Is.EqualTo(("GET /x HTTP/1.1 \"odd", "BAD_REQUEST", null as string))
        );
        JsonElement stream = lines.Single(line => Text(line, "protocol") == "HTTP/2.0");
        Assert.That((Number(stream, "status"), Text(stream, "target"), Text(stream, "host")), Is.EqualTo((404, "/status?code=404", Host)));
        JsonElement left = lines.Single(line => Number(line, "status") == 499);
        Assert.That(
            (Text(left, "target"), Number(left, "bytes_out"), left.GetProperty("complete").GetBoolean()),
            Is.EqualTo(("/hold?key=gone", 0, false))
        );
    }

    /// <summary>Also one that is taken back before anything of it was begun.</summary>
    [Test]
    public async Task An_upload_that_is_cancelled_over_HTTP_2_has_its_backend_and_its_id([Values] bool atOnce)
    {
        GatewayProcess gateway = await JsonGatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        H2Stream stream = client.Open();
        byte[] head = H2Frame.Headers(stream.Id, [.. H2Frame.Request(Host, "/upload", "POST"), ("x-request-id", "taken-back")], end: false);
        byte[] reset = H2Frame.Reset(stream.Id);
        if (atOnce)
        {
            await client.SendAsync((byte[])[.. head, .. reset]);
        }
        else
        {
            await client.SendAsync(head);
            await client.PingAsync();
            await client.SendAsync(reset);
        }

        JsonElement line = (await LinesAsync(gateway, 2)).Single(each => Text(each, "target") == "/upload");
        Assert.That(
            (Text(line, "request_id"), Text(line, "backend"), Number(line, "status"), Text(line, "host")),
            Is.EqualTo(("taken-back", Host, 499, Host))
        );
    }

    [Test]
    public async Task A_tunnel_is_logged_at_its_end()
    {
        GatewayProcess gateway = await JsonGatewayAsync();
        using (RawClient client = await RawClient.ConnectAsync(gateway.Port))
        {
            await client.SendAsync(RawClient.Head(Host, "/upgrade", headers: "Connection: Upgrade\r\nUpgrade: echo\r\n"));
            Assert.That((await client.ReadHeadAsync()).Status, Is.EqualTo(101));
            await client.SendAsync("hello");
            await client.ReadBytesAsync(5);
            Assert.That(await File.ReadAllTextAsync(LogPath), Is.Empty, "it lasts");
            client.EndSending();
            await client.EndsAsync();
        }

        JsonElement line = (await LinesAsync(gateway, 1))[0];
        Assert.That(
            (Number(line, "status"), Number(line, "bytes_in"), Number(line, "bytes_out"), line.GetProperty("complete").GetBoolean()),
            Is.EqualTo((101, 5, 5, true))
        );
    }

    [Test]
    public async Task Combined_lines_go_to_stdout_and_all_of_them_are_there_after_a_stop()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("access_log = \"stdout\"").TestBackend(Host));
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        for (int i = 0; i < 50; i++)
        {
            await client.ExchangeAsync(Host, $"/n/{i}", headers: "X-Request-ID: a\r\n");
        }

        gateway.Signal(ProcessScan.Term);
        Assert.That(await gateway.ExitAsync(), Is.Zero);
        string[] lines = (await gateway.StdoutAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.EqualTo(50));
        for (int i = 0; i < 50; i++)
        {
            Assert.That(
                lines,
                Has.One.Matches(
                    $"^127\\.0\\.0\\.1 - - \\[\\d\\d/[A-Z][a-z][a-z]/\\d{{4}}:\\d\\d:\\d\\d:\\d\\d \\+0000\\] \"GET /n/{i} "
                        + $"HTTP/1\\.1\" \\d{{3}} \\d+ \"-\" \"-\" host=\"{Host}\" id=\"a\" time=\\d+\\.\\d{{6}} "
                        + $"upstream=\\d+\\.\\d{{6}} start=(cold|warm) in=0 forwarded=\"-\"$"
                )
            );
        }
    }

    [Test]
    public async Task A_reload_opens_the_file_again_even_if_the_configuration_is_refused()
    {
        GatewayProcess gateway = await JsonGatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/first");
        await LinesAsync(gateway, 1);
        File.Move(LogPath, LogPath + ".1");
        gateway.Reload("nonsense");
        await gateway.UntilAsync("the file is there again", () => Task.FromResult(File.Exists(LogPath)));
        await RawClient.RequestAsync(gateway.Port, Host, "/second");
        Assert.That(Text((await LinesAsync(gateway, 1))[0], "target"), Is.EqualTo("/second"));
        Assert.That(await File.ReadAllLinesAsync(LogPath + ".1"), Has.Length.EqualTo(1).And.All.Contains("/first"));
    }

    [Test]
    public async Task A_path_that_cannot_be_written_is_an_error_at_the_start_and_at_a_reload()
    {
        GatewayProcess gateway = await JsonGatewayAsync();
        gateway.Reload(
            new ConfigFile { Port = gateway.Config.Port, AdminPort = gateway.Config.AdminPort }
                .Server($"access_log = \"{Scene.Folder}\"")
                .ToString()
        );
        await gateway.LogsAsync("server.access_log: found the string", "which is a folder");
        await gateway.LogsAsync("nothing has changed");
        GatewayProcess other = Scene.Launch(
            new ConfigFile().Server($"access_log = \"{Scene.Folder}/no/such/folder.log\"").TestBackend(Host)
        );
        Assert.That(await other.ExitAsync(), Is.EqualTo(2));
        Assert.That(other.LogText, Does.Contain("server.access_log").And.Contain("in a folder that does not exist"));
    }

    [Test]
    public async Task A_full_disk_does_no_harm_and_is_counted()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("access_log = \"/dev/full\"").TestBackend(Host));
        for (int i = 0; i < 5; i++)
        {
            Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        }

        await gateway.LogsAsync("spawngate.access", "No space left on device");
        gateway.Signal(ProcessScan.Term);
        await gateway.ExitAsync();
        Assert.That((await gateway.LogsAsync("spawngate.access", "were dropped")).Field("total"), Is.EqualTo("5"));
    }

    [Test]
    public async Task A_pipe_of_stdout_whose_reader_has_gone_does_no_harm()
    {
        GatewayProcess gateway = await Scene.GatewayUnderAsync(
            ["bash", "-c", "exec \"$@\" > >(exec true)", "bash"],
            new ConfigFile().Server("access_log = \"stdout\"").TestBackend(Host)
        );
        for (int i = 0; i < 3; i++)
        {
            Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        }

        await gateway.LogsAsync("spawngate.access", "stdout", "Broken pipe");
        gateway.Signal(ProcessScan.Term);
        Assert.That(await gateway.ExitAsync(), Is.Zero);
        Assert.That((await gateway.LogsAsync("spawngate.access", "were dropped")).Field("total"), Is.EqualTo("3"));
    }

    [Test]
    public async Task Under_load_written_and_dropped_lines_are_the_requests([Values("file", "slow")] string kind)
    {
        string path = kind == "file" ? LogPath : Path.Combine(Scene.Folder, "fifo");
        FileStream? reader = null;
        if (kind == "slow")
        {
            await Tool.RunAsync("mkfifo", path);
            reader = new FileStream(path, FileMode.Open, FileAccess.ReadWrite); // It holds the pipe open, and reads nothing.
        }

        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server($"access_log = \"{path}\"").TestBackend(Host));
        string agent = new('a', 900);
        string request = RawClient.Head(Host, "/", headers: $"User-Agent: {agent}\r\n");
        const int clients = 4;
        const int batches = 60;
        const int batch = 20;
        await Task.WhenAll(
            Enumerable
                .Range(0, clients)
                .Select(async _ =>
                {
                    using RawClient client = await RawClient.ConnectAsync(gateway.Port);
                    for (int i = 0; i < batches; i++)
                    {
                        await client.SendAsync(string.Concat(Enumerable.Repeat(request, batch)));
                        for (int answer = 0; answer < batch; answer++)
                        {
                            Assert.That((await client.ReadResponseAsync()).Status, Is.EqualTo(200));
                        }
                    }
                })
        );
        const int requests = clients * batches * batch;
        double lost = 0;
        await gateway.UntilAsync("all are counted", async () =>
        {
            lost = await SampleAsync(gateway, "spawngate_access_log_lines_dropped_total");
            return await SampleAsync(gateway, "spawngate_access_log_lines_total") + lost == requests || kind == "slow";
        });
        gateway.Signal(ProcessScan.Term);
        Assert.That(await gateway.ExitAsync(), Is.Zero);
        if (reader is null)
        {
            // A file takes all of them, unless the machine does not let its writer run.
            Assert.That(await File.ReadAllLinesAsync(path), Has.Length.EqualTo(requests - (int)lost).And.Not.Empty.And.All.Contains(agent));
            return;
        }

        byte[] piped = new byte[1 << 20];
        int written = piped.AsSpan(0, await reader.ReadAsync(piped)).Count((byte)'\n');
        await reader.DisposeAsync();
        LogLine dropped = gateway.Log.Lines.Last(static line => line.Category == "spawngate.access" && line.Says("were dropped"));
        Assert.That(written + int.Parse(dropped.Field("total")!), Is.EqualTo(requests));
        Assert.That(written, Is.GreaterThan(0));
    }

    private Task<GatewayProcess> JsonGatewayAsync() =>
        Scene.GatewayAsync(new ConfigFile().Server($"access_log = \"{LogPath}\"", "access_log_format = \"json\"").TestBackend(Host));

    private async Task LeaveWhileHeldAsync(GatewayProcess gateway)
    {
        using (RawClient leaving = await RawClient.ConnectAsync(gateway.Port))
        {
            await leaving.SendAsync(RawClient.Head(Host, "/hold?key=gone"));
            await (await Control.StartAsync()).ToldAsync("hold gone");
        }

        await gateway.UntilAsync("nothing is in flight", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("in_flight").GetInt32() == 0
        );
    }

    private async Task<JsonElement[]> LinesAsync(GatewayProcess gateway, int count)
    {
        await gateway.UntilAsync($"{count} lines are written", async () => (await File.ReadAllLinesAsync(LogPath)).Length >= count);
        string[] lines = await File.ReadAllLinesAsync(LogPath);
        Assert.That(lines, Has.Length.EqualTo(count));
        return [.. lines.Select(static line => JsonDocument.Parse(line).RootElement)];
    }

    private static string? Text(JsonElement line, string name) => line.GetProperty(name).GetString();

    private static double Number(JsonElement line, string name) => line.GetProperty(name).GetDouble();

    private static async Task<double> SampleAsync(GatewayProcess gateway, string name)
    {
        string page = await gateway.Admin.TextAsync("/metrics");
        return double.Parse(
            page.Split('\n').Single(line => line.StartsWith(name + " ", StringComparison.Ordinal))[(name.Length + 1)..],
            System.Globalization.CultureInfo.InvariantCulture
        );
    }
}
