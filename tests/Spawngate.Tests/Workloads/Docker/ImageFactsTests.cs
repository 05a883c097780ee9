using Docker.DotNet.Models;
using Spawngate.Config;
using Spawngate.Workloads.Docker;

namespace Spawngate.Tests;

/// <summary>What an image decides of its container, and what a container is created with.</summary>
internal sealed class ImageFactsTests
{
    [TestCase("/init", "", "", true)]
    [TestCase("/sbin/init", "", "", true)]
    [TestCase("", "/sbin/init", "", true)]
    [TestCase("", "/lib/systemd/systemd", "", true)]
    [TestCase("/usr/bin/tini -- /docker-entrypoint.sh", "server", "", true)]
    [TestCase("tini -g -- start.sh", "", "", true)]
    [TestCase("/sbin/tini --", "node", "", true)]
    [TestCase("dumb-init --", "server", "", true)]
    [TestCase("/bin/s6-svscan /etc/s6", "", "", true)]
    [TestCase("/entrypoint.sh", "/init", "", true)]
    [TestCase("/entrypoint.sh", "/usr/bin/s6-svscan /etc", "", true)]
    [TestCase("/entrypoint.sh", "/init", "server", false)]
    [TestCase("", "server", "/init", true)]
    [TestCase("git", "init", "", false)]
    [TestCase("node server.js", "", "", false)]
    [TestCase("/docker-entrypoint.sh", "nginx -g", "", false)]
    [TestCase("", "", "", false)]
    [TestCase("/opt/initial", "", "", false)]
    public void An_image_that_brings_an_init_is_seen(string entry, string command, string args, bool brings) =>
        Assert.That(Facts(entry, command).BringsInit(Words(args)), Is.EqualTo(brings));

    [TestCase("exec /init", true)]
    [TestCase("/usr/bin/tini -- server", true)]
    [TestCase("server | tee log", false)]
    [TestCase("", false)]
    public void A_shell_that_only_runs_it_hides_nothing(string script, bool brings) =>
        Assert.That(new ImageFacts(new DockerOCIImageConfig { Entrypoint = ["/bin/sh", "-c", script] }).BringsInit([]), Is.EqualTo(brings));

    [Test]
    public void An_image_of_which_nothing_is_told_decides_nothing()
    {
        var facts = new ImageFacts(null);
        Assert.That(facts.BringsInit([]), Is.False);
        Assert.That(facts.Healthcheck, Is.Null);
        Assert.That(facts.LooseVolumes(new ContainerOptions()), Is.Empty);
    }

    [Test]
    public void A_declared_volume_is_loose_unless_something_is_mounted_just_there()
    {
        var config = new DockerOCIImageConfig
        {
            Volumes = new Dictionary<string, EmptyStruct> { ["/data/"] = default, ["/config"] = default },
        };
        var facts = new ImageFacts(config);
        Assert.That(facts.LooseVolumes(new ContainerOptions()), Is.EqualTo(["/config", "/data"]));
        Assert.That(facts.LooseVolumes(Options("volumes = ['data:/data']")), Is.EqualTo(["/config"]));
        Assert.That(facts.LooseVolumes(Options("volumes = ['data:/data/sub']")), Has.Count.EqualTo(2));
        Assert.That(facts.LooseVolumes(Options("volumes = ['data:/data']\ntmpfs = ['/config']")), Is.Empty);
    }

    [TestCase("NONE", false)]
    [TestCase("CMD", true)]
    [TestCase("CMD-SHELL", true)]
    public void A_check_that_is_turned_off_is_none(string kind, bool isOne) =>
        Assert.That(
            new ImageFacts(new DockerOCIImageConfig { Healthcheck = new HealthcheckConfig { Test = [kind, "true"] } }).Healthcheck
                is not null,
            Is.EqualTo(isOne)
        );

