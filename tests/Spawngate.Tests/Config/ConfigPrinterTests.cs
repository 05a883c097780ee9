using Spawngate.Config;

namespace Spawngate.Tests;

/// <summary>What <c>spawngate check</c> shows, and the comparisons that a reload makes.</summary>
[TestFixture]
internal sealed class ConfigPrinterTests
{
    private const string EveryEffectiveSetting = """
        [server]
        port                           = 80
        bind                           = "0.0.0.0"
        admin_port                     = 9999
        admin_bind                     = "127.0.0.1"
        # admin_token                    set, not shown
        pool_max_idle_per_host         = 10
        pool_idle_timeout_secs         = 90
        # pid_file                       none
        trusted_proxies                = ["127.0.0.0/8", "::1/128"]
        max_connections                = 65536
        max_header_bytes               = 32768
        max_headers                    = 100
        memory_limit                   = "25%"
        max_connections_per_address    = 0
        max_requests_per_address       = 0
        request_rate_per_address       = 0
        header_timeout_secs            = 10
        keep_alive_timeout_secs        = 75
        access_log                     = "off"
        access_log_format              = "combined"
        log_format                     = "text"
        server_timing                  = false
        # otlp_endpoint                  none

        [backends.a]  # c.toml:3:1
        type                           = "local"
        command                        = "node"
        # working_dir                    that of Spawngate
        stdin                          = "pipe"
        # listen                         on $PORT, by itself
        # user                           that of Spawngate
        # group                          that of Spawngate
        # env_file                       none
        # memory                         no limit
        # cpus                           no limit
        # nice                           that of Spawngate
        # umask                          that of Spawngate
        args                           = ["a b", "\"c\""]
        port                           = 0  # a free port at each start
        # env                            values not shown: KEY, OTHER
        idle_timeout_secs              = 0  # never stops
        startup_timeout_secs           = 30
        health_check_interval_ms       = 100
        # health_path                    none: the program decides, by its answer to GET /health
        health_status                  = "200-299"  # with a health_path
        request_timeout_secs           = 30
        stream_timeout_secs            = 0  # as long as the client is there
        shutdown_grace_period_secs     = 10
        drain_timeout_secs             = 30
        ready_health_check_interval_ms = 5000
        unhealthy_threshold            = 3
        max_queued_requests            = 1024
        max_concurrency                = 0  # none
        # no_wake                        none
        waiting_page                   = false
        websocket_idle_secs            = 0  # in use until it closes

        # c.toml is valid: 1 backend

        """;

    private static string Print(string text)
    {
        var to = new StringWriter { NewLine = "\n" };
        ConfigPrinter.Print(ConfigSource.Valid(text), to);
        return to.ToString();
    }

    [Test]
    public void Every_effective_setting_is_printed_and_secrets_are_not()
    {
        var printed = Print(
            """
            [server]
            admin_token = "s3cret"
            [backends.a]
            command = "node"
            args = ["a b", "\"c\""]
            env = { KEY = "s3cret", OTHER = "s3cret" }
            idle_timeout_secs = 0
            """
        );

        Assert.That(printed, Does.Not.Contain("s3cret"));
        Assert.That(printed, Is.EqualTo(EveryEffectiveSetting.ReplaceLineEndings("\n")));
    }

    [Test]
    public void What_is_printed_is_a_configuration_that_means_the_same()
    {
        const string text = """
            [server]
            port = 8080
            bind = "::"
            trusted_proxies = ["10.1.2.3"]
            pid_file = "a\"b.pid"
            [defaults]
            health_path = ""
            no_wake = ["/health", "Some\"Bot"]
            waiting_page = true
            websocket_idle_secs = 300
            [backends."*.example.com"]
            type = "docker"
            image = "i"
            port = 80
            memory = "1.5g"
            cpus = 0.25
            pull_policy = "never"
            network = "n"
            docker_host = "tcp://far:2375"
            no_new_privileges = false
            pids_limit = 0
            docker_tls_dir = "/etc/tls"
            volumes = ["data:/data", "/srv/site/:/www:Z,ro", "cache:/c:nocopy"]
            tmpfs = ["/run", "/tmp:size=64m,mode=1777"]
            read_only = true
            init = false
            container_user = "1000:app"
            labels = { "com.example/a" = "x", b = "\"" }
            extra_hosts = ["db:10.0.0.5", "v6:fd00::1", "host.docker.internal:host-gateway"]
            healthcheck = "docker"
            gpus = ["0", "GPU-1"]
            [backends."[::1]"]
            command = "x"
            working_dir = "/opt/api"
            listen = "fd"
            user = 1000
            group = "www-data"
            env_file = "-/etc/default/api"
            memory = "1.5g"
            cpus = 0.25
            nice = -5
            umask = "0027"
            args = ["tab\there"]
            """;
        var original = ConfigSource.Valid(text);
        var again = ConfigSource.Valid(Print(text));

        Assert.That(ServerKeys.Changed(again.Server, original.Server), Is.Empty);
        Assert.That(again.Backends.Zip(original.Backends, (a, b) => a.HasSameSettings(b)), Is.EqualTo([true, true]));
    }

