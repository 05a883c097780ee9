using System.Globalization;
using System.Text.RegularExpressions;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Overload;

/// <summary>
/// Towards one backend there are as many connections as the system has local ports. Here four, in a network of their own, in which the
/// client is, too; the gateway has begun when there were more, as if others had taken them.
/// </summary>
[Platform("Linux")]
internal sealed class PortShortageTests : GatewayTest
{
    [Test]
    public async Task Requests_wait_for_a_local_port_of_another()
    {
        Assert.That(await AskAsync("/slow?headMs=50"), Is.EqualTo((8, 0)));
    }

    [Test]
    public async Task When_none_comes_they_are_told_to_try_again_and_the_log_says_why()
    {
        (int served, int refused) = await AskAsync("/slow?headMs=2000");
        Assert.That(served, Is.InRange(1, 5), "four, and one over the connection that was there");
        Assert.That(refused, Is.EqualTo(8 - served));
        string log = await File.ReadAllTextAsync(Log);
        Assert.That(log, Does.Contain("no local port is left").And.Contain("net.ipv4.ip_local_port_range"));
        Assert.That(log, Does.Not.Contain("CONNECTION_FAILED"));
    }

    /// <summary>
    /// Of 128 ports most are taken by one address, which asks for more all the time. Those of another, one after the other and each over a
    /// connection of its own, are all served.
    /// </summary>
    [Test]
    [LongRunning]
    public async Task Who_takes_most_of_them_is_refused_and_another_is_not()
    {
        const int Polite = 40;
        string curl = Executables.FindOrSkip("curl");
        string load = Executables.FindOrSkip("h2load");
        ConfigFile config = new ConfigFile().Server("trusted_proxies = []").TestBackend(Host);
        Tool done = await RunAsync(
            $"""
            echo 40000 40127 > /proc/sys/net/ipv4/ip_local_port_range || exit 77
            "$0" {await FileAsync(config)} 2> {Log} &
            gateway=$!
            trap 'kill $greedy $gateway; wait $gateway' EXIT
            until {curl} -s -o /dev/null -H 'Host: {Host}' http://127.0.0.1:{config.Port}/status?code=200; do kill -0 $gateway || exit 1; done
            {load} -n 100000 -c 2 -m 250 --connect-to=127.0.0.1:{config.Port} 'http://{Host}/slow?headMs=1000' > /dev/null &
            greedy=$!
            until grep -q 'resource="ports".*Running low' {Log}; do kill -0 $gateway || exit 1; done
            for i in $(seq {Polite}); do {curl} -s -m 20 --interface 127.0.0.3 -o /dev/null -w '%{"{http_code}"}\n' -H 'Host: {Host}' http://127.0.0.1:{config.Port}/status?code=200; done
            """
        );
        Assert.That(
            done.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            Has.Length.EqualTo(Polite).And.All.EqualTo("200"),
            await File.ReadAllTextAsync(Log)
        );
    }

    private string Log => Path.Combine(Scene.Folder, "gateway.log");

    /// <summary>How many of eight requests that one HTTP/2 connection sends at once are answered with 2xx, and with 5xx.</summary>
    private async Task<(int Served, int Refused)> AskAsync(string target)
    {
        string load = Executables.FindOrSkip("h2load");
        string curl = Executables.FindOrSkip("curl");
        var config = new ConfigFile().TestBackend(Host);
        Tool done = await RunAsync(
            $"""
            "$0" {await FileAsync(config)} 2> {Log} &
            trap 'kill $!; wait $!' EXIT
            until {curl} -s -o /dev/null -H 'Host: {Host}' http://127.0.0.1:{config.Port}/status?code=200; do kill -0 $! || exit 1; done
            echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range || exit 77
            {load} -n 8 -c 1 -m 8 --connect-to=127.0.0.1:{config.Port} 'http://{Host}{target}'
            """
        );
        Match codes = Regex.Match(done.Out, @"status codes: (\d+) 2xx, 0 3xx, 0 4xx, (\d+) 5xx");
        Assert.That(codes.Success, $"{done.Out}{done.Error}");
        return (
            int.Parse(codes.Groups[1].Value, CultureInfo.InvariantCulture),
            int.Parse(codes.Groups[2].Value, CultureInfo.InvariantCulture)
        );
    }

    private async Task<string> FileAsync(ConfigFile config)
    {
        string file = Path.Combine(Scene.Folder, "ports.toml");
        await File.WriteAllTextAsync(file, config.ToString());
        return file;
    }

    /// <summary>Runs a script in a network of its own; $0 is the gateway.</summary>
    private static async Task<Tool> RunAsync(string script)
    {
        Assume.That(Environment.IsPrivilegedProcess, "needs root");
        string unshare = Executables.FindOrSkip("unshare");
        string ip = Executables.FindOrSkip("ip");
        Tool done = await Tool.RunAsync(
            unshare,
            "--net",
            "/bin/sh",
            "-c",
            $"{ip} link set lo up || exit 77\n{script}",
            Executables.Gateway
        );
        Assume.That(done.Code, Is.Not.EqualTo(77), $"no network of its own can be had: {done.Error}");
        return done;
    }
}
