using System.Net;
using Spawngate.Upstreams;

namespace Spawngate.Backends.Probing;

/// <summary>
/// Where an instance listens that ignores the port it was told: the listening sockets of its own processes say it.
/// <code>
///   its port is closed ──seen to listen elsewhere──▶ candidate ──2 s, its port still closed──▶ asked like its port
/// </code>
/// A debugger's port is never a candidate, nor that of Caddy's admin API, which answers HTTP as well. Of several,
/// the first that answers HTTP is the one.
/// </summary>
/// <param name="find">Looks where the instance listens.</param>
/// <param name="open">
/// Makes the pool of connections to an address; null when the file says the port, so that others are only told to who looks for the reason.
/// </param>
internal sealed class OtherPorts(Func<Task<IReadOnlyList<IPEndPoint>>> find, Func<IPEndPoint, UpstreamPool>? open)
{
    // Debuggers of node, node before 8, Java and Python; Caddy's admin API, which it opens before its sites.
    private static readonly int[] _notForRequests = [9229, 5858, 5005, 5678, 2019];

    private readonly Dictionary<IPEndPoint, double> _seenAtMs = [];
    private readonly Dictionary<IPEndPoint, UpstreamPool> _pools = [];
    private readonly Lock _gate = new();
    private bool _isClosed;
    private double _nextLookMs = ProbeLimits.OtherPortsFirstLookMs;

    /// <summary>The ports that it was seen to listen on, for the message when nothing comes of it.</summary>
    public IReadOnlyCollection<int> Seen => [.. _seenAtMs.Keys.Select(static at => at.Port).Distinct().Order()];

    /// <summary>How many ports are candidates now.</summary>
    public int Count => _pools.Keys.Select(static at => at.Port).Distinct().Count();

    /// <summary>The candidates that have waited long enough, at a moment in which the instance's port is closed.</summary>
    /// <param name="elapsedMs">Milliseconds since the start was first looked at.</param>
    /// <param name="told">The port that it was told.</param>
    public async Task<IReadOnlyCollection<UpstreamPool>> LookAsync(double elapsedMs, int told)
    {
        if (elapsedMs < _nextLookMs)
        {
            lock (_gate)
            {
                return [.. _pools.Values];
            }
        }

        _nextLookMs = elapsedMs + ProbeLimits.OtherPortsLookMs;
        IReadOnlyList<IPEndPoint> found = await find().ConfigureAwait(false);
        lock (_gate)
        {
            return Take(found, elapsedMs, told);
        }
    }

    /// <summary>The instance's own port was not closed after all: what was seen of others counts no more.</summary>
    public void Forget()
    {
        lock (_gate)
        {
            _seenAtMs.Clear();
            foreach (var at in _pools.Keys.ToArray())
            {
                Close(at);
            }
        }
    }

    /// <summary>Closes all pools but that in which the instance was found; none is opened any more.</summary>
    public void CloseBut(UpstreamPool? kept)
    {
        lock (_gate)
        {
            _isClosed = true;
            foreach (var (at, pool) in _pools.ToArray())
            {
                if (pool != kept)
                {
                    Close(at);
                }
            }
        }
    }

    private IReadOnlyCollection<UpstreamPool> Take(IReadOnlyList<IPEndPoint> found, double elapsedMs, int told)
    {
        foreach (var gone in _seenAtMs.Keys.Where(at => !found.Contains(at)).ToArray())
        {
            _seenAtMs.Remove(gone);
            Close(gone);
        }

        foreach (var at in found)
        {
            if (at.Port == told || _notForRequests.Contains(at.Port))
            {
                continue;
            }

            _seenAtMs.TryAdd(at, elapsedMs);
            if (open is not null && elapsedMs - _seenAtMs[at] >= ProbeLimits.OtherPortMs && !_isClosed && !_pools.ContainsKey(at))
            {
                _pools.Add(at, open(at));
            }
        }

        return [.. _pools.Values];
    }

    private void Close(IPEndPoint at)
    {
        if (_pools.Remove(at, out var pool))
        {
            pool.Retire();
        }
    }
}
