using System.Runtime.CompilerServices;

namespace Spawngate.Transport;

/// <summary>
/// What one thread keeps of things that are used again, so that renting one on the request path costs a few loads and no lock.
/// </summary>
/// <remarks>
/// <code>
///  thread A: rents more than it returns          thread B: returns more than it rents
///     stack ◀── half a stack when empty ── shared depot ◀── half a stack when full ── stack
/// </code>
/// A head is written on the thread that heard the client and given back on the one that heard the backend, so things drift. The
/// depot, the only part with a lock, carries them back, half a stack at a time.
/// </remarks>
internal sealed class PoolStack<T>(int capacity, PoolDepot<T> depot)
    where T : class
{
    private readonly T?[] _items = new T?[capacity];
    private int _count;

    /// <summary>Takes one; null when neither this thread nor the depot has any.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T? Pop()
    {
        if (_count == 0 && (_count = depot.Take(_items.AsSpan(0, _items.Length / 2))) == 0)
        {
            return null;
        }

        T? item = _items[--_count];
        _items[_count] = null;
        return item;
    }

    /// <summary>Keeps one; when it is full, half of all goes to the depot.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Push(T item)
    {
        if (_count == _items.Length)
        {
            _count /= 2;
            depot.Give(_items.AsSpan(_count));
        }

        _items[_count++] = item;
    }
}

/// <summary>Things on their way between threads; what exceeds its capacity is left to the collector.</summary>
internal sealed class PoolDepot<T>(int capacity)
    where T : class
{
    private readonly Lock _gate = new();
    private readonly T?[] _items = new T?[capacity];
    private int _count;

    /// <summary>Fills as much of <paramref name="target"/> as there is. How many.</summary>
    public int Take(Span<T?> target)
    {
        // Read without the lock: an empty depot, the usual case at first, costs nothing.
        if (Volatile.Read(ref _count) == 0)
        {
            return 0;
        }

        lock (_gate)
        {
            int taken = Math.Min(_count, target.Length);
            _count -= taken;
            _items.AsSpan(_count, taken).CopyTo(target);
            _items.AsSpan(_count, taken).Clear();
            return taken;
        }
    }

    /// <summary>Takes what fits, and clears all of <paramref name="source"/>.</summary>
    public void Give(Span<T?> source)
    {
        lock (_gate)
        {
            int given = Math.Min(_items.Length - _count, source.Length);
            source[..given].CopyTo(_items.AsSpan(_count));
            _count += given;
        }

        source.Clear();
    }
}
