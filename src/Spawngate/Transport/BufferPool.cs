using System.Numerics;

namespace Spawngate.Transport;

/// <summary>
/// Buffers of three sizes, kept in a small bounded stack per thread, so that renting one on the request
/// path costs a few loads and no lock.
/// </summary>
internal static class BufferPool
{
    private static readonly PoolDepot<byte[]> WaitDepot = new(TransportLimits.WaitBuffersShared);
    private static readonly PoolDepot<byte[]> SmallDepot = new(TransportLimits.SmallBuffersShared);
    private static readonly PoolDepot<byte[]> LargeDepot = new(TransportLimits.LargeBuffersShared);

    [ThreadStatic]
    private static PoolStack<byte[]>? t_wait;

    [ThreadStatic]
    private static PoolStack<byte[]>? t_small;

    [ThreadStatic]
    private static PoolStack<byte[]>? t_large;

    /// <summary>Rents at least <paramref name="sizeMin"/> bytes.</summary>
    /// <exception cref="OutOfMemoryException">
    /// There is no memory, or it is more than <see cref="TransportLimits.BufferBytesMax"/>. It ends the connection, as every exception
    /// does.
    /// </exception>
    public static byte[] Rent(int sizeMin)
    {
        if (sizeMin <= TransportLimits.WaitBufferBytes)
        {
            return (t_wait ??= new PoolStack<byte[]>(TransportLimits.WaitBuffersPerThread, WaitDepot)).Pop()
                ?? GC.AllocateUninitializedArray<byte>(TransportLimits.WaitBufferBytes);
        }

        if (sizeMin <= TransportLimits.SmallBufferBytes)
        {
            return (t_small ??= new PoolStack<byte[]>(TransportLimits.SmallBuffersPerThread, SmallDepot)).Pop()
                ?? GC.AllocateUninitializedArray<byte>(TransportLimits.SmallBufferBytes);
        }

        if (sizeMin <= TransportLimits.LargeBufferBytes)
        {
            return (t_large ??= new PoolStack<byte[]>(TransportLimits.LargeBuffersPerThread, LargeDepot)).Pop()
                ?? GC.AllocateUninitializedArray<byte>(TransportLimits.LargeBufferBytes);
        }

        if ((uint)sizeMin > TransportLimits.BufferBytesMax)
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
        if (buffer.Length == TransportLimits.SmallBufferBytes)
        {
            (t_small ??= new PoolStack<byte[]>(TransportLimits.SmallBuffersPerThread, SmallDepot)).Push(buffer);
        }
        else if (buffer.Length == TransportLimits.WaitBufferBytes)
        {
            (t_wait ??= new PoolStack<byte[]>(TransportLimits.WaitBuffersPerThread, WaitDepot)).Push(buffer);
        }
        else if (buffer.Length == TransportLimits.LargeBufferBytes)
        {
            (t_large ??= new PoolStack<byte[]>(TransportLimits.LargeBuffersPerThread, LargeDepot)).Push(buffer);
        }
    }
}
