using System.Text.Json;
using Microsoft.Extensions.Logging;
using Spawngate.Backends.Probing;
using Spawngate.Config;
using Spawngate.Tests.Fakes;
using Spawngate.Workloads;
using Spawngate.Workloads.Docker;

namespace Spawngate.Tests;

/// <summary>How an image and the options of the file decide a start, with an engine that says what the test wants.</summary>
[CancelAfter(60_000)]
internal sealed class ContainerOptionsTests
{
    private const string NoInit = """{"message":"exec: \"docker-init\": executable file not found in $PATH"}""";

    [TestCase("", "{}", true)]
    [TestCase("", """{"Entrypoint":["/init"]}""", false)]
    [TestCase("init = true", """{"Entrypoint":["/init"]}""", true)]
    [TestCase("init = false", "{}", false)]
    public async Task The_init_is_the_engines_unless_the_image_brings_one(string lines, string image, bool init, CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.ImageSays(image);
        Assert.That((await stage.LaunchAsync(cancel, Config(stage, lines))).Error, Is.Null);
        Assert.That(HostOf(stage.Engine.Containers.Single()).GetProperty("Init").GetBoolean(), Is.EqualTo(init));
    }

    [Test]
    public async Task An_image_that_cannot_be_told_leaves_it_to_the_engine(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.Trouble("GET /images/*/json", EngineTrouble.Error);
        Assert.That((await stage.LaunchAsync(cancel)).Error, Is.Null);
        Assert.That(
            HostOf(stage.Engine.Containers.Single()).TryGetProperty("Init", out var init) && init.ValueKind == JsonValueKind.True,
            Is.False
        );
    }

    [Test]
    public async Task An_image_that_is_pulled_is_looked_at_afterwards(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        var pulled = false;
        stage.Engine.Answer("GET /images/*/json", () =>
            pulled ? Json("""{"Id":"x","Config":{"Entrypoint":["/init"]}}""") : Json("{}", 404)
        );
        stage.Engine.Answer("POST /images/create", () =>
        {
            pulled = true;
            return Json("{}");
        });
        Assert.That((await stage.LaunchAsync(cancel, Config(stage, "pull_policy = 'always'"))).Error, Is.Null);
        Assert.That(HostOf(stage.Engine.Containers.Single()).GetProperty("Init").GetBoolean(), Is.False);
    }

    [TestCase("POST /containers/create")]
    [TestCase("POST /containers/*/start")]
    public async Task An_engine_without_an_init_starts_containers_without_one(string call, CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.ImageSays("{}");
        stage.Engine.Answer(call, () =>
        {
            // Once: what follows is answered as always.
            stage.Engine.AnswerAsAlways(call);
            return Json(NoInit, 400);
        });
        Assert.That((await stage.LaunchAsync(cancel)).Error, Is.Null);
        var container = stage.Engine.Containers.Single();
        Assert.That(HostOf(container).GetProperty("Init").GetBoolean(), Is.False);
        Assert.That(Warnings(stage).Single(), Does.Contain("docker-init").And.Contain("The engine has no init for containers"));

        stage.Engine.End(container, 0);
        await RemovedAsync(stage, cancel);
        Assert.That((await stage.LaunchAsync(cancel)).Error, Is.Null);
        Assert.That(Warnings(stage), Has.Count.EqualTo(1), "it is remembered");
    }

    [Test]
    public async Task An_init_that_the_file_asks_for_is_not_given_up(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.Answer("POST /containers/*/start", () => Json(NoInit, 400));
        Assert.That((await stage.LaunchAsync(cancel, Config(stage, "init = true"))).Error, Does.Contain("docker-init"));
        Assert.That(stage.Engine.Containers, Is.Empty);
    }

