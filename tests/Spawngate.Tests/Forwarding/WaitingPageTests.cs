using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Forwarding;
using Spawngate.Logging;
using Spawngate.Protocols.Http1;
using Spawngate.Routing;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Who gets the waiting page, and what is on it.</summary>
internal sealed class WaitingPageTests
{
    private const string Chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

    [TestCase("Accept: " + Chrome, true)]
    [TestCase("Accept: " + Chrome + "\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe", true)]
    [TestCase("accept: TEXT/HTML", true)]
    [TestCase("Accept: text/html, */*", true)]
    [TestCase("Accept: text/html;q=0.5, */*;q=0.4", true)]
    [TestCase("Accept: text/html;level=1;Q=1.000 , application/json", true)]
    [TestCase("Accept: application/xhtml+xml, text/html", true)]
    [TestCase("Accept: application/json;q=0.9\r\nAccept: text/html", true)]
    [TestCase("Accept: application/json, text/html", false)]
    [TestCase("Accept: application/json, text/plain, */*", false)]
    [TestCase("Accept: text/html;q=0.8, application/json", false)]
    [TestCase("Accept: text/html;q=0.8, */*", false)]
    [TestCase("Accept: text/html;q=0", false)]
    [TestCase("Accept: text/html;q=2", false)]
    [TestCase("Accept: text/html;q=x", false)]
    [TestCase("Accept: */*", false)]
    [TestCase("Accept: text/*", false)]
    [TestCase("Accept: text/htmlx", false)]
    [TestCase("Accept: ,,;", false)]
    [TestCase("Accept:", false)]
    [TestCase("X-Accept: text/html", false)]
    [TestCase("Accept: text/html\r\nSec-Fetch-Mode: cors", false)]
    [TestCase("Accept: text/html\r\nSec-Fetch-Mode: no-cors", false)]
    [TestCase("Accept: text/html\r\nX-Requested-With: XMLHttpRequest", false)]
    [TestCase("Accept: text/html\r\nHX-Request: true", false)]
    [TestCase("Accept: text/html\r\nConnection: Upgrade\r\nUpgrade: websocket", false)]
    public void A_navigation_is_told_by_what_it_accepts_and_for_whom(string fields, bool navigation)
    {
        Assert.That(
            Kind($"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"),
            Is.EqualTo(navigation ? NavigationKind.Navigation : NavigationKind.None)
        );
    }

    [TestCase("POST / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nContent-Length: 0\r\n\r\n")]
    [TestCase("HEAD / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n")]
    [TestCase("GET / HTTP/1.0\r\nHost: a\r\nAccept: text/html\r\n\r\n")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nContent-Length: 3\r\n\r\n")]
    [TestCase("POST / HTTP/1.1\r\nHost: a\r\nX-Spawngate-Waiting: 1\r\nContent-Length: 0\r\n\r\n")]
    public void Nothing_but_a_get_without_a_body_is_one(string head) => Assert.That(Kind(head), Is.EqualTo(NavigationKind.None));

    [TestCase("7", 7)]
    [TestCase("0", 0)]
    [TestCase("-7", 0)]
    [TestCase("7x", 0)]
    [TestCase("99999999999", 0)]
    [TestCase("", 0)]
    public void A_poll_says_which_start_it_waits_for(string value, int start)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(
            $"GET / HTTP/1.1\r\nHost: a\r\nx-SPAWNGATE-waiting: {value}\r\nSec-Fetch-Mode: cors\r\n\r\n"
        );
        foreach (bool ready in (bool[])[false, true])
        {
            Assert.That(NavigationClassifier.Of(Parse(bytes), bytes, ready, out int found), Is.EqualTo(NavigationKind.Poll));
            Assert.That(found, Is.EqualTo(start));
        }
    }

