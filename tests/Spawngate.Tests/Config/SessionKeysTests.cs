using Spawngate.Config;
using Spawngate.Workloads.Docker;

namespace Spawngate.Tests;

/// <summary>The <c>[sessions]</c> table.</summary>
internal sealed class SessionKeysTests
{
    private const string Head = "[sessions]\ndomain = 's.test'\n";
    private const string Template = Head + "[sessions.templates.t]\n";

    [Test]
    public void The_example_of_sessions_md_loads()
    {
        var config = ConfigSource
            .Valid(
                """
                [defaults]
                startup_timeout_secs = 7
                [sessions]
                domain = "Session.localhost."
                url_template = "http://{}.session.localhost:8080/"
                api_base = "http://127.0.0.1:9999/"
                max = 256
                allow_images = ["registry.local/ide:*"]
                [sessions.templates.ide]
                type = "docker"
                image = "registry.local/ide:latest"
                port = 8080
                max_concurrency = 6
                grace_period_secs = 60
                lifetime_limit_secs = 3600
                allow_env = ["IDE_*", "PATH"]
                [sessions.templates.ide.env]
                A = "b"
                """
            )
            .Sessions!;

        Assert.That(
            (config.Domain, config.UrlTemplate, config.ApiBase, config.Max),
            Is.EqualTo(("session.localhost", "http://{}.session.localhost:8080/", "http://127.0.0.1:9999", 256))
        );
        Assert.That(config.AllowImages, Is.EqualTo(["registry.local/ide:*"]));
        var template = config.FindTemplate("ide")!;
        Assert.That((template.GracePeriodSecs, template.LifetimeLimitSecs, template.Backend.StartupTimeoutSecs), Is.EqualTo((60, 3600, 7)));
        Assert.That(
            (template.Backend.Kind, template.Backend.Docker!.Image, template.Backend.Port),
            Is.EqualTo((DockerKind.Shared, "registry.local/ide:latest", 8080))
        );
        Assert.That(template.Backend.MaxConcurrency, Is.EqualTo(6));
        Assert.That(template.Backend.Env, Is.EqualTo([new KeyValuePair<string, string>("A", "b")]));
        Assert.That(template.AllowEnv, Is.EqualTo(["IDE_*", "PATH"]));
        Assert.That(
            config.PossibleSettings().Cast<DockerSettings>().Select(each => each.DockerHost),
            Is.EqualTo(new string?[] { null, null })
        );
        Assert.That(config.FindTemplate("IDE"), Is.Null);
    }

    [Test]
    public void What_is_left_out_has_defaults()
    {
        var config = ConfigSource.Valid(Template + "command = 'x'").Sessions!;

        Assert.That(
            (config.Max, config.AllowImages.Count, config.Templates[0].GracePeriodSecs, config.Templates[0].LifetimeLimitSecs),
            Is.EqualTo((256, 0, 300, 0))
        );
        Assert.That(config.Templates[0].AllowEnv, Is.EqualTo(["SESSION_*"]));
        Assert.That(
            ConfigSource.Valid(Template + "type = 'docker'\nimage = 'i'\nport = 80").Sessions!.Templates[0].AllowEnv,
            Is.Null,
            "any"
        );
        Assert.That(ConfigSource.Valid(Template + "command = 'x'\nallow_env = []").Sessions!.Templates[0].AllowEnv, Is.Empty, "none");
        Assert.That(config.UrlTemplateOf(new ServerConfig()), Is.EqualTo("http://{}.s.test/"));
        Assert.That(config.UrlTemplateOf(new ServerConfig { Port = 8080 }), Is.EqualTo("http://{}.s.test:8080/"));
        Assert.That(config.ApiBaseOf(new ServerConfig()), Is.EqualTo("http://127.0.0.1:9999"));
        Assert.That(
            config.ApiBaseOf(new ServerConfig { AdminBind = System.Net.IPAddress.IPv6Any, AdminPort = 1 }),
            Is.EqualTo("http://[::1]:1")
        );
        Assert.That(config.PossibleSettings(), Is.EqualTo([config.Templates[0].Backend.Settings]));
        Assert.That(ConfigSource.Valid("").Sessions, Is.Null);
    }

