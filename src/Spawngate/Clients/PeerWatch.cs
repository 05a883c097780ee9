using Spawngate.Platform;
using Spawngate.Transport;

namespace Spawngate.Clients;

/// <summary>
/// What the coarse tick finds out about an exchange although no socket operation reports it: that a slow peer takes bytes of a send which is still
/// pending, and that the client left while nothing is being received from it.
/// </summary>
/// <remarks>
/// A send completes when the kernel has taken all of it, and a kernel with megabytes in its queue takes more only after a third of them is gone: a client on
/// a slow line makes no visible progress for many seconds. The bytes that its kernel has acknowledged tell. Nothing is asked of the kernel about
/// connections whose operations will report by themselves.
/// </remarks>
internal struct PeerWatch
{
    private long _clientAcked;
    private long _upstreamAcked;
    private long _endedMs;

    /// <summary>True once since the last look when a peer took bytes of a send that is pending; on the tick.</summary>
    public bool HasSendMoved(SocketChannel client, SocketChannel? upstream)
    {
        bool taken = HasMoved(client, ref _clientAcked);
        return (upstream is not null && HasMoved(upstream, ref _upstreamAcked)) || taken;
    }

    /// <summary>
    /// True when the connection of the client is over, and no pending receive says so: what the client sent waits to be read, or is not read while the
    /// backend does not take it; on the tick. An end behind such bytes is noted like one that a receive reports.
    /// </summary>
    public bool IsClientGone(SocketChannel client, long nowMs)
    {
        if ((client.IsArmed && !client.HasArmedResult) || !TcpInfo.TryRead(client.Socket, out var info))
        {
            return false;
        }

        if (info.HasEnded && client.HasArmedResult)
        {
            Interlocked.CompareExchange(ref _endedMs, nowMs, 0);
        }

        return info.IsGone;
    }

    /// <summary>The client ended its side.</summary>
    public void OnClientEnded(long nowMs) => Volatile.Write(ref _endedMs, nowMs);

    /// <summary>A client that ended only its own side takes what we send: it gets more time.</summary>
    public void OnProgress(long nowMs)
    {
        if (Volatile.Read(ref _endedMs) != 0)
        {
            Volatile.Write(ref _endedMs, nowMs);
        }
    }

    /// <summary>True when a client that ended its side has had its time.</summary>
    public readonly bool IsHalfCloseOver(long nowMs) => Volatile.Read(in _endedMs) is var ended and not 0 && nowMs - ended >= Limits.HalfCloseMs;

    private static bool HasMoved(SocketChannel channel, ref long acked)
    {
        if (!channel.IsSending || !TcpInfo.TryRead(channel.Socket, out var info))
        {
            acked = 0;
            return false;
        }

        // The first look at a pending send only remembers; +1, so that 0 can mean "none".
        long before = acked;
        acked = info.BytesAcked + 1;
        return before != 0 && before != acked;
    }
}
