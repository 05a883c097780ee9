namespace Spawngate.Telemetry;

/// <summary>Records of whole requests, one behind the other, in bytes. Used by one thread at a time.</summary>
/// <param name="place">Where it belongs in <see cref="RecordBuffers"/>.</param>
internal sealed class RecordBuffer(int place)
{
    private byte[] _bytes = [];

    /// <summary>Where it belongs.</summary>
    public int Place { get; set; } = place;

    /// <summary>Bytes that it holds.</summary>
    public int Length { get; private set; }

    /// <summary>Records that it holds.</summary>
    public int Count { get; private set; }

    /// <summary>What it holds.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>The same as memory.</summary>
    public ReadOnlyMemory<byte> WrittenMemory => _bytes.AsMemory(0, Length);

    /// <summary>Room for a record; empty when that many bytes do not fit any more.</summary>
    public Span<byte> Reserve(int bytes)
    {
        int needed = Length + bytes;
        if (needed > TelemetryLimits.RecordBufferBytesMax)
        {
            return default;
        }

        if (needed > _bytes.Length)
        {
            Array.Resize(
                ref _bytes,
                Math.Min(
                    TelemetryLimits.RecordBufferBytesMax,
                    Math.Max(Math.Max(needed, TelemetryLimits.RecordBufferFirstBytes), 2 * _bytes.Length)
                )
            );
        }

        return _bytes.AsSpan(Length);
    }

    /// <summary>So many bytes of the room have become a record.</summary>
    public void Commit(int bytes)
    {
        Length += bytes;
        Count++;
    }

    /// <summary>Empties it.</summary>
    public void Clear() => Length = Count = 0;
}

/// <summary>
/// Takes records of finished requests from many threads and hands them to one writer. Nobody waits: a buffer belongs to whoever exchanged
/// it out of its place, and a thread that finds its own place empty takes the next. When the writer is behind, the buffers are full and
/// records are dropped and counted.
/// </summary>
/// <remarks>
/// <code>
///   thread A ─▶ place 0: buffer ┐
///   thread B ─▶ place 1: buffer ├─ the writer puts an empty buffer into the place, and has the full one for itself ─▶ file, collector
///   thread C ─▶ place 2: buffer ┘
/// </code>
/// Records of one thread keep their order; those of different threads are in the order in which the writer comes by, which is at every tick
/// of the clock.
/// </remarks>
internal sealed class RecordBuffers
{
    /// <summary>References to a cache line, so that two places do not share one.</summary>
    private const int Stride = 8;

    private static int s_threads;

    [ThreadStatic]
    private static int t_thread;

    private readonly RecordBuffer?[] _places;
    private readonly int _mask;
    private readonly Action _wake;
    private long _dropped;
    private volatile bool _isDirty;
    private int _woken;

    /// <summary>Makes empty buffers.</summary>
    /// <param name="wake">Wakes the writer; must not block.</param>
    public RecordBuffers(Action wake)
    {
        int places = Math.Min(TelemetryLimits.RecordPlacesMax, 2 * Stripes.RowsFor(Environment.ProcessorCount));
        _wake = wake;
        _mask = places - 1;
        _places = new RecordBuffer?[places * Stride];
        for (int place = 0; place < places; place++)
        {
            _places[place * Stride] = new RecordBuffer(place);
        }
    }

    /// <summary>Number of places.</summary>
    public int Places => _mask + 1;

    /// <summary>Whether records came since <see cref="BeginDrain"/>.</summary>
    public bool IsDirty => _isDirty;

    /// <summary>Records that were dropped.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>
    /// A buffer to write a record into; give it back with <see cref="Return"/>. Null, and the record is counted as dropped, when all are
    /// taken.
    /// </summary>
    public RecordBuffer? TryTake()
    {
        int thread = t_thread != 0 ? t_thread : AssignThread();
        for (int round = 0; round < TelemetryLimits.RecordTakeRounds; round++)
        {
            for (int i = 0; i <= _mask; i++)
            {
                if (Interlocked.Exchange(ref _places[((thread + i) & _mask) * Stride], null) is { } buffer)
                {
                    return buffer;
                }
            }

            Thread.SpinWait(TelemetryLimits.RecordTakeSpins);
        }

        Drop(1);
        return null;
    }

    /// <summary>Gives a buffer back.</summary>
    public void Return(RecordBuffer buffer)
    {
        bool isFull = buffer.Length >= TelemetryLimits.RecordWakeBytes;

        // With a fence: only a look after it at what the writer says tells whether the writer may have passed by before.
        Interlocked.Exchange(ref _places[buffer.Place * Stride], buffer);
        if (!_isDirty)
        {
            _isDirty = true;
        }

        if (isFull && Volatile.Read(ref _woken) == 0 && Interlocked.Exchange(ref _woken, 1) == 0)
        {
            _wake();
        }
    }

    /// <summary>Counts records that could not be kept.</summary>
    public void Drop(int records) => Interlocked.Add(ref _dropped, records);

    /// <summary>The writer has more to do, though nothing new came.</summary>
    public void MarkDirty() => _isDirty = true;

    /// <summary>The writer is about to look at all places.</summary>
    public void BeginDrain()
    {
        Volatile.Write(ref _woken, 0);
        _isDirty = false;
        Interlocked.MemoryBarrier();
    }

    /// <summary>Exchanges the buffer of a place for an empty one, if there is anything in it.</summary>
    /// <param name="place">Which place.</param>
    /// <param name="spare">An empty buffer; afterwards the one that was there.</param>
    /// <param name="last">Whether to wait for one that is out, as nothing comes later.</param>
    public bool TryDrain(int place, ref RecordBuffer spare, bool last)
    {
        var found = Interlocked.Exchange(ref _places[place * Stride], null);
        for (int round = 0; found is null && last && round < TelemetryLimits.RecordLastRounds; round++)
        {
            Thread.Yield();
            found = Interlocked.Exchange(ref _places[place * Stride], null);
        }

        if (found is null)
        {
            _isDirty = true;
            return false;
        }

        bool any = found.Count > 0;
        if (any)
        {
            spare.Clear();
            spare.Place = place;
            (spare, found) = (found, spare);
        }

        Interlocked.Exchange(ref _places[place * Stride], found);
        return any;
    }

    private static int AssignThread() => t_thread = Interlocked.Increment(ref s_threads);
}