    [TestCase(
        "[sessions]",
        "1:1: sessions.domain: found no such key, sessions need the domain below which they answer, such as domain = \"session.localhost\""
    )]
    [TestCase(
        "[sessions]\ndomain = 3",
        "2:10: sessions.domain: found 3, allowed is a host name without wildcard, such as \"session.localhost\""
    )]
    [TestCase(
        "[sessions]\ndomain = '*.a'",
        "2:10: sessions.domain: found the string \"*.a\", allowed is a host name without wildcard, such as \"session.localhost\""
    )]
    [TestCase(
        "[sessions]\ndomain = '127.0.0.1'",
        "2:10: sessions.domain: found the string \"127.0.0.1\", allowed is a host name without wildcard, such as \"session.localhost\""
    )]
    [TestCase(
        "[sessions]\ndomain = '[::1]'",
        "2:10: sessions.domain: found the string \"[::1]\", allowed is a host name without wildcard, such as \"session.localhost\""
    )]
    [TestCase(
        "[sessions]\ndomain = 'a b'",
        "2:10: sessions.domain: found \"a b\", a host name consists of letters, digits, - and _, separated by dots; "
            + "allowed are a host name, an IPv4 address, an IPv6 address in brackets, *.domain and *"
    )]
    [TestCase(
        Head + "url_template = 'http://x/'",
        "3:16: sessions.url_template: found the string \"http://x/\", allowed is an http or https address with {} in the "
            + "place of the id, such as \"http://{}.session.localhost:8080/\""
    )]
    [TestCase(
        Head + "url_template = 'ftp://{}.x/'",
        "3:16: sessions.url_template: found the string \"ftp://{}.x/\", allowed is an http or https address with {} in "
            + "the place of the id, such as \"http://{}.session.localhost:8080/\""
    )]
    [TestCase(
        Head + "api_base = 'x'",
        "3:12: sessions.api_base: found the string \"x\", allowed is an http or https address without query, such as "
            + "\"http://127.0.0.1:9999\""
    )]
    [TestCase(
        Head + "api_base = 'http://x/?a'",
        "3:12: sessions.api_base: found the string \"http://x/?a\", allowed is an http or https address without query, "
            + "such as \"http://127.0.0.1:9999\""
    )]
    [TestCase(Head + "max = 0", "3:7: sessions.max: found 0, allowed is a whole number from 1 to 100000")]
    [TestCase(Head + "max = 100001", "3:7: sessions.max: found 100001, allowed is a whole number from 1 to 100000")]
    [TestCase(
        Head + "allow_images = ['']",
        "3:17: sessions.allow_images[0]: found an empty string, allowed is an image reference, in which * stands for any "
            + "text, such as \"registry.local/ide:*\""
    )]
    [TestCase(Head + "domian = 1", "3:1: sessions.domian: found a key that is unknown in [sessions], did you mean domain?")]
    [TestCase(
        Head + "grace_period_secs = 1",
        "3:1: sessions.grace_period_secs: found a key that does not belong in [sessions], it is one of a template: "
            + "[sessions.templates.NAME]"
    )]
    [TestCase(Head + "templates = 1", "3:13: sessions.templates: found 1, allowed is a table: [sessions.templates] on a line of its own")]
    [TestCase(
        Head + "[[sessions.templates]]",
        "3:1: sessions.templates: found an array of tables, allowed is one table per template: [sessions.templates.NAME]"
    )]
    [TestCase(
        Head + "[sessions.templates.'a b']\ncommand = 'x'",
        "3:21: sessions.templates.\"a b\": found a name that no template can have, allowed are 1 to 64 letters, digits, -, _ and ."
    )]
    [TestCase(
        Template,
        "3:1: sessions.templates.t.command: found no such key, a local backend needs the program to run, such as command "
            + "= \"node\" (its arguments go into args)"
    )]
    [TestCase(
        Template + "command = 'x'\ngrace_period_secs = 0",
        "5:21: sessions.templates.t.grace_period_secs: found 0, allowed is a whole number from 1 to 2147483647"
    )]
    [TestCase(
        Template + "command = 'x'\nlifetime_limit_secs = -1",
        "5:23: sessions.templates.t.lifetime_limit_secs: found -1, allowed is a whole number from 0 to 2147483647 (0 = none)"
    )]
    [TestCase(
        Template + "command = 'x'\nallow_env = 'A'",
        "5:13: sessions.templates.t.allow_env: found the string \"A\", allowed is an array of strings, such as [\"a\", \"b\"]"
    )]
    [TestCase(
        Template + "command = 'x'\nallow_env = ['A', '']",
        "5:19: sessions.templates.t.allow_env[1]: found an empty string, allowed is the name of a variable that "
            + "Spawngate does not set itself, in which * stands for any text, such as \"SESSION_*\""
    )]
    [TestCase(
        Template + "command = 'x'\nallow_env = ['A=B']",
        "5:14: sessions.templates.t.allow_env[0]: found the string \"A=B\", allowed is the name of a variable that "
            + "Spawngate does not set itself, in which * stands for any text, such as \"SESSION_*\""
    )]
    [TestCase(
        Template + "command = 'x'\nallow_env = ['PORT']",
        "5:14: sessions.templates.t.allow_env[0]: found the string \"PORT\", allowed is the name of a variable that "
            + "Spawngate does not set itself, in which * stands for any text, such as \"SESSION_*\""
    )]
    [TestCase(
        Template + "command = 'x'\ngrace_period_sec = 1",
        "5:1: sessions.templates.t.grace_period_sec: found a key that is unknown in a template, did you mean grace_period_secs?"
    )]
    [TestCase(
        Template + "command = 'x'\nidle_timeout_secs = 1",
        "5:1: sessions.templates.t.idle_timeout_secs: found in a template, allowed only in a backend; sessions have "
            + "grace_period_secs in its place"
    )]
    [TestCase(
        Template + "command = 'x'\nport = 80",
        "5:8: sessions.templates.t.port: found 80, allowed is 0, or no such key: each session listens on a free port of its own, $PORT"
    )]
    [TestCase(
        Template + "type = 'docker'\nimage = 'i'\nport = 80\ncontainer_name = 'cc'",
        "7:1: sessions.templates.t.container_name: found in a template, allowed only in a backend; each session's "
            + "container is called after its session"
    )]
    [TestCase(
        Template + "type = 'docker'\nimage = 'i'\nport = 80\nnetwork = 'host'",
        "7:11: sessions.templates.t.network: found the string \"host\", allowed is a network on which each container has "
            + "its ports to itself"
    )]
    [TestCase(
        Template + "image = 'i'\nport = 80",
        "4:1: sessions.templates.t.image: found in a backend without type, allowed only with type = \"docker\""
    )]
    [TestCase(
        "[backends.a]\ncommand = 'x'\ngrace_period_secs = 1",
        "3:1: backends.a.grace_period_secs: found a key that does not belong in a backend, it is one of a template: "
            + "[sessions.templates.NAME]"
    )]
    public void What_is_wrong_is_named(string text, string error) =>
        Assert.That(ConfigSource.Errors(text), Is.EqualTo([$"c.toml:{error}"]));

