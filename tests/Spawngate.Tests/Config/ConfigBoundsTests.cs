using Spawngate.Composition;

namespace Spawngate.Tests;

/// <summary>Both sides of every bound, every type, and every check between two keys.</summary>
[TestFixture]
internal sealed class ConfigBoundsTests
{
    private static readonly object[][] Numbers =
    [
        ["server", "port", 1, 65535],
        ["server", "admin_port", 1, 65535],
        ["server", "pool_max_idle_per_host", 0, 65535],
        ["server", "pool_idle_timeout_secs", 0, int.MaxValue],
        ["server", "max_connections", 1, 2097152],
        ["server", "max_header_bytes", 1024, 1048576],
        ["server", "max_headers", 1, 16384],
        ["server", "max_connections_per_address", 0, 1000000000],
        ["server", "max_requests_per_address", 0, 1000000000],
        ["server", "request_rate_per_address", 0, 1000000000],
        ["server", "header_timeout_secs", 0, int.MaxValue],
        ["server", "keep_alive_timeout_secs", 0, int.MaxValue],
        ["defaults", "idle_timeout_secs", 0, int.MaxValue],
        ["defaults", "startup_timeout_secs", 0, int.MaxValue],
        ["defaults", "health_check_interval_ms", 0, int.MaxValue],
        ["defaults", "request_timeout_secs", 0, int.MaxValue],
        ["defaults", "stream_timeout_secs", 0, int.MaxValue],
        ["defaults", "shutdown_grace_period_secs", 0, int.MaxValue],
        ["defaults", "drain_timeout_secs", 0, int.MaxValue],
        ["defaults", "ready_health_check_interval_ms", 0, int.MaxValue],
        ["defaults", "unhealthy_threshold", 1, 1000000],
        ["defaults", "max_queued_requests", 1, 1048576],
        ["defaults", "max_concurrency", 0, 65536],
        ["backends.a", "port", 0, 65535],
        ["backends.a", "idle_timeout_secs", 0, int.MaxValue],
        ["backends.a", "max_queued_requests", 1, 1048576],
        ["backends.a", "max_concurrency", 0, 65536],
    ];

    [TestCaseSource(nameof(Numbers))]
    public void A_number_is_taken_within_its_bounds_only(string table, string key, int min, int max)
    {
        Assert.That(Errors(table, key, $"{min}"), Is.Empty);
        Assert.That(Errors(table, key, $"{max}"), Is.Empty);
        foreach (
            var bad in new[]
            {
                $"{min - 1L}",
                $"{max + 1L}",
                "4294967296",
                "9223372036854775807",
                "-9223372036854775808",
                "1.0",
                "\"1\"",
                "true",
                "[1]",
                "1979-05-27",
            }
        )
        {
            var error = Errors(table, key, bad).Single();
            Assert.That(error, Does.Contain($": {table}.{key}: found "), bad);
            Assert.That(error, Does.Contain($"allowed is a whole number from {min} to {max}"), bad);
        }
    }

    private static List<string> Errors(string table, string key, string value) =>
        ConfigSource.Errors($"[{table}]\n{(table == "backends.a" ? "command = 'x'\n" : "")}{key} = {value}\n");

    [TestCase("0.0.0.0", true)]
    [TestCase("127.0.0.1", true)]
    [TestCase("::", true)]
    [TestCase("::1", true)]
    [TestCase("fe80::1%1", true)]
    [TestCase("localhost", false)]
    [TestCase("127.1", false)]
    [TestCase("1", false)]
    [TestCase("010.0.0.1", false)]
    [TestCase("[::1]", false)]
    [TestCase("[::1]:80", false)]
    [TestCase("127.0.0.1:80", false)]
    [TestCase("*", false)]
    [TestCase("", false)]
    public void An_address_is_ipv4_or_ipv6_in_full(string address, bool isAllowed)
    {
        Assert.That(ConfigSource.Errors($"[server]\nbind = '{address}'\n"), Has.Count.EqualTo(isAllowed ? 0 : 1));
        Assert.That(ConfigSource.Errors($"[server]\nadmin_bind = '{address}'\n"), Has.Count.EqualTo(isAllowed ? 0 : 1));
    }

