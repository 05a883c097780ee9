using System.Text;
using Spawngate.Config;
using Spawngate.Sessions;

namespace Spawngate.Tests;

/// <summary>Bodies of <c>POST /spawn</c>, and what is made of them.</summary>
internal sealed class SpawnRequestTests
{
    private static readonly SessionsConfig Two = ConfigSource
        .Valid(
            """
            [sessions]
            domain = "s.test"
            allow_images = ["reg/ide:*"]
            [sessions.templates.local]
            command = "x"
            grace_period_secs = 7
            lifetime_limit_secs = 9
            allow_env = ["B", "C"]
            [sessions.templates.local.env]
            A = "1"
            B = "2"
            [sessions.templates.docker]
            type = "docker"
            image = "own:1"
            port = 80
            """
        )
        .Sessions!;

    [Test]
    public void All_fields_are_read_and_null_is_as_if_absent()
    {
        var request = Read(
            """{"template":"t","image":"a/b:c@sha256:0","port":3,"env":{"A":"1","B":""},"gracePeriodSeconds":5,"key":"ä ☃"}"""
        );
        Assert.That(
            (request.Template, request.Image, request.Port, request.GracePeriodSecs, request.Key),
            Is.EqualTo(("t", "a/b:c@sha256:0", 3, 5, "ä ☃"))
        );
        Assert.That(request.Env, Is.EqualTo([KeyValuePair.Create("A", "1"), KeyValuePair.Create("B", "")]));
        foreach (
            string body in (string[])
                ["", "{}", "  {\r\n}  ", """{"template":null,"image":null,"port":null,"env":null,"gracePeriodSeconds":null,"key":null}"""]
        )
        {
            var none = Read(body);
            Assert.That(
                (none.Template, none.Image, none.Port, none.GracePeriodSecs, none.Key, none.Env.Count),
                Is.EqualTo(((string?)null, (string?)null, (int?)null, (int?)null, (string?)null, 0))
            );
        }
    }

    [TestCase("""{"templat":"x"}""", "templat", "found a field that is unknown, did you mean template?")]
    [TestCase("""{"x":1}""", "x", "found a field that is unknown, allowed are template, image, port, env, gracePeriodSeconds, key")]
    [TestCase("""{"key":"a","key":"b"}""", "key", "found twice, allowed is once")]
    [TestCase("""{"key":"a","\u006bey":"b"}""", "key", "found twice, allowed is once")]
    [TestCase("""{"template":1}""", "template", "found 1, allowed is a string")]
    [TestCase("""{"image":"a b"}""", "image", "found the string \"a b\", allowed is an image reference")]
    [TestCase("""{"image":"-a"}""", "image", "found the string \"-a\", allowed is an image reference")]
    [TestCase("""{"image":["a"]}""", "image", "found an array, allowed is an image reference")]
    [TestCase("""{"port":0}""", "port", "found 0, allowed is a whole number from 1 to 65535")]
    [TestCase("""{"port":65536}""", "port", "found 65536, allowed is a whole number from 1 to 65535")]
    [TestCase("""{"port":"80"}""", "port", "found the string \"80\", allowed is a whole number from 1 to 65535")]
    [TestCase("""{"port":1e99}""", "port", "found 1e99, allowed is a whole number from 1 to 65535")]
    [TestCase("""{"gracePeriodSeconds":0}""", "gracePeriodSeconds", "found 0, allowed is a whole number from 1 to 2147483647")]
    [TestCase("""{"gracePeriodSeconds":1.5}""", "gracePeriodSeconds", "found 1.5, allowed is a whole number from 1 to 2147483647")]
    [TestCase("""{"key":""}""", "key", "found the string \"\", allowed is 1 to 256 characters without control characters")]
    [TestCase("""{"key":"a\nb"}""", "key", "found the string \"a\\u000Ab\", allowed is 1 to 256 characters without control characters")]
    [TestCase("""{"key":true}""", "key", "found true, allowed is 1 to 256 characters without control characters")]
    [TestCase("""{"env":[]}""", "env", "found an array, allowed is an object of strings")]
    [TestCase("""{"env":{"A":{}}}""", "env.A", "found an object, allowed is a string")]
    [TestCase("""{"env":{"A":null}}""", "env.A", "found null, allowed is a string")]
    [TestCase("""{"env":{"A":"x\u0000"}}""", "env.A", "found a string that contains NUL, allowed is a string without it")]
    [TestCase("""{"env":{"A=B":"x"}}""", "env.A=B", "found a name that no variable can have, allowed is any text without = and NUL")]
    [TestCase("""{"env":{"":"x"}}""", "env.", "found a name that no variable can have, allowed is any text without = and NUL")]
    [TestCase("""{"env":{"A":"x","A":"y"}}""", "env.A", "found twice, allowed is once")]
    [TestCase("""{"env":{"PORT":"1"}}""", "env.PORT", "found a variable that Spawngate sets itself")]
    [TestCase(
        """{"env":{"SERVERLESS_PROXY_READY_URL":"x"}}""",
        "env.SERVERLESS_PROXY_READY_URL",
        "found a variable that Spawngate sets itself"
    )]
    [TestCase("""{"env":{"SPAWNGATE_BUSY_URL":"x"}}""", "env.SPAWNGATE_BUSY_URL", "found a variable that Spawngate sets itself")]
    [TestCase("""{"env":{"NOTIFY_SOCKET":"x"}}""", "env.NOTIFY_SOCKET", "found a variable that Spawngate sets itself")]
    [TestCase("""{"env":{"SESSION_ID":"x"}}""", "env.SESSION_ID", "found a variable that Spawngate sets itself")]
    [TestCase("""{"env":{"SESSION_KEY":"x"}}""", "env.SESSION_KEY", "found a variable that Spawngate sets itself")]
    [TestCase("""{"env":{"session_key":"x"}}""", "env.session_key", "found a variable that Spawngate sets itself")]
    public void What_is_wrong_is_named(string body, string field, string problem) =>
        Assert.That(Error(body), Is.EqualTo(new SpawnError(400, "BAD_FIELD", $"{field}: {problem}", field)));

