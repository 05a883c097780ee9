using Spawngate.Platform;

namespace Spawngate.Transport;

/// <summary>
/// A pipe in the kernel through which bytes go from one connection to another without coming to this process (<c>splice(2)</c>, Linux).
/// Between uses it is empty.
/// </summary>
/// <remarks>
/// Both calls hold the socket's handle only while they run, and never wait: a connection may be aborted from any thread at any time, and
/// its descriptor then be another's.
/// </remarks>
internal sealed unsafe class SplicePipe
{
    /// <summary>The source has nothing to read, or the sink takes nothing, for now.</summary>
    public const int WouldBlock = -1;

    /// <summary>The connection is over.</summary>
    public const int Failed = -2;

    /// <summary>The kernel does not do this with these sockets; nothing has been moved, and bodies are copied from now on.</summary>
    public const int Unsupported = -3;

    private const int SetPipeSize = 1031;

    private static readonly Lock Gate = new();
    private static readonly Stack<SplicePipe> Idle = new(TransportLimits.SplicePipesIdleMax);
    private static int s_open;
    private static volatile bool s_unsupported = !Libc.IsLinux;

    private readonly int _readEnd;
    private readonly int _writeEnd;

    private SplicePipe(int readEnd, int writeEnd)
    {
        _readEnd = readEnd;
        _writeEnd = writeEnd;
    }

    /// <summary>Bytes within.</summary>
    public int Length { get; private set; }

    /// <summary>Pipes open now, used or idle.</summary>
    public static int OpenCount => Volatile.Read(ref s_open);

    /// <summary>
    /// An empty pipe; null when there are enough, only the reserve of descriptors is left, none can be had, or the kernel does not do this.
    /// Give it back by <see cref="Return"/>.
    /// </summary>
    public static SplicePipe? TryRent()
    {
        if (s_unsupported)
        {
            return null;
        }

        lock (Gate)
        {
            if (Idle.TryPop(out var idle))
            {
                return idle;
            }

            if (s_open >= TransportLimits.SplicePipesMax || !DescriptorBudget.Shared.TryTake(DescriptorUse.Splice, 2))
            {
                return null;
            }

            s_open++;
        }

        int* ends = stackalloc int[2];
        if (Libc.Pipe2(ends, Libc.O_CLOEXEC | Libc.O_NONBLOCK) != 0)
        {
            Interlocked.Decrement(ref s_open);
            DescriptorBudget.Shared.Release(DescriptorUse.Splice, 2);
            return null;
        }

        // Where that is not allowed it has the 64 KiB that every pipe has.
        Libc.LinuxFcntl(ends[1], SetPipeSize, TransportLimits.SplicePipeBytes);
        return new SplicePipe(ends[0], ends[1]);
    }

    /// <summary>Gives it to the next body, or closes it if bytes are left that nobody wants.</summary>
    public void Return()
    {
        lock (Gate)
        {
            if (Length == 0 && Idle.Count < TransportLimits.SplicePipesIdleMax && !DescriptorBudget.Shared.IsLow)
            {
                Idle.Push(this);
                return;
            }

            s_open--;
        }

        Libc.Close(_readEnd);
        Libc.Close(_writeEnd);
        DescriptorBudget.Shared.Release(DescriptorUse.Splice, 2);
    }

    /// <summary>
    /// Moves what a connection has received, up to <paramref name="max"/> bytes, into the empty pipe. Bytes; 0 at the end of the stream;
    /// else one of the constants.
    /// </summary>
    public int Fill(SocketChannel source, long max)
    {
        int moved = source.SpliceTo(_writeEnd, (int)Math.Min(max, TransportLimits.SplicePipeBytes));
        Length = Math.Max(moved, 0);
        return moved >= 0 ? moved : OfError(-moved);
    }

    /// <summary>
    /// Moves what is within, up to <paramref name="max"/> bytes, to a connection's send queue. Bytes, or one of the constants.
    /// </summary>
    /// <param name="sink">The connection.</param>
    /// <param name="max">How many bytes at most.</param>
    /// <param name="more">
    /// True when others follow at once: the kernel lets these wait until a segment is full, or for <see cref="Push"/>.
    /// </param>
    public int Drain(SocketChannel sink, int max, bool more)
    {
        int moved = sink.SpliceFrom(_readEnd, max, more);
        if (moved < 0)
        {
            return OfError(-moved);
        }

        Length -= moved;
        return moved;
    }

    /// <summary>Sends what waits for more to follow.</summary>
    public static void Push(SocketChannel sink)
    {
        try
        {
            SocketCalls.Push(sink.Handle);
        }
        catch (ObjectDisposedException)
        {
            // The next send tells.
        }
    }

    /// <summary>Takes bytes out of it.</summary>
    public int Read(Span<byte> target)
    {
        int read;
        fixed (byte* bytes = target)
        {
            read = (int)Libc.Read(_readEnd, bytes, (nuint)Math.Min(target.Length, Length));
        }

        Length -= Math.Max(0, read);
        return read;
    }

    private static int OfError(int error)
    {
        if (error == Libc.EAGAIN || error == Libc.EINTR)
        {
            return WouldBlock;
        }

        if (SocketCalls.IsUnsupportedSplice(error))
        {
            s_unsupported = true;
            return Unsupported;
        }

        return Failed;
    }
}
