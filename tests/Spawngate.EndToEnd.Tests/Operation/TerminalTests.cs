using System.Globalization;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>A gateway that was started from a terminal ends with it; SIGHUP from elsewhere stays a reload.</summary>
[Platform("Linux")]
internal sealed class TerminalTests : GatewayTest
{
    private const int CloseTerminal = 10; // SIGUSR1, to the script

    private static readonly string Script = Path.Combine(
        Executables.Repository,
        "tests",
        "Spawngate.EndToEnd.Tests",
        "Operation",
        "Scripts",
        "terminal.py"
    );

    private string PidFile => Path.Combine(Scene.Folder, "gateway.pid");

    [Test]
    public async Task One_whose_window_is_closed_ends_in_good_order()
    {
        GatewayProcess gateway = await StartAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        gateway.Signal(CloseTerminal);

        Assert.That(await gateway.ExitAsync(), Is.Zero);
        Assert.That(gateway.LogText, Does.Contain("reason=\"SIGHUP, the terminal was closed\"").And.Contain("Stopped"));
    }

    [Test]
    public async Task One_that_a_shell_started_ends_with_the_shells_window()
    {
        GatewayProcess gateway = await StartAsync("sh", "-c", "\"$0\" \"$@\"; exit $?");
        gateway.Signal(CloseTerminal);

        await gateway.LogsAsync("SIGHUP, the terminal was closed");
        await gateway.ExitAsync();
        Assert.That(gateway.LogText, Does.Contain("Stopped"));
    }

    [Test]
    public async Task A_signal_from_elsewhere_reloads()
    {
        GatewayProcess gateway = await StartAsync();
        ProcessScan.Signal(GatewayPid(), ProcessScan.Hup);

        await gateway.LogsAsync("Configuration reloaded successfully");
        Assert.That(gateway.LogText, Does.Not.Contain("Stopping"));
    }

    [Test]
    public async Task One_that_was_started_with_nohup_goes_on_without_its_window()
    {
        GatewayProcess gateway = await StartAsync(Executables.FindOrSkip("nohup"));
        int pid = GatewayPid();
        gateway.Signal(CloseTerminal);

        // It ignores the signal, so nothing tells that it has come: this one has come before the request does.
        ProcessScan.Signal(pid, ProcessScan.Hup);
        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");
        Assert.That(response.Status, Is.EqualTo(200));
        ProcessScan.Signal(pid, ProcessScan.Term);
        Assert.That(await gateway.ExitAsync(), Is.Zero);
        Assert.That(gateway.LogText, Does.Contain("reason=\"SIGTERM\"").And.Not.Contain("terminal"));
    }

    private Task<GatewayProcess> StartAsync(params string[] command) =>
        Scene.GatewayUnderAsync(
            [Executables.FindOrSkip("python3"), Script, .. command],
            new ConfigFile().Server($"pid_file = \"{PidFile}\"").TestBackend(Host)
        );

    private int GatewayPid() => int.Parse(File.ReadAllText(PidFile), CultureInfo.InvariantCulture);
}
