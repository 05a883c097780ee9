using System.Runtime.InteropServices;

namespace Spawngate.Platform;

/// <summary>Waits until descriptors can be read. Used by one thread.</summary>
internal interface IReadiness : IDisposable
{
    /// <summary>Watches a descriptor.</summary>
    /// <returns>False when the system refuses to watch one more.</returns>
    bool Add(int fd);

    /// <summary>Stops watching it; call before closing it.</summary>
    void Remove(int fd);

    /// <summary>Blocks until at least one can be read or has been closed at its other end.</summary>
    /// <returns>How many descriptors were stored in <paramref name="ready"/>; 0 after an interruption.</returns>
    int Wait(Span<int> ready);
}

/// <summary>Readiness by epoll: the cost of a wait does not grow with the number of descriptors.</summary>
internal sealed unsafe class EpollReadiness : IReadiness
{
    private const int ControlAdd = 1; // EPOLL_CTL_ADD
    private const int ControlDelete = 2; // EPOLL_CTL_DEL
    private const int EventBytesMax = 16;

    // struct epoll_event { uint32 events; uint64 data; } is packed on x86-64 only (and 32-bit x86 aligns it that way by itself).
    private static readonly bool Packed =
        RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.X86;

    private static readonly int EventBytes = Packed ? 12 : 16;
    private static readonly int DataOffset = Packed ? 4 : 8;

    private readonly int _epoll;

    /// <summary>Creates the epoll instance.</summary>
    public EpollReadiness()
    {
        _epoll = Libc.EpollCreate(Libc.O_CLOEXEC);
        if (_epoll < 0)
        {
            throw new IOException($"epoll_create1: {Libc.Describe(Libc.Errno)}");
        }
    }

    /// <inheritdoc/>
    public bool Add(int fd)
    {
        byte* entry = stackalloc byte[EventBytesMax];
        *(uint*)entry = (uint)Libc.POLLIN; // EPOLLIN has POLLIN's value; hang-up and error are always reported.
        *(long*)(entry + DataOffset) = fd;
        return Libc.EpollControl(_epoll, ControlAdd, fd, entry) == 0;
    }

    /// <inheritdoc/>
    public void Remove(int fd)
    {
        byte* unused = stackalloc byte[EventBytesMax];
        _ = Libc.EpollControl(_epoll, ControlDelete, fd, unused);
    }

    /// <inheritdoc/>
    public int Wait(Span<int> ready)
    {
        byte* events = stackalloc byte[ready.Length * EventBytesMax];
        int count = Libc.EpollWait(_epoll, events, ready.Length, -1);
        for (int i = 0; i < count; i++)
        {
            ready[i] = (int)*(long*)(events + (i * EventBytes) + DataOffset);
        }

        return Math.Max(count, 0);
    }

    /// <inheritdoc/>
    public void Dispose() => Descriptors.Close(_epoll);
}

/// <summary>Readiness by poll, for systems without epoll.</summary>
internal sealed unsafe class PollReadiness : IReadiness
{
    private readonly List<int> _watched = [];
    private Libc.PollFd[] _entries = [];
    private int _next;

    /// <inheritdoc/>
    public bool Add(int fd)
    {
        _watched.Add(fd);
        return true;
    }

    /// <inheritdoc/>
    public void Remove(int fd) => _watched.Remove(fd);

    /// <inheritdoc/>
    public int Wait(Span<int> ready)
    {
        if (_entries.Length < _watched.Count)
        {
            _entries = new Libc.PollFd[_watched.Count * 2];
        }

        int total = _watched.Count;
        for (int i = 0; i < total; i++)
        {
            _entries[i] = new Libc.PollFd { Fd = _watched[i], Events = Libc.POLLIN };
        }

        int left;
        fixed (Libc.PollFd* entries = _entries)
        {
            left = Libc.Poll(entries, (nuint)total, -1);
        }

        // Starts where the last round stopped, so that with more ready ones than fit none is always left out.
        int stored = 0;
        for (int i = 0; i < total && left > 0 && stored < ready.Length; i++)
        {
            ref Libc.PollFd entry = ref _entries[(_next + i) % total];
            if (entry.Revents != 0)
            {
                ready[stored++] = entry.Fd;
                left--;
            }
        }

        _next = total == 0 ? 0 : (_next + 1) % total;
        return stored;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