    [TestCase("10.0.0.0/8", "10.0.0.0/8")]
    [TestCase("192.168.1.5", "192.168.1.5/32")]
    [TestCase("0.0.0.0/0", "0.0.0.0/0")]
    [TestCase("10.1.2.128/25", "10.1.2.128/25")]
    [TestCase("::1", "::1/128")]
    [TestCase("fd00::/8", "fd00::/8")]
    [TestCase("::ffff:10.0.0.0/104", "10.0.0.0/8")]
    public void A_trusted_proxy_is_a_network_or_an_address(string text, string network)
    {
        var config = ConfigSource.Valid($"[server]\ntrusted_proxies = ['{text}']\n");

        Assert.That(config.Server.TrustedProxies.Select(trusted => trusted.ToString()), Is.EqualTo([network]));
    }

    [TestCase(
        "'10.1.2.3/8'",
        "found the string \"10.1.2.3/8\", which has bits set after the first 8; allowed is the network \"10.0.0.0/8\" or "
            + "the address \"10.1.2.3\" alone"
    )]
    [TestCase("'10.0.0.0/33'", "found the string \"10.0.0.0/33\", allowed after / is a whole number from 0 to 32")]
    [TestCase("'::/129'", "found the string \"::/129\", allowed after / is a whole number from 0 to 128")]
    [TestCase("'10.0.0.0/'", "found the string \"10.0.0.0/\", allowed after / is a whole number from 0 to 32")]
    [TestCase("'10.0.0.0/+8'", "found the string \"10.0.0.0/+8\", allowed after / is a whole number from 0 to 32")]
    [TestCase(
        "'10.0.0/8'",
        "found the string \"10.0.0/8\", allowed is an address or a network, such as \"10.0.0.1\", \"10.0.0.0/8\" or \"fd00::/8\""
    )]
    [TestCase("10", "found 10, allowed is an address or a network, such as \"10.0.0.1\", \"10.0.0.0/8\" or \"fd00::/8\"")]
    public void A_wrong_trusted_proxy_is_explained(string element, string message) =>
        Assert.That(
            ConfigSource.Errors($"[server]\ntrusted_proxies = ['::1', {element}]\n"),
            Is.EqualTo([$"c.toml:2:27: server.trusted_proxies[1]: {message}"])
        );

    [Test]
    public void Trusted_proxies_may_be_none_but_not_a_string()
    {
        Assert.That(ConfigSource.Valid("[server]\ntrusted_proxies = []\n").Server.TrustedProxies, Is.Empty);
        Assert.That(
            ConfigSource.Errors("[server]\ntrusted_proxies = '::1'\n").Single(),
            Does.Contain("allowed is an array, each element an address")
        );
    }

    [TestCase("'s3cret'", null)]
    [TestCase("''", "found an empty string")]
    [TestCase("'my s3cret'", "found a string with blanks, control or non-ASCII characters")]
    [TestCase("5123", "found an integer")]
    public void A_token_is_one_visible_word_and_never_shown(string value, string? found)
    {
        var errors = ConfigSource.Errors($"[server]\nadmin_token = {value}\n");

        Assert.That(
            errors,
            found is null
                ? Is.Empty
                : Is.EqualTo([$"c.toml:2:15: server.admin_token: {found}, allowed is a string of visible ASCII characters without blanks"])
        );
    }

    [TestCase("pid_file = '/run/x.pid'", true)]
    [TestCase("pid_file = ''", false)]
    [TestCase("pid_file = \"a\\u0000b\"", false)]
    [TestCase("pid_file = 1", false)]
    public void A_pid_file_is_a_path(string line, bool isAllowed) =>
        Assert.That(ConfigSource.Errors($"[server]\n{line}\n"), Has.Count.EqualTo(isAllowed ? 0 : 1));

    [TestCase("'/'", true)]
    [TestCase("'/health?deep=1'", true)]
    [TestCase("''", true)]
    [TestCase("'health'", false)]
    [TestCase("'/a b'", false)]
    [TestCase("'/a#b'", false)]
    [TestCase("\"/a\\nb\"", false)]
    [TestCase("'/é'", false)]
    [TestCase("1", false)]
    public void A_health_path_is_a_path_or_empty(string value, bool isAllowed)
    {
        Assert.That(ConfigSource.Errors($"[defaults]\nhealth_path = {value}\n"), Has.Count.EqualTo(isAllowed ? 0 : 1));
        Assert.That(ConfigSource.Errors(ConfigSource.Local($"health_path = {value}")), Has.Count.EqualTo(isAllowed ? 0 : 1));
    }

