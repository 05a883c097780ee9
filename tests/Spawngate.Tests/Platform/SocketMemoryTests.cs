using System.Net;
using System.Net.Sockets;
using Spawngate.Clients;
using Spawngate.Clients.Shared;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;
using Spawngate.Upstreams;

namespace Spawngate.Tests;

/// <summary>What the kernel holds for a peer that does not read is bounded, and counted.</summary>
[Platform("Linux")]
internal sealed class SocketMemoryTests
{
    [Test]
    public void What_a_peer_does_not_take_is_not_taken_from_the_sender()
    {
        using var listener = Listening();
        SocketMemory.BoundUnsent(listener.SafeHandle, ConnectionLimits.UnsentBytesMax);
        using var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 64 * 1024 };
        peer.Connect(listener.LocalEndPoint!);
        using var sender = listener.Accept();
        Assert.That(SocketMemory.Held(sender.SafeHandle, out _), Is.Zero);
        long taken = Fill(sender);
        Assert.That(
            taken,
            Is.InRange(ConnectionLimits.UnsentBytesMax, 4 * ConnectionLimits.UnsentBytesMax),
            "four megabytes without the bound"
        );
        Assert.That(SocketMemory.Held(sender.SafeHandle, out _), Is.InRange(taken / 2, 4 * taken), "with what the kernel needs around it");
    }

    [Test]
    public async Task What_a_backend_does_not_take_is_bounded_while_memory_is_tight()
    {
        const int Tcp = 6;
        const int NotSentLowWater = 25;
        using var listener = Listening();
        listener.ReceiveBufferSize = 64 * 1024; // Those that it accepts inherit it.
        using var clock = new CoarseClock(new FakeTime());
        var pool = new UpstreamPool((IPEndPoint)listener.LocalEndPoint!, 1, 1000, clock);
        var connection = pool.TryCreate()!;
        await connection.Channel.ConnectAsync(pool.Endpoint);
        using var backend = await listener.AcceptAsync();
        byte[] piece = new byte[64 * 1024];
        var sending = Task.FromResult(0);
        for (int sent = 0; sending.IsCompleted && sent < 256 * piece.Length; sent += piece.Length)
        {
            piece.CopyTo(connection.Channel.GetOutgoing(piece.Length));
            connection.Channel.CommitOutgoing(piece.Length);
            sending = connection.Channel.FlushAsync().AsTask();
        }

        var memory = default(HeldMemory);
        memory.Look(connection.Channel, null, isUnread: false, 1, isTight: false);
        Assert.That(Option(connection.Channel.Handle, Tcp, NotSentLowWater), Is.Not.EqualTo(ConnectionLimits.UnsentBytesMax));
        memory.Look(connection.Channel, null, isUnread: false, 1 + ConnectionLimits.KernelMemoryLookMs, isTight: true);
        Assert.That(Option(connection.Channel.Handle, Tcp, NotSentLowWater), Is.EqualTo(ConnectionLimits.UnsentBytesMax));
        Assert.That(connection.Channel.IsBounded, Is.True, "it is not used again");
        pool.Discard(connection);
        await sending;
        pool.Retire();
    }

    /// <summary>
    /// How much the kernel takes depends on how fast it was read; here it is asked whether it knows its bound, and takes no more.
    /// </summary>
    [Test]
    [EventLoops]
    public async Task What_is_received_ahead_is_bounded_while_memory_is_tight()
    {
        using var listener = Listening();
        using var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await peer.ConnectAsync(listener.LocalEndPoint!);
        using var channel = new SocketChannel(AdoptedSocket.Of(await listener.AcceptAsync()), null, waits: true);
        byte[] piece = new byte[64 * 1024];
        var memory = default(HeldMemory);
        long nowMs = 1;
        long Look(bool isTight) => memory.Look(channel, null, isUnread: true, nowMs += ConnectionLimits.KernelMemoryLookMs, isTight);

        // Read fast, then not at all.
        for (long read = 0; read < 256 * (long)piece.Length; )
        {
            await peer.SendAsync(piece);
            channel.Consume(channel.ReceivedLength);
            channel.EnsureRoom(piece.Length);
            read += await channel.ReceiveAsync();
        }

        Fill(peer);
        Assume.That(
            Look(isTight: false),
            Is.GreaterThan(ConnectionLimits.ReceivedAheadTightBytes),
            "the kernel tunes (net.ipv4.tcp_moderate_rcvbuf)"
        );
        int usual = ReceiveBuffer(channel.Handle);
        Assert.That(usual, Is.GreaterThan(ConnectionLimits.ReceivedAheadTightBytes), "nothing is bounded while there is enough");
        Look(isTight: true);
        Assert.That(ReceiveBuffer(channel.Handle), Is.EqualTo(ConnectionLimits.ReceivedAheadTightBytes));
    }

    private static int ReceiveBuffer(System.Runtime.InteropServices.SafeHandle socket) => Option(socket, level: 1, option: 8);

    private static int Option(System.Runtime.InteropServices.SafeHandle socket, int level, int option)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        Assert.That(SocketCalls.GetOption(socket, level, option, bytes), Is.EqualTo(sizeof(int)));
        return BitConverter.ToInt32(bytes);
    }

    /// <summary>Sends until the kernel takes no more. Bytes that it took.</summary>
    private static long Fill(Socket sender)
    {
        sender.Blocking = false;
        byte[] piece = new byte[16 * 1024];
        long taken = 0;
        while (true)
        {
            int sent = sender.Send(piece, SocketFlags.None, out var error);
            if (error != SocketError.Success)
            {
                return taken;
            }

            taken += sent;
        }
    }

    private static Socket Listening()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        return listener;
    }
}
