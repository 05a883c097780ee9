using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Spawngate.Platform;

/// <summary>One epoll instance with its event buffer; waited on by one thread, changed by any.</summary>
internal sealed unsafe class EpollInstance : IDisposable
{
    /// <summary>EPOLLIN.</summary>
    public const uint In = 0x1;

    /// <summary>EPOLLPRI: urgent data.</summary>
    public const uint Urgent = 0x2;

    /// <summary>EPOLLOUT.</summary>
    public const uint Out = 0x4;

    /// <summary>EPOLLERR.</summary>
    public const uint Error = 0x8;

    /// <summary>EPOLLHUP.</summary>
    public const uint HangUp = 0x10;

    /// <summary>EPOLLRDHUP: the peer ended its side.</summary>
    public const uint PeerEnded = 0x2000;

    /// <summary>EPOLLET: each change is told once.</summary>
    public const uint EdgeTriggered = 1u << 31;

    private const int ControlAdd = 1;
    private const int ControlDelete = 2;
    private const int ControlModify = 3;
    private const int LargestEvent = 16;

    // struct epoll_event { uint32 events; uint64 data; } is packed on x86-64 only (and 32-bit x86 aligns it that way by itself).
    private static readonly bool Packed = RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.X86;
    private static readonly int EventBytes = Packed ? 12 : 16;
    private static readonly int DataOffset = Packed ? 4 : 8;

    private readonly int _epoll;
    private readonly byte* _events;

    /// <summary>Creates it.</summary>
    /// <exception cref="IOException">The system has none left.</exception>
    public EpollInstance()
    {
        _epoll = Libc.EpollCreate(Libc.O_CLOEXEC);
        if (_epoll < 0)
        {
            throw new IOException($"epoll_create1: {Libc.Describe(Libc.Errno)}");
        }

        _events = (byte*)NativeMemory.AllocZeroed(PlatformLimits.EventsPerBatch, LargestEvent);
    }

    /// <summary>Watches a descriptor. 0, else the errno.</summary>
    public int Add(int fd, uint events) => Control(ControlAdd, fd, events);

    /// <summary>Watches it for other events, which are told anew if they hold. 0, else the errno.</summary>
    public int Modify(int fd, uint events) => Control(ControlModify, fd, events);

    /// <summary>Stops watching it.</summary>
    public void Remove(int fd) => Control(ControlDelete, fd, 0);

    /// <summary>Waits for events. Their number; 0 after an interruption or when none came in time.</summary>
    /// <param name="forever">False to only look.</param>
    /// <param name="max">How many to take at once.</param>
    public int Wait(bool forever, int max = PlatformLimits.EventsPerWait) => WaitAtMost(forever ? -1 : 0, max);

    /// <summary>The same.</summary>
    /// <param name="timeoutMs">Milliseconds to wait at most; -1 for no limit.</param>
    /// <param name="max">How many to take at once.</param>
    public int WaitAtMost(int timeoutMs, int max) =>
        Math.Max(0, Libc.EpollWait(_epoll, _events, Math.Min(max, PlatformLimits.EventsPerWait), timeoutMs));

    /// <summary>
    /// Looks for more events behind those of the last wait that were not dealt with, which move to the front. How many there are then.
    /// </summary>
    /// <param name="done">How many were dealt with.</param>
    /// <param name="count">How many there were.</param>
    /// <param name="all">Whether those are all that the kernel had.</param>
    public int LookAgain(int done, int count, out bool all)
    {
        int left = count - done;
        Buffer.MemoryCopy(_events + (done * EventBytes), _events, PlatformLimits.EventsPerBatch * LargestEvent, left * EventBytes);
        int room = PlatformLimits.EventsPerBatch - left;
        int more = room > 0 ? Libc.EpollWait(_epoll, _events + (left * EventBytes), room, 0) : 0;
        all = more >= 0 && more < room;
        return left + Math.Max(0, more);
    }

    /// <summary>One of the events of the last wait.</summary>
    public (int Fd, uint Events) this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            byte* entry = _events + (index * EventBytes);
            return ((int)*(long*)(entry + DataOffset), *(uint*)entry);
        }
    }

    /// <summary>Closes it; nobody may use it then.</summary>
    public void Dispose()
    {
        Descriptors.Close(_epoll);
        NativeMemory.Free(_events);
    }

    private int Control(int operation, int fd, uint events)
    {
        byte* entry = stackalloc byte[LargestEvent];
        *(uint*)entry = events;
        *(long*)(entry + DataOffset) = fd;
        return Libc.EpollControl(_epoll, operation, fd, entry) == 0 ? 0 : Libc.Errno;
    }
}
