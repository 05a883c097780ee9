using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Dashboard;

/// <summary>The dashboard in a real browser: what it shows is what is, and its buttons do what they say.</summary>
[LongRunning]
internal sealed class DashboardTests : GatewayTest
{
    private const string Live = "document.getElementById('link').className === 'live'";

    private Browser _browser = null!;

    [SetUp]
    public async Task StartBrowserAsync() => _browser = await Browser.StartAsync(Scene.NewFolder("browser"));

    [TearDown]
    public async Task EndBrowserAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }
    }

    [Test]
    public async Task States_load_and_ledger_change_on_the_page_as_they_change_in_fact()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().TestBackend(Host).TestBackend("other.test"));
        await OpenAsync(gateway);
        Assert.That(
            await _browser.TextAsync("[...document.querySelectorAll('.backend')].map(b => b.dataset.host).join()"),
            Is.EqualTo($"{Host},other.test")
        );
        await _browser.UntilAsync($"{Card()}.querySelector('.state').textContent === 'stopped'");
        await _browser.EvaluateAsync($"{Card()}.querySelector('.name').click()");

        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.ExchangeAsync(Host, "/stdout?word=hello-from-the-backend");
        await _browser.UntilAsync($"{Card()}.querySelector('.state').textContent === 'ready'");
        await _browser.UntilAsync($"{Card()}.querySelector('.log').textContent.includes('hello-from-the-backend')");
        await _browser.UntilAsync(
            $"{Card()}.querySelector('.ledger [data-event=ready]') && {Card()}.querySelector('.ledger [data-event=woken]')"
        );
        Assert.That(
            await _browser.TextAsync($"{Card()}.querySelector('.ledger [data-event=woken]').textContent"),
            Does.Contain("GET /stdout from 127.0.0.1")
        );
        Assert.That(await _browser.TextAsync($"{Card()}.querySelector('.bar').getAttribute('aria-label')"), Does.Contain("ready after"));
        Assert.That(
            await _browser.TextAsync("document.querySelectorAll('.backend')[1].querySelector('.state').textContent"),
            Is.EqualTo("stopped")
        );

        await client.SendAsync(RawClient.Head(Host, "/hold"));
        await _browser.UntilAsync($"{Card()}.querySelector('.use').textContent === '1 in flight'");
        client.Dispose();
        await _browser.UntilAsync($"{Card()}.querySelector('.use').textContent === ''");
        AssertClean(gateway);
    }

    [Test]
    public async Task Buttons_start_stop_and_restart()
    {
        GatewayProcess gateway = await GatewayAsync();
        await OpenAsync(gateway);
        Assert.That(await _browser.TextAsync($"{Button("stop")}.disabled"), Is.EqualTo("true"), "nothing to stop");

        await _browser.EvaluateAsync($"{Button("start")}.click()");
        await _browser.UntilAsync($"{Card()}.querySelector('.state').textContent === 'ready'");
        await gateway.UntilStateAsync(Host, "ready");
        int first = (await gateway.Admin.BackendAsync(Host)).GetProperty("generation").GetInt32();

        await _browser.EvaluateAsync($"{Button("restart")}.click()");
        await _browser.UntilAsync(
            $"{Card()}.querySelector('.state').textContent === 'ready' && "
                + "document.getElementById('said').textContent.includes('restart accepted')"
        );
        while ((await gateway.Admin.BackendAsync(Host)).GetProperty("generation").GetInt32() == first)
        {
            await Task.Yield();
        }

        await _browser.UntilAsync($"{Card()}.querySelector('.state').textContent === 'ready' && !{Button("stop")}.disabled");
        await _browser.EvaluateAsync($"{Button("stop")}.click()");
        await _browser.UntilAsync($"{Card()}.querySelector('.state').textContent === 'stopped'");
        await gateway.UntilStateAsync(Host, "stopped");
        AssertClean(gateway);
    }

    [Test]
    public async Task Requests_that_were_turned_away_are_told_of()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Defaults("no_wake = [\"/healthz\"]").TestBackend(Host));
        await RawClient.RequestAsync(gateway.Port, Host, "/healthz");
        await RawClient.RequestAsync(gateway.Port, Host, "/healthz");
        await OpenAsync(gateway);
        await _browser.EvaluateAsync($"{Card()}.querySelector('.name').click()");
        await _browser.UntilAsync($"{Card()}.querySelector('.away')?.textContent === '2 requests were turned away: they never wake it.'");
        Assert.That(await _browser.TextAsync($"{Card()}.querySelector('.state').textContent"), Is.EqualTo("stopped"));
        AssertClean(gateway);
    }

    [Test]
    public async Task The_token_is_asked_for_and_only_the_right_one_opens()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().TestBackend(Host).Server("admin_token = \"open-sesame\""));
        gateway.Admin.Token = "open-sesame";
        await _browser.OpenAsync(Address(gateway));
        await _browser.UntilAsync("!document.getElementById('login').hidden");
        Assert.That(await _browser.TextAsync("document.querySelectorAll('.backend').length"), Is.EqualTo("0"));

        await EnterAsync("wrong");
        await _browser.UntilAsync("document.getElementById('refused').textContent !== ''");
        await EnterAsync("open-sesame");
        await _browser.UntilAsync(Live);
        await _browser.UntilAsync($"document.getElementById('login').hidden && {Card()}.querySelector('.state').textContent === 'stopped'");
        await _browser.EvaluateAsync($"{Button("start")}.click()");
        await gateway.UntilStateAsync(Host, "ready");
    }

    [Test]
    public async Task A_restart_of_the_gateway_is_noticed_and_nothing_old_is_left()
    {
        ConfigFile config = new ConfigFile().TestBackend(Host).TestBackend("gone.test");
        GatewayProcess gateway = await Scene.GatewayAsync(config);
        await OpenAsync(gateway);
        await _browser.EvaluateAsync($"{Button("start")}.click()");
        await _browser.UntilAsync($"{Card()}.querySelector('.state').textContent === 'ready'");

        gateway.Signal(ProcessScan.Term);
        await gateway.ExitAsync();
        await _browser.UntilAsync("document.getElementById('link').className === 'lost'");
        Assert.That(await _browser.TextAsync($"{Button("stop")}.disabled"), Is.EqualTo("true"));

        await Scene.GatewayAsync(config.Without("gone.test"));
        await _browser.UntilAsync(
            $"{Live} && document.querySelectorAll('.backend').length === 1 && {Card()}.querySelector('.state').textContent === 'stopped'"
        );
        Assert.That(await _browser.TextAsync("document.getElementById('said').textContent"), Is.EqualTo("The gateway was restarted."));
    }

    [Test]
    public async Task A_thousand_backends_are_shown_filtered_and_reached_by_keyboard()
    {
        var config = new ConfigFile();
        for (int i = 0; i < 1000; i++)
        {
            config.TestBackend($"app-{i}.test");
        }

        GatewayProcess gateway = await Scene.GatewayAsync(config);
        await OpenAsync(gateway);
        await _browser.UntilAsync("document.querySelectorAll('.backend').length === 1000");

        await _browser.PressAsync("/");
        foreach (char letter in "app-77")
        {
            await _browser.EvaluateAsync(
                $"document.activeElement.value += {JsonSerializer.Serialize(letter.ToString())}; "
                    + "document.activeElement.dispatchEvent(new Event('input'))"
            );
        }

        Assert.That(await _browser.TextAsync("document.activeElement.id"), Is.EqualTo("filter"));
        Assert.That(
            await _browser.TextAsync("document.querySelectorAll('.backend:not([hidden])').length"),
            Is.EqualTo("11"),
            "77 and 770 to 779"
        );
        await RawClient.RequestAsync(gateway.Port, "app-777.test", "/");
        await _browser.UntilAsync("document.querySelector('[data-host=\"app-777.test\"] .state').textContent === 'ready'");

        await _browser.EvaluateAsync("document.activeElement.blur()");
        await _browser.PressAsync("j");
        Assert.That(await _browser.TextAsync("document.activeElement.textContent"), Is.EqualTo("app-77.test"));
        await _browser.EvaluateAsync("document.activeElement.click()");
        await _browser.UntilAsync("document.querySelector('[data-host=\"app-77.test\"] .more')");
        AssertClean(gateway);
    }

    [Test]
    public async Task Nothing_from_outside_loads_or_runs()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                "command = \"/bin/sh\"",
                "args = [\"-c\", \"echo '<img src=x onerror=window.hacked=1><script>window.hacked=1</script>' >&2; exit 3\"]"
            )
        );
        await OpenAsync(gateway);
        await _browser.EvaluateAsync($"{Card()}.querySelector('.name').click()");
        await RawClient.RequestAsync(gateway.Port, Host, "/?<script>window.hacked=1</script>");
        await _browser.UntilAsync(
            $"{Card()}.querySelector('.log').textContent.includes('<img src=x') && {Card()}.querySelector('.ledger "
                + "[data-event=start_failed]')"
        );
        AssertClean(gateway);

        await _browser.EvaluateAsync(
            "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.hacked = 1' }))"
        );
        await _browser.EvaluateAsync("fetch('http://127.0.0.2:9/').catch(() => 0)");
        Assert.That(await _browser.TextAsync("window.hacked"), Is.Empty);
        Assert.That(_browser.Faults.Count(each => each.Contains("Content Security Policy", StringComparison.Ordinal)), Is.AtLeast(2));
    }

    /// <summary>The pictures in the documentation are made here: <c>SPAWNGATE_SCREENSHOTS</c> names the folder to write them to.</summary>
    [TestCase("light", 1280, 720)]
    [TestCase("dark", 1280, 720)]
    [TestCase("phone", 400, 800)]
    public async Task It_fits_the_screen(string name, int width, int height)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .TestBackend("shop.test")
                .TestBackend("wiki.test")
                .TestBackend("blog.test")
                .Backend("broken.test", "command = \"/bin/false\"")
        );
        await _browser.ShowAsAsync(width, height, dark: name == "dark");
        await OpenAsync(gateway);
        for (int i = 0; i < 40; i++)
        {
            await RawClient.RequestAsync(gateway.Port, i % 4 == 0 ? "wiki.test" : "shop.test", "/");
        }

        await RawClient.RequestAsync(gateway.Port, "broken.test", "/");
        await _browser.EvaluateAsync("document.querySelector('[data-host=\"shop.test\"] .name').click()");
        await _browser.UntilAsync(
            "document.querySelector('[data-host=\"shop.test\"] .ledger [data-event=ready]') && "
                + "document.querySelector('[data-host=\"shop.test\"] .load polyline').getAttribute('points')"
        );

        Assert.That(
            await _browser.TextAsync("document.documentElement.scrollWidth <= innerWidth"),
            Is.EqualTo("true"),
            "nothing sticks out at the side"
        );
        byte[] picture = await _browser.PictureAsync();
        Assert.That(picture, Has.Length.GreaterThan(5000));
        if (Environment.GetEnvironmentVariable("SPAWNGATE_SCREENSHOTS") is { Length: > 0 } folder)
        {
            await File.WriteAllBytesAsync(Path.Combine(folder, $"dashboard-{name}.png"), picture);
        }
    }

    private static string Address(GatewayProcess gateway) => $"http://127.0.0.1:{gateway.Config.AdminPort}/";

    private static string Card(string host = Host) => $"document.querySelector('[data-host=\"{host}\"]')";

    private static string Button(string act) => $"{Card()}.querySelector('[aria-label=\"{act} {Host}\"]')";

    private async Task OpenAsync(GatewayProcess gateway)
    {
        await _browser.OpenAsync(Address(gateway));
        await _browser.UntilAsync(Live + " && document.querySelectorAll('.backend').length > 0");
    }

    private async Task EnterAsync(string token)
    {
        await _browser.UntilAsync("!document.getElementById('login').hidden");
        await _browser.EvaluateAsync(
            "document.getElementById('refused').textContent = ''; document.getElementById('token').value = "
                + $"{JsonSerializer.Serialize(token)}; document.querySelector('#login button').click()"
        );
    }

    private void AssertClean(GatewayProcess gateway)
    {
        Assert.That(
            _browser.Requests.Where(each => each != "about:blank"),
            Is.All.StartWith(Address(gateway)),
            "everything comes from the gateway itself"
        );
        Assert.That(_browser.Faults, Is.Empty);
    }
}
