using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Spawngate.Composition;
using Spawngate.Config;
using Spawngate.Workloads.Docker;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

/// <summary>Whole files: what they become, how their errors look, and that all errors come at once.</summary>
[TestFixture]
internal sealed class ConfigLoaderTests
{
    private const string Example = """
        [server]
        port = 80                      # proxy port
        bind = "0.0.0.0"               # IPv4 or IPv6 address
        admin_port = 9999
        admin_bind = "127.0.0.1"       # new
        admin_token = "t0ken"
        pool_max_idle_per_host = 10
        pool_idle_timeout_secs = 90
        pid_file = "/var/run/spawngate.pid"        # optional
        trusted_proxies = ["127.0.0.0/8", "::1/128"]
        max_connections = 65536
        max_header_bytes = 32768
        max_headers = 100
        header_timeout_secs = 10
        keep_alive_timeout_secs = 75

        [defaults]
        idle_timeout_secs = 600
        startup_timeout_secs = 30
        health_check_interval_ms = 100
        health_path = "/health"
        request_timeout_secs = 30
        shutdown_grace_period_secs = 10
        drain_timeout_secs = 30
        ready_health_check_interval_ms = 5000
        unhealthy_threshold = 3
        max_queued_requests = 1024

        [backends."api.example.com"]
        type = "local"
        command = "python"
        args = ["-m", "uvicorn", "main:app", "--port", "8000"]
        port = 8000
        working_dir = "/opt/api"

        [backends."api.example.com".env]
        DATABASE_URL = "postgres://localhost/mydb"

        [backends."app.example.com"]
        type = "docker"
        image = "myapp:latest"
        port = 3000
        container_name = "myapp"
        pull_policy = "if-not-present"
        memory = "512m"
        cpus = "1.0"
        network = "bridge"
        docker_host = "unix:///custom/docker.sock"
        no_new_privileges = false
        pids_limit = 100
        args = ["--workers", "4"]
        """;

    [Test]
    public void The_documented_example_loads()
    {
        var config = ConfigSource.Valid(Example);

        Assert.That(config.Path, Is.EqualTo("c.toml"));
        Assert.That(ServerKeys.Changed(config.Server, new ServerConfig()), Is.EqualTo(["admin_token", "pid_file"]));
        Assert.That(config.Defaults, Is.EqualTo(new BackendTimings { HealthPath = "/health" }));
        Assert.That(config.Backends.Select(backend => backend.Hostname), Is.EqualTo(["api.example.com", "app.example.com"]));
        var local = config.Backends[0];
        Assert.That(local.Kind, Is.EqualTo(LocalKind.Shared));
        Assert.That(local.Local!.Command, Is.EqualTo("python"));
        Assert.That(local.Args, Is.EqualTo(["-m", "uvicorn", "main:app", "--port", "8000"]));
        Assert.That(local.Port, Is.EqualTo(8000));
        Assert.That(local.Local!.WorkingDir, Is.EqualTo("/opt/api"));
        Assert.That(local.Env, Is.EqualTo([KeyValuePair.Create("DATABASE_URL", "postgres://localhost/mydb")]));
        Assert.That(local.Docker, Is.Null);
        Assert.That(local.Origin, Is.EqualTo("c.toml:29:1"));
        var docker = config.Backends[1];
        Assert.That(docker.Kind, Is.EqualTo(DockerKind.Shared));
        Assert.That(docker.Local, Is.Null);
        Assert.That(docker.Args, Is.EqualTo(["--workers", "4"]));
        Assert.That(
            docker.Docker,
            Is.EqualTo(
                new DockerSettings
                {
                    Image = "myapp:latest",
                    ContainerName = "myapp",
                    PullPolicy = PullPolicy.IfNotPresent,
                    MemoryBytes = 512L << 20,
                    NanoCpus = 1_000_000_000,
                    Network = "bridge",
                    DockerHost = "unix:///custom/docker.sock",
                    NoNewPrivileges = false,
                    PidsLimit = 100,
                }
            )
        );
    }

    [Test]
    public void An_empty_file_has_all_defaults()
    {
        var config = ConfigSource.Valid("");

        Assert.That(ServerKeys.Changed(config.Server, new ServerConfig()), Is.Empty);
        Assert.That(config.Server.Port, Is.EqualTo(80));
        Assert.That(config.Server.Bind, Is.EqualTo(IPAddress.Any));
        Assert.That(config.Server.AdminToken, Is.Null);
        Assert.That(config.Defaults, Is.EqualTo(new BackendTimings()));
        Assert.That(config.Backends, Is.Empty);
    }