    [TestCase("type = 'local'", null)]
    [TestCase("type = 'acted'", "4:8: backends.a.type: found the string \"acted\", allowed is {kinds}")]
    [TestCase("args = ['a', '']", null)]
    [TestCase("args = 'a'", "4:8: backends.a.args: found the string \"a\", allowed is an array of strings, such as [\"a\", \"b\"]")]
    [TestCase("args = ['--port', 80]", "4:19: backends.a.args[1]: found 80, allowed is a string (in quotes, numbers too, without NUL)")]
    [TestCase("working_dir = '/opt/api'", null)]
    [TestCase(
        "working_dir = '/opt/none'",
        "4:15: backends.a.working_dir: found the string \"/opt/none\", allowed is the path of an existing folder"
    )]
    [TestCase(
        "working_dir = '~/x'",
        "4:15: backends.a.working_dir: found the string \"~/x\", allowed is the path of an existing folder; ~ is not "
            + "expanded, write the home folder out"
    )]
    [TestCase("stdin = 'pipe'", null)]
    [TestCase("stdin = 'null'", null)]
    [TestCase("stdin = 'none'", "4:9: backends.a.stdin: found the string \"none\", allowed is \"pipe\" or \"null\"")]
    [TestCase("env = { A = 'x', B = '' }", null)]
    [TestCase(
        "env = { PORT = 8080 }",
        "4:16: backends.a.env.PORT: found an integer, allowed is a string (in quotes, numbers and booleans too)"
    )]
    [TestCase(
        "env = { 'A=B' = 'x' }",
        "4:9: backends.a.env.\"A=B\": found a name that no variable can have, allowed is any text without = and NUL"
    )]
    [TestCase(
        "env = { A = \"s3cret\\u0000\" }",
        "4:13: backends.a.env.A: found a string that contains NUL, allowed is a string without it"
    )]
    [TestCase("env = 'A=B'", "4:7: backends.a.env: found the string \"A=B\", allowed is a table: [backends.a.env] on a line of its own")]
    [TestCase("image = 'x'", "4:1: backends.a.image: found in a local backend, allowed only with type = \"docker\"")]
    [TestCase("network = 'x'", "4:1: backends.a.network: found in a local backend, allowed only with type = \"docker\"")]
    [TestCase("cpus = 1", null)]
    [TestCase(
        "cpus = 0.001",
        "4:8: backends.a.cpus: found the float 0.001, allowed is a number of cores from 0.01 to 8192, such as \"1.0\" or 0.5"
    )]
    [TestCase("memory = '4m'", null)]
    [TestCase(
        "memory = '1m'",
        "4:10: backends.a.memory: found the string \"1m\", allowed is a size of at least 4m in b, k, m or g, "
            + "such as \"512m\", \"1.5g\" or \"2gb\""
    )]
    [TestCase("listen = 'fd'", null)]
    [TestCase("listen = 'port'", "4:10: backends.a.listen: found the string \"port\", allowed is \"fd\", or no such key")]
    [TestCase("user = 0", null)]
    [TestCase("user = 'a b'", "4:8: backends.a.user: found the string \"a b\", allowed is a name, or a number from 0 to 4294967294")]
    [TestCase("group = -1", "4:9: backends.a.group: found -1, allowed is a name, or a number from 0 to 4294967294")]
    [TestCase("nice = 19", null)]
    [TestCase("nice = 20", "4:8: backends.a.nice: found 20, allowed is a whole number from -20 to 19")]
    [TestCase("umask = '77'", null)]
    [TestCase("umask = 27", "4:9: backends.a.umask: found 27, allowed is 1 to 4 octal digits in quotes, such as \"0027\"")]
    [TestCase("env_file = '-/x'", null)]
    [TestCase(
        "env_file = '--x'",
        "4:12: backends.a.env_file: found the string \"--x\", allowed is the path of a file of KEY=VALUE lines, "
            + "with a - before it if it may be missing"
    )]
    public void A_local_backend_is_checked(string line, string? error) =>
        Assert.That(
            ConfigSource.Errors($"# local\n{ConfigSource.Local(line)}"),
            error is null
                ? Is.Empty
                : Is.EqualTo([$"c.toml:{error.Replace("{kinds}", RegisteredKinds.All.NamesAllowed, StringComparison.Ordinal)}"])
        );

