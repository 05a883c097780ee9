using System.Diagnostics;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Dashboard;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Sessions;

/// <summary>The example of the documentation, as it lies there, in two browsers.</summary>
[LongRunning]
internal sealed class SessionExampleTests : SessionTest
{
    private const int GraceSecs = 3;
    private readonly List<Browser> _browsers = [];

    [TearDown]
    public async Task EndBrowsersAsync()
    {
        foreach (Browser browser in _browsers)
        {
            await browser.DisposeAsync();
        }
    }

    [Test]
    public async Task Two_pages_share_one_process_that_is_swept_when_both_are_closed()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Example());
        Browser one = await OpenAsync(gateway, "one", "plans");
        Browser two = await OpenAsync(gateway, "two", "plans");
        await one.UntilAsync("document.getElementById('peers').textContent === '2 people'");
        JsonElement session = (await SessionsAsync(gateway)).Single();
        string host = session.GetProperty("hostname").GetString()!;

        await TypeAsync(one, "Hello from one. 😀");
        await two.UntilAsync("document.getElementById('text').value === 'Hello from one. 😀'");
        await TypeAsync(two, "Two was here. Hello from one. 😀😁");
        await one.UntilAsync("document.getElementById('text').value === 'Two was here. Hello from one. 😀😁'");
        await Task.WhenAll(AppendAsync(one, "1", 20), AppendAsync(two, "2", 20));
        await one.UntilAsync("document.getElementById('text').value.length === 74");
        string text = await one.TextAsync("document.getElementById('text').value");
        await two.UntilAsync($"document.getElementById('text').value === {JsonSerializer.Serialize(text)}");
        Assert.That((text.Count(c => c == '1'), text.Count(c => c == '2')), Is.EqualTo((20, 20)), "nothing that was typed at once is lost");
        Assert.That(
            (await SessionsAsync(gateway)).Single().GetProperty("pid").GetInt32(),
            Is.EqualTo(session.GetProperty("pid").GetInt32()),
            "one process for both"
        );

        await CloseAsync(one);
        await two.UntilAsync("document.getElementById('peers').textContent === '1 person'");
        long closed = Stopwatch.GetTimestamp();
        await CloseAsync(two);
        await gateway.LogsAsync(host, "Backend is stopping", "idle");
        Assert.That(Stopwatch.GetElapsedTime(closed).TotalSeconds, Is.AtLeast(GraceSecs), "not before its grace period");
        await gateway.LogsAsync(host, "Backend stopped");
        RawResponse late = await RawClient.RequestAsync(gateway.Port, host, "/");
        Assert.That((late.Status, late.Header("X-Proxy-Error")), Is.EqualTo((410, "SESSION_ENDED")));

        Browser three = await OpenAsync(gateway, "three", "plans");
        await three.UntilAsync($"document.getElementById('text').value === {JsonSerializer.Serialize(text)}");
        Assert.That(
            (await SessionsAsync(gateway)).Single().GetProperty("hostname").GetString(),
            Is.Not.EqualTo(host),
            "a new process with the text that the first one saved"
        );
        Assert.That(_browsers.SelectMany(browser => browser.Faults), Is.Empty);
    }

    private static string Address(GatewayProcess gateway) => $"http://editor.localhost:{gateway.Port}";

    /// <summary>The file with other ports, in this test's folder, and with the shorter patience of a test.</summary>
    private ConfigFile Example()
    {
        string folder = Path.Combine(Executables.Repository, "docs", "examples", "sessions");
        string python = Executables.FindOrSkip("python3");
        var config = new ConfigFile();
        string text = File.ReadAllText(Path.Combine(folder, "config.toml"));
        text = text[text.IndexOf("[backends", StringComparison.Ordinal)..];
        foreach (
            (string from, string to) in ((string, string)[])
                [
                    ("8080", $"{config.Port}"),
                    ("9999", $"{config.AdminPort}"),
                    ("\"documents\"", ConfigFile.Quote(Path.Combine(Scene.Folder, "documents"))),
                    ("command = \"python3\"", $"command = {ConfigFile.Quote(python)}\nworking_dir = {ConfigFile.Quote(folder)}"),
                    ("grace_period_secs = 60", $"grace_period_secs = {GraceSecs}"),
                ]
        )
        {
            Assert.That(text, Does.Contain(from));
            text = text.Replace(from, to, StringComparison.Ordinal);
        }

        return config.Section(text);
    }

    private static async Task<List<JsonElement>> SessionsAsync(GatewayProcess gateway) =>
        [
            .. (await gateway.Admin.JsonAsync("/backends"))
                .GetProperty("backends")
                .EnumerateArray()
                .Where(each => each.GetProperty("session").ValueKind != JsonValueKind.Null),
        ];

    private static Task TypeAsync(Browser browser, string text) =>
        browser.EvaluateAsync(
            $"{{ const box = document.getElementById('text'); box.value = {JsonSerializer.Serialize(text)}; "
                + $"box.dispatchEvent(new Event('input')); }}"
        );

    private static async Task AppendAsync(Browser browser, string letter, int times)
    {
        for (int i = 0; i < times; i++)
        {
            await browser.EvaluateAsync(
                $"{{ const box = document.getElementById('text'); box.value += '{letter}'; box.dispatchEvent(new Event('input')); }}"
            );
        }
    }

    private async Task<Browser> OpenAsync(GatewayProcess gateway, string name, string document)
    {
        Browser browser = await Browser.StartAsync(Scene.NewFolder(name));
        _browsers.Add(browser);
        await browser.OpenAsync($"{Address(gateway)}/#{document}");
        await browser.UntilAsync("document.getElementById('state').textContent === 'Connected'");
        return browser;
    }

    private async Task CloseAsync(Browser browser)
    {
        _browsers.Remove(browser);
        Assert.That(browser.Faults, Is.Empty);
        await browser.DisposeAsync();
    }
}
