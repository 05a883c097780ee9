using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>Browsers get a page that waits for a slow start; programs are held. On the wire, with real processes.</summary>
[LongRunning]
internal sealed class WaitingPageTests : GatewayTest
{
    private const string Browser = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nSec-Fetch-Mode: navigate\r\n";
    private const string Poll = "X-Spawngate-Waiting: 1\r\n";

    [Test]
    public async Task A_navigation_gets_the_page_after_a_second_and_everybody_else_is_held()
    {
        GatewayProcess gateway = await StartAsync("--health=500", "--stdout-lines=1");
        long begun = Stopwatch.GetTimestamp();
        Task<RawResponse> program = RawClient.RequestAsync(gateway.Port, Host, "/", headers: "Accept: application/json\r\n");
        Task<RawResponse> fetch = RawClient.RequestAsync(
            gateway.Port,
            Host,
            "/",
            headers: Browser.Replace("navigate", "cors", StringComparison.Ordinal)
        );
        Task<RawResponse> form = RawClient.RequestAsync(gateway.Port, Host, "/mirror", "POST", Browser, "a=b");
        using RawClient browser = await RawClient.ConnectAsync(gateway.Port);
        RawResponse page = await browser.ExchangeAsync(Host, "/?<script>x</script>", headers: Browser);

        Assert.That(Stopwatch.GetElapsedTime(begun).TotalSeconds, Strain.Within(begun, 0.95, 2));
        Assert.That(
            (
                page.Status,
                page.Header("Content-Type"),
                page.Header("X-Proxy-Error"),
                page.Header("Cache-Control"),
                page.Header("Retry-After")
            ),
            Is.EqualTo((503, "text/html; charset=utf-8", "BACKEND_STARTING", "no-store", "1"))
        );
        Assert.That(page.Header("Content-Security-Policy"), Does.StartWith("default-src 'none'; script-src 'sha256-"));
        Assert.That(page.Text, Does.Contain("data-step=\"ready\"").And.Contain("<pre id=\"line\">out ").And.Not.Contain("<script>x"));
        Assert.That(page.Text, Does.Not.Contain(Host));

        JsonElement poll = (await browser.ExchangeAsync(Host, "/?q", headers: Poll)).Json;
        Assert.That((poll.GetProperty("state").GetString(), poll.GetProperty("step").GetString()), Is.EqualTo(("starting", "ready")));
        Assert.That(program.IsCompleted || fetch.IsCompleted || form.IsCompleted, Is.False, "held");
        Task<RawResponse> last = browser.ExchangeAsync(Host, "/?q", headers: Poll);
        await (await Control.StartAsync()).DoAsync("health 200");
        RawResponse answer = await last;
        while (answer.Json.GetProperty("state").GetString() == "starting")
        {
            answer = await browser.ExchangeAsync(Host, "/?q", headers: Poll);
        }

        Assert.That(
            (answer.Status, answer.Header("X-Spawngate-Waiting"), answer.Header("X-Proxy-Error")),
            Is.EqualTo((200, "1", default(string)))
        );
        Assert.That(answer.Json.GetProperty("state").GetString(), Is.EqualTo("ready"));
        Assert.That(((await program).Status, (await fetch).Status, (await form).Text), Is.EqualTo((200, 200, "a=b")));
        Assert.That(
            (await browser.ExchangeAsync(Host, "/", headers: Browser)).Json.GetProperty("pid").GetInt32(),
            Is.EqualTo((await Control.StartAsync()).Pid),
            "the same connection goes on"
        );
        Assert.That(
            (await browser.ExchangeAsync(Host, "/", headers: Poll)).Json.GetProperty("state").GetString(),
            Is.EqualTo("ready"),
            "never forwarded"
        );
        Assert.That(Control.Started(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_start_in_time_shows_no_page()
    {
        GatewayProcess gateway = await StartAsync();
        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Browser);
        Assert.That((response.Status, response.Json.GetProperty("pid").GetInt32()), Is.EqualTo((200, (await Control.StartAsync()).Pid)));
    }

    [Test]
    public async Task Off_by_default_and_then_the_field_of_the_page_is_nothing_special()
    {
        GatewayProcess gateway = await GatewayAsync("--listen-delay-ms=1500");
        Task<RawResponse> poll = RawClient.RequestAsync(gateway.Port, Host, "/echo", headers: Poll);
        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Browser);
        Assert.That(response.Status, Is.EqualTo(200), "held until it was ready");
        Assert.That((await poll).Text, Does.Contain("X-Spawngate-Waiting"), "the backend got it");
    }

    [Test]
    public async Task A_failed_start_is_shown_and_watching_it_starts_nothing()
    {
        GatewayProcess gateway = await StartAsync("--exit-code=3", "--exit-after-ms=1300", "--never-listen", "--stderr-lines=1");
        RawResponse page = await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Browser);
        Assert.That(page.Text, Does.Contain("<body class=\"starting\" data-start=\"1\""));
        RawResponse poll = await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Poll);
        Assert.That((poll.Status, poll.Json.GetProperty("state").GetString()), Is.EqualTo((200, "failed")));
        Assert.That(poll.Json.GetProperty("line").GetString(), Does.StartWith("err "));
        Assert.That(
            (await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Poll)).Json.GetProperty("state").GetString(),
            Is.EqualTo("failed")
        );
        Assert.That(Control.Started(), Has.Count.EqualTo(1), "a page that shows a failure does not try again by itself");
    }

    [Test]
    public async Task A_start_that_fails_at_once_is_shown_at_once()
    {
        GatewayProcess gateway = await StartAsync("--exit-code=3", "--never-listen");
        RawResponse page = await RawClient.RequestAsync(gateway.Port, Host, "/", headers: Browser);
        Assert.That(
            (page.Status, page.Header("X-Proxy-Error"), page.Header("Content-Type")),
            Is.EqualTo((503, "BACKEND_START_FAILED", "text/html; charset=utf-8"))
        );
        Assert.That(page.Text, Does.Contain("<body class=\"failed\"").And.Not.Contain("status 3"));
        RawResponse program = await RawClient.RequestAsync(gateway.Port, Host, "/");
        Assert.That((program.Status, program.Header("Content-Type")), Is.EqualTo((503, "application/json")));
    }

    [Test]
    public async Task Over_http2_it_is_the_same()
    {
        GatewayProcess gateway = await StartAsync("--health=500");
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        Task<HttpResponseMessage> program = AskAsync(("accept", "*/*"));
        using HttpResponseMessage page = await AskAsync(("accept", "text/html"));
        Assert.That(
            (page.StatusCode, page.Content.Headers.ContentType!.ToString(), page.Headers.GetValues("x-proxy-error").Single()),
            Is.EqualTo((HttpStatusCode.ServiceUnavailable, "text/html; charset=utf-8", "BACKEND_STARTING"))
        );
        Assert.That(await page.Content.ReadAsStringAsync(), Does.Contain("data-step=\"ready\"").And.EndWith("</html>\n"));
        Assert.That(page.Headers.GetValues("content-security-policy").Single(), Does.StartWith("default-src 'none'; "));
        Assert.That(await StateAsync(), Is.EqualTo("starting"));
        Assert.That(program.IsCompleted, Is.False, "held");
        await (await Control.StartAsync()).DoAsync("health 200");
        Assert.That((await program).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await StateAsync(), Is.EqualTo("ready"));

        async Task<string> StateAsync()
        {
            using HttpResponseMessage poll = await AskAsync(("x-spawngate-waiting", "1"));
            Assert.That((poll.StatusCode, poll.Headers.GetValues("x-spawngate-waiting").Single()), Is.EqualTo((HttpStatusCode.OK, "1")));
            return JsonDocument.Parse(await poll.Content.ReadAsStringAsync()).RootElement.GetProperty("state").GetString()!;
        }

        Task<HttpResponseMessage> AskAsync((string Name, string Value) field)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{gateway.Port}/")
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Headers = { Host = Host },
            };
            request.Headers.Add(field.Name, field.Value);
            return http.SendAsync(request);
        }
    }

    [Test]
    public async Task A_client_that_leaves_while_it_is_held_leaves_nothing()
    {
        GatewayProcess gateway = await StartAsync("--health=500");
        using (RawClient browser = await RawClient.ConnectAsync(gateway.Port))
        {
            await browser.SendAsync(RawClient.Head(Host, "/", headers: Browser));
            await Control.StartAsync();
        }

        await gateway.UntilAsync("nothing waits", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("waiting").GetInt32() == 0
        );
    }

    private Task<GatewayProcess> StartAsync(params string[] args) =>
        Scene.GatewayAsync(new ConfigFile().Defaults("waiting_page = true").TestBackend(Host, args));
}
