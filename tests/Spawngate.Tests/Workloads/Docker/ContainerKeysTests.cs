using Spawngate.Commands;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Workloads.Docker;

namespace Spawngate.Tests;

/// <summary>The keys that say how a container is run.</summary>
internal sealed class ContainerKeysTests
{
    private const string VolumeAllowed = ", allowed is " + ContainerVolume.Allowed;
    private const string TmpfsAllowed = ", allowed is " + ContainerTmpfs.Allowed;

    [TestCase("data:/data", "data", "/data")]
    [TestCase("/srv/site:/www:ro", "/srv/site", "/www")]
    [TestCase("/:/machine:ro", "/", "/machine")]
    [TestCase("data:/a//b/", "data", "/a/b")]
    [TestCase("d.a-t_a:/a:rw", "d.a-t_a", "/a")]
    [TestCase("/var/run/docker.sock:/var/run/docker.sock", "/var/run/docker.sock", "/var/run/docker.sock")]
    public void A_volume_is_a_name_or_a_path_and_where_it_is_seen(string text, string source, string target)
    {
        var volume = ContainerVolume.Parse(text)!;
        Assert.That((volume.Source, volume.Target), Is.EqualTo((source, target)));
        Assert.That(volume.IsHostPath, Is.EqualTo(source[0] == '/'));
        Assert.That(volume.IsReadOnly, Is.EqualTo(text.EndsWith(":ro", StringComparison.Ordinal)));
        Assert.That(ContainerVolume.Parse(volume.ToString()), Is.EqualTo(volume), "what check prints");
    }

    [TestCase("")]
    [TestCase("data")]
    [TestCase("/data")]
    [TestCase("a:/data")]
    [TestCase("data:data")]
    [TestCase("data:/")]
    [TestCase("./data:/data")]
    [TestCase("~/data:/data")]
    [TestCase("data:/a/../b")]
    [TestCase("/a/../etc:/b")]
    [TestCase("data:/data:")]
    [TestCase("data:/data:rx")]
    [TestCase("data:/data:ro,rw")]
    [TestCase("data:/data:ro,ro")]
    [TestCase("data:/data:z")]
    [TestCase("/data:/data:nocopy")]
    [TestCase("/data:/data:z,Z")]
    [TestCase("data:/data:ro:rw")]
    [TestCase("-x:/data")]
    [TestCase("data:/a\nb")]
    public void Nothing_else_is_a_volume(string text) => Assert.That(ContainerVolume.Parse(text), Is.Null);

    [TestCase("volumes = ['data:/data', '/srv/site:/www:ro']", null)]
    [TestCase("volumes = ['data']", "5:12: backends.a.volumes[0]: found the string \"data\"" + VolumeAllowed)]
    [TestCase(
        "volumes = ['aa:/a', 'bb:/a/']",
        "5:11: backends.a.volumes: found \"/a\" twice, allowed is one mount at a path of the container"
    )]
    [TestCase(
        "tmpfs = ['/a']\nvolumes = ['aa:/a']",
        "5:9: backends.a.tmpfs: found \"/a\" twice, allowed is one mount at a path of the container"
    )]
    [TestCase("tmpfs = ['/run', '/tmp:size=64m,mode=1777']", null)]
    [TestCase("tmpfs = ['run']", "5:10: backends.a.tmpfs[0]: found the string \"run\"" + TmpfsAllowed)]
    [TestCase("tmpfs = ['/run:']", "5:10: backends.a.tmpfs[0]: found the string \"/run:\"" + TmpfsAllowed)]
    [TestCase("read_only = 1", "5:13: backends.a.read_only: found 1, allowed is true or false, without quotes")]
    [TestCase("init = 'tini'", "5:8: backends.a.init: found the string \"tini\", allowed is true or false, without quotes")]
    [TestCase("container_user = '1000:1000'", null)]
    [TestCase("container_user = 'app'", null)]
    [TestCase(
        "container_user = 'a:b:c'",
        "5:18: backends.a.container_user: found the string \"a:b:c\", allowed is a user of the image or a number, and a group behind a "
            + "colon, such as \"1000:1000\""
    )]
    [TestCase("labels = { 'com.example.team' = 'web', x = '' }", null)]
    [TestCase(
        "labels = { 'spawngate.run' = 'mine' }",
        "5:12: backends.a.labels.\"spawngate.run\": found a label by which Spawngate knows its own containers, allowed is any name "
            + "that does not begin with spawngate."
    )]
    [TestCase(
        "labels = { a.b = 'x' }",
        "5:12: backends.a.labels.a: found a table, allowed is a string (in quotes, numbers and booleans too; a name that "
            + "has dots is in quotes)"
    )]
    [TestCase("extra_hosts = ['db:10.0.0.5', 'v6:fd00::5', 'host.docker.internal:host-gateway']", null)]
    [TestCase(
        "extra_hosts = ['db']",
        "5:16: backends.a.extra_hosts[0]: found the string \"db\", allowed is \"NAME:ADDRESS\", such as \"db:10.0.0.5\" or "
            + "\"host.docker.internal:host-gateway\""
    )]
    [TestCase("healthcheck = 'docker'", null)]
    [TestCase(
        "healthcheck = '/health'",
        "5:15: backends.a.healthcheck: found the string \"/health\", allowed is \"docker\" (the HEALTHCHECK of the image "
            + "decides), or no such key"
    )]
    [TestCase("healthcheck = 'docker'\nhealth_path = '/health'", null)]
    [TestCase("gpus = 'all'", null)]
    [TestCase("gpus = 2", null)]
    [TestCase("gpus = ['0', 'GPU-3faa8ed4']", null)]
    [TestCase(
        "gpus = 0",
        "5:8: backends.a.gpus: found 0, allowed is \"all\", a number of them from 1, or a list of their ids, such as "
            + "[\"0\", \"GPU-3faa8ed4\"]"
    )]
    [TestCase("docker_host = 'tcp://far:2376'\ndocker_tls_dir = '/etc/tls'", null)]
    [TestCase(
        "docker_tls_dir = '/etc/tls'",
        "5:18: backends.a.docker_tls_dir: found without docker_host = \"tcp://HOST:PORT\", allowed only with one: a socket has no TLS"
    )]
    [TestCase(
        "docker_host = 'tcp://far:2376'\ndocker_tls_dir = 'tls'",
        "6:18: backends.a.docker_tls_dir: found the string \"tls\", allowed is the absolute path of a folder with "
            + "ca.pem, cert.pem and key.pem"
    )]
    public void Each_key_is_checked(string lines, string? error) =>
        Assert.That(ConfigSource.Errors(ConfigSource.Docker(lines)), error is null ? Is.Empty : Is.EqualTo([$"c.toml:{error}"]));

