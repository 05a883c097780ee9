using System.Net;
using System.Text;
using System.Text.Json;
using Docker.DotNet.Models;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Platform;
using Spawngate.Protocols.Http2;
using Spawngate.Workloads;
using Spawngate.Workloads.Docker;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

/// <summary>The parts of the Docker client that compute and do nothing else.</summary>
internal sealed class DockerPartsTests
{
    [TestCase("app", "app", "latest", "docker.io")]
    [TestCase("app:2", "app", "2", "docker.io")]
    [TestCase("org/app:2", "org/app", "2", "docker.io")]
    [TestCase("localhost/app", "localhost/app", "latest", "localhost")]
    [TestCase("registry.local/ide:1.5", "registry.local/ide", "1.5", "registry.local")]
    [TestCase("127.0.0.1:5000/app", "127.0.0.1:5000/app", "latest", "127.0.0.1:5000")]
    [TestCase("127.0.0.1:5000/app:1@sha256:abc", "127.0.0.1:5000/app", "sha256:abc", "127.0.0.1:5000")]
    [TestCase("app@sha256:abc", "app", "sha256:abc", "docker.io")]
    public void An_image_reference_is_taken_apart(string reference, string repository, string tag, string registry)
    {
        var name = ImageName.Parse(reference);
        Assert.That(name, Is.EqualTo(new ImageName(repository, tag)));
        Assert.That(name.Registry, Is.EqualTo(registry));
    }

    [TestCase("unix:///run/docker.sock", "/run/docker.sock", "docker")]
    [TestCase("tcp://10.0.0.1:2375", null, "10.0.0.1:2375")]
    [TestCase("http://10.0.0.1:2375", null, "10.0.0.1:2375")]
    public void An_address_is_a_socket_or_a_port(string text, string? path, string authority)
    {
        var address = EngineAddress.Parse(text)!;
        Assert.That((address.SocketPath, address.Authority), Is.EqualTo((path, authority)));
    }

    [TestCase("ssh://host")]
    [TestCase("npipe:////./pipe/docker_engine")]
    [TestCase("unix://")]
    [TestCase("tcp://host")]
    [TestCase("/var/run/docker.sock")]
    public void Nothing_else_is_an_address(string text) => Assert.That(EngineAddress.Parse(text), Is.Null);

    [TestCase(
        "pull access denied for app, repository does not exist or may require 'docker login': denied",
        "the image is unknown, or the registry needs a login"
    )]
    [TestCase("manifest for app:9 not found: manifest unknown: manifest unknown", "the image is unknown to the registry")]
    [TestCase("Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused", "the registry cannot be reached")]
    [TestCase("Get \"https://r.test/v2/\": dial tcp: lookup r.test: no such host", "the registry cannot be reached")]
    [TestCase("Head \"http://127.0.0.1:5/v2/app/manifests/1\": no basic auth credentials", "the registry needs a login")]
    [TestCase("unauthorized: authentication required", "the registry needs a login")]
    [TestCase("Get \"https://r.test/v2/\": x509: certificate signed by unknown authority", "the registry's certificate is not trusted")]
    [TestCase("toomanyrequests: You have reached your pull rate limit", "too many pulls from this address")]
    [TestCase("write /var/lib/docker/tmp: no space left on device", "the disk of the engine is full")]
    public void A_failed_pull_says_what_to_do(string message, string meaning) =>
        Assert.That(PullFault.Describe("app:1", message), Is.EqualTo($"image app:1 cannot be pulled: {meaning} ({message})"));

    [Test]
    public void An_unknown_failure_of_a_pull_is_passed_on() =>
        Assert.That(PullFault.Describe("app:1", "the moon is full"), Is.EqualTo("image app:1 cannot be pulled: the moon is full"));

    [Test]
    public void A_container_is_created_as_configured()
    {
        var spec = Plan(null);
        Assert.That((spec.Name, spec.Image), Is.EqualTo(("app", "app:1")));
        Assert.That(spec.Cmd, Is.EqualTo(["--workers", "4"]));
        Assert.That(
            spec.Env,
            Is.EqualTo([
                "A=b",
                "PORT=1",
                "PORT=3000",
                "SERVERLESS_PROXY_READY_URL=http://h/ready/a?token=t",
                "SPAWNGATE_BUSY_URL=http://h/busy/a/t",
            ]),
            "the last of a name holds"
        );
        var host = spec.HostConfig!;
        Assert.That(spec.ExposedPorts!.Keys, Is.EqualTo(["3000/tcp"]));
        var binding = host.PortBindings["3000/tcp"].Single();
        Assert.That((binding.HostIP, binding.HostPort), Is.EqualTo(("127.0.0.1", "")));
        Assert.That(host.Memory, Is.EqualTo(1610612736));
        Assert.That(host.NanoCPUs, Is.EqualTo(500000000));
        Assert.That(host.PidsLimit, Is.EqualTo(4096), "unless the file says otherwise");
        Assert.That(host.SecurityOpt, Is.EqualTo(["no-new-privileges"]), "unless the file says otherwise");
        Assert.That(host.NetworkMode, Is.Empty, "the engine's default");
        Assert.That(host.ExtraHosts, Is.Null);
        Assert.That(
            spec.Labels,
            Is.EquivalentTo(
                new Dictionary<string, string>
                {
                    ["spawngate.instance"] = "inst",
                    ["spawngate.process"] = "proc",
                    ["spawngate.run"] = "run",
                    ["spawngate.container"] = "app",
                    ["spawngate.host"] = "app.test",
                    ["spawngate.generation"] = "7",
                    ["spawngate.grace_secs"] = "10",
                }
            )
        );
    }

