namespace Spawngate.Config;

/// <summary>
/// Chooses the moments in which the collector looks at what large configurations leave behind. Left alone it looks in the middle of a
/// reload, when the whole file is alive as a tree, moves all of it, and every request waits for that. After the reload the tree is garbage,
/// and passing over garbage costs next to nothing: what is left to look at are some 500 bytes a backend.
/// <code>
///   start:   read, make backends, ▶ collect ◀, listen
///   reload:  read, compare, apply, ▶ collect ◀
/// </code>
/// </summary>
internal static class ReloadMemory
{
    /// <summary>After the first configuration was applied and before anybody waits for an answer.</summary>
    public static void SettleStart(int backends)
    {
        if (backends >= ConfigLimits.SettledBackendsMin)
        {
            GC.Collect();
        }
    }

    /// <summary>
    /// After a reload, when nothing refers to what was read any more. Small ones leave nothing worth a look. All generations, since the
    /// tables of a large file are large objects, which count as the oldest and would keep the young ones below them; and not compacting,
    /// which would take longer.
    /// </summary>
    /// <param name="allocatedBytes">What the reload allocated.</param>
    public static void Settle(long allocatedBytes)
    {
        if (allocatedBytes >= ConfigLimits.SettledReloadBytesMin)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: false);
        }
    }
}