    [Test]
    public void A_backend_takes_from_defaults_what_it_does_not_set()
    {
        var config = ConfigSource.Valid(
            """
            [backends.a]
            command = "x"
            idle_timeout_secs = 0
            health_path = ""
            [backends.b]
            command = "y"
            [defaults]
            idle_timeout_secs = 7
            request_timeout_secs = 8
            """
        );

        Assert.That(config.Backends[0].IdleTimeoutSecs, Is.Zero);
        Assert.That(config.Backends[0].HealthPath, Is.Empty);
        Assert.That(config.Backends[0].RequestTimeoutSecs, Is.EqualTo(8));
        Assert.That(config.Backends[1].IdleTimeoutSecs, Is.EqualTo(7));
        Assert.That(config.Backends[1].HealthPath, Is.Null);
        Assert.That(config.Backends[1].StartupTimeoutSecs, Is.EqualTo(30));
    }

    [Test]
    public void Six_different_mistakes_are_reported_in_one_run()
    {
        var errors = ConfigSource.Errors(
            """
            [server]
            prot = 8080
            admin_port = 99999
            bind = localhost

            [backends."api.example.com"]
            port = "3000"
            idle_timeout_secs = 1.5

            [backends."API.example.com."]
            command = "node"
            health_path = "health"
            """
        );

        Assert.That(
            errors,
            Is.EqualTo([
                "c.toml:2:1: server.prot: found a key that is unknown in [server], did you mean port?",
                "c.toml:3:14: server.admin_port: found 99999, allowed is a whole number from 1 to 65535",
                "c.toml:4:8: server.bind: found localhost, which is no value: strings need quotes, booleans are true and false",
                "c.toml:6:1: backends.\"api.example.com\".command: found no such key, a local backend needs the program to "
                    + "run, such as command = \"node\" (its arguments go into args)",
                "c.toml:7:8: backends.\"api.example.com\".port: found the string \"3000\", allowed is a whole number from 0 to "
                    + "65535, without quotes (0 = a free port is chosen at each start)",
                "c.toml:8:21: backends.\"api.example.com\".idle_timeout_secs: found the float 1.5, allowed is a whole number "
                    + "from 0 to 2147483647 (0 = never stop)",
                "c.toml:10:1: backends.\"API.example.com.\": found the same host as backends.\"api.example.com\" on line 6, "
                    + "allowed is one backend per host (compared without case and trailing dot)",
                "c.toml:12:15: backends.\"API.example.com.\".health_path: found the string \"health\", allowed is a path that "
                    + "starts with / (visible ASCII characters, others percent-encoded), or \"\" to be ready when the port accepts",
            ])
        );
    }

    [Test]
    public void A_key_that_a_syntax_error_hides_is_not_reported_as_missing()
    {
        var errors = ConfigSource.Errors("[backends.a]\ncommand = node\n[backends.b]\ntype = \"docker\"\nimage = 'x\nport = 80\n");

        Assert.That(errors, Has.Count.EqualTo(2));
        Assert.That(errors[0], Does.StartWith("c.toml:2:11: backends.a.command: found node,"));
        Assert.That(errors[1], Does.StartWith("c.toml:5:9: backends.b.image: the string that begins here"));
    }

