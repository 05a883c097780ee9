using System.Buffers.Binary;
using System.Text;
using Spawngate.Platform;

namespace Spawngate.Workloads.Processes;

/// <summary>
/// A Docker engine on which the gateway has created containers, and the label by which they are known. To the guard it is a line of text,
/// <c>label address LF</c>, which goes in pieces of the length of a token.
/// </summary>
/// <param name="Process">Value of the label that names the gateway's process.</param>
/// <param name="Address">Where the engine listens.</param>
internal sealed record GuardEngine(string Process, string Address)
{
    /// <summary>The pieces of its line; the last one is filled up with zeros.</summary>
    public IEnumerable<InstanceToken> ToPieces()
    {
        byte[] line = Encoding.UTF8.GetBytes($"{Process} {Address}\n");
        for (int at = 0; at < line.Length; at += InstanceToken.Bytes)
        {
            byte[] piece = new byte[InstanceToken.Bytes];
            line.AsSpan(at, Math.Min(piece.Length, line.Length - at)).CopyTo(piece);
            yield return new InstanceToken(Word(piece, 0), Word(piece, 1), Word(piece, 2));
        }
    }

    /// <summary>Adds a piece to a line. True when the line is complete.</summary>
    public static bool Append(InstanceToken piece, List<byte> line)
    {
        Span<byte> bytes = stackalloc byte[InstanceToken.Bytes];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, piece.First);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[sizeof(ulong)..], piece.Second);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[(2 * sizeof(ulong))..], piece.Third);
        int end = bytes.IndexOf((byte)'\n');
        line.AddRange(end < 0 ? bytes : bytes[..end]);
        return end >= 0;
    }

    /// <summary>Reads a complete line; null when it is none.</summary>
    public static GuardEngine? Parse(List<byte> line)
    {
        string text = Encoding.UTF8.GetString([.. line]);
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        return space > 0 ? new GuardEngine(text[..space], text[(space + 1)..]) : null;
    }

    private static ulong Word(byte[] piece, int index) => BinaryPrimitives.ReadUInt64LittleEndian(piece.AsSpan(index * sizeof(ulong)));
}
