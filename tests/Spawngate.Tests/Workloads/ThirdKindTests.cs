using System.Net;
using System.Text;
using System.Text.Json;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Clients;
using Spawngate.Composition;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Routing;
using Spawngate.Sessions;
using Spawngate.Tests.Fakes;
using Spawngate.Workloads;
using Spawngate.Workloads.Docker;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

/// <summary>
/// A kind of backend that the program does not have, defined in this file alone, goes all the way: from the configuration through its
/// start, its report and a session to its end. So nothing outside a kind's own folder and its registration asks which kind a backend has.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class ThirdKindTests : IDisposable
{
    private const string Play = """
        [backends."play.test"]
        type = "scripted"
        script = "hamlet"
        stage = "left"
        args = ["x"]
        """;

    private static readonly BackendKinds Kinds = new([.. RegisteredKinds.All.All, ScriptedKind.Shared]);

    private readonly ScriptLauncher _scripts = new();
    private readonly LifecycleStage _stage;

    public ThirdKindTests()
    {
        var others = new ScriptedLauncher();
        _stage = new LifecycleStage(
            launchers: new Launchers(
                new KindLauncher(LocalKind.Shared, others),
                new KindLauncher(DockerKind.Shared, others),
                new KindLauncher(ScriptedKind.Shared, _scripts)
            )
        );
    }

    public void Dispose() => _stage.Dispose();

    [Test]
    public void Its_table_is_read_into_its_settings()
    {
        var backend = Valid(Play).Backends[0];
        Assert.That(backend.Kind, Is.SameAs(ScriptedKind.Shared));
        Assert.That(backend.Settings, Is.EqualTo(new ScriptedSettings { Script = "hamlet", Stage = "left" }));
        Assert.That((backend.Port, backend.UsesLoopbackPort), Is.EqualTo((7, false)));
        Assert.That(backend.HasSameSettings(Valid($"\n{Play}").Backends[0]), Is.True);
        Assert.That(
            backend.HasSameSettings(Valid(Play.Replace("hamlet", "macbeth", StringComparison.Ordinal)).Backends[0]),
            Is.False,
            "a reload sees that a key of the kind has changed"
        );
    }

    [TestCase("type = \"scripted\"", "1:1: backends.a.script: found no such key, a scripted backend needs a script")]
    [TestCase("type = \"scripted\"\nscript = \"\"", "3:10: backends.a.script: found an empty string, allowed is the name of a play")]
    [TestCase(
        "type = \"scripted\"\nscript = \"x\"\ncommand = \"x\"",
        "4:1: backends.a.command: found in a scripted backend, allowed only with type = \"local\"; the play is its script"
    )]
    [TestCase("command = \"x\"\nscript = \"x\"", "3:1: backends.a.script: found in a local backend, allowed only with type = \"scripted\"")]
    [TestCase("script = \"x\"", "2:1: backends.a.script: found in a backend without type, allowed only with type = \"scripted\"")]
    [TestCase(
        "command = \"x\"\nnetwork = \"x\"",
        "3:1: backends.a.network: found in a local backend, allowed only with type = \"docker\" or type = \"scripted\""
    )]
    [TestCase("type = \"scripted\"\nscript = \"x\"\nnetwork = \"x\"", null)]
    [TestCase("type = \"acted\"", "2:8: backends.a.type: found the string \"acted\", allowed is {kinds}")]
    [TestCase("command = \"x\"\nscrpt = \"x\"", "3:1: backends.a.scrpt: found a key that is unknown in a backend, did you mean script?")]
    public void Mistakes_are_told_in_its_words(string lines, string? error) =>
        Assert.That(
            Errors($"[backends.a]\n{lines}\n"),
            error is null ? Is.Empty : Is.EqualTo([$"c.toml:{error.Replace("{kinds}", Kinds.NamesAllowed, StringComparison.Ordinal)}"])
        );

    [Test]
    public void What_only_one_may_have_is_checked_across_backends()
    {
        const string Second = "[backends.second]\ntype = \"scripted\"\nscript = \"x\"\nstage = \"left\"\n";
        const string Container = "[backends.third]\ntype = \"docker\"\nimage = \"i\"\nport = 1\ncontainer_name = \"left\"\n";
        Assert.That(
            Errors($"{Play}\n{Second}{Container}"),
            Is.EqualTo([
                "c.toml:9:9: backends.second.stage: found \"left\", which is the stage of backends.\"play.test\" on line 1 too, "
                    + "allowed is a name of its own",
            ])
        );
    }

    [Test]
    public void It_is_printed_with_its_keys()
    {
        using var to = new StringWriter { NewLine = "\n" };
        ConfigPrinter.Print(Valid(Play), to);
        Assert.That(
            to.ToString(),
            Does.Contain(
                """
                [backends."play.test"]  # c.toml:1:1
                type                           = "scripted"
                script                         = "hamlet"
                stage                          = "left"
                args                           = ["x"]
                port                           = 7

                """.ReplaceLineEndings("\n")
            )
        );
    }

    [Test]
    public void It_is_started_reported_and_stopped()
    {
        var set = new BackendSet(_stage.Env, Valid($"{Play}\n[backends.local]\ncommand = \"x\"\n"));
        var admin = new BackendAdmin(set, new OutputLog(_stage.Time), _stage.Env, new ClientConnections(_stage.Clock));
        var backend = set.Find("play.test"u8)!;
        Assert.That(Fields(admin, "play.test"), Is.EqualTo("scripted script=hamlet scene="), "before its start");
        var waiter = backend.Enqueue(default);
        _stage.Settle();
        Assert.That(_stage.Probe.Target.Place.Endpoint, Is.EqualTo(ScriptLauncher.Place), "where its launcher says");
        _stage.Probe.Ready();
        _stage.Settle();
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("Admitted"));
        Assert.That(Fields(admin, "play.test"), Is.EqualTo("scripted script=hamlet scene=act 1"));
        Assert.That(Fields(admin, "local"), Is.EqualTo("local script= scene="), "all reports have the same fields");
        Assert.That(Report(admin, "play.test").GetProperty("description").GetString(), Is.EqualTo("play hamlet"));
        Assert.That(BackendExplanation.Of(admin.Describe(admin.Report("play.test")!)!, "play.test"), Does.Contain("play hamlet"));
        backend.Leave(LifecycleStage.Decided(waiter).Instance!);
        backend.RequestStop();
        _stage.Settle();
        Assert.That(backend.Word.Phase, Is.EqualTo(BackendPhase.Stopped));
        Assert.That(_scripts.Plays.Single().Asked, Is.EqualTo(1));
    }

    [Test]
    public void A_reload_starts_no_second_one_beside_what_has_its_exclusive_name()
    {
        var set = new BackendSet(_stage.Env, Valid(Play));
        set.Find("play.test"u8)!.Enqueue(default);
        _stage.Settle();
        _scripts.Plays[0].IsStubborn = true;
        set.Apply(Valid(Play.Replace("play.test", "new.test", StringComparison.Ordinal)));
        set.Find("new.test"u8)!.Enqueue(default);
        _stage.Settle();
        Assert.That(_scripts.Plays, Has.Count.EqualTo(1));
        _scripts.Plays[0].Kill();
        _stage.Settle();
        Assert.That(_scripts.Plays, Has.Count.EqualTo(2));
    }

    [Test]
    public void A_session_is_made_of_its_template()
    {
        var set = new BackendSet(_stage.Env, Valid(Sessions("script = \"x\"")));
        var request = SpawnRequest.Read("""{"port":81,"env":{"SESSION_A":"b"}}"""u8, out _)!;
        var session = set.Sessions.Spawn(request).Session!;
        _stage.Settle();
        var launched = _scripts.Plays.Single().Request.Config;
        Assert.That(
            (launched.Hostname, launched.Port, launched.Settings),
            Is.EqualTo((session.Hostname, 81, new ScriptedSettings { Script = "x", Stage = session.Hostname }))
        );
        Assert.That(
            set.Sessions.Spawn(request with { Template = "t", Image = "i" }).Error!.Message,
            Is.EqualTo("image: found with a template of type \"scripted\", allowed only for Docker")
        );
        Assert.That(
            Errors(Sessions("script = \"x\"\nstage = \"left\"\nport = 3")),
            Is.EqualTo([
                "c.toml:6:1: sessions.templates.t.stage: found in a template, allowed only in a backend; "
                    + "each session has a stage of its own",
                "c.toml:7:8: sessions.templates.t.port: found 3, allowed is a port that no play has",
            ])
        );
    }

    [Test]
    public async Task Its_launcher_is_told_of_the_begin_and_the_end()
    {
        var config = Valid($"{Play}\n[backends.local]\ncommand = \"x\"\n{Sessions("script = \"y\"")}");
        _stage.Env.Launchers.Begin([.. config.Backends.Select(each => each.Settings), .. config.Sessions!.PossibleSettings()]);
        Assert.That(_scripts.Begun.Select(each => ((ScriptedSettings)each).Script), Is.EqualTo(["hamlet", "y"]));
        Assert.That(_stage.Env.Launchers.StopMsMax, Is.EqualTo(_scripts.StopMsMax));
        await _stage.Env.Launchers.StopAsync();
        Assert.That(_scripts.HasStopped, Is.True);
    }

    private static string Sessions(string lines) =>
        $"[sessions]\ndomain = \"s.test\"\n[sessions.templates.t]\ntype = \"scripted\"\n{lines}\n";

    private static JsonElement Report(BackendAdmin admin, string host) =>
        JsonDocument.Parse(ReportJson.Bytes(admin.Report(host)!, ReportJson.Write)).RootElement;

    private static string Fields(BackendAdmin admin, string host)
    {
        var report = Report(admin, host);
        var names = report.EnumerateObject().Select(static property => property.Name).ToList();
        Assert.That(names.GetRange(names.IndexOf("container_id"), 5), Is.EqualTo([.. DockerKind.Shared.ReportFields, "script", "scene"]));
        return $"{report.GetProperty("kind")} script={report.GetProperty("script")} scene={report.GetProperty("scene")}";
    }

    private static ConfigLoadResult Load(string text) => ConfigLoader.Load("c.toml", Encoding.UTF8.GetBytes(text), Kinds, static _ => true);

    private static string[] Errors(string text) => [.. Load(text).Errors.Select(static error => error.ToString())];

    private static GatewayConfig Valid(string text)
    {
        Assert.That(Errors(text), Is.Empty);
        return Load(text).Config!;
    }

    /// <summary>Backends that are plays: <c>type = "scripted"</c>.</summary>
    private sealed class ScriptedKind : BackendKind
    {
        public static readonly ScriptedKind Shared = new();

        public override string Name => "scripted";

        public override IReadOnlyList<string> Keys => ["script", "stage", "network"];

        public override string MainKey => "script";

        public override IReadOnlyList<string> ReportFields => ["script", "scene"];

        public override string? Instead(string key) => key == "command" ? "the play is its script" : null;

        public override string? WhyNotInTemplate(string key) => key == "stage" ? "each session has a stage of its own" : null;

        public override int ReadPort(ConfigTable table) => table.Int("port", 7, 1, ConfigLimits.PortMax);

        public override KindSettings Read(ConfigTable table, string hostname, Func<string, bool> folderExists)
        {
            if (table.Find("script") is null)
            {
                table.ReportMissing("script", "a scripted backend needs a script");
            }

            return new ScriptedSettings
            {
                Script = table.Text("script", "", static text => text.Length > 0, "the name of a play")!,
                Stage = table.Text("stage", hostname, static _ => true, "a stage")!,
            };
        }
    }

    private sealed record ScriptedSettings : KindSettings
    {
        public required string Script { get; init; }

        public required string Stage { get; init; }

        public override BackendKind Kind => ScriptedKind.Shared;

        public override ExclusiveName? ExclusiveName => new ExclusiveName("stage", Stage, null, "the stage");

        public override KindSettings ForSession(string hostname) => this with { Stage = hostname };

        public override void CheckTemplate(ConfigTable table, int port)
        {
            if (port == 3)
            {
                table.ReportValue(table.Find("port")!.Value, "a port that no play has");
            }
        }

        public override void Print(ConfigLines to, bool isTemplate)
        {
            to.Line("script", ConfigLines.Quoted(Script));
            to.Line("stage", ConfigLines.Quoted(Stage));
        }

        public override string? ReportField(string name) => name == "script" ? Script : null;
    }

    private sealed class ScriptLauncher : ILauncher
    {
        public static readonly IPEndPoint Place = new(IPAddress.Loopback, 4711);

        public List<PlayInstance> Plays { get; } = [];

        public List<KindSettings> Begun { get; } = [];

        public bool HasStopped { get; private set; }

        public long StopMsMax => 1234;

        public Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel)
        {
            Plays.Add(new PlayInstance(request));
            return Task.FromResult(new LaunchResult(Plays[^1], null) { Place = new LaunchedAt(Place, IsForwarded: false) });
        }

        public void Begin(IEnumerable<KindSettings> possible) => Begun.AddRange(possible);

        public Task StopAsync()
        {
            HasStopped = true;
            return Task.CompletedTask;
        }
    }

    private sealed class PlayInstance(LaunchRequest request) : IWorkload
    {
        private readonly TaskCompletionSource<ExitReport> _exited = new();

        public LaunchRequest Request => request;

        public int Asked { get; private set; }

        public bool IsStubborn { get; set; }

        public string Description => $"play {((ScriptedSettings)request.Config.Settings).Script}";

        public int? Pid => null;

        public IReadOnlyList<KeyValuePair<string, string>> Facts => [new("scene", $"act {request.InstanceNumber}")];

        public Task<ExitReport> Exited => _exited.Task;

        public void Terminate(long graceMs)
        {
            Asked++;
            if (!IsStubborn)
            {
                Kill();
            }
        }

        public void Kill() => _exited.TrySetResult(new ExitReport("the curtain fell", 0, []));
    }
}
