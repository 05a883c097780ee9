using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>What a backend writes goes to the log, and never holds it up.</summary>
[LongRunning]
internal sealed class OutputTests : GatewayTest
{
    [Test]
    public async Task Stdout_is_INFO_and_stderr_is_WARN_with_host_and_stream()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/stdout?word=hello-out");
        await RawClient.RequestAsync(gateway.Port, Host, "/stderr?word=hello-err");

        LogLine output = await gateway.LogsAsync("hello-out");
        LogLine error = await gateway.LogsAsync("hello-err");

        Assert.That(
            (output.Level, output.Category, output.Field("hostname"), output.Field("stream")),
            Is.EqualTo(("INFO", "backend", Host, "stdout"))
        );
        Assert.That(
            (error.Level, error.Category, error.Field("hostname"), error.Field("stream")),
            Is.EqualTo(("WARN", "backend", Host, "stderr"))
        );
        Assert.That(output.Message, Does.Match("\" hello-out 1 x+$"));
    }

    [Test]
    public async Task A_thousand_lines_at_once_are_all_in_the_log_in_order()
    {
        GatewayProcess gateway = await GatewayAsync("--stdout-lines=1000", "--stderr-lines=1000");

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        await gateway.LogsAsync("backend", "out 1000 ");
        await gateway.LogsAsync("backend", "err 1000 ");

        foreach (string stream in new[] { "stdout", "stderr" })
        {
            IEnumerable<string> numbers = gateway
                .Log.Lines.Where(line => line.Field("stream") == stream)
                .Select(line => line.Message.Split(' ')[^2]);
            Assert.That(numbers, Is.EqualTo(Enumerable.Range(1, 1000).Select(i => $"{i}")), stream);
        }
    }

    [Test]
    public async Task Output_faster_than_the_log_does_not_hold_the_backend_up_and_what_is_dropped_is_counted()
    {
        const int Lines = 50_000;
        GatewayProcess gateway = await GatewayAsync($"--stdout-lines={Lines}", $"--stderr-lines={Lines}");

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));

        await gateway.UntilAsync("every line is in the log or counted as dropped", () =>
        {
            IReadOnlyList<LogLine> lines = gateway.Log.Lines;
            int dropped = lines.Where(line => line.Category == "spawngate.log").Sum(line => int.Parse(line.Field("dropped_output") ?? "0"));
            return Task.FromResult(lines.Count(line => line.Category == "backend") + dropped == 2 * Lines);
        });
    }

    [Test]
    public async Task A_line_over_16_KiB_is_cut_and_the_next_one_is_whole()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/stdout?word=long&length=40000");
        await RawClient.RequestAsync(gateway.Port, Host, "/stdout?word=after&length=100");

        LogLine after = await gateway.LogsAsync("after 1 ");
        LogLine cut = gateway.Log.Lines.First(line => line.Says("long 1 "));

        Assert.That(cut.Text.Length, Is.InRange(16 * 1024, (16 * 1024) + 300));
        Assert.That(after.Text, Does.EndWith(" after 1 ".PadRight(101, 'x')));
    }

    [Test]
    public async Task Endless_output_without_a_line_end_uses_bounded_memory()
    {
        GatewayProcess gateway = await GatewayAsync("--stdout-bytes=67108864");

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));

        Assert.That(ProcessScan.ResidentBytes(gateway.Pid), Is.LessThan(200L * 1024 * 1024));
    }

    [Test]
    public async Task Control_characters_of_a_line_cannot_forge_log_lines()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                "command = \"sh\"",
                $"args = [\"-c\", \"printf 'forged\\\\rline \\\\033[31mred\\\\n'; exec {Executables.Backend}\"]"
            )
        );
        await RawClient.RequestAsync(gateway.Port, Host, "/");

        await gateway.LogsAsync("forged");
        LogLine line = await gateway.LogsAsync("line red");

        Assert.That(line.Category, Is.EqualTo("backend"));
        Assert.That(line.Text, Does.EndWith("stream=\"stdout\" line red"), "a line of its own, of that backend, without colour");
    }

    [Test]
    public async Task What_was_written_just_before_the_exit_is_in_the_log()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(Host, "command = \"sh\"", "args = [\"-c\", \"echo last words; printf unfinished >&2; exit 1\"]")
        );
        await RawClient.RequestAsync(gateway.Port, Host, "/");

        await gateway.LogsAsync("last words");
        await gateway.LogsAsync("unfinished");
    }

    [Test]
    public async Task The_admin_api_shows_the_last_lines()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/stdout?n=1500&word=line");
        await gateway.LogsAsync("line 1500 ");

        string logs = await gateway.Admin.TextAsync($"/backends/{Host}/logs");

        Assert.That(logs, Does.Contain("line 1500 ").And.Contain("line 600 ").And.Not.Contain("line 400 "));
    }
}