    [Test]
    public void The_page_shows_how_far_the_start_is_and_the_last_line()
    {
        using var scene = new Scene();
        scene.Line = new OutputLine(scene.Stage.Time.GetUtcNow().AddSeconds(-1), OutputStream.Stdout, "of an earlier start");
        scene.Stage.ToLaunching();
        scene.Stage.Time.AdvanceMs(1200);
        string launching = Text(scene.Answer(NavigationKind.Navigation, AdmissionOutcome.NotYet));
        Assert.That(
            launching,
            Does.Contain("<ol id=\"steps\" data-step=\"spawn\">")
                .And.Contain("data-start=\"1\" data-ms=\"1200\"")
                .And.Contain("<p id=\"elapsed\">1 s</p>")
                .And.Contain("<pre id=\"line\"></pre>")
                .And.Contain("<noscript><meta http-equiv=\"refresh\"")
                .And.Contain("<body class=\"starting\"")
        );

        scene.Stage.Launcher.Last.Succeed();
        scene.Stage.Settle();
        Assert.That(scene.Poll().GetProperty("step").GetString(), Is.EqualTo("listen"));
        scene.Stage.Probe.Listen();
        scene.Stage.Settle();
        scene.Line = new OutputLine(scene.Stage.Time.GetUtcNow(), OutputStream.Stderr, "compiling 3 of 7");
        JsonElement poll = scene.Poll();
        Assert.That(
            (
                poll.GetProperty("state").GetString(),
                poll.GetProperty("step").GetString(),
                poll.GetProperty("line").GetString(),
                poll.GetProperty("elapsed_ms").GetInt64()
            ),
            Is.EqualTo(("starting", "ready", "compiling 3 of 7", 1200L))
        );
        Assert.That(
            Text(scene.Answer(NavigationKind.Navigation, AdmissionOutcome.NotYet)),
            Does.Contain("<pre id=\"line\">compiling 3 of 7</pre>")
        );
        Assert.That(
            Json(scene.Answer(NavigationKind.Poll, AdmissionOutcome.Admitted)!).GetProperty("state").GetString(),
            Is.EqualTo("ready")
        );
    }

    [Test]
    public void A_line_is_text_wherever_it_stands()
    {
        using var scene = new Scene();
        scene.Stage.ToLaunched();
        const string Evil = "</pre><script>alert(1)</script>{script}{title}\0 \"'&<!--";
        scene.Line = new OutputLine(scene.Stage.Time.GetUtcNow(), OutputStream.Stdout, Evil);
        OwnReply reply = scene.Answer(NavigationKind.Navigation, AdmissionOutcome.NotYet)!;
        string page = Text(reply);
        int line = page.IndexOf("<pre id=\"line\">", StringComparison.Ordinal);
        string shown = page[(line + 15)..page.IndexOf("</pre>", line, StringComparison.Ordinal)];
        Assert.That(shown, Is.EqualTo("&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;{script}{title}\0 &quot;&#39;&amp;&lt;!--"));
        Assert.That(System.Net.WebUtility.HtmlDecode(shown), Is.EqualTo(Evil));
        Assert.That(scene.Poll().GetProperty("line").GetString(), Is.EqualTo(Evil));

        scene.Line = new OutputLine(
            scene.Stage.Time.GetUtcNow(),
            OutputStream.Stdout,
            new string('x', ForwardingLimits.WaitingPageLineChars - 1) + "😀😀"
        );
        Assert.That(
            scene.Poll().GetProperty("line").GetString(),
            Is.EqualTo(new string('x', ForwardingLimits.WaitingPageLineChars - 1) + " …"),
            "cut before a pair of surrogates, not in it"
        );
    }

