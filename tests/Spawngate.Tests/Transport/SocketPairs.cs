using System.Net;
using System.Net.Sockets;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>Connected sockets of which one end is served by an event loop.</summary>
internal static class SocketPairs
{
    public static Socket Listening()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        return listener;
    }

    public static async Task<Socket> ClientAsync(Socket listener)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(listener.LocalEndPoint!);
        return client;
    }

    public static async Task<(SocketChannel Mine, Socket Peer)> ConnectedAsync()
    {
        using var listener = Listening();
        return await ConnectedAsync(listener);
    }

    public static async Task<(SocketChannel Mine, Socket Peer)> ConnectedAsync(Socket listener)
    {
        var peer = await ClientAsync(listener);
        return (new SocketChannel(AdoptedSocket.Of(await listener.AcceptAsync()), null), peer);
    }

    public static (Socket Mine, Socket Peer) Connected()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        peer.Connect(listener.LocalEndPoint!);
        return (listener.Accept(), peer);
    }
}

/// <summary>Work for a loop.</summary>
internal sealed class PostedItem(Action run) : IThreadPoolWorkItem
{
    public void Execute() => run();
}