    [Test]
    public void A_template_may_have_them_and_a_call_may_not()
    {
        var config = ConfigSource.Valid(
            "[sessions]\ndomain = 's.test'\n[sessions.templates.t]\ntype = 'docker'\nimage = 'i'\nport = 80\n"
                + "volumes = ['data:/data']\ngpus = 'all'"
        );
        var options = config.Sessions!.Templates[0].Backend.Docker!.Options;
        Assert.That(options.Volumes.Single().Source, Is.EqualTo("data"));
        Assert.That(options.Gpus, Is.EqualTo(new ContainerGpus(ContainerGpus.All, ValueList<string>.Empty)));
        var session = (DockerSettings)config.Sessions.Templates[0].Backend.Settings.ForSession("x").WithImage("other");
        Assert.That(session.Options, Is.EqualTo(options));
    }

    [Test]
    public void What_is_not_there_is_a_warning_of_check_unless_it_is_on_another_machine()
    {
        var folder = Directory.CreateTempSubdirectory("spawngate-volumes-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "ca.pem"), "");
            var volumes = $"volumes = ['data:/data', '{folder}:/a', '{folder}/none:/b']";
            Assert.That(
                Warnings(volumes),
                Is.EqualTo([$"c.toml:1:1: warning: backends.a: volumes: no such file or folder: {folder}/none"])
            );
            Assert.That(Warnings($"{volumes}\ndocker_host = 'tcp://127.0.0.1:2375'"), Has.Count.EqualTo(1));
            Assert.That(Warnings($"{volumes}\ndocker_host = 'tcp://10.0.0.8:2375'"), Is.Empty);
            Assert.That(
                Warnings($"docker_host = 'tcp://10.0.0.8:2376'\ndocker_tls_dir = '{folder}'"),
                Is.EqualTo([
                    $"c.toml:1:1: warning: backends.a: docker_tls_dir: no such file: {folder}/cert.pem",
                    $"c.toml:1:1: warning: backends.a: docker_tls_dir: no such file: {folder}/key.pem",
                ])
            );
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [TestCase("unix:///run/docker.sock", false)]
    [TestCase("tcp://localhost:2375", false)]
    [TestCase("tcp://127.0.0.1:2375", false)]
    [TestCase("tcp://[::1]:2375", false)]
    [TestCase("tcp://10.0.0.8:2375", true)]
    [TestCase("tcp://far:2375", true)]
    public void The_ports_of_the_hosts_network_are_those_of_the_engines_machine(string host, bool isElsewhere)
    {
        var docker = ConfigSource
            .Valid($"[backends.a]\ntype = 'docker'\nimage = 'i'\nport = 3000\nnetwork = 'host'\ndocker_host = '{host}'")
            .Backends[0];
        Assert.That(docker.UsesLoopbackPort, Is.EqualTo(!isElsewhere));
    }

    [TestCase("unix:///run/docker.sock")]
    [TestCase("unix:///a path/docker.sock")]
    [TestCase("tcp://10.0.0.8:2376")]
    public void The_guard_is_told_an_engine_in_one_line(string host)
    {
        var plain = EngineAddress.Parse(host)!;
        Assert.That(EngineAddress.OfLine(plain.Line), Is.EqualTo(plain));
        var secure = EngineAddress.Parse(host, "/etc/my tls")!;
        Assert.That(EngineAddress.OfLine(secure.Line), Is.EqualTo(secure));
        Assert.That(secure.TlsDir, Is.EqualTo(plain.SocketPath is null ? "/etc/my tls" : null));
    }

    private static List<string> Warnings(string lines) =>
        [.. CheckWarnings.Of(ConfigSource.Valid(ConfigSource.Docker(lines)), new ChildEnvironment([]))];
}
