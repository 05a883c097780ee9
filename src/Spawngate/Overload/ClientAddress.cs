namespace Spawngate.Overload;

/// <summary>
/// A client address as all that is counted for it: connections, requests in flight, and the rate of its requests. Thread-safe, without a
/// lock.
/// </summary>
/// <remarks>Counts of requests are kept only while a limit asks for them; see docs/concepts/overload.md.</remarks>
internal sealed class ClientAddress
{
    private int _connections;
    private int _requests;
    private long _rateDue;
    private long _usedMs;
    private volatile bool _isMarked;

    /// <summary>Makes that of a key.</summary>
    /// <param name="key">See <see cref="AddressBits.KeyOf"/>.</param>
    public ClientAddress(ulong key) => Key = key;

    /// <summary>What tells it from others.</summary>
    public ulong Key { get; }

    /// <summary>The address, or the network of an IPv6 one, for logs.</summary>
    public string Text => AddressBits.TextOf(Key);

    /// <summary>Open connections.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Requests in flight, as far as they are counted.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>True while it is among those that hold most, and something runs low: nothing new is taken from it.</summary>
    public bool IsMarked
    {
        get => _isMarked;
        set => _isMarked = value;
    }

    /// <summary>True when it is that of a trusted proxy: what it holds may be for many.</summary>
    public bool SpeaksForOthers { get; set; }

    /// <summary>It was looked up.</summary>
    public void Touch(long nowMs) => Volatile.Write(ref _usedMs, nowMs);

    /// <summary>True when nothing is counted for it, and it was not looked up for so long.</summary>
    public bool IsForgotten(long nowMs, long afterMs) =>
        Connections == 0 && Requests == 0 && !_isMarked && nowMs - Volatile.Read(ref _usedMs) >= afterMs;

    /// <summary>A connection is open.</summary>
    /// <returns>How many there are with it.</returns>
    public int AddConnection() => Interlocked.Increment(ref _connections);

    /// <summary>A connection has ended.</summary>
    public void RemoveConnection() => Interlocked.Decrement(ref _connections);

    /// <summary>Counts a request in, unless there are so many already.</summary>
    public bool TryAddRequest(int max)
    {
        if (Interlocked.Increment(ref _requests) <= max)
        {
            return true;
        }

        Interlocked.Decrement(ref _requests);
        return false;
    }

    /// <summary>A request that was counted in has ended.</summary>
    public void RemoveRequest() => Interlocked.Decrement(ref _requests);

    /// <summary>Takes a token of its bucket, which fills by so many a second and holds as many. False when it is empty.</summary>
    /// <param name="now">A steady time in ticks.</param>
    /// <param name="frequency">Ticks of that time in a second.</param>
    /// <param name="ratePerSec">Tokens a second; at least 1.</param>
    public bool TryTakeToken(long now, long frequency, int ratePerSec)
    {
        // The bucket as one number: when it would be full again (the generic cell rate algorithm, ITU-T I.371).
        long token = frequency / ratePerSec;
        long due = Volatile.Read(ref _rateDue);
        while (true)
        {
            long next = Math.Max(due, now) + token;
            if (next - now > frequency)
            {
                return false;
            }

            long seen = Interlocked.CompareExchange(ref _rateDue, next, due);
            if (seen == due)
            {
                return true;
            }

            due = seen;
        }
    }
}
