using Spawngate.Platform;
using Spawngate.Transport;

namespace Spawngate.Clients;

/// <summary>
/// What a pair of sockets holds in the kernel, looked up on the tick as seldom as will do: only when bytes were sent since the last look, when something was held then, or while something waits that
/// nobody reads. An idle connection is not asked about.
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
    public long Look(SocketChannel channel, SocketChannel? upstream, bool isUnread, long nowMs)
    {
        long sent = channel.SentTotal;
        if (nowMs >= _nextLookMs && (sent != _sent || _kernel > 0 || isUnread || channel.IsSending))
        {
            _nextLookMs = nowMs + Limits.KernelMemoryLookMs;
            _sent = sent;
            _kernel = SocketMemory.Held(channel.Handle) + (upstream is null ? 0 : SocketMemory.Held(upstream.Handle));
        }

        return _kernel + channel.HeldBytes + (upstream?.HeldBytes ?? 0);
    }
}