    [Test]
    public void A_failed_start_is_shown_as_such()
    {
        using var scene = new Scene();
        scene.Stage.ToLaunched();
        scene.Line = new OutputLine(scene.Stage.Time.GetUtcNow(), OutputStream.Stderr, "no such table");
        scene.Stage.Workload.Exit();
        scene.Stage.Settle();
        OwnReply reply = scene.Answer(NavigationKind.Navigation, AdmissionOutcome.StartFailed, 4)!;
        Assert.That((reply.Error, reply.RetryAfterSecs), Is.EqualTo((ProxyError.BackendStartFailed, 4)));
        Assert.That(
            Text(reply),
            Does.Contain("<body class=\"failed\"")
                .And.Contain("It could not be started")
                .And.Contain("The next attempt is possible in 4 seconds.")
                .And.Contain("<pre id=\"line\">no such table</pre>")
                .And.Not.Contain("http-equiv")
        );
        Assert.That(scene.Poll(AdmissionOutcome.StartFailed).GetProperty("state").GetString(), Is.EqualTo("failed"));
        Assert.That(scene.Backend.FailureSince(1)!.Value.Outcome, Is.EqualTo(AdmissionOutcome.StartFailed));
        Assert.That(
            (scene.Backend.FailureSince(2), scene.Backend.FailureSince(0)),
            Is.EqualTo((default(Admission?), default(Admission?))),
            "another start may do better"
        );
    }

    [Test]
    public void Before_the_start_and_behind_a_stop_it_waits_for_the_next_one()
    {
        using var scene = new Scene();
        Assert.That(
            Text(scene.Answer(NavigationKind.Navigation, AdmissionOutcome.NotYet)),
            Does.Contain("data-step=\"spawn\"").And.Contain("data-start=\"1\"")
        );
        scene.Stage.ToReady();
        scene.Stage.PassSecs(60.3);
        Assert.That(scene.Stage.Phase, Is.EqualTo(BackendPhase.Stopping));
        Assert.That(
            Text(scene.Answer(NavigationKind.Navigation, AdmissionOutcome.NotYet)),
            Does.Contain("data-step=\"stop\"").And.Contain("data-start=\"2\"")
        );
    }

    [Test]
    public void Other_outcomes_are_those_of_every_request()
    {
        using var scene = new Scene();
        foreach (var outcome in Enum.GetValues<AdmissionOutcome>())
        {
            bool page = outcome is AdmissionOutcome.NotYet or AdmissionOutcome.QueueFull or AdmissionOutcome.StartFailed;
            Assert.That(scene.Answer(NavigationKind.Navigation, outcome) is not null, Is.EqualTo(page), $"{outcome}");
            Assert.That(
                scene.Answer(NavigationKind.Poll, outcome) is not null,
                Is.EqualTo(outcome != AdmissionOutcome.Cancelled),
                $"{outcome}"
            );
        }
    }

