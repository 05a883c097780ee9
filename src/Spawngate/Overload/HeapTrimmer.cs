namespace Spawngate.Overload;

/// <summary>
/// Gives the memory of a burst back to the system. Left alone the collector looks again only when as much has been allocated anew, which
/// after a burst may take hours. On the tick.
/// </summary>
/// <remarks>
/// <code>
///  held:     ╱╲___________     the peak is remembered; once no more than half of it is held, and much less,
///          ╱   ╲_              and that lasts for a moment, the heap is collected, and the peak is what is held then
///        peak    └ collect
/// </code>
/// </remarks>
/// <param name="collect">Collects the heap and gives back what is free.</param>
internal sealed class HeapTrimmer(Action collect)
{
    private long _peak;
    private long _lowSinceMs;
    private long _nextMs;

    /// <summary>Takes note of what clients hold.</summary>
    /// <param name="heldBytes">How much it is.</param>
    /// <param name="nowMs">Coarse time.</param>
    public void Look(long heldBytes, long nowMs)
    {
        _peak = Math.Max(_peak, heldBytes);
        if (heldBytes > _peak / 2 || _peak - heldBytes < OverloadLimits.HeapTrimBytesMin)
        {
            _lowSinceMs = 0;
            return;
        }

        _lowSinceMs = _lowSinceMs == 0 ? nowMs : _lowSinceMs;
        if (nowMs - _lowSinceMs >= OverloadLimits.HeapTrimAfterMs && nowMs >= _nextMs)
        {
            _nextMs = nowMs + OverloadLimits.HeapTrimPeriodMs;
            (_peak, _lowSinceMs) = (heldBytes, 0);
            collect();
        }
    }

    /// <summary>
    /// Collects on a thread of the pool, so that the tick does not wait for it; all other threads do, for some milliseconds.
    /// </summary>
    public static void CollectSoon() =>
        ThreadPool.UnsafeQueueUserWorkItem(
            static _ => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true),
            null
        );
}