    [TestCase("port = 1")]
    [TestCase("bind = '::'")]
    [TestCase("admin_port = 1")]
    [TestCase("admin_bind = '::1'")]
    [TestCase("admin_token = 'x'")]
    [TestCase("pool_max_idle_per_host = 1")]
    [TestCase("pool_idle_timeout_secs = 1")]
    [TestCase("pid_file = 'x'")]
    [TestCase("trusted_proxies = []")]
    [TestCase("max_connections = 1")]
    [TestCase("max_header_bytes = 2048")]
    [TestCase("max_headers = 1")]
    [TestCase("memory_limit = '64m'")]
    [TestCase("max_connections_per_address = 1")]
    [TestCase("max_requests_per_address = 1")]
    [TestCase("request_rate_per_address = 1")]
    [TestCase("header_timeout_secs = 1")]
    [TestCase("keep_alive_timeout_secs = 1")]
    [TestCase("access_log = 'stdout'")]
    [TestCase("access_log_format = 'json'")]
    [TestCase("log_format = 'json'")]
    [TestCase("server_timing = true")]
    [TestCase("otlp_endpoint = 'http://collector:4318'")]
    public void A_changed_server_key_is_named(string line)
    {
        var changed = ConfigSource.Valid($"[server]\n{line}\n").Server;

        Assert.That(ServerKeys.Changed(changed, new ServerConfig()), Is.EqualTo([line.Split(' ')[0]]));
        Assert.That(ServerKeys.Changed(changed, ConfigSource.Valid($"[server]\n{line}\n").Server), Is.Empty);
    }

    [Test]
    public void Every_server_key_has_a_change_test()
    {
        var method = typeof(ConfigPrinterTests).GetMethod(nameof(A_changed_server_key_is_named))!;
        var tested = method
            .CustomAttributes.SelectMany(attribute => attribute.ConstructorArguments)
            .Select(argument => argument.Value)
            .OfType<string>();

        Assert.That(tested.Select(line => line.Split(' ')[0]), Is.EqualTo(ServerKeys.All));
    }

    [TestCase("volumes = ['aa:/a']", "volumes = ['aa:/b']")]
    [TestCase("volumes = ['aa:/a']", "volumes = ['aa:/a:ro']")]
    [TestCase("tmpfs = ['/a']", "tmpfs = ['/a:size=1m']")]
    [TestCase("read_only = true", "read_only = false")]
    [TestCase("init = false", "")]
    [TestCase("container_user = '1'", "container_user = '2'")]
    [TestCase("labels = { a = 'a' }", "labels = { a = 'b' }")]
    [TestCase("extra_hosts = ['a:1.1.1.1']", "extra_hosts = ['a:1.1.1.2']")]
    [TestCase("healthcheck = 'docker'", "")]
    [TestCase("gpus = ['0']", "gpus = ['1']")]
    [TestCase("gpus = 1", "gpus = 'all'")]
    [TestCase("docker_host = 'tcp://far:1'\ndocker_tls_dir = '/a'", "docker_host = 'tcp://far:1'\ndocker_tls_dir = '/b'")]
    public void Two_docker_backends_with_another_value_differ(string line, string otherLine)
    {
        var backend = ConfigSource.Valid(ConfigSource.Docker(line)).Backends[0];
        var same = ConfigSource.Valid("\n\n" + ConfigSource.Docker(line)).Backends[0];
        var other = ConfigSource.Valid(ConfigSource.Docker(otherLine)).Backends[0];

        Assert.That(backend.HasSameSettings(same));
        Assert.That(backend.HasSameSettings(other), Is.False);
    }

    [TestCase("args = ['a']", "args = ['b']")]
    [TestCase("env = { A = 'a' }", "env = { A = 'b' }")]
    [TestCase("port = 1", "port = 2")]
    [TestCase("health_path = '/a'", "health_path = '/b'")]
    [TestCase("idle_timeout_secs = 1", "idle_timeout_secs = 2")]
    [TestCase("no_wake = ['/a']", "no_wake = ['/b']")]
    [TestCase("waiting_page = true", "waiting_page = false")]
    [TestCase("websocket_idle_secs = 1", "websocket_idle_secs = 2")]
    public void Two_backends_with_another_value_differ(string line, string otherLine)
    {
        var backend = ConfigSource.Valid(ConfigSource.Local(line)).Backends[0];
        var same = ConfigSource.Valid("\n\n" + ConfigSource.Local(line)).Backends[0];
        var other = ConfigSource.Valid(ConfigSource.Local(otherLine)).Backends[0];

        Assert.That(backend.HasSameSettings(same));
        Assert.That(backend.HasSameSettings(other), Is.False);
    }
}