    [TestCase("x", "line 1, byte 1")]
    [TestCase("{", "line 1, byte 2")]
    [TestCase("{}{}", "line 1, byte 3")]
    [TestCase("{} x", "line 1, byte 4")]
    [TestCase("{\n\"key\":}", "line 2, byte 7")]
    [TestCase("{\"key\":\"a\",}", "line 1, byte 12")]
    [TestCase("{/**/}", "line 1, byte 2")]
    [TestCase("[]", "found an array")]
    [TestCase("\"{}\"", "found the string \"{}\"")]
    [TestCase("null", "found null")]
    [TestCase("{\"key\":\"\\ud800\"}", "a string in it is not Unicode text")]
    [TestCase("{\"\\udc00\":1}", "a string in it is not Unicode text")]
    [TestCase("{\"env\":{\"A\":\"\\ud800\"}}", "a string in it is not Unicode text")]
    public void What_is_no_JSON_object_is_refused(string body, string problem) =>
        Assert.That(Error(body), Is.EqualTo(new SpawnError(400, "BAD_JSON", $"The body is not one JSON object: {problem}.")));

    [Test]
    public void Bytes_that_are_not_Unicode_and_deep_nesting_are_refused()
    {
        Assert.That(SpawnRequest.Read([(byte)'{', (byte)'"', 0xff, (byte)'"', (byte)':', (byte)'1', (byte)'}'], out var error), Is.Null);
        Assert.That(error!.Code, Is.EqualTo("BAD_JSON"));
        Assert.That(Error($$"""{"env":{"A":{{new string('[', 10_000)}}""")!.Status, Is.EqualTo(400));
        Assert.That(Error($$"""{"x":{{new string('[', 10_000)}}""")!.Status, Is.EqualTo(400));
    }

