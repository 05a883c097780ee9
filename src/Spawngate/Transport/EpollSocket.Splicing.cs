using Spawngate.Platform;

namespace Spawngate.Transport;

/// <content>Bytes that go between the socket and a pipe without leaving the kernel.</content>
internal sealed partial class EpollSocket
{
    /// <inheritdoc/>
    public override int SpliceTo(int pipe, int max)
    {
        Interlocked.Exchange(ref _readState, NotReady);
        int moved;
        try
        {
            moved = SocketCalls.SpliceTo(_handle, pipe, max);
        }
        catch (ObjectDisposedException)
        {
            moved = -SocketCalls.EBADF;
        }

        if (moved != -Libc.EAGAIN)
        {
            // There may be more, or an end, which has had its event.
            Volatile.Write(ref _readState, Ready);
        }

        NoteSpliceFault(moved);
        return moved;
    }

    /// <inheritdoc/>
    public override int SpliceFrom(int pipe, int max, bool more)
    {
        Interlocked.Increment(ref _sideCalls);
        try
        {
            int moved = SocketCalls.SpliceFrom(pipe, _handle, max, more);
            NoteSpliceFault(moved);
            return moved;
        }
        catch (ObjectDisposedException)
        {
            return -SocketCalls.EBADF;
        }
        finally
        {
            Interlocked.Decrement(ref _sideCalls);
        }
    }

    private void NoteSpliceFault(int result)
    {
        if (!SocketCalls.IsUnsupportedSplice(-result))
        {
            NoteCallFault(result);
        }
    }
}
