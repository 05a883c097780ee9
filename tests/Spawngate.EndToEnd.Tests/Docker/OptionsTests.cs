using System.Diagnostics;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>How the file has a container run: what is mounted in it, who is PID 1, who it is.</summary>
[TestFixture]
internal sealed class OptionsTests : ContainerTest
{
    private const string Serve = "exec httpd -f -p 3000 -h ";

    [Test]
    public async Task A_volume_outlives_the_container_and_a_path_of_the_machine_is_seen_in_it()
    {
        string site = Directory.CreateDirectory(Path.Combine(Scene.Folder, "site")).FullName;
        await File.WriteAllTextAsync(Path.Combine(site, "page"), "of the machine");
        GatewayProcess gateway = await ShellAsync(
            $"echo start >> /data/log; touch /site/x || echo read-only >> /data/log; cat /site/page > /data/page; {Serve} /data",
            $"volumes = [\"data-{Id}:/data\", \"{site}:/site:ro\"]"
        );
        for (int i = 1; i <= 3; i++)
        {
            Assert.That((await AskAsync(gateway, "/log")).Text, Is.EqualTo(Repeat("start\nread-only\n", i)));
            Assert.That((await AskAsync(gateway, "/page")).Text, Is.EqualTo("of the machine"));
            await gateway.Admin.PostAsync($"/backends/{Host}/stop");
            await StoppedAsync(gateway);
        }

        Assert.That(await HasVolumeAsync($"data-{Id}"));
        await Api.DeleteAsync($"/volumes/data-{Id}");
    }

    [Test]
    public async Task A_path_of_the_machine_that_is_not_there_fails_the_start_and_is_not_made()
    {
        string path = Path.Combine(Scene.Folder, "none");
        GatewayProcess gateway = await ShellAsync(Serve + "/tmp", $"volumes = [\"{path}:/data\"]");
        Assert.That(await FailureAsync(gateway), Does.Contain($"bind source path does not exist: {path}"));
        Assert.That(Path.Exists(path), Is.False);
        Tool check = await Tool.GatewayAsync(Scene, "check", gateway.ConfigPath);
        Assert.That(check.Code, Is.Zero);
        Assert.That(check.Error, Does.EndWith($": warning: backends.\"{Host}\": volumes: no such file or folder: {path}\n"));
    }

    [Test]
    public async Task The_volumes_of_an_image_are_new_each_time_which_is_told_and_nothing_of_them_is_left()
    {
        string image = await VolumeImageAsync();
        GatewayProcess gateway = await ShellAsync(Serve + "/data", image: image);
        await AskAsync(gateway);
        LogLine told = await gateway.LogsAsync("The image keeps data there");
        Assert.That((told.Level, told.Field("paths")), Is.EqualTo(("WARN", "/data")));
        Assert.That(
            told.Message,
            Does.Contain($"volumes = [\\\"{Container}-data:/data\\\"]").Or.Contain($"volumes = [\"{Container}-data:/data\"]")
        );
        string volume = (await MountsAsync()).Single().GetProperty("Name").GetString()!;
        Assert.That(await HasVolumeAsync(volume));
        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await StoppedAsync(gateway);
        Assert.That(await HasVolumeAsync(volume), Is.False);
    }

    [TestCase("volumes = [\"kept-{0}:/data\"]", "kept-{0}")]
    [TestCase("tmpfs = [\"/data\"]", "")]
    public async Task What_the_file_mounts_takes_the_place_of_a_volume_of_the_image(string line, string name)
    {
        string image = await VolumeImageAsync();
        GatewayProcess gateway = await ShellAsync(
            $"grep ' /data ' /proc/mounts > /data/mounts; {Serve} /data",
            line.Replace("{0}", Id, StringComparison.Ordinal),
            image
        );
        string mounts = (await AskAsync(gateway, "/mounts")).Text;
        Assert.That(mounts.Trim().Split('\n'), Has.Length.EqualTo(1));
        Assert.That(mounts.StartsWith("tmpfs", StringComparison.Ordinal), Is.EqualTo(name.Length == 0));
        Assert.That(
            (await MountsAsync())
                .Where(mount => mount.GetProperty("Type").GetString() == "volume")
                .Select(mount => mount.GetProperty("Name").GetString()),
            Is.EqualTo(name.Length == 0 ? Array.Empty<string>() : [name.Replace("{0}", Id, StringComparison.Ordinal)])
        );
        Assert.That(gateway.LogText, Does.Not.Contain("The image keeps data there"));
    }

    /// <summary>Busybox's httpd says nothing about SIGTERM, so that as PID 1 it ignores it.</summary>
    [TestCase("", 0, 4)]
    [TestCase("init = false", 5, 9)]
    public async Task A_program_that_ignores_SIGTERM_as_PID_1_stops_at_once_below_an_init(string line, double fromSecs, double toSecs)
    {
        GatewayProcess gateway = await ShellAsync($"cat /proc/1/comm > /tmp/one; {Serve} /tmp", line, grace: 5);
        string one = (await AskAsync(gateway, "/one")).Text;
        Assert.That(one.Contains("init", StringComparison.Ordinal), Is.EqualTo(line.Length == 0), one);

        long began = Stopwatch.GetTimestamp();
        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await gateway.UntilStateAsync(Host, "stopped");
        Assert.That(Stopwatch.GetElapsedTime(began).TotalSeconds, Strain.Within(began, fromSecs, toSecs));
    }