    [Test]
    public async Task Volumes_of_the_image_that_nobody_keeps_are_told_once(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.ImageSays("""{"Volumes":{"/data":{},"/etc/app":{} } }""");
        for (var i = 0; i < 2; i++)
        {
            Assert.That((await stage.LaunchAsync(cancel)).Error, Is.Null);
            stage.Engine.End(stage.Engine.Containers.Single(), 0);
            await RemovedAsync(stage, cancel);
        }

        Assert.That(
            Warnings(stage),
            Is.EqualTo([
                "hostname=\"app.test\" image=\"app:1\" paths=\"/data, /etc/app\" The image keeps data there, and each start gets new, "
                    + "empty folders, which are removed with the container. To keep it: volumes = [\"spawngate-app.test-data:/data\", "
                    + "\"spawngate-app.test-etc-app:/etc/app\"]; to say that it need not be kept: tmpfs = [\"/data\", \"/etc/app\"]",
            ])
        );
        var kept = Config(stage, "volumes = ['data:/data', 'conf:/etc/app']");
        Assert.That((await stage.LaunchAsync(cancel, kept)).Error, Is.Null);
        Assert.That(Warnings(stage), Has.Count.EqualTo(1));
        Assert.That(ConfigSource.Errors(ConfigSource.Docker(Advice(stage, "To keep it: "))), Is.Empty, "what it says to write");
        Assert.That(ConfigSource.Errors(ConfigSource.Docker(Advice(stage, "need not be kept: "))), Is.Empty);
    }

    [Test]
    public async Task An_image_without_a_check_cannot_be_judged_by_it(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.ImageSays("{}");
        Assert.That(
            (await stage.LaunchAsync(cancel, Config(stage, "healthcheck = 'docker'"))).Error,
            Is.EqualTo("image app:1 has no HEALTHCHECK, by which healthcheck = \"docker\" goes")
        );
        Assert.That(stage.Engine.Calls, Has.None.EqualTo("POST /containers/create"));
    }

    [Test]
    public async Task The_images_check_decides(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.ImageSays("""{"Healthcheck":{"Test":["CMD","check"]} }""");
        var result = await stage.LaunchAsync(cancel, Config(stage, "healthcheck = 'docker'"));
        Assert.That(result.Workload!.TellsHealth);
        var container = stage.Engine.Containers.Single();
        Assert.That(container.Spec, Does.Not.Contain("StartInterval"), "this engine is too old for it");
        using var probe = new ToldHealthProbe(result.Workload, new FakeTime());
        stage.Engine.Judge(container, "starting", "not yet");
        var accepted = 0;
        var asked = stage.Engine.ReachedAsync("GET /containers/*/json");
        var ready = probe.WaitUntilReadyAsync(() => accepted++, cancel);
        await asked.WaitAsync(cancel);
        Assert.That(ready.IsCompleted, Is.False);

        stage.Engine.Judge(container, "healthy");
        await ready.WaitAsync(cancel);
        Assert.That(accepted, Is.EqualTo(1));
        Assert.That(await probe.CheckAsync(1000, cancel), Is.EqualTo(new ProbeResult(true, "the image's HEALTHCHECK says healthy")));
        stage.Engine.Judge(container, "unhealthy", "disk full", tell: false);
        Assert.That(
            await probe.CheckAsync(1000, cancel),
            Is.EqualTo(new ProbeResult(false, "the image's HEALTHCHECK says unhealthy: exit status 1, disk full"))
        );
        stage.Engine.Judge(container, "starting");
        Assert.That((await probe.CheckAsync(1000, cancel)).WasAsked, Is.False, "that it has not decided says nothing");
        stage.Engine.Trouble("GET /containers/*/json", EngineTrouble.Error);
        Assert.That((await probe.CheckAsync(1000, cancel)).WasAsked, Is.False, "nor does trouble of the engine");
    }

