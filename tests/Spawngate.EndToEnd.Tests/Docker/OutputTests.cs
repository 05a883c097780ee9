using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>What containers write.</summary>
[TestFixture]
internal sealed class OutputTests : ContainerTest
{
    [Test]
    public async Task Every_line_is_in_the_log_with_its_level_from_the_first_to_the_last()
    {
        const int Lines = 500;
        GatewayProcess gateway = await GatewayAsync([$"--stdout-lines={Lines}", $"--stderr-lines={Lines}"]);
        await ServesAsync(gateway);
        await ServesAsync(gateway, "/stdout?n=1&word=lastout");
        await ServesAsync(gateway, "/stderr?n=1&word=lasterr");
        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await StoppedAsync(gateway);

        LogLine[] lines = [.. gateway.Log.Lines.Where(line => line.Category == "container")];
        Assert.That(lines.Select(line => line.Field("hostname")), Is.All.EqualTo(Host));
        foreach ((string stream, string level, string word) in new[] { ("stdout", "INFO", "out"), ("stderr", "WARN", "err") })
        {
            LogLine[] own = [.. lines.Where(line => line.Field("stream") == stream)];
            Assert.That(own.Select(line => line.Level), Is.All.EqualTo(level));
            string[] expected = [.. Enumerable.Range(1, Lines).Select(i => $"\" {word} {i} "), $"\" last{word} 1 "];
            Assert.That(own, Has.Length.EqualTo(expected.Length));
            Assert.That(own.Zip(expected).Where(each => !each.First.Message.Contains(each.Second, StringComparison.Ordinal)), Is.Empty);
        }

        Assert.That(await gateway.Admin.TextAsync($"/backends/{Host}/logs"), Does.Contain("lasterr 1"));
    }

    [Test]
    public async Task A_container_that_dies_at_its_start_leaves_its_last_words()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(Host, await BusyboxAsync("sh", "-c", "echo all is well; echo no database >&2; exit 7"))
        );

        Assert.That(await FailureAsync(gateway), Is.EqualTo("exited with status 7 before it was ready"));

        await gateway.LogsAsync("stream=\"stdout\"", "Last output: all is well");
        await gateway.LogsAsync("stream=\"stderr\"", "Last output: no database");
        await StoppedAsync(gateway);
    }

    [Test]
    public async Task A_flood_of_output_does_not_grow_memory()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(await ConfigAsync(), ("SPAWNGATE_LOG", "info,container=error"));
        await ServesAsync(gateway);
        await ServesAsync(gateway, "/stdout?n=10000&length=200");
        long before = ProcessVitals.Of(gateway.Pid).ResidentBytes;

        await ServesAsync(gateway, "/stdout?n=400000&length=200");

        long grown = ProcessVitals.Of(gateway.Pid).ResidentBytes - before;
        await Figures.NoteAsync($"80 MB of output of a container: resident memory {grown / 1e6:+0.0;-0.0} MB");
        Assert.That(grown, Is.LessThan(20e6));
    }
}
