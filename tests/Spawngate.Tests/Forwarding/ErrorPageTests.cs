using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Spawngate.Config;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Errors as people in browsers get them, and who gets JSON.</summary>
internal sealed class ErrorPageTests
{
    private const string Accept = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";

    [TestCase("GET", Accept, true)]
    [TestCase("GET", Accept + "Sec-Fetch-Mode: navigate\r\n", true)]
    [TestCase("HEAD", Accept, true)]
    [TestCase("GET", "accept:text/html\r\n", true)]
    [TestCase("POST", Accept + "Content-Length: 0\r\n", false)]
    [TestCase("GET", "", false)]
    [TestCase("GET", "Accept: */*\r\n", false)]
    [TestCase("GET", "Accept: application/json, text/html\r\n", false)]
    [TestCase("GET", Accept + "Sec-Fetch-Mode: cors\r\n", false)]
    [TestCase("GET", Accept + "X-Requested-With: XMLHttpRequest\r\n", false)]
    [TestCase("GET", Accept + "X-Spawngate-Waiting: 1\r\n", false)]
    public async Task Whoever_asks_for_HTML_gets_a_page_and_all_others_JSON(string method, string fields, bool isPage)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var unrouted = await AskAsync(stage, $"{method} /nowhere HTTP/1.1\r\nHost: other.example.com\r\n{fields}\r\n");
        Check(unrouted, method, 404, "UNKNOWN_HOST", "No backend is configured for this host.", isPage);

        // Also when the head has been sent on: the backend closes without an answer.
        var client = await stage.ConnectAsync();
        await client.SendAsync($"{method} /broken HTTP/1.1\r\nHost: app.example.com\r\n{fields}\r\n");
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        backend.Dispose();
        Check(await client.ReadAsync(method == "HEAD"), method, 502, "CONNECTION_FAILED", "The connection to the backend failed.", isPage);
    }

    [Test]
    public async Task One_that_finds_no_room_is_told_on_a_page_too()
    {
        await using var stage = await ForwardingStage.StartAsync(static config =>
            config with
            {
                MaxConcurrency = 1,
                MaxQueuedRequests = 1,
            }
        );
        const string Get = "GET / HTTP/1.1\r\nHost: app.example.com\r\n";
        await (await stage.ConnectAsync()).SendAsync(Get + "\r\n");
        await stage.AcceptAsync();
        await (await stage.ConnectAsync()).SendAsync(Get + "\r\n");
        Assert.That(SpinWait.SpinUntil(() => stage.Backend.GetStatus().Waiting == 1, TimeSpan.FromSeconds(30)));
        var response = await AskAsync(stage, $"{Get}{Accept}\r\n");
        Check(response, "GET", 503, "QUEUE_FULL", "Too many requests are waiting for the backend.", isPage: true);
    }

    [Test]
    public async Task A_head_that_is_too_long_is_told_on_a_page_too()
    {
        await using var stage = await ForwardingStage.StartAsync(server: new ServerConfig { MaxHeaderBytes = 1024 });
        var response = await AskAsync(stage, $"GET / HTTP/1.1\r\nHost: app.example.com\r\n{Accept}Cookie: {new string('x', 2000)}\r\n\r\n");
        Check(response, "GET", 431, "REQUEST_HEADER_FIELDS_TOO_LARGE", "The header section is too large.", isPage: true);
    }

    [Test]
    public void Every_page_is_small_and_whole_and_names_nothing_but_the_error()
    {
        byte[] head = Encoding.ASCII.GetBytes($"GET /path HTTP/1.1\r\nHost: app.example.com\r\n{Accept}\r\n");
        foreach (var error in Enum.GetValues<ProxyError>().Where(static each => each is not (ProxyError.None or ProxyError.ClientGone)))
        {
            var page = ErrorPage.Of(error, MethodKind.Get, head)!;
            string text = Encoding.UTF8.GetString(page.Body);
            string code = Encoding.ASCII.GetString(ProxyErrors.Code(error));
            Assert.That((page.Error, page.ContentType, page.Body.Length < 4096), Is.EqualTo((error, "text/html; charset=utf-8", true)));
            Assert.That(
                text,
                Does.StartWith("<!doctype html>").And.EndWith("</html>\n").And.Contain($"{ProxyErrors.Status(error)} {code}<")
            );
            Assert.That(text, Does.Contain($">{ProxyErrors.Message(error)}<").And.Not.Contain("{").Or.Contain("color-scheme: light dark"));
            Assert.That(
                text,
                Does.Not.Contain("app.example.com").And.Not.Contain("/path").And.Not.Contain("{title}").And.Not.Contain("{again}")
            );
            int style = text.IndexOf("<style>", StringComparison.Ordinal) + "<style>".Length;
            string hash = Convert.ToBase64String(
                SHA256.HashData(Encoding.UTF8.GetBytes(text[style..text.IndexOf("</style>", StringComparison.Ordinal)]))
            );
            Assert.That(
                page.Fields.Single(static each => each.Name == "content-security-policy").Value,
                Does.Contain($"style-src 'sha256-{hash}'")
            );
        }

        Assert.That(ErrorPage.Of(ProxyError.ClientGone, MethodKind.Get, head), Is.Null);
    }

    private static async Task<StrictMessage> AskAsync(ForwardingStage stage, string request)
    {
        var client = await stage.ConnectAsync();
        await client.SendAsync(request);
        return await client.ReadAsync(request.StartsWith("HEAD", StringComparison.Ordinal));
    }

    private static void Check(StrictMessage response, string method, int status, string code, string message, bool isPage)
    {
        Assert.That(
            (response.Status, response["X-Proxy-Error"], response["Vary"], response["Content-Type"]),
            Is.EqualTo((status, code, "Accept", isPage ? "text/html; charset=utf-8" : "application/json"))
        );
        if (method == "HEAD")
        {
            Assert.That(response.Text, Is.Empty);
            Assert.That(int.Parse(response["Content-Length"]!, CultureInfo.InvariantCulture), Is.GreaterThan(500));
        }
        else if (isPage)
        {
            Assert.That(response.Text, Does.Contain($"<p id=\"message\">{message}</p>").And.Contain($"{status} {code}"));
            Assert.That(response["Cache-Control"], Is.EqualTo("no-store"));
        }
        else if (status != 431)
        {
            Assert.That(response.Text, Is.EqualTo($$"""{"code":"{{code}}","message":"{{message}}","status":{{status}}}"""));
        }
    }
}