    [Test]
    public void Whoever_has_a_page_to_look_at_leaves_half_of_the_queue_to_others()
    {
        using var stage = new LifecycleStage(static config => config with { MaxQueuedRequests = 5 });
        var cause = new WakeCause(WakeKind.Request);
        var visits = Enumerable.Range(0, 3).Select(_ => stage.Backend.Enqueue(cause, yields: true)).ToList();
        var others = Enumerable.Range(0, 4).Select(_ => stage.Backend.Enqueue(cause)).ToList();
        Assert.That(
            visits.Concat(others).Select(LifecycleStage.Outcome),
            Is.EqualTo(["Held", "Held", "QueueFull", "Held", "Held", "Held", "QueueFull"])
        );
        Assert.That(LifecycleStage.Outcome(stage.Backend.Enqueue(cause, yields: true)), Is.EqualTo("QueueFull"));
        stage.Settle();
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Starting), "they wake it all the same");

        using var small = new LifecycleStage(static config => config with { MaxQueuedRequests = 1 });
        Assert.That(LifecycleStage.Outcome(small.Backend.Enqueue(cause, yields: true)), Is.EqualTo("Held"));
    }

    [Test]
    public void The_policy_allows_this_style_and_this_script_and_nothing_else()
    {
        using var scene = new Scene();
        scene.Stage.ToLaunched();
        OwnReply reply = scene.Answer(NavigationKind.Navigation, AdmissionOutcome.NotYet)!;
        string page = Text(reply);
        Assert.That(
            (Hash(page, "<style>", "</style>"), Hash(page, "<script>", "</script>")),
            Is.EqualTo((WaitingPage.StyleHash, WaitingPage.ScriptHash))
        );
        var fields = reply.Fields.ToDictionary(static field => field.Name, static field => field.Value);
        Assert.That(
            fields["content-security-policy"],
            Is.EqualTo(
                $"default-src 'none'; script-src '{WaitingPage.ScriptHash}'; style-src '{WaitingPage.StyleHash}'; connect-src "
                    + "'self'; base-uri 'none'; form-action 'none'"
            )
        );
        Assert.That((fields["cache-control"], fields["x-content-type-options"]), Is.EqualTo(("no-store", "nosniff")));
        Assert.That(
            page,
            Does.Not.Contain("\0")
                .And.Not.Contain("http://")
                .And.Not.Contain("https://")
                .And.Not.Contain("style=")
                .And.Not.Contain("onclick")
        );
        Assert.That(reply.Body, Has.Length.LessThan(8192), "small");
    }

    [Test]
    public void The_key_is_off_by_default_and_a_boolean()
    {
        var backends = ConfigSource
            .Valid("[defaults]\nwaiting_page = true\n[backends.a]\ncommand = 'x'\n[backends.b]\ncommand = 'x'\nwaiting_page = false\n")
            .Backends;
        Assert.That(backends.Select(static backend => backend.WaitingPage), Is.EqualTo([true, false]));
        Assert.That(ConfigSource.Valid(ConfigSource.Local("")).Backends[0].WaitingPage, Is.False);
        Assert.That(
            ConfigSource.Errors(ConfigSource.Local("waiting_page = 'yes'")).Single(),
            Does.Contain("waiting_page: found the string \"yes\", allowed is true or false, without quotes")
        );
    }

    private static string Hash(string page, string from, string to)
    {
        int start = page.IndexOf(from, StringComparison.Ordinal) + from.Length;
        return "sha256-"
            + Convert.ToBase64String(
                SHA256.HashData(Encoding.UTF8.GetBytes(page[start..page.IndexOf(to, start, StringComparison.Ordinal)]))
            );
    }

    private static string Text(OwnReply? reply) => Encoding.UTF8.GetString(reply!.Body);

    private static JsonElement Json(OwnReply reply) => JsonDocument.Parse(reply.Body).RootElement;

    private static NavigationKind Kind(string head)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(head);
        Assert.That(NavigationClassifier.Of(Parse(bytes), bytes, ready: true, out _), Is.EqualTo(NavigationKind.None));
        return NavigationClassifier.Of(Parse(bytes), bytes, ready: false, out _);
    }

    private static RequestHead Parse(byte[] bytes)
    {
        var request = new RequestHead();
        Assert.That(RequestHeadParser.Parse(request, bytes, new HeadLimits(8192, 65536, 100)), Is.EqualTo(HeadStatus.Complete));
        return request;
    }

    private sealed class Scene : IDisposable
    {
        private readonly ForwardingContext _context;

        public Scene() =>
            _context = new ForwardingContext(
                new ServerConfig(),
                new BackendSet(Stage.Env, new GatewayConfig()),
                Stage.Time,
                Stage.Clock,
                NullLogger.Instance
            )
            {
                LastLine = _ => Line,
            };

        public LifecycleStage Stage { get; } = new();

        public Backend Backend => Stage.Backend;

        public OutputLine? Line { get; set; }

        public OwnReply? Answer(NavigationKind navigation, AdmissionOutcome outcome, int retryAfterSecs = 0) =>
            WaitingPage.Answer(_context, Backend, navigation, new Admission(outcome, null, retryAfterSecs));

        public JsonElement Poll(AdmissionOutcome outcome = AdmissionOutcome.NotYet)
        {
            OwnReply reply = Answer(NavigationKind.Poll, outcome)!;
            Assert.That(
                (reply.Error, reply.Fields.Any(static field => field == ("x-spawngate-waiting", "1"))),
                Is.EqualTo((ProxyError.None, true))
            );
            return Json(reply);
        }

        public void Dispose() => Stage.Dispose();
    }
}