    [TestCase("", true)]
    [TestCase("init = true", false)]
    public async Task An_image_that_brings_its_init_is_PID_1_itself_unless_the_file_says_otherwise(string line, bool starts)
    {
        string image = await Engine.Images.OnceAsync("spawngate-test/init:1", name =>
            Api.ImportAsync(
                name,
                new ImageFiles()
                    .Busybox()
                    .Folder("/tmp")
                    .Text("/init", "#!/bin/sh\n[ $$ = 1 ] || { echo only as PID 1 >&2; exit 100; }\nexec httpd -f -p 3000 -h /tmp\n")
                    .ToTar(),
                "ENTRYPOINT [\"/init\"]",
                "ENV PATH=/bin"
            )
        );
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(Host, [.. Lines(image), "health_path = \"\"", "shutdown_grace_period_secs = 1", line])
        );
        if (starts)
        {
            Assert.That((await AskAsync(gateway)).Status, Is.EqualTo(404), () => gateway.LogText);
        }
        else
        {
            Assert.That(await FailureAsync(gateway), Does.StartWith("exited with status 100"));
        }
    }

    [Test]
    public async Task A_container_is_who_and_knows_whom_the_file_says_and_writes_only_where_it_may()
    {
        GatewayProcess gateway = await ShellAsync(
            "{ id -u; id -g; touch /x || echo read-only; grep -w db /etc/hosts; } > /tmp/out; " + Serve + "/tmp",
            """
            container_user = "1000:1001"
            read_only = true
            tmpfs = ["/tmp:size=1m"]
            extra_hosts = ["db:10.0.0.5"]
            labels = { "com.example.team" = "web" }
            """
        );
        Assert.That((await AskAsync(gateway, "/out")).Text, Is.EqualTo("1000\n1001\nread-only\n10.0.0.5\tdb\n"));
        JsonElement labels = (await Api.InspectAsync(Container)).GetProperty("Config").GetProperty("Labels");
        Assert.That(labels.GetProperty("com.example.team").GetString(), Is.EqualTo("web"));
        Assert.That(labels.GetProperty("spawngate.host").GetString(), Is.EqualTo(Host));
    }

    [Test]
    public async Task Graphics_cards_are_asked_for()
    {
        if (Path.Exists("/dev/nvidia0"))
        {
            Assert.Ignore("this machine has one");
        }

        GatewayProcess gateway = await ShellAsync(Serve + "/tmp", "gpus = \"all\"");
        Assert.That(await FailureAsync(gateway), Does.Contain("could not select device driver").And.Contain("gpu"));
    }

    [Test]
    public async Task The_HEALTHCHECK_of_an_image_decides_when_it_is_ready_and_whether_it_still_is()
    {
        string image = await Engine.Images.OnceAsync("spawngate-test/checked:1", name =>
            Api.ImportAsync(
                name,
                new ImageFiles().Busybox().Folder("/tmp").ToTar(),
                "ENV PATH=/bin",
                "HEALTHCHECK --interval=200ms --retries=1 CMD grep well /tmp/state"
            )
        );
        GatewayProcess gateway = await ShellAsync(
            Serve + "/tmp",
            "healthcheck = \"docker\"\nready_health_check_interval_ms = 200\nunhealthy_threshold = 2",
            image,
            healthPath: ""
        );
        Task<RawResponse> asked = AskAsync(gateway, "/state");
        await gateway.LogsAsync("Container started");
        Assert.That(await asked.StaysOpenAsync(TimeSpan.FromSeconds(1)), "its port accepts, but its image does not call it healthy");
        await Api.ExecAsync(Container, "sh", "-c", "echo well > /tmp/state");
        Assert.That((await asked).Text, Is.EqualTo("well\n"), () => gateway.LogText);

        await Api.ExecAsync(Container, "sh", "-c", "echo sick > /tmp/state");
        LogLine unhealthy = await gateway.LogsAsync("Backend is unhealthy");
        Assert.That(unhealthy.Text, Does.Contain("the image's HEALTHCHECK says unhealthy: exit status 1"));
    }

    [Test]
    public async Task An_image_without_a_HEALTHCHECK_cannot_be_judged_by_it()
    {
        GatewayProcess gateway = await ShellAsync(Serve + "/tmp", "healthcheck = \"docker\"", healthPath: "");
        Assert.That(
            await FailureAsync(gateway),
            Is.EqualTo($"image {await Engine.Images.BusyboxAsync()} has no HEALTHCHECK, by which healthcheck = \"docker\" goes")
        );
    }

    private async Task<GatewayProcess> ShellAsync(
        string script,
        string lines = "",
        string? image = null,
        int grace = 1,
        string healthPath = "health_path = \"\""
    ) =>
        await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                [
                    .. Lines(image ?? await Engine.Images.BusyboxAsync()),
                    $"args = [\"sh\", \"-c\", {ConfigFile.Quote(script)}]",
                    $"shutdown_grace_period_secs = {grace}",
                    healthPath,
                    lines,
                ]
            )
        );

    private string[] Lines(string image) =>
        ["type = \"docker\"", $"image = \"{image}\"", $"docker_host = \"{Engine.Host}\"", "port = 3000"];

    private Task<string> VolumeImageAsync() =>
        Engine.Images.OnceAsync("spawngate-test/volume:1", name =>
            Api.ImportAsync(name, new ImageFiles().Busybox().Folder("/tmp").Folder("/data").ToTar(), "VOLUME /data", "ENV PATH=/bin")
        );

    private async Task<List<JsonElement>> MountsAsync() => [.. (await Api.InspectAsync(Container)).GetProperty("Mounts").EnumerateArray()];

    private async Task<bool> HasVolumeAsync(string name) =>
        (await Api.GetAsync("/volumes")).GetProperty("Volumes") is { ValueKind: JsonValueKind.Array } volumes
        && volumes.EnumerateArray().Any(volume => volume.GetProperty("Name").GetString() == name);

    private static string Repeat(string text, int times) => string.Concat(Enumerable.Repeat(text, times));
}
