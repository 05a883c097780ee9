using System.Net;
using System.Net.Sockets;
using Spawngate.Telemetry;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;
using static Spawngate.Tests.SocketPairs;

namespace Spawngate.Tests;

/// <summary>Who accepts a client, on which loop it ends up, and what a loop does that is behind.</summary>
[EventLoops]
internal sealed class AcceptTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Test]
    [NonParallelizable]
    public async Task Whoever_accepts_a_client_keeps_it_and_no_loop_has_many_more_than_another()
    {
        const int Clients = 100;
        using var socket = Listening();
        using var listener = StreamTransport.Chosen.Listen(socket);
        var before = AllLoops().ToDictionary(static loop => loop.Index, static loop => loop.Clients);
        var accepted = new List<StreamSocket>();
        var clients = new List<Socket>();
        for (int i = 0; i < Clients * EventLoop.Count; i++)
        {
            var accepting = AcceptOnAsync(listener);
            clients.Add(await ClientAsync(socket));
            var (taken, thread) = await accepting.WaitAsync(Patience);
            Assert.That(thread, Is.EqualTo(taken.LoopIndex), "no thread but its own has touched it");
            accepted.Add(taken);
        }

        var counts = AllLoops().Select(static loop => loop.Clients).ToList();
        Assert.That(
            counts.Max() - counts.Min(),
            Is.LessThanOrEqualTo(
                EventLoop.Count * (1 + TransportLimits.ClientsAheadMin + (counts.Max() / TransportLimits.ClientsAheadShare))
            )
        );
        accepted.ForEach(static each => each.Close(reset: false));
        clients.ForEach(static each => each.Dispose());
        Assert.That(
            AllLoops().ToDictionary(static loop => loop.Index, static loop => loop.Clients),
            Is.EqualTo(before),
            "who has ended is not counted"
        );
        listener.Stop();
        Assert.That(await listener.AcceptAsync().AsTask().WaitAsync(Patience), Is.Null);

        // On the loop's thread, unless the client was there before anybody awaited it.
        static async Task<(StreamSocket Accepted, int Thread)> AcceptOnAsync(StreamListener listener)
        {
            var accepted = await listener.AcceptAsync().ConfigureAwait(false);
            return (accepted!, EventLoop.Current?.Index ?? accepted!.LoopIndex);
        }
    }

    [Test]
    [NonParallelizable]
    public async Task A_loop_that_is_behind_accepts_several_clients_at_once([Values(5, TransportLimits.AcceptMoreMax + 5)] int clients)
    {
        using var socket = Listening();
        using var listener = StreamTransport.Chosen.Listen(socket);
        var accepting = AcceptAllAsync();
        using var held = new ManualResetEventSlim();
        var others = new List<(SocketChannel Mine, Socket Peer)>();
        var waiting = new List<Socket>();
        try
        {
            using var listening = Listening();
            for (int i = 0; i < EventLoop.Count * 2 * TransportLimits.AcceptMoreFromEvents; i++)
            {
                others.Add(await ConnectedAsync(listening));
                _ = others[i].Mine.ReceiveAsync().AsTask();
            }

            using var holding = new CountdownEvent(EventLoop.Count);
            foreach (var loop in AllLoops())
            {
                loop.Post(
                    new PostedItem(() =>
                    {
                        holding.Signal();
                        held.Wait(Patience);
                    })
                );
            }

            Assert.That(holding.Wait(Patience), "all loops are held");
            others.ForEach(static each => each.Peer.Send([1]));
            for (int i = 0; i < clients; i++)
            {
                waiting.Add(await ClientAsync(socket));
            }

            held.Set();
            Assert.That(
                await accepting.WaitAsync(Patience),
                Is.GreaterThanOrEqualTo(Math.Min(clients - 1, TransportLimits.AcceptMoreMax)),
                "taken without another event"
            );
        }
        finally
        {
            held.Set();
            others.ForEach(static each =>
            {
                each.Mine.Dispose();
                each.Peer.Dispose();
            });
            waiting.ForEach(static each => each.Dispose());
        }

        async Task<int> AcceptAllAsync()
        {
            int atOnce = 0;
            for (int i = 0; i < clients; i++)
            {
                var next = listener.AcceptAsync();
                atOnce += next.IsCompleted ? 1 : 0;
                (await next.ConfigureAwait(false))!.Close(reset: false);
            }

            return atOnce;
        }
    }

    private static HashSet<EventLoop> AllLoops()
    {
        var loops = new HashSet<EventLoop>();
        while (loops.Count < EventLoop.Count)
        {
            loops.Add(EventLoop.Next());
        }

        return loops;
    }
}
