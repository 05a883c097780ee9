using System.Numerics;
using System.Runtime.CompilerServices;

namespace Spawngate.Transport;

/// <summary>
/// Buffers of three sizes, kept in a small bounded stack per thread, so that renting one on the request
/// path costs a few loads and no lock.
/// </summary>
internal static class BufferPool
{
    private static readonly PoolDepot<byte[]> WaitDepot = new(Limits.WaitBuffersShared);
    private static readonly PoolDepot<byte[]> SmallDepot = new(Limits.SmallBuffersShared);
    private static readonly PoolDepot<byte[]> LargeDepot = new(Limits.LargeBuffersShared);

    [ThreadStatic]
    private static PoolStack<byte[]>? t_wait;

    [ThreadStatic]
    private static PoolStack<byte[]>? t_small;

    [ThreadStatic]
    private static PoolStack<byte[]>? t_large;

    /// <summary>Rents at least <paramref name="sizeMin"/> bytes.</summary>
    /// <exception cref="OutOfMemoryException">
    /// There is no memory, or it is more than <see cref="Limits.BufferBytesMax"/>. It ends the connection, as every exception does.
    /// </exception>
    public static byte[] Rent(int sizeMin)
    {
        if (sizeMin <= Limits.WaitBufferBytes)
        {
            return (t_wait ??= new PoolStack<byte[]>(Limits.WaitBuffersPerThread, WaitDepot)).Pop()
                ?? GC.AllocateUninitializedArray<byte>(Limits.WaitBufferBytes);
        }

        if (sizeMin <= Limits.SmallBufferBytes)
        {
            return (t_small ??= new PoolStack<byte[]>(Limits.SmallBuffersPerThread, SmallDepot)).Pop()
                ?? GC.AllocateUninitializedArray<byte>(Limits.SmallBufferBytes);
        }

        if (sizeMin <= Limits.LargeBufferBytes)
        {
            return (t_large ??= new PoolStack<byte[]>(Limits.LargeBuffersPerThread, LargeDepot)).Pop()
                ?? GC.AllocateUninitializedArray<byte>(Limits.LargeBufferBytes);
        }

        if ((uint)sizeMin > Limits.BufferBytesMax)
        {
            // Whoever asks for it lost count: it ends like one for whom there is no memory.
            throw new InsufficientMemoryException($"a buffer of {sizeMin} bytes");
        }

        // Doubled, so that a head that grows byte by byte is not copied byte by byte.
        return GC.AllocateUninitializedArray<byte>((int)BitOperations.RoundUpToPowerOf2((uint)sizeMin));
    }

    /// <summary>Gives a buffer back; nobody may touch it afterwards. Sizes that were not pooled are left to the collector.</summary>
    public static void Return(byte[] buffer)
    {
        if (buffer.Length == Limits.SmallBufferBytes)
        {
            (t_small ??= new PoolStack<byte[]>(Limits.SmallBuffersPerThread, SmallDepot)).Push(buffer);
        }
        else if (buffer.Length == Limits.WaitBufferBytes)
        {
            (t_wait ??= new PoolStack<byte[]>(Limits.WaitBuffersPerThread, WaitDepot)).Push(buffer);
        }
        else if (buffer.Length == Limits.LargeBufferBytes)
        {
            (t_large ??= new PoolStack<byte[]>(Limits.LargeBuffersPerThread, LargeDepot)).Push(buffer);
        }
    }
}
