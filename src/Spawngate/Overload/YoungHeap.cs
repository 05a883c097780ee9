namespace Spawngate.Overload;

/// <summary>
/// Has the youngest generation collected after every so many bytes that were allocated. Left alone the collector waits for as many as the
/// processor's cache holds, tens of megabytes, which stay resident until then; requests allocate nothing, so that this is about starts,
/// calls of the admin API and the like. Of a large heap it is a part: then clients hold much, and what is young is in use. On the tick.
/// </summary>
/// <param name="heapBytes">Bytes of the heap, garbage included.</param>
/// <param name="collections">How often the youngest generation was collected.</param>
/// <param name="collect">Collects it.</param>
internal sealed class YoungHeap(Func<long> heapBytes, Func<int> collections, Action collect)
{
    private int _seen = -1;
    private long _floor;

    /// <summary>That of this process.</summary>
    public static YoungHeap Own { get; } =
        new(static () => GC.GetTotalMemory(forceFullCollection: false), static () => GC.CollectionCount(0), Collect);

    /// <summary>Looks how much there is.</summary>
    public void Look()
    {
        long heap = heapBytes();
        int count = collections();
        if (count != _seen)
        {
            (_seen, _floor) = (count, heap);
        }
        else if (heap - _floor >= Math.Max(OverloadLimits.YoungHeapBytesMin, _floor / OverloadLimits.YoungHeapShare))
        {
            collect();
        }
    }

    /// <summary>Takes a millisecond or less: what is young and still in use is little.</summary>
    private static void Collect() => GC.Collect(0, GCCollectionMode.Forced, blocking: true, compacting: false);
}
