using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>
/// Free ports for gateways and fixed-port backends. They lie below those that gateways choose for backends without a port (from 20,000 on)
/// and that the kernel takes for outgoing connections, so that none is taken between the choice and the use.
/// </summary>
internal static class Ports
{
    private const int First = 10_000;
    private const int Count = 10_000;
    private static int _next = Random.Shared.Next(Count);

    /// <summary>A loopback port that nothing listens on and that no other call of this process returns soon.</summary>
    public static int Free()
    {
        for (int tries = 0; tries < Count; tries++)
        {
            int port = First + (int)((uint)Interlocked.Increment(ref _next) % Count);
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Bind(new IPEndPoint(IPAddress.Any, port));
                return port;
            }
            catch (SocketException)
            {
                // Taken by somebody else: the next one may be free.
            }
        }

        throw new InvalidOperationException("no free port");
    }

    /// <summary>
    /// Tries until something accepts connections on the port: for what measures the time until then, and so may not look only now and then.
    /// </summary>
    public static async Task AcceptingAsync(int port)
    {
        long began = Stopwatch.GetTimestamp();
        while (!await AcceptsAsync(port))
        {
            Assert.That(Stopwatch.GetElapsedTime(began), Is.LessThan(Patience.Default), $"nothing accepts connections on port {port}");
            await Task.Yield();
        }
    }

    /// <summary>True when something accepts connections on the port.</summary>
    public static async Task<bool> AcceptsAsync(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
