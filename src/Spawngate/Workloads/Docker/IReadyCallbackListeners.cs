using System.Net;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// Opens listeners of ready callbacks on the machine's addresses in the networks of containers. What answers there belongs to the admin
/// API, which is above this folder; tests have listeners that answer nothing.
/// </summary>
internal interface IReadyCallbackListeners : IAsyncDisposable
{
    /// <summary>Opens the listener at an address, or uses the open one; null when the address is not of this machine.</summary>
    Task<ReadyCallbackLease?> OpenAsync(IPAddress address);
}

/// <summary>One container's use of a listener of ready callbacks, until it is given back.</summary>
/// <param name="endPoint">Where the listener is reached.</param>
/// <param name="release">Gives it back.</param>
internal sealed class ReadyCallbackLease(IPEndPoint endPoint, Action release)
{
    private int _left;

    /// <summary>Where it is.</summary>
    public IPEndPoint EndPoint => endPoint;

    /// <summary>Gives it back; a second time has no effect.</summary>
    public void Leave()
    {
        if (Interlocked.Exchange(ref _left, 1) == 0)
        {
            release();
        }
    }
}
