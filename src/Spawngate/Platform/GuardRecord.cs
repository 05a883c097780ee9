using System.Buffers.Binary;

namespace Spawngate.Platform;

/// <summary>What a record says.</summary>
internal enum GuardRecordKind
{
    /// <summary>An instance goes on the list.</summary>
    Start = '+',

    /// <summary>An instance goes off it.</summary>
    End = '-',

    /// <summary>A piece of a line about a place where something of ours may be.</summary>
    Text = '@',
}

/// <summary>
/// One message from the gateway to its guard: an instance that is about to start or has a process now, or an instance of which nothing is
/// left.
/// <code>
///   0          4          8          12         16                        40
///  ┌──────────┬──────────┬──────────┬──────────┬─────────────────────────┐
///  │ '+' '-'  │ pid      │ grace ms │ 0        │ token                   │   little-endian
///  └──────────┴──────────┴──────────┴──────────┴─────────────────────────┘
///
///   gateway                                                   guard
///     + token, pid 0    before the spawn ────────────────▶  expects it: found by its token only
///     + token, pid      after it          ────────────────▶  notes the start time of pid: the number may become a stranger's
///     - token           nothing is left   ────────────────▶  forgets it
///     @ text            a piece of a line ────────────────▶  puts it together: a place with something of ours, see <c>GuardedResource</c>
///     end of file                         ────────────────▶  list empty: exits.  Else, once the gateway is gone: ends what is on the list
/// </code>
/// All records have one length, below what a pipe takes in one piece (PIPE_BUF, at least 512 bytes), so none is ever written in part.
/// </summary>
/// <param name="Kind">What it says.</param>
/// <param name="Token">Which instance; or 24 bytes of text, of which zeros are none.</param>
/// <param name="Pid">Its leader, which is also its group; 0 when it is not known yet.</param>
/// <param name="GraceMs">Milliseconds between SIGTERM and SIGKILL.</param>
internal readonly record struct GuardRecord(GuardRecordKind Kind, InstanceToken Token, int Pid, int GraceMs)
{
    /// <summary>Bytes of a record.</summary>
    public const int Bytes = TokenAt + InstanceToken.Bytes;

    private const int PidAt = 4;
    private const int GraceAt = 8;
    private const int TokenAt = 16;

    /// <summary>Writes it to the first <see cref="Bytes"/> of <paramref name="to"/>.</summary>
    public void Write(Span<byte> to)
    {
        to[..Bytes].Clear();
        BinaryPrimitives.WriteInt32LittleEndian(to, (int)Kind);
        BinaryPrimitives.WriteInt32LittleEndian(to[PidAt..], Pid);
        BinaryPrimitives.WriteInt32LittleEndian(to[GraceAt..], GraceMs);
        Span<byte> token = to.Slice(TokenAt, InstanceToken.Bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(token, Token.First);
        BinaryPrimitives.WriteUInt64LittleEndian(token[sizeof(ulong)..], Token.Second);
        BinaryPrimitives.WriteUInt64LittleEndian(token[(2 * sizeof(ulong))..], Token.Third);
    }

    /// <summary>Reads one from the first <see cref="Bytes"/> of <paramref name="from"/>; null when that is no record.</summary>
    public static GuardRecord? Read(ReadOnlySpan<byte> from)
    {
        var kind = (GuardRecordKind)BinaryPrimitives.ReadInt32LittleEndian(from);
        int pid = BinaryPrimitives.ReadInt32LittleEndian(from[PidAt..]);
        int graceMs = BinaryPrimitives.ReadInt32LittleEndian(from[GraceAt..]);
        ReadOnlySpan<byte> token = from.Slice(TokenAt, InstanceToken.Bytes);
        var instance = new InstanceToken(
            BinaryPrimitives.ReadUInt64LittleEndian(token),
            BinaryPrimitives.ReadUInt64LittleEndian(token[sizeof(ulong)..]),
            BinaryPrimitives.ReadUInt64LittleEndian(token[(2 * sizeof(ulong))..])
        );

        // A pid of 1 or below would make a signal to its group one to everybody.
        bool isSane = kind is GuardRecordKind.Start or GuardRecordKind.End or GuardRecordKind.Text && pid is 0 or > 1 && graceMs >= 0;
        return isSane ? new GuardRecord(kind, instance, pid, graceMs) : null;
    }
}