    [Test]
    public void Sizes_are_bounded_and_what_is_told_of_them_is_short()
    {
        string Env(int count) => "{\"env\":{" + string.Join(',', Enumerable.Range(0, count).Select(i => $"\"V{i}\":\"\"")) + "}}";
        Assert.That(Read(Env(256)).Env, Has.Count.EqualTo(256));
        Assert.That(Error(Env(257)), Is.EqualTo(new SpawnError(400, "BAD_FIELD", "env: found more than 256 variables", "env")));
        Assert.That(Read($$"""{"key":"{{new string('k', 256)}}"}""").Key, Has.Length.EqualTo(256));
        Assert.That(Error($$"""{"key":"{{new string('k', 257)}}"}""")!.Message, Has.Length.LessThan(200));
        Assert.That(Error($$"""{"{{new string('k', 60_000)}}":1}""")!.Field, Has.Length.LessThan(100));
        Assert.That(Error("{\"port\":" + new string('1', 60_000) + "}")!.Message, Has.Length.LessThan(200));
        Assert.That(Error("{\"env\":{\"" + new string('k', 60_000) + "\":1}}")!.Field, Has.Length.LessThan(100));
    }

    [Test]
    public void A_plan_is_the_template_and_what_the_call_says_otherwise()
    {
        var local = Plan("""{"template":"local","env":{"B":"3","C":"4"}}""");
        Assert.That((local.Template, local.GracePeriodSecs, local.LifetimeLimitSecs), Is.EqualTo(("local", 7, 9)));
        Assert.That(
            local.Settings.Env,
            Is.EqualTo([KeyValuePair.Create("A", "1"), KeyValuePair.Create("B", "3"), KeyValuePair.Create("C", "4")])
        );
        var docker = Plan("""{"template":"docker","image":"reg/ide:2","port":81,"gracePeriodSeconds":3}""").For("id.s.test", "id", null);
        Assert.That(
            (docker.Hostname, docker.Port, docker.IdleTimeoutSecs, docker.Docker!.Image, docker.Docker!.ContainerName),
            Is.EqualTo(("id.s.test", 81, 3, "reg/ide:2", "spawngate-id.s.test"))
        );
        Assert.That(Plan("""{"template":"docker","image":"own:1"}""").Settings.Port, Is.EqualTo(80), "the template's own image");
        Assert.That(docker.Env, Is.EqualTo([KeyValuePair.Create("SESSION_ID", "id"), KeyValuePair.Create("SESSION_KEY", "")]));
        var keyed = local.For("id.s.test", "id", "a document").Env;
        Assert.That(
            keyed.TakeLast(2),
            Is.EqualTo([KeyValuePair.Create("SESSION_ID", "id"), KeyValuePair.Create("SESSION_KEY", "a document")]),
            "the last of a name holds"
        );
        var image = Plan("""{"image":"reg/ide:x"}""");
        Assert.That(
            (image.Template, image.Settings.Port, image.GracePeriodSecs, image.Settings.Docker!.Image),
            Is.EqualTo(("-", 8080, 300, "reg/ide:x"))
        );
    }

    [TestCase("""{}""", 400, "template", "found no such field, allowed are local, docker")]
    [TestCase("""{"template":"x"}""", 400, "template", "found \"x\", which is no template, allowed are local, docker")]
    [TestCase(
        """{"template":"local","image":"reg/ide:1"}""",
        400,
        "image",
        "found with a template of type \"local\", allowed only for Docker"
    )]
    [TestCase(
        """{"template":"local","port":1}""",
        400,
        "port",
        "found with a template of type \"local\", whose sessions get a free port each, allowed only for Docker"
    )]
    [TestCase("""{"image":"own:1"}""", 403, "image", "found \"own:1\", which sessions.allow_images does not allow")]
    [TestCase(
        """{"template":"docker","image":"evil/reg/ide:1"}""",
        403,
        "image",
        "found \"evil/reg/ide:1\", which sessions.allow_images does not allow"
    )]
    public void What_the_configuration_does_not_allow_is_named(string body, int status, string field, string problem)
    {
        Assert.That(SpawnPlan.Make(Two, Read(body), out var error), Is.Null);
        Assert.That((error!.Status, error.Field, error.Message), Is.EqualTo((status, field, $"{field}: {problem}")));
    }

