namespace Spawngate.Tests;

/// <summary>Measures what code allocates once it runs in its final form.</summary>
internal static class Allocations
{
    private const int Passes = 5;

    /// <summary>
    /// The least that <paramref name="action"/> allocated on this thread in several passes. The runtime itself now and then allocates on
    /// the thread while it replaces a method by a better compiled one; code that allocates does so in every pass.
    /// </summary>
    public static long Least(Action action)
    {
        var least = long.MaxValue;
        for (var pass = 0; pass < Passes; pass++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
