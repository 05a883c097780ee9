using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Clients.Http2;
using Spawngate.Commands;
using Spawngate.Config;
using Spawngate.Runtime;

namespace Spawngate.Tests;

/// <summary>The command line in-process: what is run, what is printed where, which exit code results.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class CommandLineTests
{
    private readonly List<string> _calls = [];
    private readonly Dictionary<string, string> _variables = [];
    private readonly LineSignal _out = new();
    private readonly StringWriter _error = new();
    private AdminLocation? _location;
    private CancellationTokenSource _cancel = null!;

    [SetUp]
    public void SetUp() => _cancel = new CancellationTokenSource();

    [TearDown]
    public void TearDown()
    {
        _cancel.Dispose();
        _out.Dispose();
        _error.Dispose();
    }

    [TestCase("", "run config.toml")]
    [TestCase("my.toml", "run my.toml")]
    [TestCase("./hello", "run ./hello")]
    [TestCase("@file", "run @file")]
    [TestCase("[x]", "run [x]")]
    [TestCase("-- hello", "run hello")]
    [TestCase("check", "check config.toml")]
    [TestCase("check my.toml", "check my.toml")]
    [TestCase("check hello", "check hello")]
    public async Task A_configuration_is_run_or_checked(string line, string expected)
    {
        Assert.That(await InvokeAsync(line), Is.Zero);
        Assert.That(_calls, Is.EqualTo([expected]));
        Assert.That((_out.ToString(), _error.ToString()), Is.EqualTo(("", "")));
    }

    [TestCase("chek", "spawngate: chek is no command either; commands are check, hello, explain, and --help tells more")]
    [TestCase("chek.toml", "")]
    [TestCase("./chek", "")]
    public async Task A_word_that_is_no_file_may_be_a_misspelt_command(string line, string hint)
    {
        Assert.That(await InvokeAsync(line), Is.EqualTo(ExitCode.Usage));
        Assert.That(_calls, Is.EqualTo([$"run {line}"]));
        Assert.That(_error.ToString().TrimEnd(), Is.EqualTo(hint));
    }

    [TestCase("--version")]
    public async Task Version_is_printed(string line)
    {
        Assert.That(await InvokeAsync(line), Is.Zero);
        Assert.That(_out.ToString(), Is.EqualTo("spawngate 0.1.0" + Environment.NewLine));
    }

    [TestCase("--help", "explain")]
    [TestCase("-h", "Exit codes")]
    [TestCase("check --help", "CONFIG")]
    [TestCase("hello --help", "--bind")]
    [TestCase("explain --help", "--json")]
    public async Task Help_is_printed(string line, string contains)
    {
        Assert.That(await InvokeAsync(line), Is.Zero);
        Assert.That(_out.ToString(), Does.Contain(contains));
        Assert.That(_calls, Is.Empty);
    }

    [TestCase("--nonsense", "--nonsense")]
    [TestCase("-x", "-x")]
    [TestCase("a.toml b.toml", "b.toml")]
    [TestCase("check --nonsense", "--nonsense")]
    [TestCase("check a.toml b.toml", "b.toml")]
    [TestCase("hello world", "world")]
    [TestCase("hello --port", "--port")]
    [TestCase("explain", "HOST")]
    [TestCase("explain a b", "b")]
    [TestCase("check --admin http://127.0.0.1:1", "--live")]
    [TestCase("check --live --nonsense", "--nonsense")]
    [TestCase("explain a --admin", "--admin")]
    public async Task Bad_usage_is_2_with_the_reason_on_stderr(string line, string contains)
    {
        Assert.That(await InvokeAsync(line), Is.EqualTo(2));
        Assert.That(_error.ToString(), Does.StartWith("spawngate: ").And.Contain(contains).And.Contain("spawngate --help"));
        Assert.That(_out.ToString(), Is.Empty);
        Assert.That(_calls, Is.Empty);
    }

    [Test]
    public async Task An_empty_path_is_bad_usage()
    {
        Assert.That(await CommandLine.InvokeAsync([""], Actions(), Console()), Is.EqualTo(2));
        Assert.That(_error.ToString(), Does.Contain("empty"));
    }

    [TestCase("ports-taken.toml", 1)]
    [TestCase("invalid.toml", 2)]
    public async Task The_exit_code_of_the_gateway_is_passed_on(string config, int expected) =>
        Assert.That(await InvokeAsync(config), Is.EqualTo(expected));

    [Test]
    public async Task What_cannot_run_is_1_with_the_reason_on_stderr()
    {
        Assert.That(await InvokeAsync("locked.toml"), Is.EqualTo(1));
        Assert.That(_error.ToString(), Is.EqualTo("spawngate: the PID file is locked" + Environment.NewLine));
    }

    [TestCase(null, "PORT is not set")]
    [TestCase("", "PORT is not set")]
    [TestCase("0", "1-65535")]
    [TestCase("65536", "1-65535")]
    [TestCase("-1", "1-65535")]
    [TestCase("http", "1-65535")]
    [TestCase(" 80", "1-65535")]
    public async Task Hello_needs_a_port(string? port, string contains)
    {
        if (port is not null)
        {
            _variables["PORT"] = port;
        }

        Assert.That(await InvokeAsync("hello"), Is.EqualTo(2));
        Assert.That(_error.ToString(), Does.StartWith("spawngate hello: ").And.Contain("PORT").And.Contain(contains));
    }

    [Test]
    public async Task Hello_needs_an_address_to_bind_to()
    {
        Assert.That(await InvokeAsync("hello --port 1234 --bind localhost"), Is.EqualTo(2));
        Assert.That(_error.ToString(), Does.Contain("--bind").And.Contain("localhost"));
    }

    [Test]
    public async Task Hello_serves_until_it_is_told_to_stop()
    {
        int port = FreePort();
        _variables["PORT"] = port.ToString();
        Task<int> running = InvokeAsync("hello");
        Assert.That(await _out.FirstLine, Is.EqualTo($"Listening on http://127.0.0.1:{port}"));
        using var client = new HttpClient();
        Assert.That(await client.GetStringAsync($"http://127.0.0.1:{port}/health"), Is.EqualTo("ok\n"));
        await _cancel.CancelAsync();
        Assert.That(await running, Is.Zero);
    }

    [Test]
    public async Task Hello_names_a_port_that_is_taken()
    {
        using var taken = new Socket(SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        int port = ((IPEndPoint)taken.LocalEndPoint!).Port;
        Assert.That(await InvokeAsync($"hello --bind 127.0.0.1 --port {port}"), Is.EqualTo(1));
        Assert.That(_error.ToString(), Does.Contain($"127.0.0.1:{port} (PORT)").And.Contain("already in use"));
    }

    [Test]
    public async Task Explain_says_it_in_words()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync();
        admin.Backends.Reports.Add(Ready);
        Assert.That(await InvokeAsync($"explain App.localhost --admin http://{admin.Api.Endpoint}"), Is.Zero);
        Assert.That(
            _out.ToString(),
            Is.EqualTo(
                """
                app.localhost is ready (pid 77, port 4123)
                  woken by   request from 127.0.0.1
                  started    start number 3: spawned after 0.5 ms, listening after 4.2 ms, ready after 5 ms, as its health check said
                  held by    1 request or tunnel in flight
                  stops      600 seconds after the last of them ends, unless another request comes

                """
            )
        );
    }

    [Test]
    public async Task Explain_gives_json_as_the_api_does()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync();
        admin.Backends.Reports.Add(Ready);
        Assert.That(await InvokeAsync($"explain app.localhost --json --admin http://{admin.Api.Endpoint}/"), Is.Zero);
        Assert.That(JsonDocument.Parse(_out.ToString()).RootElement.GetProperty("in_flight").GetInt32(), Is.EqualTo(1));
    }

    [Test]
    public async Task Explain_finds_the_wildcard_that_serves_a_host()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync();
        admin.Backends.Reports.Add(new BackendReport { Hostname = "*", State = BackendPhase.Stopped });
        Assert.That(await InvokeAsync($"explain any.example --admin http://{admin.Api.Endpoint}"), Is.Zero);
        Assert.That(_out.ToString(), Does.Contain("* is stopped").And.Contain("any.example, because"));
    }

    [Test]
    public async Task Explain_takes_address_and_token_from_the_configuration()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync("secret");
        admin.Backends.Reports.Add(Ready);
        _location = AdminLocation.Of(
            new ServerConfig
            {
                AdminPort = admin.Api.Endpoint.Port,
                AdminBind = IPAddress.Any,
                AdminToken = "secret",
            }
        );
        Assert.That(await InvokeAsync("explain app.localhost --config my.toml"), Is.Zero);
        Assert.That(_calls, Is.EqualTo(["locate my.toml"]));
        Assert.That(_out.ToString(), Does.StartWith("app.localhost is ready"));
    }

    [Test]
    public async Task Explain_takes_the_token_from_the_environment_or_says_that_it_is_missing()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync("secret");
        admin.Backends.Reports.Add(Ready);
        string line = $"explain app.localhost --admin http://{admin.Api.Endpoint}";
        Assert.That(await InvokeAsync(line), Is.EqualTo(1));
        Assert.That(_error.ToString(), Does.Contain("SPAWNGATE_ADMIN_TOKEN"));
        _variables["SPAWNGATE_ADMIN_TOKEN"] = "secret";
        Assert.That(await InvokeAsync(line), Is.Zero);
    }

    [Test]
    public async Task Explain_says_that_a_host_is_unknown()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync();
        Assert.That(await InvokeAsync($"explain no.such.host --admin http://{admin.Api.Endpoint}"), Is.EqualTo(1));
        Assert.That(_error.ToString(), Does.Contain("no backend serves \"no.such.host\""));
    }

    [Test]
    public async Task Explain_says_that_no_gateway_is_reachable()
    {
        Assert.That(await InvokeAsync($"explain app.localhost --admin http://127.0.0.1:{FreePort()}"), Is.EqualTo(1));
        Assert.That(_error.ToString(), Does.Contain("no gateway is reachable at http://127.0.0.1:").And.Contain("refused"));
    }

    [Test]
    public async Task Explain_says_that_something_else_answers()
    {
        using var other = new Hello.HelloBackend(new IPEndPoint(IPAddress.Loopback, 0));
        Task running = other.RunAsync(_cancel.Token);
        Assert.That(await InvokeAsync($"explain app.localhost --admin http://{other.Endpoint}"), Is.EqualTo(1));
        Assert.That(_error.ToString(), Does.Contain("not the admin API of Spawngate"));
        await _cancel.CancelAsync();
        await running;
    }

    [TestCase("explain a --admin nonsense", "--admin")]
    [TestCase("explain a --admin ftp://x", "--admin")]
    [TestCase("explain a --config invalid.toml", "invalid")]
    public async Task Explain_needs_a_valid_address(string line, string contains)
    {
        Assert.That(await InvokeAsync(line), Is.EqualTo(2));
        Assert.That(_error.ToString(), Does.Contain(contains));
    }

    [TestCase("")]
    [TestCase(" my.toml")]
    public async Task Live_asks_the_gateway_of_the_configuration(string argument)
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync("secret");
        _location = AdminLocation.Of(
            new ServerConfig
            {
                AdminPort = admin.Api.Endpoint.Port,
                AdminBind = IPAddress.Any,
                AdminToken = "secret",
            }
        );
        Assert.That(await InvokeAsync("check --live" + argument), Is.Zero);
        Assert.That(_calls, Is.EqualTo(["locate " + (argument.Length > 0 ? "my.toml" : "config.toml")]));
        Assert.That(
            _out.ToString(),
            Is.EqualTo($"spawngate: live, as http://127.0.0.1:{admin.Api.Endpoint.Port}/health says" + Environment.NewLine)
        );
        Assert.That(_error.ToString(), Is.Empty);
    }

    [Test]
    public async Task Live_asks_the_gateway_that_is_named()
    {
        await using AdminUnderTest admin = await AdminUnderTest.StartAsync();
        Assert.That(await InvokeAsync($"check --live --admin http://{admin.Api.Endpoint}"), Is.Zero);
        Assert.That(_calls, Is.Empty);
    }

    [Test]
    public async Task Live_is_1_when_nobody_answers()
    {
        Assert.That(await InvokeAsync($"check --live --admin http://127.0.0.1:{FreePort()}"), Is.EqualTo(1));
        Assert.That(_error.ToString(), Does.StartWith("spawngate: no gateway is reachable at http://127.0.0.1:").And.Contain("refused"));
        Assert.That(_out.ToString(), Is.Empty);
    }

    [Test]
    public async Task Live_is_1_when_something_else_answers()
    {
        using var other = new Hello.HelloBackend(new IPEndPoint(IPAddress.Loopback, 0));
        Task running = other.RunAsync(_cancel.Token);
        Assert.That(await InvokeAsync($"check --live --admin http://{other.Endpoint}"), Is.EqualTo(1));
        Assert.That(_error.ToString(), Does.Contain("is not the admin API of Spawngate"));
        await _cancel.CancelAsync();
        await running;
    }

    [TestCase("check --live invalid.toml", "invalid")]
    [TestCase("check --live --admin nonsense", "--admin")]
    public async Task Live_is_1_when_it_is_not_known_whom_to_ask(string line, string contains)
    {
        Assert.That(await InvokeAsync(line), Is.EqualTo(1));
        Assert.That(_error.ToString(), Does.Contain(contains));
    }

    private static BackendReport Ready =>
        new()
        {
            Hostname = "app.localhost",
            State = BackendPhase.Ready,
            Port = 4123,
            InFlight = 1,
            InstanceNumber = 3,
            Description = "pid 77",
            LastStart = new StartReport
            {
                SpawnMs = 0.5,
                ListenMs = 4.2,
                ReadyMs = 5,
                Signal = "health",
                Cause = "request from 127.0.0.1",
            },
            IdleTimeoutSecs = 600,
        };

    private static int FreePort()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private Task<int> InvokeAsync(string line) =>
        CommandLine.InvokeAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries), Actions(), Console());

    private CommandConsole Console() => new(() => _out, () => _error, name => _variables.GetValueOrDefault(name), _cancel.Token);

    private CommandActions Actions() =>
        new()
        {
            RunAsync = (path, _) =>
            {
                _calls.Add("run " + path);
                return path == "locked.toml"
                    ? throw new CannotRunException("the PID file is locked")
                    : Task.FromResult(
                        path.StartsWith("ports", StringComparison.Ordinal) ? 1
                        : path == "invalid.toml" || path.Contains("chek", StringComparison.Ordinal) ? 2
                        : 0
                    );
            },
            Check = (path, _) =>
            {
                _calls.Add("check " + path);
                return 0;
            },
            LocateAdmin = (path, console) =>
            {
                _calls.Add("locate " + path);
                if (_location is null)
                {
                    console.Error.WriteLine($"{path} is invalid");
                }

                return _location;
            },
        };

    /// <summary>Keeps what is written and announces the first line.</summary>
    private sealed class LineSignal : StringWriter
    {
        private readonly TaskCompletionSource<string> _firstLine = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> FirstLine => _firstLine.Task;

        public override Task WriteLineAsync(string? value)
        {
            _firstLine.TrySetResult(value ?? "");
            return base.WriteLineAsync(value);
        }
    }
}
