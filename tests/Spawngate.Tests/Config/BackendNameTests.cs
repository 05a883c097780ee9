using System.Text.Json;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Clients;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Routing;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>What a backend is called, which is its host only as long as nothing else is said.</summary>
internal sealed class BackendNameTests
{
    private const string Shop = "[backends.\"shop.test\"]\ncommand = \"x\"\nname = \"shop\"\n";

    [TestCase("", null, "shop.test")]
    [TestCase("name = \"shop\"", "shop", "shop")]
    [TestCase("name = \"Shop-1.eu_*\"", "shop-1.eu_*", "shop-1.eu_*")]
    [TestCase("name = \"SHOP.test\"", null, "shop.test")]
    public void The_name_is_the_host_unless_given(string line, string? given, string name)
    {
        var backend = ConfigSource.Valid($"[backends.\"shop.test\"]\ncommand = \"x\"\n{line}").Backends[0];
        Assert.That((backend.GivenName, backend.Name, backend.Hostname), Is.EqualTo((given, name, "shop.test")));
    }

    [TestCase("3", "3")]
    [TestCase("\"\"", "an empty string")]
    [TestCase("\"_other\"", "the string \"_other\"")]
    [TestCase("\".a\"", "the string \".a\"")]
    [TestCase("\"a.\"", "the string \"a.\"")]
    [TestCase("\"a/b\"", "the string \"a/b\"")]
    [TestCase("\"a:1\"", "the string \"a:1\"")]
    [TestCase("\"ä\"", "the string \"ä\"")]
    public void Other_names_are_refused(string value, string found) =>
        Assert.That(
            ConfigSource.Errors(ConfigSource.Local($"name = {value}")),
            Is.EqualTo([
                $"c.toml:3:8: backends.a.name: found {found}, allowed is 1 to 64 letters, digits, -, ., _ and *, "
                    + "the first a letter, a digit or *, the last no dot",
            ])
        );

    [Test]
    public void A_name_is_bounded()
    {
        Assert.That(ConfigSource.Errors(ConfigSource.Local($"name = \"{new string('n', 64)}\"")), Is.Empty);
        Assert.That(ConfigSource.Errors(ConfigSource.Local($"name = \"{new string('n', 65)}\"")), Has.Count.EqualTo(1));
    }

    [TestCase(
        "[backends.a]\ncommand = \"x\"\nname = \"n\"\n[backends.b]\ncommand = \"x\"\nname = \"N\"",
        "6:8: backends.b.name: found \"n\", which is the name of backends.a on line 1 too, allowed is a name of its own"
    )]
    [TestCase(
        "[backends.a]\ncommand = \"x\"\n[backends.b]\ncommand = \"x\"\nname = \"a\"",
        "5:8: backends.b.name: found \"a\", which is the name of backends.a on line 1 too (its host), allowed is a name of its own"
    )]
    [TestCase(
        "[backends.b]\ncommand = \"x\"\nname = \"a\"\n[backends.a]\ncommand = \"x\"",
        "3:8: backends.b.name: found \"a\", which is the name of backends.a on line 4 too (its host), allowed is a name of its own"
    )]
    [TestCase(
        "[server]\nname = \"a\"",
        "2:1: server.name: found a key that does not belong in [server], it is one of a backend: [backends.\"host.name\"]"
    )]
    [TestCase(
        "[sessions]\ndomain = \"s.test\"\n[sessions.templates.t]\ncommand = \"x\"\nname = \"a\"",
        "5:1: sessions.templates.t.name: found a key that does not belong in a template, it is one of a backend: [backends.\"host.name\"]"
    )]
    public void Names_are_unique_and_belong_to_backends(string text, string error) =>
        Assert.That(ConfigSource.Errors(text), Is.EqualTo([$"c.toml:{error}"]));

    [Test]
    public void A_name_may_be_the_host_of_one_that_has_another_name() =>
        Assert.That(
            ConfigSource.Errors("[backends.a]\ncommand = \"x\"\nname = \"b\"\n[backends.b]\ncommand = \"x\"\nname = \"c\""),
            Is.Empty
        );

    [Test]
    public void It_is_printed_when_it_is_given()
    {
        using var to = new StringWriter { NewLine = "\n" };
        ConfigPrinter.Print(ConfigSource.Valid($"{Shop}[backends.b]\ncommand = \"x\"\n"), to);
        Assert.That(
            to.ToString(),
            Does.Contain("[backends.\"shop.test\"]  # c.toml:1:1\nname                           = \"shop\"\ntype ")
        );
        Assert.That(to.ToString(), Does.Contain("[backends.b]  # c.toml:4:1\ntype "));
    }

    [Test]
    public void A_container_is_called_after_it()
    {
        var config = ConfigSource.Valid(ConfigSource.Docker("name = \"shop*\""));
        Assert.That(config.Backends[0].Docker!.ContainerName, Is.EqualTo("spawngate-shop-"));
    }

    [Test]
    public void Requests_find_it_by_its_host_and_everybody_else_by_its_name()
    {
        using var stage = new LifecycleStage();
        var set = new BackendSet(stage.Env, ConfigSource.Valid(Shop));
        var backend = set.Find("shop.test:80"u8)!;
        Assert.That(set.Find("shop"u8), Is.Null);
        Assert.That(set.FindByName("Shop"), Is.SameAs(backend));
        Assert.That(set.FindByName("shop.test"), Is.Null);
        backend.Enqueue(default);
        stage.Settle();
        Assert.That(stage.Launcher.Last.Request.ReadyUrl, Does.StartWith("http://127.0.0.1:9999/ready/shop?token="));
        Assert.That(
            stage.Log.Records.Select(static record => record.Text),
            Has.Some.Contains("hostname=\"shop\"").And.None.Contains("shop.test")
        );
        stage.Launcher.Last.Succeed();
        stage.Settle();
        Assert.That(stage.Probe.Target.Host, Is.EqualTo("shop.test"), "its health check asks for the host");
        Assert.That(
            set.FindByName("shop")!.ReportReady(stage.Launcher.Last.Token, adminAuthorised: false),
            Is.EqualTo(ReadyCallbackOutcome.Accepted)
        );
    }