    [Test]
    public void A_local_backend_needs_a_command_that_is_not_empty()
    {
        Assert.That(ConfigSource.Errors("[backends.a]\n").Single(), Does.StartWith("c.toml:1:1: backends.a.command: found no such key,"));
        Assert.That(
            ConfigSource.Errors("[backends.a]\ncommand = ''\n").Single(),
            Does.StartWith("c.toml:2:11: backends.a.command: found an empty string,")
        );
        Assert.That(
            ConfigSource.Errors("[backends.a]\ncommand = ['x']\n").Single(),
            Does.StartWith("c.toml:2:11: backends.a.command: found an array,")
        );
    }

    [Test]
    public void A_backend_with_docker_keys_but_without_type_gets_one_error_each() =>
        Assert.That(
            ConfigSource.Errors("[backends.a]\nimage = 'x'\nport = 80\n"),
            Is.EqualTo(["c.toml:2:1: backends.a.image: found in a backend without type, allowed only with type = \"docker\""])
        );

    [TestCase(
        "command = 'x'",
        "5:1: backends.a.command: found in a docker backend, allowed only with type = \"local\"; the container's command line is args"
    )]
    [TestCase("working_dir = '/opt/api'", "5:1: backends.a.working_dir: found in a docker backend, allowed only with type = \"local\"")]
    [TestCase("container_name = 'a_b.c-1'", null)]
    [TestCase(
        "container_name = '-a'",
        "5:18: backends.a.container_name: found the string \"-a\", allowed is a letter or digit, then at least one letter, digit, _, . or -"
    )]
    [TestCase(
        "container_name = 'a'",
        "5:18: backends.a.container_name: found the string \"a\", allowed is a letter or digit, then at least one letter, digit, _, . or -"
    )]
    [TestCase("pull_policy = 'always'", null)]
    [TestCase("pull_policy = 'never'", null)]
    [TestCase(
        "pull_policy = 'sometimes'",
        "5:15: backends.a.pull_policy: found the string \"sometimes\", allowed is \"always\", \"never\" or \"if-not-present\""
    )]
    [TestCase(
        "network = ''",
        "5:11: backends.a.network: found an empty string, allowed is the name of a Docker network, such as \"bridge\""
    )]
    [TestCase("docker_host = 'unix:///x.sock'", null)]
    [TestCase("docker_host = 'tcp://[::1]:2375'", null)]
    [TestCase(
        "docker_host = 'tcp://box'",
        "5:15: backends.a.docker_host: found the string \"tcp://box\", allowed is \"unix:///path/of/docker.sock\" or \"tcp://host:port\""
    )]
    [TestCase(
        "docker_host = 'unix://x'",
        "5:15: backends.a.docker_host: found the string \"unix://x\", allowed is \"unix:///path/of/docker.sock\" or \"tcp://host:port\""
    )]
    [TestCase(
        "docker_host = 'ssh://box:22'",
        "5:15: backends.a.docker_host: found the string \"ssh://box:22\", allowed is \"unix:///path/of/docker.sock\" or \"tcp://host:port\""
    )]
    [TestCase("no_new_privileges = false", null)]
    [TestCase(
        "no_new_privileges = 'false'",
        "5:21: backends.a.no_new_privileges: found the string \"false\", allowed is true or false, without quotes"
    )]
    [TestCase("pids_limit = 0", null)]
    [TestCase("pids_limit = 4194304", null)]
    [TestCase("pids_limit = -1", "5:14: backends.a.pids_limit: found -1, allowed is a whole number from 0 to 4194304 (0 = none)")]
    [TestCase("pids_limit = 4194305", "5:14: backends.a.pids_limit: found 4194305, allowed is a whole number from 0 to 4194304 (0 = none)")]
    public void A_docker_backend_is_checked(string line, string? error) =>
        Assert.That(ConfigSource.Errors(ConfigSource.Docker(line)), error is null ? Is.Empty : Is.EqualTo([$"c.toml:{error}"]));

