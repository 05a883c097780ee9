using Spawngate.EndToEnd.Tests.Dashboard;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Sessions;

/// <summary>Sessions on the dashboard, which is open before they are there.</summary>
[LongRunning]
internal sealed class SessionDashboardTests : SessionTest
{
    [Test]
    public async Task Sessions_come_and_go_on_the_page()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config());
        await using Browser browser = await Browser.StartAsync(Scene.NewFolder("browser"));
        await browser.OpenAsync($"http://127.0.0.1:{gateway.Config.AdminPort}/");
        await browser.UntilAsync("document.getElementById('link').className === 'live'");

        Spawned one = await SpawnAsync(gateway);
        Spawned two = await SpawnAsync(gateway);
        await browser.UntilAsync(
            $"{Card(one)}?.querySelector('.state').textContent === 'ready' && {Card(two)}?.querySelector('.state').textContent === 'ready'"
        );
        Assert.That(
            await browser.TextAsync($"{Button(one, "restart")}.disabled && {Button(one, "start")}.disabled"),
            Is.EqualTo("true"),
            "it starts once"
        );
        await browser.EvaluateAsync($"{Button(one, "stop")}.click()");

        await browser.UntilAsync($"!{Card(one)}");
        await UntilAsync(gateway, one, "Swept");
        Assert.That(await browser.TextAsync("document.querySelectorAll('.backend').length"), Is.EqualTo("1"));
        Assert.That(browser.Faults, Is.Empty);
    }

    private static string Card(Spawned session) => $"document.querySelector('[data-host=\"{session.Host}\"]')";

    private static string Button(Spawned session, string act) => $"{Card(session)}.querySelector('[aria-label=\"{act} {session.Host}\"]')";
}
