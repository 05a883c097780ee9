using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>A shell may start the gateway with some of 0, 1 and 2 closed: nothing of ours must get these numbers.</summary>
[Platform("Linux")]
internal sealed class ClosedDescriptorTests : GatewayTest
{
    private const int Stdout = 1;

    private static readonly string[] Closing = ["<&-", ">&-", "2>&-"];

    [Test]
    public async Task What_is_closed_is_dev_null([Range(1, 7)] int closed)
    {
        string redirections = string.Join(' ', Enumerable.Range(0, 3).Where(fd => IsClosed(closed, fd)).Select(fd => Closing[fd]));
        GatewayProcess gateway = await Scene.GatewayUnderAsync(
            ["sh", "-c", $"exec \"$0\" \"$@\" {redirections}"],
            new ConfigFile().Server("access_log = \"stdout\"").TestBackend(Host, "--stdout-lines=5", "--stderr-lines=5")
        );
        for (int i = 0; i < 3; i++)
        {
            Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        }

        for (int fd = 0; fd < 3; fd++)
        {
            string? target = new FileInfo($"/proc/{gateway.Pid}/fd/{fd}").LinkTarget;
            Assert.That(target, IsClosed(closed, fd) ? Is.EqualTo("/dev/null") : Does.StartWith("pipe:"), $"descriptor {fd}");
        }

        gateway.Signal(ProcessScan.Term);
        Assert.That(await gateway.ExitAsync(), Is.Zero);
        string access = await gateway.StdoutAsync();
        Assert.That(access.Split("\"GET / HTTP/1.1\" 200"), Has.Length.EqualTo(IsClosed(closed, Stdout) ? 1 : 4), access);
    }

    private static bool IsClosed(int closed, int fd) => (closed & (1 << fd)) != 0;
}