    [Test]
    public async Task TLS_needs_its_files_which_the_file_or_the_environment_names(CancellationToken cancel)
    {
        await using var stage = new DockerStage(new FakeEngine(tcp: true));
        Assert.That(
            (await stage.LaunchAsync(cancel, Config(stage, "docker_tls_dir = '/no/such'"))).Error,
            Does.EndWith("(docker_host) does not answer: TLS to the engine needs /no/such/ca.pem, and there is no such file")
        );
        var usual = Config(stage, "");
        usual = usual with { Settings = (DockerSettings)usual.Settings with { DockerHost = null } };
        stage.Variables["DOCKER_HOST"] = stage.Engine.Host;
        stage.Variables["DOCKER_TLS_VERIFY"] = "1";
        stage.Variables["HOME"] = "/no/home";
        Assert.That((await stage.LaunchAsync(cancel, usual)).Error, Does.Contain("/no/home/.docker/ca.pem, and"));
        stage.Variables["DOCKER_CERT_PATH"] = "/no/certs";
        Assert.That((await stage.LaunchAsync(cancel, usual)).Error, Does.Contain("/no/certs/ca.pem, and"));
        stage.Variables["DOCKER_TLS_VERIFY"] = "";
        Assert.That((await stage.LaunchAsync(cancel, usual)).Error, Is.Null);
    }

    [Test]
    public async Task A_change_of_health_that_was_missed_is_found(CancellationToken cancel)
    {
        var time = new FakeTime();
        var workload = new ToldWorkload();
        using var probe = new ToldHealthProbe(workload, time);
        var ready = probe.WaitUntilReadyAsync(static () => { }, cancel);
        Assert.That(probe.LastDetail, Is.EqualTo("not yet"));
        workload.Finding = new HealthFinding(true, "fine");
        time.AdvanceMs(ProbeLimits.ToldHealthMs);
        await ready.WaitAsync(cancel);
    }

    [Test]
    public async Task A_wait_for_health_and_a_check_end_when_they_are_to(CancellationToken cancel)
    {
        var time = new FakeTime();
        var workload = new ToldWorkload();
        using var probe = new ToldHealthProbe(workload, time);
        using var mine = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var ready = probe.WaitUntilReadyAsync(static () => { }, mine.Token);
        await mine.CancelAsync();
        Assert.That(async () => await ready, Throws.InstanceOf<OperationCanceledException>());

        workload.Hangs = true;
        var check = probe.CheckAsync(1000, cancel);
        time.AdvanceMs(1000);
        Assert.That((await check.WaitAsync(cancel)).WasAsked, Is.False);
    }

    private static BackendConfig Config(DockerStage stage, string lines)
    {
        var read = ConfigSource.Valid(
            $"[backends.'app.test']\ntype = 'docker'\nimage = 'app:1'\nport = 3000\ndocker_host = '{stage.Engine.Host}'\n{lines}"
        );
        return read.Backends[0];
    }

    private static JsonElement HostOf(FakeContainer container) => JsonDocument.Parse(container.Spec).RootElement.GetProperty("HostConfig");

    private static string Json(string body, int status = 200) => $"HTTP/1.1 {status} Status\r\nContent-Length: {body.Length}\r\n\r\n{body}";

    private static List<string> Warnings(DockerStage stage) =>
        [.. stage.Log.Records.Where(static record => record.Level == LogLevel.Warning).Select(static record => record.Text)];

    private static string Advice(DockerStage stage, string after) => Warnings(stage)[0].Split(after)[1].Split(';')[0];

    private static async Task RemovedAsync(DockerStage stage, CancellationToken cancel)
    {
        while (true)
        {
            var removed = stage.Engine.ReachedAsync("DELETE /containers/*");
            if (stage.Engine.Containers.Count == 0)
            {
                return;
            }

            await removed.WaitAsync(cancel);
        }
    }

    private sealed class ToldWorkload : IWorkload
    {
        public HealthFinding Finding { get; set; } = new(null, "not yet");

        public bool Hangs { get; set; }

        public string Description => "told";

        public int? Pid => null;

        public Task<ExitReport> Exited { get; } = new TaskCompletionSource<ExitReport>().Task;

        public bool TellsHealth => true;

        public Task HealthChanged { get; } = new TaskCompletionSource().Task;

        public Task<HealthFinding> FindHealthAsync(CancellationToken cancel) =>
            Hangs ? new TaskCompletionSource<HealthFinding>().Task.WaitAsync(cancel) : Task.FromResult(Finding);

        public void Terminate(long graceMs) { }

        public void Kill() { }
    }
}
