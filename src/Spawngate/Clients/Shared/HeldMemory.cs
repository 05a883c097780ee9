using Spawngate.Platform;
using Spawngate.Transport;

namespace Spawngate.Clients.Shared;

/// <summary>
/// What a pair of sockets holds in the kernel, looked up on the tick as seldom as will do: only when bytes were sent since the last look,
/// when something was held then, or while something waits that nobody reads. An idle connection is not asked about. While memory is tight,
/// a socket that holds much gets no more.
/// </summary>
internal struct HeldMemory
{
    private long _sent;
    private long _kernel;
    private long _nextLookMs;

    /// <summary>Bytes, with the buffers of both channels.</summary>
    /// <param name="channel">The client's channel, or that of a stream's backend.</param>
    /// <param name="upstream">The backend's channel; null when there is none.</param>
    /// <param name="isUnread">True when bytes may wait that nothing is armed for.</param>
    /// <param name="nowMs">Coarse time.</param>
    /// <param name="isTight">True while clients hold much: then the kernel is asked at every tick.</param>
    public long Look(SocketChannel channel, SocketChannel? upstream, bool isUnread, long nowMs, bool isTight)
    {
        long sent = channel.SentTotal;
        if ((isTight || nowMs >= _nextLookMs) && (sent != _sent || _kernel > 0 || isUnread || channel.IsSending))
        {
            _nextLookMs = nowMs + ConnectionLimits.KernelMemoryLookMs;
            _sent = sent;
            _kernel = Held(channel, isTight) + (upstream is null ? 0 : Held(upstream, isTight));
        }

        return _kernel + channel.HeldBytes + (upstream?.HeldBytes ?? 0);
    }

    private static long Held(SocketChannel channel, bool isTight)
    {
        long held = SocketMemory.Held(channel.Handle, out long received);
        if (isTight && received > ConnectionLimits.ReceivedAheadTightBytes)
        {
            channel.BoundReceived(ConnectionLimits.ReceivedAheadTightBytes);
        }

        if (isTight && held - received > ConnectionLimits.UnsentBytesMax)
        {
            channel.BoundUnsent(ConnectionLimits.UnsentBytesMax);
        }

        return held;
    }
}
