using System.Net;
using System.Net.Sockets;
using Spawngate.Backends;
using Spawngate.Platform;

namespace Spawngate.Tests;

[Platform("Linux")]
internal sealed class PortUseTests
{
    // A server as many are: it does not set SO_REUSEADDR, and closes the connection first, so that its side waits.
    private const string Server = """
        import socket
        s = socket.socket()
        s.bind(('127.0.0.1', 0))
        s.listen()
        print(s.getsockname()[1], flush=True)
        for _ in range(2):
            c, _ = s.accept()
            c.close()
        s.close()
        """;

    [Test]
    public async Task Connections_that_are_over_keep_a_port_for_a_while()
    {
        using var scene = new PlatformScene();
        PlatformScene.Child server = scene.Start("python3", "-c", Server);
        int port = int.Parse(await server.Output.Next(static _ => true), System.Globalization.CultureInfo.InvariantCulture);
        for (int i = 0; i < 2; i++)
        {
            using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await client.ConnectAsync(IPAddress.Loopback, port);
            Assert.That(await client.ReceiveAsync(new byte[1]), Is.Zero, "the server closes first");
        }

        await server.End();
        Assert.That(new LoopbackPorts().Take(port), Is.Null, "it is taken");
        PortUse use = PortUse.Of(port);
        Assert.That((use.Waiting, use.Holder, use.IsPassing), Is.EqualTo((2, (string?)null, true)));
        Assert.That(
            use.Describe(port),
            Is.EqualTo($"port {port} still has 2 connections of the run before in TIME_WAIT, and the program does not set SO_REUSEADDR")
        );
    }

    [Test]
    public void Somebody_who_listens_is_named()
    {
        using var listener = new TcpListener(IPAddress.Any, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        PortUse use = PortUse.Of(port);
        Assert.That(use.IsPassing, Is.False);
        Assert.That(use.Describe(port), Does.StartWith($"port {port} is in use by another program: pid {Environment.ProcessId} ("));
        listener.Stop();
        Assert.That(PortUse.Of(port), Is.EqualTo(default(PortUse)));
        Assert.That(default(PortUse).Describe(port), Is.EqualTo($"port {port} is in use by another program"));
    }
}
