using System.Net;
using System.Net.Sockets;
using Spawngate.Diagnostics;
using Spawngate.Platform;
using Spawngate.Tests.Fakes;
using Spawngate.Upstreams;

namespace Spawngate.Tests;

/// <summary>What the kernel holds for a peer that does not read is bounded, and counted.</summary>
[Platform("Linux")]
internal sealed class PlatformSocketMemoryTests
{
    [Test]
    public void What_a_peer_does_not_take_is_not_taken_from_the_sender()
    {
        using var listener = Listening();
        SocketMemory.BoundUnsent(listener.SafeHandle, Limits.UnsentBytesMax);
        using var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 64 * 1024 };
        peer.Connect(listener.LocalEndPoint!);
        using var sender = listener.Accept();
        Assert.That(SocketMemory.Held(sender.SafeHandle), Is.Zero);
        long taken = Fill(sender);
        Assert.That(taken, Is.InRange(Limits.UnsentBytesMax, 4 * Limits.UnsentBytesMax), "four megabytes without the bound");
        Assert.That(SocketMemory.Held(sender.SafeHandle), Is.InRange(taken / 2, 4 * taken), "with what the kernel needs around it");
    }

    /// <summary>How wide a window gets depends on how the receiver reads; here it is asked whether the kernel knows its bound.</summary>
    [Test]
    public void A_backend_is_offered_no_more_than_the_window()
    {
        const int Tcp = 6;
        const int WindowClamp = 10;
        using var clock = new CoarseClock(new FakeTime());
        var pool = new UpstreamPool(new IPEndPoint(IPAddress.Loopback, 1), 1, 1000, clock);
        var connection = pool.TryCreate()!;
        Span<byte> clamp = stackalloc byte[sizeof(int)];
        Assert.That(SocketCalls.GetOption(connection.Channel.Handle, Tcp, WindowClamp, clamp), Is.EqualTo(sizeof(int)));
        Assert.That(BitConverter.ToInt32(clamp), Is.EqualTo(Limits.UpstreamWindowBytes));
        pool.Discard(connection);
        pool.Retire();
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
