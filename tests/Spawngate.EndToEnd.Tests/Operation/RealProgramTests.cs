using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>Programs that know nothing of this gateway, as backends and as clients.</summary>
internal sealed class RealProgramTests : GatewayTest
{
    [Test]
    public async Task Python_http_server_serves_files_and_goes_away_when_idle()
    {
        string python = Executables.FindOrSkip("python3");
        string folder = Scene.NewFolder("www");
        await File.WriteAllTextAsync(Path.Combine(folder, "page.txt"), "a page");
        int port = Ports.Free();
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Defaults("idle_timeout_secs = 1")
                .Backend(
                    Host,
                    $"command = {ConfigFile.Quote(python)}",
                    $"args = [\"-m\", \"http.server\", \"{port}\", \"--bind\", \"127.0.0.1\"]",
                    $"port = {port}",
                    $"working_dir = {ConfigFile.Quote(folder)}",
                    "health_path = \"/\""
                )
        );

        RawResponse page = await RawClient.RequestAsync(gateway.Port, Host, "/page.txt");
        RawResponse missing = await RawClient.RequestAsync(gateway.Port, Host, "/missing");

        Assert.That((page.Status, page.Text), Is.EqualTo((200, "a page")));
        Assert.That((missing.Status, missing.Header("X-Proxy-Error")), Is.EqualTo((404, (string?)null)));
        await gateway.UntilStateAsync(Host, "stopped");
        Assert.That(Scene.Children(), Is.Empty);
    }

    [Test]
    public async Task A_node_server_streams_and_echoes()
    {
        string node = Executables.FindOrSkip("node");
        string script = Scene.Write(
            "server.js",
            """
            require('http').createServer((request, response) => {
              response.setHeader('X-Node', process.version);
              request.pipe(response);
              request.on('end', () => console.log('echoed ' + request.url));
            }).listen(process.env.PORT, '127.0.0.1');
            """
        );
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                $"command = {ConfigFile.Quote(node)}",
                $"args = [{ConfigFile.Quote(script)}]",
                "health_path = \"/health\""
            )
        );

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/x", "POST", body: "hello node");

        Assert.That((response.Status, response.Text), Is.EqualTo((200, "hello node")));
        Assert.That(response.Header("X-Node"), Does.StartWith("v"));
        await gateway.LogsAsync("echoed /x");
    }

    [Test]
    public async Task Curl_uploads_a_file()
    {
        GatewayProcess gateway = await GatewayAsync();
        string file = Path.Combine(Scene.Folder, "upload");
        await File.WriteAllBytesAsync(file, TestBackend.Pattern.Take(3_000_000));

        Tool sized = await CurlAsync(gateway, "/upload", "-T", file);
        Tool chunked = await CurlAsync(gateway, "/upload", "-T", file, "-H", "Transfer-Encoding: chunked");
        Tool posted = await CurlAsync(gateway, "/upload", "--data-binary", "@" + file);

        string expected = $"3000000 {TestBackend.Pattern.Sha256(3_000_000)}";
        Assert.That(new[] { sized.Out, chunked.Out, posted.Out }, Has.All.EqualTo(expected));
    }

    [Test]
    public async Task Curl_waits_for_100_continue_and_gets_it()
    {
        GatewayProcess gateway = await GatewayAsync();

        Tool result = await CurlAsync(gateway, "/upload", "-v", "-d", "hello", "-H", "Expect: 100-continue", "--expect100-timeout", "15");

        Assert.That(result.Out, Does.StartWith("5 "));
        Assert.That(result.Error, Does.Contain("< HTTP/1.1 100 Continue"));
    }

    [Test]
    public async Task Curl_speaks_HTTP_1_0()
    {
        GatewayProcess gateway = await GatewayAsync();

        Tool result = await CurlAsync(
            gateway,
            "/bytes?n=100000&framing=chunked",
            "--http1.0",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{size_download}"
        );

        Assert.That(result.Out, Is.EqualTo("200 100000"), result.Error);
    }

    [Test]
    public async Task Curl_gets_a_range()
    {
        GatewayProcess gateway = await GatewayAsync();

        Tool result = await CurlAsync(
            gateway,
            "/bytes?n=1000",
            "-r",
            "10-19",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{size_download} %header{content-range}"
        );

        Assert.That(result.Out, Is.EqualTo("206 10 bytes 10-19/1000"), result.Error);
    }

    [Test]
    public async Task Curl_uses_one_connection_for_several_requests_and_takes_trailers()
    {
        GatewayProcess gateway = await GatewayAsync();
        string url = $"http://127.0.0.1:{gateway.Port}";

        Tool result = await CurlAsync(gateway, "/", "-w", "\n%{num_connects}\n", $"{url}/trailers", $"{url}/status?code=404", $"{url}/1xx");

        Assert.That(result.Code, Is.Zero, result.Error);
        Assert.That(result.Out.Split('\n').Where(line => line is "0" or "1"), Is.EqualTo(new[] { "1", "0", "0", "0" }), result.Out);
    }

    [Test]
    public async Task Curl_HEAD_does_not_hang()
    {
        GatewayProcess gateway = await GatewayAsync();

        Tool result = await CurlAsync(gateway, "/bytes?n=1000", "-I");

        Assert.That(result.Out, Does.Contain("Content-Length: 1000"));
    }

    [Test]
    public async Task The_bundled_configuration_is_valid()
    {
        Tool check = await Tool.GatewayAsync(Scene, "check", Path.Combine(Executables.Repository, "config.toml"));

        Assert.That(check.Code, Is.Zero, check.Error);
        Assert.That(check.Out, Does.Contain("hello.localhost"));
    }

    private static Task<Tool> CurlAsync(GatewayProcess gateway, string target, params string[] args) =>
        Tool.CurlAsync(["-H", $"Host: {Host}", $"http://127.0.0.1:{gateway.Port}{target}", .. args]);
}