    [TestCase(
        """{"template":"local","env":{"B":"1","A":"1"}}""",
        "A",
        "found a variable that sessions.templates.local.allow_env does not allow"
    )]
    [TestCase(
        """{"template":"local","env":{"SESSION_A":"1"}}""",
        "SESSION_A",
        "found a variable that sessions.templates.local.allow_env does not allow"
    )]
    [TestCase(
        """{"template":"local","env":{"LD_PRELOAD":"1"}}""",
        "LD_PRELOAD",
        "found a variable that sessions.templates.local.allow_env does not allow"
    )]
    public void A_variable_that_the_template_does_not_allow_is_named(string body, string name, string problem)
    {
        Assert.That(SpawnPlan.Make(Two, Read(body), out var error), Is.Null);
        Assert.That(error, Is.EqualTo(new SpawnError(403, "ENV_NOT_ALLOWED", $"env.{name}: {problem}", $"env.{name}")));
    }

    [TestCase("""{"template":"docker","env":{"LD_PRELOAD":"1","PATH":"2","A":"3"}}""")]
    [TestCase("""{"image":"reg/ide:x","env":{"LD_PRELOAD":"1","PATH":"2","A":"3"}}""")]
    public void In_a_container_a_call_may_set_any_variable(string body) =>
        Assert.That(Plan(body).Settings.Env.Select(static variable => variable.Key), Is.EqualTo(["LD_PRELOAD", "PATH", "A"]));

    [TestCase("command = 'x'")]
    [TestCase("type = 'docker'\nimage = 'i'\nport = 80")]
    public void What_steers_loaders_and_interpreters_is_allowed_by_its_whole_name_only(string kind)
    {
        var config = ConfigSource
            .Valid($"[sessions]\ndomain = 's.test'\n[sessions.templates.'a.b']\n{kind}\nallow_env = ['*', 'PYTHONPATH']")
            .Sessions!;
        Assert.That(
            SpawnPlan
                .Make(config, Read("""{"env":{"A":"1","PYTHONPATH":"2"}}"""), out _)!
                .Settings.Env.Select(static variable => variable.Key),
            Is.EqualTo(["A", "PYTHONPATH"])
        );
        Assert.That(SpawnPlan.Make(config, Read("""{"env":{"A":"1","PYTHONHOME":"2"}}"""), out var error), Is.Null);
        Assert.That((error!.Status, error.Field), Is.EqualTo((403, "env.PYTHONHOME")));
        Assert.That(
            error.Message,
            Is.EqualTo(
                "env.PYTHONHOME: found a variable that steers loaders, interpreters or libraries, which "
                    + "sessions.templates.\"a.b\".allow_env allows by its whole name only"
            )
        );
    }

    [TestCase(
        "LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES GLIBC_TUNABLES GCONV_PATH LOCPATH NLSPATH MALLOC_TRACE HOSTALIASES TZDIR"
    )]
    [TestCase(
        "BASH_ENV BASH_FUNC_ls%% BASHOPTS ENV SHELLOPTS PS4 IFS PROMPT_COMMAND CDPATH ZDOTDIR PATH PAGER LESSOPEN EDITOR BROWSER SHELL"
    )]
    [TestCase(
        "GUNICORN_CMD_ARGS UVICORN_APP HYPERCORN_CONFIG UWSGI_MODULE FLASK_APP DJANGO_SETTINGS_MODULE WERKZEUG_SERVER_FD "
            + "CELERY_LOADER CELERY_CONFIG_MODULE"
    )]
    [TestCase(
        "JUPYTER_CONFIG_DIR IPYTHONDIR MPLBACKEND MPLCONFIGDIR STREAMLIT_CONFIG_DIR RAILS_ENV RACK_ENV PUMA_CONTROL_URL "
            + "PM2_HOME THOR_MERGE BOOTSNAP_CACHE_DIR"
    )]
    [TestCase(
        "SPRING_APPLICATION_JSON SPRING_CONFIG_LOCATION QUARKUS_CONFIG_LOCATIONS MICRONAUT_CONFIG_FILES LOGGING_CONFIG "
            + "VSCODE_INSPECTOR_OPTIONS"
    )]
    [TestCase(
        "NODE_OPTIONS NODE_PATH npm_config_prefix PYTHONPATH PYTHONSTARTUP PYTHONHOME PERL5OPT PERL5LIB PERL5DB RUBYOPT "
            + "RUBYLIB GEM_PATH BUNDLE_GEMFILE PHPRC PHP_INI_SCAN_DIR LUA_PATH LUA_INIT_5_4"
    )]
    [TestCase(
        "JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS CLASSPATH JAVA_HOME DOTNET_STARTUP_HOOKS CORECLR_PROFILER "
            + "COMPlus_X COR_PROFILER ASPNETCORE_HOSTINGSTARTUPASSEMBLIES MONO_PATH R_PROFILE ERL_FLAGS"
    )]
    [TestCase(
        "GIT_SSH_COMMAND GIT_EXEC_PATH SSH_ASKPASS OPENSSL_CONF OPENSSL_MODULES SSL_CERT_FILE SSLKEYLOGFILE KRB5_CONFIG "
            + "GIO_EXTRA_MODULES GST_PLUGIN_PATH QT_PLUGIN_PATH GTK_MODULES"
    )]
    [TestCase(
        "HOME XDG_CONFIG_HOME XDG_DATA_DIRS TMPDIR USERPROFILE http_proxy HTTPS_PROXY LISTEN_FDS WATCHDOG_USEC "
            + "SPAWNGATE_ADMIN_TOKEN DOCKER_HOST KUBECONFIG Path ld_preload"
    )]
    public void No_pattern_admits_what_steers_loaders_interpreters_and_libraries(string names)
    {
        foreach (string name in names.Split(' '))
        {
            Assert.That(CallerVariables.Allows(["*", name[..2] + "*", name + "*", "*" + name], name), Is.False, name);
            Assert.That(CallerVariables.Allows([name], name), Is.True, name);
            Assert.That(CallerVariables.Allows(null, name), Is.True, name);
        }
    }

