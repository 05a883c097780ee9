using Spawngate.Platform;

namespace Spawngate.Upstreams;

/// <summary>
/// How many local ports are in use towards the backend that most are in use towards: each connection to the same address and port takes
/// another. Pools tell on every tick.
/// </summary>
internal sealed class UpstreamPorts
{
    private int _most;

    /// <summary>How many there are for one backend.</summary>
    public static int PerBackend => EphemeralPorts.Count;

    /// <summary>A pool has so many connections.</summary>
    public void Report(int open)
    {
        int most = Volatile.Read(ref _most);
        while (open > most)
        {
            int seen = Interlocked.CompareExchange(ref _most, open, most);
            if (seen == most)
            {
                return;
            }

            most = seen;
        }
    }

    /// <summary>The most that was told of since the last look.</summary>
    public int Take() => Interlocked.Exchange(ref _most, 0);
}
