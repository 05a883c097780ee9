using System.Net;
using System.Net.Sockets;
using Spawngate.Platform;

namespace Spawngate.Tests;

[Platform("Linux,MacOsX")]
internal sealed class ActivationSocketTests
{
    private static Socket Connect(ActivationSocket to)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 30_000 };
        client.Connect(to.EndPoint);
        client.Send("GET / HTTP/1.1\r\n\r\n"u8);
        return client;
    }

    private static int PortOf(Socket client) => ((IPEndPoint)client.LocalEndPoint!).Port;

    [Test]
    public void What_nobody_accepted_is_reset_and_known()
    {
        ActivationSocket socket = ActivationSocket.TryListen(0, out string? error)!;
        Assert.That(error, Is.Null);
        using Socket first = Connect(socket);
        using Socket second = Connect(socket);
        int port = PortOf(first);
        Assert.That(socket.WasUnaccepted(port), Is.False);
        socket.End();
        Assert.That(socket.WasUnaccepted(port), Is.True);
        Assert.That(socket.WasUnaccepted(PortOf(second)), Is.True);
        SocketException reset = Assert.Throws<SocketException>(() => first.Receive(new byte[1]))!;
        Assert.That(reset.SocketErrorCode, Is.EqualTo(SocketError.ConnectionReset));
        socket.End();
    }

    [Test]
    public async Task A_process_that_holds_it_too_does_not_keep_it_open()
    {
        using var scene = new PlatformScene();
        ActivationSocket socket = ActivationSocket.TryListen(0, out _)!;
        var command = new ChildCommand("/bin/sh", ["-c", "readlink /proc/$$/fd/3; exec sleep 1000"], PlatformScene.Environment(), null)
        {
            Socket = socket,
        };
        PlatformScene.Child child = scene.Start(command);
        Assert.That(await child.Output.Next(static _ => true), Does.StartWith("socket:["));
        using Socket waiting = Connect(socket);
        socket.End();
        SocketException reset = Assert.Throws<SocketException>(() => waiting.Receive(new byte[1]))!;
        Assert.That(reset.SocketErrorCode, Is.EqualTo(SocketError.ConnectionReset));
        SocketException refused = Assert.Throws<SocketException>(() => Connect(socket))!;
        Assert.That(refused.SocketErrorCode, Is.EqualTo(SocketError.ConnectionRefused));
    }

    [Test]
    public async Task What_the_program_accepted_is_not_taken_for_unaccepted()
    {
        ActivationSocket socket = ActivationSocket.TryListen(0, out _)!;
        using Socket client = Connect(socket);
        using Socket listener = new(new SafeSocketHandle(socket.Descriptor, ownsHandle: false));
        using Socket accepted = await listener.AcceptAsync();
        socket.End();
        Assert.That(socket.WasUnaccepted(PortOf(client)), Is.False);
    }

    [Test]
    public void A_taken_port_is_an_error()
    {
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        other.Listen();
        int port = ((IPEndPoint)other.LocalEndPoint!).Port;
        Assert.That(ActivationSocket.TryListen(port, out string? error), Is.Null);
        Assert.That(error, Does.StartWith($"cannot listen on port {port} in its place: "));
    }
}
