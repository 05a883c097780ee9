using Spawngate.Logging;
using Spawngate.Runtime;

namespace Spawngate.Platform;

/// <summary>One output pipe of a child, while it is being drained.</summary>
internal sealed unsafe class OutputPipe(int fd, ILineSink sink) : DrainedSource(fd)
{
    private readonly LineSplitter _lines = new(sink);

    /// <inheritdoc/>
    internal override bool HasPartial => _lines.HasPartial;

    /// <inheritdoc/>
    internal override long Ended => _lines.Ended;

    // The descriptor blocks, but it was reported readable and nobody else reads it, so this read returns at once.
    /// <inheritdoc/>
    internal override int Read(byte* buffer, int bytesMax)
    {
        int read = (int)Libc.Read(Fd, buffer, (nuint)bytesMax);
        return read >= 0 ? read
            : Libc.Errno == Libc.EINTR || Libc.Errno == Libc.EAGAIN ? -1
            : 0;
    }

    /// <inheritdoc/>
    internal override void Take(ReadOnlyMemory<byte> bytes) => _lines.Feed(bytes);

    /// <inheritdoc/>
    internal override void TakePartial() => _lines.FlushPartial();

    /// <inheritdoc/>
    internal override void Complete() => _lines.Complete();
}

/// <summary>
/// Reads what all children write, on one thread, so that none of them ever blocks on its output. A pipe gets one bounded read a round,
/// so a child that writes without end does not keep the others waiting; what reads the lines must not block. A line that has begun and
/// does not end is handed on as far as it is after <see cref="PlatformLimits.PartialLineMs"/>.
/// </summary>
internal sealed unsafe class OutputDrain : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Queue<(DrainedSource Source, bool Finish)> _requests = new();
    private readonly Dictionary<int, DrainedSource> _sources = [];

    // Those whose last line has begun and not ended, at most once each; about in the order in which that is to be handed on.
    private readonly Queue<DrainedSource> _partials = new();
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(PlatformLimits.OutputReadBytes, pinned: true);
    private readonly IReadiness _readiness;
    private readonly TimeProvider _time;
    private readonly Thread _thread;
    private readonly int _wakeRead;
    private readonly int _wakeWrite;
    private bool _wakePending;
    private bool _stopping;

    /// <summary>Starts the thread.</summary>
    public OutputDrain()
        : this(Libc.IsLinux ? new EpollReadiness() : new PollReadiness(), TimeProvider.System) { }

    /// <summary>Starts the thread on a given way of waiting.</summary>
    internal OutputDrain(IReadiness readiness, TimeProvider time)
    {
        _readiness = readiness;
        _time = time;
        int errno = Descriptors.OpenPipe(out _wakeRead, out _wakeWrite);
        if (errno != 0)
        {
            throw new IOException($"pipe: {Libc.Describe(errno)}");
        }

        if (!_readiness.Add(_wakeRead))
        {
            throw new IOException("The output drain cannot watch its wake-up pipe.");
        }

        _thread = new Thread(Run) { IsBackground = true, Name = "spawngate-output" };
        _thread.Start();
    }

    /// <summary>Drains <paramref name="fd"/>, which is the drain's from now on, into <paramref name="sink"/>.</summary>
    public OutputPipe Add(int fd, ILineSink sink)
    {
        var pipe = new OutputPipe(fd, sink);
        Add(pipe);
        return pipe;
    }

    /// <summary>Reads from <paramref name="source"/>, whose descriptor is the drain's from now on.</summary>
    public void Add(DrainedSource source)
    {
        source.Drain = this;
        DescriptorBudget.Shared.Take(DescriptorUse.Child);
        Request(source, finish: false);
    }

    /// <summary>Stops the thread and closes every pipe. A writer then gets SIGPIPE.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_stopping)
            {
                return;
            }

            _stopping = true;
            Wake();
        }

        _thread.Join();
        Descriptors.Close(_wakeRead);
        Descriptors.Close(_wakeWrite);
        _readiness.Dispose();
    }

    internal void RequestFinish(DrainedSource source) => Request(source, finish: true);

    private void Request(DrainedSource source, bool finish)
    {
        lock (_gate)
        {
            if (!_stopping)
            {
                _requests.Enqueue((source, finish));
                Wake();
                return;
            }
        }

        if (!finish)
        {
            CloseDescriptor(source);
            source.SetClosed();
        }
    }

    // At most one byte is under way, so the write cannot block.
    private void Wake()
    {
        if (!_wakePending)
        {
            _wakePending = true;
            byte token = 0;
            _ = Libc.Write(_wakeWrite, &token, 1);
        }
    }

    private void Run()
    {
        Span<int> ready = stackalloc int[PlatformLimits.OutputPipesPerRound];
        while (true)
        {
            int count = _readiness.Wait(ready, HandOnPartials());
            bool woken = false;
            foreach (int fd in ready[..count])
            {
                if (fd == _wakeRead)
                {
                    woken = true;
                }
                else if (_sources.TryGetValue(fd, out DrainedSource? source) && ReadOnce(source) == 0)
                {
                    Close(source);
                }
            }

            // After the reads: a finish closes descriptors, whose numbers must not be taken for those in this round's list.
            if (woken && !TakeRequests())
            {
                return;
            }
        }
    }

    private bool TakeRequests()
    {
        byte token;
        _ = Libc.Read(_wakeRead, &token, 1);
        while (true)
        {
            (DrainedSource Source, bool Finish) request;
            lock (_gate)
            {
                if (!_requests.TryDequeue(out request))
                {
                    _wakePending = false;
                    break;
                }
            }

            Take(request.Source, request.Finish);
        }

        if (!Volatile.Read(ref _stopping))
        {
            return true;
        }

        foreach (DrainedSource source in _sources.Values.ToArray())
        {
            Finish(source);
        }

        return false;
    }

    private void Take(DrainedSource source, bool finish)
    {
        if (!finish)
        {
            _sources.Add(source.Fd, source);
            if (!_readiness.Add(source.Fd))
            {
                Close(source); // The writer gets SIGPIPE, which is better than blocking for ever.
            }
        }
        else if (_sources.TryGetValue(source.Fd, out DrainedSource? current) && ReferenceEquals(current, source))
        {
            Finish(source);
        }
    }

    // Reads what is there, up to the most a source can hold: someone who escaped the group may go on writing without end.
    private void Finish(DrainedSource source)
    {
        int total = 0;
        while (total < PlatformLimits.OutputFinalDrainBytes && IsReadable(source.Fd))
        {
            int read = ReadOnce(source);
            if (read <= 0)
            {
                break;
            }

            total += read;
        }

        Close(source);
    }

    private static bool IsReadable(int fd)
    {
        var entry = new Libc.PollFd { Fd = fd, Events = Libc.POLLIN };
        return Libc.Poll(&entry, 1, 0) > 0;
    }

    private int ReadOnce(DrainedSource source)
    {
        fixed (byte* buffer = _buffer)
        {
            int read = source.Read(buffer, _buffer.Length);
            if (read > 0)
            {
                HandOn(source, read);
            }

            return read;
        }
    }

    /// <summary>Notes whether a line has begun that has not ended, and since when.</summary>
    private void NotePartial(DrainedSource source)
    {
        long ended = source.Ended;
        if (!source.HasPartial)
        {
            source.PartialSince = 0;
        }
        else if (source.PartialSince == 0 || source.PartialAfter != ended)
        {
            source.PartialSince = _time.GetTimestamp();
            source.PartialAfter = ended;
            if (!source.IsAwaited)
            {
                source.IsAwaited = true;
                _partials.Enqueue(source);
            }
        }
    }

    /// <summary>Hands on the unfinished lines that have waited long enough.</summary>
    /// <returns>Milliseconds until the next one has; -1 when there is none.</returns>
    private int HandOnPartials()
    {
        while (_partials.TryPeek(out DrainedSource? source))
        {
            double waitedMs = source.PartialSince == 0 ? double.MaxValue : _time.GetElapsedTime(source.PartialSince).TotalMilliseconds;
            if (waitedMs < PlatformLimits.PartialLineMs)
            {
                return (int)Math.Ceiling(PlatformLimits.PartialLineMs - waitedMs);
            }

            _partials.Dequeue();
            source.IsAwaited = false;
            if (source.PartialSince != 0 && !source.IsMuted)
            {
                source.PartialSince = 0;
                CallbackGuard.Run(source.TakePartial, nameof(OutputDrain));
            }
        }

        return Timeout.Infinite;
    }

    private void Close(DrainedSource source)
    {
        _sources.Remove(source.Fd);
        _readiness.Remove(source.Fd);
        CloseDescriptor(source);
        HandOn(source, 0);
        source.SetClosed();
    }

    /// <summary>So many bytes were read; none at the end.</summary>
    private void HandOn(DrainedSource source, int read)
    {
        try
        {
            if (read > 0 && !source.IsMuted)
            {
                source.Take(_buffer.AsMemory(0, read));
                NotePartial(source);
            }
            else if (!source.IsMuted)
            {
                source.PartialSince = 0;
                source.Complete();
            }
        }
        catch (Exception fault)
        {
            CallbackGuard.OnFault(fault, nameof(OutputDrain), source);
        }
    }

    private static void CloseDescriptor(DrainedSource source)
    {
        Descriptors.Close(source.Fd);
        DescriptorBudget.Shared.Release(DescriptorUse.Child);
    }
}