    [Test]
    public void A_container_on_the_hosts_network_has_no_mapping()
    {
        var spec = Plan("host");
        Assert.That(
            (spec.HostConfig!.NetworkMode, spec.HostConfig.PortBindings, spec.ExposedPorts),
            Is.EqualTo(("host", (object?)null, (object?)null))
        );
    }

    [TestCase(false, 100, 100)]
    [TestCase(true, 0, -1)]
    public void What_a_container_may_do_is_as_configured(bool noNewPrivileges, int limit, int pids)
    {
        var host = Plan(null, docker => docker with { NoNewPrivileges = noNewPrivileges, PidsLimit = limit }).HostConfig!;
        Assert.That(host.PidsLimit, Is.EqualTo(pids));
        Assert.That(host.SecurityOpt is not null, Is.EqualTo(noNewPrivileges));
    }

    [TestCase("null", null)]
    [TestCase("""{"Ports":null}""", null)]
    [TestCase("""{"Ports":{"3000/tcp":null}}""", null)]
    [TestCase("""{"Ports":{"3000/tcp":[]}}""", null)]
    [TestCase("""{"Ports":{"3001/tcp":[{"HostIp":"127.0.0.1","HostPort":"1"}]}}""", null)]
    [TestCase("""{"Ports":{"3000/tcp":[{"HostIp":"127.0.0.1","HostPort":"x"}]}}""", null)]
    [TestCase("""{"Ports":{"3000/tcp":[{"HostIp":"127.0.0.1","HostPort":"99999"}]}}""", null)]
    [TestCase("""{"Ports":{"3000/tcp":[{"HostIp":"127.0.0.1","HostPort":"41000"}]}}""", 41000)]
    public void The_port_is_read_back(string settings, int? port)
    {
        var details = JsonSerializer.Deserialize<ContainerInspectResponse>($$"""{"Id":"x","NetworkSettings":{{settings}} }""")!;
        Assert.That(ContainerPlan.MappedPort(details, 3000), Is.EqualTo(port));
    }

    [TestCase(null, new string[0])]
    [TestCase("fd00::1/64 172.17.0.1", new[] { "172.17.0.1", "fd00::1" })]
    [TestCase("nonsense 10.1.0.1/16", new[] { "10.1.0.1" })]
    public void The_machines_addresses_in_a_network_are_found(string? gateways, string[] expected)
    {
        var ranges = (gateways ?? "").Split(' ').Select(static text => new IPAMConfig { Gateway = text });
        var details = new NetworkResponse { IPAM = new IPAM { Config = [.. ranges] } };
        Assert.That(ReadyPath.GatewaysOf(details), Is.EqualTo(expected.Select(IPAddress.Parse)));
        Assert.That(ReadyPath.GatewaysOf(null), Is.Empty);
    }

    [TestCase(0, false, "exited with status 0")]
    [TestCase(3, false, "exited with status 3")]
    [TestCase(143, false, "exited with status 143 (SIGTERM)")]
    [TestCase(137, true, "exited with status 137 (SIGKILL), out of memory")]
    public void An_exit_status_is_explained(int status, bool outOfMemory, string text) =>
        Assert.That(ContainerWorkload.Describe(status, outOfMemory), Is.EqualTo(text));

    [Test]
    public void An_instance_is_its_configuration_on_its_machine_or_what_it_is_told()
    {
        var one = GatewayIdentity.Of("/etc/spawngate/config.toml", null);
        Assert.That(
            GatewayIdentity.Of("/etc/spawngate/../spawngate/config.toml", "").Instance,
            Is.EqualTo(one.Instance),
            "the same at the next start"
        );
        Assert.That(GatewayIdentity.Of("/etc/spawngate/other.toml", null).Instance, Is.Not.EqualTo(one.Instance));
        Assert.That(GatewayIdentity.Of("/etc/spawngate/config.toml", "blue").Instance, Is.EqualTo("blue"));
        Assert.That(GatewayIdentity.Of("/etc/spawngate/config.toml", null).Process, Is.Not.EqualTo(one.Process), "new at every start");
    }

