using System.Runtime.InteropServices;

namespace Spawngate.Protocols.Http2.Hpack;

/// <summary>
/// Hashes for finding fields in the tables. They look at both ends and the length only: the backend's fields decide the place of an entry
/// among at most 128, so the worst a hostile one could do is to make us compare that many.
/// </summary>
internal static class HpackHash
{
    private const ulong Factor = 0x9E3779B97F4A7C15;

    /// <summary>Hash of a name.</summary>
    public static uint OfName(ReadOnlySpan<byte> name) => (uint)(Mix(name) >> 32);

    /// <summary>Hash of a field whose name has that hash.</summary>
    public static uint OfField(uint nameHash, ReadOnlySpan<byte> value) => (uint)((Mix(value) + nameHash) * Factor >> 32);

    private static ulong Mix(ReadOnlySpan<byte> bytes)
    {
        int length = bytes.Length;
        ulong ends;
        if (length >= 8)
        {
            ends = (MemoryMarshal.Read<ulong>(bytes) * Factor) ^ MemoryMarshal.Read<ulong>(bytes[(length - 8)..]);
        }
        else if (length >= 4)
        {
            ends = ((ulong)MemoryMarshal.Read<uint>(bytes) << 32) | MemoryMarshal.Read<uint>(bytes[(length - 4)..]);
        }
        else
        {
            ends = length == 0 ? 0 : bytes[0] | ((ulong)bytes[length >> 1] << 8) | ((ulong)bytes[length - 1] << 16);
        }

        ends = (ends ^ (ulong)length) * Factor;
        return ends ^ (ends >> 29);
    }
}
