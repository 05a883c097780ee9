using Spawngate.Config;
using Spawngate.Runtime;

namespace Spawngate.Backends;

/// <summary>When an unused backend stops: its arithmetic.</summary>
internal static class IdleClock
{
    /// <summary>
    /// When a backend that was last used at <paramref name="lastUseMs"/> may stop; the coarse clock may be a tick behind, so a tick is
    /// added: never early.
    /// </summary>
    public static long DueMs(BackendConfig config, long lastUseMs)
    {
        var idleMs = config.IdleTimeoutSecs * 1000L;
        return idleMs == 0 ? long.MaxValue : lastUseMs + idleMs + RuntimeLimits.ClockTickMs;
    }

    /// <summary>
    /// The earliest moment at which it may stop. While something is in use the last use is yet to come, so that is a whole timeout away;
    /// passive requests put nothing off.
    /// </summary>
    public static long EarliestMs(BackendConfig config, long inUse, ref long lastUseMs, long nowMs) =>
        DueMs(config, inUse > 0 ? nowMs : Volatile.Read(ref lastUseMs));
}
