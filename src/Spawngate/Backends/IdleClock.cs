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

    /// <summary>Until when it was used: until its last use, or until its lease ended or will.</summary>
    public static long UsedUntilMs(long lastUseMs, LeaseTerm? lease) => Math.Max(lastUseMs, lease?.UntilMs ?? 0);

    /// <summary>
    /// The earliest moment at which it may stop. While something is in use, or a lease holds, the last use is yet to come, so that is a
    /// whole timeout away; passive requests put nothing off.
    /// </summary>
    public static long EarliestMs(BackendConfig config, long inUse, LeaseTerm? lease, ref long lastUseMs, long nowMs) =>
        DueMs(config, inUse > 0 || lease?.Holds(nowMs) == true ? nowMs : UsedUntilMs(Volatile.Read(ref lastUseMs), lease));
}