    [TestCase("prot = 1", "1:1: prot: found a key that is unknown in the top level, allowed are server, defaults, backends, sessions")]
    [TestCase("[sever]", "1:2: sever: found a key that is unknown in the top level, did you mean server?")]
    [TestCase("port = 1", "1:1: port: found a key that does not belong in the top level, it is one of a backend: [backends.\"host.name\"]")]
    [TestCase(
        "[server]\nidle_timeout_secs = 1",
        "2:1: server.idle_timeout_secs: found a key that does not belong in [server], it is one of [defaults] and of each backend"
    )]
    [TestCase(
        "[defaults]\nadmin_port = 1",
        "2:1: defaults.admin_port: found a key that does not belong in [defaults], it is one of [server]"
    )]
    [TestCase(
        "[defaults]\nidle-timeout-secs = 1",
        "2:1: defaults.idle-timeout-secs: found a key that is unknown in [defaults], did you mean idle_timeout_secs?"
    )]
    [TestCase("[server]\nPort = 1", "2:1: server.Port: found a key that is unknown in [server], did you mean port?")]
    [TestCase("[backends.a]\ncommand = 'x'\nqwertzuiop = 1", "3:1: backends.a.qwertzuiop: found a key that is unknown in a backend")]
    [TestCase(
        "[backends.a]\ncommand = 'x'\nwroking_dir = ''",
        "3:1: backends.a.wroking_dir: found a key that is unknown in a backend, did you mean working_dir?"
    )]
    [TestCase("[session]", "1:2: session: found a key that is unknown in the top level, did you mean sessions?")]
    [TestCase("server = 3", "1:10: server: found 3, allowed is a table: [server] on a line of its own")]
    [TestCase(
        "[[backends]]\nhost = 'a'",
        "1:1: backends: found an array of tables, allowed is one table per host: [backends.\"host.name\"]"
    )]
    [TestCase("[backends]\na = 'x'", "2:5: backends.a: found the string \"x\", allowed is a table: [backends.a] on a line of its own")]
    [TestCase(
        "[backends.api.example.com]\ncommand = 'x'",
        "1:11: backends.api: found a host name without quotes, allowed is [backends.\"api.example.com\"]"
    )]
    [TestCase(
        "[backends.a.env]\nX = 'x'",
        "1:11: backends.a.command: found no such key, a local backend needs the program to run, such as command = "
            + "\"node\" (its arguments go into args)"
    )]
    public void A_misplaced_or_misspelt_key_is_explained(string text, string error) =>
        Assert.That(ConfigSource.Errors(text), Is.EqualTo([$"c.toml:{error}"]));

    [Test]
    public void The_example_file_of_the_repository_loads()
    {
        var path = Repository.PathOf("config.toml");
        var result = ConfigLoader.LoadFile(path, RegisteredKinds.All);

        Assert.That(result.Errors, Is.Empty);
        Assert.That(result.Config!.Server.Port, Is.EqualTo(8080));
        var hello = result.Config.Backends.Single();
        Assert.That((hello.Hostname, hello.Local!.Command, hello.Port), Is.EqualTo(("hello.localhost", "spawngate", 0)));
        Assert.That(hello.Args, Is.EqualTo(["hello"]));
        Assert.That(hello.IdleTimeoutSecs, Is.EqualTo(30));
    }

    [Test]
    public void The_example_file_names_every_key_with_its_default()
    {
        var lines = File.ReadAllLines(Repository.PathOf("config.toml"));
        var named = lines.Select(line => line.TrimStart('#').Split(' ')[0]).ToHashSet();
        Assert.That(named, Is.SupersetOf(ServerKeys.All));
        Assert.That(named, Is.SupersetOf(RegisteredKinds.All.BackendKeys.Except(["env"])));

        var uncommented = lines
            .Where(line => !line.StartsWith("# ", StringComparison.Ordinal) && !line.Contains("no default", StringComparison.Ordinal))
            .Select(line => line.TrimStart('#'));
        var config = ConfigSource.Valid(string.Join('\n', uncommented).Replace("\".\"", "\"/opt/api\"", StringComparison.Ordinal));
        Assert.That(ServerKeys.Changed(config.Server, new ServerConfig()), Is.EqualTo(["port", "bind"]));
        Assert.That(config.Defaults, Is.EqualTo(new BackendTimings()));
        Assert.That(config.Backends[1].Docker!.ContainerName, Is.EqualTo(DockerKind.DefaultContainerName("app.localhost")));
    }

    [Test]
    public void The_reference_has_every_key()
    {
        var page = File.ReadAllText(Repository.PathOf("docs", "reference", "configuration.md"));
        var sections = Regex
            .Matches(page, @"^## (.+)\n((?:(?!## ).*\n)*)", RegexOptions.Multiline)
            .ToDictionary(section => section.Groups[1].Value, section => KeysOf(section.Groups[2].Value));
        Assert.That(sections["`[server]`"], Is.EqualTo(ServerKeys.All));
        Assert.That(sections.Values.SelectMany(static keys => keys), Is.SupersetOf(RegisteredKinds.All.BackendKeys));

        static string[] KeysOf(string text) =>
            [.. Regex.Matches(text, @"^\| `(\w+)` \|", RegexOptions.Multiline).Select(static row => row.Groups[1].Value)];
    }