    [TestCase("unix:///run/docker.sock")]
    [TestCase("unix:///a/path/that/is/exactly/as/long/as/it/takes/to/fill/some/pieces/d")]
    [TestCase("tcp://[::1]:2375")]
    public void The_guard_puts_places_together(string address)
    {
        var engine = new GuardedResource("docker", "0123456789abcdef01234567", address);
        var other = engine with { Kind = "scripted" };
        var list = new GuardList(static _ => 0);
        Tell(engine, isExpected: true);
        Tell(engine, isExpected: true);
        Tell(other, isExpected: true);
        Assert.That(list.Resources, Is.EqualTo([engine, other]));
        Tell(engine, isExpected: false);
        Assert.That(list.Resources, Is.EqualTo([other]), "one kind's clean stop is not another's");

        void Tell(GuardedResource resource, bool isExpected)
        {
            foreach (var piece in resource.ToPieces(isExpected))
            {
                Assert.That(list.Take(Bytes(new GuardRecord(GuardRecordKind.Text, piece, 0, 0))));
            }
        }
    }

    [TestCase("docker owner unix:///x")]
    [TestCase("+ owner unix:///x")]
    [TestCase("+docker owner")]
    [TestCase("")]
    public void A_line_to_the_guard_that_is_none_is_refused(string line)
    {
        var resources = new List<GuardedResource>();
        Assert.That(GuardedResource.Apply([.. Encoding.UTF8.GetBytes(line)], resources), Is.False);
        Assert.That(resources, Is.Empty);
    }

    [Test]
    public void A_line_to_the_guard_is_bounded()
    {
        var list = new GuardList(static _ => 0);
        var piece = Bytes(new GuardRecord(GuardRecordKind.Text, new InstanceToken(1, 1, 1), 0, 0));
        Assert.That(Enumerable.Range(0, 1000).All(_ => list.Take(piece)), Is.False);
    }

    [Test]
    public void Logins_are_found_as_docker_stores_them()
    {
        var folder = Directory.CreateTempSubdirectory("logins-");
        var auth = Convert.ToBase64String("me:se:cret"u8);
        File.WriteAllText(
            Path.Combine(folder.FullName, "config.json"),
            $$"""{"auths":{"https://index.docker.io/v1/":{"auth":"{{auth}}"},"r.test":{"auth":"{{auth}}","identitytoken":"tok"},"bad.test":{"auth":"%"},"helper.test":{} } }"""
        );
        var logins = RegistryLogins.OfUser(name => name == "DOCKER_CONFIG" ? folder.FullName : null);
        Assert.That(Of(logins.Find("docker.io")), Is.EqualTo(("me", "se:cret", (string?)null, "https://index.docker.io/v1/")));
        Assert.That(Of(logins.Find("r.test")), Is.EqualTo(("me", (string?)null, "tok", "r.test")));
        Assert.That(new[] { "other.test", "bad.test", "helper.test" }.Select(logins.Find), Is.All.Null);
        File.WriteAllText(Path.Combine(folder.FullName, "config.json"), "{");
        Assert.That(logins.Find("r.test"), Is.Null);
        folder.Delete(recursive: true);
        Assert.That(logins.Find("r.test"), Is.Null);
    }

    private static (string? User, string? Password, string? Token, string? Server) Of(AuthConfig? login) =>
        (login!.Username, login.Password, login.IdentityToken, login.ServerAddress);

    private static byte[] Bytes(GuardRecord record)
    {
        var bytes = new byte[GuardRecord.Bytes];
        record.Write(bytes);
        return bytes;
    }

    private static CreateContainerParameters Plan(string? network, Func<DockerSettings, DockerSettings>? change = null)
    {
        var docker = new DockerSettings
        {
            Image = "app:1",
            ContainerName = "app",
            MemoryBytes = 1610612736,
            NanoCpus = 500000000,
            Network = network,
        };
        var config = new BackendConfig(new BackendTimings())
        {
            Route = new BackendRoute("app.test"),
            Port = 3000,
            Args = ["--workers", "4"],
            Env = [new("A", "b"), new("PORT", "1")],
            Settings = change?.Invoke(docker) ?? docker,
        };
        return ContainerPlan.Of(
            new LaunchRequest(config, 7, 0, "http://admin"),
            new GatewayIdentity("inst", "proc"),
            "run",
            "http://h/ready/a?token=t",
            IPAddress.Loopback
        );
    }
}
