using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>What local users and backends could otherwise have of the gateway: its token, its files, its log, and root.</summary>
[Platform("Linux")]
internal sealed class TrustTests : GatewayTest
{
    private const string RootWarning = "Local backends run as root";

    [Test]
    public async Task The_admin_token_of_the_environment_does_not_reach_backends()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().TestBackend(Host),
            ("SPAWNGATE_ADMIN_TOKEN", "open-sesame"),
            ("SPAWNGATE_INSTANCE", "one"),
            ("OTHER_VARIABLE", "seen")
        );

        string token = (await RawClient.RequestAsync(gateway.Port, Host, "/env?name=SPAWNGATE_ADMIN_TOKEN")).Text;
        string instance = (await RawClient.RequestAsync(gateway.Port, Host, "/env?name=SPAWNGATE_INSTANCE")).Text;
        string other = (await RawClient.RequestAsync(gateway.Port, Host, "/env?name=OTHER_VARIABLE")).Text;

        Assert.That(other, Does.Contain("seen"));
        Assert.That(token, Does.Not.Contain("open-sesame"));
        Assert.That(instance, Does.Not.Contain("one"));
    }

    [TestCase("access_log", 2, TestName = "An_access_log_by_a_link_of_somebody_else_is_refused")]
    [TestCase("pid_file", 1, TestName = "A_pid_file_by_a_link_of_somebody_else_is_refused")]
    public async Task A_link_of_somebody_else_is_not_followed(string key, int exitCode)
    {
        Assume.That(Environment.IsPrivilegedProcess, "only root can make links of others");
        string target = Scene.Write("target", "precious");
        string link = Path.Combine(Scene.Folder, "link");
        File.CreateSymbolicLink(link, target);
        using (var chown = Process.Start("chown", ["-h", "12345", link]))
        {
            await chown.WaitForExitAsync();
        }

        GatewayProcess gateway = Scene.Launch(new ConfigFile().Server($"{key} = {ConfigFile.Quote(link)}").TestBackend(Host));

        Assert.That(await gateway.ExitAsync(), Is.EqualTo(exitCode));
        Assert.That(gateway.LogText, Does.Contain("is a link that user 12345 made").And.Contain(key));
        Assert.That(await File.ReadAllTextAsync(target), Is.EqualTo("precious"));
    }

    [Test]
    public async Task Links_of_our_own_are_followed_at_the_start_and_at_a_reload()
    {
        string folder = Scene.NewFolder("real");
        string link = Path.Combine(Scene.Folder, "log");
        Directory.CreateSymbolicLink(link, "real");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Server($"access_log = {ConfigFile.Quote(link + "/access.log")}", $"pid_file = {ConfigFile.Quote(link + "/pid")}")
                .TestBackend(Host)
        );
        await RawClient.RequestAsync(gateway.Port, Host, "/first");
        string log = Path.Combine(folder, "access.log");
        await gateway.UntilAsync("the line is there", async () =>
            (await File.ReadAllTextAsync(log)).Contains("/first", StringComparison.Ordinal)
        );
        Assert.That((await File.ReadAllTextAsync(Path.Combine(folder, "pid"))).Trim(), Is.EqualTo($"{gateway.Pid}"));

        File.Move(log, log + ".1");
        gateway.ReloadAtomically(gateway.Config.ToString());
        await gateway.LogsAsync("Configuration reloaded");
        await RawClient.RequestAsync(gateway.Port, Host, "/second");

        await gateway.UntilAsync("the new file has the line", async () =>
            File.Exists(log) && (await File.ReadAllTextAsync(log)).Contains("/second", StringComparison.Ordinal)
        );
    }

    [Test]
    public async Task Standard_output_can_be_named_as_a_file()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("access_log = \"/dev/stderr\"").TestBackend(Host));
        await RawClient.RequestAsync(gateway.Port, Host, "/to-stderr");
        await gateway.LogsAsync("\"GET /to-stderr HTTP/1.1\" ");
    }

    [Test]
    public async Task A_quote_in_a_path_forges_no_field_of_the_log()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/a\"forged=\"yes\\");

        LogLine line = await gateway.LogsAsync("spawngate.lifecycle", Host, "Backend is starting");

        Assert.That(line.Field("reason"), Does.StartWith("request: GET /a\\\"forged=\\\"yes\\\\ from"));
        Assert.That(line.Message, Does.Not.Contain("/a\""));
    }

    [TestCase("", true, TestName = "Backends_of_root_are_warned_of_once")]
    [TestCase("setpriv --bounding-set -sys_admin", false, TestName = "Root_that_has_been_limited_is_not_warned_of")]
    [TestCase("setpriv --reuid 12345 --regid 12345 --clear-groups", false, TestName = "Another_user_is_not_warned_of")]
    public async Task A_warning_for_root(string wrapper, bool warns)
    {
        Executables.FindOrSkip("setpriv");
        Assume.That(Environment.IsPrivilegedProcess, "needs root");
        ConfigFile config = new ConfigFile().TestBackend(Host);
        if (wrapper.Contains("reuid", StringComparison.Ordinal))
        {
            File.SetUnixFileMode(Scene.Folder, (UnixFileMode)0x1ED);
        }

        GatewayProcess gateway =
            wrapper.Length == 0 ? await Scene.GatewayAsync(config) : await Scene.GatewayUnderAsync(wrapper.Split(' '), config);
        gateway.ReloadAtomically(config.ToString());
        await gateway.LogsAsync("Configuration reloaded");

        Assert.That(gateway.Log.Lines.Count(static line => line.Says(RootWarning)), Is.EqualTo(warns ? 1 : 0));
    }

    [Test]
    public async Task Without_a_local_backend_there_is_no_warning_for_root_until_one_comes()
    {
        Assume.That(Environment.IsPrivilegedProcess, "needs root");
        var config = new ConfigFile();
        GatewayProcess gateway = await Scene.GatewayAsync(
            config.Backend(
                Host,
                "type = \"docker\"",
                "image = \"nothing:latest\"",
                "port = 80",
                "docker_host = \"unix:///nonexistent/docker.sock\""
            )
        );
        Assert.That(gateway.LogText, Does.Not.Contain(RootWarning));

        gateway.ReloadAtomically(config.TestBackend("local.test").ToString());

        Assert.That((await gateway.LogsAsync(RootWarning)).Level, Is.EqualTo("WARN"));
    }
}