    [Test]
    public void Reports_have_it_only_when_it_is_given()
    {
        using var stage = new LifecycleStage();
        var set = new BackendSet(stage.Env, ConfigSource.Valid($"{Shop}[backends.b]\ncommand = \"x\"\n"));
        var output = new OutputLog(stage.Time);
        var admin = new BackendAdmin(set, output, stage.Env, new ClientConnections(stage.Clock));
        var report = admin.Report("shop")!;
        var json = JsonDocument.Parse(ReportJson.Bytes(report, ReportJson.Write)).RootElement;
        Assert.That((json.GetProperty("hostname").GetString(), json.GetProperty("name").GetString()), Is.EqualTo(("shop.test", "shop")));
        json = JsonDocument.Parse(ReportJson.Bytes(admin.Report("b")!, ReportJson.Write)).RootElement;
        Assert.That(json.TryGetProperty("name", out _), Is.False);
        Assert.That(admin.Report("shop.test"), Is.Null);
        Assert.That(admin.ReportRouted("shop.test")!.Name, Is.EqualTo("shop"));
        Assert.That(
            BackendExplanation.Of(admin.Describe(report)!, "shop.test"),
            Does.StartWith("shop is stopped (local)\n  serves     shop.test\n")
        );
        Assert.That(
            BackendExplanation.Of(admin.Describe(admin.Report("b")!)!, "x.test"),
            Does.StartWith("b is stopped (local)\n  serves     x.test, because \"b\" is the most specific backend for it\n")
        );
        Assert.That(admin.Post("shop", AdminCommand.Start), Is.EqualTo(CommandOutcome.Accepted));
        Assert.That(admin.Post("shop.test", AdminCommand.Start), Is.EqualTo(CommandOutcome.UnknownHost));
        Assert.That(
            new AdminMetrics(admin, DateTimeOffset.UnixEpoch).Render(),
            Does.Contain("spawngate_backend_state{hostname=\"shop\",state=\"stopped\"}").And.Not.Contain("shop.test")
        );
    }

    [Test]
    public void A_reload_that_changes_the_name_ends_the_old_one_and_makes_a_new_one()
    {
        using var stage = new LifecycleStage();
        var set = new BackendSet(stage.Env, ConfigSource.Valid(Shop));
        var old = MakeReady(stage, set.FindByName("shop")!);
        List<string> removed = [];
        var counts = set.Apply(ConfigSource.Valid(Shop.Replace("\"shop\"", "\"store\"", StringComparison.Ordinal)), removed.Add);
        Assert.That(counts, Is.EqualTo(new ReloadCounts(Added: 1, Removed: 1, Updated: 0)));
        Assert.That(removed, Is.EqualTo(["shop"]));
        var fresh = set.FindByName("store")!;
        Assert.That(set.Find("shop.test"u8), Is.SameAs(fresh).And.Not.SameAs(old));
        fresh.Enqueue(default);
        stage.Settle();
        Assert.That((old.Word.Phase, stage.Launcher.Launches.Count), Is.EqualTo((BackendPhase.Stopping, 1)), "not beside the old one");
        stage.Workload.Exit();
        stage.Settle();
        Assert.That(stage.Launcher.Launches, Has.Count.EqualTo(2));
    }

    [Test]
    public void A_reload_that_changes_the_host_leads_it_to_the_same_process()
    {
        using var stage = new LifecycleStage();
        var set = new BackendSet(stage.Env, ConfigSource.Valid(Shop));
        var backend = MakeReady(stage, set.FindByName("shop")!);
        var counts = set.Apply(ConfigSource.Valid(Shop.Replace("shop.test", "new.test", StringComparison.Ordinal)));
        stage.Settle();
        Assert.That(counts, Is.EqualTo(new ReloadCounts(Added: 0, Removed: 0, Updated: 1)));
        Assert.That((set.Find("new.test"u8), set.Find("shop.test"u8)), Is.EqualTo((backend, (Backend?)null)));
        Assert.That((backend.Word.Phase, backend.Hostname), Is.EqualTo((BackendPhase.Ready, "new.test")));
    }

    [Test]
    public void Two_may_exchange_their_hosts()
    {
        const string Two = "[backends.a]\ncommand = \"x\"\nname = \"one\"\n[backends.b]\ncommand = \"x\"\nname = \"two\"\n";
        using var stage = new LifecycleStage();
        var set = new BackendSet(stage.Env, ConfigSource.Valid(Two));
        var (one, two) = (set.Find("a"u8), set.Find("b"u8));
        set.Apply(
            ConfigSource.Valid(
                Two.Replace("backends.a", "backends.c").Replace("backends.b", "backends.a").Replace("backends.c", "backends.b")
            )
        );
        Assert.That((set.Find("a"u8), set.Find("b"u8)), Is.EqualTo((two, one)));
    }

    private static Backend MakeReady(LifecycleStage stage, Backend backend)
    {
        var waiter = backend.Enqueue(default);
        stage.Settle();
        stage.Launcher.Last.Succeed();
        stage.Settle();
        stage.Probe.Ready();
        stage.Settle();
        backend.Leave(LifecycleStage.Decided(waiter).Instance!);
        return backend;
    }
}
