using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>Sessions in containers.</summary>
[TestFixture]
[LongRunning]
internal sealed class SessionTests : DockerTest
{
    [Test]
    public async Task A_template_and_an_image_of_a_call_run_and_are_removed_also_when_the_gateway_is_killed()
    {
        string domain = $"s-{Id}.test";
        string[] lines = await BackendAsync([], ["shutdown_grace_period_secs = 5", "grace_period_secs = 1"]);
        var config = new ConfigFile()
            .Server("admin_token = \"open-sesame\"")
            .Section("[sessions]", $"domain = \"{domain}\"", "allow_images = [\"spawngate-test/back*:1\"]")
            .Section(["[sessions.templates.box]", .. lines]);
        GatewayProcess gateway = await Scene.GatewayAsync(config);
        gateway.Admin.Token = "open-sesame";

        string swept = await SpawnAsync(gateway, """{"gracePeriodSeconds":2,"key":"a document","env":{"A":"call","PYTHONPATH":"/mine"}}""");
        Assert.That((await RawClient.RequestAsync(gateway.Port, $"{swept}.{domain}", "/env?name=A")).Text, Is.EqualTo("call"), () =>
            gateway.LogText
        );
        Assert.That(
            (await RawClient.RequestAsync(gateway.Port, $"{swept}.{domain}", "/env?name=PYTHONPATH")).Text,
            Is.EqualTo("/mine"),
            "in a container any name"
        );
        Assert.That((await RawClient.RequestAsync(gateway.Port, $"{swept}.{domain}", "/env?name=SESSION_ID")).Text, Is.EqualTo(swept));
        Assert.That(
            (await RawClient.RequestAsync(gateway.Port, $"{swept}.{domain}", "/env?name=SESSION_KEY")).Text,
            Is.EqualTo("a document")
        );
        Assert.That(await MineAsync(), Is.EqualTo([$"spawngate-{swept}.{domain}"]));
        await gateway.LogsAsync(swept, "Backend stopped");
        await gateway.UntilAsync("the container is removed", async () => (await MineAsync()).Count == 0);
        Assert.That((await RawClient.RequestAsync(gateway.Port, $"{swept}.{domain}", "/")).Status, Is.EqualTo(410));

        using HttpResponseMessage refused = await gateway.Admin.SendAsync(
            HttpMethod.Post,
            "/spawn",
            body: """{"template":"box","image":"spawngate-test/busybox:1"}"""
        );
        Assert.That((int)refused.StatusCode, Is.EqualTo(403));
        string image = await SpawnAsync(
            gateway,
            """{"template":"box","image":"spawngate-test/backend:1","port":4000,"gracePeriodSeconds":600}"""
        );
        Assert.That((await RawClient.RequestAsync(gateway.Port, $"{image}.{domain}", "/env?name=PORT")).Text, Is.EqualTo("4000"), () =>
            gateway.LogText
        );

        gateway.Signal(ProcessScan.Kill);
        await gateway.ExitAsync();
        GatewayProcess next = await Scene.GatewayAsync(config);
        await next.UntilAsync("nothing is left of it", async () => (await MineAsync()).Count == 0);
        Assert.That((await RawClient.RequestAsync(next.Port, $"{image}.{domain}", "/")).Status, Is.EqualTo(404));
    }

    private static async Task<string> SpawnAsync(GatewayProcess gateway, string body)
    {
        using HttpResponseMessage response = await gateway.Admin.SendAsync(HttpMethod.Post, "/spawn", body: body);
        string text = await response.Content.ReadAsStringAsync();
        Assert.That((int)response.StatusCode, Is.EqualTo(200), text);
        return JsonDocument.Parse(text).RootElement.GetProperty("name").GetString()!;
    }
}