    [Test]
    public void A_container_is_created_with_what_the_file_says()
    {
        var options = Options(
            """
            volumes = ["data:/data:nocopy", "/srv:/www:ro", "/etc/x:/x:z,ro"]
            tmpfs = ["/run", "/tmp:size=64m"]
            read_only = true
            container_user = "1:2"
            extra_hosts = ["db:10.0.0.5"]
            gpus = ["0"]
            """
        );
        var spec = new CreateContainerParameters { HostConfig = new HostConfig() };
        OptionsPlan.Add(options, spec, init: true, needsHostName: true);

        var host = spec.HostConfig;
        Assert.That(
            host.Mounts!.Select(mount => (mount.Type, mount.Source, mount.Target, mount.ReadOnly, mount.VolumeOptions?.NoCopy)),
            Is.EqualTo(
                new (string, string, string, bool?, bool?)[]
                {
                    ("volume", "data", "/data", false, true),
                    ("bind", "/srv", "/www", true, null),
                }
            )
        );
        Assert.That(host.Binds, Is.EqualTo(["/etc/x:/x:ro,z"]), "mounts have no words for SELinux");
        Assert.That(host.Tmpfs, Is.EquivalentTo(new Dictionary<string, string> { ["/run"] = "", ["/tmp"] = "size=64m" }));
        Assert.That((host.Init, host.ReadonlyRootfs, spec.User), Is.EqualTo(((bool?)true, true, "1:2")));
        Assert.That(host.ExtraHosts, Is.EqualTo(["db:10.0.0.5", "host.docker.internal:host-gateway"]));
        var gpus = host.DeviceRequests.Single();
        Assert.That((gpus.Count, gpus.DeviceIDs.Single(), gpus.Capabilities.Single().Single()), Is.EqualTo((0L, "0", "gpu")));
    }

    [Test]
    public void A_name_for_the_machine_that_the_file_gives_is_not_given_again()
    {
        var spec = new CreateContainerParameters { HostConfig = new HostConfig() };
        OptionsPlan.Add(Options("extra_hosts = ['host.docker.internal:10.0.0.1']"), spec, init: null, needsHostName: true);
        Assert.That(spec.HostConfig.ExtraHosts, Is.EqualTo(["host.docker.internal:10.0.0.1"]));
    }

    [Test]
    public void While_it_starts_a_check_runs_often_unless_the_image_says_how_often()
    {
        var usual = OptionsPlan.WhileStarting(new HealthcheckConfig { Test = ["CMD", "x"], Interval = TimeSpan.FromSeconds(30) }, 40);
        Assert.That(
            (usual.StartPeriod, usual.StartInterval, usual.Interval, usual.Test),
            Is.EqualTo(
                ((TimeSpan?)TimeSpan.FromSeconds(40), (TimeSpan?)TimeSpan.FromMilliseconds(500), (TimeSpan?)null, (IList<string>?)null)
            ),
            "what is left out is the image's"
        );
        var own = new HealthcheckConfig { StartPeriod = TimeSpan.FromSeconds(2), StartInterval = TimeSpan.FromSeconds(1) };
        var kept = OptionsPlan.WhileStarting(own, 40);
        Assert.That((kept.StartPeriod, kept.StartInterval), Is.EqualTo((own.StartPeriod, own.StartInterval)));
    }

    [TestCase("healthy", true, "the image's HEALTHCHECK says healthy")]
    [TestCase("unhealthy", false, "the image's HEALTHCHECK says unhealthy: exit status 7, wget: refused")]
    [TestCase("starting", null, "the image's HEALTHCHECK says starting: exit status 7, wget: refused")]
    [TestCase("none", null, "the container has no HEALTHCHECK")]
    public void What_the_engine_says_of_health_is_read(string status, bool? isHealthy, string detail)
    {
        var health = new Health { Status = status, Log = [new HealthcheckResult { ExitCode = 7, Output = "\n wget: refused\nmore" }] };
        var finding = ContainerHealth.Of(health);
        Assert.That((finding.IsHealthy, finding.Detail), Is.EqualTo((isHealthy, detail)));
    }

    private static ImageFacts Facts(string entry, string command) =>
        new(new DockerOCIImageConfig { Entrypoint = Words(entry), Cmd = Words(command) });

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static ContainerOptions Options(string lines) => ConfigSource.Valid(ConfigSource.Docker(lines)).Backends[0].Docker!.Options;
}
