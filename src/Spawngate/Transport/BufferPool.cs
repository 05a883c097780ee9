using System.Runtime.CompilerServices;

namespace Spawngate.Transport;

/// <summary>
/// Buffers of two sizes, kept in a small bounded stack per thread, so that renting one on the request
/// path costs a few loads and no lock.
/// </summary>
internal static class BufferPool
{
    [ThreadStatic]
    private static Stack? t_small;

    [ThreadStatic]
    private static Stack? t_large;

    /// <summary>Rents at least <paramref name="sizeMin"/> bytes.</summary>
    public static byte[] Rent(int sizeMin)
    {
        if (sizeMin <= Limits.SmallBufferBytes)
        {
            return (t_small ??= new Stack(Limits.SmallBuffersPerThread)).Pop() ?? GC.AllocateUninitializedArray<byte>(Limits.SmallBufferBytes);
        }

        if (sizeMin <= Limits.LargeBufferBytes)
        {
            return (t_large ??= new Stack(Limits.LargeBuffersPerThread)).Pop() ?? GC.AllocateUninitializedArray<byte>(Limits.LargeBufferBytes);
        }

        return GC.AllocateUninitializedArray<byte>(sizeMin);
    }

    /// <summary>Gives a buffer back; nobody may touch it afterwards. Sizes that were not pooled are left to the collector.</summary>
    public static void Return(byte[] buffer)
    {
        if (buffer.Length == Limits.SmallBufferBytes)
        {
            (t_small ??= new Stack(Limits.SmallBuffersPerThread)).Push(buffer);
        }
        else if (buffer.Length == Limits.LargeBufferBytes)
        {
            (t_large ??= new Stack(Limits.LargeBuffersPerThread)).Push(buffer);
        }
    }

    private sealed class Stack(int capacity)
    {
        private readonly byte[]?[] _items = new byte[]?[capacity];
        private int _count;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public byte[]? Pop()
        {
            if (_count == 0)
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
            if (_count < _items.Length)
            {
                _items[_count++] = item;
            }
        }
    }
}
