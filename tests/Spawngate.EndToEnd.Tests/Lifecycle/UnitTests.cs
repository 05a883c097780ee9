using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>Programs that are run as a service manager runs its units: with a listening socket of ours, as another user.</summary>
[Platform("Linux")]
internal sealed class UnitTests : GatewayTest
{
    // Answers with the number of its user and what it was told.
    private const string Server = """
        use IO::Socket::INET;
        $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ENV{PORT}, Listen => 9, ReuseAddr => 1) or die;
        while ($c = $s->accept) {
            while (<$c>) { last if /^\r$/ }
            $body = "$< $ENV{USER} $ENV{GREETING}";
            print $c "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
            close $c;
        }
        """;

    private static string DiesOnce(string marker) =>
        $"[ -e {marker} ] || {{ touch {marker}; sleep 0.5; exit 1; }}; exec {Executables.Backend} --mode=activated";

    private ConfigFile Activated(params string[] arguments) =>
        new ConfigFile().TestBackendWith(Host, ["listen = \"fd\"", "health_path = \"\""], ["--mode=activated", .. arguments]);

    [Test]
    public async Task A_backend_with_a_passed_socket_is_ready_at_once_and_requests_wait_in_its_backlog()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Activated("--listen-delay-ms=700"));
        RawResponse[] answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => RawClient.RequestAsync(gateway.Port, Host, "/")));

        Assert.That(answers.Select(static answer => answer.Status), Has.All.EqualTo(200));
        Assert.That(Control.Started(), Has.Count.EqualTo(1));
        LogLine ready = await gateway.LogsAsync("spawngate.lifecycle", Host, "passed socket");
        Assert.That(ready.Level, Is.EqualTo("INFO"));
        Assert.That((await gateway.Admin.BackendAsync(Host)).GetProperty("state").GetString(), Is.EqualTo("ready"));
    }

    [Test]
    public async Task A_health_path_is_polled_as_usual()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackendWith(
                Host,
                ["listen = \"fd\"", "health_path = \"/health\""],
                "--mode=activated",
                "--health-fail-first=2"
            )
        );
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        await gateway.LogsAsync("spawngate.lifecycle", Host, "health check");
    }

    [TestCase("GET", "")]
    [TestCase("POST", "a small body")]
    public async Task What_a_program_did_not_accept_before_it_died_goes_to_the_next_start(string method, string body)
    {
        string marker = Path.Combine(Scene.Folder, "died");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                "command = \"sh\"",
                $"args = [\"-c\", {ConfigFile.Quote(DiesOnce(marker))}]",
                "listen = \"fd\"",
                "health_path = \"\""
            )
        );
        RawResponse answer = await RawClient.RequestAsync(gateway.Port, Host, "/echo", method, "", body);

        Assert.That(answer.Status, Is.EqualTo(200), answer.Text);
        Assert.That(File.Exists(marker), Is.True, "the first start died");
        Assert.That(Control.Started(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_connection_that_a_worker_of_a_dead_program_holds_is_not_kept_from_the_next_start()
    {
        string marker = Path.Combine(Scene.Folder, "died");
        string script =
            $"[ -e {marker} ] || {{ touch {marker}; setsid sleep 1000 & sleep 0.5; exit 1; }}; exec {Executables.Backend} --mode=activated";
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                "command = \"sh\"",
                $"args = [\"-c\", {ConfigFile.Quote(script)}]",
                "listen = \"fd\"",
                "health_path = \"\""
            )
        );
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_backend_of_another_user_is_served_trusted_and_ended()
    {
        Assume.That(Environment.IsPrivilegedProcess, "only root can become somebody else");
        string perl = Executables.FindOrSkip("perl");
        string variables = Scene.Write("variables", "GREETING=\"hello there\"\n");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                $"command = {ConfigFile.Quote(perl)}",
                $"args = [\"-e\", {ConfigFile.Quote(Server).Replace("\n", "\\n", StringComparison.Ordinal)}]",
                "user = \"nobody\"",
                "nice = 3",
                "umask = \"0027\"",
                $"env_file = {ConfigFile.Quote(variables)}",
                "working_dir = \"/\"",
                "health_path = \"\""
            )
        );
        RawResponse answer = await RawClient.RequestAsync(gateway.Port, Host, "/");
        Assert.That(answer.Text, Does.Match("^65534 nobody hello there$"));
        Assert.That(gateway.LogText, Does.Not.Contain("is held by"));
        Assert.That(gateway.LogText, Does.Not.Contain("run as root"));
    }

    [Test]
    public async Task Check_warns_of_what_cannot_be_had_here()
    {
        ConfigFile config = new ConfigFile().Backend(Host, "command = \"sh\"", "user = \"no-such-user\"", "env_file = \"/no/such/file\"");
        Tool check = await CheckAsync(config);
        Assert.That(check.Code, Is.Zero);
        Assert.That(check.Error, Does.Contain("warning: backends.\"app.test\": user: found \"no-such-user\""));
        Assert.That(check.Error, Does.Contain("warning: backends.\"app.test\": env_file /no/such/file: found no such file"));

        check = await CheckAsync(new ConfigFile().Backend(Host, "command = \"sh\""));
        Assert.That(check.Code, Is.Zero);
        Assert.That(check.Error, Environment.IsPrivilegedProcess ? Does.Contain("without a user it runs as root") : Is.Empty);
    }

    private Task<Tool> CheckAsync(ConfigFile config) => Tool.GatewayAsync(Scene, "check", Scene.Write("checked.toml", config.ToString()));
}