    [Test]
    public void A_docker_backend_needs_an_image_and_a_port()
    {
        var errors = ConfigSource.Errors("[backends.a]\ntype = 'docker'\n[backends.b]\ntype = 'docker'\nimage = ''\nport = 0\n");

        Assert.That(
            errors,
            Is.EqualTo([
                "c.toml:1:1: backends.a.port: found no such key, a docker backend needs the port its container listens on, "
                    + "such as port = 3000",
                "c.toml:1:1: backends.a.image: found no such key, a docker backend needs the image to run, such as image = "
                    + "\"myapp:latest\"",
                "c.toml:5:9: backends.b.image: found an empty string, allowed is an image reference, such as \"myapp:latest\"",
                "c.toml:6:8: backends.b.port: found 0, allowed is a whole number from 1 to 65535 (the container's port)",
            ])
        );
    }

    [TestCase("'512m'", 512L << 20)]
    [TestCase("'1.5g'", 3L << 29)]
    [TestCase("'2gb'", 2L << 30)]
    [TestCase("'256M'", 256L << 20)]
    [TestCase("'256MB'", 256L << 20)]
    [TestCase("'8192k'", 8L << 20)]
    [TestCase("'6m'", 6L << 20)]
    [TestCase("'6291456'", 6L << 20)]
    [TestCase("'6291456b'", 6L << 20)]
    [TestCase("'6291455b'", null)]
    [TestCase("'5.9m'", null)]
    [TestCase("'512'", null)]
    [TestCase("'512mm'", null)]
    [TestCase("'512 m'", null)]
    [TestCase("'m'", null)]
    [TestCase("'b'", null)]
    [TestCase("''", null)]
    [TestCase("'.5g'", null)]
    [TestCase("'1.g'", null)]
    [TestCase("'-1g'", null)]
    [TestCase("'1,5g'", null)]
    [TestCase("'1e3g'", null)]
    [TestCase("'99999999999g'", null)]
    [TestCase("'99999999999999999999999999999999g'", null)]
    [TestCase("512", null)]
    public void A_memory_limit_is_a_number_with_a_unit(string value, long? bytes)
    {
        var result = ConfigSource.Load(ConfigSource.Docker($"memory = {value}"));

        Assert.That(result.Config?.Backends[0].Docker!.MemoryBytes, Is.EqualTo(bytes));
        Assert.That(
            result.Errors.Select(error => error.Message),
            bytes is null
                ? Has.One.EndsWith("allowed is a size of at least 6m in b, k, m or g, such as \"512m\", \"1.5g\" or \"2gb\"")
                : Is.Empty
        );
    }

    [TestCase("'1.0'", 1_000_000_000L)]
    [TestCase("0.5", 500_000_000L)]
    [TestCase("2", 2_000_000_000L)]
    [TestCase("'0.01'", 10_000_000L)]
    [TestCase("8192", 8_192_000_000_000L)]
    [TestCase("'0.009'", null)]
    [TestCase("8192.1", null)]
    [TestCase("0", null)]
    [TestCase("-1", null)]
    [TestCase("nan", null)]
    [TestCase("inf", null)]
    [TestCase("1e300", null)]
    [TestCase("9223372036854775807", null)]
    [TestCase("'two'", null)]
    [TestCase("true", null)]
    public void A_cpu_limit_is_a_number_or_a_string_that_holds_one(string value, long? nanoCpus)
    {
        var result = ConfigSource.Load(ConfigSource.Docker($"cpus = {value}"));

        Assert.That(result.Config?.Backends[0].Docker!.NanoCpus, Is.EqualTo(nanoCpus));
        Assert.That(
            result.Errors.Select(error => error.Message),
            nanoCpus is null ? Has.One.EndsWith("allowed is a number of cores from 0.01 to 8192, such as \"1.0\" or 0.5") : Is.Empty
        );
    }

    [TestCase("app.example.com", "spawngate-app.example.com")]
    [TestCase("*.example.com", "spawngate--.example.com")]
    [TestCase("[::1]", "spawngate----1-")]
    public void A_container_is_named_after_its_host(string hostname, string name)
    {
        var config = ConfigSource.Valid($"[backends.\"{hostname}\"]\ntype = 'docker'\nimage = 'i'\nport = 80\n");

        Assert.That(config.Backends[0].Docker!.ContainerName, Is.EqualTo(name));
    }

