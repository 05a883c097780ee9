using System.Buffers.Binary;
using System.Text;
using Spawngate.Platform;

namespace Spawngate.Workloads.Processes;

/// <summary>
/// A place outside this machine's processes where a kind of backend makes things that must not outlive the gateway, such as a container
/// engine. What is there is ended by the kind, the guard only keeps the place. It is told as a line of text, <c>+kind owner address LF</c>
/// when something may be there and the same with <c>-</c> when nothing is any more, in pieces of the length of a token.
/// </summary>
/// <param name="Kind">The kind's name, as in <c>type</c>.</param>
/// <param name="Owner">By what the things there are known as this gateway's, without a space.</param>
/// <param name="Address">The place.</param>
internal sealed record GuardedResource(string Kind, string Owner, string Address)
{
    private const char Expected = '+';
    private const char Forgotten = '-';
    private const int Words = 3;

    /// <summary>The pieces of its line; the last one is filled up with zeros.</summary>
    /// <param name="isExpected">Whether something of the gateway's may be there from now on, or nothing is any more.</param>
    public IEnumerable<InstanceToken> ToPieces(bool isExpected)
    {
        byte[] line = Encoding.UTF8.GetBytes($"{(isExpected ? Expected : Forgotten)}{Kind} {Owner} {Address}\n");
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

    /// <summary>Applies a complete line to a list.</summary>
    /// <returns>False when it is none.</returns>
    public static bool Apply(List<byte> line, List<GuardedResource> to)
    {
        string[] words = Encoding.UTF8.GetString([.. line]).Split(' ', Words);
        if (words is not [{ Length: > 1 } kind, var owner, var address] || kind[0] is not (Expected or Forgotten))
        {
            return false;
        }

        var resource = new GuardedResource(kind[1..], owner, address);
        to.Remove(resource);
        if (kind[0] == Expected)
        {
            to.Add(resource);
        }

        return true;
    }

    private static ulong Word(byte[] piece, int index) => BinaryPrimitives.ReadUInt64LittleEndian(piece.AsSpan(index * sizeof(ulong)));
}

/// <summary>How the end of what was left at a place went.</summary>
/// <param name="Removed">How many things were removed.</param>
/// <param name="Outcome">For people.</param>
internal readonly record struct OrphansEnded(int Removed, string Outcome);
