using Spawngate.Logging;
using Spawngate.Runtime;

namespace Spawngate.Platform;

/// <summary>One output pipe of a child, while it is being drained.</summary>
internal sealed class OutputPipe : ICallbackOwner
{
    private readonly OutputDrain _drain;
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal OutputPipe(OutputDrain drain, int fd, ILineSink sink)
    {
        _drain = drain;
        Fd = fd;
        Lines = new LineSplitter(sink);
    }

    internal int Fd { get; }

    internal LineSplitter Lines { get; }

    /// <summary>
    /// True once whoever takes the lines has failed: what is still written is thrown away. The child is not to suffer for it.
    /// </summary>
    internal bool IsMuted { get; private set; }

    /// <summary>Completes when the last line has been handed on and the pipe is closed.</summary>
    public Task Closed => _closed.Task;

    /// <summary>
    /// The child has ended: reads what is left in the pipe and closes it, even if someone else still holds the other end.
    /// </summary>
    public Task FinishAsync()
    {
        _drain.RequestFinish(this);
        return Closed;
    }

    internal void SetClosed() => _closed.TrySetResult();

    /// <inheritdoc/>
    void ICallbackOwner.OnCallbackFault() => IsMuted = true;
}

/// <summary>
/// Reads what all children write, on one thread, so that none of them ever blocks on its output. A pipe gets one bounded read a round,
/// so a child that writes without end does not keep the others waiting; what reads the lines must not block.
/// </summary>
internal sealed unsafe class OutputDrain : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Queue<(OutputPipe Pipe, bool Finish)> _requests = new();
    private readonly Dictionary<int, OutputPipe> _pipes = [];
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(PlatformLimits.OutputReadBytes, pinned: true);
    private readonly IReadiness _readiness;
    private readonly Thread _thread;
    private readonly int _wakeRead;
    private readonly int _wakeWrite;
    private bool _wakePending;
    private bool _stopping;

    /// <summary>Starts the thread.</summary>
    public OutputDrain()
        : this(Libc.IsLinux ? new EpollReadiness() : new PollReadiness()) { }

    /// <summary>Starts the thread on a given way of waiting.</summary>
    internal OutputDrain(IReadiness readiness)
    {
        _readiness = readiness;
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
        var pipe = new OutputPipe(this, fd, sink);
        DescriptorBudget.Shared.Take(DescriptorUse.Child);
        Request(pipe, finish: false);
        return pipe;
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

    internal void RequestFinish(OutputPipe pipe) => Request(pipe, finish: true);

    private void Request(OutputPipe pipe, bool finish)
    {
        lock (_gate)
        {
            if (!_stopping)
            {
                _requests.Enqueue((pipe, finish));
                Wake();
                return;
            }
        }

        if (!finish)
        {
            CloseDescriptor(pipe);
            pipe.SetClosed();
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
            int count = _readiness.Wait(ready);
            bool woken = false;
            foreach (int fd in ready[..count])
            {
                if (fd == _wakeRead)
                {
                    woken = true;
                }
                else if (_pipes.TryGetValue(fd, out OutputPipe? pipe) && ReadOnce(pipe) == 0)
                {
                    Close(pipe);
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
            (OutputPipe Pipe, bool Finish) request;
            lock (_gate)
            {
                if (!_requests.TryDequeue(out request))
                {
                    _wakePending = false;
                    break;
                }
            }

            Take(request.Pipe, request.Finish);
        }

        if (!Volatile.Read(ref _stopping))
        {
            return true;
        }

        foreach (OutputPipe pipe in _pipes.Values.ToArray())
        {
            Finish(pipe);
        }

        return false;
    }

    private void Take(OutputPipe pipe, bool finish)
    {
        if (!finish)
        {
            _pipes.Add(pipe.Fd, pipe);
            if (!_readiness.Add(pipe.Fd))
            {
                Close(pipe); // The writer gets SIGPIPE, which is better than blocking for ever.
            }
        }
        else if (_pipes.TryGetValue(pipe.Fd, out OutputPipe? current) && ReferenceEquals(current, pipe))
        {
            Finish(pipe);
        }
    }

    // Reads what is there, up to the most a pipe can hold: someone who escaped the group may go on writing without end.
    private void Finish(OutputPipe pipe)
    {
        int total = 0;
        while (total < PlatformLimits.OutputFinalDrainBytes && IsReadable(pipe.Fd))
        {
            int read = ReadOnce(pipe);
            if (read <= 0)
            {
                break;
            }

            total += read;
        }

        Close(pipe);
    }

    private static bool IsReadable(int fd)
    {
        var entry = new Libc.PollFd { Fd = fd, Events = Libc.POLLIN };
        return Libc.Poll(&entry, 1, 0) > 0;
    }

    // The descriptor blocks, but it was reported readable and nobody else reads it, so this read returns at once.
    private int ReadOnce(OutputPipe pipe)
    {
        fixed (byte* buffer = _buffer)
        {
            int read = (int)Libc.Read(pipe.Fd, buffer, (nuint)_buffer.Length);
            if (read > 0)
            {
                HandOn(pipe, read);
                return read;
            }

            return read < 0 && (Libc.Errno == Libc.EINTR || Libc.Errno == Libc.EAGAIN) ? -1 : 0;
        }
    }

    private void Close(OutputPipe pipe)
    {
        _pipes.Remove(pipe.Fd);
        _readiness.Remove(pipe.Fd);
        CloseDescriptor(pipe);
        HandOn(pipe, 0);
        pipe.SetClosed();
    }

    /// <summary>So many bytes were read; none at the end.</summary>
    private void HandOn(OutputPipe pipe, int read)
    {
        try
        {
            if (read > 0 && !pipe.IsMuted)
            {
                pipe.Lines.Feed(_buffer.AsMemory(0, read));
            }
            else if (!pipe.IsMuted)
            {
                pipe.Lines.Complete();
            }
        }
        catch (Exception fault)
        {
            CallbackGuard.OnFault(fault, nameof(OutputDrain), pipe);
        }
    }

    private static void CloseDescriptor(OutputPipe pipe)
    {
        Descriptors.Close(pipe.Fd);
        DescriptorBudget.Shared.Release(DescriptorUse.Child);
    }
}
