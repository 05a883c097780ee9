using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Dashboard;

/// <summary>The waiting page in a real browser.</summary>
[LongRunning]
internal sealed class WaitingPageTests : GatewayTest
{
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
    public async Task It_shows_how_far_the_start_is_and_gives_way_to_the_real_page_by_itself()
    {
        const string Evil = "echo '<b id=evil onclick=x>step 3</b>'; exec \"$0\" --health=500";
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Address,
                "command = \"sh\"",
                $"args = [\"-c\", {ConfigFile.Quote(Evil)}, {ConfigFile.Quote(Executables.Backend)}]",
                "waiting_page = true"
            )
        );
        await _browser.OpenAsync(Url(gateway, "/?q=1#there"));
        await _browser.UntilAsync("document.body.className === 'starting'");
        await _browser.UntilAsync("document.getElementById('steps').dataset.step === 'ready'");
        Assert.That(await _browser.TextAsync("document.getElementById('line').textContent"), Is.EqualTo("<b id=evil onclick=x>step 3</b>"));
        Assert.That(await _browser.TextAsync("String(document.getElementById('evil'))"), Is.EqualTo("null"));
        await _browser.UntilAsync("parseInt(document.getElementById('elapsed').textContent) >= 2");

        Assert.That(
            _browser.Faults.Where(static fault => !fault.Contains("503", StringComparison.Ordinal)),
            Is.Empty,
            "neither the script nor the policy complained"
        );
        await (await Control.StartAsync()).DoAsync("health 200");
        await _browser.UntilAsync("document.body.innerText.includes('\"pid\"')");
        Assert.That(await _browser.TextAsync("location.href"), Is.EqualTo(Url(gateway, "/?q=1#there")));
        Assert.That(_browser.Requests, Has.All.StartsWith($"http://{Address}:{gateway.Port}/"));
        Assert.That(Control.Started(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_failed_start_shows_as_failed_and_can_be_tried_again()
    {
        string mark = Path.Combine(Scene.Folder, "works");
        string script = $"echo starting; test -e {mark} && exec \"$0\"; sleep 1.5; echo 'no such table' >&2; exit 3";
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Address,
                "command = \"sh\"",
                $"args = [\"-c\", {ConfigFile.Quote(script)}, {ConfigFile.Quote(Executables.Backend)}]",
                "waiting_page = true"
            )
        );
        await _browser.OpenAsync(Url(gateway, "/"));
        await _browser.UntilAsync("document.body.className === 'failed'");
        Assert.That(await _browser.TextAsync("document.title"), Is.EqualTo("It could not be started"));
        Assert.That(await _browser.TextAsync("document.getElementById('line').textContent"), Is.EqualTo("no such table"));
        Assert.That((await gateway.Admin.BackendAsync(Address)).GetProperty("generation").GetInt32(), Is.EqualTo(1));

        await File.WriteAllTextAsync(mark, "");
        await _browser.EvaluateAsync("document.querySelector('#again a').click()");
        await _browser.UntilAsync("document.body.innerText.includes('\"pid\"')");
    }

    private const string Address = "app.localhost";

    private static string Url(GatewayProcess gateway, string path) => $"http://{Address}:{gateway.Port}{path}";
}
