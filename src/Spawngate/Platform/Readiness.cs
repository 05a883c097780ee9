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
    /// <param name="ready">Gets them.</param>
    /// <param name="timeoutMs">Milliseconds to wait at most; -1 for no limit.</param>
    /// <returns>How many descriptors were stored in <paramref name="ready"/>; 0 after an interruption, or when the time is over.</returns>
    int Wait(Span<int> ready, int timeoutMs);
}

/// <summary>Readiness by epoll: the cost of a wait does not grow with the number of descriptors.</summary>
internal sealed class EpollReadiness : IReadiness
{
    private readonly EpollInstance _epoll = new();

    /// <inheritdoc/>
    public bool Add(int fd) => _epoll.Add(fd, EpollInstance.In) == 0;

    /// <inheritdoc/>
    public void Remove(int fd) => _epoll.Remove(fd);

    /// <inheritdoc/>
    public int Wait(Span<int> ready, int timeoutMs)
    {
        int count = _epoll.WaitAtMost(timeoutMs, ready.Length);
        for (int i = 0; i < count; i++)
        {
            ready[i] = _epoll[i].Fd;
        }

        return count;
    }

    /// <inheritdoc/>
    public void Dispose() => _epoll.Dispose();
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
    public int Wait(Span<int> ready, int timeoutMs)
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
            left = Libc.Poll(entries, (nuint)total, timeoutMs);
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
    public void Dispose() { }
}
