using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Admin;
using Spawngate.Clients;
using Spawngate.Clients.Shared;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>What the admin API's listener survives.</summary>
internal sealed class AdminListenerTests
{
    [Test]
    public async Task An_unexpected_error_is_not_the_end_of_accepting()
    {
        var time = new FakeTime();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await using var listener = new AdminListener(socket, new AdminConnections(1, time), time, NullLogger.Instance);

        // A socket that does not listen yet is such an error. More often than there are places: each gives its own back.
        var accepting = listener.AcceptAsync().AsTask();
        for (int i = 0; i < 2 * (1 + AdminLimits.ClosingMax); i++)
        {
            time.AdvanceMs(ConnectionLimits.AcceptPauseMs);
            Assert.That(accepting.IsCompleted, Is.False);
        }

        socket.Listen();
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(socket.LocalEndPoint!);
        time.AdvanceMs(ConnectionLimits.AcceptPauseMs);
        await using var connection = await accepting;
        Assert.That(connection!.RemoteEndPoint, Is.EqualTo(client.LocalEndPoint));
    }

    [Test]
    public async Task It_ends_in_a_pause_too()
    {
        var time = new FakeTime();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await using var listener = new AdminListener(socket, new AdminConnections(1, time), time, NullLogger.Instance);
        var accepting = listener.AcceptAsync().AsTask();
        await listener.UnbindAsync();
        Assert.That(await accepting, Is.Null);
    }
}
