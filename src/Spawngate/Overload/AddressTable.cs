using System.Collections.Concurrent;

namespace Spawngate.Overload;

/// <summary>The client addresses that something is counted for, and those that were there a moment ago.</summary>
/// <remarks>
/// <code>
///  not there ── Get ──▶ in use ── last connection and request ended ──▶ remembered ── Sweep, 10 s later ──▶ not there
/// </code>
/// It is bounded: past <see cref="OverloadLimits.ClientAddressesMax"/> new addresses share one entry, which then stands for all of them.
/// </remarks>
internal sealed class AddressTable
{
    private readonly ConcurrentDictionary<ulong, ClientAddress> _addresses = new();
    private readonly ClientAddress _others = new(0);
    private long _nextSweepMs;
    private int _count;

    /// <summary>How many there are.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>That of a key, made when it is not there.</summary>
    /// <param name="key">See <see cref="AddressBits.KeyOf"/>.</param>
    /// <param name="nowMs">Coarse time.</param>
    public ClientAddress Get(ulong key, long nowMs)
    {
        if (!_addresses.TryGetValue(key, out var address))
        {
            address = Add(key);
        }

        address.Touch(nowMs);
        return address;
    }

    /// <summary>Forgets addresses that nothing was heard of for a while; on the tick, now and then.</summary>
    public void Sweep(long nowMs)
    {
        if (nowMs < _nextSweepMs)
        {
            return;
        }

        _nextSweepMs = nowMs + OverloadLimits.AddressSweepMs;
        foreach (var (key, address) in _addresses)
        {
            if (address.IsForgotten(nowMs, OverloadLimits.AddressSweepMs) && _addresses.TryRemove(key, out _))
            {
                Interlocked.Decrement(ref _count);
            }
        }
    }

    private ClientAddress Add(ulong key)
    {
        if (Count >= OverloadLimits.ClientAddressesMax)
        {
            return _others;
        }

        var made = new ClientAddress(key);
        var found = _addresses.GetOrAdd(key, made);
        if (ReferenceEquals(found, made))
        {
            Interlocked.Increment(ref _count);
        }

        return found;
    }
}