    private static string LocalOn(string host, int port) => $"[backends.{host}]\ncommand = 'x'\nport = {port}\n";

    private static string DockerOn(string host, int port, string more = "") =>
        $"[backends.{host}]\ntype = 'docker'\nimage = 'i'\nport = {port}\n{more}\n";

    [Test]
    public void A_container_on_the_hosts_network_needs_a_port_of_its_own_and_any_other_container_does_not() =>
        Assert.That(
            ConfigSource.Errors(LocalOn("a", 3000) + DockerOn("b", 3000) + DockerOn("c", 3000, "network = 'host'")),
            Is.EqualTo([
                "c.toml:12:8: backends.c.port: found 3000, which is the port of backends.a on line 3 too, allowed is a port of "
                    + "its own, as its container uses the machine's network",
            ])
        );

    [Test]
    public void Two_local_backends_cannot_have_one_port() =>
        Assert.That(
            ConfigSource.Errors(LocalOn("a", 3000) + LocalOn("b", 3000) + LocalOn("c", 3001)),
            Is.EqualTo([
                "c.toml:6:8: backends.b.port: found 3000, which is the port of backends.a on line 3 too, allowed is a port of "
                    + "its own, or 0 to have a free one chosen at each start",
            ])
        );

    [Test]
    public void Open_ports_and_container_ports_collide_with_nothing() =>
        ConfigSource.Valid(
            LocalOn("a", 0) + LocalOn("b", 0) + LocalOn("c", 3000) + DockerOn("d", 3000) + DockerOn("e", 3000) + DockerOn("f", 80)
        );

    [TestCase("0.0.0.0", true)]
    [TestCase("127.0.0.1", true)]
    [TestCase("::", true)]
    [TestCase("::ffff:127.0.0.1", true)]
    [TestCase("::1", false)]
    [TestCase("192.0.2.1", false)]
    public void A_local_backend_cannot_have_a_port_of_the_gateway_on_loopback(string bind, bool collides)
    {
        var errors = ConfigSource.Errors(
            $"[server]\nport = 8080\nbind = '{bind}'\nadmin_port = 9090\nadmin_bind = '{bind}'\n" + LocalOn("a", 8080) + LocalOn("b", 9090)
        );

        Assert.That(
            errors,
            collides
                ? Is.EqualTo([
                    "c.toml:8:8: backends.a.port: found 8080, which is the proxy's own (server.port), allowed is a port of its "
                        + "own, or 0 to have a free one chosen at each start",
                    "c.toml:11:8: backends.b.port: found 9090, which is the admin API's own (server.admin_port), allowed is a "
                        + "port of its own, or 0 to have a free one chosen at each start",
                ])
                : Is.Empty
        );
    }

    [TestCase("0.0.0.0", "127.0.0.1", true)]
    [TestCase("127.0.0.1", "127.0.0.1", true)]
    [TestCase("::", "127.0.0.1", true)]
    [TestCase("127.0.0.1", "::", true)]
    [TestCase("0.0.0.0", "::", true)]
    [TestCase("0.0.0.0", "::1", false)]
    [TestCase("192.0.2.1", "127.0.0.1", false)]
    public void Proxy_and_admin_api_cannot_have_one_port_on_one_address(string bind, string adminBind, bool collides) =>
        Assert.That(
            ConfigSource.Errors($"[server]\nbind = '{bind}'\nadmin_bind = '{adminBind}'\nport = 9999\n"),
            collides
                ? Is.EqualTo(["c.toml:4:8: server.port: found 9999, which is server.admin_port too, allowed is a port of its own"])
                : Is.Empty
        );

    [Test]
    public void Two_docker_backends_of_one_engine_cannot_have_one_container()
    {
        var errors = ConfigSource.Errors(
            DockerOn("a", 80, "container_name = 'box'")
                + DockerOn("b", 80, "container_name = 'box'\ndocker_host = 'tcp://far:2375'")
                + DockerOn("c", 80, "container_name = 'box'")
        );

        Assert.That(
            errors,
            Is.EqualTo([
                "c.toml:16:18: backends.c.container_name: found \"box\", which is the container of backends.a on line 1 too, "
                    + "allowed is a name of its own",
            ])
        );
    }
}
