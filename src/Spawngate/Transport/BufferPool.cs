using System.Numerics;
using System.Runtime.CompilerServices;

namespace Spawngate.Transport;

/// <summary>
/// Buffers of two sizes, kept in a small bounded stack per thread, so that renting one on the request
/// path costs a few loads and no lock.
/// </summary>
/// <remarks>
/// <code>
///  thread A: rents more than it returns          thread B: returns more than it rents
///     stack ◀── half a stack when empty ── shared depot ◀── half a stack when full ── stack
/// </code>
/// A head is written on the thread that heard the client and given back on the one that heard the backend, so buffers drift. The
/// depot, the only part with a lock, carries them back, half a stack at a time.
/// </remarks>
internal static class BufferPool
{
    private static readonly Depot SmallDepot = new(Limits.SmallBuffersShared);
    private static readonly Depot LargeDepot = new(Limits.LargeBuffersShared);

    [ThreadStatic]
    private static Stack? t_small;

    [ThreadStatic]
    private static Stack? t_large;

    /// <summary>Rents at least <paramref name="sizeMin"/> bytes.</summary>
    public static byte[] Rent(int sizeMin)
    {
        if (sizeMin <= Limits.SmallBufferBytes)
        {
            return (t_small ??= new Stack(Limits.SmallBuffersPerThread, SmallDepot)).Pop() ?? GC.AllocateUninitializedArray<byte>(Limits.SmallBufferBytes);
        }

        if (sizeMin <= Limits.LargeBufferBytes)
        {
            return (t_large ??= new Stack(Limits.LargeBuffersPerThread, LargeDepot)).Pop() ?? GC.AllocateUninitializedArray<byte>(Limits.LargeBufferBytes);
        }

        // Doubled, so that a head that grows byte by byte is not copied byte by byte.
        return GC.AllocateUninitializedArray<byte>((int)BitOperations.RoundUpToPowerOf2((uint)sizeMin));
    }

    /// <summary>Gives a buffer back; nobody may touch it afterwards. Sizes that were not pooled are left to the collector.</summary>
    public static void Return(byte[] buffer)
    {
        if (buffer.Length == Limits.SmallBufferBytes)
        {
            (t_small ??= new Stack(Limits.SmallBuffersPerThread, SmallDepot)).Push(buffer);
        }
        else if (buffer.Length == Limits.LargeBufferBytes)
        {
            (t_large ??= new Stack(Limits.LargeBuffersPerThread, LargeDepot)).Push(buffer);
        }
    }

    private sealed class Stack(int capacity, Depot depot)
    {
        private readonly byte[]?[] _items = new byte[]?[capacity];
        private int _count;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public byte[]? Pop()
        {
            if (_count == 0 && (_count = depot.Take(_items.AsSpan(0, _items.Length / 2))) == 0)
            {
                return null;
            }

            byte[]? item = _items[--_count];
            _items[_count] = null;
            return item;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Push(byte[] item)
        {
            if (_count == _items.Length)
            {
                _count /= 2;
                depot.Give(_items.AsSpan(_count));
            }

            _items[_count++] = item;
        }
    }

    /// <summary>Buffers on their way between threads; what exceeds its capacity is left to the collector.</summary>
    private sealed class Depot(int capacity)
    {
        private readonly Lock _gate = new();
        private readonly byte[]?[] _items = new byte[]?[capacity];
        private int _count;

        public int Take(Span<byte[]?> target)
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

        public void Give(Span<byte[]?> source)
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
}