    [TestCase("SESSION_PATH")]
    [TestCase("SESSION_OPTIONS")]
    [TestCase("DOCUMENT")]
    [TestCase("RESULT")]
    [TestCase("HOMEPAGE")]
    [TestCase("PATHS")]
    [TestCase("ENVIRONMENT")]
    [TestCase("TEMPLATE")]
    public void What_only_looks_like_it_is_free(string name)
    {
        Assert.That(CallerVariables.Allows(["*"], name), Is.True);
        Assert.That(
            CallerVariables.Allows(CallerVariables.OfLocal, name),
            Is.EqualTo(name.StartsWith("SESSION_", StringComparison.Ordinal))
        );
    }

    [TestCase("""{"template":"t","key":"k","gracePeriodSeconds":1,"env":{},"image":null}""", null)]
    [TestCase("""{"key":"k","env":{"A":"1"}}""", "env")]
    [TestCase("""{"port":1}""", "port")]
    [TestCase("""{"image":"a"}""", "image")]
    public void What_needs_the_admin_token_is_known(string body, string? field) =>
        Assert.That(Read(body).FieldForTrusted, Is.EqualTo(field));

    [TestCase("a", "a", true)]
    [TestCase("a", "ab", false)]
    [TestCase("*", "", true)]
    [TestCase("a*", "a", true)]
    [TestCase("a*", "ba", false)]
    [TestCase("*a", "ba", true)]
    [TestCase("a*b", "ab", true)]
    [TestCase("ab*ba", "aba", false)]
    [TestCase("a*b*c", "a-c-b-c", true)]
    [TestCase("a*b*c", "a-c-b", false)]
    [TestCase("r/*:1", "r/x/y:1", true)]
    [TestCase("R/x", "r/x", false)]
    [TestCase("**a**", "xax", true)]
    public void Patterns_match_whole_texts(string pattern, string text, bool matches) =>
        Assert.That(TextPattern.MatchesAny([pattern], text), Is.EqualTo(matches));

    private static SpawnPlan Plan(string body) => SpawnPlan.Make(Two, Read(body), out _)!;

    private static SpawnRequest Read(string body)
    {
        var request = SpawnRequest.Read(Encoding.UTF8.GetBytes(body), out var error);
        Assert.That(error, Is.Null);
        return request!;
    }

    private static SpawnError? Error(string body)
    {
        Assert.That(SpawnRequest.Read(Encoding.UTF8.GetBytes(body), out var error), Is.Null);
        return error;
    }
}
