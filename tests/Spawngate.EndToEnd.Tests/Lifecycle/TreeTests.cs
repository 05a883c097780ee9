using System.Diagnostics;
using System.Net;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>Backends as they come in real life: under a shell, as a script, with daemons, with a large environment.</summary>
[LongRunning]
internal sealed class TreeTests : GatewayTest
{
    [Test]
    public async Task A_backend_under_a_shell_ends_with_it()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Quick().Backend(Host, Trees.UnderShell("--grandchild")));
        BackendProcess backend = await StartedAsync(gateway);
        BackendProcess grandchild = await Control.StartAsync("backend-grandchild");
        Assert.That(Scene.Children(), Has.Count.EqualTo(3));

        await StopAsync(gateway);

        Assert.That(backend.Told, Has.Some.StartsWith("sigterm"));
        await grandchild.ExitedInTimeAsync();
        Assert.That(Scene.Children().Select(ProcessScan.CommandLine), Is.Empty);
    }

    [Test]
    public async Task A_daemon_of_a_backend_that_crashed_is_gone_before_the_next_one_starts()
    {
        Executables.FindOrSkip("setsid");
        GatewayProcess gateway = await Scene.GatewayAsync(Quick().Backend(Host, Trees.WithDaemons()));
        BackendProcess backend = await StartedAsync(gateway);
        BackendProcess daemon = await Control.StartAsync("stubborn");

        await backend.SendAsync("crash");
        await daemon.ExitedInTimeAsync();

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        Assert.That(Control.Started(), Has.Count.EqualTo(2));
    }

    [Test]
    public async Task Daemons_of_a_backend_that_ignores_SIGTERM_get_theirs_before_anything_is_killed()
    {
        Executables.FindOrSkip("setsid");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("shutdown_grace_period_secs = 2").Backend(Host, Trees.WithDaemons(args: "--ignore-sigterm"))
        );
        BackendProcess backend = await StartedAsync(gateway);
        BackendProcess obedient = await Control.StartAsync("obedient");
        BackendProcess stubborn = await Control.StartAsync("stubborn");

        long asked = Stopwatch.GetTimestamp();
        await StopAsync(gateway);

        double tookSecs = Stopwatch.GetElapsedTime(asked).TotalSeconds;
        await Figures.NoteAsync($"stop of a tree of which the leader and a daemon ignore SIGTERM, grace period 2 s: {tookSecs:F2} s");
        await Task.WhenAll(backend.ExitedInTimeAsync(), obedient.ExitedInTimeAsync(), stubborn.ExitedInTimeAsync());
        Assert.That(backend.Told, Has.One.StartsWith("sigterm"));
        Assert.That(obedient.Told, Has.One.StartsWith("sigterm"), "it had the chance to end by itself");
        Assert.That(stubborn.Told, Has.One.StartsWith("sigterm"));
        Assert.That(tookSecs, Strain.Within(asked, 1.9, 4.5), "the grace period once, not twice");
    }

    [Test]
    public async Task A_pipe_that_a_child_keeps_open_does_not_delay_the_end_of_a_crashed_backend()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            Quick().Backend(Host, Trees.Shell("(trap '' TERM HUP; exec sleep 1000) & exec \"$0\""))
        );
        BackendProcess backend = await StartedAsync(gateway);

        await backend.SendAsync("crash");
        await gateway.UntilStateAsync(Host, "stopped");

        Assert.That(Scene.Children().Select(ProcessScan.CommandLine), Is.Empty);
    }

    [Test]
    public async Task A_script_without_shebang_is_a_command()
    {
        string script = Scene.Write("start", $"exec {Executables.Backend} \"$@\"\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        GatewayProcess gateway = await Scene.GatewayAsync(
            Quick().Backend(Host, $"command = {ConfigFile.Quote(script)}", "args = [\"--name=scripted\"]")
        );

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        await Control.StartAsync("scripted");
    }

    [Test]
    public async Task A_working_directory_that_has_vanished_fails_the_start_and_is_named()
    {
        string folder = Scene.NewFolder("gone");
        GatewayProcess gateway = await Scene.GatewayAsync(Quick().TestBackendWith(Host, [$"working_dir = {ConfigFile.Quote(folder)}"]));
        Directory.Delete(folder);

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((503, "BACKEND_START_FAILED")));
        await gateway.LogsAsync(Host, "Backend failed to start", folder);
    }

    [Test]
    public async Task With_an_environment_of_100_KB_it_serves_is_stopped_and_does_not_outlive_the_gateway()
    {
        Executables.FindOrSkip("setsid");
        string large = new('x', 100_000);
        string[] lines = [.. Trees.WithDaemons(), $"env = {{ LARGE = \"{large}\" }}"];
        GatewayProcess gateway = await Scene.GatewayAsync(Quick().Backend(Host, lines));
        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/env?name=LARGE");
        BackendProcess daemon = await Control.StartAsync("stubborn");
        Assert.That(response.Text, Does.Contain(large));

        await StopAsync(gateway);
        await daemon.ExitedInTimeAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess second = await Control.StartAsync("stubborn", 1);
        gateway.Signal(ProcessScan.Kill);

        await second.ExitedInTimeAsync();
        await Scene.NothingRunsAsync();
    }

    private static ConfigFile Quick() => new ConfigFile().Defaults("shutdown_grace_period_secs = 1");

    private static async Task StopAsync(GatewayProcess gateway)
    {
        Assert.That(await gateway.Admin.PostAsync($"/backends/{Host}/stop"), Is.EqualTo(HttpStatusCode.Accepted));
        await gateway.UntilStateAsync(Host, "stopped");
    }

    private async Task<BackendProcess> StartedAsync(GatewayProcess gateway)
    {
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        return await Control.StartAsync();
    }
}
