using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>The gateway's own log in JSON, and on a terminal.</summary>
[LongRunning]
internal sealed class LogFormatTests : GatewayTest
{
    [Test]
    public async Task Every_line_is_one_object_in_json()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Server("log_format = \"json\"").TestBackend(Host, "--stdout-lines=3", "--stderr-lines=2")
        );
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        gateway.Signal(ProcessScan.Term);
        Assert.That(await gateway.ExitAsync(), Is.Zero);
        JsonElement[] lines = [.. gateway.Log.Lines.Select(static line => JsonDocument.Parse(line.Text).RootElement)];
        foreach (JsonElement line in lines)
        {
            Assert.That(
                line.EnumerateObject().Select(static each => each.Name),
                Is.EqualTo(["time", "level", "category", "message", "properties"])
            );
        }

        Assert.That(
            lines.Count(static line =>
                Of(line, "category") == "backend"
                && Property(line, "stream") == "stdout"
                && Property(line, "hostname") == Host
                && Of(line, "level") == "info"
            ),
            Is.EqualTo(3)
        );
        Assert.That(
            lines.Count(static line =>
                Of(line, "category") == "backend" && Property(line, "stream") == "stderr" && Of(line, "level") == "warn"
            ),
            Is.EqualTo(2)
        );
        JsonElement listening = lines.Single(static line => Of(line, "message") == "Proxy is listening");
        Assert.That(listening.GetProperty("properties").GetProperty("backends").GetInt32(), Is.EqualTo(1));
        Assert.That(
            lines
                .Single(static line => Of(line, "message") == "Backend is starting")
                .GetProperty("properties")
                .GetProperty("generation")
                .GetInt32(),
            Is.EqualTo(1)
        );
    }

    [Test]
    [Platform("Linux")]
    public async Task Colours_are_for_terminals_only([Values] bool coloured)
    {
        string script = Executables.FindOrSkip("script");
        string pidFile = Path.Combine(Scene.Folder, "terminal.pid");

        // The log goes to a terminal, which is that of script; what script saw of it is on its stdout.
        (string, string)[] environment = coloured ? [("TERM", "xterm")] : [("TERM", "xterm"), ("NO_COLOR", "1")];
        string[] terminal = ["sh", "-c", $"exec {script} -qefc \"$*\" /dev/null", "sh"];
        GatewayProcess gateway = Scene.LaunchUnder(terminal, new ConfigFile().Server($"pid_file = \"{pidFile}\""), environment);
        await gateway.ServesAsync();
        ProcessScan.Signal(int.Parse(await File.ReadAllTextAsync(pidFile), CultureInfo.InvariantCulture), ProcessScan.Term);
        Assert.That(await gateway.ExitAsync(), Is.Zero);
        string log = await gateway.StdoutAsync();
        Assert.That(log, Does.Contain("Proxy is listening").And.Contains("Stopped"));
        Assert.That(
            log,
            coloured ? Does.Contain("\e[32m INFO \e[0m \e[36mspawngate.gateway\e[0m:") : Does.Contain("Z INFO  spawngate.gateway:   ")
        );
        Assert.That(Regex.IsMatch(log, "\e\\[[0-9;]*m"), Is.EqualTo(coloured));
    }

    private static string? Of(JsonElement line, string name) => line.GetProperty(name).GetString();

    private static string? Property(JsonElement line, string name) =>
        line.GetProperty("properties").TryGetProperty(name, out JsonElement value) ? value.GetString() : null;
}
