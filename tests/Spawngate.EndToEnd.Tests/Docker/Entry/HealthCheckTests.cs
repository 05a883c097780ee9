using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker.Entry;

/// <summary>The health check of the image.</summary>
[TestFixture]
internal sealed class HealthCheckTests : EntryTest
{
    private const long Second = 1_000_000_000;

    [Test]
    public async Task A_container_is_healthy_while_Spawngate_answers_and_unhealthy_while_it_does_not()
    {
        // The image's own command; only the times are shorter than in real life.
        var often = new
        {
            Interval = Second / 2,
            Timeout = 2 * Second,
            Retries = 1,
            StartPeriod = 0,
        };
        LineLog<JsonElement> events = await Api.EventsAsync();
        GatewayContainer container = await RunAsync(
            await SpawngateImage.ScratchAsync(Engine),
            $"[backends.'{Host}']\n{Hello}",
            healthcheck: often
        );
        await TurnsAsync(events, container, "healthy");
        JsonElement health = (await Api.InspectAsync(container.Name)).GetProperty("State").GetProperty("Health").GetProperty("Log");
        Assert.That(health[0].GetProperty("Output").GetString(), Is.EqualTo("spawngate: live, as http://127.0.0.1:9999/health says\n"));

        await ProcessScan.FreezeAsync(container.Pid);
        await TurnsAsync(events, container, "unhealthy");

        int seen = events.Lines.Count;
        ProcessScan.Signal(container.Pid, ProcessScan.Continue);
        await TurnsAsync(events, container, "healthy", seen);
        Configure("[backends.'half.test']\ncommand = \"sl");
        Assert.That(
            await Api.ExecAsync(container.Name, "/spawngate", "check", "--live"),
            Is.Zero,
            "a later mistake in the file does not make it ill"
        );
        Assert.That(await Api.ExecAsync(container.Name, "/spawngate", "check", "--live", "--admin", "http://127.0.0.1:1"), Is.EqualTo(1));
    }

    private static Task TurnsAsync(LineLog<JsonElement> events, GatewayContainer container, string state, int skip = 0) =>
        events
            .FromAsync(skip, each =>
                each.GetProperty("status").GetString() == "health_status: " + state
                && each.GetProperty("Actor").GetProperty("Attributes").GetProperty("name").GetString() == container.Name
            )
            .InTimeAsync($"the container turns {state}");
}