    [Test]
    public void A_domain_leaves_room_for_an_id()
    {
        string domain = string.Join('.', Enumerable.Repeat(new string('a', 56), 4));
        Assert.That(ConfigSource.Valid($"[sessions]\ndomain = '{domain}'").Sessions!.Domain, Has.Length.EqualTo(227));
        Assert.That(
            ConfigSource.Errors($"[sessions]\ndomain = '{domain}.b'"),
            Is.EqualTo([
                "c.toml:2:10: sessions.domain: found a domain of 229 characters, allowed are 228: the id of a session comes before it",
            ])
        );
    }

    private const string Printed = """
        [server]
        port = 8080
        [sessions]
        domain = "session.localhost"
        allow_images = ["a:*"]
        [sessions.templates.local]
        command = "x"
        [sessions.templates.docker]
        type = "docker"
        image = "i"
        port = 80
        lifetime_limit_secs = 5
        [sessions.templates.few]
        command = "x"
        allow_env = ["A", "B_*"]
        """;

    [Test]
    public void Check_prints_the_effective_settings_and_they_mean_the_same()
    {
        var config = ConfigSource.Valid(Printed);
        using var writer = new StringWriter { NewLine = "\n" };
        ConfigPrinter.Print(config, writer);
        string printed = writer.ToString();

        Assert.That(
            printed,
            Does.Contain(
                """

                [sessions]
                domain                         = "session.localhost"
                url_template                   = "http://{}.session.localhost:8080/"
                api_base                       = "http://127.0.0.1:9999"
                max                            = 256
                allow_images                   = ["a:*"]
                # server.admin_token is unset: a call may name a template, a key and a grace period, and nothing else

                [sessions.templates.local]  # c.toml:6:1
                type                           = "local"
                command                        = "x"
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
                args                           = []
                port                           = 0  # a free port at each start
                # env                            none
                grace_period_secs              = 300
                lifetime_limit_secs            = 0  # none
                allow_env                      = ["SESSION_*"]
                startup_timeout_secs           = 30
                """.ReplaceLineEndings("\n")
            )
        );
        Assert.That(printed, Does.Contain("# container_name                 called after each session\n"));
        Assert.That(printed, Does.Contain("# allow_env                      any name\n"));
        Assert.That(printed, Does.EndWith("# c.toml is valid: 0 backends, 3 session templates\n"));
        var again = ConfigSource.Valid(printed).Sessions!;
        Assert.That(
            again.Templates.Zip(config.Sessions!.Templates, (a, b) => a.Backend.HasSameSettings(b.Backend)),
            Is.EqualTo([true, true, true])
        );
        Assert.That(again.Templates.Select(Words), Is.EqualTo(config.Sessions!.Templates.Select(Words)));
        Assert.That((again.Domain, again.Max), Is.EqualTo((config.Sessions!.Domain, config.Sessions.Max)));
    }

    private static string Words(SessionTemplate template) =>
        $"{template.Name} {template.GracePeriodSecs} {template.LifetimeLimitSecs} {string.Join(' ', template.AllowEnv ?? ["any"])}";
}