    [Test]
    public void A_file_that_cannot_be_read_is_an_error_like_any_other()
    {
        var folder = Directory.CreateTempSubdirectory("spawngate-config-").FullName;
        try
        {
            var missing = Path.Combine(folder, "none.toml");
            var binary = Path.Combine(folder, "binary.toml");
            File.WriteAllBytes(binary, [(byte)'a', (byte)'=', 0xFF, 0xFE, (byte)'\n']);

            Assert.That(Single(missing), Is.EqualTo($"{missing}:1:1: found no such file"));
            Assert.That(Single(Path.Combine(folder, "no", "such.toml")), Does.EndWith(":1:1: found no such file"));
            Assert.That(Single(folder), Is.EqualTo($"{folder}:1:1: found a folder, a configuration file is needed"));
            Assert.That(
                Single(binary),
                Is.EqualTo($"{binary}:1:3: found the byte 0xFF, which is not UTF-8; the file must be saved as UTF-8")
            );
            Assert.That(Single(""), Does.StartWith(":1:1: the file cannot be read: "));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        static string Single(string path) => ConfigLoader.LoadFile(path, RegisteredKinds.All).Errors.Single().ToString();
    }

    [Test]
    public void A_file_that_is_too_large_is_refused()
    {
        var path = Path.GetTempFileName();
        try
        {
            using (var file = File.OpenWrite(path))
            {
                file.SetLength(ConfigLimits.FileBytesMax + 1L);
            }

            Assert.That(
                ConfigLoader.LoadFile(path, RegisteredKinds.All).Errors.Single().ToString(),
                Is.EqualTo($"{path}:1:1: found more than 64 MiB, a configuration file may not be larger")
            );
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public void A_working_dir_is_looked_up_from_the_current_folder()
    {
        var path = Path.GetTempFileName();
        try
        {
            var relative = Path.GetRelativePath(Environment.CurrentDirectory, Path.GetTempPath());
            File.WriteAllText(
                path,
                $"[backends.a]\ncommand = 'x'\nworking_dir = '{relative}'\n[backends.b]\ncommand = 'x'\nworking_dir = './no-such-folder'\n"
            );

            var errors = ConfigLoader.LoadFile(path, RegisteredKinds.All).Errors.Select(error => error.ToString());

            Assert.That(
                errors,
                Is.EqualTo([
                    $"{path}:6:15: backends.b.working_dir: found the string \"./no-such-folder\", allowed is the path of an "
                        + "existing folder",
                ])
            );
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public void Ten_thousand_backends_load_within_a_second_or_so()
    {
        var text = new StringBuilder();
        for (var i = 0; i < 10_000; i++)
        {
            text.Append(
                $"[backends.\"host{i}.example.com\"]\ncommand = \"node\"\nargs = [\"server.js\"]\nport = {10_000 + i}\n"
                    + "idle_timeout_secs = 60\n"
            );
            text.Append($"[backends.\"host{i}.example.com\".env]\nNAME = \"v{i}\"\n");
        }

        var bytes = Encoding.UTF8.GetBytes(text.ToString());
        ConfigLoader.Load("warm.toml", bytes.AsSpan(0, 1_000), RegisteredKinds.All, _ => true);
        var before = Environment.CpuUsage.TotalTime;
        var result = ConfigLoader.Load("c.toml", bytes, RegisteredKinds.All, _ => true);

        var cpuMs = (Environment.CpuUsage.TotalTime - before).TotalMilliseconds;

        Assert.That(cpuMs, Is.LessThan(3_000), "CPU milliseconds, which other programs do not lengthen as they do the time of day");
        Assert.That(result.Errors, Is.Empty);
        Assert.That(result.Config!.Backends, Has.Count.EqualTo(10_000));
        TestContext.Out.WriteLine($"{bytes.Length} bytes in {cpuMs} ms");
    }

    [Test]
    public void Ten_thousand_mistakes_are_all_reported()
    {
        var text = string.Concat(Enumerable.Range(0, 10_000).Select(i => $"[backends.h{i}]\ncommand = 'x'\nprot = 1\nport = 8\n"));

        var before = Environment.CpuUsage.TotalTime;
        var errors = ConfigSource.Errors(text);

        Assert.That(errors, Has.Count.EqualTo(19_999));
        Assert.That((Environment.CpuUsage.TotalTime - before).TotalMilliseconds, Is.LessThan(3_000));
    }
}
